"""Verifiers in Python take what files and contracts can hold and nothing else: no aliases, no bools, no floats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.groth16.committed_statement import CommittedStatement, make
from zkgpu import groth16, plonk
from zkgpu.circuits.committed import PublicArray
from zkgpu.curves.bn254 import G1, G2, Fq, Fr
from zkgpu.curves.points import Point
from zkgpu.errors import PointError, UsageError
from zkgpu.formats import public_values
from zkgpu.inference import hashes_of, values_of
from zkgpu.inference import verify as verify_inference
from zkgpu.provers.statement import Statement
from zkgpu.solidity import calldata, calldata_text
from zkgpu.systems.files import read_proof, read_verifying_key

SAMPLES = Path(__file__).parent / "data" / "samples" / "multiplier"
SYSTEMS = {"groth16": groth16, "plonk": plonk}


@pytest.fixture(params=SYSTEMS)
def asked(request: pytest.FixtureRequest) -> SimpleNamespace:
    """A key, public inputs and a proof of snarkjs, and what answers."""
    name = request.param
    key = read_verifying_key(SAMPLES / f"{name}_vk.json")
    public = public_values.read_public(SAMPLES / f"{name}_public.json")
    return SimpleNamespace(
        name=name,
        key=key,
        public=public,
        proof=read_proof(SAMPLES / f"{name}_proof.json", key),
        verify=SYSTEMS[name].verify,
    )


@pytest.fixture(scope="module")
def committed() -> CommittedStatement:
    return make()


ALIASES: dict[str, Any] = {
    "bool": True,
    "NumPy's bool": np.True_,
    "float": 35.0,
    "NumPy's float": np.float64(35),
    "string": "35",
    "None": None,
    "complex": 35 + 0j,
    "array": np.array([35]),
    "r more": 35 + Fr.modulus,
    "negative": -1,
    "NumPy's negative": np.int64(-1),
}


@pytest.mark.parametrize("alias", ALIASES)
def test_a_public_input_that_is_no_canonical_integer_is_refused(asked: SimpleNamespace, alias: str) -> None:
    public = [ALIASES[alias], *asked.public[1:]]
    for ask in (
        lambda: asked.verify(asked.key, public, asked.proof),
        lambda: calldata(asked.proof, public),
        lambda: calldata_text(asked.proof, public),
    ):
        with pytest.raises(UsageError, match="public input 0"):
            ask()
    if asked.name == "groth16":
        with pytest.raises(UsageError, match="public input 0"):
            groth16.verify_batch(asked.key, [(asked.public, asked.proof), (public, asked.proof)])


@pytest.mark.parametrize(
    "public", ["123", b"abc", {1: 2}, {1, 2, 3}, 5, None, iter([1, 2, 3])], ids=lambda value: type(value).__name__
)
def test_public_inputs_are_a_sequence(asked: SimpleNamespace, public: Any) -> None:
    with pytest.raises(UsageError, match="give a list of integers"):
        asked.verify(asked.key, public, asked.proof)
    with pytest.raises(UsageError, match="give a list of integers"):
        calldata(asked.proof, public)


@pytest.mark.parametrize(
    "made", [tuple, np.array, lambda p: np.array(p, np.uint16), lambda p: [np.int64(v) for v in p]]
)
def test_integers_of_numpy_are_integers(asked: SimpleNamespace, made: Any) -> None:
    assert asked.verify(asked.key, made(asked.public), asked.proof)
    assert calldata(asked.proof, made(asked.public)) == calldata(asked.proof, asked.public)


def aliases_of(point: Point) -> list[Point]:
    """Other spellings of a point: a modulus more or less, floats, bools, lists, and halves of infinity."""
    group, q = point.group, Fq.modulus
    if group is G1:
        x, y = point.x, point.y
        others = [(x + q, y), (x, y + q), (x - q, y), (x, y - q), (float(x), y), (x, None), (None, y), (str(x), y)]
    else:
        (x0, x1), y = point.x, point.y
        others = [((x0 + q, x1), y), ((x0, x1 - q), y), ([x0, x1], y), ((x0, x1, 0), y), (x0, y), (None, y)]
    return [Point(group, *other) for other in others]


def test_another_spelling_of_a_proof_s_point_is_refused_and_not_reduced(asked: SimpleNamespace) -> None:
    named = {name: value for name, value in vars(asked.proof).items() if isinstance(value, Point)}
    for name, point in named.items():
        for alias in aliases_of(point):
            proof = replace(asked.proof, **{name: alias})
            with pytest.raises(PointError):
                asked.verify(asked.key, asked.public, proof)
            with pytest.raises(PointError):
                calldata(proof, asked.public)


def test_what_is_no_point_of_the_right_group_is_refused(asked: SimpleNamespace) -> None:
    named = {name: value for name, value in vars(asked.proof).items() if isinstance(value, Point)}
    for name, point in named.items():
        other = G2 if point.group is G1 else G1
        for wrong in (other.generator, None, (1, 2), 0, SimpleNamespace(group=point.group, x=point.x, y=point.y)):
            with pytest.raises(UsageError):
                asked.verify(asked.key, asked.public, replace(asked.proof, **{name: wrong}))


@pytest.mark.parametrize("alias", ALIASES)
def test_an_opening_that_is_no_canonical_integer_is_refused(alias: str) -> None:
    key, proof = read_verifying_key(SAMPLES / "plonk_vk.json"), read_proof(SAMPLES / "plonk_proof.json")
    public = public_values.read_public(SAMPLES / "plonk_public.json")
    wrong = replace(proof, eval_zw=ALIASES[alias])
    with pytest.raises(UsageError, match="eval_zw"):
        plonk.verify(key, public, wrong)
    with pytest.raises(UsageError, match="eval_zw"):
        calldata(wrong, public)


def test_key_and_proof_of_another_system_or_type_are_refused(asked: SimpleNamespace) -> None:
    other = next(name for name in SYSTEMS if name != asked.name)
    key, proof = read_verifying_key(SAMPLES / f"{other}_vk.json"), read_proof(SAMPLES / f"{other}_proof.json")
    for wrong in (proof, None, tuple(vars(asked.proof).values())):
        with pytest.raises(UsageError, match="not a Proof"):
            asked.verify(asked.key, asked.public, wrong)
    for wrong in (key, None, "key"):
        with pytest.raises(UsageError, match="not a VerifyingKey"):
            asked.verify(wrong, asked.public, asked.proof)
    for wrong in (None, key):
        with pytest.raises(UsageError, match="not a Proof"):
            calldata(wrong, asked.public)


@pytest.mark.parametrize("entry", [None, 5, (), ([1],), [1, 2], ([1], None), ([1], 2, b"", b"")], ids=repr)
def test_an_entry_of_a_batch_is_an_instance(entry: Any) -> None:
    key = read_verifying_key(SAMPLES / "groth16_vk.json")
    with pytest.raises(UsageError):
        groth16.verify_batch(key, [entry])


@pytest.mark.parametrize("form", [bytearray, memoryview, list, lambda p: np.frombuffer(p, np.uint8), lambda p: p.hex()])
def test_packed_values_are_bytes(committed: CommittedStatement, form: Any) -> None:
    key, (public, proof, packed) = committed.key.verifying_key, committed.proven
    assert groth16.verify(key, public, proof, packed=packed)
    inference = Statement(public, proof, form(packed))
    for ask in (
        lambda: groth16.verify(key, public, proof, packed=form(packed)),
        lambda: groth16.verify_batch(key, [(public, proof, form(packed))]),
        lambda: calldata(proof, public, packed=form(packed)),
        lambda: calldata_text(proof, public, form(packed)),
        lambda: verify_inference(key, inference),
        lambda: values_of(key, inference),
    ):
        with pytest.raises(UsageError, match="give bytes"):
            ask()


@pytest.mark.parametrize("packed", [bytearray(), None, [], ""])
def test_packed_values_of_no_circuit_are_no_bytes_either(packed: Any) -> None:
    key, proof = read_verifying_key(SAMPLES / "groth16_vk.json"), read_proof(SAMPLES / "groth16_proof.json")
    with pytest.raises(UsageError, match="give bytes"):
        groth16.verify(key, public_values.read_public(SAMPLES / "groth16_public.json"), proof, packed=packed)


@pytest.mark.parametrize("alias", ALIASES)
def test_hashes_of_an_inference_are_canonical_integers(committed: CommittedStatement, alias: str) -> None:
    _, proof, packed = committed.proven
    with pytest.raises(UsageError, match="public input 0"):
        hashes_of(["total"], Statement([ALIASES[alias]], proof, packed))


@pytest.mark.parametrize("alias", [True, 2.0, 2.5, "2", None, np.float32(2)], ids=repr)
def test_a_packed_array_takes_integers_and_truncates_nothing(alias: Any) -> None:
    array = PublicArray("x", (2,), -3, 300)
    with pytest.raises(UsageError, match="not an integer"):
        array.pack([1, alias])
    assert array.pack([1, np.int16(-3)]) == array.pack([1, -3])


@pytest.mark.parametrize("value", [True, 1.0, "1"], ids=repr)
def test_public_json_is_written_of_integers(tmp_path: Path, value: Any) -> None:
    with pytest.raises(UsageError, match="public input 1"):
        public_values.write_public(tmp_path / "public.json", [1, value])
    assert not (tmp_path / "public.json").exists()
