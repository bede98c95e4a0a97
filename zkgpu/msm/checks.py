"""Validation of points arrays: canonical coordinates, on the curve, in the subgroup of prime order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves.points import Group
from zkgpu.errors import UsageError
from zkgpu.fields.field import LIMB_BITS, Limbs, random_bytes
from zkgpu.jit.isa import InstructionSet
from zkgpu.jit.kernel import kernel, on_stack, operation
from zkgpu.jit.threads import available_threads, parallel, ranges
from zkgpu.msm.cpu import msm_many
from zkgpu.msm.formulas import Coordinates
from zkgpu.msm.group import KernelGroup
from zkgpu.msm.points import check_rows, load_points, to_isa_form
from zkgpu.msm.subgroup import has_subgroup_test, mark_outside_subgroup

GRAIN = 1 << 12  # points a task
CHUNK = 1 << 16  # points whose subgroup is tested together
FEW = 1 << 11  # below so many points, testing each takes no longer than the sums do

ROUNDS, WEIGHT_BITS = 10, 13


def first_invalid(group: Group, rows: Limbs, isa: InstructionSet, threads: int | None = None) -> tuple[int, str] | None:
    """The first point that is not valid and what is wrong with it, or None. Infinity, a zero row, is valid.

    Args:
        rows: (n, row_limbs) uint64 as by Group.to_rows, from a source that need not be trusted

    Points of G2 outside the subgroup pass with probability below 2^-128, see `sums_are_in_subgroup`.
    """
    check_rows(group, rows)
    if group.cofactor != 1 and not has_subgroup_test(group):
        raise UsageError(f"{group.name}: no subgroup test is known for this group")
    threads = threads or available_threads()
    for begin in range(0, len(rows), CHUNK):
        fault = _first_of_chunk(group, rows[begin : begin + CHUNK], isa, threads)
        if fault is not None:
            return begin + fault[0], fault[1]
    return None


def _first_of_chunk(group: Group, rows: Limbs, isa: InstructionSet, threads: int) -> tuple[int, str] | None:
    """first_invalid for one chunk: all of it at once where that is quicker, point by point when that fails."""
    if len(rows) < FEW or group.twist is None or group.twist.cofactor_prime < 1 << WEIGHT_BITS:
        return _first_of(group, rows, isa, threads)
    on_curve = _first_of(group, rows, isa, threads, curve_only=True) is None
    if on_curve and sums_are_in_subgroup(group, rows, isa, threads):
        return None
    return _first_of(group, rows, isa, threads)


def _first_of(
    group: Group, rows: Limbs, isa: InstructionSet, threads: int, curve_only: bool = False
) -> tuple[int, str] | None:
    parts = ranges(len(rows), 1 + len(rows) // GRAIN)
    for batch in range(0, len(parts), threads):  # an early fault ends the search early
        these = parts[batch : batch + threads]
        tasks = [partial(_first_fault, group, rows[begin:end], isa, curve_only) for begin, end in these]
        for (begin, _), fault in zip(these, parallel(tasks, threads), strict=True):
            if fault is not None:
                return begin + fault[0], fault[1]
    return None


def sums_are_in_subgroup(group: Group, rows: Limbs, isa: InstructionSet, threads: int) -> bool:
    """Whether sums of the points with random weights are in G2: always when all points are.

    Args:
        rows: points of a twist whose cofactor has no prime below 2^13, or infinity, as by Group.to_rows

    A point outside has a component of an order that is a multiple of one of the cofactor's primes, so that whatever the
    other weights are, at most one weight below 2^13 hides it: one sum is wrong with probability at most 2^-13, ten
    independent ones with 2^-130. Bellare, Garay, Rabin, EUROCRYPT 1998, section 3.
    """
    points = load_points(group, rows, isa, threads)
    sums = msm_many([(points, weights) for weights in _small_weights(group, len(rows))], threads)
    total, flags = to_isa_form(points.shape, group.to_rows(sums)), np.empty(ROUNDS + isa.lanes, np.uint8)
    mark_outside_subgroup(points.shape, total, flags)
    return not flags[:ROUNDS].any()


def _small_weights(group: Group, n: int) -> list[Limbs]:
    """ROUNDS times (n, limbs) scalars of the group: independent uniform numbers below 2^WEIGHT_BITS."""
    words = np.frombuffer(random_bytes(2 * ROUNDS * n), np.uint16).reshape(ROUNDS, n)
    weights = np.zeros((ROUNDS, n, -(-group.order.bit_length() // LIMB_BITS)), np.uint64)
    weights[:, :, 0] = words & ((1 << WEIGHT_BITS) - 1)
    return list(weights)


def _first_fault(group: Group, rows: Limbs, isa: InstructionSet, curve_only: bool) -> tuple[int, str] | None:
    """The first fault among one task's rows, the index relative to them."""
    tests = _faults(group, np.asarray(rows), isa, curve_only)
    found = [(int(np.argmax(faulty)), k, what) for k, (faulty, what) in enumerate(tests) if faulty.any()]
    return (min(found)[0], min(found)[2]) if found else None


def _faults(
    group: Group, rows: Limbs, isa: InstructionSet, curve_only: bool
) -> Iterator[tuple[NDArray[np.bool_], str]]:
    """(which rows fail, what that means), the test to report first first."""
    base, shape = group.base_field, KernelGroup.of(group, isa)
    canonical = base.is_canonical(rows.reshape(-1, base.limbs)).reshape(len(rows), -1)
    yield np.logical_not(canonical.all(axis=1)), "a coordinate is not below the field's modulus"
    points = to_isa_form(shape, rows)
    flags, n = np.empty(len(rows) + isa.lanes, np.uint8), len(rows)
    off_curve(shape, group.b if shape.degree == 2 else (group.b, 0))(points, flags)
    yield flags[:n] != 0, f"it is not on the curve {group.name}"
    if group.cofactor != 1 and not curve_only:
        mark_outside_subgroup(shape, points, flags)
        yield flags[:n] != 0, f"it is outside the prime-order subgroup of {group.name}"


@kernel
def off_curve(shape: KernelGroup, b: tuple[int, int]) -> Any:
    """off(rows, flags): flags[i] = 1 where row i is neither infinity nor a point with y^2 = x^3 + b.

    rows are aligned, in the instruction set's form; flags has room for `lanes` more.
    """

    @operation(shape.isa, shape.modulus, returns="int64")
    def faults(e: Any, references: Any) -> Any:
        curve = Coordinates(e, shape)
        p = curve.gather(references, e.integer(0))
        right = (p.x.square() * p.x + curve.constant(b)).canonical()
        zero = e.builder.and_(p.infinity, p.x.is_zero())
        good = e.builder.or_(p.y.square().canonical().equals(right), zero)
        return e.mask_bits(e.builder.not_(good))

    lanes, row_bytes, one_a_lane = shape.isa.lanes, shape.row_bytes, on_stack((shape.isa.lanes,), np.int64)

    def run(rows: Any, flags: Any) -> None:
        references = one_a_lane()
        for i in range(0, len(rows), lanes):
            for lane in range(lanes):
                references[lane] = rows.ctypes.data + min(i + lane, len(rows) - 1) * row_bytes
            bits = faults(references)
            for lane in range(lanes):
                flags[i + lane] = (bits >> lane) & 1

    return run
