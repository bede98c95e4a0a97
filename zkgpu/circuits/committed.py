"""What prover and verifier need of a circuit with challenges: its committed wires and its packed public values.

The prover commits to some wires (a Pedersen commitment, as in BSB22, eprint 2022/1072) before it has the challenges,
which are derived from the commitment and from all public values (Fiat-Shamir). Arrays of public values need no public
input each: the verifier evaluates the polynomial with these values as coefficients at a challenge, and the circuit
proves that its own committed values give the same digest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from zkgpu.errors import FormatError, InputError, LengthError, UsageError
from zkgpu.fields.field import Limbs, integer
from zkgpu.records import dataclass

if TYPE_CHECKING:
    from zkgpu.circuits.numbers import Values

WIDTHS = (1, 2, 4, 8, 16)  # bytes of a packed value
MOST_AXES = 32  # of a public array


def require_bytes(packed: object) -> None:
    """Raises UsageError unless packed public values are given as bytes, which nobody can change afterwards."""
    if type(packed) is not bytes:
        raise UsageError(f"packed public values are a {type(packed).__name__}: give bytes")


@dataclass(frozen=True)
class PublicArray:
    """An array of integers from `low` to `high` that travels packed, each in `width` bytes, big-endian, in C order.

    Two's complement when low is negative. Raises UsageError for an interval that 16 bytes cannot hold, for lengths and
    bounds that are no Python integers, for more axes than NumPy's arrays have, and for a name that is no Unicode text.
    """

    name: str
    shape: tuple[int, ...]
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.name != self.name.encode(errors="replace").decode():
            raise UsageError(f"public array {self.name!r} has a name with half a surrogate pair: give it another")
        if not all(type(k) is int for k in (*self.shape, self.low, self.high)) or min(self.shape, default=0) < 0:
            raise UsageError(
                f"public array '{self.name}' has a bound or length that is no integer, or a negative length"
            )
        if len(self.shape) > MOST_AXES:
            raise UsageError(f"public array '{self.name}' has {len(self.shape):,} axes: give at most {MOST_AXES}")
        if self.low > self.high or not any(self._holds(width) for width in WIDTHS):
            raise UsageError(f"public array '{self.name}' cannot hold integers from {self.low} to {self.high}")

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def width(self) -> int:
        """Bytes of a value."""
        return next(width for width in WIDTHS if self._holds(width))

    @property
    def packed_size(self) -> int:
        return self.size * self.width

    @property
    def is_signed(self) -> bool:
        return self.low < 0

    @property
    def offset(self) -> int:
        """What the digest adds to a value, so that no coefficient is negative."""
        return 1 << (8 * self.width - 1) if self.is_signed else 0

    def _holds(self, width: int) -> bool:
        bits = 8 * width - self.is_signed
        return self.high < 1 << bits and self.low >= (-1 << bits if self.is_signed else 0)

    def lift(self, elements: Iterable[int], modulus: int) -> list[int]:
        """The integers that field elements stand for: the representatives nearest to the interval."""
        start = (self.low + self.high - modulus + 1) // 2
        return [(v - start) % modulus + start for v in elements]

    def pack(self, values: Sequence[int]) -> bytes:
        """The packed bytes of `size` integers. Raises UsageError naming the first outside the interval."""
        if len(values) != self.size:
            raise LengthError(f"{len(values)} values for public array '{self.name}' of {self.size}")
        integers = [integer(value, f"a value of '{self.name}'") for value in values]
        self.require_inside(integers)
        width, signed = self.width, self.is_signed
        return b"".join(value.to_bytes(width, "big", signed=signed) for value in integers)

    def require_inside(self, values: Sequence[int]) -> None:
        for i, value in enumerate(values):
            if not self.low <= value <= self.high:
                where = [int(k) for k in np.unravel_index(i, self.shape)]
                raise InputError(
                    f"'{self.name}'{where if where else ''} is outside {self.low} .. {self.high}",
                    values=f"it is {value!s:.80}",
                )

    def unpack(self, data: bytes) -> Values:
        """The integers, in the array's shape. Raises FormatError for one outside the interval."""
        if len(data) != self.packed_size:
            raise LengthError(f"{len(data)} bytes for public array '{self.name}' of {self.packed_size}")
        width, signed = self.width, self.is_signed
        values = [int.from_bytes(data[i : i + width], "big", signed=signed) for i in range(0, len(data), width)]
        try:
            self.require_inside(values)
        except UsageError as error:
            raise FormatError(f"packed public values: {error}", values=error.values) from None
        from zkgpu.circuits.numbers import object_array

        return object_array(values, self.shape)


@dataclass(frozen=True)
class CommittedRound:
    """The part of a circuit that is committed to before its challenges are known.

    The last public inputs are the challenges, and after them the digest when there are public arrays. The committed
    wires follow the public ones; the first of them is the mask, which the prover draws anew for every proof.

    Attributes:
        n_committed: committed wires, the mask among them
        n_challenges: challenges, the digest's point first when there are public arrays
        arrays: public values that travel packed, in that order

    Raises UsageError for two arrays of one name.
    """

    n_committed: int
    n_challenges: int
    arrays: tuple[PublicArray, ...] = ()

    def __post_init__(self) -> None:
        names = [array.name for array in self.arrays]
        if len(set(names)) < len(names):
            repeated = max(names, key=names.count)
            raise UsageError(f"two public arrays are named {repeated!r}: give each a name of its own")

    @property
    def n_public(self) -> int:
        """Public inputs that the round adds: challenges and digest."""
        return self.n_challenges + bool(self.arrays)

    @property
    def packed_size(self) -> int:
        return sum(array.packed_size for array in self.arrays)

    def unpack(self, packed: bytes) -> dict[str, Values]:
        """The packed arrays by name. Raises UsageError, LengthError or FormatError when they are not such."""
        require_bytes(packed)
        if len(packed) != self.packed_size:
            raise LengthError(f"{len(packed)} bytes of packed public values, but the circuit has {self.packed_size}")
        out, at = {}, 0
        for array in self.arrays:
            out[array.name] = array.unpack(packed[at : at + array.packed_size])
            at += array.packed_size
        return out

    def public_inputs(self, packed: bytes, challenges: Sequence[int], modulus: int) -> list[int]:
        """The public inputs of the round: challenges, and the digest of the packed values when there are any."""
        digest = [self.digest(packed, challenges[0], modulus)] if self.arrays else []
        return [*challenges, *digest]

    def digest(self, packed: bytes, point: int, modulus: int) -> int:
        """sum of u_i point^(n-1-i) over all packed values, u_i the value plus its array's offset."""
        values, total = self.unpack(packed), 0
        for array in self.arrays:
            offset = array.offset
            for value in values[array.name].ravel():
                total = (total * point + value + offset) % modulus
        return total


def require_one_round(parts: object, what: str) -> None:
    """Raises UsageError unless what goes with the committed rounds of a circuit is a tuple of one, or empty.

    No transcript and no file says how several go together.
    """
    if type(parts) is not tuple or len(parts) > 1:
        raise UsageError(f"{what} {parts!r:.60}: give a tuple of one, or an empty one")


@dataclass(frozen=True)
class FirstRound:
    """What the prover knows when it must commit.

    Attributes:
        public: the ordinary public values: outputs, then public inputs
        committed: (n_committed, limbs) uint64: the committed wires, the mask being 0
        packed: the public arrays
    """

    public: tuple[int, ...] = field(repr=False)
    committed: Limbs = field(repr=False)
    packed: bytes = field(repr=False)


ChallengeSource: TypeAlias = Callable[[FirstRound], Sequence[int]]
