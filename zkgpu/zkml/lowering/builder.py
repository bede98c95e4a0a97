"""Writes an integer model operation by operation, with the scale and the interval of each tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field, replace
from functools import cached_property

import numpy as np

from zkgpu.circuits.numbers import narrowest
from zkgpu.errors import FormatError
from zkgpu.records import dataclass
from zkgpu.zkml import ranges, streams
from zkgpu.zkml.calibrated import Calibration
from zkgpu.zkml.graph import MOVING, ROWS, Array, Graph, Node, unsupported
from zkgpu.zkml.headroom import is_cheaper_open
from zkgpu.zkml.lowering.common_grids import Grid, Reader, behavior, grids_of
from zkgpu.zkml.lowering.settings import Settings
from zkgpu.zkml.operations import (
    LARGEST,
    SEEN,
    SEEN_HIGH,
    Arrange,
    Combine,
    IntegerModel,
    Integers,
    Linear,
    Lookup,
    Normalize,
    Operation,
    Requantize,
    Rescale,
    RootMeanSquare,
    Shape,
    Softmax,
    Tensor,
)
from zkgpu.zkml.restated import QUANTIZE
from zkgpu.zkml.tabular import SHARE, UNIT

WIDE = 32  # bits up to which a linear operation takes its input as it is, without a requantization before it
CLOSE = 1 / 500  # scales closer than this are one
WIDEST_TABLE = 12  # bits of the index of a table, as many constraints as it has rows
_PLAIN = 8  # bits of weights and activations, above which sums are finer too
_NEARER = 1 / 4096  # how close scales of what is added must be in a transformer with a residual stream
_STREAM_WEIGHTS = 10  # bits of the weights of a transformer with a residual stream
_SPARE = 1  # bits beyond its own that a clamped activation keeps, for inputs that calibration has not seen
_FAR_SPARE = 8  # the same where activations are to follow what it has not seen
_HEADROOM = 6  # bits beyond its own that an activation may need for the worst input before it is clamped
_ROOM = 16  # bits of room that a tensor is left which is rounded as little as need be
_NORMAL_REACH = 5.0  # standard deviations that a normalized tensor is taken to reach
_ENDED = (Lookup, Normalize, Rescale, RootMeanSquare, Softmax)  # operations that give no more, whatever they read
_PASSING = ("Relu", "MaxPool", "GlobalMaxPool", "Clip", "LeakyRelu", "Flatten", "Reshape", "Squeeze")


@dataclass(frozen=True)
class Quantized:
    """A tensor of the integer model that stands for a float tensor: float = scale * 2^rows * integer.

    Attributes:
        rows: (places, 1) exponents along the last axis but one; None for one scale
    """

    name: str
    scale: float
    rows: Array | None = None


@dataclass
class Builder:
    """The integer model being written.

    Attributes:
        scales: of the sums of each layer with weights
        finer: bits that these have below the unit of what becomes of them
        uneven: tensors whose rows may have scales of their own, by the names of the float graph
        hidden: tensors of which some entries are masks, and not what they are in the float graph
        gains: by tensor that dense layers read, what their weights are to be multiplied by, a number for each channel
        left_out: by such a tensor, what its channels have beside that, which is added to the biases of these layers
        rounded_rows: what was rounded by rows already
    """

    graph: Graph
    calibration: Calibration
    settings: Settings
    operations: list[Operation] = field(default_factory=list)
    intervals: dict[str, ranges.Interval] = field(default_factory=dict)
    tensors: dict[str, Quantized] = field(default_factory=dict)
    uneven: dict[str, Quantized] = field(default_factory=dict)
    inputs: list[Tensor] = field(default_factory=list)
    scales: dict[str, float] = field(default_factory=dict)
    finer: dict[str, int] = field(default_factory=dict)
    layer: str = ""
    _arranged: dict[str, Arrange] = field(default_factory=dict)
    _rounded: dict[tuple[object, ...], Quantized] = field(default_factory=dict)
    _spans: dict[str, tuple[float, float, int]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    gains: dict[str, Array] = field(default_factory=dict)
    left_out: dict[str, Array] = field(default_factory=dict)
    rounded_rows: dict[tuple[object, ...], Quantized] = field(default_factory=dict)

    @cached_property
    def stream(self) -> frozenset[str]:
        """The tensors of the residual stream; none where they are integers like others."""
        return frozenset(streams.stream(self.graph) if self.settings.stream else ())

    @cached_property
    def grids(self) -> dict[str, Grid]:
        """By tensor of a stream that a function reads: what its table shares with those of other layers."""
        found: dict[bytes, list[Reader]] = {}
        for node in self.graph.nodes if self.settings.stream and not self.settings.open_weights else ():
            (name, *_), square = node.inputs or ("",), node.attributes.get("square")
            if node.operator == "Function" and not square and self.graph.sole_consumer(name) is node:
                found.setdefault(behavior(node), []).append(Reader(name, *self.span(name), self._own_table_scale(name)))
        return {name: grid for readers in found.values() for name, grid in grids_of(readers).items()}

    # writing

    def add(self, kind: type[Operation], inputs: Sequence[Quantized], scale: float, **parameters: object) -> Quantized:
        """Appends an operation; its output, with the given scale."""
        name = f"{self.layer}/{len(self.operations)}"
        operation = kind(self.layer, tuple(x.name for x in inputs), name, **parameters)
        return self._append(operation, scale)

    def _append(self, operation: Operation, scale: float) -> Quantized:
        if not 0 < scale < math.inf:
            raise FormatError(f"layer '{self.layer}': no scale fits its numbers, whose sizes lie too far apart")
        inputs = [self.intervals[i] for i in operation.inputs]
        tight = not self.settings.open_weights
        self.intervals[operation.output] = ranges.after(operation, inputs, self.settings.limb, tight=tight)
        self.operations.append(operation)
        return Quantized(operation.output, scale)

    def declare(self, name: str, shape: Shape, scale: float, low: int, high: int) -> Quantized:
        """An input of the model."""
        tensor = Tensor(name, shape, scale, low, high)
        self.inputs.append(tensor)
        self.intervals[name] = ranges.of_input(tensor, self.settings.limb)
        return Quantized(name, scale)

    def arrange(self, inputs: Sequence[Quantized], positions: Integers) -> Quantized:
        """Entries of tensors of one scale in another shape; two in a row become one."""
        positions = np.asarray(positions, dtype=np.int64)
        before = self._arranged.get(inputs[0].name) if len(inputs) == 1 else None
        names: tuple[str, ...] = tuple(x.name for x in inputs)
        if before is not None:
            positions = np.append(before.positions.ravel(), -1)[positions]
            names = before.inputs
        operation = Arrange(self.layer, names, f"{self.layer}/{len(self.operations)}", positions)
        self._arranged[operation.output] = operation
        return self._append(operation, inputs[0].scale)

    def reshape(self, x: Quantized, shape: Shape) -> Quantized:
        if self.shape(x) == shape:
            return x
        return self.arrange([x], np.arange(math.prod(shape)).reshape(shape))

    def combine(
        self, inputs: Sequence[Quantized], multipliers: Sequence[object], scale: float, offset: object = 0
    ) -> Quantized:
        arrays = tuple(self.rounded(m) for m in multipliers)
        return self.add(Combine, inputs, scale, multipliers=arrays, offset=self.rounded(offset))

    def rounded(self, values: object) -> Integers:
        """Numbers to the nearest integers. Raises FormatError, naming the layer, where an operation cannot hold one."""
        array = np.asarray(values)
        array = np.rint(array) if array.dtype.kind == "f" else array
        end = LARGEST["other"] + 1
        if not np.logical_and(array > -end, array < end).all():
            raise FormatError(
                f"layer '{self.layer}': one of its numbers becomes an integer of more than 62 bits: the sizes of its "
                "weights, biases and values lie too far apart, scale them"
            )
        return np.asarray(array, dtype=np.int64)

    def weights(self, values: object) -> Integers:
        """As `rounded`, in the narrowest type that holds them: a language model has hundreds of millions."""
        return narrowest(self.rounded(values))

    # what is known of a tensor

    def shape(self, x: Quantized) -> Shape:
        return self.intervals[x.name].shape

    def interval(self, x: Quantized) -> ranges.Interval:
        return self.intervals[x.name]

    def is_open(self, x: Quantized) -> bool:
        """Whether other weights may lead a tensor out of its interval: it follows from sums, with no clamp between."""
        if not self.settings.open_weights:
            return False
        made, todo = {operation.output: operation for operation in self.operations}, [x.name]
        while todo:
            operation = made.get(todo.pop())
            if isinstance(operation, Linear):
                return True
            is_clamped = isinstance(operation, Requantize) and operation.low is not None and operation.high is not None
            if operation is not None and not is_clamped and not isinstance(operation, _ENDED):
                todo += operation.inputs
        return False

    # widths

    def bits(self, name: str) -> int:
        """The width of a float tensor, and mostly of the weights that make it."""
        finer = self.settings.finer
        return finer.get(end_of(self.graph, name), self.settings.bits) if finer else self.settings.bits

    def weight_bits(self, name: str) -> int:
        """The width of the weights that make a float tensor."""
        return _STREAM_WEIGHTS if self.settings.stream else self.bits(name)

    @property
    def units_of_offsets(self) -> int:
        """Parts of a unit that constants are added in: a quarter of the steps that a tensor has."""
        return 1 << max(self.settings.bits, *self.settings.finer.values(), 2) - 2

    def table_bits(self, name: str) -> int:
        """The width of the index of a table that reads a float tensor."""
        return min(self.settings.table_bits + self.bits(name) - self.settings.bits, WIDEST_TABLE)

    # scales

    def nominal(self, name: str) -> float:
        """The scale at which a float tensor just fills its bits, measured where its Relu and pooling end.

        What the model itself makes integers of has their scale.

        Where they leave nothing, as behind a Relu that never is above 0, it is measured before them.
        """
        here, name = name, end_of(self.graph, name)
        if self.bounds(name) == (0.0, 0.0):
            return self.nominal_here(here)
        reader = self.graph.sole_consumer(name)
        if reader is not None and reader.operator == "Function":
            return self.table_scale(name)
        if reader is not None and reader.operator == QUANTIZE:
            return float(reader.attributes["scale"])
        return self.nominal_here(name)

    def bounds(self, name: str) -> tuple[float, float]:
        """The calibrated bounds of a float tensor; for one that only a rewrite made, those it follows from."""
        producer, constants = self.graph.producers().get(name), self.graph.constants
        if name in constants:
            value = constants[name]
            return min(float(value.min(initial=0)), 0.0), max(float(value.max(initial=0)), 0.0)
        if name in self.calibration.low or producer is None:
            return self.calibration.bounds(name)
        if producer.operator == "ArgMax":
            return 0.0, float(self.graph.shapes[producer.inputs[0]][int(producer.attributes.get("axis", 0))] - 1)
        if producer.operator in ("Normalize", "RootMeanSquare"):
            return -_NORMAL_REACH, _NORMAL_REACH
        if producer.operator in (SHARE, UNIT):
            return -1.0, 1.0
        if producer.operator not in MOVING and (producer.operator != ROWS or producer.inputs[0] not in constants):
            raise unsupported(producer, f"nothing tells how large the numbers of '{name}' are")
        return self.bounds(producer.inputs[0])

    def span(self, name: str) -> tuple[float, float]:
        """The calibrated bounds, with a margin, widened to hold 0 unless that would more than double their distance.

        Those that are not widened to hold it get a sixteenth more on each side at least.
        """
        low, high = self.calibration.seen(name) if name in self.calibration.low else self.bounds(name)
        if is_apart(low, high):
            return _with_margin(low, high, max(self.settings.margin, 1 / 16))
        low, high = _with_margin(low, high, self.settings.margin)
        return min(low, 0.0), max(high, 0.0)

    def table_scale(self, name: str) -> float:
        """The scale at which a tensor's calibrated range fills the index of a table, or one that others have too."""
        return self.grids[name].scale if name in self.grids else self._own_table_scale(name)

    def _own_table_scale(self, name: str) -> float:
        low, high = self.span(name)
        return (high - low) / (2 ** self.table_bits(name) - 1) or self.nominal_here(name)

    def nominal_here(self, name: str) -> float:
        """The scale at which a float tensor's own range fills its bits; of what it reads, where it is always 0."""
        bits = self.bits(name)
        while self.bounds(name) == (0.0, 0.0) and (source := self._source(name)) is not None:
            name = source
        low, high = self.bounds(name)
        return fitting_scale(low, high, bits)

    def _source(self, name: str) -> str | None:
        """The tensor that a tensor is computed from, unless that is a constant."""
        producer = self.graph.producers().get(name)
        return None if producer is None or producer.inputs[0] in self.graph.constants else producer.inputs[0]

    def whole_limbs(self, bits: float) -> int:
        """The least multiple of a limb's width that is not below `bits`."""
        return max(0, math.ceil(bits / self.settings.limb - 1e-9)) * self.settings.limb

    def reached_scale(self, x: Quantized, scale: float) -> float:
        """The scale of what `requantize` makes of x: near the wanted one."""
        factor, shift = self.rounding(x, scale)
        return x.scale / factor * 2.0**shift

    def requantize(
        self, x: Quantized, scale: float, low: int | None = None, high: int | None = None, seen: int = 0
    ) -> Quantized:
        """x in units near `scale`, at most a quarter coarser or finer, clamped to [low, high].

        Args:
            seen: as of `operations.Requantize`
        """
        key = (x, scale, low, high)
        if key not in self._rounded:
            self._rounded[key] = self._requantize(x, scale, low, high, seen)
        self._mark(self._rounded[key], seen)
        return self._rounded[key]

    def _mark(self, x: Quantized, seen: int) -> None:
        """Ends of a clamp that calibration has set for one of several that read it."""
        at = next(i for i in reversed(range(len(self.operations))) if self.operations[i].output == x.name)
        operation = self.operations[at]
        if isinstance(operation, Requantize) and seen & ~operation.seen:
            self.operations[at] = replace(operation, seen=operation.seen | seen)

    def at_scale(
        self, x: Quantized, scale: float, low: int | None, high: int | None, seen: int = SEEN, near: float = CLOSE
    ) -> Quantized:
        """As requantize, in units of the wanted scale, within a part in 500, or another one."""
        shift = 0
        while abs(round(x.scale / scale * 2.0**shift) * scale / x.scale / 2.0**shift - 1) > near:
            shift += self.settings.limb
        factor = round(x.scale / scale * 2.0**shift)
        if factor != 1:
            x = self.combine([x], [factor], x.scale / factor)
        return self.add(Requantize, [x], scale, shift=shift, low=low, high=high, seen=seen)

    def span_of_alike(self, name: str) -> tuple[float, float, int]:
        """(low, high) of all tensors that are alike with one, and how many entries they have together."""
        part = self.graph.alike[name]
        if part not in self._spans:
            members = self.graph.members(name)
            lows, highs = zip(*(self.span(member) for member in members), strict=True)
            entries = sum(math.prod(self.graph.shapes[member]) for member in members)
            self._spans[part] = min(lows), max(highs), entries
        return self._spans[part]

    def _requantize(self, x: Quantized, scale: float, low: int | None, high: int | None, seen: int) -> Quantized:
        factor, shift = self.rounding(x, scale)
        if factor != 1:
            x = self.combine([x], [factor], x.scale / factor)
        return self.add(Requantize, [x], x.scale * 2.0**shift, shift=shift, low=low, high=high, seen=seen)

    def rounding(self, x: Quantized, scale: float) -> tuple[int, int]:
        """(factor, shift): x times the factor, less so many bits, is x in units near `scale`."""
        shift = self.whole_limbs(math.log2(scale / x.scale))
        if shift == 0 and scale < 2 * x.scale:
            return 1, 0
        return self._multiplier(x.scale / scale, shift)

    def _multiplier(self, ratio: float, shift: int) -> tuple[int, int]:
        """(m, s) with m / 2^s near ratio and s a multiple of a limb."""
        while True:
            exact = ratio * 2.0**shift
            factor = round(exact)
            if factor and abs(exact - factor) <= 0.2 * exact:
                return factor, shift
            shift += self.settings.limb

    @property
    def wide(self) -> int:
        """Bits up to which an operation takes its input as it is: twice as many where more bits were asked for."""
        return WIDE if self.settings.bits <= _PLAIN else 2 * WIDE

    def units_below(self, x: Quantized) -> int:
        """Parts of a tensor's own unit in which constants are added to it."""
        if self.settings.bits <= _PLAIN:
            return self.units_of_offsets if self.interval(x).bits < 16 else 1
        return 1 << max(0, self.settings.bits + 4 - self.interval(x).bits)

    def bounded(self, x: Quantized, scale: float, low: int | None, bits: int, name: str | None = None) -> Quantized:
        """As requantize, but clamped at the top only when the worst input would need many more bits than these.

        Args:
            name: the float tensor that it is: then only where the clamp spares constraints, too (`headroom`)
        """
        interval = self.interval(x)
        is_open = name is not None and self._is_cheaper_open(x, scale, name)
        is_near = interval.greatest * x.scale / scale < 2 ** (bits + _HEADROOM)
        high = None if is_near or is_open else 2 ** (bits + (_FAR_SPARE if self.settings.ramps else _SPARE)) - 1
        return self.requantize(x, scale, low, high, SEEN_HIGH)

    def _is_cheaper_open(self, x: Quantized, scale: float, name: str) -> bool:
        interval, readers = self.interval(x), self.graph.consumers().get(end_of(self.graph, name), [])
        reach = max(interval.greatest, -interval.least) * x.scale / self.reached_scale(x, scale)
        read_by = sum(math.prod(self.graph.shapes[reader.output]) for reader in readers)
        return is_cheaper_open(math.ceil(reach), interval.low.size, read_by, self.settings.limb)

    def spare(self, bits: int) -> float:
        """How much finer than an activation a tensor of so many bits may be, where more than usual were asked for."""
        return 2.0 ** max(0, bits - _ROOM - self.settings.bits) if self.settings.bits > _PLAIN else 1.0

    def narrow(self, x: Quantized, name: str, bits: int | None = None) -> Quantized:
        """x itself when it has at most `bits` bits, else requantized to the width of an activation.

        Where more bits were asked for, it keeps as many as leave some room below `bits`.
        """
        most = bits or self.wide
        if self.interval(x).bits <= most or name in self.stream:
            return x
        scale = self.nominal_here(name) / self.spare(most)
        if self.interval(x).magnitude * x.scale / scale < 2 ** (self.bits(name) + _HEADROOM):
            return self.requantize(x, scale)
        low, high = self.bounds(name)
        return self.requantize(x, scale, math.floor(2 * low / scale), math.ceil(2 * high / scale), SEEN)

    def constant(self, values: object, scale: float) -> Quantized:
        """A tensor that depends on no input: 0 times an entry of one, and an offset. Integers stay exact at scale 1."""
        given, array = self.inputs[0], np.asarray(values)
        entry = self.arrange([Quantized(given.name, given.scale)], np.zeros((), dtype=np.int64))
        offset = array if scale == 1.0 else array.astype(np.float64) / scale
        return self.combine([entry], [np.zeros(array.shape, dtype=np.int64)], scale, offset)

    def read(self, node: Node) -> list[Quantized | Array]:
        """What a node reads: tensors, and the values of constants."""
        constants = self.graph.constants
        return [constants[n] if n in constants else self.narrow(self.tensors[n], n) for n in node.inputs]

    def together(self, parts: Sequence[Quantized | Array]) -> tuple[list[Quantized], float]:
        """Tensors, and constants as tensors, at one scale.

        Constants are as fine as the finest tensor, or as they need; whole ones beside whole tensors stay as they are.
        """
        finest = min(part.scale for part in parts if isinstance(part, Quantized))
        found = [part if isinstance(part, Quantized) else self._beside(part, finest) for part in parts]
        multipliers, scale = self.aligned(found)
        pairs = zip(found, multipliers, strict=True)
        return [Quantized(x.name, scale) if m == 1 else self.combine([x], [m], scale) for x, m in pairs], scale

    def _beside(self, value: Array, finest: float) -> Quantized:
        value = value.astype(np.float64)
        own = float(np.abs(value).max(initial=0)) / (2 ** (self.settings.bits - 1) - 1)
        is_whole = finest == 1.0 and bool((value == np.rint(value)).all())
        return self.constant(value, 1.0 if is_whole else min(finest, own or finest))

    def positions(self, tensors: Sequence[Quantized]) -> list[Integers]:
        """Where the entries of each tensor lie when all of them are laid end to end, in its shape."""
        sizes = [math.prod(self.shape(x)) for x in tensors]
        starts = np.cumsum([0, *sizes])
        return [np.arange(n).reshape(self.shape(x)) + s for x, n, s in zip(tensors, sizes, starts, strict=False)]

    def aligned(self, tensors: Sequence[Quantized]) -> tuple[list[int], float]:
        """(multipliers, scale) that bring tensors to one scale, each within a part in 500, or in 4096 in a stream."""
        finest, near = min(x.scale for x in tensors), _NEARER if self.settings.stream else CLOSE
        ratios = [x.scale / finest for x in tensors]
        for extra in range(12):
            wanted = [ratio * 2.0**extra for ratio in ratios]
            if all(abs(round(w) - w) <= w * near for w in wanted):
                break
        return [round(w) for w in wanted], finest / 2.0**extra

    def model(self, outputs: Sequence[tuple[str, Quantized]]) -> IntegerModel:
        """The finished model; outputs, which are `distinct`, are named as in the graph."""
        operations = _needed(self.operations, {x.name for _, x in outputs})
        names = {x.name: name for name, x in outputs}
        renamed = tuple(_renamed(op, names) for op in operations)
        ends = tuple(self._tensor(name, x) for name, x in outputs)
        return IntegerModel(tuple(self.inputs), ends, renamed, self.settings.limb)

    def distinct(self, outputs: Sequence[tuple[str, Quantized]]) -> list[tuple[str, Quantized]]:
        """The outputs, with a copy of a tensor that is an input or another output as well."""
        seen, found = set(self.graph.inputs), []
        for name, x in outputs:
            if x.name in seen:
                shape = self.shape(x)
                x = self.arrange([x], np.arange(math.prod(shape)).reshape(shape))
            seen.add(x.name)
            found.append((name, x))
        return found

    def _tensor(self, name: str, x: Quantized) -> Tensor:
        interval = self.interval(x)
        return Tensor(name, interval.shape, x.scale, interval.least, interval.greatest)


def end_of(graph: Graph, name: str) -> str:
    """The tensor that a tensor becomes after Relu, pooling and the like, which share its scale."""
    while (reader := graph.sole_consumer(name)) is not None and reader.operator in _PASSING:
        name = reader.output
    return name


def is_apart(low: float, high: float) -> bool:
    """Whether an interval lies farther from 0 than it is long."""
    return 0 < high - low < max(low, -high)


def _with_margin(low: float, high: float, share: float) -> tuple[float, float]:
    """Farther apart, but not across 0."""
    more = (high - low) * share
    return (max(low - more, 0.0) if low >= 0 else low - more), (min(high + more, 0.0) if high <= 0 else high + more)


def fitting_scale(low: float, high: float, bits: int) -> float:
    """The scale at which [low, high], which holds 0, takes 2^bits integers."""
    reach = (high - low) / (2**bits - 1) if low >= 0 or high <= 0 else max(high, -low) / (2 ** (bits - 1) - 1)
    return reach if reach > 0 else 1.0


def _needed(operations: Sequence[Operation], wanted: set[str]) -> list[Operation]:
    kept: list[Operation] = []
    for operation in reversed(operations):
        if operation.output in wanted:
            wanted = wanted | set(operation.inputs)
            kept.append(operation)
    return kept[::-1]


def _renamed(operation: Operation, names: dict[str, str]) -> Operation:
    inputs = tuple(names.get(name, name) for name in operation.inputs)
    return replace(operation, inputs=inputs, output=names.get(operation.output, operation.output))
