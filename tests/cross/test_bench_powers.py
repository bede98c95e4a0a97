"""The benches' powers of tau, made in seconds with a known tau, are to zkgpu and snarkjs what a ceremony's file is."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from zkgpu import open_backend
from zkgpu.ceremony.powers import verify_powers
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.groth16.ceremony import verify_key
from zkgpu.groth16.setup import _key_without_contribution, setup
from zkgpu.groth16.zkey import read_zkey

ROOT = Path(__file__).parents[2]
POWER = 10


@pytest.fixture(scope="module")
def powers_file(tmp_path_factory):
    known_powers = runpy.run_path(str(ROOT / "bench" / "powers.py"), run_name="powers")["KnownPowers"]
    path = tmp_path_factory.mktemp("powers") / "known.ptau"
    known_powers.random(open_backend("cpu"), POWER).write(path)
    return path


@pytest.mark.parametrize("log_size", [1, POWER - 1, POWER])
def test_the_powers_and_their_contribution_are_true(powers_file, log_size):
    verify_powers(read_ptau(powers_file), log_size, open_backend("cpu"))


def test_snarkjs_makes_the_same_key_of_them(snarkjs, samples, powers_file, tmp_path):
    circuit, theirs = samples / "range" / "range.r1cs", tmp_path / "theirs.zkey"
    snarkjs("zkey", "new", circuit, powers_file, theirs)
    backend, r1cs = open_backend("cpu"), read_r1cs(circuit)
    expected, key = read_zkey(theirs), _key_without_contribution(r1cs, read_ptau(powers_file), backend)
    for name in ("a_query", "b_g1_query", "b_g2_query", "l_query", "h_query"):
        assert np.array_equal(getattr(key, name), getattr(expected, name)), name
    assert key.verifying_key == expected.verifying_key
    assert key.circuit_hash == expected.circuit_hash
    verify_key(setup(r1cs, read_ptau(powers_file), backend), expected, backend)
