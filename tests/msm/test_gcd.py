import random

import numpy as np
import pytest

from zkgpu.curves.bn254 import Fq, Fr
from zkgpu.jit.isa import PORTABLE
from zkgpu.jit.kernel import kernel, operation
from zkgpu.msm import gcd


@kernel
def invert_integers(modulus):
    @operation(PORTABLE, modulus)
    def invert(e, values, at):
        x = e.load(values, at)
        e.store(e.element([gcd.inverse(e.builder, x.limbs[0], modulus)]), values, at)

    def run(values, n):
        for i in range(n):
            invert(values, 4 * i)

    return run


@pytest.mark.parametrize("field", [Fq, Fr], ids=lambda field: field.name)
def test_the_emitted_gcd_inverts(field):
    p, rng = field.modulus, random.Random(1)
    edges = [k for j in range(1, 254) for k in ((1 << j) - 1, 1 << j, (1 << j) + 1, p - (1 << j)) if 0 < k < p]
    values = [
        1,
        2,
        3,
        p - 1,
        p - 2,
        (p + 1) // 2,
        *edges,
        *(rng.randrange(1, p) >> rng.randrange(250) or 1 for _ in range(2000)),
    ]
    limbs = field.to_limbs(values)
    invert_integers(p)(limbs.reshape(-1), len(values))
    inverses = field.from_limbs(limbs)
    assert all(x * y % p == 1 and y < p for x, y in zip(values, inverses, strict=True))


def test_the_rounds_are_those_of_the_paper():
    assert gcd.rounds(Fq.modulus) == 17
    assert gcd.rounds((1 << 255) - 19) == 17


def test_zero_has_no_inverse_and_harms_nothing():
    limbs = np.zeros(4, np.uint64)
    invert_integers(Fq.modulus)(limbs, 1)
    assert Fq.from_limbs(limbs.reshape(1, 4))[0] < Fq.modulus
