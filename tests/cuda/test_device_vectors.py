"""Vectors on the emulated device beyond the laws of all backends: passes, batches, long rows, inverses, prefixes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver
from zkgpu.backend.cuda import CudaBackend
from zkgpu.backend.cuda_vectors import LONGEST_ROW, split_rows
from zkgpu.backend.expression import trace
from zkgpu.circuits import SparseMatrix
from zkgpu.curves.bn254 import BN254, Fr
from zkgpu.errors import LengthError, UsageError
from zkgpu.gpu.program import DeviceArray, Grid, Program
from zkgpu.ntt import cuda as ntt
from zkgpu.ntt.cuda import LOG_COLUMNS, LOG_TILE, passes
from zkgpu.ntt.domain import Domain

r = Fr.modulus


@pytest.fixture(scope="module")
def device(driver: EmulatedDriver) -> CudaBackend:
    return CudaBackend(driver, BN254)


def scalars(n: int, seed: int = 3) -> list[int]:
    return [pow(seed, 7 * i + 1, r) for i in range(n)]


def up(device: CudaBackend, values: list[int]) -> DeviceArray:
    return device.vector(Fr.to_limbs(values))


def down(device: CudaBackend, vector: DeviceArray) -> list[int]:
    return Fr.from_limbs(device.limbs(vector))


def evaluate(coefficients: list[int], x: int) -> int:
    value = 0
    for c in reversed(coefficients):
        value = (value * x + c) % r
    return value


@pytest.mark.parametrize("log_size", range(29))
def test_the_passes_of_a_transform_do_every_stage_once_in_tiles_that_fit(log_size: int) -> None:
    left = log_size
    for step in passes(log_size):
        assert step.log_block == left
        assert 1 <= step.log_rows <= left
        assert step.log_tile <= LOG_TILE
        assert step.log_rows + step.log_columns <= step.log_block
        left -= step.log_rows
    assert left == 0
    assert len(passes(log_size)) <= 3 + (log_size > 26)


@pytest.mark.parametrize("log_size", range(29))
@pytest.mark.parametrize("log_tile", [2, 4, 6, LOG_TILE])
def test_every_pass_fills_its_tiles_so_that_no_lane_is_idle(log_size: int, log_tile: int) -> None:
    steps = passes(log_size, log_tile, min(LOG_COLUMNS, log_tile - 1))
    assert {step.log_tile for step in steps} <= {min(log_size, log_tile)}
    assert all(step.log_columns >= min(LOG_COLUMNS, log_tile - 1) for step in steps[:-1])


@pytest.mark.parametrize("log_size", range(13))
@pytest.mark.parametrize("log_tile", [2, 4, 5, 6])
def test_small_tiles_give_the_transform_of_every_size(driver: EmulatedDriver, log_size: int, log_tile: int) -> None:
    device, n = CudaBackend(driver, BN254, log_tile=log_tile), 1 << log_size
    domain, values = Domain(Fr, n, 5), scalars(n)
    evaluations = device.ntt(up(device, values), domain)
    found = down(device, evaluations)
    for i in {0, n // 3, n - 1}:
        x = 5 * pow(domain.omega, int(domain.bit_reversal[i]), r) % r
        assert found[i] == evaluate(values, x)
    assert down(device, device.intt(evaluations, domain)) == values


def numbers_launched(device: CudaBackend, domain: Domain, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The passes there and back over a domain: kernel, grid and all arguments but the addresses."""
    device.intt(device.ntt(up(device, scalars(domain.size)), domain), domain)  # makes the tables
    seen, launch = [], Program.launch

    def recorded(self: Program, kernel: str, grid: Grid, **arguments: object) -> None:
        seen.append((kernel, grid, {k: v for k, v in arguments.items() if isinstance(v, int)}))
        launch(self, kernel, grid, **arguments)  # type: ignore[arg-type]

    vector = up(device, scalars(domain.size))
    with monkeypatch.context() as patch:
        patch.setattr(Program, "launch", recorded)
        device.intt(device.ntt(vector, domain), domain)
    return seen


def test_a_coset_costs_nothing_more_than_the_domain_itself(
    driver: EmulatedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = CudaBackend(driver, BN254, log_tile=4)
    plain, shifted = (numbers_launched(device, Domain(Fr, 64, offset), monkeypatch) for offset in (1, 5))
    assert plain == shifted
    assert [kernel for kernel, *_ in plain] == ["transform_pass"] * 2 + ["restore_pass"] * 2


@pytest.mark.parametrize("log_size", range(13))
def test_roots_that_are_put_together_give_the_same_transform(
    driver: EmulatedDriver, log_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = Domain(Fr, 1 << log_size, 7)
    values, results = scalars(domain.size), []
    for share in (1, 1 << 40):
        monkeypatch.setattr(ntt, "ROOTS_SHARE", share)
        device = CudaBackend(driver, BN254, log_tile=4)
        evaluations = device.ntt(up(device, values), domain)
        results.append(down(device, evaluations))
        assert down(device, device.intt(evaluations, domain)) == values
    assert results[0] == results[1]


@pytest.mark.parametrize("log_tile", [2, 3, 4, 7, 10])
def test_every_cut_into_passes_gives_the_same_transform(driver: EmulatedDriver, log_tile: int) -> None:
    device = CudaBackend(driver, BN254, log_tile=log_tile)
    domain = Domain(Fr, 128, 5)
    values = scalars(128)
    evaluations = device.ntt(up(device, values), domain)
    for i in (0, 1, 77, 127):
        x = 5 * pow(domain.omega, int(domain.bit_reversal[i]), r) % r
        assert down(device, evaluations)[i] == sum(v * pow(x, k, r) for k, v in enumerate(values)) % r
    assert down(device, device.intt(evaluations, domain)) == values


def test_several_vectors_are_transformed_at_once(driver: EmulatedDriver) -> None:
    device = CudaBackend(driver, BN254, log_tile=4)
    domain = Domain(Fr, 32)
    values = scalars(96)
    together = device.ntt(up(device, values), domain)
    alone = [down(device, device.ntt(up(device, values[i : i + 32]), domain)) for i in (0, 32, 64)]
    assert down(device, together) == [v for vector in alone for v in vector]
    assert down(device, device.intt(together, domain)) == values


def test_a_transform_refuses_a_vector_of_another_length(device: CudaBackend) -> None:
    with pytest.raises(LengthError, match="64 domain points but 63 values"):
        device.ntt(up(device, scalars(63)), Domain(Fr, 64))
    with pytest.raises(LengthError, match="65536 vectors at once"):
        device.ntt(up(device, [0] * (1 << 17)), Domain(Fr, 2))


@pytest.mark.parametrize("longest", [LONGEST_ROW, LONGEST_ROW + 1, 3 * LONGEST_ROW, LONGEST_ROW**2 + 1])
def test_long_rows_of_a_matrix_are_cut_and_summed(device: CudaBackend, longest: int) -> None:
    indptr = np.array([0, 0, longest, longest + 1], dtype=np.int64)
    indices = np.array([*range(longest), longest - 1], dtype=np.int32)
    table, ids = scalars(5, seed=11), np.arange(longest + 1, dtype=np.int32) % 5
    matrix = SparseMatrix((3, longest), indptr, indices, ids, Fr.to_limbs(table))
    z = scalars(longest)
    row = sum(table[k % 5] * z[k] for k in range(longest)) % r
    last = table[longest % 5] * z[longest - 1] % r
    assert down(device, device.matvec(device.matrix(matrix), up(device, z))) == [0, row, last]


def test_no_piece_of_a_row_is_longer_than_asked() -> None:
    indptr = np.array([0, 5, 5, 16], dtype=np.int64)
    entries = np.arange(16, dtype=np.int32)
    pieces, sums = split_rows(SparseMatrix((3, 16), indptr, entries, entries, Fr.to_limbs(range(16))), 4)
    assert sums is not None
    assert np.diff(pieces.indptr).tolist() == [4, 1, 0, 4, 4, 3]
    assert sums.indptr.tolist() == [0, 2, 3, 6]


@pytest.mark.parametrize("n", [1, 2, 31, 33, 64, 65, 200])
def test_inverses_and_prefix_products_are_right_and_zero_stays_zero(device: CudaBackend, n: int) -> None:
    values = scalars(n)
    values[n // 2] = 0
    assert down(device, device.inverse(up(device, values))) == [pow(v, -1, r) if v else 0 for v in values]
    values[n // 2] = r - 1
    products, product = [], 1
    for v in values:
        product = product * v % r
        products.append(product)
    assert down(device, device.prefix_product(up(device, values))) == products


def test_a_prefix_product_of_many_shares_of_shares_is_right(device: CudaBackend) -> None:
    values = scalars(1100)
    last = 1
    for v in values:
        last = last * v % r
    assert down(device, device.prefix_product(up(device, values)))[-1] == last


def test_expressions_that_differ_in_a_number_are_one_kernel() -> None:
    first, second = (trace(lambda x, y, k=k: k * x * y - x * x + (-y), 2) for k in (3, 4))
    assert first.text == second.text
    assert (first.constants, second.constants) == ((3, 0), (4, 0))
    assert "square(" in first.text


def test_expressions_whose_numbers_happen_to_be_equal_are_the_same_kernel() -> None:
    first, second = (trace(lambda x, k=k: 2 * x + k, 1) for k in (2, 3))
    assert first.text == second.text
    assert (first.constants, second.constants) == ((2, 2), (2, 3))


def test_a_constant_expression_and_a_negative_number_are_expressions(device: CudaBackend) -> None:
    x = up(device, [5, 6])
    assert down(device, device.pointwise(lambda v: -7 - v, x)) == [r - 12, r - 13]
    assert down(device, device.pointwise(lambda v: -1, x)) == [r - 1] * 2


def test_pointwise_refuses_vectors_of_different_lengths(device: CudaBackend) -> None:
    with pytest.raises(LengthError):
        device.pointwise(lambda x, y: x * y, up(device, [1, 2]), up(device, [1]))


def test_a_curve_without_kernels_is_refused(driver: EmulatedDriver) -> None:
    class Other:
        name = "secp256k1"

    with pytest.raises(UsageError, match="no kernels for the curve secp256k1"):
        CudaBackend(driver, Other())  # type: ignore[arg-type]
