"""Field elements as numbers of a list: arithmetic on arrays that hold few different ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from zkgpu.fields.field import Field, Limbs

Ids = NDArray[np.int64]
ZERO, ONE = 0, 1  # the numbers of these two


class Values:
    """A list of different elements, which grows. Arrays are of numbers in it, and equal elements have one number."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self._numbers = {0: ZERO, 1: ONE}

    def ids(self, values: Iterable[int]) -> Ids:
        """The numbers of integers, which are reduced."""
        p, numbers = self.field.modulus, self._numbers
        return np.array([numbers.setdefault(v % p, len(numbers)) for v in values], dtype=np.int64)

    def map(self, ids: Ids, function: Callable[[int], int]) -> Ids:
        """The function of each."""
        different, places = np.unique(ids, return_inverse=True)
        elements = list(self._numbers)
        return self.ids([function(elements[i]) for i in different.tolist()])[places]

    def pairs(self, left: Ids, right: Ids, function: Callable[[int, int], int]) -> Ids:
        """The function of each pair."""
        base = len(self._numbers)
        different, places = np.unique(left * base + right, return_inverse=True)
        elements = list(self._numbers)
        return self.ids([function(elements[k // base], elements[k % base]) for k in different.tolist()])[places]

    def limbs(self) -> Limbs:
        """(different, limbs) uint64 canonical: those of each number."""
        return self.field.to_limbs(self._numbers)
