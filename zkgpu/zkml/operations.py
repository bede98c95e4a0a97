"""The operations of an integer model: few, exact, and each one provable.

A tensor is an array of integers q that stands for the real numbers scale * q: zero is always 0, so an asymmetric
tensor is one whose range is not symmetric about 0. Every operation reads earlier tensors by name and writes one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import ZkgpuError
from zkgpu.records import dataclass

Integers = NDArray[np.int64]
Shape = tuple[int, ...]

SEEN_LOW, SEEN_HIGH, STEEP = 1, 2, 4
SEEN = SEEN_LOW | SEEN_HIGH

# The largest magnitude of an integer in an operation, by the name of the parameter: int64 holds any, and the sum of two
LARGEST = {"shift": 250, "bits": 120, "epsilon": (1 << 120) - 1, "other": (1 << 62) - 1}


@contextmanager
def in_layer(layer: str) -> Iterator[None]:
    """Errors on the way to a circuit say which layer they are about: those that do not yet get its name in front."""
    try:
        yield
    except ZkgpuError as error:
        named = f"'{layer}'" in str(error)
        raise (error if named else error.within(f"layer '{layer}'")) from error.__cause__


@dataclass(frozen=True, eq=False)
class Operation:
    """What all operations have.

    Attributes:
        layer: the node of the imported model it comes from, for messages and reports
        inputs: the tensors it reads
        output: the tensor it writes
    """

    layer: str
    inputs: tuple[str, ...]
    output: str

    @cached_property
    def magnitudes(self) -> Mapping[str, int]:
        """The largest magnitude of the integers in each parameter: looked for once, as there may be millions."""
        own = ((f.name, getattr(self, f.name)) for f in fields(self)[len(fields(Operation)) :])
        parts = {name: value if isinstance(value, tuple) else (value,) for name, value in own}
        return {name: max(map(largest_of, several), default=0) for name, several in parts.items()}


def largest_of(values: Any) -> int:
    """The largest magnitude of integers, 0 where there are none."""
    array = np.asarray(() if values is None else values)
    return max(abs(int(array.max())), abs(int(array.min()))) if array.size else 0


@dataclass(frozen=True, eq=False)
class Arrange(Operation):
    """The inputs' entries, laid end to end, picked by position: every change of shape, slice, joint and padding.

    Attributes:
        positions: of the output's shape; -1 picks the integer 0
    """

    positions: Integers


@dataclass(frozen=True, eq=False)
class Linear(Operation):
    """multiplier * (x @ weight + bias), for x of shape (g, m, k), group by group.

    Attributes:
        weight: (g, k, n), of whatever type of integers holds them
        multiplier: (g, n), positive: brings the channels, each with a scale of its own, to one scale
        bias: (g, n)
        places: (m,) from 0 on, no two alike, and
        shifts: (k,) from 0 on, where x holds the patches of images that a convolution reads: row i has in column j what
            lies at places[i] + shifts[j]. They change no value, and proofs are shorter by them (layers.convolution)
    """

    weight: Integers = field(repr=False)
    multiplier: Integers = field(repr=False)
    bias: Integers = field(repr=False)
    places: Integers | None = field(default=None, repr=False)
    shifts: Integers | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Combine(Operation):
    """The sum of multipliers[i] * inputs[i], and offset, broadcast together as NumPy does."""

    multipliers: tuple[Integers, ...] = field(repr=False)
    offset: Integers = field(repr=False)


@dataclass(frozen=True, eq=False)
class Total(Operation):
    """The sum along the last axis."""


@dataclass(frozen=True, eq=False)
class Multiply(Operation):
    """The entrywise product of two tensors, broadcast."""


@dataclass(frozen=True, eq=False)
class MatMul(Operation):
    """The matrix product of tensors of shapes (g, m, k) and (g, k, n), group by group."""


@dataclass(frozen=True, eq=False)
class Requantize(Operation):
    """round_half_up(x / 2^shift), then clamped to [low, high]; None leaves that side open.

    Attributes:
        seen: which ends calibration has set, and not the float model: SEEN_LOW, SEEN_HIGH or both; with STEEP where a
            function that is steep there reads the values. It changes no value.
    """

    shift: int
    low: int | None = None
    high: int | None = None
    seen: int = 0


@dataclass(frozen=True, eq=False)
class Rescale(Operation):
    """round_half_up(x / 2^shift), which must lie in [low, high]: a value outside of it is an error, and not clamped."""

    shift: int
    low: int
    high: int


@dataclass(frozen=True, eq=False)
class Lookup(Operation):
    """table[x - first]: any function of one small integer."""

    table: Integers = field(repr=False)
    first: int


@dataclass(frozen=True, eq=False)
class Rows(Operation):
    """table[x - first]: the row at each place, as a new last axis. A place outside of the table is an error.

    Attributes:
        table: (n, k)
    """

    table: Integers = field(repr=False)
    first: int


@dataclass(frozen=True, eq=False)
class Steps(Operation):
    """1 where x[..., places] >= bounds, else 0.

    Attributes:
        places: (n,) along the last axis of x, in order
        bounds: (n,) rising among those of one place
    """

    places: Integers = field(repr=False)
    bounds: Integers = field(repr=False)


@dataclass(frozen=True, eq=False)
class Maximum(Operation):
    """The largest entry along the last axis."""


@dataclass(frozen=True, eq=False)
class ArgMax(Operation):
    """The position of the largest entry along the last axis; the lowest one where several are equal."""


@dataclass(frozen=True, eq=False)
class TopK(Operation):
    """The largest entries along the last axis in falling order, then their places; of equal ones the lowest first.

    Attributes:
        count: of entries; the new last axis has as many entries, and as many places behind them
    """

    count: int


@dataclass(frozen=True, eq=False)
class Softmax(Operation):
    """exp(x) over its sum along the last axis, in units of 2^-bits.

    With d = floor((max - x) / 2^shift), e = table[d] (0 beyond its end), S the sum of e and R = floor(2^bits / S),
    entries are e * R. Table[0], its largest value, must not be 0. Distances are rounded down, as their floors are
    negative just where they are: so a table from 0 on separates the maximum from an entry half a step below it.
    """

    shift: int
    table: Integers = field(repr=False)
    bits: int


@dataclass(frozen=True, eq=False)
class Normalize(Operation):
    """(x - mean) / sqrt(variance) along the last axis, of length n, in units of 2^-bits * sqrt(n).

    With c = n * x - sum(x), V = sum(c^2) + epsilon and R = floor(2^bits / sqrt(V)), entries are c * R.
    """

    bits: int
    epsilon: int


@dataclass(frozen=True, eq=False)
class RootMeanSquare(Operation):
    """x / sqrt(mean(x^2)) along the last axis, of length n, in units of 2^-bits * sqrt(n).

    With V = sum(x^2) + epsilon and R = floor(2^bits / sqrt(V)), entries are x * R.
    """

    bits: int
    epsilon: int


@dataclass(frozen=True, eq=False)
class Divide(Operation):
    """floor(2^shift x / y), entry by entry, for y from `least` on, which is at least 1.

    Other y, and quotients beyond `most`, are an error.
    """

    shift: int
    most: int
    least: int


@dataclass(frozen=True)
class Tensor:
    """An input or output of an integer model.

    Attributes:
        scale: the real number that the integer 1 stands for
        low, high: the integers it may hold
    """

    name: str
    shape: Shape
    scale: float
    low: int
    high: int


@dataclass(frozen=True, eq=False)
class IntegerModel:
    """A quantized network: its operations in the order they run. What a circuit proves is exactly `semantics.run`.

    Attributes:
        limb: bits of a limb in the circuit's range checks, which most shifts are a multiple of; no value depends on it
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operations: tuple[Operation, ...]
    limb: int

    @property
    def n_weights(self) -> int:
        return sum(op.weight.size for op in self.operations if isinstance(op, Linear))
