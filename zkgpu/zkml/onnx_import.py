"""From an ONNX file to a Graph: parsed and typed by the onnx package, constants folded, unknown operators refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zkgpu.errors import FormatError, ResourceError, UsageError
from zkgpu.stages import stage
from zkgpu.zkml.graph import Array, Graph, Node, Shape
from zkgpu.zkml.patterns import simplify
from zkgpu.zkml.supported import require_supported

_KEEP_SHAPE = ("GroupNormalization",)  # operators whose shape onnx does not always tell
_MAX_CONSTANT = 1 << 28  # entries that folding may make
_LABELS = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")


def read_graph(
    source: Any,
    shapes: Mapping[str, Shape] | None = None,
    outputs: Sequence[str] | None = None,
    observed: Mapping[str, Shape] | None = None,
) -> Graph:
    """The simplified graph of a model.

    source    path, bytes or onnx.ModelProto
    shapes    of inputs, with a batch of one, where the file leaves them open
    outputs   names of the tensors to compute; all outputs of the file that are tensors, by default, and of a
              dictionary of probabilities the probabilities
    observed  shapes of tensors seen in a run, for operators whose shapes onnx cannot tell
    Raises FormatError for a damaged file, UsageError for an operator or a shape that cannot be compiled,
    ResourceError when the onnx package is missing.
    """
    with stage("read model"):
        model = load(source)
        fix_shapes(model, shapes or {})
        graph = _fold(_raw_graph(model, outputs), model, observed or {})
        graph = simplify(graph)
        require_supported(graph)
        return graph


def model_inputs(source: Any) -> dict[str, int]:
    """The names of what the user gives to a model, with their number of axes."""
    graph = load(source).graph
    weights = {tensor.name for tensor in graph.initializer}
    return {i.name: len(i.type.tensor_type.shape.dim) for i in graph.input if i.name not in weights}


def class_labels(source: Any, outputs: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What the file calls the classes of outputs that hold their scores or probabilities, by output."""
    found: dict[str, tuple[str, ...]] = {}
    for node in load(source).graph.node:
        scores = node.input[0] if node.op_type == "ZipMap" else "".join(node.output[1:2])
        labels = next((tuple(map(_as_text, a.strings or a.ints)) for a in node.attribute if a.name in _LABELS), ())
        if labels and scores in outputs:
            found[scores] = labels
    return found


def _as_text(label: bytes | int) -> str:
    return label.decode(errors="replace") if isinstance(label, bytes) else str(label)


def load(source: Any) -> Any:
    """A checked onnx.ModelProto with no data outside of itself; a copy when given one."""
    onnx = import_onnx()
    try:
        if isinstance(source, str | Path):
            model = onnx.load(str(source), load_external_data=False)
        else:
            model = onnx.load_from_string(source if isinstance(source, bytes) else source.SerializeToString())
        _refuse_external_data(onnx, model)
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, TypeError) as error:
        raise FormatError(f"not a valid ONNX model: {str(error).splitlines()[0]}") from error
    except Exception as error:
        if type(error).__name__ != "DecodeError":  # protobuf's own, which has no public home
            raise
        raise FormatError("not an ONNX model: its bytes do not parse") from error
    return model


def import_onnx() -> Any:
    try:
        import onnx
        import onnx.checker
        import onnx.reference
        import onnx.shape_inference
    except ImportError as error:
        raise ResourceError("reading ONNX models needs the onnx package: pip install 'zkgpu[onnx]'") from error
    return onnx


def _refuse_external_data(onnx: Any, model: Any) -> None:
    """Whoever reads such a tensor opens a file that the model names: it may be any of this machine."""
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise FormatError(
                f"weights '{tensor.name}' lie outside of the model's file: save the model as one file, "
                "with save_as_external_data=False"
            )


def _tensors(message: Any) -> Iterator[Any]:
    """Every tensor of a message of ONNX, wherever it is: weights, attributes, subgraphs, functions, sparse ones."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        # a field of many is a sequence, one of one a message
        for part in [value] if hasattr(value, "ListFields") else value:
            if field.message_type.full_name == "onnx.TensorProto":
                yield part
            yield from _tensors(part)


def fix_shapes(model: Any, shapes: Mapping[str, Shape]) -> None:
    """Writes fixed shapes into the model's inputs: a batch of one, and the given lengths where the file has none."""
    weights = {tensor.name for tensor in model.graph.initializer}
    for info in model.graph.input:
        if info.name in weights:
            continue
        dims = info.type.tensor_type.shape.dim
        given = shapes.get(info.name)
        if given is not None and len(given) != len(dims):
            raise UsageError(f"input '{info.name}' has {len(dims)} axes, but a shape of {len(given)} was given")
        for axis, dim in enumerate(dims):
            _fix(info.name, axis, dim, None if given is None else int(given[axis]))
    del model.graph.value_info[:]
    for info in model.graph.output:
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")


def _fix(name: str, axis: int, dim: Any, given: int | None) -> None:
    if dim.dim_value > 0:
        if given is not None and given != dim.dim_value and axis > 0:
            raise UsageError(f"axis {axis} of input '{name}' has length {dim.dim_value} in the model, not {given}")
        dim.dim_value = 1 if axis == 0 and given == 1 else dim.dim_value
    elif given is not None or axis == 0:
        dim.dim_value = given or 1
    else:
        raise UsageError(f"axis {axis} of input '{name}' has no fixed length: give calibration data, which tells it")


def _raw_graph(model: Any, outputs: Sequence[str] | None) -> Graph:
    onnx = import_onnx()
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    inputs = {
        info.name: tuple(dim.dim_value for dim in info.type.tensor_type.shape.dim)
        for info in model.graph.input
        if info.name not in constants
    }
    # a ZipMap gives class names and probabilities as a dictionary: the probabilities stand for it
    zipped = {proto.output[0]: proto.input[0] for proto in model.graph.node if proto.op_type == "ZipMap"}
    nodes = tuple(_node(onnx, proto) for proto in model.graph.node if proto.op_type != "ZipMap")
    wanted = tuple(zipped.get(name, name) for name in outputs or _outputs(model, zipped))
    unknown = sorted(set(wanted) - {out for node in nodes for out in node.outputs})
    if unknown:
        raise UsageError(f"the model computes no tensor named '{unknown[0]}'")
    graph = Graph(inputs, wanted, (), constants, dict(inputs))
    return graph.with_nodes(nodes)


def _outputs(model: Any, zipped: Mapping[str, str]) -> list[str]:
    return [i.name for i in model.graph.output if i.type.HasField("tensor_type") or i.name in zipped]


def _node(onnx: Any, proto: Any) -> Node:
    attributes = {a.name: _attribute(onnx, a) for a in proto.attribute}
    outputs = tuple(proto.output)
    name = proto.name or f"{proto.op_type}:{outputs[0] if outputs else ''}"
    return Node(name, proto.op_type, tuple(proto.input), outputs, attributes)


def _attribute(onnx: Any, attribute: Any) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    if isinstance(value, bytes):
        return value.decode()
    return tuple(value) if isinstance(value, list) or hasattr(value, "append") else value


def _fold(graph: Graph, model: Any, observed: Mapping[str, Shape]) -> Graph:
    """Computes every node whose inputs are known, and learns all shapes, until neither tells anything new."""
    while True:
        shapes = {**observed, **_infer_shapes(graph, model)}
        known = dict(graph.constants)
        rest: list[Node] = []
        for node in graph.nodes:
            values = _constant_outputs(node, known, shapes, model)
            known.update(values)
            if not values:
                rest.append(node)
        if len(rest) == len(graph.nodes):
            return graph.with_nodes(rest, known, shapes)
        graph = graph.with_nodes(rest, known, shapes)


def _constant_outputs(
    node: Node, known: Mapping[str, Array], shapes: Mapping[str, Shape], model: Any
) -> dict[str, Array]:
    """The node's outputs when its inputs are constants, or when it asks for a known shape; else nothing."""
    if node.operator == "Shape" and node.inputs[0] in shapes:
        start, end = node.attributes.get("start", 0), node.attributes.get("end")
        return {node.output: np.array(shapes[node.inputs[0]][start:end], dtype=np.int64)}
    if not all(name in known for name in node.inputs if name):
        return {}
    if any(np.prod(shapes.get(out, ()), dtype=float) > _MAX_CONSTANT for out in node.outputs):
        raise UsageError(f"node '{node.name}' ({node.operator}) makes a constant of more than {_MAX_CONSTANT} entries")
    return _evaluate(node, known, model)


def _evaluate(node: Node, known: Mapping[str, Array], model: Any) -> dict[str, Array]:
    onnx = import_onnx()
    proto = next(p for p in model.graph.node if tuple(p.output) == node.outputs)
    names = [name for name in dict.fromkeys(node.inputs) if name]
    infos = [
        onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(known[n].dtype), None) for n in names
    ]
    ends = [onnx.ValueInfoProto(name=out) for out in node.outputs]
    part = onnx.helper.make_graph([proto], "constant", infos, ends)
    alone = onnx.helper.make_model(part, opset_imports=model.opset_import, ir_version=model.ir_version)
    try:
        values = onnx.reference.ReferenceEvaluator(alone).run(None, {n: known[n] for n in names})
    except (RuntimeError, NotImplementedError) as error:
        raise UsageError(
            f"node '{node.name}' ({node.operator}) has constant inputs but cannot be computed: {error}"
        ) from error
    return {out: np.asarray(value) for out, value in zip(node.outputs, values, strict=True)}


def _infer_shapes(graph: Graph, model: Any) -> dict[str, Shape]:
    """Shapes of all tensors that onnx can tell, with the constants found so far written into a copy of the model."""
    onnx = import_onnx()
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.initializer[:]
    del copy.graph.node[:]
    remaining = {node.outputs for node in graph.nodes}
    copy.graph.node.extend(p for p in model.graph.node if tuple(p.output) in remaining)
    read = {name for node in graph.nodes for name in node.inputs}
    copy.graph.initializer.extend(
        _initializer(onnx, name, value) for name, value in graph.constants.items() if name in read
    )
    shapes = {**graph.inputs, **_inferred(onnx, copy)}
    for node in graph.nodes:
        if node.operator in _KEEP_SHAPE and node.output not in shapes and node.inputs[0] in shapes:
            shape = shapes[node.inputs[0]]
            copy.graph.value_info.append(onnx.helper.make_tensor_value_info(node.output, onnx.TensorProto.FLOAT, shape))
            shapes |= {node.output: shape, **_inferred(onnx, copy)}
    return shapes


def _inferred(onnx: Any, model: Any) -> dict[str, Shape]:
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {}
    for info in [*inferred.value_info, *inferred.output]:
        dims = info.type.tensor_type.shape.dim
        if info.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
            shapes[info.name] = tuple(dim.dim_value for dim in dims)
    return shapes


def _initializer(onnx: Any, name: str, value: Array) -> Any:
    if value.size > 4096:  # only the shape of a large one matters here
        value = np.lib.stride_tricks.as_strided(np.zeros(1, dtype=value.dtype), value.shape, (0,) * value.ndim)
    return onnx.numpy_helper.from_array(np.ascontiguousarray(value), name)
