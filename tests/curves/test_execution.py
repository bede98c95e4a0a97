"""When schedules run on Python integers and when on the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zkgpu.curves import BN254, execution
from zkgpu.curves.machine import Calls
from zkgpu.curves.pairing import is_in_subgroup_g2, pairing, pairing_product_is_one, small_msm
from zkgpu.curves.sums import _adder

G1, G2 = BN254.g1.generator, BN254.g2.generator


@pytest.fixture(params=[0, sys.maxsize], ids=["kernel", "python"])
def budget(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(execution, "PYTHON_CALLS", request.param)
    monkeypatch.setattr(execution, "_is_compiled", lambda field: False)
    return request.param


def test_both_ways_give_the_same_verdicts(budget: int) -> None:
    del budget
    assert pairing_product_is_one([(G1 * 6, G2), (G1 * -2, G2 * 3)])
    assert not pairing_product_is_one([(G1 * 6, G2), (G1 * -2, G2 * 4)])
    assert is_in_subgroup_g2(G2 * 5)
    assert small_msm([G1, G1 * 2, BN254.g1.infinity], [3, -5, 9]) == G1 * -7
    assert small_msm([G2, G2 * 2], [3, -5]) == G2 * -7


def test_both_ways_give_the_same_value(monkeypatch: pytest.MonkeyPatch) -> None:
    values = []
    monkeypatch.setattr(execution, "_is_compiled", lambda field: False)
    for budget in (0, sys.maxsize):
        monkeypatch.setattr(execution, "PYTHON_CALLS", budget)
        values.append(pairing(G1 * 77, G2 * 88))
    assert values[0] == values[1]


def test_one_verification_loads_no_compiler_and_the_tenth_runs_compiled(tmp_path: Path) -> None:
    script = """
import sys
from zkgpu.curves import BN254
from zkgpu.curves.pairing import pairing_product_is_one
p, q = BN254.g1.generator, BN254.g2.generator
pairs = [(p, q), (-p, q), (p, q), (-p, q)]
print(pairing_product_is_one(pairs), "numba" in sys.modules)
for _ in range(9):
    verdict = pairing_product_is_one(pairs)
print(verdict, "numba" in sys.modules)
"""
    environment = {**os.environ, "ZKGPU_CACHE_DIR": str(tmp_path / "cache")}
    said = [subprocess.check_output([sys.executable, "-c", script], env=environment, text=True) for _ in range(2)]
    assert said[0].split() == ["True", "False", "True", "True"]
    assert said[1].split() == ["True", "False", "True", "False"], "what is compiled needs no compiler"


def test_a_long_product_goes_to_the_kernel_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, used = execution.run_bound, []
    monkeypatch.setattr(execution, "_spent", execution._Spent())
    monkeypatch.setattr(execution, "run_bound", lambda *a: used.append(a) or compiled(*a))
    assert pairing_product_is_one([(G1, G2), (-G1, G2)] * 40)
    assert len(used) == 1


def test_calls_count_towards_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_spent", execution._Spent())
    x, y, z = execution.run_calls(
        _adder(BN254.g1), Calls(np.array([[1, 0, 0, 0, 0]], np.int32), 3), [*G1.coordinates(), 1], 3
    )
    assert execution._spent.calls == 1
    assert (x, y) == tuple(c * z % BN254.g1.base_field.modulus for c in (G1 * 2).coordinates())


def test_a_verification_asks_nothing_of_a_cache_that_has_no_kernel(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    environment = {**os.environ, "ZKGPU_CACHE_DIR": str(tmp_path / "file" / "cache")}
    script = """
from zkgpu.curves import BN254
from zkgpu.curves.pairing import pairing_product_is_one
p, q = BN254.g1.generator, BN254.g2.generator
print(pairing_product_is_one([(p, q), (-p, q)]))
"""
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
