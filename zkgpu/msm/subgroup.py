"""Which points of the twist of a Barreto-Naehrig curve are in G2, many at once.

A point P of the twist is in G2 exactly when [x + 1] P + psi([x] P) + psi^2([x] P) = psi^3([2x] P), psi the
untwisted Frobenius map and x the curve's parameter (Dai, Lin, Zhao, Zhou, eprint 2022/348; the method is that of
El Housni, Guillevic, Piellard, eprint 2022/352). psi satisfies psi^2 - t psi + q = 0, so the relation kills P by the
resultant of the two polynomials, which shares with the order of the twist only the prime r.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves.points import Group
from zkgpu.curves.tower import Fq2
from zkgpu.curves.twist import Twist
from zkgpu.errors import UsageError
from zkgpu.fields.field import Limbs
from zkgpu.jit.kernel import kernel, on_stack, operation
from zkgpu.jit.memory import aligned_empty
from zkgpu.msm.formulas import Coordinates, Element, Projective
from zkgpu.msm.group import KernelGroup
from zkgpu.msm.projective import addition, doubling, mixed_addition, set_infinity


def has_subgroup_test(group: Group) -> bool:
    """Whether mark_outside_subgroup has a test for the group."""
    return group.twist is not None and group.twist.family == "bn"


def mark_outside_subgroup(shape: KernelGroup, points: Limbs, flags: NDArray[np.uint8]) -> None:
    """flags[i] = 1 where row i, a point of the twist or infinity, is not in G2, else 0.

    Args:
        points: rows as by KernelGroup; flags has room for `lanes` more

    Raises UsageError for a group that has no test, see has_subgroup_test.
    """
    twist = _twist_of(shape.group)
    memory = aligned_empty(2 * shape.point_words)
    outside_subgroup(shape, *map(_pair, twist.frobenius_constants()))(points, _naf(twist.x), memory, flags)


def _twist_of(group: Group) -> Twist:
    if group.twist is None or not has_subgroup_test(group):
        raise UsageError(f"{group.name}: no subgroup test is known for this group")
    return group.twist


def _pair(c: Fq2) -> tuple[int, int]:
    return c.c0, c.c1


def _naf(k: int) -> NDArray[np.int64]:
    """The non-adjacent form of k > 0, highest digit first."""
    digits = []
    while k:
        digits.append(2 - k % 4 if k & 1 else 0)
        k = (k - digits[-1]) >> 1
    return np.array(digits[::-1], np.int64)


@kernel
def outside_subgroup(shape: KernelGroup, psi_x: tuple[int, int], psi_y: tuple[int, int]) -> Any:
    """outside(rows, naf, memory, flags): see mark_outside_subgroup.

    psi_x, psi_y  see Twist.frobenius_constants

    naf     the digits of the curve's parameter x > 0, highest first
    memory  two blocks: [x] P and its images under psi; their sum
    """
    size, lanes, row_bytes = shape.point_words, shape.isa.lanes, shape.row_bytes
    one_a_lane = on_stack((lanes,), np.int64)
    clear, twice, add_references, add_blocks = (
        make(shape) for make in (set_infinity, doubling, mixed_addition, addition)
    )
    turn = _on_first_block(shape, lambda curve, p: _psi(curve, p, (psi_x, psi_y)))
    negate = _on_first_block(shape, _negated)

    @operation(shape.isa, shape.modulus, returns="int64")
    def not_infinity(e: Any, memory: Any, at: Any) -> Any:
        z = Coordinates(e, shape).load_projective(memory, at).z
        return e.mask_bits(e.builder.not_(z.canonical().is_zero()))

    def run(rows: Any, naf: Any, memory: Any, flags: Any) -> None:
        references, digits = one_a_lane(), len(naf)
        for i in range(0, len(rows), lanes):
            clear(memory, 0)
            for step in range(digits + 1):  # the last one adds P to [x] P, in the second block
                last = step == digits
                digit = 1 if last else naf[step]
                for lane in range(lanes):
                    references[lane] = rows.ctypes.data + min(i + lane, len(rows) - 1) * row_bytes + (digit < 0)
                if not last:
                    twice(memory, 0)
                if digit:
                    add_references(memory, size if last else 0, 0, references)
            for term in range(4):  # psi, psi^2, then -psi^3 twice
                if term < 3:
                    turn(memory)
                if term == 2:
                    negate(memory)
                add_blocks(memory, size, size, 0)
            bits = not_infinity(memory, size)
            for lane in range(lanes):
                flags[i + lane] = (bits >> lane) & 1

    return run


def _on_first_block(shape: KernelGroup, change: Any) -> Any:
    """A Numba intrinsic (memory): the first block becomes change(curve, block)."""

    @operation(shape.isa, shape.modulus)
    def apply(e: Any, memory: Any) -> None:
        curve = Coordinates(e, shape)
        p = change(curve, curve.load_projective(memory, e.integer(0)))
        curve.store_projective(p, memory, e.integer(0))

    return apply


def _psi(curve: Coordinates, p: Projective, constants: tuple[tuple[int, int], ...]) -> Projective:
    """As zkgpu.curves.formulas.twist_frobenius."""
    factors = [curve.constant(c) for c in constants]
    x, y = (_conjugate(c) * factor for c, factor in zip((p.x, p.y), factors, strict=True))
    return Projective(x.weak(), y.weak(), _conjugate(p.z).weak())


def _negated(curve: Coordinates, p: Projective) -> Projective:
    return Projective(p.x, (-p.y).weak(), p.z)


def _conjugate(c: Element) -> Element:
    return type(c)(c.c0, -c.c1)
