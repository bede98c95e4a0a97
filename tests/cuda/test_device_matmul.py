"""Products of 8-bit matrices on the emulated device: NumPy's 64-bit integers say what they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.emulation.driver import EmulatedDriver
from zkgpu.errors import LengthError
from zkgpu.gpu.matmul import LONGEST, ByteProducts
from zkgpu.gpu.program import Programs


@pytest.fixture(scope="module")
def product(driver: EmulatedDriver) -> ByteProducts:
    return ByteProducts(Programs(driver))


def check(product: ByteProducts, x: np.ndarray, y: np.ndarray) -> None:
    result = product(x, y)
    assert result.dtype == np.int32
    assert np.array_equal(result, x.astype(np.int64) @ y.astype(np.int64))


def random(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-128, 128, shape, dtype=np.int8)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 5, 2), (3, 4, 5), (63, 64, 65), (65, 63, 64), (64, 65, 1), (2, 70, 130), (1, 300, 10)]
)
def test_a_product_of_any_shape_is_exact(product: ByteProducts, shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    rng = np.random.default_rng(m * k * n)
    check(product, random(rng, m, k), random(rng, k, n))


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 0, 3), (2, 3, 0), (0, 0, 0)])
def test_empty_matrices_have_empty_products_and_empty_sums_are_zero(product: ByteProducts, shape: tuple) -> None:
    m, k, n = shape
    check(product, np.zeros((m, k), np.int8), np.zeros((k, n), np.int8))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 6)))
def test_products_of_extreme_entries_are_exact(product: ByteProducts, data: st.DataObject, shape: tuple) -> None:
    m, k, n = shape
    entries = st.one_of(st.sampled_from([-128, 127, -1, 0, 1]), st.integers(-128, 127))
    x, y = (data.draw(arrays(np.int8, s, elements=entries)) for s in ((m, k), (k, n)))
    check(product, x, y)


@pytest.mark.parametrize("k", [2000, pytest.param(LONGEST, marks=pytest.mark.slow)])
def test_a_long_sum_of_the_largest_products_is_exact(product: ByteProducts, k: int) -> None:
    least = np.full((1, k), -128, np.int8)
    check(product, least, least.T)


def test_a_sum_that_may_leave_32_bits_is_refused(product: ByteProducts) -> None:
    assert LONGEST * 128 * 128 < 1 << 31 <= (LONGEST + 1) * 128 * 128
    with pytest.raises(LengthError, match="131,072 products in a sum"):
        product(np.zeros((1, LONGEST + 1), np.int8), np.zeros((LONGEST + 1, 1), np.int8))


def test_weights_uploaded_once_serve_many_products(product: ByteProducts) -> None:
    rng = np.random.default_rng(1)
    weights = random(rng, 17, 9)
    columns = product.columns(weights)
    for x in (random(rng, 4, 17), random(rng, 1, 17)):
        assert np.array_equal(product(x, columns), x.astype(np.int64) @ weights)


def test_other_shapes_and_types_are_refused(product: ByteProducts) -> None:
    x = np.zeros((2, 3), np.int8)
    with pytest.raises(LengthError, match="3 columns but 2 rows"):
        product(x, x)
    with pytest.raises(LengthError, match="matrices of int8"):
        product(x.astype(np.int16), x.T)
    with pytest.raises(LengthError, match="matrices of int8"):
        product(x[0], x.T)
