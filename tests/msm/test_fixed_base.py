import random

import numpy as np
import pytest
from msm_cases import limbs

from zkgpu.curves.bn254 import G1, Fr
from zkgpu.errors import UsageError
from zkgpu.jit.isa import PORTABLE
from zkgpu.msm import fixed_base as module
from zkgpu.msm.fixed_base import fixed_base

R = Fr.modulus
EDGES = [0, 1, 2, 3, R - 1, R - 2, R // 2, R // 2 + 1, *(1 << k for k in (64, 128, 192, 253))]


@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 9, 40])
def test_every_row_is_its_scalar_times_the_base(isa, group, n):
    rng, base = random.Random(n), group.generator * 77
    scalars = (EDGES + [rng.randrange(R) for _ in range(40)])[-n:] if n else []
    rows = fixed_base(base, limbs(scalars), isa, 1)
    assert group.from_rows(rows) == [base * k for k in scalars]


def test_edge_scalars_give_the_right_multiples(isa, group):
    assert group.from_rows(fixed_base(group.generator, limbs(EDGES), isa, 2)) == [group.generator * k for k in EDGES]


def test_all_multiples_of_infinity_are_infinity(isa, group):
    assert not fixed_base(group.infinity, limbs([1, 2, R - 1]), isa, 1).any()


def test_tasks_and_threads_do_not_change_the_rows(isa, group, monkeypatch):
    rng = random.Random(3)
    scalars = limbs([rng.randrange(R) for _ in range(300)])
    whole = fixed_base(group.generator, scalars, isa, 1)
    monkeypatch.setattr(module, "GRAIN", 64)
    assert np.array_equal(fixed_base(group.generator, scalars, isa, 2), whole)


def test_a_large_scalar_is_refused():
    with pytest.raises(UsageError, match="scalar 0 "):
        fixed_base(G1.generator, np.full((1, 4), 2**64 - 1, np.uint64), PORTABLE, 1)
