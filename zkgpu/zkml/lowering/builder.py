"""Writes an integer model operation by operation, with the scale and the interval of each tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field, replace

import numpy as np

from zkgpu.circuits.numbers import narrowest
from zkgpu.errors import FormatError
from zkgpu.records import dataclass
from zkgpu.zkml import ranges
from zkgpu.zkml.graph import Array, Node
from zkgpu.zkml.headroom import is_cheaper_open
from zkgpu.zkml.lowering.scales import PLAIN, Scales, end_of
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

CLOSE = 1 / 500  # scales closer than this are one
_NEARER = 1 / 4096  # how close scales of what is added must be in a transformer with a residual stream
_SPARE = 1  # bits beyond its own that a clamped activation keeps, for inputs that calibration has not seen
_FAR_SPARE = 8  # the same where activations are to follow what it has not seen
_HEADROOM = 6  # bits beyond its own that an activation may need for the worst input before it is clamped
_ENDED = (Lookup, Normalize, Rescale, RootMeanSquare, Softmax)  # operations that give no more, whatever they read


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
class Builder(Scales):
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
    hidden: set[str] = field(default_factory=set)
    gains: dict[str, Array] = field(default_factory=dict)
    left_out: dict[str, Array] = field(default_factory=dict)
    rounded_rows: dict[tuple[object, ...], Quantized] = field(default_factory=dict)

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

    def units_below(self, x: Quantized) -> int:
        """Parts of a tensor's own unit in which constants are added to it."""
        if self.settings.bits <= PLAIN:
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
