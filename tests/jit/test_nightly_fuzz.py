"""Nightly: every instruction set against Python integers where carries, borrows and reductions turn over."""

import random

import numpy as np
import pytest

from tests.jit.test_arithmetic import FIELDS, check_formulas, edges
from tests.laws.test_backend_laws import point_outside_the_subgroup
from zkgpu.backend import open_backend
from zkgpu.curves.bn254 import G1, G2, Fr
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.jit.isa import supported
from zkgpu.ntt.domain import Domain

pytestmark = pytest.mark.slow
paths = pytest.mark.parametrize("isa", supported(), ids=lambda isa: isa.name)
r = Fr.modulus


def edge_limbs(draw, modulus):
    """A residue whose 52-bit or 64-bit limbs are all ones, zeros, one of these by one off, or anything."""
    bits = draw.choice((52, 64))
    most = (1 << bits) - 1
    limbs = [draw.choice((0, 1, most, most - 1, draw.randrange(most))) for _ in range(-(-256 // bits))]
    return sum(limb << (bits * k) for k, limb in enumerate(limbs)) % modulus


@paths
@pytest.mark.parametrize("name", FIELDS)
def test_formulas_at_edges_of_limbs(isa, name):
    draw, modulus = random.Random(f"{isa.name} {name}"), FIELDS[name]
    for _ in range(40):
        xs, ys = ([edge_limbs(draw, modulus) for _ in range(512)] for _ in range(2))
        check_formulas(isa, modulus, [*xs, *edges(isa, modulus)], [*ys, *reversed(edges(isa, modulus))])


@paths
def test_sums_that_hit_the_modulus_exactly(isa):
    draw, backend = random.Random(isa.name), open_backend("cpu", instructions=isa.name, threads=2)
    for terms in (1, 2, 3, 8, 510, 511, 512, 513, 1100):
        values = [edge_limbs(draw, r) for _ in range(2 * terms)]
        values[-1] = -sum(values[:-1]) % r  # the sum is r, or a multiple of it
        columns, rows = np.arange(2 * terms), np.zeros(2 * terms, np.int64)
        coefficient = np.zeros(2 * terms, np.int64)
        for factor in (1, r - 1, 12345):
            matrix = SparseMatrix.from_entries((1, 2 * terms), rows, columns, coefficient, Fr.to_limbs([factor]))
            product = backend.matvec(backend.matrix(matrix), backend.vector(Fr.to_limbs(values)))
            assert Fr.from_limbs(backend.limbs(product)) == [0]


@paths
def test_transforms_of_edges_are_inverted_by_their_inverse(isa):
    draw, backend = random.Random(isa.name), open_backend("cpu", instructions=isa.name, threads=2)
    for log_size in range(1, 15):
        n = 1 << log_size
        for offset in (1, Fr.root_of_unity(2 * n), edge_limbs(draw, r) or 1):
            domain, values = Domain(Fr, n, offset), [edge_limbs(draw, r) for _ in range(n)]
            vector = backend.vector(Fr.to_limbs(values))
            there = backend.ntt(vector, domain)
            assert Fr.from_limbs(backend.limbs(backend.intt(there, domain))) == values
            at_first = Fr.from_limbs(backend.limbs(there))[0]
            assert at_first == backend.evaluate(vector, offset)


def largest_digits(draw):
    """A scalar whose digits are the largest of some width, or one less, and carry from window to window."""
    width = draw.randrange(2, 17)
    return sum(((1 << (width - 1)) - draw.randrange(2)) << (width * k) for k in range(254 // width)) % r


def border_scalars(draw, n):
    """Scalars at the borders of windows, of words, of the half of r and of r."""
    kinds = [
        lambda: largest_digits(draw),
        lambda: (1 << draw.randrange(254)) - draw.randrange(2),
        lambda: (r // 2 + draw.randrange(-2, 3)) % r,
        lambda: (r - draw.randrange(1 << draw.randrange(1, 60))) % r,
        lambda: edge_limbs(draw, r),
    ]
    return [draw.choice(kinds)() for _ in range(n)]


@paths
@pytest.mark.parametrize("group", [G1, G2], ids=["G1", "G2"])
def test_sums_of_points_at_borders_of_windows(isa, group):
    draw, backend = random.Random(isa.name), open_backend("cpu", instructions=isa.name, threads=2)
    for n in (1, 7, 64, 700, 5000):
        multiples = [draw.randrange(1, 40) for _ in range(n)]  # repeats and opposites meet in one bucket
        powers = [k * group.generator for k in range(40)]
        points = [-powers[k] if draw.random() < 0.5 else powers[k] for k in multiples]
        points[0] = group.infinity
        scalars = border_scalars(draw, n)
        got = backend.msm(backend.points(group, group.to_rows(points)), backend.vector(Fr.to_limbs(scalars)))
        pairs = zip(points, multiples, strict=True)
        signed = [0 if p == group.infinity else k if p == powers[k] else -k for p, k in pairs]
        assert got == sum(k * s for k, s in zip(signed, scalars, strict=True)) % r * group.generator


@paths
def test_points_off_the_subgroup_are_found_wherever_they_are(isa):
    draw, backend = random.Random(isa.name), open_backend("cpu", instructions=isa.name, threads=2)
    outside = point_outside_the_subgroup()
    for n in (1, 8, 9, 130):
        points, at = [k * G2.generator for k in range(1, n + 1)], draw.randrange(n)
        rows = G2.to_rows(points)
        assert backend.first_invalid_point(G2, rows) is None
        points[at] = outside
        found = backend.first_invalid_point(G2, G2.to_rows(points))
        assert found is not None
        assert found[0] == at
