"""Validation of points arrays: canonical coordinates, on the curve, in the subgroup of prime order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves import bn254
from zkgpu.curves.points import Group
from zkgpu.errors import UsageError
from zkgpu.fields.field import Limbs
from zkgpu.jit.kernel import kernel, operation
from zkgpu.jit.path import InstructionPath
from zkgpu.jit.threads import available_threads, parallel, ranges
from zkgpu.msm.formulas import Coordinates
from zkgpu.msm.points import check_rows, degree_of, to_path
from zkgpu.msm.subgroup import mark_outside_subgroup

GRAIN = 1 << 12  # points a task


def first_invalid(
    group: Group, rows: Limbs, path: InstructionPath, threads: int | None = None
) -> tuple[int, str] | None:
    """The first point that is not valid and what is wrong with it, or None. Infinity, a zero row, is valid.

    rows  (n, row_limbs) uint64 as by Group.to_rows, from a source that need not be trusted
    """
    check_rows(group, rows)
    if group.cofactor != 1 and group is not bn254.G2:
        raise UsageError(f"{group.name}: no subgroup test is known for this group")
    threads = threads or available_threads()
    parts = ranges(len(rows), 1 + len(rows) // GRAIN)
    for batch in range(0, len(parts), threads):  # an early fault ends the search early
        tasks = [partial(_first_fault, group, rows[begin:end], path) for begin, end in parts[batch : batch + threads]]
        for (begin, _), fault in zip(parts[batch:], parallel(tasks, threads), strict=False):
            if fault is not None:
                return begin + fault[0], fault[1]
    return None


def _first_fault(group: Group, rows: Limbs, path: InstructionPath) -> tuple[int, str] | None:
    """first_invalid for one task's rows, indices relative to them."""
    tests = _faults(group, np.asarray(rows), path)
    found = [(int(np.argmax(faulty)), k, what) for k, (faulty, what) in enumerate(tests) if faulty.any()]
    return (min(found)[0], min(found)[2]) if found else None


def _faults(group: Group, rows: Limbs, path: InstructionPath) -> Iterator[tuple[NDArray[np.bool_], str]]:
    """(which rows fail, what that means), the test to report first first."""
    base, modulus, degree = group.base_field, group.base_field.modulus, degree_of(group)
    canonical = base.is_canonical(rows.reshape(-1, base.limbs)).reshape(len(rows), -1)
    yield np.logical_not(canonical.all(axis=1)), "a coordinate is not below the field's modulus"
    points = to_path(group, rows, path)
    flags, n = np.empty(len(rows) + path.lanes, np.uint8), len(rows)
    b = group.b if degree == 2 else (group.b, 0)
    off_curve(path, modulus, degree, *b)(points, flags)
    yield flags[:n] != 0, f"it is not on the curve {group.name}"
    if group.cofactor != 1:
        mark_outside_subgroup(group, points, path, flags)
        yield flags[:n] != 0, f"it is outside the prime-order subgroup of {group.name}"


@kernel
def off_curve(path: InstructionPath, modulus: int, degree: int, b_0: int, b_1: int) -> Any:
    """off(rows, flags): flags[i] = 1 where row i is neither infinity nor a point with y^2 = x^3 + b.

    rows are aligned, in the path's form; flags has room for `lanes` more.
    """

    @operation(path, modulus, returns="int64")
    def faults(e: Any, references: Any) -> Any:
        curve = Coordinates(e, degree)
        p = curve.gather(references, e.integer(0))
        right = (p.x.square() * p.x + curve.constant((b_0, b_1))).canonical()
        zero = e.builder.and_(p.infinity, p.x.is_zero())
        good = e.builder.or_(p.y.square().canonical().equals(right), zero)
        return e.mask_bits(e.builder.not_(good))

    lanes, row_bytes = path.lanes, 64 * degree

    def run(rows, flags):
        references = np.empty(lanes, np.int64)
        for i in range(0, len(rows), lanes):
            for lane in range(lanes):
                references[lane] = rows.ctypes.data + min(i + lane, len(rows) - 1) * row_bytes
            bits = faults(references)
            for lane in range(lanes):
                flags[i + lane] = (bits >> lane) & 1

    return run
