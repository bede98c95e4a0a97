"""The package's face: what a user writes, in either proof system, with files and with bytes; and slips, explained."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zkgpu
from zkgpu.errors import UsageError
from zkgpu.formats.r1cs import write_r1cs
from zkgpu.formats.wtns import write_wtns
from zkgpu.systems.files import write_key, write_verifying_key

INPUTS = {"x": 3, "y": 35}


def cubic() -> zkgpu.Circuit:
    c = zkgpu.Circuit()
    x, y = c.private("x"), c.public("y")
    c.assert_equal(x**3 + x + 5, y)
    return c


@pytest.fixture(scope="module", params=["groth16", "plonk"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a circuit, and its key of a proof system."""
    path = tmp_path_factory.mktemp(request.param)
    compiled = cubic().compile()
    write_r1cs(path / "circuit.r1cs", compiled.r1cs)
    write_wtns(path / "witness.wtns", compiled.r1cs.field, compiled.witness(INPUTS))
    key = zkgpu.unsafe_setup(cubic(), request.param, backend="cpu")
    write_key(path / "key.zkey", key)
    write_verifying_key(path / "vk.json", key.verifying_key)
    return path


@pytest.mark.parametrize("form", [lambda path: path, Path.read_bytes], ids=["path", "bytes"])
def test_files_or_their_bytes_lead_to_a_verified_statement(folder: Path, tmp_path: Path, form: Any) -> None:
    key = zkgpu.load_key(form(folder / "key.zkey"))
    with zkgpu.Prover(key, "cpu", threads=1, circuit=zkgpu.load_r1cs(form(folder / "circuit.r1cs"))) as prover:
        done = prover.prove(zkgpu.load_witness(form(folder / "witness.wtns")))
    assert list(done.public_inputs) == [35]
    done.save(tmp_path / "proof.json")
    assert json.loads((tmp_path / "public.json").read_text()) == ["35"]
    vk = zkgpu.load_verifying_key(form(folder / "vk.json"))
    again = zkgpu.Statement([35], zkgpu.load_proof(form(tmp_path / "proof.json"), vk))
    assert zkgpu.verify(vk, again)
    assert zkgpu.verify_batch(key.verifying_key, [done, again])
    assert not zkgpu.verify(vk, zkgpu.Statement([36], again.proof))
    assert not zkgpu.verify_batch(vk, [again, zkgpu.Statement([36], again.proof)])


def test_a_circuit_that_computes_takes_inputs_by_name(folder: Path) -> None:
    key = zkgpu.load_key(folder / "key.zkey")
    done = zkgpu.prove(key, INPUTS, "cpu", circuit=cubic())
    assert zkgpu.verify(key.verifying_key, done)


def test_a_prover_is_closed_when_its_block_is_over(folder: Path) -> None:
    with zkgpu.Prover(zkgpu.load_key(folder / "key.zkey"), "cpu", threads=1) as prover:
        prover.prove(zkgpu.load_witness(folder / "witness.wtns"))
    for ask in (lambda: prover.backend, lambda: prover.prove(zkgpu.load_witness(folder / "witness.wtns"))):
        with pytest.raises(UsageError, match="this prover is closed"):
            ask()


def test_circuits_with_challenges_are_proven_with_their_packed_values() -> None:
    c = zkgpu.Circuit()
    x = c.public_array("x", 3, bits=8)
    c.output_array("y", x * 2, bits=9)
    compiled = c.compile()
    key = zkgpu.unsafe_setup(compiled, backend="cpu")
    done = zkgpu.Prover(key, "cpu", circuit=compiled).prove({"x": [1, 2, 200]})
    assert zkgpu.verify(key.verifying_key, done)
    assert done.packed == bytes([1, 2, 200, 0, 2, 0, 4, 1, 144])
    assert done.solidity_arguments()[-1] == done.packed


def test_keys_and_proofs_write_and_read_themselves(folder: Path) -> None:
    key = zkgpu.load_key(folder / "key.zkey")
    done = zkgpu.prove(key, INPUTS, "cpu", circuit=cubic())
    for value in (key.verifying_key, done.proof):
        assert type(value).from_json(json.loads(json.dumps(value.to_json()))) == value
    assert len(repr(key)) < 120
    assert len(repr(key.verifying_key)) < 120
    assert "UNSAFE" in repr(key)
    assert "x" in repr(cubic().compile())


def test_the_arguments_of_a_contract_are_the_words_of_its_calldata(folder: Path) -> None:
    done = zkgpu.prove(zkgpu.load_key(folder / "key.zkey"), INPUTS, "cpu", circuit=cubic())

    def flat(value: Any) -> list[int]:
        return [word for item in value for word in flat(item)] if isinstance(value, list) else [value]

    words = b"".join(word.to_bytes(32, "big") for word in flat(done.solidity_arguments()))
    assert done.calldata()[4:] == words


def test_the_package_lists_its_face_and_nothing_else() -> None:
    assert dir(zkgpu) == sorted(zkgpu.__all__)
    assert all(getattr(zkgpu, name) is not None for name in zkgpu.__all__)
    assert "load_key" in (zkgpu.__doc__ or "")


@cache
def a_key() -> zkgpu.ProvingKey:
    return zkgpu.unsafe_setup(cubic(), backend="cpu")


@cache
def proven() -> zkgpu.Statement:
    return zkgpu.prove(a_key(), INPUTS, "cpu", circuit=cubic())


SLIPS = {
    "a verifying key to prove with": (lambda: zkgpu.Prover(a_key().verifying_key), "get one by load_key"),
    "a path for a key": (lambda: zkgpu.Prover("key.zkey"), "a str is given, not a ProvingKey: get one by load_key"),
    "a proving key to verify with": (lambda: zkgpu.verify(a_key(), proven()), "a proving key's .verifying_key"),
    "a proof for a statement": (lambda: zkgpu.verify(a_key().verifying_key, proven().proof), "give Statement("),
    "proofs for statements": (
        lambda: zkgpu.verify_batch(a_key().verifying_key, [proven().proof]),
        "give Statement(",
    ),
    "a list for a witness": (lambda: zkgpu.prove(a_key(), [1, 35, 3], "cpu"), "what load_witness or a compiled"),
    "inputs without a circuit": (lambda: zkgpu.prove(a_key(), INPUTS, "cpu"), "give Prover(key, circuit=circuit)"),
    "inputs with constraints only": (
        lambda: zkgpu.prove(a_key(), INPUTS, "cpu", circuit=cubic().compile().r1cs),
        "inputs by name need a circuit that computes",
    ),
    "an unknown proof system": (lambda: zkgpu.unsafe_setup(cubic(), "stark"), "give 'groth16' or 'plonk'"),
    "a path for a circuit": (lambda: zkgpu.unsafe_setup("c.r1cs"), "or an R1CS by load_r1cs"),
    "a function for a circuit": (lambda: zkgpu.unsafe_setup(cubic), "a function is given, not a circuit"),
    "an unknown device": (lambda: zkgpu.Prover(a_key(), "tpu"), "unknown device"),
    "a number for a device": (lambda: zkgpu.Prover(a_key(), 0), "a int is given, not a device"),
    "no threads": (lambda: zkgpu.Prover(a_key(), "cpu", threads=0), "0 threads: give a whole number from 1 on"),
    "half a thread": (lambda: zkgpu.Prover(a_key(), "cpu", threads=2.5), "2.5 threads: give a whole number"),
    "a text for threads": (lambda: zkgpu.Prover(a_key(), "cpu", threads="2"), "'2' threads: give a whole number"),
    "a name for a PLONK key": (lambda: zkgpu.setup(cubic(), None, "plonk", name="me", backend="cpu"), "records no"),
    "a missing file": (lambda: zkgpu.load_key("no such.zkey"), "cannot be read"),
    "another circuit": (lambda: zkgpu.Prover(a_key(), "cpu", circuit=other()), "do not belong together"),
    "another witness": (
        lambda: zkgpu.prove(a_key(), other().compile().witness({"x": [1, 2]}), "cpu"),
        "another circuit",
    ),
}


def other() -> zkgpu.Circuit:
    c = zkgpu.Circuit()
    x = c.private("x", 2)
    c.output("y", x * x)
    return c


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_with_what_to_give(slip: str) -> None:
    call, wanted = SLIPS[slip]
    with pytest.raises(UsageError) as error:
        call()
    assert wanted in str(error.value)
    assert "\n" not in str(error.value)


def test_numpy_integers_are_public_inputs() -> None:
    assert zkgpu.verify(a_key().verifying_key, zkgpu.Statement(np.array([35]), proven().proof))
