"""From an ONNX model to a Graph: constants folded, shapes and types known, what is not supported refused by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import FormatError, UsageError, ZkgpuError
from zkgpu.stages import stage
from zkgpu.zkml.expansion import control
from zkgpu.zkml.expansion.control import reads
from zkgpu.zkml.expansion.rules import WRITTEN_OUT, is_asked_for, is_ready, rule_for
from zkgpu.zkml.expansion.sequences import RULES as sequence_rules
from zkgpu.zkml.expansion.writer import MOST_NODES, Writer
from zkgpu.zkml.graph import Array, Graph, Node, Refusal, Shape, Unsupported, refuse, unsupported
from zkgpu.zkml.honored import left_out, require_honored
from zkgpu.zkml.ml_shapes import shapes_of_tables
from zkgpu.zkml.onnx_model import OnnxModel, import_onnx
from zkgpu.zkml.onnx_worker import Session, evaluate
from zkgpu.zkml.patterns import simplify
from zkgpu.zkml.restated import SOFTMAX_BY_AXIS
from zkgpu.zkml.shape_inference import first_line, infer
from zkgpu.zkml.supported import require_operators, require_shapes

_KEEP_SHAPE = ("GroupNormalization",)  # operators whose shape onnx does not always infer
_WITHOUT_VALUES = (*control.RULES, *sequence_rules)  # operators that are written out, of whatever they are
_MAX_CONSTANT = 1 << 28  # entries that folding may make
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_SMALLEST = float(np.finfo(np.float32).tiny)  # of weights; those below it are 0


def read_graph(
    model: OnnxModel, outputs: Sequence[str] | None = None, observed: Mapping[str, NDArray[Any]] | None = None
) -> Graph:
    """The simplified graph of a model whose inputs have fixed shapes.

    Args:
        outputs: names of the tensors to compute; all outputs of the file that are tensors, by default, and of a
            dictionary of probabilities the probabilities
        observed: tensors as they were in a run, for operators whose shapes or types onnx cannot infer

    Raises FormatError naming a node that cannot be compiled, UsageError for a tensor that the model does not have.
    """
    model = expanded(model, outputs)
    with stage("read model"), faults_of_the_file():
        graph = _with_observed(folded(raw_graph(model, outputs), model, observed or {}), observed or {})
        require_operators(graph)
        require_honored(graph)
        require_shapes(graph)
        graph = simplify(in_floats(graph))
        require_shapes(graph)
        return graph


@contextmanager
def faults_of_the_file() -> Iterator[None]:
    """What onnx and NumPy raise over types and attributes that make no sense is the file's fault."""
    try:
        yield
    except (ZkgpuError, MemoryError):
        raise
    except Exception as error:
        raise FormatError(f"not a valid ONNX model: {first_line(error)} ({type(error).__name__})") from error


def expanded(model: OnnxModel, outputs: Sequence[str] | None = None, refuse: Refusal = refuse) -> OnnxModel:
    """The model with its functions, loops and recurrent cells written out; itself where it has none.

    Raises as `read_graph`, unless `refuse` does else about a node that cannot be written out: it is left.
    """
    with stage("read model"), faults_of_the_file():
        model, sequences, left = _without_functions(model), dict[str, tuple[str, ...]](), set[tuple[str, ...]]()
        while any(rule_for(node, sequences) for node in _candidates(model)):
            graph = folded(raw_graph(model, outputs, sequences), model, {}, refuse)
            found = _written_out(graph, model.names, sequences, left, refuse)
            if not found:
                break
            tensors = [tensor for write in found.values() for tensor in write.tensors]
            alike = {name: part for write in found.values() for name, part in write.alike.items()}
            model = model.with_nodes({outs: write.nodes for outs, write in found.items()}, tensors, alike)
        for node in (_node(model, proto) for proto in model.proto.graph.node if sequences):
            for name in (name for name in node.inputs if name in sequences and node.outputs not in left):
                refuse(unsupported(node, f"its input '{name}' is a sequence, which it cannot read here"))
        return model


def _candidates(model: OnnxModel) -> Iterator[Node]:
    """The nodes whose operators are written out in some cases."""
    return (_node(model, proto) for proto in model.proto.graph.node if proto.op_type in WRITTEN_OUT)


def _without_functions(model: OnnxModel) -> OnnxModel:
    if not model.proto.functions:
        return model
    import_onnx()
    from onnx.inliner import inline_local_functions

    return OnnxModel(inline_local_functions(model.proto), model.written or model.proto)


def _written_out(
    graph: Graph,
    names: set[str],
    sequences: dict[str, tuple[str, ...]],
    left: set[tuple[str, ...]],
    refuse: Refusal,
) -> dict[tuple[str, ...], Writer]:
    """What stands for each node that can be written out, by its outputs.

    Args:
        left: the outputs of nodes that cannot be, to which those of others are added
    """
    found: dict[tuple[str, ...], Writer] = {}
    read = {name for node in graph.nodes for name in node.inputs} | set(graph.outputs)
    asked = [node for node in graph.nodes if rule_for(node, sequences) and is_asked_for(graph, node)]
    waiting = [node for node in asked if node.outputs not in left]
    for node in waiting:
        if is_ready(graph, node, sequences):
            room = MOST_NODES - len(graph.nodes) - sum(len(write.nodes) for write in found.values())
            write = Writer(graph, node, names, sequences, room)
            try:
                _write_out(graph, node, write, read)
                found[node.outputs] = write
            except Unsupported as error:
                left.add(node.outputs)
                refuse(error)
    for node in [] if found else waiting:
        left.add(node.outputs)
        missing = unsupported(node, "the shapes or sequences that it reads cannot be inferred before it runs")
        refuse(next(left_out(graph, node, read), missing))
    return found


def _write_out(graph: Graph, node: Node, write: Writer, read: Collection[str]) -> None:
    """Raises FormatError, naming the node, where something of it would be left out."""
    for error in left_out(graph, node, read):
        raise error
    rule = rule_for(node, write.sequences)
    if rule is not None:
        rule(graph, node, write)


def raw_graph(model: OnnxModel, outputs: Sequence[str] | None = None, sequences: Collection[str] = ()) -> Graph:
    """The graph as the file has it, with the shapes of inputs and constants alone.

    Args:
        sequences: those that nodes may read though no node gives them any more
    """
    onnx, graph = import_onnx(), model.proto.graph
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    given = {info.name: info.type.tensor_type for info in graph.input if info.name not in constants}
    inputs = {name: tuple(dim.dim_value for dim in kind.shape.dim) for name, kind in given.items()}
    # a ZipMap gives class names and probabilities as a dictionary: the probabilities stand for it
    zipped = {proto.output[0]: proto.input[0] for proto in graph.node if proto.op_type == "ZipMap"}
    nodes = tuple(_node(model, proto) for proto in graph.node if proto.op_type != "ZipMap")
    wanted = tuple(dict.fromkeys(zipped.get(name, name) for name in outputs or _outputs(graph, zipped)))
    if not wanted:
        raise FormatError("the model has no output that is a tensor: sequences and optional values are not supported")
    unknown = sorted(set(wanted) - {out for node in nodes for out in node.outputs})
    if unknown:
        raise UsageError(f"the model computes no tensor named '{unknown[0]}'")
    known = {**inputs, **dict.fromkeys(sequences, ())}
    return Graph(known, wanted, (), constants, dict(inputs), alike=model.alike).with_nodes(nodes)


def _outputs(graph: Any, zipped: Mapping[str, str]) -> list[str]:
    return [i.name for i in graph.output if i.type.HasField("tensor_type") or i.name in zipped]


def _node(model: OnnxModel, proto: Any) -> Node:
    onnx = import_onnx()
    attributes = {a.name: _attribute(onnx, a) for a in proto.attribute}
    outputs = tuple(proto.output)
    inputs = reads(proto)
    name = proto.name or f"{proto.op_type}:{outputs[0] if outputs else ''}"
    operator = proto.op_type if proto.domain in _DOMAINS else f"{proto.domain}.{proto.op_type}"
    opset = model.opsets.get("" if proto.domain == "ai.onnx" else proto.domain, 1)
    return Node(name, operator, inputs, outputs, attributes, opset)


def _attribute(onnx: Any, attribute: Any) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if not isinstance(value, list) and not hasattr(value, "append"):
        return value
    return tuple(item.decode(errors="replace") if isinstance(item, bytes) else item for item in value)


def folded(graph: Graph, model: OnnxModel, observed: Mapping[str, Array], refuse: Refusal = refuse) -> Graph:
    """Computes every node whose inputs are known, and infers all shapes, until neither finds anything new.

    Raises FormatError naming a node that cannot be computed, unless `refuse` does else.
    """
    while True:
        shapes, types = _infer(graph, model, observed)
        shapes = {**{name: value.shape for name, value in observed.items()}, **shapes}
        known = dict(graph.constants)
        rest: list[Node] = []
        for node in graph.nodes:
            values = _told_by_shape(node, shapes, types) or _constant_outputs(node, known, shapes, model, refuse)
            known.update(values)
            if not values:
                rest.append(node)
        done = len(rest) == len(graph.nodes)
        graph = replace(graph.with_nodes(rest, known, shapes), types=types)
        if done:
            return graph


def _told_by_shape(node: Node, shapes: Mapping[str, Shape], types: Mapping[str, np.dtype[Any]]) -> dict[str, Array]:
    """The outputs of a node that no value has an effect on; else nothing. All numbers of a model are finite."""
    if node.operator not in (*TOLD_BY_SHAPE, *_OF_ONE_ENTRY) or node.inputs[0] not in shapes:
        return {}
    shape = shapes[node.inputs[0]]
    kind = types.get(node.inputs[0], np.dtype(np.float32))
    if node.operator in _OF_ONE_ENTRY:
        return {node.output: np.full(shape, _OF_ONE_ENTRY[node.operator], kind)} if _is_of_one(node, shape) else {}
    return {node.output: TOLD_BY_SHAPE[node.operator](node, shape, kind)}


def _is_of_one(node: Node, shape: Shape) -> bool:
    """Whether there is but one entry along the axes that are compared."""
    by_axis = node.opset >= SOFTMAX_BY_AXIS
    axis = int(node.attributes.get("axis", -1 if by_axis else 1)) % max(len(shape), 1)
    return bool(shape) and np.prod(shape[axis : axis + 1] if by_axis else shape[axis:]) == 1


def _identity_matrix(node: Node, shape: Shape, kind: np.dtype[Any]) -> Array:
    if "dtype" in node.attributes:
        kind = np.dtype(import_onnx().helper.tensor_dtype_to_np_dtype(node.attributes["dtype"]))
    rows, columns = shape
    return np.eye(rows, columns, int(node.attributes.get("k", 0)), dtype=kind)


TOLD_BY_SHAPE: Mapping[str, Callable[[Node, Shape, np.dtype[Any]], Array]] = {
    "EyeLike": _identity_matrix,
    "IsInf": lambda node, shape, kind: np.zeros(shape, dtype=bool),
    "IsNaN": lambda node, shape, kind: np.zeros(shape, dtype=bool),
    "Shape": lambda node, shape, kind: np.array(
        shape[node.attributes.get("start", 0) : node.attributes.get("end")], dtype=np.int64
    ),
    "Size": lambda node, shape, kind: np.array(np.prod(shape, dtype=np.int64)),
}


_OF_ONE_ENTRY = {"Hardmax": 1, "LogSoftmax": 0, "Softmax": 1}


def _constant_outputs(
    node: Node, known: Mapping[str, Array], shapes: Mapping[str, Shape], model: OnnxModel, refuse: Refusal
) -> dict[str, Array]:
    """The node's outputs when its inputs are constants; else nothing."""
    if node.operator in _WITHOUT_VALUES or not all(name in known for name in node.inputs if name):
        return {}
    if any(np.prod(shapes.get(out, ()), dtype=float) > _MAX_CONSTANT for out in node.outputs):
        refuse(unsupported(node, f"it makes a constant of more than {_MAX_CONSTANT} entries"))
        return {}
    try:
        return _evaluate(node, known, model)
    except Unsupported as error:
        refuse(error)
        return {}


def _evaluate(node: Node, known: Mapping[str, Array], model: OnnxModel) -> dict[str, Array]:
    onnx = import_onnx()
    proto = model.nodes[node.outputs]
    names = [name for name in dict.fromkeys(node.inputs) if name]
    infos = [
        onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(known[n].dtype), None) for n in names
    ]
    ends = [onnx.ValueInfoProto(name=out) for out in node.outputs]
    part = onnx.helper.make_graph([proto], "constant", infos, ends)
    alone = onnx.helper.make_model(
        part, opset_imports=model.proto.opset_import, ir_version=model.proto.ir_version, functions=model.proto.functions
    )
    feed = {n: known[n] for n in names}
    outputs = [out for out in node.outputs if out]
    try:
        values = Session(alone.SerializeToString()).run(outputs, feed)
    except FormatError:
        try:  # onnx's evaluator knows types that onnxruntime does not, but of a softmax the newest meaning alone
            values = [v for out, v in zip(node.outputs, evaluate(alone.SerializeToString(), feed), strict=True) if out]
        except FormatError as error:
            raise unsupported(node, f"it has constant inputs, but cannot be computed: {error}") from error
    return dict(zip(outputs, values, strict=True))


def _infer(
    graph: Graph, model: OnnxModel, observed: Mapping[str, Array]
) -> tuple[dict[str, Shape], dict[str, np.dtype[Any]]]:
    """Shapes and types of all tensors that onnx can infer, with the constants found so far written into a copy."""
    onnx, proto = import_onnx(), model.proto
    ends = onnx.helper.make_graph([], proto.graph.name or "graph", proto.graph.input, proto.graph.output)
    copy = onnx.helper.make_model(
        ends, opset_imports=proto.opset_import, ir_version=proto.ir_version, functions=proto.functions
    )
    remaining = {node.outputs for node in graph.nodes}
    copy.graph.node.extend(p for p in proto.graph.node if tuple(p.output) in remaining)
    read = {name for node in graph.nodes for name in node.inputs}
    copy.graph.initializer.extend(
        _initializer(onnx, name, value) for name, value in graph.constants.items() if name in read
    )
    for node in graph.nodes:
        if _is_uncertain(node) and node.output in observed:
            _tell(onnx, copy, node.output, observed[node.output].shape, observed[node.output].dtype)
    shapes, types = infer(onnx, copy)
    shapes = {**graph.inputs, **shapes}
    for node in graph.nodes:
        if node.operator in _KEEP_SHAPE and node.output not in shapes and node.inputs[0] in shapes:
            shape = shapes[node.inputs[0]]
            _tell(onnx, copy, node.output, shape)
            shapes |= {node.output: shape, **infer(onnx, copy)[0]}
    return _with_tables(onnx, graph, copy, shapes, types)


def _with_tables(
    onnx: Any, graph: Graph, proto: Any, shapes: dict[str, Shape], types: dict[str, np.dtype[Any]]
) -> tuple[dict[str, Shape], dict[str, np.dtype[Any]]]:
    """With those of what nodes of ai.onnx.ml give, and of what follows from them."""
    known = {**{name: value.shape for name, value in graph.constants.items()}, **shapes}
    while True:
        told = [shapes_of_tables(node, known, types, graph.constants) for node in graph.nodes]
        new = {name: found for one in told for name, found in one.items() if name not in shapes or name not in types}
        if not new:
            return shapes, types
        for name, (shape, kind) in new.items():
            _tell(onnx, proto, name, shape, kind)
        shapes, types = infer(onnx, proto)
        shapes = {**graph.inputs, **shapes}
        known |= shapes


def _is_uncertain(node: Node) -> bool:
    """Whether onnx may infer another shape than a run has: one window of a pool more, or too few axes."""
    return bool(node.attributes.get("ceil_mode", 0) or node.attributes.get("output_shape"))


def _tell(onnx: Any, proto: Any, name: str, shape: Shape, kind: Any = np.float32) -> None:
    """Has onnx take a tensor's shape as known."""
    known = onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)
    ends = [info for info in proto.graph.output if info.name == name]
    for info in ends:
        info.type.tensor_type.shape.CopyFrom(known.type.tensor_type.shape)
    if not ends:
        proto.graph.value_info.append(known)


def _initializer(onnx: Any, name: str, value: Array) -> Any:
    if value.size > 4096:  # only the shape of a large one matters here
        kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
        return onnx.TensorProto(name=name, data_type=kind, dims=value.shape)
    return onnx.numpy_helper.from_array(np.array(value, order="C"), name)


def _with_observed(graph: Graph, observed: Mapping[str, Array]) -> Graph:
    """The graph with the types that onnx cannot infer. Raises FormatError for a shape that was another one in a run."""
    for node in graph.nodes:
        for name in node.outputs:
            seen = observed.get(name)
            if seen is not None and seen.shape != graph.shapes.get(name, seen.shape):
                raise unsupported(node, f"onnx gives '{name}' the shape {graph.shapes[name]}, a run {seen.shape}")
    return replace(graph, types={**{name: value.dtype for name, value in observed.items()}, **graph.types})


def in_floats(graph: Graph) -> Graph:
    """Half floats in single precision, and 0 for floats too small for it: their products leave any range."""
    found = {name: _widened(value) for name, value in graph.constants.items() if value.dtype.kind not in "iubUSO"}
    return replace(graph, constants={**graph.constants, **found})


def _widened(value: Array) -> Array:
    wide = value.astype(np.float32) if value.dtype.itemsize < 4 else value
    return np.where(np.abs(wide) < _SMALLEST, np.zeros((), wide.dtype), wide) if wide.dtype.kind == "f" else wide
