"""Vectors on the CPU against Python integers, on all instruction sets."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkgpu.curves.bn254 import Fq, Fr
from zkgpu.errors import LengthError, UsageError
from zkgpu.fields import cpu as cpu_module
from zkgpu.fields import cpu_matrix as matrix_module
from zkgpu.fields.cpu import CpuField, borrowed
from zkgpu.fields.cpu_matrix import cpu_matrix, matvec
from zkgpu.fields.trace import trace
from zkgpu.jit.isa import supported

P = Fr.modulus
EDGES = [0, 1, 2, P - 1, P - 2, 1 << 52, (1 << 52) - 1, 1 << 64, (1 << 64) - 1, 1 << 208, 1 << 192, P >> 1]


@pytest.fixture(params=supported(), ids=lambda isa: isa.name)
def cpu(request):
    return CpuField(Fr, request.param)


def values_of(n, seed=0):
    return (EDGES + [pow(7, seed + k, P) for k in range(1, n + 1)])[:n] if n < 1000 else _random(n, seed)


def _random(n, seed):
    words = np.random.default_rng(seed).integers(0, 2**62, (n, 4), np.uint64)
    return [v % P for v in Fr.from_limbs(words)]


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 64, 100])
def test_conversions_keep_every_value(cpu, n):
    values = values_of(n)
    assert cpu.to_integers(cpu.from_integers(values)) == values
    montgomery = Fr.to_montgomery_limbs(values)
    assert cpu.to_integers(cpu.vector_from_montgomery(montgomery)) == values
    assert (cpu.montgomery_limbs(cpu.from_integers(values)) == montgomery).all()


def test_blocks_hold_montgomery_form_with_zeros_behind(cpu):
    vector = cpu.from_integers([3])
    words = vector.blocks[0, :, 0].tolist()
    value = sum(word << (cpu.isa.limb_bits * j) for j, word in enumerate(words))
    assert value == 3 * cpu.layout.montgomery_factor % P
    shifted = cpu.pointwise(lambda x: x + 1, vector)
    assert not shifted.blocks[0, :, 1:].any()


def test_integers_beyond_the_modulus_are_reduced(cpu):
    limbs = np.full((3, 4), 2**64 - 1, np.uint64)
    assert cpu.to_integers(cpu.vector(limbs)) == [(2**256 - 1) % P] * 3


EXPRESSIONS = {
    "product": (2, lambda x, y: x * y),
    "quotient of Groth16": (3, lambda x, y, z: x * y - z),
    "constants on either side": (1, lambda x: 5 - (x * 3 + 7) * (P + 2) + -x),
    "shared subexpressions": (2, lambda x, y: (x + y) * (x + y) - (x + y) * (x - y)),
    "powers": (1, lambda x: x**5 + x**2 - x),
    "many registers": (
        4,
        lambda a, b, c, d: (
            (((a * b) + (c * d)) * ((a - b) * (c - d))) - ((a * c + b) * (b * d - a) + (a * d) * (b * c))
        ),
    ),
    "the argument itself": (2, lambda x, y: y),
    "dead code": (2, lambda x, y: [x * y, x + 9, x - y][2]),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("n", [1, 8, 100, 1000])
def test_pointwise_agrees_with_the_function_on_integers(cpu, name, n):
    arity, function = EXPRESSIONS[name]
    columns = [values_of(n, seed=3 * k)[k:] + values_of(n)[:k] for k in range(arity)]
    result = cpu.pointwise(function, *map(cpu.from_integers, columns))
    assert cpu.to_integers(result) == [function(*row) % P for row in zip(*columns, strict=True)]


def test_pointwise_may_overwrite_an_argument(cpu):
    x = cpu.from_integers(values_of(50))
    result = cpu.pointwise(lambda x, y: x * y - x, x, x, out=x)
    assert result is x
    assert cpu.to_integers(x) == [(v * v - v) % P for v in values_of(50)]


def test_tracing_numbers_each_distinct_operation_once():
    program = trace(lambda x, y: (x * y + 1) * (x * y + (1 + P)), 2, P)
    assert program.constants == (1,)
    assert [operator for operator, _, _ in program.steps] == ["*", "+", "*"]
    assert trace(lambda x: x**65536, 1, P).steps[-1] == ("*", 15, 15)


def test_what_is_not_arithmetic_is_refused(cpu):
    x = cpu.from_integers([1, 2])
    with pytest.raises(UsageError, match=r"1\.5"):
        cpu.pointwise(lambda v: v * 1.5, x)
    with pytest.raises(UsageError, match="must return"):
        cpu.pointwise(lambda v: 3, x)
    with pytest.raises(UsageError, match="power"):
        cpu.pointwise(lambda v: v**-1, x)
    with pytest.raises(UsageError, match="at least one"):
        cpu.pointwise(lambda: 1)


def test_lengths_fields_and_paths_must_agree(cpu):
    x, y = cpu.from_integers([1, 2]), cpu.from_integers([1, 2, 3])
    with pytest.raises(LengthError, match="2 and 3"):
        cpu.pointwise(lambda a, b: a + b, x, y)
    with pytest.raises(LengthError):
        cpu.multiply_by_powers(x, 3, out=y)
    with pytest.raises(UsageError, match="Fq"):
        cpu.pointwise(lambda a: a + 1, CpuField(Fq, cpu.isa).from_integers([1, 2]))
    with pytest.raises(UsageError, match="uint64"):
        cpu.vector(np.zeros((3, 5), np.uint64))


@pytest.mark.parametrize("n", [1, 9, 100])
def test_multiplying_by_powers_agrees_with_integers(cpu, n):
    base, scale, values = 5**77 % P, P - 9, values_of(n)
    expected = [v * scale * pow(base, i, P) % P for i, v in enumerate(values)]
    vector = cpu.from_integers(values)
    assert cpu.to_integers(cpu.multiply_by_powers(vector, base, scale)) == expected
    cpu.multiply_by_powers(vector, base, scale, out=vector)
    assert cpu.to_integers(vector) == expected


def test_threads_do_not_change_a_byte(cpu):
    one, three = (CpuField(Fr, cpu.isa, threads) for threads in (1, 3))
    limbs = Fr.to_limbs(_random(20_001, 5))
    results = []
    for field in (one, three):
        x = field.vector(limbs)
        y = field.pointwise(lambda a: a * a - 3, field.multiply_by_powers(x, 11, 5))
        results.append((x.blocks.tobytes(), y.blocks.tobytes(), field.limbs(y).tobytes()))
    assert results[0] == results[1]


def dense_to_rows(matrix):
    """indptr, indices, coefficient and table of a dense matrix of integers."""
    entries = [(i, j, v % P) for i, row in enumerate(matrix) for j, v in enumerate(row) if v]
    table = sorted({v for _, _, v in entries})
    counts = np.bincount([i for i, _, _ in entries], minlength=len(matrix)) if entries else np.zeros(len(matrix), int)
    return (
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.array([j for _, j, _ in entries], np.int32),
        np.array([table.index(v) for _, _, v in entries], np.int32),
        Fr.to_limbs(table),
    )


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_matvec_agrees_with_integers(data):
    cpu = CpuField(Fr, data.draw(st.sampled_from(supported())))
    rows, columns = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 12))
    entry = st.sampled_from([0, 0, 0, 1, 1, -1, -1, 2, P - 2, 5**100, P >> 1])
    matrix = data.draw(st.lists(st.lists(entry, min_size=columns, max_size=columns), min_size=rows, max_size=rows))
    x = data.draw(st.lists(st.sampled_from(EDGES), min_size=columns, max_size=columns))
    result = matvec(cpu, cpu_matrix(cpu, (rows, columns), *dense_to_rows(matrix)), cpu.from_integers(x))
    assert cpu.to_integers(result) == [sum(a * b for a, b in zip(row, x, strict=True)) % P for row in matrix]


@pytest.mark.parametrize("coefficient", [1, -1, P - 2])
def test_rows_far_longer_than_a_total_holds_are_summed_right(cpu, coefficient):
    n = 5000
    indptr = np.array([0, n, n, n + 3, 2 * n + 3], np.int64)
    indices = np.concatenate([np.arange(n), [0, 1, 2], np.arange(n)]).astype(np.int32)
    matrix = cpu_matrix(cpu, (4, n), indptr, indices, np.zeros(2 * n + 3, np.int32), Fr.to_limbs([coefficient]))
    x = [P - 1 - k % 3 for k in range(n)]
    total = coefficient * sum(x)
    assert cpu.to_integers(matvec(cpu, matrix, cpu.from_integers(x))) == [
        v % P for v in (total, 0, coefficient * sum(x[:3]), total)
    ]


def test_threads_do_not_change_a_matrix_product(cpu):
    rng = np.random.default_rng(2)
    rows, columns = 3000, 1000
    counts = rng.integers(0, 9, rows)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    indices = rng.integers(0, columns, indptr[-1]).astype(np.int32)
    coefficient = rng.integers(0, 6, indptr[-1]).astype(np.int32)
    table = [1, P - 1, 2, 12345, 7**200 % P, P - 5]
    x = _random(columns, 9)
    expected = [0] * rows
    for row in range(rows):
        for k in range(indptr[row], indptr[row + 1]):
            expected[row] += table[coefficient[k]] * x[indices[k]]
    for threads in (1, 2):
        field = CpuField(Fr, cpu.isa, threads)
        matrix = cpu_matrix(field, (rows, columns), indptr, indices, coefficient, Fr.to_limbs(table))
        assert field.to_integers(matvec(field, matrix, field.from_integers(x))) == [v % P for v in expected]


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 200])
def test_vectors_are_spread_some_elements_at_a_time(cpu, monkeypatch, n):
    limbs = Fr.to_limbs(range(5, 5 + n))
    wanted = cpu.spread(cpu.vector(limbs))
    monkeypatch.setattr(cpu_module, "SPREAD_SIZE", 64)
    for vector in (cpu.vector(limbs), borrowed(cpu, limbs)):
        assert np.array_equal(cpu.spread(vector)[:n], wanted[:n])


@pytest.mark.parametrize("block", [1, 2, 5, 1000])
def test_rows_of_each_kind_are_counted_by_blocks(cpu, monkeypatch, block):
    monkeypatch.setattr(matrix_module, "BLOCK", block)
    rng = np.random.default_rng(3)
    indptr = np.concatenate([[0, 0, 0], np.cumsum(rng.integers(0, 4, 20)), [0, 0]])
    indptr[-2:] = indptr[-3]
    chosen = rng.integers(0, 2, indptr[-1]).astype(bool)
    before = np.concatenate([[0], np.cumsum(chosen)])
    assert matrix_module._pointers(indptr, chosen).tolist() == before[indptr].tolist()


PROGRAM = """
import numpy as np
from zkgpu.curves.bn254 import Fr
from zkgpu.fields.cpu import CpuField
from zkgpu.fields.cpu_matrix import cpu_matrix, matvec
from zkgpu.jit.isa import choose

cpu = CpuField(Fr, choose())
arrays = np.array([0, 2, 3], np.int64), np.array([0, 1, 1], np.int32), np.array([0, 1, 0], np.int32)
matrix = cpu_matrix(cpu, (2, 2), *arrays, Fr.to_limbs([2, 9]))
print(cpu.to_integers(matvec(cpu, matrix, cpu.from_integers([3, 5]))))
"""


def test_code_from_the_disk_cache_computes_what_fresh_code_does(cpu, tmp_path):
    variables = {"ZKGPU_CACHE_DIR": str(tmp_path / "cache"), "ZKGPU_CPU_PATH": cpu.isa.name}
    environment = {**os.environ, **variables, "PYTHONPATH": str(Path(__file__).parents[2])}
    for _ in range(2):
        command = [sys.executable, "-c", PROGRAM]
        output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        assert output.strip() == str([2 * 3 + 9 * 5, 2 * 5])


def test_arrays_that_are_no_matrix_are_refused(cpu):
    def build(shape=(2, 3), indptr=(0, 1, 2), indices=(0, 2), coefficient=(0, 0)):
        arrays = (np.array(indptr, np.int64), np.array(indices, np.int32), np.array(coefficient, np.int32))
        return cpu_matrix(cpu, shape, *arrays, Fr.to_limbs([5]))

    assert build().entries == 2
    for wrong in [
        {"indptr": (0, 1)},
        {"indptr": (0, 3, 2)},
        {"indptr": (1, 1, 2)},
        {"indptr": (0, 1, 3)},
        {"indices": (0, 3)},
        {"indices": (-1, 0)},
        {"coefficient": (0, 1)},
        {"coefficient": (0, -1)},
        {"coefficient": (0,)},
    ]:
        with pytest.raises(UsageError):
            build(**wrong)
    with pytest.raises(LengthError, match="3 matrix columns"):
        matvec(cpu, build(), cpu.from_integers([1]))
