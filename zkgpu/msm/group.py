"""A group as kernels see it: one instruction set, the numbers of its formulas, and how its points lie in memory."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property, lru_cache

import numpy as np

from zkgpu.curves.points import Group
from zkgpu.fields.field import Limbs
from zkgpu.jit.isa import InstructionSet, Layout
from zkgpu.jit.memory import CACHE_LINE, aligned_empty, aligned_zeros
from zkgpu.records import dataclass

LINE_WORDS = CACHE_LINE // 8


@dataclass(frozen=True)
class KernelGroup:
    """A group on an instruction set. It is a parameter of kernels, which its repr names: so all numbers are in it.

    Attributes:
        modulus: of the base field
        degree: elements of the base field in a coordinate: 1 or 2
        b3: 3b of the equation as (c0, c1)

    A row is the 64-byte aligned affine point x, y as canonical integers in the isa's Montgomery form, filled up with
    zeros to whole cache lines; infinity is a zero row. The host's rows, see Group.to_rows, are not filled up.
    """

    isa: InstructionSet
    modulus: int
    degree: int
    b3: tuple[int, int]
    group: Group = field(repr=False, compare=False)

    @staticmethod
    @lru_cache(maxsize=64)
    def of(group: Group, isa: InstructionSet) -> KernelGroup:
        """The group on that instruction set. Raises UsageError where there is no arithmetic for its field."""
        isa.over(group.base_field.modulus)
        return KernelGroup(isa, group.base_field.modulus, group.degree, group.b3, group)

    @cached_property
    def layout(self) -> Layout:
        """How elements of the base field lie in memory."""
        return self.isa.over(self.modulus)

    @property
    def coordinate_words(self) -> int:
        """64-bit words of a block of coordinates."""
        return self.degree * self.layout.block_words

    @property
    def point_words(self) -> int:
        """64-bit words of a block of projective points."""
        return 3 * self.coordinate_words

    @property
    def row_words(self) -> int:
        """64-bit words of a row."""
        return -(-self.group.row_limbs // LINE_WORDS) * LINE_WORDS

    @property
    def row_bytes(self) -> int:
        return 8 * self.row_words

    def empty_rows(self, n: int) -> Limbs:
        """(n, row_words) uint64, aligned, of which all is to be written."""
        return aligned_empty((n, self.row_words))

    def zero_rows(self, n: int) -> Limbs:
        """(n, row_words) uint64, aligned: infinity n times."""
        return aligned_zeros((n, self.row_words))

    def rows_from_host(self, rows: Limbs) -> Limbs:
        """An aligned copy of the host's rows, in their Montgomery form."""
        out = self.empty_rows(len(rows))
        self.fill_from_host(out, rows)
        return out

    def fill_from_host(self, out: Limbs, rows: Limbs) -> None:
        """Copies the host's rows to as many aligned ones."""
        out[:, : self.group.row_limbs] = rows
        out[:, self.group.row_limbs :] = 0

    def host_rows(self, rows: Limbs) -> Limbs:
        """The rows without what they are filled up with: themselves, or a copy where there is some."""
        return np.ascontiguousarray(rows[:, : self.group.row_limbs])
