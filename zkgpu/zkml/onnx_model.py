"""An ONNX file in memory: parsed and checked once, with all of its weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from zkgpu.errors import FormatError, ResourceError, UsageError
from zkgpu.extras import hint
from zkgpu.formats.container import map_file
from zkgpu.formats.kinds import wrong_kind
from zkgpu.records import dataclass
from zkgpu.zkml.external_data import MOST, load_weights
from zkgpu.zkml.graph import Shape

Source: TypeAlias = "OnnxModel | str | Path | bytes | Any"
"""A model as callers may give it: read already, the path or the bytes of a file, or an onnx.ModelProto."""

_LABELS = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")
_OF_TEXTS = ("ArrayFeatureExtractor", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")  # that keep texts
_FREE_INITIALIZERS = 4  # the first version of the format in which initializers need not be inputs as well


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """A checked model, which nothing changes any more.

    Attributes:
        proto: onnx.ModelProto
        alike: see `Graph.alike`
        written: the model as it was before some of its nodes were written out, where any were: its answers count
    """

    proto: Any = field(repr=False)
    written: Any = field(default=None, repr=False)
    alike: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, source: Source) -> OnnxModel:
        """The model that a source holds.

        Raises FormatError for a damaged one, UsageError for what is no model, ResourceError without onnx.
        """
        if isinstance(source, OnnxModel):
            return source
        onnx = import_onnx()
        return cls(_in_file(onnx, source) if isinstance(source, str | Path) else _checked(onnx, source))

    @cached_property
    def inputs(self) -> dict[str, int]:
        """The names of what the user gives to the model, with their number of axes."""
        return {name: len(shape) for name, shape in self.shapes.items()}

    @property
    def fixed(self) -> frozenset[str]:
        """The names of inputs that the file has values for: these are taken, as weights are."""
        return frozenset(info.name for info in self.proto.graph.input) - self.inputs.keys()

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Their shapes, with 0 for lengths that the file leaves open."""
        infos = _given(self.proto.graph)
        return {i.name: tuple(max(dim.dim_value, 0) for dim in i.type.tensor_type.shape.dim) for i in infos}

    @cached_property
    def opsets(self) -> dict[str, int]:
        """The version of each domain's operators; that of the main domain is under ""."""
        return {"" if o.domain == "ai.onnx" else o.domain: o.version for o in self.proto.opset_import}

    @cached_property
    def nodes(self) -> dict[tuple[str, ...], Any]:
        """The nodes by their outputs."""
        return {tuple(node.output): node for node in self.proto.graph.node}

    @cached_property
    def names(self) -> set[str]:
        """Those of all tensors, also in subgraphs."""
        return set(_names(self.proto.graph))

    def class_labels(self, outputs: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """What the file calls the classes of outputs that hold their scores, probabilities or places, by output."""
        found = {name: labels for name, labels in self.named_classes.items() if name in outputs}
        for node in self.proto.graph.node:
            scores = node.input[0] if node.op_type == "ZipMap" else "".join(node.output[1:2])
            labels = next((tuple(map(_as_text, a.strings or a.ints)) for a in node.attribute if a.name in _LABELS), ())
            if labels and scores in outputs:
                found[scores] = labels
        return found

    @cached_property
    def named_classes(self) -> dict[str, tuple[str, ...]]:
        """The names of the classes of each tensor that holds one of them, as text, also where it is but moved."""
        found: dict[str, tuple[str, ...]] = {}
        lists = {t.name: tuple(map(_as_text, t.string_data)) for t in self.proto.graph.initializer if t.string_data}
        for node in self.proto.graph.node:
            labels = next((a.strings for a in node.attribute if a.name == "classlabels_strings"), ())
            if labels and node.op_type != "ZipMap":
                found[node.output[0]] = tuple(map(_as_text, labels))
            elif node.op_type in _OF_TEXTS and node.input[0] in (known := {**lists, **found}):
                found[node.output[0]] = known[node.input[0]]
        return found

    def with_shapes(self, shapes: Mapping[str, Shape]) -> OnnxModel:
        """The model with inputs of fixed shapes: a batch of one, and the given lengths where the file has none.

        Raises UsageError for shapes that do not fit, and for an axis whose length nothing gives.
        """
        proto = type(self.proto)()
        proto.CopyFrom(self.proto)
        for info in _given(proto.graph):
            dims, given = info.type.tensor_type.shape.dim, shapes.get(info.name)
            if given is not None and len(given) != len(dims):
                raise UsageError(f"input '{info.name}' has {len(dims)} axes, but a shape of {len(given)} was given")
            for axis, dim in enumerate(dims):
                _fix(info.name, axis, dim, None if given is None else int(given[axis]))
        del proto.graph.value_info[:]
        for info in proto.graph.output:
            if info.type.HasField("tensor_type"):
                info.type.tensor_type.ClearField("shape")
        return OnnxModel(proto)

    def with_nodes(
        self, made: Mapping[tuple[str, ...], Iterable[Any]], tensors: Iterable[Any], alike: Mapping[str, str]
    ) -> OnnxModel:
        """The model with other nodes in place of those with these outputs, and with more weights."""
        proto = type(self.proto)()
        proto.CopyFrom(self.proto)
        del proto.graph.node[:]
        for node in self.proto.graph.node:
            proto.graph.node.extend(made.get(tuple(node.output), [node]))
        proto.graph.initializer.extend(tensors)
        return OnnxModel(proto, self.written or self.proto, {**self.alike, **alike})


def import_onnx() -> Any:
    try:
        import onnx
        import onnx.checker
        import onnx.shape_inference
    except ImportError as error:
        raise ResourceError(f"reading ONNX models needs the onnx package: {hint('onnx')}") from error
    return onnx


def _in_file(onnx: Any, path: str | Path) -> Any:
    """The checked onnx.ModelProto of a file, which errors name."""
    name = str(path)
    other = wrong_kind(name, map_file(path), "an ONNX model", is_json=False)
    if other is not None:
        raise other
    try:
        return _checked(onnx, path)
    except FormatError as error:
        raise (error if str(error).startswith(name) else error.within(name)) from error.__cause__


def _checked(onnx: Any, source: Any) -> Any:
    """The checked onnx.ModelProto; a copy when given one."""
    if not isinstance(source, str | Path | bytes | onnx.ModelProto):
        kind = source.__name__ if isinstance(source, type) else type(source).__name__
        raise UsageError(
            f"'{kind}' is no model: give the path or the bytes of an ONNX file, an onnx.ModelProto, a fitted estimator "
            "of scikit-learn or a module of PyTorch"
        )
    try:
        if isinstance(source, str | Path):
            proto = onnx.load_from_string(map_file(source).tobytes())
            load_weights(onnx, proto, Path(source))
        else:
            proto = onnx.load_from_string(source if isinstance(source, bytes) else source.SerializeToString())
        _refuse_external_data(onnx, proto)
        if 0 < proto.ir_version < _FREE_INITIALIZERS:  # onnxruntime takes no less of an old file than of a new one
            proto.ir_version = _FREE_INITIALIZERS
        _check(onnx, proto)
    except (onnx.checker.ValidationError, ValueError, TypeError) as error:
        raise FormatError(f"not a valid ONNX model: {str(error).splitlines()[0]}") from error
    except Exception as error:
        if type(error).__name__ != "DecodeError":  # protobuf's own, which has no public home
            raise
        name = f"{source}: " if isinstance(source, str | Path) else ""
        raise FormatError(f"{name}not an ONNX model: its bytes do not parse: export it again") from error
    _refuse_gaps(proto)
    _require_arrays(onnx, proto)
    _fill_in(onnx, proto)
    return proto


def _check(onnx: Any, proto: Any) -> None:
    """The checker wants a shape of every output, which onnxruntime infers. Raises onnx.checker.ValidationError."""
    kinds = [info.type.tensor_type for info in proto.graph.output if info.type.HasField("tensor_type")]
    without = [kind for kind in kinds if not kind.HasField("shape")]
    for kind in without:
        kind.shape.SetInParent()
    onnx.checker.check_model(proto)
    for kind in without:
        kind.ClearField("shape")


def _refuse_external_data(onnx: Any, proto: Any) -> None:
    """Whoever reads such a tensor opens a file that the model names: it may be any of this machine.

    What `external_data` has read is inside by now.
    """
    for tensor in _tensors(proto):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise FormatError(
                f"weights '{tensor.name}' lie outside of the model: give the path of its file, with theirs beside it, "
                "or save it as one, with save_as_external_data=False"
            )


def _refuse_gaps(proto: Any) -> None:
    """An omitted part of a Split ends the process inside of onnxruntime."""
    for node in proto.graph.node:
        if node.op_type == "Split" and not all(node.output):
            raise FormatError(f"node '{node.name}' (Split) omits an output: name all of its parts")


def _require_arrays(onnx: Any, proto: Any) -> None:
    """Raises FormatError for a tensor whose bytes do not fit its type and shape, and for an input of no known type."""
    for tensor in _tensors(proto):
        try:
            onnx.numpy_helper.to_array(tensor)
        except Exception as error:  # of many kinds, by what is wrong
            shape = tuple(tensor.dims)
            raise FormatError(f"not a valid ONNX model: tensor '{tensor.name}' of shape {shape} is damaged") from error
    for info in _given(proto.graph):
        try:
            onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        except KeyError as error:
            raise FormatError(f"not a valid ONNX model: input '{info.name}' has no type of numbers") from error


def _fill_in(onnx: Any, proto: Any) -> None:
    """Sparse weights with their zeros, as all others are. Raises ResourceError for more than a model can hold."""
    left = MOST
    for sparse in proto.graph.sparse_initializer:
        values, places = (onnx.numpy_helper.to_array(part) for part in (sparse.values, sparse.indices))
        left -= math.prod(sparse.dims) * values.itemsize
        if left < 0:
            raise ResourceError(f"weights '{sparse.values.name}' take more than {MOST:,} bytes with their zeros")
        whole = np.zeros(tuple(sparse.dims), dtype=values.dtype)
        if places.ndim == 1:
            whole.reshape(-1)[places] = values
        else:
            whole[tuple(places.T)] = values
        proto.graph.initializer.append(onnx.numpy_helper.from_array(whole, sparse.values.name))
    del proto.graph.sparse_initializer[:]


def _tensors(message: Any) -> Iterator[Any]:
    """Every tensor of a message of ONNX, wherever it is: weights, attributes, subgraphs, functions, sparse ones."""
    for field_, value in message.ListFields():
        if field_.message_type is None:
            continue
        # a field of many is a sequence, one of one a message
        for part in [value] if hasattr(value, "ListFields") else value:
            if field_.message_type.full_name == "onnx.TensorProto":
                yield part
            yield from _tensors(part)


def _names(graph: Any) -> Iterator[str]:
    yield from (value.name for value in (*graph.input, *graph.initializer, *graph.output))
    for node in graph.node:
        yield from (*node.input, *node.output)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _names(inner)


def _given(graph: Any) -> list[Any]:
    """The inputs that no initializer gives."""
    weights = {tensor.name for tensor in graph.initializer}
    return [info for info in graph.input if info.name not in weights]


def _fix(name: str, axis: int, dim: Any, given: int | None) -> None:
    if dim.dim_value > 0:
        if given is not None and given != dim.dim_value and axis > 0:
            raise UsageError(f"axis {axis} of input '{name}' has length {dim.dim_value} in the model, not {given}")
        dim.dim_value = 1 if axis == 0 and given == 1 else dim.dim_value
    elif given is not None or axis == 0:
        dim.dim_value = given or 1
    else:
        raise UsageError(f"axis {axis} of input '{name}' has no fixed length: give calibration data, which has one")


def _as_text(label: bytes | int) -> str:
    return label.decode(errors="replace") if isinstance(label, bytes) else str(label)
