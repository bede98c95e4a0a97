"""Nodes whose meaning depends on their opset, on the type of their tensors or on how many they read, restated.

What is left of them means the same for every opset and for real numbers. Where arithmetic on integers would wrap
around, or round, and no rule does so, the node is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import prod

import numpy as np

from zkgpu.zkml.graph import ROWS, SELECT, SELECT_ELEMENTS, Array, Graph, Node, Shape, one_value, unsupported

Restated = tuple[list[Node], dict[str, Shape]]

CAST, BOOLEAN, DIVISION, POWER = "Cast to integers", "Cast to bool", "Div of integers", "Pow of integers"
EXP, LOG = "Exp up to 0", "Log from 1 on"  # of numbers that lie there
SCATTER = "Scatter to constant places"
QUANTIZE, DEQUANTIZE = "Quantize by one scale", "Dequantize by one scale"
MADE = (CAST, BOOLEAN, DIVISION, POWER, EXP, LOG, ROWS, SELECT, SELECT_ELEMENTS, SCATTER, QUANTIZE, DEQUANTIZE)

_FLOATS = {1, 10, 11, 16}  # of onnx.TensorProto: float, float16, double, bfloat16
_INTEGERS = {2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "?", 12: "u4", 13: "u8"}
WRAPPING = {"Add", "Sub", "Mul", "Neg", "Abs", "Sum", "Pow", "Div", "MatMul", "Gemm", "ReduceSum", "Clip"}
WRAPPING |= {"ReduceL1", "ReduceSumSquare", "ReduceMin", "ArgMin", "CumSum"}
ROUNDING = {"ReduceMean", "Mean", "AveragePool", "GlobalAveragePool", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"}
SOFTMAX_BY_AXIS = 13  # the first opset of a Softmax, LogSoftmax or Hardmax along one axis
_IN_PARTS = {
    "ArgMin": ("Neg", "ArgMax", "Identity"),
    "ReduceL1": ("Abs", "ReduceSum", "Identity"),
    "ReduceL2": ("Mul", "ReduceSum", "Sqrt"),
    "ReduceLogSum": ("Identity", "ReduceSum", "Log"),
    "ReduceMin": ("Neg", "ReduceMax", "Neg"),
    "ReduceSumSquare": ("Mul", "ReduceSum", "Identity"),
}  # what is done to the entries, or to each times itself; how they are brought together; and what is done to that


def restate(graph: Graph) -> Graph:
    """The same graph without nodes that mean something else elsewhere."""
    nodes: list[Node] = []
    shapes: dict[str, Shape] = {}
    types = dict(graph.types)
    for node in graph.nodes:
        _require_real_arithmetic(graph, node)
        made, known = RULES.get(node.operator, _as_it_is)(graph, node)
        nodes += made
        shapes |= known
        if node.operator in _IN_PARTS and node.inputs[0] in types:
            types = {**dict.fromkeys(known, types[node.inputs[0]]), **types}
    return replace(graph.with_nodes(nodes, shapes=shapes), types=types)


def _as_it_is(graph: Graph, node: Node) -> Restated:
    return [node], {}


def _require_real_arithmetic(graph: Graph, node: Node) -> None:
    """Raises FormatError for arithmetic on integers that differs from that on real numbers, but for Div and Pow."""
    kind = graph.types.get(node.output)
    if kind is None or kind.kind not in "iub":
        return
    if node.operator in ROUNDING or (node.operator in WRAPPING and (kind.kind != "i" or kind.itemsize < 4)):
        raise unsupported(node, f"arithmetic on {kind} is not supported: cast to float first")


def _identity(node: Node) -> Restated:
    return [Node(node.name, "Identity", node.inputs[:1], node.outputs[:1])], {}


def _cast(graph: Graph, node: Node) -> Restated:
    """Floats become integers by truncation, and booleans by being other than 0; integers stay what they are."""
    target, (source,) = int(node.attributes["to"]), node.inputs
    if target in _FLOATS:
        return _identity(node)
    if target not in _INTEGERS:
        raise unsupported(node, f"a cast to type {target} of ONNX is not supported")
    wanted, given = np.dtype(_INTEGERS[target]), graph.types.get(source)
    if given is not None and graph.is_integral(source):
        if np.can_cast(given, wanted):
            return _identity(node)
        if wanted.kind == "i" and wanted.itemsize >= 4:  # a copy, whose range lowering.overflow looks at
            return [Node(node.name, "Reshape", (source, ""), node.outputs)], {}
    if wanted.kind == "b":
        return [Node(node.name, BOOLEAN, (source,), node.outputs)], {}
    ends = np.iinfo(wanted)
    return [Node(node.name, CAST, (source,), node.outputs, {"least": ends.min, "greatest": ends.max})], {}


def _of_integers(operator: str) -> Callable[[Graph, Node], Restated]:
    def rule(graph: Graph, node: Node) -> Restated:
        return [replace(node, operator=operator) if graph.is_integral(node.output) else node], {}

    return rule


def _softmax(graph: Graph, node: Node) -> Restated:
    """Before opset 13 the axes from `axis` on are one, and `axis` is 1 where it is absent."""
    if node.opset >= SOFTMAX_BY_AXIS:
        return [node], {}
    return _along_one_axis(graph, node)


def _along_one_axis(graph: Graph, node: Node) -> Restated:
    shape, out = graph.shapes[node.output], node.output
    axis = int(node.attributes.get("axis", 1)) % max(len(shape), 1)
    if prod(shape[axis + 1 :]) == 1:
        return [replace(node, attributes={"axis": axis})], {}
    flat = prod(shape[:axis]), prod(shape[axis:])
    nodes = [
        Node(node.name, "Reshape", (node.inputs[0], ""), (f"{out}.rows",)),
        Node(node.name, node.operator, (f"{out}.rows",), (f"{out}.shares",), {"axis": -1}),
        Node(node.name, "Reshape", (f"{out}.shares", ""), (out,)),
    ]
    return nodes, {f"{out}.rows": flat, f"{out}.shares": flat}


def _gather(graph: Graph, node: Node) -> Restated:
    """Entries at constant places are moved; at computed places, rows of a constant table are looked up."""
    data, places = node.inputs
    if places in graph.constants:
        return [node], {}
    return [replace(node, operator=ROWS if data in graph.constants else SELECT)], {}


def _gather_elements(graph: Graph, node: Node) -> Restated:
    return [node if node.inputs[1] in graph.constants else replace(node, operator=SELECT_ELEMENTS)], {}


def _scatter_elements(graph: Graph, node: Node) -> Restated:
    (_, places, updates), axis = node.inputs, int(node.attributes.get("axis", 0))
    at: list[Array] = list(np.indices(graph.constants[places].shape))
    at[axis] = graph.constants[places].astype(np.int64)
    return _scattered(graph, node, at, updates)


def _scatter_nd(graph: Graph, node: Node) -> Restated:
    _, places, updates = node.inputs
    return _scattered(graph, node, np.moveaxis(graph.constants[places].astype(np.int64), -1, 0), updates)


def _scattered(graph: Graph, node: Node, at: Iterable[Array], updates: str) -> Restated:
    """Each update with the place in the data, laid end to end, that it is put at."""
    shape, reduction = graph.shapes[node.inputs[0]], node.attributes.get("reduction", "none")
    places = np.arange(prod(shape)).reshape(shape)[tuple(at)]
    if reduction not in ("none", "add", "mul", "max", "min"):
        raise unsupported(node, f"reduction = '{reduction}' is not supported")
    if reduction in ("none", "mul") and np.unique(places).size < places.size:
        raise unsupported(node, f"with reduction = '{reduction}' it must not put two entries at one place")
    attributes = {"places": places, "reduction": reduction}
    return [Node(node.name, SCATTER, (node.inputs[0], updates), node.outputs, attributes)], {}


def _of_bits(graph: Graph, node: Node) -> Restated:
    """With the bits that the type of the result has; with a sign, which is repeated, all that there are."""
    kind = graph.types[node.output]
    if node.operator == "BitShift" and kind.kind != "u":
        raise unsupported(node, f"shifts of {kind} are not supported, only of integers without a sign")
    mask = (1 << 8 * kind.itemsize) - 1 if kind.kind == "u" else -1
    return [replace(node, attributes={**node.attributes, "mask": mask})], {}


def _prelu(graph: Graph, node: Node) -> Restated:
    """With one slope for all it is a LeakyRelu."""
    slope = one_value(graph.constants[node.inputs[1]])
    if slope is None:
        return [node], {}
    return [Node(node.name, "LeakyRelu", node.inputs[:1], node.outputs, {"alpha": slope})], {}


def _in_parts(graph: Graph, node: Node) -> Restated:
    """A reduction of a function of each entry, and a function of the result."""
    before, reduction, after = _IN_PARTS[node.operator]
    (x, *axes), out = node.inputs, node.output
    entries, result = f"{out}.entries", f"{out}.result"
    nodes = [
        Node(node.name, before, (x,) * (1 + (before == "Mul")), (entries,)),
        replace(node, operator=reduction, inputs=(entries, *axes), outputs=(result,)),
        Node(node.name, after, (result,), (out,)),
    ]
    return nodes, {entries: graph.shapes[x], result: graph.shapes[out]}


def _log_softmax(graph: Graph, node: Node) -> Restated:
    """x less the logarithm of the sum of exponentials."""
    nodes, shapes = _softmax(graph, node)
    place = next(i for i, made in enumerate(nodes) if made.operator == "LogSoftmax")
    along = nodes[place]
    x, out = along.inputs[0], along.output
    shape = shapes.get(x, graph.shapes.get(x, ()))
    parts, logarithm, known = _log_sum(along, shape, (int(along.attributes.get("axis", -1)) % len(shape),))
    parts.append(Node(node.name, "Sub", (f"{out}.below", logarithm), (out,)))
    return [*nodes[:place], *parts, *nodes[place + 1 :]], {**shapes, **known}


def _log_sum_exp(graph: Graph, node: Node) -> Restated:
    x, out = node.inputs[0], node.output
    nodes, logarithm, known = _log_sum(node, graph.shapes[x], tuple(graph.reduced_axes(node)))
    nodes.append(Node(node.name, "Add", (f"{out}.top", logarithm), (f"{out}.kept",)))
    nodes.append(Node(node.name, "Reshape", (f"{out}.kept", ""), (out,)))
    return nodes, {**known, f"{out}.kept": known[logarithm]}


def _log_sum(node: Node, shape: Shape, axes: tuple[int, ...]) -> tuple[list[Node], str, dict[str, Shape]]:
    """Nodes for the maximum (.top), entries less it (.below), and the logarithm of the sum of their exponentials."""
    top, below, powers, total, logarithm = (f"{node.output}.{n}" for n in ("top", "below", "exp", "sum", "log"))
    name, kept = node.name, tuple(1 if i in axes else n for i, n in enumerate(shape))
    attributes = {"axes": axes, "keepdims": 1} if axes else {"noop_with_empty_axes": 1}
    nodes = [
        Node(name, "ReduceMax", node.inputs[:1], (top,), attributes),
        Node(name, "Sub", (node.inputs[0], top), (below,)),
        Node(name, EXP, (below,), (powers,)),
        Node(name, "ReduceSum", (powers,), (total,), attributes),
        Node(name, LOG, (total,), (logarithm,)),
    ]
    return nodes, logarithm, {below: shape, powers: shape, **dict.fromkeys((top, total, logarithm), kept)}


def _gemm(graph: Graph, node: Node) -> Restated:
    """A computed first factor is transposed before; a computed C is added after."""
    c = "".join(node.inputs[2:3])
    if is_of_tensors(graph, node):
        return [node], {}
    if c and c not in graph.constants:
        return _with_computed_addend(graph, node, c)
    return _with_factors_in_place(graph, node)


def is_of_tensors(graph: Graph, node: Node) -> bool:
    """Whether a Gemm is no layer with weights on the right: B is computed, or A a constant, or a computed C scaled."""
    a, b, *c = node.inputs
    has_factor = any(name and name not in graph.constants for name in c) and node.attributes.get("beta", 1.0) != 1
    return b not in graph.constants or a in graph.constants or has_factor


def _with_computed_addend(graph: Graph, node: Node, c: str) -> Restated:
    out = node.output
    product = f"{out}.product"
    nodes, shapes = _with_factors_in_place(graph, replace(node, inputs=node.inputs[:2], outputs=(product,)))
    return [*nodes, Node(node.name, "Add", (product, c), (out,))], {**shapes, product: graph.shapes[out]}


def _with_factors_in_place(graph: Graph, node: Node) -> Restated:
    if not node.attributes.get("transA", 0):
        return [node], {}
    x, turned = node.inputs[0], f"{node.output}.transposed"
    attributes = {**node.attributes, "transA": 0}
    nodes = [
        Node(node.name, "Transpose", (x,), (turned,), {"perm": (1, 0)}),
        replace(node, inputs=(turned, *node.inputs[1:]), attributes=attributes),
    ]
    return nodes, {turned: graph.shapes[x][::-1]}


def _quantize_linear(graph: Graph, node: Node) -> Restated:
    """round(x / scale) + zero point, clamped to the type; a Relu before it lifts the lower end."""
    scale, zero = _scale_and_zero(graph, node)
    kind = graph.types.get(node.output)
    if scale.size != 1 or kind is None or kind.kind not in "iu":
        raise unsupported(node, "only integers by one scale are supported")
    ends, x = np.iinfo(kind), node.inputs[0]
    found = {"scale": float(scale.ravel()[0]), "zero": int(zero.ravel()[0]), "least": ends.min, "greatest": ends.max}
    before = graph.producers().get(x)
    if before is not None and before.operator == "Relu" and graph.sole_consumer(x) is node:
        x, found["least"] = before.inputs[0], max(found["least"], found["zero"])
    return [Node(node.name, QUANTIZE, (x,), node.outputs, found)], {}


def _dequantize_linear(graph: Graph, node: Node) -> Restated:
    """(x - zero point) * scale; scales that lie along an axis keep their place."""
    scale, zero = _scale_and_zero(graph, node)
    if scale.size == 1:
        found = {"scale": float(scale.ravel()[0]), "zero": int(zero.ravel()[0])}
        return [Node(node.name, DEQUANTIZE, node.inputs[:1], node.outputs, found)], {}
    rank = len(graph.shapes[node.output])
    along = (-1, *(1,) * (rank - 1 - int(node.attributes.get("axis", 1)) % rank))
    attributes = {"scale": scale.reshape(along), "zero": zero.reshape(along)}
    return [Node(node.name, node.operator, node.inputs[:1], node.outputs, attributes)], {}


def _scale_and_zero(graph: Graph, node: Node) -> tuple[Array, Array]:
    """In as many entries each. Raises FormatError for scales of blocks."""
    scale = graph.constants[node.inputs[1]].astype(np.float64)
    zero = graph.constants.get("".join(node.inputs[2:3]), np.zeros(()))
    if node.attributes.get("block_size", 0) or scale.ndim > 1 or zero.size not in (1, scale.size):
        raise unsupported(node, "scales of blocks are not supported where what is scaled is computed")
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise unsupported(node, "its scale is not above 0")
    return scale, np.broadcast_to(zero.astype(np.int64), scale.shape) if zero.size == 1 else zero.astype(np.int64)


def _of_many(graph: Graph, node: Node) -> Restated:
    """Of one tensor all of these are the tensor itself."""
    return _identity(node) if len(node.inputs) == 1 else ([node], {})


RULES: dict[str, Callable[[Graph, Node], Restated]] = {
    **dict.fromkeys(("BitShift", "BitwiseNot"), _of_bits),
    "Cast": _cast,
    "DequantizeLinear": _dequantize_linear,
    "Div": _of_integers(DIVISION),
    "Dropout": lambda graph, node: _identity(node),
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Gemm": _gemm,
    "Hardmax": _softmax,
    "LogSoftmax": _log_softmax,
    "Max": _of_many,
    "Mean": _of_many,
    "Min": _of_many,
    "PRelu": _prelu,
    "Pow": _of_integers(POWER),
    "QuantizeLinear": _quantize_linear,
    "ReduceLogSumExp": _log_sum_exp,
    **dict.fromkeys(("Scatter", "ScatterElements"), _scatter_elements),
    "ScatterND": _scatter_nd,
    "Softmax": _softmax,
    "Sum": _of_many,
    **dict.fromkeys(_IN_PARTS, _in_parts),
}
