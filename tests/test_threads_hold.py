"""A number of threads that was given holds for all that is done, also beside the backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zkgpu import groth16, open_backend, plonk
from zkgpu.backend.beside import at_most
from zkgpu.circuits import Circuit
from zkgpu.circuits.gadgets.limbs import assert_in_range
from zkgpu.circuits.r1cs import R1CS
from zkgpu.formats.r1cs import write_r1cs
from zkgpu.formats.wtns import write_wtns
from zkgpu.jit import threads
from zkgpu.store import digests
from zkgpu.systems.files import read_key, write_key


class NoPool:
    """Stands for the pool of threads, which nothing may use."""

    def submit(self, *_: object) -> Any:
        raise AssertionError("another thread was given work")


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread but the calling one works; all that could be shared out among cores is long enough for it."""
    monkeypatch.setattr(threads, "shared_pool", NoPool)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(digests, "_LEAF_BYTES", 1 << 10)


def circuit(n: int = 60_000) -> Any:
    """Enough entries for the compiled check of constraints."""
    c = Circuit()
    x = c.private("x", n)
    c.output("y", (x * x).sum())
    return c.compile()


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("system", [groth16, plonk], ids=["groth16", "plonk"])
def test_one_thread_sets_up_writes_reads_checks_and_proves(system: Any, tmp_path: Path) -> None:
    compiled = circuit(60_000 if system is groth16 else 500)
    backend = open_backend("cpu", threads=1)
    key = system.unsafe_setup(compiled.r1cs, backend)
    write_key(tmp_path / "key.zkey", key)
    with at_most(1):
        key = read_key(tmp_path / "key.zkey", backend.first_invalid_point)
        assignment = compiled.witness({"x": np.arange(compiled.inputs[0].size)})
    prover = system.Prover(key, backend, circuit=compiled.r1cs)
    assert prover.prove(assignment)


@pytest.mark.usefixtures("one_thread")
def test_one_thread_computes_the_witness_of_a_circuit_with_challenges() -> None:
    c = Circuit()
    assert_in_range(c.public_array("x", 9000, bits=8) * 3 + 5, 11)
    compiled, backend = c.compile(), open_backend("cpu", threads=1)
    prover = groth16.Prover(groth16.unsafe_setup(compiled.r1cs, backend), backend)
    assert prover.prove_circuit(compiled, {"x": np.arange(9000) % 256})


@pytest.mark.usefixtures("one_thread")
def test_the_option_of_the_command_line_holds_for_checks_and_digests(tmp_path: Path, command: Any) -> None:
    compiled = circuit()
    write_r1cs(tmp_path / "c.r1cs", compiled.r1cs)
    with at_most(1):
        write_wtns(tmp_path / "w.wtns", compiled.r1cs.field, compiled.witness({"x": np.arange(60_000)}))
    common = ("--threads", 1, "--device", "cpu")
    outputs = ("--proof", tmp_path / "p.json", "--public", tmp_path / "q.json")
    for arguments in (
        ("check", tmp_path / "c.r1cs", tmp_path / "w.wtns"),
        ("setup", "--unsafe", tmp_path / "c.r1cs", tmp_path / "k.zkey"),
        ("prove", tmp_path / "k.zkey", tmp_path / "w.wtns", *outputs),
        ("export", "vk", tmp_path / "k.zkey", tmp_path / "vk.json"),
    ):
        outcome = command(*common, *arguments)
        assert outcome.code == 0, outcome


@pytest.mark.usefixtures("one_thread")
def test_without_a_number_more_threads_are_asked() -> None:
    """Else the tests above would show nothing."""
    compiled = circuit()
    with pytest.raises(AssertionError, match="another thread"):
        compiled.witness({"x": np.arange(60_000)})
    assert isinstance(compiled.r1cs, R1CS)


def test_a_number_within_a_number_ends_with_its_block() -> None:
    with at_most(3):
        with at_most(None):
            assert threads.available_threads() == 3
        with at_most(1):
            assert threads.available_threads() == 1
        assert threads.available_threads() == 3
