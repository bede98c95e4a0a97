"""Small integer models drawn at random, up to the widths that the field and its analysis allow, and their inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from zkgpu.errors import FormatError
from zkgpu.testing import Draws
from zkgpu.zkml.operations import (
    ArgMax,
    Arrange,
    Combine,
    Divide,
    IntegerModel,
    Linear,
    Lookup,
    MatMul,
    Maximum,
    Multiply,
    Normalize,
    Operation,
    Requantize,
    Rescale,
    RootMeanSquare,
    Rows,
    Softmax,
    Steps,
    Tensor,
    TopK,
    Total,
)
from zkgpu.zkml.ranges import Interval, analyze

INPUT_BITS = (3, 7, 8, 8, 15, 31, 45, 61)
LIMBS = (3, 4, 8, 8, 12)
MOST_ENTRIES = 12
ENDS = (1 << 62) - 1  # of a clamp
PUBLIC_BITS = 126  # of an output that can be shown


Kind = Callable[["Growing", str], None]


def random_model(draws: Draws, kinds: Sequence[Kind] = (), most_operations: int = 4) -> IntegerModel:
    """One to `most_operations` operations, and what they need before them, on one or two inputs.

    kinds   the kinds to draw from, all by default
    """
    growing = Growing(draws, tuple(kinds) or KINDS)
    for _ in range(1 + draws.below(most_operations)):
        growing.grow()
    return growing.finished()


def random_inputs(draws: Draws, model: IntegerModel) -> dict[str, np.ndarray]:
    """Entries at the ends of their ranges, anywhere, close to each other, or half steps of a rounding apart."""
    shifts = [op.shift for op in model.operations if isinstance(op, (Requantize, Rescale, Softmax))]
    return {tensor.name: _entries(draws, tensor, shifts or [0]) for tensor in model.inputs}


def with_other_weights(draws: Draws, model: IntegerModel) -> IntegerModel:
    """The same model of other weights, up to a few times as large: a circuit may refuse them, or give their answer."""

    def other(operation: Operation) -> Operation:
        if not isinstance(operation, Linear):
            return operation
        weight, most = operation.weight, int(abs(operation.weight).max(initial=1))
        if draws.below(2):
            weight = np.array([integer(draws, -most, most) for _ in range(weight.size)]).reshape(weight.shape)
        multiplier = operation.multiplier * draws.one_of([1, 2, 3, 5, 7])
        return replace(operation, weight=weight, multiplier=multiplier, bias=operation.bias * draws.one_of([1, -1, 3]))

    return replace(model, operations=tuple(map(other, model.operations)))


def _entries(draws: Draws, tensor: Tensor, shifts: Sequence[int]) -> np.ndarray:
    middle, width = integer(draws, tensor.low, tensor.high), (tensor.high - tensor.low).bit_length()
    spread = 1 << draws.one_of([draws.below(width), min(draws.one_of(shifts), width)])

    def apart() -> int:
        return integer(draws, -4, 4) * spread // 2 + draws.one_of([0, 0, 1, -1])

    def entry() -> int:
        values = (
            middle + apart(),
            middle + apart(),
            middle + integer(draws, -spread, spread),
            draws.one_of([tensor.low, tensor.high, 0, 1, -1]),
            integer(draws, tensor.low, tensor.high),
        )
        return min(max(draws.one_of(values), tensor.low), tensor.high)

    def close_entry() -> int:
        return min(max(middle + apart(), tensor.low), tensor.high)

    one = draws.one_of([entry, close_entry])
    return np.array([one() for _ in range(prod(tensor.shape))], dtype=np.int64).reshape(tensor.shape)


def integer(draws: Draws, low: int, high: int) -> int:
    return low + draws.below(high - low + 1)


@dataclass
class Growing:
    """A model being drawn. Every operation reads tensors that are there and is kept if its ranges are accepted."""

    draws: Draws
    kinds: Sequence[Kind]
    limb: int = 0
    inputs: list[Tensor] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    found: dict[str, Interval] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.limb = self.draws.one_of(LIMBS)
        for name in ("x", "y")[: 1 + self.draws.below(2)]:
            self._add_input(name)

    def _add_input(self, name: str) -> None:
        shape = self.draws.one_of([(4,), (1, 3), (2, 3), (2, 5), (1, 2, 3), (1, 3, 3), (2, 2, 2), (1, 1)])
        high = (1 << self.draws.one_of(INPUT_BITS)) - 1
        low = self.draws.one_of([-high - 1, -high, 0])
        self.inputs.append(Tensor(name, shape, 1.0, low, high))
        self._analyze()

    def grow(self) -> None:
        """Adds an operation of a random kind; tries others while the kind does not fit."""
        for _ in range(20):
            kind = self.draws.one_of(self.kinds)
            before = len(self.operations)
            try:
                kind(self, self._some_tensor())
                return
            except FormatError:
                del self.operations[before:]
                self._analyze()

    def finished(self) -> IntegerModel:
        """The model, whose output is the last tensor; too wide a one is rounded to what can be shown."""
        if not self.operations:
            self.add(Requantize, "x", shift=0, low=0)
        name = self.operations[-1].output
        if self.found[name].bits > PUBLIC_BITS:
            name = self.add(Requantize, name, shift=self.found[name].bits - PUBLIC_BITS + self.draws.below(40))
        interval = self.found[name]
        out = Tensor(name, interval.shape, 1.0, interval.least, interval.greatest)
        return IntegerModel(tuple(self.inputs), (out,), tuple(self.operations), self.limb)

    def add(self, kind: type, *inputs: str, **rest: Any) -> str:
        name = f"t{len(self.operations)}"
        self.operations.append(kind(f"{kind.__name__.lower()} {name}", inputs, name, **rest))
        self._analyze()
        return name

    def shaped(self, name: str, axes: int) -> str:
        """The tensor with so many axes, each entry where it was; with one axis more than it has entries' rows."""
        shape = self.found[name].shape
        if len(shape) == axes:
            return name
        wanted = (
            (*(1,) * (axes - len(shape)), *shape)
            if len(shape) < axes
            else (prod(shape[: 1 - axes]), *shape[1 - axes :])
        )
        return self.arranged(name, np.arange(prod(shape)).reshape(wanted))

    def arranged(self, name: str, positions: np.ndarray) -> str:
        return self.add(Arrange, name, positions=positions)

    def some_shift(self, name: str) -> int:
        """Small, or so large that few bits are left, or anything."""
        bits = max(self.found[name].bits, 1)
        return self.draws.one_of([self.draws.below(8), max(bits - self.draws.below(10), 0), self.draws.below(bits + 3)])

    def some_integers(self, shape: tuple[int, ...], *, positive: bool = False) -> np.ndarray:
        """Small ones, or such as need up to 62 bits."""
        bits = self.draws.one_of([1, 3, 8, 8, 20, 40, 62])
        low = 1 if positive else -(1 << bits) + 1
        entries = [integer(self.draws, low, (1 << bits) - 1) for _ in range(prod(shape))]
        return np.array(entries, dtype=np.int64).reshape(shape)

    def _some_tensor(self) -> str:
        names = [*(tensor.name for tensor in self.inputs), *(op.output for op in self.operations)]
        return names[-1] if self.draws.below(3) else self.draws.one_of(names)

    def other_tensor(self) -> str:
        return self._some_tensor()

    def _analyze(self) -> None:
        self.found = analyze(IntegerModel(tuple(self.inputs), (), tuple(self.operations), self.limb))
        if any(interval.low.size > 4 * MOST_ENTRIES for interval in self.found.values()):
            raise FormatError("too large")


def requantize(g: Growing, x: str) -> None:
    shift = g.some_shift(x)
    low, high = sorted(_some_end(g, x, shift) for _ in range(2))
    g.add(Requantize, x, shift=shift, low=g.draws.one_of([None, low, low]), high=g.draws.one_of([None, None, high]))


def _some_end(g: Growing, x: str, shift: int) -> int:
    """Somewhere in the range of the rounded values or beyond it, where other weights lead; of 62 bits at most."""
    least, greatest = g.found[x].least >> shift, g.found[x].greatest >> shift
    beyond = g.draws.one_of([2, 3, 4]) * g.draws.one_of([least, greatest])
    end = g.draws.one_of([0, least, greatest, integer(g.draws, least, greatest), beyond])
    return max(min(end, ENDS), -ENDS)


def lookup(g: Growing, x: str) -> None:
    shift = max(g.found[x].bits - 1 - g.draws.below(7), 0)
    first, last = -(1 << g.draws.below(6)), (1 << g.draws.below(6)) - 1
    clamped = g.add(Requantize, x, shift=shift, low=first, high=last)
    g.add(Lookup, clamped, table=g.some_integers((last - first + 1,)), first=first)


def rescale(g: Growing, x: str) -> None:
    """To the range of the rounded values, or to a part of it, which an input may leave."""
    shift = g.some_shift(x)
    ends = (g.found[x].least + (1 << shift >> 1)) >> shift, (g.found[x].greatest + (1 << shift >> 1)) >> shift
    low, high = sorted(g.draws.one_of([end, end, _some_end(g, x, shift)]) for end in ends)
    g.add(Rescale, x, shift=shift, low=max(low, -ENDS), high=min(high, ENDS))


def rows(g: Growing, x: str) -> None:
    """Of a table that has a row for each value, or for some of them."""
    shift = max(g.found[x].bits - 1 - g.draws.below(4), 0)
    first, last = -(1 << g.draws.below(4)), (1 << g.draws.below(4)) - 1
    places = g.add(Requantize, x, shift=shift, low=first, high=last)
    start, size = integer(g.draws, first - 1, last), 1 + g.draws.below(last - first + 1)
    g.add(Rows, places, table=g.some_integers((size, 1 + g.draws.below(3))), first=start)


def steps(g: Growing, x: str) -> None:
    """Several bounds of each entry of a row, neighbors and ends of its range among them."""
    x = g.shaped(x, 2)
    interval, width = g.found[x], g.found[x].shape[-1]
    ends = max(interval.least, -ENDS), min(interval.greatest, ENDS)
    places, bounds = list[int](), list[int]()
    for place in range(width):
        middle = integer(g.draws, *sorted(ends))
        drawn = [middle, middle + 1, *ends, ends[1] + 1, 0, integer(g.draws, *sorted(ends))]
        own = sorted({g.draws.one_of(drawn) for _ in range(g.draws.below(4))})
        places += [place] * len(own)
        bounds += own
    if places:
        g.add(Steps, x, places=np.array(places), bounds=np.array(bounds))


def linear(g: Growing, x: str) -> None:
    x = g.shaped(x, 3)
    groups, _, k = g.found[x].shape
    n = 1 + g.draws.below(3)
    weight = np.array([integer(g.draws, -127, 127) for _ in range(groups * k * n)]).reshape(groups, k, n)
    multiplier = g.some_integers((groups, n), positive=True)
    g.add(Linear, x, weight=weight, multiplier=multiplier, bias=g.some_integers((groups, n)))


def rounded_layer(g: Growing, x: str) -> None:
    """Outputs that a rounding keeps small, times a factor a row, which leaves several rows to one product."""
    x = _in_one_group(g, x)
    sums = _layer(g, x, 1 + g.draws.below(2))
    _, m, n = g.found[sums].shape
    factors = np.array([integer(g.draws, 1, 5) for _ in range(m)]).reshape(1, m, 1)
    names, multipliers = [sums], (factors,)
    if g.draws.below(2):
        table = np.array([integer(g.draws, -99, 99) for _ in range(8)])
        clamped = g.add(Requantize, x, shift=max(g.found[x].bits - 3, 0), low=-4, high=3)
        values = g.add(Lookup, clamped, table=table, first=-4)
        places = np.array([g.draws.below(prod(g.found[values].shape)) for _ in range(m * n)])
        names.append(g.arranged(values, places.reshape(1, m, n)))
        multipliers = (factors, np.array(integer(g.draws, -9, 9)))
    total = g.add(Combine, *names, multipliers=multipliers, offset=np.array(integer(g.draws, -50, 50)))
    g.draws.one_of([requantize, rescale])(g, total)


def looked_up_layer(g: Growing, x: str) -> None:
    """What a function gives, weighted by the lookup's own products."""
    lookup(g, _in_one_group(g, x))
    _layer(g, g.operations[-1].output, 2)


def attention(g: Growing, x: str) -> None:
    """Scores of two layers, turned or not, and what they make of a third, which a fourth layer may read."""
    x, width = _in_one_group(g, x), 1 + g.draws.below(2)
    _, m, _ = g.found[x].shape
    q, k, v = (_layer(g, x, width) for _ in range(3))
    if g.draws.below(2):
        turn = np.array([integer(g.draws, -9, 9) for _ in range(m * width)]).reshape(1, m, width)
        q = g.add(Combine, q, multipliers=(turn,), offset=np.array(0))
    turned = g.arranged(k, np.arange(m * width).reshape(1, m, width).swapaxes(1, 2))
    scores = g.add(MatMul, q, turned)
    weights = g.add(Requantize, scores, shift=max(g.found[scores].bits - 4, 0), low=-8, high=7)
    mixed = g.add(MatMul, weights, v)
    if g.draws.below(2):
        _layer(g, mixed, 2)


def _in_one_group(g: Growing, x: str) -> str:
    return g.shaped(g.shaped(x, 2), 3)


def _layer(g: Growing, x: str, n: int) -> str:
    """With small weights."""
    x = g.shaped(x, 3)
    groups, _, k = g.found[x].shape
    weight, bias = (np.array([integer(g.draws, -9, 9) for _ in range(size)]) for size in (groups * k * n, groups * n))
    multiplier = np.array([integer(g.draws, 1, 3) for _ in range(groups * n)]).reshape(groups, n)
    return g.add(Linear, x, weight=weight.reshape(groups, k, n), multiplier=multiplier, bias=bias.reshape(groups, n))


def combine(g: Growing, x: str) -> None:
    y = g.other_tensor()
    same = g.found[x].shape == g.found[y].shape
    names = [x, y] if same and g.draws.below(2) else [x]
    multipliers = tuple(g.some_integers(()) for _ in names)
    g.add(Combine, *names, multipliers=multipliers, offset=g.some_integers(()))


def multiply(g: Growing, x: str) -> None:
    y = g.other_tensor()
    g.add(Multiply, x, y if g.found[x].shape == g.found[y].shape else x)


def matmul(g: Growing, x: str) -> None:
    x = g.shaped(x, 3)
    shape = g.found[x].shape
    turned = np.arange(prod(shape)).reshape(shape).swapaxes(1, 2)
    g.add(MatMul, x, g.arranged(x, turned))


def rowwise(kind: type) -> Kind:
    def add(g: Growing, x: str) -> None:
        if len(g.found[x].shape) < 2:
            x = g.shaped(x, 2)
        g.add(kind, x)

    return add


def top_k(g: Growing, x: str) -> None:
    x = g.shaped(x, 2)
    g.add(TopK, x, count=1 + g.draws.below(g.found[x].shape[-1]))


def softmax(g: Growing, x: str) -> None:
    x = g.shaped(x, 2)
    spread = max((g.found[x].greatest - g.found[x].least).bit_length(), 1)
    shift = g.draws.one_of([g.draws.below(spread + 1), max(spread - 2 - g.draws.below(5), 0)])
    length, top = 1 + g.draws.below(24), 1 << g.draws.one_of([1, 5, 8, 13])
    table = np.array([max(int(top * 0.8**i), 0) for i in range(length)])
    g.add(Softmax, x, shift=shift, table=table, bits=8 + g.draws.below(16))


def normalize(g: Growing, x: str) -> None:
    x = g.shaped(x, 2)
    kind = g.draws.one_of([Normalize, RootMeanSquare])
    g.add(kind, x, bits=4 + g.draws.below(24), epsilon=1 + g.draws.below(1 << g.draws.below(12)))


def divide(g: Growing, x: str) -> None:
    """By numbers from 1 on."""
    low = 1 + g.draws.below(9)
    y = g.add(Requantize, x, shift=g.draws.below(3), low=low, high=low + g.draws.below(1 << g.draws.below(12)))
    shift = g.draws.below(12)
    g.add(Divide, x, y, shift=shift, most=max(g.found[x].magnitude << shift, 1), least=1)


def widen(g: Growing, x: str) -> None:
    """Up to nearly the field's width, and back to what is left above a long shift."""
    wanted = g.draws.one_of([128 + g.draws.below(126), 253 - g.draws.below(8)])
    while (bits := max(g.found[x].bits, 1)) < wanted:
        if 2 * bits <= wanted and g.draws.below(4):
            x = g.add(Multiply, x, x)
        else:
            factor = np.array((1 << min(wanted - bits, 62)) - g.draws.below(2))
            x = g.add(Combine, x, multipliers=(factor,), offset=g.some_integers(()))
    shift = max(g.found[x].bits - g.draws.below(PUBLIC_BITS), 0)
    g.add(Requantize, x, shift=shift, low=g.draws.one_of([None, None, 0]))


def arrange(g: Growing, x: str) -> None:
    entries = prod(g.found[x].shape)
    shape = g.draws.one_of([(3,), (2, 3), (1, 2, 2)])
    g.arranged(x, np.array([integer(g.draws, -1, entries - 1) for _ in range(prod(shape))]).reshape(shape))


AT_CHALLENGES: tuple[Kind, ...] = (rounded_layer, looked_up_layer, attention, linear, matmul, softmax, requantize)
KINDS: tuple[Kind, ...] = (
    requantize,
    requantize,
    requantize,
    lookup,
    linear,
    linear,
    combine,
    multiply,
    multiply,
    matmul,
    rowwise(Maximum),
    rowwise(ArgMax),
    top_k,
    rowwise(Total),
    softmax,
    softmax,
    normalize,
    divide,
    rescale,
    rows,
    steps,
    widen,
    widen,
    arrange,
)
