"""Transforms on the CPU against the definition, on all instruction sets."""

import weakref

import numpy as np
import pytest

from zkgpu.curves.bn254 import Fq, Fr
from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.cpu import CpuField
from zkgpu.jit.isa import supported
from zkgpu.ntt import cpu as cpu_module
from zkgpu.ntt import twiddles as twiddles_module
from zkgpu.ntt.cpu import intt, ntt
from zkgpu.ntt.domain import Domain
from zkgpu.ntt.plan import (
    FIRST,
    LAST,
    RADIX_LOG,
    SMALLEST_LOG,
    TAIL,
    TOGETHER,
    plan,
    subtransform_log,
    whole_passes,
)

P = Fr.modulus


@pytest.fixture(params=supported(), ids=lambda isa: isa.name)
def cpu(request):
    return CpuField(Fr, request.param, threads=1)


def random_limbs(n, seed=1):
    limbs = np.random.default_rng(seed).integers(0, 2**64, (n, 4), np.uint64)
    limbs[:, 3] %= P >> 192
    return limbs


def offsets(n):
    return {"roots": 1, "odd coset": Fr.root_of_unity(2 * n), "any coset": 7, "even coset": Fr.root_of_unity(4 * n)}


def evaluate(coefficients, x):
    value = 0
    for c in reversed(coefficients):
        value = (value * x + c) % P
    return value


@pytest.mark.parametrize("log_size", range(7))
@pytest.mark.parametrize("kind", offsets(1))
def test_short_transforms_agree_with_the_definition_everywhere(cpu, log_size, kind):
    n = 1 << log_size
    domain = Domain(Fr, n, offsets(n)[kind])
    coefficients = [P - 1, 1, 0, *Fr.from_limbs(random_limbs(n))][:n]
    values = cpu.to_integers(ntt(cpu, cpu.from_integers(coefficients), domain))
    points = [domain.offset * pow(domain.omega, int(i), P) for i in domain.bit_reversal]
    assert values == [evaluate(coefficients, x) for x in points]
    assert cpu.to_integers(intt(cpu, cpu.from_integers(values), domain)) == coefficients


@pytest.mark.parametrize("log_size", [7, 8, 9, 10, 11, 12, 13, 14])
@pytest.mark.parametrize("kind", offsets(1))
def test_longer_transforms_agree_with_the_definition_at_some_points(cpu, log_size, kind):
    n = 1 << log_size
    domain = Domain(Fr, n, offsets(n)[kind])
    vector = cpu.vector(random_limbs(n, log_size))
    coefficients, values = cpu.to_integers(vector), cpu.to_integers(ntt(cpu, vector, domain))
    for i in (0, 1, n // 2, n - 1, 0x5A5A5A % n):
        x = domain.offset * pow(domain.omega, int(domain.bit_reversal[i]), P) % P
        assert values[i] == evaluate(coefficients, x)


@pytest.mark.parametrize("log_size", range(17))
def test_the_inverse_gives_the_coefficients_back(cpu, log_size):
    n = 1 << log_size
    for offset in offsets(n).values():
        domain = Domain(Fr, n, offset)
        vector = cpu.vector(random_limbs(n, log_size))
        back = intt(cpu, ntt(cpu, vector, domain), domain)
        assert (back.blocks == vector.blocks).all()
        forth = ntt(cpu, intt(cpu, vector, domain), domain)
        assert (forth.blocks == vector.blocks).all()


@pytest.mark.slow
@pytest.mark.parametrize("log_size", [20, 21, 22])
def test_transforms_of_millions_agree_with_the_definition_and_invert(cpu, log_size):
    domain = Domain(Fr, 1 << log_size, Fr.root_of_unity(2 << log_size))
    vector = cpu.vector(random_limbs(domain.size))
    values = ntt(cpu, vector, domain)
    i = 12345
    x = domain.offset * pow(domain.omega, int(domain.bit_reversal[i]), P) % P
    assert Fr.from_limbs(cpu.limbs(values)[i : i + 1]) == [evaluate(cpu.to_integers(vector), x)]
    assert (intt(cpu, values, domain, in_place=True).blocks == vector.blocks).all()


def test_extreme_values_do_not_overflow(cpu):
    n = 1 << 14
    for value in (P - 1, 0, 1):
        vector = cpu.from_integers([value] * n)
        assert (intt(cpu, ntt(cpu, vector, Domain(Fr, n)), Domain(Fr, n)).blocks == vector.blocks).all()
        alternating = cpu.from_integers([value, P - value] * (n // 2))
        assert (intt(cpu, ntt(cpu, alternating, Domain(Fr, n)), Domain(Fr, n)).blocks == alternating.blocks).all()


@pytest.mark.parametrize("log_size", [12, 13, 16])
def test_threads_do_not_change_a_byte(cpu, log_size):
    domain = Domain(Fr, 1 << log_size, 7)
    vector = cpu.vector(random_limbs(domain.size))
    two = CpuField(Fr, cpu.isa, threads=2)
    assert (ntt(two, vector, domain).blocks == ntt(cpu, vector, domain).blocks).all()
    assert (intt(two, vector, domain).blocks == intt(cpu, vector, domain).blocks).all()


def test_arguments_are_left_alone_unless_told_otherwise(cpu):
    domain = Domain(Fr, 256)
    vector = cpu.vector(random_limbs(256))
    before = vector.blocks.copy()
    result = ntt(cpu, vector, domain)
    assert (vector.blocks == before).all()
    assert ntt(cpu, vector, domain, in_place=True) is vector
    assert (vector.blocks == result.blocks).all()
    assert intt(cpu, vector, domain, in_place=True) is vector
    assert (vector.blocks == before).all()


def test_wrong_lengths_and_foreign_vectors_are_refused(cpu):
    with pytest.raises(LengthError, match="5 entries but 8"):
        ntt(cpu, cpu.from_integers([1] * 5), Domain(Fr, 8))
    with pytest.raises(LengthError):
        intt(cpu, cpu.from_integers([1] * 9), Domain(Fr, 8))
    with pytest.raises(UsageError, match="BN254 Fq"):
        ntt(cpu, cpu.from_integers([1, 2]), Domain(Fq, 2))
    for isa in supported():
        if isa != cpu.isa:
            with pytest.raises(UsageError, match="convert"):
                ntt(cpu, CpuField(Fr, isa).from_integers([1] * 8), Domain(Fr, 8))


@pytest.mark.parametrize("log_lanes", [0, 3])
@pytest.mark.parametrize("group", [0, 1])
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("subtransform", [8, 12, 13, 14])
def test_a_plan_touches_every_block_in_every_stage_and_items_never_meet(log_lanes, group, inverse, subtransform):
    for log_size in (*range(SMALLEST_LOG, 16), 16 + log_lanes):
        blocks = 1 << (log_size - log_lanes)
        stages = np.zeros(blocks, np.int64)
        planned = plan(log_size, log_lanes, group, inverse, subtransform)
        for phase in planned.phases:
            touched = np.zeros(blocks, np.int64)
            for item in phase:
                mine = np.zeros(blocks, bool)
                for kind, offset, stride, columns, _, groups in item.tolist():
                    radix_log = RADIX_LOG if kind in (TAIL, FIRST, LAST) else kind
                    if kind == TAIL:
                        covered = offset + np.arange(groups << RADIX_LOG)
                    else:
                        starts = offset + (np.arange(groups) * stride << radix_log)
                        runs = starts[:, None] + np.arange(columns)
                        covered = (runs[..., None] + stride * np.arange(1 << radix_log)).ravel()
                    assert len(np.unique(covered)) == len(covered)
                    (done,) = np.unique(stages[covered])
                    at = log_size - radix_log - done if inverse else done
                    assert kind == TAIL or stride == blocks >> (at + radix_log)
                    stages[covered] += radix_log
                    mine[covered] = True
                touched += mine
            assert (touched == 1).all()
        assert (stages == log_size).all()


@pytest.mark.parametrize(("log_size", "passes"), [(12, 0), (13, 1), (17, 1), (18, 2), (20, 2), (22, 3), (24, 4)])
def test_a_large_cache_saves_passes_over_the_array(log_size, passes):
    large, small = (subtransform_log(cache) for cache in (1 << 20, 1 << 18))
    assert whole_passes(log_size, large) == passes <= whole_passes(log_size, small)
    assert len(plan(log_size, 3, 0, False, large).phases) == 1 + -(-passes // TOGETHER)


def test_all_plans_give_the_same_bytes(cpu, monkeypatch):
    domain = Domain(Fr, 1 << 17, Fr.root_of_unity(2 << 17))
    vector = cpu.vector(random_limbs(domain.size))
    results = []
    for cache in (1 << 18, 1 << 19, 1 << 20):
        monkeypatch.setattr(cpu_module, "second_level_cache", lambda cache=cache: cache)
        values = ntt(cpu, vector, domain)
        assert (intt(cpu, values, domain).blocks == vector.blocks).all()
        results.append(values.blocks)
    assert all((result == results[0]).all() for result in results)


def test_sizes_without_a_tile_are_the_only_small_ones():
    assert [log for log in range(10) if cpu_module._is_small(Domain(Fr, 1 << log))] == list(range(SMALLEST_LOG))


def test_of_long_transforms_one_table_is_kept(cpu, monkeypatch):
    monkeypatch.setattr(twiddles_module, "LONG", 9)
    domain, vector = Domain(Fr, 1 << 9), cpu.vector(random_limbs(1 << 9))
    again = intt(cpu, ntt(cpu, vector, domain), domain)
    assert np.array_equal(again.blocks, vector.blocks)
    assert twiddles_module._last.cache_info().currsize == 1


def test_of_long_transforms_a_table_goes_before_the_next_is_made(cpu, monkeypatch):
    monkeypatch.setattr(twiddles_module, "LONG", 9)
    seen, made, vectors = [], [], twiddles_module._powers

    def watched(*arguments):
        seen.append([table() for table in made])
        return vectors(*arguments)

    monkeypatch.setattr(twiddles_module, "_powers", watched)
    for inverse in (False, True, False):
        made.append(weakref.ref(twiddles_module.twiddles(Fr, cpu.isa, 10, 0, inverse)))
    assert seen
    assert not any(table is not None for tables in seen for table in tables)
