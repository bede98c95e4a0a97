"""The domain of a transform: a coset of the 2^k-th roots of unity. Pure arithmetic, shared by all devices."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import UsageError
from zkgpu.fields.field import Field
from zkgpu.records import dataclass


@dataclass(frozen=True)
class Domain:
    """offset * <omega>, with omega of order `size`, a power of two.

    Everywhere in zkgpu coefficients are in natural order and evaluations in bit-reversed order: evaluation i is at
    offset * omega^reverse(i). Transforms then need no permutation (decimation in frequency one way, in time back).
    """

    field: Field
    size: int
    offset: int = 1

    def __post_init__(self) -> None:
        self.field.root_of_unity(self.size)  # refuses sizes that have none
        if self.offset % self.field.modulus == 0:
            raise UsageError("the offset of a domain must not be zero")

    @property
    def log_size(self) -> int:
        return self.size.bit_length() - 1

    @cached_property
    def omega(self) -> int:
        return self.field.root_of_unity(self.size)

    def coset(self, offset: int) -> Domain:
        """The same roots of unity, shifted by `offset`."""
        return Domain(self.field, self.size, offset)

    @cached_property
    def bit_reversal(self) -> NDArray[np.int64]:
        """(size,) int64: reverse(i), the bits of i in opposite order. Its own inverse."""
        return bit_reversal(self.log_size)


def bit_reversal(bits: int) -> NDArray[np.int64]:
    """(2^bits,) int64: each index with its bits in opposite order."""
    order: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
    for _ in range(bits):
        order = np.concatenate([2 * order, 2 * order + 1])
    return order
