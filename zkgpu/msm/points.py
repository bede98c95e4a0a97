"""Points arrays as the kernels take them: aligned rows, the instruction set's Montgomery form, little infinity."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves.points import Group
from zkgpu.errors import LengthError
from zkgpu.fields.field import Limbs
from zkgpu.jit.isa import InstructionSet
from zkgpu.jit.kernel import kernel, on_stack, operation
from zkgpu.jit.threads import parallel, ranges
from zkgpu.msm.group import KernelGroup
from zkgpu.records import dataclass

MAX_POINTS = 1 << 30  # a reference is a signed 32-bit number
COPY_ROWS = 1 << 14
FEW = 64  # infinity stays in an array where it is less than one point in so many


@dataclass(frozen=True)
class Table:
    """Multiples 2^(width * stride * t) of all points: windows of `width` bits that are `stride` apart share buckets."""

    width: int
    stride: int


@dataclass(frozen=True)
class CpuPoints:
    """n points resident for many multi-scalar multiplications.

    Attributes:
        rows: (m, row_words) uint64 as by KernelGroup; with a table (t * m, row_words), the points, then their multiples
        index: (m,) which of the n points each row is; None when all are there. Infinity is left out where it is more
            than a few points: otherwise the sums of one vector with several arrays can share their digits
    """

    group: Group
    isa: InstructionSet
    n: int
    rows: Limbs
    index: NDArray[np.int32] | None
    table: Table | None = None

    def __len__(self) -> int:
        return self.n

    @property
    def shape(self) -> KernelGroup:
        """The group as the kernels see it."""
        return KernelGroup.of(self.group, self.isa)

    @property
    def m(self) -> int:
        """Points that are kept."""
        return self.n if self.index is None else len(self.index)

    def first_row(self, window: int) -> int:
        """Where the points begin that digits of this window count."""
        return self.m * (window // self.table.stride) if self.table else 0

    def part(self, begin: int, end: int) -> CpuPoints:
        """The points begin .. end, in the same memory. They must have no table."""
        assert self.table is None, "the multiples of a part of the points do not lie together"
        if self.index is None:
            return replace(self, n=end - begin, rows=self.rows[begin:end])
        first, last = np.searchsorted(self.index, (begin, end))
        own = (self.index[first:last] - begin).astype(np.int32)
        return replace(self, n=end - begin, rows=self.rows[first:last], index=own)

    def same_rows(self, other: CpuPoints) -> bool:
        """Whether row i of both is the same one of their points, for every i."""
        if self.index is None or other.index is None or self.table != other.table:
            return self.index is other.index and self.n == other.n and self.table == other.table
        return np.array_equal(self.index, other.index)


def load_points(group: Group, rows: Limbs, isa: InstructionSet, threads: int = 1) -> CpuPoints:
    """The points of an array laid out as by Group.to_rows, which may be a read-only view of a file.

    Coordinates must be canonical and on the curve: see first_invalid.
    """
    check_rows(group, rows)
    finite = np.concatenate([part.any(axis=1) for part in _parts(rows)]) if len(rows) else np.empty(0, bool)
    few = FEW * np.count_nonzero(~finite) <= len(rows)
    index = None if few else np.flatnonzero(finite).astype(np.int32)
    shape = KernelGroup.of(group, isa)
    resident = shape.empty_rows(len(rows) if index is None else len(index))
    for at in range(0, len(resident), COPY_ROWS):
        part = slice(at, at + COPY_ROWS)
        shape.fill_from_host(resident[part], rows[part] if index is None else rows[index[part]])
    _scale(shape, resident, 2 * shape.layout.montgomery_bits - _host_bits(shape), threads)
    return CpuPoints(group, isa, len(rows), resident, index)


def check_rows(group: Group, rows: Limbs) -> None:
    """Raise LengthError unless the array has the shape of points of this group."""
    if rows.ndim != 2 or rows.shape[1] != group.row_limbs or rows.dtype != np.uint64:
        raise LengthError(
            f"points array of {group.name} has shape {rows.shape} and type {rows.dtype}: "
            f"give (n, {group.row_limbs}) uint64 as Group.to_rows does"
        )
    if len(rows) >= MAX_POINTS:
        raise LengthError(f"{len(rows)} points in one array: split it below {MAX_POINTS}")


def _parts(rows: Limbs) -> list[Limbs]:
    return [rows[at : at + COPY_ROWS] for at in range(0, len(rows), COPY_ROWS)]


def to_isa_form(shape: KernelGroup, rows: Limbs, threads: int = 1) -> Limbs:
    """An aligned copy of the host's points rows, from its Montgomery form to the instruction set's."""
    out = shape.rows_from_host(rows)
    _scale(shape, out, 2 * shape.layout.montgomery_bits - _host_bits(shape), threads)
    return out


def from_isa_form(shape: KernelGroup, rows: Limbs, threads: int = 1) -> Limbs:
    """The rows as the host has them, which reuse the memory of the aligned ones where these have the same width."""
    _scale(shape, rows, _host_bits(shape), threads)
    return shape.host_rows(rows)


def _host_bits(shape: KernelGroup) -> int:
    """R of the host is 2 to this power."""
    return 64 * shape.layout.words


def _scale(shape: KernelGroup, rows: Limbs, bits: int, threads: int) -> None:
    """Multiplies every coordinate by 2^bits / R in place."""
    if bits == shape.layout.montgomery_bits:
        return
    run, lanes = scale_coordinates(shape, bits), shape.isa.lanes
    parts = ranges(len(rows), threads if len(rows) >= COPY_ROWS else 1, lanes)
    parallel([partial(run, rows[begin:end]) for begin, end in parts], threads)


@kernel
def scale_coordinates(shape: KernelGroup, bits: int) -> Any:
    """scale(rows): every coordinate times 2^bits / R modulo p, in place; rows are aligned."""

    @operation(shape.isa, shape.modulus)
    def scale(e: Any, addresses: Any) -> None:
        lanes = e.lane_integers(addresses, e.integer(0))
        factor = e.exact((1 << bits) % shape.modulus)
        e.store_rows(lanes, [(part * factor).canonical() for part in e.load_rows(lanes, 2 * shape.degree)])

    lanes, row_bytes, one_a_lane = shape.isa.lanes, shape.row_bytes, on_stack((shape.isa.lanes,), np.int64)

    def run(rows: Any) -> None:
        addresses = one_a_lane()
        for i in range(0, len(rows), lanes):
            for lane in range(lanes):  # the last rows again where a block is not full
                addresses[lane] = rows.ctypes.data + min(i + lane, len(rows) - 1) * row_bytes
            scale(addresses)

    return run
