"""Which points of the twist of BN254 are in G2, many at once.

A point P of the twist of BN254 is in G2 exactly when [x + 1] P + psi([x] P) + psi^2([x] P) = psi^3([2x] P), psi the
untwisted Frobenius map and x the curve's parameter (Dai, Lin, Zhao, Zhou, eprint 2022/348; the method is that of
El Housni, Guillevic, Piellard, eprint 2022/352). psi satisfies psi^2 - t psi + q = 0, so the relation kills P by the
resultant of the two polynomials, which shares with the order of the twist only the prime r.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves import bn254
from zkgpu.curves.points import Group
from zkgpu.curves.tower import frobenius_constant
from zkgpu.fields.field import Limbs
from zkgpu.jit.kernel import kernel, operation
from zkgpu.jit.memory import aligned_empty
from zkgpu.jit.path import InstructionPath
from zkgpu.msm.formulas import Coordinates, Element, Projective
from zkgpu.msm.points import b3_of
from zkgpu.msm.projective import addition, doubling, mixed_addition, point_words, set_infinity

Fq2Pair = tuple[int, int]


def mark_outside_subgroup(group: Group, points: Limbs, path: InstructionPath, flags: NDArray[np.uint8]) -> None:
    """flags[i] = 1 where row i, a point of the twist or infinity, is not in G2, else 0.

    points  aligned rows in the path's form; flags has room for `lanes` more
    """
    memory = aligned_empty(2 * point_words(path, 2))
    outside_subgroup(path, group.base_field.modulus, *b3_of(group))(points, _naf(bn254.x), memory, flags)


def _naf(k: int) -> NDArray[np.int64]:
    """The non-adjacent form of k > 0, highest digit first."""
    digits = []
    while k:
        digits.append(2 - k % 4 if k & 1 else 0)
        k = (k - digits[-1]) >> 1
    return np.array(digits[::-1], np.int64)


@kernel
def outside_subgroup(path: InstructionPath, modulus: int, b3_0: int, b3_1: int) -> Any:
    """outside(rows, naf, memory, flags): see mark_outside_subgroup.

    naf     the digits of the curve's parameter x, highest first
    memory  two blocks: [x] P and its images under psi; their sum
    """
    shape, size, lanes = (path, modulus, 2), point_words(path, 2), path.lanes
    clear, twice = set_infinity(*shape), doubling(*shape, (b3_0, b3_1))
    add_references, add_blocks = mixed_addition(*shape, (b3_0, b3_1)), addition(*shape, (b3_0, b3_1))
    turn, negate = _on_first_block(path, modulus, _psi), _on_first_block(path, modulus, _negated)

    @operation(path, modulus, returns="int64")
    def not_infinity(e: Any, memory: Any, at: Any) -> Any:
        z = Coordinates(e, 2).load_projective(memory, at).z
        return e.mask_bits(e.builder.not_(z.canonical().is_zero()))

    def run(rows, naf, memory, flags):
        references, digits = np.empty(lanes, np.int64), len(naf)
        for i in range(0, len(rows), lanes):
            clear(memory, 0)
            for step in range(digits + 1):  # the last one adds P to [x] P, in the second block
                last = step == digits
                digit = 1 if last else naf[step]
                for lane in range(lanes):
                    references[lane] = rows.ctypes.data + min(i + lane, len(rows) - 1) * 128 + (digit < 0)
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


def _on_first_block(path: InstructionPath, modulus: int, change: Any) -> Any:
    """A Numba intrinsic (memory): the first block becomes change(curve, block)."""

    @operation(path, modulus)
    def apply(e: Any, memory: Any) -> None:
        curve = Coordinates(e, 2)
        p = change(curve, curve.load_projective(memory, e.integer(0)))
        curve.store_projective(p, memory, e.integer(0))

    return apply


def _psi(curve: Coordinates, p: Projective) -> Projective:
    """Galbraith and Scott (eprint 2008/117), section 3; compare zkgpu.curves.formulas.twist_frobenius."""
    factors = [curve.constant((c.c0, c.c1)) for c in (frobenius_constant(1, 2), frobenius_constant(1, 3))]
    x, y = (_conjugate(c) * factor for c, factor in zip((p.x, p.y), factors, strict=True))
    return Projective(x.weak(), y.weak(), _conjugate(p.z).weak())


def _negated(curve: Coordinates, p: Projective) -> Projective:
    return Projective(p.x, (-p.y).weak(), p.z)


def _conjugate(c: Element) -> Element:
    return type(c)(c.c0, -c.c1)
