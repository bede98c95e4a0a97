"""Every length from 0 to 70, and those around powers of two, on the emulated device."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver
from zkgpu.backend.cuda import CudaBackend
from zkgpu.circuits import SparseMatrix
from zkgpu.curves.bn254 import BN254, G1, G2, Fr
from zkgpu.curves.points import Group

r = Fr.modulus
AROUND_POWERS = [(1 << k) + d for k in range(7, 11) for d in (-1, 0, 1)]
SUMMED = [3, 31, 32, 64, 65, 70, 127, 128, 129]


@pytest.fixture(scope="module")
def device(driver: EmulatedDriver) -> CudaBackend:
    return CudaBackend(driver, BN254)


def scalars(n: int) -> list[int]:
    return [pow(7, 11 * i + 1, r) for i in range(n)]


def down(device: CudaBackend, vector: object) -> list[int]:
    return Fr.from_limbs(device.limbs(vector))  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [*range(71), *AROUND_POWERS])
def test_operations_on_vectors_are_right_at_every_length(device: CudaBackend, n: int) -> None:
    values = scalars(n)
    vector = device.vector(Fr.to_limbs(values))
    assert down(device, device.pointwise(lambda x: x * x + 1, vector)) == [(x * x + 1) % r for x in values]
    assert [x * y % r for x, y in zip(values, down(device, device.inverse(vector)), strict=True)] == [1] * n
    products = list(accumulate(values, lambda x, y: x * y % r))
    assert down(device, device.prefix_product(vector)) == products
    assert device.evaluate(vector, 3) == sum(v * pow(3, i, r) for i, v in enumerate(values)) % r
    quotient = list(accumulate(values[:0:-1], lambda above, c: (c + 3 * above) % r, initial=5))[: n or None]
    assert down(device, device.divide_by_linear(vector, 3, 5)) == (quotient[::-1] if n else [])


@pytest.mark.parametrize("n", [1, 2, 31, 32, 33, 64, 65, 70, 127, 128, 129])
def test_a_matrix_of_any_height_is_applied(device: CudaBackend, n: int) -> None:
    columns = np.arange(n, dtype=np.int32)[::-1].copy()
    matrix = SparseMatrix((n, n), np.arange(n + 1), columns, np.zeros(n, np.int32), Fr.to_limbs([9]))
    values = scalars(n)
    product = device.matvec(device.matrix(matrix), device.vector(Fr.to_limbs(values)))
    assert down(device, product) == [9 * v % r for v in values[::-1]]


def check_sum(device: CudaBackend, group: Group, n: int) -> None:
    logs, factors = [i % 9 - 4 for i in range(n)], scalars(n)
    multiples = {k: k % r * group.generator for k in range(-4, 5)}
    points = device.points(group, group.to_rows(multiples[k] for k in logs))
    total = sum(k * f for k, f in zip(logs, factors, strict=True)) % r
    assert device.msm(points, device.vector(Fr.to_limbs(factors))) == total * group.generator


@pytest.mark.parametrize("n", SUMMED)
def test_sums_of_points_are_right_at_these_lengths(device: CudaBackend, n: int) -> None:
    check_sum(device, G1, n)


@pytest.mark.slow
@pytest.mark.parametrize("group", [G1, G2], ids=["G1", "G2"])
@pytest.mark.parametrize("n", sorted({*range(71), *AROUND_POWERS} - set(SUMMED)))
def test_sums_of_points_are_right_at_every_length(device: CudaBackend, group: Group, n: int) -> None:
    check_sum(device, group, n)
