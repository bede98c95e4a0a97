"""Buckets summed in affine form on the emulated device: the laws of all backends, and every case of an addition."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver
from tests.laws.test_backend_laws import (  # noqa: F401 (laws that run here once more)
    test_msm_is_right_for_degenerate_points_and_scalars,
    test_msm_is_the_sum_of_the_products,
    test_msm_many_gives_each_msm_in_order,
    test_msm_of_small_multisets_is_right,
)
from zkgpu.backend.cuda import CudaBackend
from zkgpu.curves.bn254 import BN254, G1, G2, Fr
from zkgpu.curves.points import Group
from zkgpu.gpu.elements import point, point_source
from zkgpu.gpu.program import U32, Program, Programs, upload
from zkgpu.msm import cuda_pairs
from zkgpu.msm.cuda_lists import WorkLists
from zkgpu.msm.cuda_pairs import AffineRounds, Terms

r = Fr.modulus
groups = pytest.mark.parametrize("group", [G1, G2], ids=["G1", "G2"])


@pytest.fixture
def few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if 32 threads filled the device and one addition were worth an inversion."""
    monkeypatch.setattr(cuda_pairs, "threads_that_fill", lambda program, point: 32)
    monkeypatch.setattr(cuda_pairs, "LEAST_BATCH", 1)


@pytest.fixture
def backend(driver: EmulatedDriver, few_threads: None) -> CudaBackend:
    return CudaBackend(driver, BN254)


class Sums:
    """Runs of multiples of a generator, summed on the device by affine rounds."""

    def __init__(self, driver: EmulatedDriver, group: Group):
        self.driver, self.group = driver, group
        self.degree = group.row_limbs // (2 * group.base_field.limbs)

    def rounds(self, threads: int, batch: int, kind: type[AffineRounds] = AffineRounds) -> AffineRounds:
        programs = Programs(self.driver)
        program = programs(point_source("bn254", self.degree, "msm.cu"))
        return kind(program, WorkLists(programs, "bn254"), self.degree, threads, batch)

    def points(self, logs: Sequence[int]) -> np.ndarray:
        multiples = {k: k % r * self.group.generator for k in set(logs)}
        return self.group.to_rows(multiples[k] for k in logs)

    def halved(self, logs: list[list[int]], listed: bool, threads: int = 32) -> Terms:
        """Terms whose points or entries are these, after one round."""
        flat = [k for run in logs for k in run]
        starts = np.cumsum([0, *(len(run) for run in logs)]).astype(np.uint32)
        bases = sorted({abs(k) for k in flat}) if listed else flat
        entries = np.array([bases.index(abs(k)) | (k < 0) << 31 for k in flat] if listed else [], np.uint32)
        points = upload(self.driver, point(self.degree), self.points(bases))
        lists = upload(self.driver, U32, entries) if listed else None
        terms = Terms(points, lists, upload(self.driver, U32, starts), len(flat))
        return self.rounds(threads, batch=1).halved(terms)

    def check(self, logs: list[list[int]], listed: bool, threads: int = 32) -> None:
        halved = self.halved(logs, listed, threads)
        wanted = [sum(run[i : i + 2]) for run in logs for i in range(0, len(run), 2)]
        assert np.diff(halved.starts.read(np.uint32)).tolist() == [-(-len(run) // 2) for run in logs]
        n, field = len(wanted), self.group.base_field
        words = halved.points.read(np.uint64).reshape(-1, field.limbs)[: n * 2 * self.degree]
        exact = [
            field.from_montgomery_limbs(words[i : i + 2 * self.degree]) for i in range(0, len(words), 2 * self.degree)
        ]
        assert exact == [list((k % r * self.group.generator).coordinates()) for k in wanted]


CASES = [[1, 2], [3, 3], [4, -4], [0, 5], [6, 0], [0, 0], [7], [0], [], [-1, -1, 2, 9, 9], [8, -8, -8, 3]]


@groups
@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("threads", [32, 64])
def test_every_case_of_an_addition_shares_an_inversion(
    driver: EmulatedDriver, group: Group, listed: bool, threads: int
) -> None:
    Sums(driver, group).check(CASES * 7, listed, threads)


@pytest.mark.parametrize("n", [1, 2, 3, 31, 32, 33, 63, 64, 65, 70])
def test_a_run_of_any_length_is_halved(driver: EmulatedDriver, n: int) -> None:
    Sums(driver, G1).check([[i % 11 - 5 for i in range(n)]], listed=True)


def test_runs_are_halved_until_an_inversion_costs_more_than_it_saves(driver: EmulatedDriver) -> None:
    array = upload(driver, U32, np.zeros(3, np.uint32))
    terms = Terms(array, None, array, 100)
    assert terms.additions == 49
    for batch, rounds in [(50, 0), (49, 1), (24, 2), (12, 3), (1, 7)]:
        seen = []

        class Counted(AffineRounds):
            def halved(self, terms: Terms, seen: list[int] = seen) -> Terms:
                seen.append(terms.bound)
                return Terms(array, None, array, terms.bound - terms.additions)

        Sums(driver, G1).rounds(1, batch, Counted).shortened(terms)
        assert len(seen) == rounds


def test_as_many_threads_share_the_inversions_as_the_device_runs_at_once(
    emulated: EmulatedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = point_source("bn254", 1, "msm.cu")
    monkeypatch.setattr(EmulatedDriver, "blocks_at_once", lambda self, module, kernel, threads, shared: 3)
    assert cuda_pairs.threads_that_fill(Program(emulated, source), point(1)) == 3 * 128
    silent: Any = SimpleNamespace(compile=lambda source: None)
    assert cuda_pairs.threads_that_fill(Program(silent, source), point(1)) == cuda_pairs.THREADS


def test_both_ways_of_adding_give_the_same_sum(driver: EmulatedDriver, few_threads: None) -> None:
    factors = [pow(3, 5 * i, r) if i % 3 else i for i in range(70)]
    rows = Sums(driver, G1).points([i % 13 for i in range(70)])
    totals = []
    for affine in (True, False):
        backend = CudaBackend(driver, BN254, affine=affine)
        totals.append(backend.msm(backend.points(G1, rows), backend.vector(Fr.to_limbs(factors))))
    assert totals[0] == totals[1] == sum(k * (i % 13) for i, k in enumerate(factors)) % r * G1.generator
