import random

import numpy as np
import pytest
from msm_cases import limbs

from zkgpu.curves.bn254 import Fr
from zkgpu.errors import LengthError, UsageError
from zkgpu.msm.plan import balanced_bits, windows_of
from zkgpu.msm.scalars import balanced, digits, digits_in_order

R = Fr.modulus
EDGES = [
    0,
    1,
    2,
    R - 1,
    R - 2,
    R // 2,
    R // 2 + 1,
    R // 2 - 1,
    *(1 << k for k in (63, 64, 127, 128, 191, 192, 252, 253)),
]


def signed(k):
    return k if k <= R // 2 else k - R


def value(column, width):
    return sum(int(d) << (width * w) for w, d in enumerate(column))


@pytest.mark.parametrize("width", [2, 4, 8, 11, 13, 15])
def test_digits_give_back_the_balanced_scalars(width):
    scalars = EDGES + [random.Random(width).randrange(R) for _ in range(600)]
    cut = digits(balanced(limbs(scalars), R), width, 1)
    assert sorted(cut.index) == [i for i, k in enumerate(scalars) if k]
    for column, i in enumerate(cut.index):
        reached = [cut.values[w, column] for w, size in enumerate(cut.sizes) if size > column]
        assert value(reached, width) == signed(scalars[i])


def test_scalars_stand_by_falling_length_and_else_in_order():
    cut = digits(balanced(limbs([3, 0, 1 << 20, 5, R - (1 << 20), 0]), R), 4, 1)
    assert cut.index.tolist() == [2, 4, 0, 3]
    assert cut.sizes == [4, 2, 2, 2, 2, 2]


def test_selected_scalars_keep_their_own_numbers():
    scalars, rows = [9, 0, 1 << 20, 5, R - (1 << 20), 300], np.array([5, 2, 1, 3], np.int32)
    cut = digits(balanced(limbs(scalars), R).select(rows), 4, 1)
    assert cut.index.tolist() == [1, 0, 3]
    assert [value(cut.values[: sum(s > i for s in cut.sizes), i], 4) for i in range(3)] == [1 << 20, 300, 5]


def test_digits_in_order_keep_the_zero_scalars():
    scalars = EDGES * 40
    values = digits_in_order(balanced(limbs(scalars), R), 5, windows_of(balanced_bits(R), 5), 2)
    assert [value(values[:, i], 5) for i in range(len(scalars))] == [signed(k) for k in scalars]


def test_two_threads_cut_the_same_digits():
    rng = random.Random(5)
    scalars = balanced(limbs([rng.randrange(R) >> rng.randrange(254) for _ in range(20_000)]), R)
    one, two = digits(scalars, 9, 1), digits(scalars, 9, 2)
    assert np.array_equal(one.index, two.index)
    for w, size in enumerate(one.sizes):
        assert np.array_equal(one.values[w, :size], two.values[w, :size])


@pytest.mark.parametrize("wrong", [R, R + 1, 2 * R, (1 << 256) - 1, (1 << 256) - R, 1 << 255, R + R // 2])
def test_a_scalar_that_is_not_below_the_order_is_refused(wrong):
    rows = np.frombuffer(b"".join(k.to_bytes(32, "little") for k in (1, wrong, 2)), np.uint64).reshape(-1, 4)
    with pytest.raises(UsageError, match="scalar 1 "):
        balanced(rows, R)


def test_scalars_of_another_shape_are_refused():
    with pytest.raises(LengthError, match="shape"):
        balanced(np.zeros((3, 5), np.uint64), R)
