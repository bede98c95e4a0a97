"""A damaged proving key gives an error or a proof that the key it was made from accepts, and never another statement.

A self-check takes the verifying key that lies in the damaged file itself: these tests ask the one from before.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.groth16.committed_statement import INPUTS, squares
from zkgpu import groth16, plonk
from zkgpu.backend import open_backend
from zkgpu.circuits import Circuit, CompiledCircuit
from zkgpu.errors import FormatError, UsageError, ZkgpuError
from zkgpu.provers.statement import Statement
from zkgpu.systems.files import read_key, write_key
from zkgpu.systems.registry import system_of

BACKEND = open_backend("cpu", threads=1)
EXPECTED = (2, 3, 4, 6)  # a key that names another circuit, a bad file, a witness or a self-check that fails


@dataclass(frozen=True)
class Genuine:
    """A circuit with inputs, its key as it should be, and the circuit where the key has no matrices of its own."""

    circuit: CompiledCircuit
    inputs: Mapping[str, Any]
    key: Any
    is_bound: bool = False

    def proven(self, path: Path) -> Statement:
        """By the key in a file, as a command does."""
        key = read_key(path, BACKEND.first_invalid_point)
        circuit = self.circuit.r1cs if self.is_bound else None
        prover = system_of(key).prover(key, BACKEND, circuit=circuit)
        statement: Statement = prover.prove_circuit(self.circuit, self.inputs)
        return statement

    def shown_by(self, statement: Statement) -> tuple[Sequence[int], bytes]:
        """The public values, without what follows from the commitment."""
        return statement.public_inputs[: self.key.verifying_key.n_explicit_public], statement.packed

    def accepts(self, statement: Statement) -> bool:
        packed = {"packed": statement.packed} if statement.packed else {}
        vk = self.key.verifying_key
        return system_of(self.key).verify(vk, statement.public_inputs, statement.proof, **packed)


def with_zeros(n_public: int) -> CompiledCircuit:
    """Products of values that are mostly 0, and public inputs of 0: what meets them can be damaged unseen."""
    c = Circuit()
    x = c.private("x", 4)
    products = x * x[::-1]
    if n_public:
        c.assert_equal(products[0] + c.public("y", n_public).sum(), 0)
    c.assert_equal((products * x).sum(), 6)
    return c.compile()


@cache
def genuine(name: str) -> Genuine:
    system, _, kind = name.partition("-")
    if kind.startswith("committed"):
        circuit, inputs = squares(), dict[str, Any](INPUTS)
    else:
        n = int(kind)
        circuit, inputs = with_zeros(n), {"x": [0, 1, 2, 0]} | ({"y": [0] * n} if n else {})
    key = {"groth16": groth16, "plonk": plonk}[system].unsafe_setup(circuit.r1cs, BACKEND)
    is_bound = kind == "committed-bound"
    return Genuine(circuit, inputs, key.without_matrices(circuit.r1cs) if is_bound else key, is_bound)


def sections_of(data: bytes | bytearray) -> list[tuple[int, int, int]]:
    """The number of each section of a container, where its bytes begin, and how many there are."""
    found, at = [], 12
    while at < len(data):
        number, size = (int.from_bytes(data[at + i : at + j], "little") for i, j in ((0, 4), (4, 12)))
        found.append((number, at + 12, size))
        at += 12 + size
    return found


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Within one section: a range zeroed, two exchanged, one copied; bits, bytes, numbers; or the file cut short."""
    out = bytearray(data)
    at, size = rng.choice([section[1:] for section in sections_of(data) if section[2]])
    width = rng.choice((1, 4, 32, 64, 64, 128))
    first, second = (at + rng.randrange(size) // width * width for _ in range(2))
    how = rng.randrange(7)
    if how == 0:
        out[first : first + width] = bytes(width)
    elif how == 1:
        out[first : first + width], out[second : second + width] = data[second:][:width], data[first:][:width]
    elif how == 2:
        out[first : first + width] = data[rng.randrange(len(data) - width) :][:width]
    elif how == 3:
        out[first] ^= 1 << rng.randrange(8)
    elif how == 4:
        out[first] = rng.randrange(256)
    elif how == 5:
        place = at + 4 * rng.randrange(max(1, min(size // 4, 32)))
        number = int.from_bytes(data[place : place + 4], "little") + rng.choice((-1, 1))
        out[place : place + 4] = (number % 2**32).to_bytes(4, "little")
    else:
        del out[first:]
    return bytes(out[: len(data)])


def require_harmless(name: str, count: int, path: Path) -> None:
    """Damages of a key one after another: refused in a line, or proven with a proof that its own verifier accepts."""
    case = genuine(name)
    write_key(path, case.key)
    data, rng = path.read_bytes(), random.Random(name)
    proven = case.proven(path)
    refused = 0
    for number in range(count):
        path.write_bytes(damaged(data, rng))
        outcome = outcome_of(case, path)
        if isinstance(outcome, ZkgpuError):
            assert outcome.exit_code in EXPECTED, (number, outcome)
            assert "\n" not in str(outcome), (number, outcome)
            refused += 1
        else:
            assert case.accepts(outcome), number
            assert case.shown_by(outcome) == case.shown_by(proven), number
    assert refused


def outcome_of(case: Genuine, path: Path) -> Statement | ZkgpuError:
    """What a proof with the key in the file came to."""
    try:
        return case.proven(path)
    except ZkgpuError as error:
        return error


@pytest.mark.parametrize(
    ("name", "count"),
    [("groth16-2", 30), ("groth16-committed", 15), ("groth16-committed-bound", 15), ("plonk-1", 5)],
)
def test_damaged_keys(name: str, count: int, tmp_path: Path) -> None:
    require_harmless(name, count, tmp_path / "key.zkey")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("groth16-0", "groth16-1", "groth16-2", "groth16-committed", "groth16-committed-bound"),
        *("plonk-0", "plonk-1", "plonk-2"),
    ],
)
def test_five_hundred_damages_of_each_kind_of_key(name: str, tmp_path: Path) -> None:
    require_harmless(name, 500, tmp_path / "key.zkey")


@pytest.mark.parametrize("section", [pytest.param(5, id="A"), pytest.param(8, id="C", marks=pytest.mark.slow)])
def test_a_point_that_becomes_infinity_is_unseen_just_where_it_meets_a_zero(section: int, tmp_path: Path) -> None:
    """64 bytes of zeros are a point: a proof leaves it out, and is the same where it would have counted for nothing."""
    case, path = genuine("groth16-2"), tmp_path / "key.zkey"
    write_key(path, case.key)
    data = path.read_bytes()
    ((at, size),) = [(at, size) for number, at, size in sections_of(data) if number == section]
    witness = case.circuit.witness(case.inputs)
    values = witness[-(size // 64) :].any(axis=1)
    rows = np.frombuffer(data, np.uint8, size, at).reshape(-1, 64).any(axis=1)
    outcomes = []
    for row in range(size // 64):
        path.write_bytes(data[: at + 64 * row] + bytes(64) + data[at + 64 * (row + 1) :])
        outcome = outcome_of(case, path)
        outcomes.append(not isinstance(outcome, ZkgpuError) and case.accepts(outcome))
    assert outcomes == (~(values & rows)).tolist()
    assert set(outcomes) == {True, False}


@pytest.mark.parametrize("n_public", [0, 1])
def test_a_plonk_key_that_declares_another_number_of_public_inputs_is_refused(n_public: int, tmp_path: Path) -> None:
    """Between none and one no section changes its size, and a value of 0 adds nothing to any equation."""
    case, path = genuine(f"plonk-{n_public}"), tmp_path / "key.zkey"
    write_key(path, case.key)
    data = bytearray(path.read_bytes())
    ((at, _),) = [(at, size) for number, at, size in sections_of(data) if number == 2]
    place = at + 2 * (4 + 32) + 4
    assert data[place] == n_public
    data[place] = 1 - n_public
    path.write_bytes(data)
    with pytest.raises(FormatError, match=rf"header.*{1 - n_public} public inputs are declared"):
        case.proven(path)


def test_a_circuit_that_begins_as_a_public_input_would_has_a_key_that_is_read(tmp_path: Path) -> None:
    """No public input, and of wire 1 that it is 0."""
    c = Circuit()
    x = c.private("x", 2)
    c.assert_equal(x[0], 0)
    c.assert_equal(x[0] * x[1], 0)
    circuit = c.compile()
    key = plonk.unsafe_setup(circuit.r1cs, BACKEND)
    assert key.wires[:, 0].tolist() == [0, 1, 0]
    write_key(tmp_path / "key.zkey", key)
    case = Genuine(circuit, {"x": [0, 5]}, key)
    assert case.accepts(case.proven(tmp_path / "key.zkey"))


@pytest.mark.parametrize("name", ["groth16-committed", "groth16-committed-bound"])
@pytest.mark.parametrize(
    "damage", [(b"doubled", b"dOubled"), (bytes([255, 1]) + bytes(15), bytes([254, 1]) + bytes(15))]
)
def test_a_key_whose_public_arrays_are_not_the_circuits_is_refused(
    name: str, damage: tuple[bytes, bytes], tmp_path: Path
) -> None:
    """Their names and intervals change the challenges, and so which verifying key accepts the proof."""
    case, path = genuine(name), tmp_path / "key.zkey"
    write_key(path, case.key)
    ((at, size),) = [(at, size) for number, at, size in sections_of(path.read_bytes()) if number == 100]
    data = bytearray(path.read_bytes())
    assert damage[0] in data[at : at + size]
    data[at : at + size] = data[at : at + size].replace(*damage)
    path.write_bytes(data)
    with pytest.raises(UsageError, match="public arrays of the key are not those of the circuit"):
        case.proven(path)
    assert not system_of(case.key).holds_circuit(read_key(path), case.circuit.r1cs)
