"""What every backend must do, said with Python integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zkgpu.backend import Backend
from zkgpu.backend.protocol import Vector
from zkgpu.circuits import SparseMatrix
from zkgpu.curves.bn254 import BN254, G1, G2, Fr
from zkgpu.curves.points import Group, Point, sum_points
from zkgpu.errors import LengthError
from zkgpu.ntt.domain import Domain

r = Fr.modulus
EDGES = [0, 1, 2, r - 1, r - 2, (1 << 52) - 1, 1 << 52, (1 << 64) - 1, 1 << 64, 1 << 253, r >> 1]
scalars = st.one_of(st.sampled_from(EDGES), st.integers(0, r - 1))
over_backends = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
lengths = pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 16, 63, 64, 65])
groups = pytest.mark.parametrize("group", [G1, G2], ids=["G1", "G2"])


def some_scalars(n: int, seed: int = 1) -> list[int]:
    """Edges first, then a fixed pseudo-random sequence."""
    values = list(EDGES[:n])
    x = seed
    while len(values) < n:
        x = (x * x + 12345678901234567890123) % r
        values.append(x)
    return values


def some_points(group: Group, n: int) -> list[Point]:
    """Multiples of the generator with infinity, repeats and opposites among them."""
    g = group.generator
    pattern = [g, g, -g, group.infinity, 2 * g, 3 * g, -(3 * g), 5 * g]
    return [pattern[i % len(pattern)] for i in range(n)]


def values_of(backend: Backend, vector: Vector) -> list[int]:
    return Fr.from_limbs(backend.limbs(vector))


@lengths
def test_a_vector_comes_back_as_it_went_in(backend: Backend, n: int) -> None:
    values = some_scalars(n)
    vector = backend.vector(Fr.to_limbs(values))
    assert len(vector) == n
    assert values_of(backend, vector) == values


@over_backends
@given(st.lists(st.tuples(scalars, scalars, scalars), min_size=1, max_size=20), scalars)
def test_pointwise_is_the_expression_entry_by_entry(backend: Backend, rows: list[tuple[int, int, int]], k: int) -> None:
    vectors = [backend.vector(Fr.to_limbs(column)) for column in zip(*rows, strict=True)]
    result = backend.pointwise(lambda x, y, z: k * x * y - z + 3 * (y - 1) - (-x), *vectors)
    assert values_of(backend, result) == [(k * x * y - z + 3 * (y - 1) + x) % r for x, y, z in rows]
    assert [values_of(backend, v) for v in vectors] == [list(c) for c in zip(*rows, strict=True)]


@pytest.mark.parametrize("log_size", range(8))
@pytest.mark.parametrize("offset", [1, 5])
def test_ntt_evaluates_the_polynomial_in_bit_reversed_order(backend: Backend, log_size: int, offset: int) -> None:
    domain = Domain(Fr, 1 << log_size, offset)
    coefficients = some_scalars(domain.size)
    evaluations = values_of(backend, backend.ntt(backend.vector(Fr.to_limbs(coefficients)), domain))
    for i in {0, 1, domain.size // 2, domain.size - 1} & set(range(domain.size)):
        x = offset * pow(domain.omega, int(domain.bit_reversal[i]), r) % r
        assert evaluations[i] == sum(c * pow(x, k, r) for k, c in enumerate(coefficients)) % r


@pytest.mark.parametrize("log_size", range(8))
@pytest.mark.parametrize("offset", [1, 7])
def test_intt_takes_evaluations_back_to_coefficients(backend: Backend, log_size: int, offset: int) -> None:
    domain = Domain(Fr, 1 << log_size, offset)
    coefficients = some_scalars(domain.size, seed=3)
    vector = backend.vector(Fr.to_limbs(coefficients))
    evaluations = backend.ntt(vector, domain)
    assert values_of(backend, backend.intt(evaluations, domain)) == coefficients
    in_place = backend.ntt(vector, domain, in_place=True)
    assert values_of(backend, in_place) == values_of(backend, evaluations)
    assert values_of(backend, backend.intt(in_place, domain, in_place=True)) == coefficients


def random_matrix(rows: int, columns: int, seed: int) -> tuple[SparseMatrix, list[dict[int, int]]]:
    """A matrix with empty rows, a full row, ones, minus ones and large values, and the same as dictionaries."""
    rng = np.random.default_rng(seed)
    values = [1, r - 1, 2, r - 3, 12345, *some_scalars(4, seed=seed)]
    dense: list[dict[int, int]] = []
    for row in range(rows):
        width = columns if row == 1 else int(rng.integers(0, min(columns, 5)))
        wires = rng.permutation(columns)[:width]
        dense.append({int(w): int(rng.integers(0, len(values))) for w in wires})
    indptr = np.cumsum([0, *(len(row) for row in dense)], dtype=np.int64)
    indices = np.array([w for row in dense for w in row], dtype=np.int32)
    ids = np.array([i for row in dense for i in row.values()], dtype=np.int32)
    matrix = SparseMatrix((rows, columns), indptr, indices, ids, Fr.to_limbs(values))
    return matrix, [{w: values[i] for w, i in row.items()} for row in dense]


def nonzero_scalars(n: int, seed: int = 1) -> list[int]:
    return [x or 5 for x in some_scalars(n, seed)]


scan_lengths = pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 16, 63, 64, 65, 200])


@scan_lengths
def test_inverse_times_the_vector_is_one(backend: Backend, n: int) -> None:
    values = nonzero_scalars(n, seed=2)
    inverses = values_of(backend, backend.inverse(backend.vector(Fr.to_limbs(values))))
    assert [x * y % r for x, y in zip(values, inverses, strict=True)] == [1] * n


@pytest.mark.parametrize("zeros", [{0}, {7}, {12}, {0, 1, 8}, set(range(13))])
def test_the_inverse_of_zero_is_zero_and_leaves_the_others_alone(backend: Backend, zeros: set[int]) -> None:
    values = [0 if i in zeros else x for i, x in enumerate(nonzero_scalars(13))]
    inverses = values_of(backend, backend.inverse(backend.vector(Fr.to_limbs(values))))
    assert inverses == [x and pow(x, -1, r) for x in values]


@scan_lengths
def test_prefix_product_multiplies_the_entries_up_to_each(backend: Backend, n: int) -> None:
    values, product, wanted = nonzero_scalars(n, seed=3), 1, []
    for x in values:
        product = product * x % r
        wanted.append(product)
    assert values_of(backend, backend.prefix_product(backend.vector(Fr.to_limbs(values)))) == wanted


@over_backends
@given(st.lists(scalars, min_size=1, max_size=40), scalars, scalars)
def test_quotient_times_divisor_plus_remainder_is_the_polynomial(
    backend: Backend, coefficients: list[int], root: int, leading: int
) -> None:
    vector = backend.vector(Fr.to_limbs(coefficients))
    quotient = values_of(backend, backend.divide_by_linear(vector, root, leading))
    remainder = (backend.evaluate(vector, root) + leading * pow(root, len(coefficients), r)) % r
    product = [(low - root * high) % r for low, high in zip([0, *quotient], [*quotient, 0], strict=True)]
    product[0] = (product[0] + remainder) % r
    assert product == [*coefficients, leading]


@scan_lengths
def test_evaluate_is_the_sum_of_coefficients_times_powers(backend: Backend, n: int) -> None:
    coefficients = some_scalars(n, seed=9)
    for x in (0, 1, r - 1, 12345):
        wanted = sum(c * pow(x, k, r) for k, c in enumerate(coefficients)) % r
        assert backend.evaluate(backend.vector(Fr.to_limbs(coefficients)), x) == wanted


def test_scans_leave_their_arguments_as_they_were(backend: Backend) -> None:
    values = nonzero_scalars(21)
    vector = backend.vector(Fr.to_limbs(values))
    for result in (backend.inverse(vector), backend.prefix_product(vector), backend.divide_by_linear(vector, 3, 4)):
        assert len(result) == 21
    assert values_of(backend, vector) == values


def test_scans_of_long_vectors_on_several_threads_agree_with_short_ones(backend: Backend) -> None:
    if backend.name == "reference":
        pytest.skip("long vectors are not for Python integers")
    n = (1 << 14) + 3
    values = nonzero_scalars(n, seed=8)
    vector = backend.vector(Fr.to_limbs(values))
    inverses = values_of(backend, backend.inverse(vector))
    assert all(x * y % r == 1 for x, y in zip(values, inverses, strict=True))
    value, product, wanted = 0, 1, []
    for x in values:
        product = product * x % r
        wanted.append(product)
    assert values_of(backend, backend.prefix_product(vector)) == wanted
    quotient = [9]
    for c in values[:0:-1]:
        quotient.append((c + 5 * quotient[-1]) % r)
    assert values_of(backend, backend.divide_by_linear(vector, 5, 9)) == quotient[::-1]
    for c in values[::-1]:
        value = (value * 5 + c) % r
    assert backend.evaluate(vector, 5) == value


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (4, 9), (16, 5), (33, 40)])
def test_matvec_sums_the_entries_of_each_row(backend: Backend, rows: int, columns: int) -> None:
    matrix, dense = random_matrix(rows, columns, seed=rows)
    z = some_scalars(columns, seed=5)
    product = backend.matvec(backend.matrix(matrix), backend.vector(Fr.to_limbs(z)))
    assert values_of(backend, product) == [sum(v * z[w] for w, v in row.items()) % r for row in dense]


def test_matvec_refuses_a_vector_of_another_length(backend: Backend) -> None:
    matrix, _ = random_matrix(4, 9, seed=1)
    with pytest.raises(LengthError):
        backend.matvec(backend.matrix(matrix), backend.vector(Fr.to_limbs([1] * 8)))


@groups
@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 9, 33])
def test_msm_is_the_sum_of_the_products(backend: Backend, group: Group, n: int) -> None:
    points, factors = some_points(group, n), some_scalars(n, seed=n + 1)
    total = backend.msm(backend.points(group, group.to_rows(points)), backend.vector(Fr.to_limbs(factors)))
    assert total == sum_points(group, (k * p for k, p in zip(factors, points, strict=True)))


@groups
@pytest.mark.parametrize(
    "factors",
    [[0] * 12, [1] * 12, [r - 1] * 12, [0, 1] * 6, [1 << 200] * 12, [1] * 11 + [r - 1]],
    ids=["zeros", "ones", "minus ones", "bits", "one bucket", "one large"],
)
@pytest.mark.parametrize("kind", ["equal", "opposite", "infinity"])
def test_msm_is_right_for_degenerate_points_and_scalars(
    backend: Backend, group: Group, factors: list[int], kind: str
) -> None:
    g = 9 * group.generator
    points = {"equal": [g] * 12, "opposite": [g, -g] * 6, "infinity": [group.infinity] * 12}[kind]
    total = backend.msm(backend.points(group, group.to_rows(points)), backend.vector(Fr.to_limbs(factors)))
    assert total == sum_points(group, (k * p for k, p in zip(factors, points, strict=True)))


def test_msm_refuses_lengths_that_differ(backend: Backend) -> None:
    points = backend.points(G1, G1.to_rows([G1.generator]))
    with pytest.raises(LengthError):
        backend.msm(points, backend.vector(Fr.to_limbs([1, 2])))


@over_backends
@given(data=st.data())
def test_msm_of_small_multisets_is_right(backend: Backend, data: st.DataObject) -> None:
    terms = data.draw(st.lists(st.tuples(st.integers(-3, 3), scalars), min_size=1, max_size=24))
    points = [(m % r) * G1.generator for m, _ in terms]
    vector = backend.vector(Fr.to_limbs([k for _, k in terms]))
    total = backend.msm(backend.points(G1, G1.to_rows(points)), vector)
    assert total == (sum(m * k for m, k in terms) % r) * G1.generator


def test_msm_many_gives_each_msm_in_order(backend: Backend) -> None:
    z = backend.vector(Fr.to_limbs(some_scalars(9)))
    pairs = [(backend.points(group, group.to_rows(some_points(group, 9))), z) for group in (G1, G2, G1)]
    assert backend.msm_many(pairs) == [backend.msm(points, scalars) for points, scalars in pairs]


@groups
def test_fixed_base_multiplies_one_point_by_each_scalar(backend: Backend, group: Group) -> None:
    factors = some_scalars(19)
    base = 3 * group.generator
    rows = backend.fixed_base(base, backend.vector(Fr.to_limbs(factors)))
    assert group.from_rows(rows) == [k * base for k in factors]


@groups
@pytest.mark.parametrize("k", [0, 1, 2, r - 1, 12345678901234567890])
def test_scale_points_multiplies_each_point_by_one_scalar(backend: Backend, group: Group, k: int) -> None:
    points = some_points(group, 11)
    assert group.from_rows(backend.scale_points(group, group.to_rows(points), k)) == [k * p for p in points]


@groups
def test_combine_points_is_a_sparse_matrix_times_points(backend: Backend, group: Group) -> None:
    matrix, dense = random_matrix(9, 12, seed=4)
    points = some_points(group, 12)
    rows = backend.combine_points(group, matrix, group.to_rows(points))
    assert group.from_rows(rows) == [sum_points(group, (v * points[w] for w, v in row.items())) for row in dense]


@groups
def test_canonical_rows_are_the_plain_coordinates(backend: Backend, group: Group) -> None:
    points = some_points(group, 9)
    rows = backend.canonical_rows(group, group.to_rows(points))
    assert rows.shape == (9, group.row_limbs)
    plain = group.base_field.from_limbs(rows.reshape(-1, group.base_field.limbs))
    assert plain == [c for p in points for c in p.coordinates()]


@groups
@pytest.mark.parametrize("at", [0, 5, 8])
def test_an_invalid_point_is_found_wherever_it_is(backend: Backend, group: Group, at: int) -> None:
    rows = group.to_rows(some_points(group, 9))
    assert backend.first_invalid_point(group, rows) is None
    off_curve = rows.copy()
    off_curve[at] = group.to_rows([Point(group, group.generator.x, group.field.one)])[0]
    found = backend.first_invalid_point(group, off_curve)
    assert found is not None
    assert found[0] == at
    assert "curve" in found[1]
    too_large = rows.copy()
    too_large[at, :4] = 2**64 - 1
    found = backend.first_invalid_point(group, too_large)
    assert found is not None
    assert found[0] == at
    assert "modulus" in found[1]


def point_outside_the_subgroup() -> Point:
    """A point of the twist whose order is not r: almost every one."""
    f = G2.field
    for c in range(1, 100):
        y = f.sqrt(f.add(f.mul(f.square((c, 1)), (c, 1)), G2.b))
        if y is not None and not Point(G2, (c, 1), y).is_in_subgroup():
            return Point(G2, (c, 1), y)
    raise AssertionError("no point found")


@pytest.mark.parametrize("at", [0, 7, 9])
def test_a_point_outside_the_subgroup_is_found(backend: Backend, at: int) -> None:
    points = some_points(G2, 10)
    points[at] = point_outside_the_subgroup()
    found = backend.first_invalid_point(G2, G2.to_rows(points))
    assert found is not None
    assert found[0] == at
    assert "subgroup" in found[1]


def test_the_backend_says_which_curve_it_computes_on(backend: Backend) -> None:
    assert backend.curve is BN254
    assert backend.name
