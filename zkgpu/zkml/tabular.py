"""What scikit-learn's exporter does to the columns of a table before and after a model, in terms of ordinary nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from zkgpu.zkml.graph import ROWS, Array, Graph, Node, Shape, unsupported

Rewritten = tuple[list[Node], dict[str, Array], dict[str, Shape]]
SHARE, MAGNITUDE, UNIT = "Div by a norm", "Magnitude", "Unit length"
MADE = (SHARE, MAGNITUDE, UNIT)

_TRANSFORMED = "give the model what the transformer makes of the table"
_PLAIN_SCALER = (("scale", (1.0,)), ("offset", (0.0,)))
_SAFE = frozenset(
    (
        "Add",
        "ArrayFeatureExtractor",
        "Cast",
        "Clip",
        "Concat",
        "FeatureVectorizer",
        "Flatten",
        "Gather",
        "Identity",
        "Imputer",
        "Mul",
        "Neg",
        "Reshape",
        "Scaler",
        "Slice",
        "Split",
        "Squeeze",
        "Sub",
        "Transpose",
        "Unsqueeze",
        "Where",
    )
)  # sums, products, and what only moves numbers


def _scaler(graph: Graph, node: Node) -> Rewritten:
    """(x - offset) * scale."""
    scale, offset = (np.asarray(node.attributes.get(key, other), np.float64) for key, other in _PLAIN_SCALER)
    names = f"{node.output}.scale", f"{node.output}.offset"
    arrays = dict(zip(names, (scale, -offset * scale), strict=True))
    return [Node(node.name, "Scale", (node.inputs[0], *names), node.outputs)], arrays, {}


def names(node: Node, place: str, output: str, labels: Array) -> Node:
    """The label at each place."""
    return Node(node.name, "Names", (place,), (output,), {"labels": labels})


def class_values(node: Node, attribute: str) -> Array:
    """The classes' numbers; of those that have names their places, as a proof has no text: it is told beside it."""
    if text := node.attributes.get("classlabels_strings"):
        return np.arange(len(text))
    return np.asarray(node.attributes.get(attribute, ()), dtype=np.int64)


def _extractor(graph: Graph, node: Node) -> Rewritten:
    """Columns at constant places; or entries of a constant list, at computed places."""
    data, places = node.inputs
    if places in graph.constants:
        columns, out = f"{node.output}.columns", node.output
        chosen = np.ravel(graph.constants[places]).astype(np.int64)
        shape = (*graph.shapes[data][:-1], chosen.size)
        nodes = [
            Node(node.name, "Gather", (data, f"{out}.places"), (columns,), {"axis": len(shape) - 1}),
            Node(node.name, "Reshape", (columns, ""), (out,)),
        ]
        return nodes, {f"{out}.places": chosen}, {columns: shape}
    labels = graph.constant(data)
    if labels is None:
        raise unsupported(node, "its data and its places are both computed: one of them must be a constant")
    if labels.size != labels.shape[-1]:
        raise unsupported(node, "its places are computed: its data must be a single row")
    if labels.dtype.kind in "iuO":  # of texts the places stand for them
        values = np.arange(labels.size) if labels.dtype.kind == "O" else labels.ravel()
        return [names(node, places, node.output, values)], {}, {}
    if labels.dtype.kind != "f":
        raise unsupported(node, "only lists of constant numbers are supported")
    found, out = f"{node.output}.found", node.output
    nodes = [
        Node(node.name, ROWS, (f"{out}.list", places), (found,), {"axis": 0}),
        Node(node.name, "Reshape", (found, ""), (out,)),
    ]
    return nodes, {f"{out}.list": labels.ravel()}, {found: graph.shapes[places]}


def _binarizer(graph: Graph, node: Node) -> Rewritten:
    """1 above the threshold, else 0."""
    threshold = f"{node.output}.threshold"
    value = np.array(node.attributes.get("threshold", 0.0), dtype=np.float32)
    return [Node(node.name, "Greater", (node.inputs[0], threshold), node.outputs)], {threshold: value}, {}


def _imputer(graph: Graph, node: Node) -> Rewritten:
    """Nothing, as what it replaces are no numbers, which no input has, nor what sums and products make of them."""
    replaced = node.attributes.get("replaced_value_float", 0.0)
    if "replaced_value_int64" in node.attributes or not np.isnan(replaced):
        raise unsupported(node, "only what is not a number can be replaced, which no input of a proof is", _TRANSFORMED)
    if not _is_a_number(graph, node.inputs[0]):
        raise unsupported(
            node, f"'{node.inputs[0]}' is not known to be numbers: it comes from others than sums and products"
        )
    return [Node(node.name, "Identity", node.inputs[:1], node.outputs)], {}, {}


def _is_a_number(graph: Graph, name: str) -> bool:
    """Whether a tensor cannot hold what is not a number."""
    producers, todo = graph.producers(), [name]
    while todo:
        name = todo.pop()
        producer = producers.get(name)
        if name in graph.constants and not np.isfinite(graph.constants[name].astype(np.float64)).all():
            return False
        if producer is not None and producer.operator not in _SAFE:
            return False
        todo += [i for i in producer.inputs if i] if producer else []
    return True


def _vectorizer(graph: Graph, node: Node) -> Rewritten:
    """Columns of several tensors side by side."""
    widths = [graph.shapes[name][-1] for name in node.inputs]
    if list(node.attributes.get("inputdimensions", widths)) != widths:
        raise unsupported(node, f"its inputdimensions are not {widths}, as its inputs are")
    return [Node(node.name, "Concat", node.inputs, node.outputs, {"axis": 1})], {}, {}


def _one_hot(graph: Graph, node: Node) -> Rewritten:
    """A new last axis: 1 where a number is the category, else 0."""
    if "cats_int64s" not in node.attributes:
        raise unsupported(node, "only categories named by integers are supported")
    if not graph.is_integral(node.inputs[0]):
        raise unsupported(node, "only integers are told apart by category")
    x, out = node.inputs[0], node.output
    shape = graph.shapes[x]
    categories = np.array(node.attributes["cats_int64s"], dtype=np.int64)
    nodes = [
        Node(node.name, "Reshape", (x, ""), (f"{out}.one",)),
        Node(node.name, "Equal", (f"{out}.one", f"{out}.categories"), (f"{out}.each",)),
        Node(node.name, "Reshape", (f"{out}.each", ""), (out,)),
    ]
    shapes = {f"{out}.one": (*shape, 1), f"{out}.each": (*shape, categories.size)}
    return nodes, {f"{out}.categories": categories}, shapes


def _label_encoder(graph: Graph, node: Node) -> Rewritten:
    """The value of each key, else the default: a product of a row of 0 and a single 1."""
    keys = np.array(node.attributes.get("keys_int64s", ()), dtype=np.int64)
    kind = next((k for k in ("int64", "float") if f"values_{k}s" in node.attributes), "")
    if not kind or not keys.size or not graph.is_integral(node.inputs[0]):
        raise unsupported(node, "only integers with integers or floats for them are supported")
    values = np.array(node.attributes[f"values_{kind}s"], dtype=np.int64 if kind == "int64" else np.float32)
    if (values == np.rint(values)).all() and float(node.attributes.get(f"default_{kind}", 0)).is_integer():
        values = values.astype(np.int64)  # which keeps them exact
    default = node.attributes.get(f"default_{kind}", -1 if kind == "int64" else -0.0)
    x, out, shape = node.inputs[0], node.output, graph.shapes[node.inputs[0]]
    keys, first = np.unique(keys, return_index=True)
    nodes = [
        Node(node.name, "Reshape", (x, ""), (f"{out}.one",)),
        Node(node.name, "Equal", (f"{out}.one", f"{out}.keys"), (f"{out}.each",)),
        Node(node.name, "Where", (f"{out}.each", f"{out}.differences", f"{out}.nothing"), (f"{out}.chosen",)),
        Node(node.name, "ReduceSum", (f"{out}.chosen",), (f"{out}.sum",), {"axes": (len(shape),), "keepdims": 0}),
        Node(node.name, "Add", (f"{out}.sum", f"{out}.default"), (out,)),
    ]
    arrays = {
        f"{out}.keys": keys,
        f"{out}.differences": values[first] - np.asarray(default, values.dtype),
        f"{out}.nothing": np.zeros(1, values.dtype),
        f"{out}.default": np.asarray(default, values.dtype),
    }
    each = (*shape, keys.size)
    shapes = {f"{out}.one": (*shape, 1), f"{out}.each": each, f"{out}.chosen": each, f"{out}.sum": shape}
    return nodes, arrays, shapes


def _normalizer(graph: Graph, node: Node) -> Rewritten:
    """Rows over their sum of magnitudes, length, or largest entry. Probabilities of a softmax are what they are."""
    norm, source = node.attributes.get("norm", "MAX"), graph.producers().get(node.inputs[0])
    softmax = source is not None and "SOFTMAX" in (source.operator.upper(), source.attributes.get("post_transform"))
    if norm == "L1" and softmax:
        return [Node(node.name, "Identity", node.inputs, node.outputs)], {}, {}
    return _normalized(graph.shapes, node, node.inputs[0], node.output, norm)


def _lp(graph: Graph, node: Node) -> Rewritten:
    """Along any axis, which is brought to the end and back."""
    power, shape, out = node.attributes.get("p", 2), graph.shapes[node.output], node.output
    axis = int(node.attributes.get("axis", -1)) % len(shape)
    if power not in (1, 2):
        raise unsupported(node, f"p = {power} is not supported, only 1 and 2")
    order = [i for i in range(len(shape)) if i != axis] + [axis]
    turned, found = f"{out}.turned", f"{out}.normal"
    shapes = dict.fromkeys((turned, found), tuple(shape[i] for i in order))
    middle, arrays, known = _normalized({**graph.shapes, **shapes}, node, turned, found, f"L{power}")
    nodes = [
        Node(node.name, "Transpose", node.inputs, (turned,), {"perm": tuple(order)}),
        *middle,
        Node(node.name, "Transpose", (found,), (out,), {"perm": tuple(np.argsort(order).tolist())}),
    ]
    return nodes, arrays, {**shapes, **known}


def _normalized(known: Mapping[str, Shape], node: Node, x: str, out: str, norm: str) -> Rewritten:
    """Along the last axis."""
    shape = known[x]
    if norm == "L2":
        return [Node(node.name, UNIT, (x,), (out,))], {}, {}
    last = {"axes": (len(shape) - 1,), "keepdims": 1}
    terms, row = f"{out}.terms", f"{out}.norm"
    shapes = {terms: shape, row: (*shape[:-1], 1)}
    if norm == "MAX":
        nodes = [Node(node.name, "ReduceMax", (x,), (row,), last)]
    else:
        nodes = [Node(node.name, MAGNITUDE, (x,), (terms,)), Node(node.name, "ReduceSum", (terms,), (row,), last)]
    return [*nodes, Node(node.name, SHARE, (x, row), (out,))], {}, shapes


RULES: dict[str, Callable[[Graph, Node], Rewritten]] = {
    "ArrayFeatureExtractor": _extractor,
    "Binarizer": _binarizer,
    "FeatureVectorizer": _vectorizer,
    "Imputer": _imputer,
    "LabelEncoder": _label_encoder,
    "LpNormalization": _lp,
    "Normalizer": _normalizer,
    "OneHotEncoder": _one_hot,
    "Scaler": _scaler,
}
