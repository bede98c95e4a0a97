"""What values the tensors of a float model take on sample inputs, and what it answers: run by onnxruntime."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import FormatError, InputError, ResourceError, UsageError
from zkgpu.extras import hint
from zkgpu.stages import stage
from zkgpu.zkml.calibrated import Calibration
from zkgpu.zkml.functions import BINARY
from zkgpu.zkml.graph import ROWS, Graph, Node
from zkgpu.zkml.machines import PRODUCT
from zkgpu.zkml.onnx_model import OnnxModel, import_onnx
from zkgpu.zkml.onnx_worker import Session
from zkgpu.zkml.samples import Samples, sample
from zkgpu.zkml.streams import Watched
from zkgpu.zkml.tabular import MAGNITUDE
from zkgpu.zkml.trees import TREES

Floats = NDArray[np.float64]
Ends = tuple[Floats, Floats]

_FEWEST_OF_A_UNIT = 32  # samples whose numbers have few decimals by more than chance
_MOST_DECIMALS, _SINGLE = 4, 2.0**-23  # how far, as a share, a decimal may be from itself in single precision
_BY_COLUMN = ("Add", "Clip", "Concat", "Div", "Function", "Gather", "Mul", "Reshape", "Scale", "Slice", "Sub", PRODUCT)
_LARGE = 1 << 16  # entries of weights that are not worth to be looked at
_NOISE = 1e-6  # of a number in single precision: what is left of one that never changes
_SMALLEST = float(np.finfo(np.float32).tiny)  # of values; those below it are 0


class FloatModel:
    """The model as onnxruntime runs it, one sample at a time: the reference that accuracy is measured by.

    Args:
        model: with inputs of fixed shapes; one session, made at the first run, gives all of its tensors
        memory: bytes that it may take, see `onnx_worker`
    """

    def __init__(self, model: OnnxModel, memory: int | None = None) -> None:
        self._model, self._memory = model, memory

    @cached_property
    def _session(self) -> Session:
        require_onnxruntime()
        return self._opened(self._model.proto)

    @cached_property
    def _written(self) -> Session | None:
        """The model as the file has it, where onnxruntime knows it."""
        try:
            return self._opened(self._model.written) if self._model.written is not None else None
        except FormatError:
            return None

    def _opened(self, proto: Any) -> Session:
        """A session that gives all tensors."""
        onnx = import_onnx()
        copy = onnx.ModelProto()
        copy.CopyFrom(proto)
        del copy.graph.output[:]
        computed = _computed(proto.graph)
        copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in computed)
        return Session(copy.SerializeToString(), self._memory)

    @cached_property
    def tensors(self) -> tuple[str, ...]:
        """The names of the tensors of numbers, and of names of classes, that the model computes."""
        numbers, named = _of_numbers(self._session), self._model.named_classes
        return tuple(name for name, _ in self._session.outputs if name in numbers or name in named)

    @cached_property
    def inputs(self) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Shape and type of each input."""
        onnx, found = import_onnx(), {}
        for info in self._model.proto.graph.input:
            if info.name in self._model.inputs:
                kind = info.type.tensor_type
                shape = tuple(dim.dim_value for dim in kind.shape.dim)
                found[info.name] = shape, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
        return found

    def taken(self, sample: Samples) -> dict[str, NDArray[Any]]:
        """The sample in the shapes and types of the inputs. Raises InputError for numbers that a type has not."""
        return {name: _as_input(name, sample[name], *form) for name, form in self.inputs.items()}

    def run(self, sample: Samples) -> dict[str, Floats]:
        """All tensors for one sample, by name. Raises FormatError, with its reason, where onnxruntime fails."""
        return {name: np.asarray(v, dtype=np.float64) for name, v in self.run_as_is(sample).items()}

    def run_as_is(self, sample: Samples) -> dict[str, NDArray[Any]]:
        """As `run`, in the types that the model gives."""
        feed = self.taken(sample)
        # without names onnxruntime gives everything
        values = self._session.run(self.tensors, feed) if self.tensors else []
        named = self._model.named_classes
        found = {**dict(zip(self.tensors, values, strict=True)), **self._as_written(feed)}
        return {name: _places(value, named[name]) if name in named else value for name, value in found.items()}

    def _as_written(self, feed: Samples) -> dict[str, NDArray[Any]]:
        """The tensors of the model as the file has it: what nodes that are written out give is measured by these."""
        if self._written is None:
            return {}
        names = [name for name in _of_numbers(self._written) if name in self.tensors]
        return dict(zip(names, self._written.run(names, feed), strict=True)) if names else {}


def _computed(graph: Any) -> list[str]:
    """The tensors that nodes give, without large weights that are only moved or multiplied by each other."""
    given, asked = {info.name for info in graph.input}, {info.name for info in graph.output}
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in graph.initializer if tensor.name not in given}
    found = list[str]()
    for node in graph.node:
        names = [name for name in node.input if name]
        is_fixed = (
            bool(names) and all(name in sizes for name in names) and not any(a.HasField("g") for a in node.attribute)
        )
        sizes |= dict.fromkeys(node.output, max(sizes[name] for name in names)) if is_fixed else {}
        is_weight = is_fixed and sizes[node.output[0]] > _LARGE
        if node.op_type != "ZipMap":
            found += [out for out in node.output if out and (not is_weight or out in asked)]
    return found


def _of_numbers(session: Session) -> tuple[str, ...]:
    """The names of the tensors of numbers that it gives."""
    return tuple(name for name, kind in session.outputs if kind.startswith("tensor(") and kind != "tensor(string)")


def _places(texts: NDArray[Any], labels: Sequence[str]) -> NDArray[Any]:
    """The place of each name among the classes."""
    places = {label: place for place, label in enumerate(labels)}
    found = [places[text.decode(errors="replace") if isinstance(text, bytes) else str(text)] for text in texts.ravel()]
    return np.array(found, dtype=np.int64).reshape(texts.shape)


def _as_input(name: str, value: NDArray[Any], shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
    """The value as the model takes it. Raises InputError for another number of entries, or numbers its type has not."""
    value = np.asarray(value)
    if value.size != math.prod(shape):
        raise InputError(f"input '{name}' takes {shape}, but its data hold {value.shape} a sample")
    if kind.kind in "iub" and not (value == value.astype(kind)).all():
        raise InputError(f"input '{name}' takes {kind}, but its data hold other numbers: round them first")
    with np.errstate(over="ignore"):
        found = value.reshape(shape).astype(kind)
    if not np.isfinite(found).all():
        raise InputError(f"input '{name}' takes {kind}, but its data hold numbers too large for it: scale them first")
    return found


def observe(model: FloatModel, sample: Samples) -> dict[str, NDArray[Any]]:
    """Every tensor in one run; nothing where onnxruntime does not run the model, or not take the sample."""
    try:
        return model.run_as_is(sample)
    except (FormatError, UsageError):
        return {}


def require_onnxruntime() -> None:
    """Raises ResourceError where it is not installed. It is imported by `onnx_worker` alone, in another process."""
    if importlib.util.find_spec("onnxruntime") is None:
        raise ResourceError(f"calibration needs the onnxruntime package: {hint('onnx')}")


def calibrate(
    graph: Graph,
    model: FloatModel,
    samples: Samples,
    percentile: float | None,
    held_out: Collection[int] = (),
    channel_axes: Mapping[str, int] | None = None,
    by_place: Iterable[str] = (),
) -> Calibration:
    """The bounds of every tensor of the graph over the samples.

    Args:
        percentile: None for the extremes; else the share in per cent of each sample's values that bounds must cover
        channel_axes: the tensors of which the bounds of each channel are wanted, and where their channels lie
        by_place: the tensors of which the values at each position are wanted
        held_out: samples of which only the inputs count: a proof of one of these is not to be refused
    """
    if percentile is not None and not 50 < percentile <= 100:
        raise UsageError(f"percentile {percentile}: it must be above 50 and at most 100")
    count = len(next(iter(samples.values())))
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    channels: dict[str, Ends] = {}
    tables = before_layers(graph)
    wanted = {**(channel_axes or {}), **dict.fromkeys(tables, 1)}
    watched = Watched(by_place)
    with stage("calibrate"):
        for i in range(count):
            given = sample(samples, i)
            model.taken(given)  # or refused, also where it is held out
            seen = given if i in held_out else _with_scores(graph, {**given, **model.run(given)})
            for name, value in seen.items():
                least, greatest = _bounds(np.asarray(value, dtype=np.float64), percentile)
                low[name], high[name] = min(low.get(name, least), least), max(high.get(name, greatest), greatest)
            watched.add({} if i in held_out else seen)
            for name, axis in {} if i in held_out else wanted.items():
                if name in seen:
                    channels[name] = _with_channels(channels.get(name), seen[name], axis)
    integral = frozenset(name for name, array in samples.items() if (array == np.rint(array)).all())
    rows = [name for name, shape in graph.inputs.items() if len(shape) == 2 and shape[0] == 1]
    channels |= {name: _column_ends(samples[name]) for name in rows}
    columns = {name: _reaches(*channels[name]) for name in (*rows, *tables) if name in channels}
    told = {name: (tuple(least.tolist()), tuple(most.tolist())) for name, (least, most) in channels.items()}
    units = {name: _unit(samples[name]) for name in graph.inputs if name not in integral}
    units = {name: unit for name, unit in units.items() if unit and count >= _FEWEST_OF_A_UNIT}
    return Calibration(low, high, integral, columns, told, watched.places, units)


def _unit(numbers: NDArray[Any]) -> float:
    """The largest power of ten below 1 that single-precision numbers are multiples of; 0 for none down to 1e-4."""
    for decimals in range(1, _MOST_DECIMALS + 1):
        counts = numbers.astype(np.float64) * 10.0**decimals
        if (np.abs(counts - np.rint(counts)) <= np.abs(counts) * _SINGLE).all():
            return float(10.0**-decimals)
    return 0.0


def _with_channels(before: Ends | None, value: NDArray[Any], axis: int) -> Ends:
    """The smallest and the largest values of each channel so far."""
    channels = np.moveaxis(np.asarray(value, dtype=np.float64), axis, 0)
    channels = channels.reshape(len(channels), -1)
    least, most = channels.min(axis=1), channels.max(axis=1)
    return (least, most) if before is None else (np.minimum(before[0], least), np.maximum(before[1], most))


def _column_ends(rows: NDArray[Any]) -> Ends:
    table = rows.reshape(len(rows), -1).astype(np.float64)
    return table.min(axis=0), table.max(axis=0)


def _reaches(low: Floats, high: Floats) -> tuple[float, ...]:
    """How long the interval of each column is, which holds 0 unless it lies farther from it than it is long.

    A number that never changes says nothing of what the column may hold: as much as half of the others do, at least.
    """
    farthest = np.maximum(high, -low)
    apart = (high > low) & (high - low < np.maximum(low, -high))
    reaches = np.where(apart, high - low, np.maximum(high, 0) - np.minimum(low, 0))
    is_still = (farthest > 0) & (high - low <= _NOISE * farthest)
    if is_still.any():
        usual = np.median(reaches[~is_still & (reaches > 0)]) if (~is_still & (reaches > 0)).any() else 0.0
        reaches = np.where(is_still, np.maximum(farthest, usual), reaches)
    return tuple(reaches.tolist())


def before_layers(graph: Graph) -> set[str]:
    """The rows that layers with weights read which are made of inputs column by column, as by a subtraction."""
    made = set(graph.inputs)
    for node in graph.nodes:
        computed = [name for name in node.inputs if name and name not in graph.constants]
        if node.operator in _BY_COLUMN and made.issuperset(computed):
            made.update(node.outputs)
    read = {node.inputs[0] for node in graph.nodes if node.operator == "Dense"}
    return {
        name for name in read & made - set(graph.inputs) if len(graph.shapes[name]) == 2 and graph.shapes[name][0] == 1
    }


def _with_scores(graph: Graph, values: Mapping[str, Floats]) -> dict[str, Floats]:
    """The values, and those of tensors that onnxruntime has inside of another operator, or by another name."""
    found = {**values, **{name: np.reshape(values[name], shape) for name, shape in graph.inputs.items()}}
    for node in graph.nodes:
        known = all(name in found or name in graph.constants for name in node.inputs if name)
        if known and node.operator in _VALUES and node.output not in found:
            found[node.output] = _VALUES[node.operator](graph, node, found)
    return found


def _reduced(graph: Graph, node: Node, x: Floats, reduction: Callable[..., Any]) -> Floats:
    return np.asarray(reduction(x, axis=tuple(graph.reduced_axes(node)))).reshape(graph.shapes[node.output])


def _read(graph: Graph, name: str, found: Mapping[str, Floats]) -> Floats:
    return np.asarray(graph.constants[name] if name in graph.constants else found[name], dtype=np.float64)


def _dense(graph: Graph, node: Node, found: Mapping[str, Floats]) -> Floats:
    x, weight, bias = (_read(graph, name, found) for name in node.inputs)
    return np.asarray(x @ weight + bias)


def _of_many(graph: Graph, node: Node, found: Mapping[str, Floats]) -> Floats:
    return np.asarray(BINARY[node.operator](*(_read(graph, name, found) for name in node.inputs)), dtype=np.float64)


def _scaled(graph: Graph, node: Node, found: Mapping[str, Floats]) -> Floats:
    x, factor, offset = (_read(graph, name, found) for name in node.inputs)
    return np.asarray(x * factor + offset)


def _gathered(graph: Graph, node: Node, found: Mapping[str, Floats]) -> Floats:
    places = graph.constants[node.inputs[1]].astype(np.int64)
    return np.take(_read(graph, node.inputs[0], found), places, axis=int(node.attributes.get("axis", 0)))


def _at_places(graph: Graph, node: Node, found: Mapping[str, Floats]) -> Floats:
    data, places = (_read(graph, name, found) for name in node.inputs)
    return np.take(data, np.rint(places).astype(np.int64), axis=int(node.attributes.get("axis", 0)))


def _equal(graph: Graph, node: Node, found: Mapping[str, Floats]) -> Floats:
    x, y = (_read(graph, name, found) for name in node.inputs)
    return np.asarray(x == y, dtype=np.float64)


def _chosen(graph: Graph, node: Node, found: Mapping[str, Floats]) -> Floats:
    where, x, y = (_read(graph, name, found) for name in node.inputs)
    return np.where(where != 0, x, y)


_VALUES: Mapping[str, Callable[[Graph, Node, Mapping[str, Floats]], Floats]] = {
    **dict.fromkeys(BINARY, _of_many),
    "Dense": _dense,
    "Equal": _equal,
    "Function": lambda graph, node, found: np.broadcast_to(  # constants in it may have more axes
        node.attributes["function"](_read(graph, node.inputs[0], found)), graph.shapes[node.output]
    ),
    "MatMul": lambda graph, node, found: np.matmul(*(_read(graph, name, found) for name in node.inputs)),
    "Neg": lambda graph, node, found: -_read(graph, node.inputs[0], found),
    "ReduceMax": lambda graph, node, found: _reduced(graph, node, _read(graph, node.inputs[0], found), np.max),
    "ReduceSum": lambda graph, node, found: _reduced(graph, node, _read(graph, node.inputs[0], found), np.sum),
    "Reshape": lambda graph, node, found: _read(graph, node.inputs[0], found).reshape(graph.shapes[node.output]),
    "Scale": _scaled,
    "Transpose": lambda graph, node, found: np.transpose(_read(graph, node.inputs[0], found), node.attributes["perm"]),
    "Where": _chosen,
    MAGNITUDE: lambda graph, node, found: np.abs(_read(graph, node.inputs[0], found)),
    PRODUCT: lambda graph, node, found: _read(graph, node.inputs[0], found) ** node.attributes["times"],
    "Gather": _gathered,
    ROWS: _at_places,
    TREES: lambda graph, node, found: node.attributes["forest"].scores(_read(graph, node.inputs[0], found)),
}


def _bounds(value: Floats, percentile: float | None) -> tuple[float, float]:
    finite = value[np.isfinite(value)]
    finite = np.where(np.abs(finite) < _SMALLEST, 0.0, finite)
    if not finite.size:
        return 0.0, 0.0
    if percentile is None:
        return float(finite.min()), float(finite.max())
    return float(np.percentile(finite, 100 - percentile)), float(np.percentile(finite, percentile))
