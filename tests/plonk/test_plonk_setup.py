"""What a PLONK key takes is computed before it is made: snarkjs' format has a polynomial for each public value."""

from __future__ import annotations

import resource
import time
from importlib import import_module
from pathlib import Path

import pytest

from zkgpu import plonk
from zkgpu.backend import open_backend
from zkgpu.backend.machine import available_memory
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.circuits import Circuit
from zkgpu.errors import ResourceError
from zkgpu.plonk.arithmetize import arithmetize
from zkgpu.plonk.zkey import write_plonk_zkey

setup = import_module("zkgpu.plonk.setup")  # the package's name for the verb hides the module
POWERS = Path(__file__).parents[1] / "data" / "samples" / "pot6_final.ptau"


def circuit(outputs):
    circuit = Circuit()
    x = circuit.private("x", shape=outputs)
    circuit.output("y", x * x)
    return circuit.compile().r1cs


def test_a_key_larger_than_the_memory_is_refused_before_any_work(monkeypatch):
    """Ten thousand outputs: 52 GB, which took minutes until the process was killed."""
    r1cs = circuit(10_000)
    assert setup.key_bytes(arithmetize(r1cs)) > 50e9
    monkeypatch.setattr(setup, "available_memory", lambda: 16 << 30)
    begun = time.process_time()
    for make in (lambda: plonk.unsafe_setup(r1cs, None), lambda: plonk.setup(r1cs, read_ptau(POWERS), None)):
        with pytest.raises(ResourceError, match=r"10,000 public values .* 52\.\d GB, and 17\.2 GB"):
            make()
    assert time.process_time() - begun < 10


def test_what_is_told_is_what_the_file_takes(tmp_path):
    r1cs = circuit(12)
    write_plonk_zkey(tmp_path / "key.zkey", plonk.unsafe_setup(r1cs, open_backend("cpu")))
    predicted = setup.key_bytes(arithmetize(r1cs))
    assert 0.9 < (tmp_path / "key.zkey").stat().st_size / predicted < 1.2


def test_available_memory_is_that_of_the_machine_or_of_the_process(monkeypatch):

    assert available_memory() > 1 << 20
    monkeypatch.setattr(resource, "getrlimit", lambda what: (1 << 20, resource.RLIM_INFINITY))
    assert available_memory() == 0
