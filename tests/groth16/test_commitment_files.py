"""Keys and proofs of circuits with challenges: setups from a ceremony, and their files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from committed_statement import INPUTS, CommittedStatement, squares, with_part, with_queries

from zkgpu.backend import open_backend
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.ceremony.ratios import same_ratio
from zkgpu.curves.bn254 import BN254, G1, G2
from zkgpu.errors import FormatError, InsecureKeyError, PointError, UsageError, ZkgpuError
from zkgpu.formats import public_values
from zkgpu.formats.r1cs import write_r1cs
from zkgpu.groth16 import Prover, ProvingKey, ceremony, setup, verify
from zkgpu.groth16 import json as groth16_json
from zkgpu.groth16.setup import _key_without_contribution, contribute
from zkgpu.groth16.zkey import read_zkey, write_zkey
from zkgpu.provers.statement import Statement
from zkgpu.solidity import calldata
from zkgpu.systems.inspection import inspect_file

BACKEND = open_backend("cpu")
CIRCUIT = squares()


@pytest.fixture(scope="module")
def initial(samples: Path) -> ProvingKey:
    return _key_without_contribution(CIRCUIT.r1cs, read_ptau(samples / "pot6_final.ptau"), BACKEND)


@pytest.fixture(scope="module")
def ceremonial(samples: Path) -> ProvingKey:
    """A key that two parties contributed to."""
    return contribute(
        setup(CIRCUIT.r1cs, read_ptau(samples / "pot6_final.ptau"), BACKEND, name="first"), BACKEND, name="second"
    )


def test_a_key_from_a_ceremony_proves_and_is_what_its_record_says(ceremonial: ProvingKey, initial: ProvingKey) -> None:
    assert ceremonial.weakness() is None
    ceremony.verify_key(ceremonial, initial, BACKEND)
    public, proof, packed = Prover(ceremonial, BACKEND).prove_circuit(CIRCUIT, INPUTS)
    assert verify(ceremonial.verifying_key, public, proof, packed=packed)


def test_both_ways_of_setup_commit_to_the_same_wires(initial: ProvingKey, committed: CommittedStatement) -> None:
    assert initial.commitments[0].committed_query.shape == committed.key.commitments[0].committed_query.shape
    for key in (initial, committed.key):
        rows = key.commitments[0].committed_query.shape[0] + key.l_query.shape[0] + len(key.verifying_key.ic)
        assert rows == key.n_wires
        committed_query, knowledge_query = (
            G1.from_rows(q[:5]) for q in (key.commitments[0].committed_query, key.commitments[0].knowledge_query)
        )
        sigma = key.verifying_key.commitments[0].sigma_g2
        for k, sigma_k in zip(committed_query, knowledge_query, strict=True):
            assert same_ratio(k, sigma_k, G2.generator, sigma)


def test_a_key_nobody_contributed_to_is_refused(initial: ProvingKey) -> None:
    assert initial.weakness()
    bare = replace(initial.verifying_key, delta_g2=3 * G2.generator)
    assert bare.weakness().startswith("sigma equals the generator")


def altered_rows(rows: np.ndarray) -> np.ndarray:
    rows = np.array(rows)
    rows[3] = rows[4]
    return rows


def first_sigma(key: ProvingKey, **changes: Any) -> ProvingKey:
    first, second = key.commitments[0].contributions
    return with_queries(key, contributions=(replace(first, **changes), second))


def with_delta_record(key: ProvingKey) -> ProvingKey:
    return with_queries(key, contributions=key.contributions)


def sigma_doubled(key: ProvingKey) -> ProvingKey:
    vk = key.verifying_key
    return replace(key, verifying_key=with_part(vk, sigma_g2=2 * vk.required_commitment.sigma_g2))


@pytest.mark.parametrize(
    "change",
    [
        lambda key: with_queries(key, knowledge_query=altered_rows(key.commitments[0].knowledge_query)),
        lambda key: with_queries(key, knowledge_query=key.commitments[0].knowledge_query[:-1]),
        lambda key: with_queries(key, committed_query=altered_rows(key.commitments[0].committed_query)),
        lambda key: with_queries(key, contributions=()),
        lambda key: with_queries(key, contributions=key.commitments[0].contributions[:1]),
        lambda key: first_sigma(key, delta_after=2 * G1.generator),
        lambda key: first_sigma(key, g2_spx=2 * G2.generator),
        with_delta_record,
        sigma_doubled,
        lambda key: replace(key, commitments=(), verifying_key=replace(key.verifying_key, commitments=())),
    ],
)
def test_an_altered_commitment_key_is_refused(
    ceremonial: ProvingKey, initial: ProvingKey, change: Callable[[ProvingKey], ProvingKey]
) -> None:
    with pytest.raises(ZkgpuError):
        ceremony.verify_key(change(ceremonial), initial, BACKEND)


# files


def test_a_key_file_comes_back_as_it_was(ceremonial: ProvingKey, tmp_path: Path) -> None:
    path = tmp_path / "key.zkey"
    write_zkey(path, ceremonial)
    key = read_zkey(path, BACKEND.first_invalid_point)
    assert key.verifying_key == ceremonial.verifying_key
    assert key.commitments[0].contributions == ceremonial.commitments[0].contributions
    for name in ("committed_query", "knowledge_query"):
        assert np.array_equal(getattr(key.commitments[0], name), getattr(ceremonial.commitments[0], name))
    again = tmp_path / "again.zkey"
    write_zkey(again, key)
    assert again.read_bytes() == path.read_bytes()
    public, proof, packed = Prover(key, BACKEND).prove_circuit(CIRCUIT, INPUTS)
    assert verify(ceremonial.verifying_key, public, proof, packed=packed)


def test_a_key_file_has_a_protocol_number_of_its_own(ceremonial: ProvingKey, tmp_path: Path) -> None:
    write_zkey(tmp_path / "key.zkey", ceremonial)
    data = (tmp_path / "key.zkey").read_bytes()
    assert int.from_bytes(data[24:28], "little") == 101


def test_a_key_file_of_the_earlier_protocol_is_refused(
    ceremonial: ProvingKey, tmp_path: Path, command: Callable[..., Any]
) -> None:
    write_zkey(tmp_path / "key.zkey", ceremonial)
    data = bytearray((tmp_path / "key.zkey").read_bytes())
    data[24:28] = (100).to_bytes(4, "little")
    (tmp_path / "key.zkey").write_bytes(data)
    with pytest.raises(FormatError, match="made by an earlier version of zkgpu, which is not accepted: set up again"):
        read_zkey(tmp_path / "key.zkey")
    assert "earlier version" in command("export", "vk", tmp_path / "key.zkey", tmp_path / "vk.json").error(3)


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (None, "earlier version"),
        (1, "earlier version"),
        ("2", "earlier version"),
        (True, "earlier version"),
        (3, "newer"),
    ],
)
def test_json_of_another_version_is_refused(committed: CommittedStatement, version: Any, reason: str) -> None:
    written = (
        (groth16_json.verifying_key_to_json(committed.key.verifying_key), groth16_json.verifying_key_from_json),
        (groth16_json.proof_to_json(committed.proven.proof), groth16_json.proof_from_json),
    )
    for value, read in written:
        assert value.pop("version") == 2
        with pytest.raises(FormatError, match=reason):
            read(value if version is None else {**value, "version": version})


def test_the_record_of_sigma_starts_from_the_mask_s_point_and_ends_at_its_multiple(ceremonial: ProvingKey) -> None:
    """Nothing but the points K_i is multiplied by sigma in G1: not the generator, and no other random point."""
    (queries,), vk = ceremonial.commitments, ceremonial.verifying_key
    mask, multiple = queries.mask_points(G1)
    assert queries.contributions[-1].delta_after == multiple
    assert same_ratio(mask, multiple, G2.generator, vk.required_commitment.sigma_g2)
    for contribution in queries.contributions:
        assert not same_ratio(G1.generator, contribution.delta_after, G2.generator, vk.required_commitment.sigma_g2)
    chain = ceremony._sigma_chain(ceremonial, queries)
    contribution = chain.next(chain.drawn(5, blinding=7), "")
    assert (contribution.g1_s, contribution.g1_sx) == (7 * mask, 35 * mask)
    assert contribution.delta_after == 5 * multiple


def test_a_record_of_sigma_that_starts_from_the_generator_is_refused(initial: ProvingKey) -> None:
    """As earlier versions kept it: valid on its own, and refused for what it starts from."""
    rows = np.array(initial.commitments[0].committed_query)
    rows[0] = G1.to_rows([G1.generator])[0]
    multiples = np.array(rows)
    bare = with_queries(initial, committed_query=rows, knowledge_query=multiples)
    earlier = ceremony.record_contribution(ceremony.record_sigma_contribution(bare, 5), 7)
    mixed = with_queries(earlier, committed_query=initial.commitments[0].committed_query)
    with pytest.raises(FormatError, match="sigma was not multiplied by the secret"):
        ceremony.verify_contributions(mixed)


def test_an_inspected_key_shows_its_round(ceremonial: ProvingKey, tmp_path: Path) -> None:
    write_zkey(tmp_path / "key.zkey", ceremonial)
    facts = inspect_file(tmp_path / "key.zkey")
    assert (facts["committed"], facts["challenges"]) == (10, 2)
    assert facts["public_arrays"] == ["x[2] from -3 to 3", "doubled[2] from 0 to 511"]


def section(data: bytes, wanted: int) -> tuple[int, int]:
    at = 12
    while True:
        found, size = int.from_bytes(data[at : at + 4], "little"), int.from_bytes(data[at + 4 : at + 12], "little")
        if found == wanted:
            return at + 12, size
        at += 12 + size


@pytest.mark.parametrize("field", ["committed", "challenges", "arrays", "name", "axes", "length"])
@pytest.mark.parametrize("value", [0, 1, 2**31, 2**32 - 1])
def test_counts_of_the_commitment_section_are_checked(
    ceremonial: ProvingKey, tmp_path: Path, field: str, value: int
) -> None:
    path = tmp_path / "key.zkey"
    write_zkey(path, ceremonial)
    data = bytearray(path.read_bytes())
    start, _ = section(data, 100)
    sigma = 12 + 128
    where = {"committed": 0, "challenges": 4, "arrays": 8, "name": sigma, "axes": sigma + 5, "length": sigma + 9}
    at = start + where[field]
    if int.from_bytes(data[at : at + 4], "little") == value:
        return
    data[at : at + 4] = value.to_bytes(4, "little")
    path.write_bytes(data)
    if (field, value) in {("challenges", 1), ("length", 0), ("length", 1)}:
        assert read_zkey(path).verifying_key != ceremonial.verifying_key  # well-formed, and another key
        return
    with pytest.raises(FormatError) as caught:
        read_zkey(path)
    assert "\n" not in str(caught.value)


def test_a_key_with_two_arrays_of_one_name_is_refused(ceremonial: ProvingKey, tmp_path: Path) -> None:
    """A verifier that looks values up by name would take the second array's for the first's."""
    path, vk = tmp_path / "key.zkey", ceremonial.verifying_key
    x, doubled = vk.required_commitment.round.arrays
    round_ = replace(vk.required_commitment.round, arrays=(x, replace(doubled, name="y")))
    write_zkey(path, replace(ceremonial, verifying_key=with_part(vk, round=round_)))
    data = path.read_bytes()
    start, size = section(data, 100)
    named = data[start : start + size].replace(b"\1\0\0\0y", b"\1\0\0\0x")
    path.write_bytes(data[:start] + named + data[start + size :])
    with pytest.raises(FormatError, match="two public arrays are named 'x'"):
        read_zkey(path)
    with pytest.raises(UsageError, match="two public arrays are named 'x'"):
        replace(round_, arrays=(x, x))


@pytest.mark.parametrize("number", [101, 102])
def test_points_of_the_commitment_are_checked(ceremonial: ProvingKey, tmp_path: Path, number: int) -> None:
    path = tmp_path / "key.zkey"
    write_zkey(path, ceremonial)
    data = bytearray(path.read_bytes())
    start, size = section(data, number)
    data[start + 64 * 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(PointError, match="points: point 2"):
        read_zkey(path, BACKEND.first_invalid_point)
    data[start : start + size] = bytes([255]) * size
    path.write_bytes(data)
    with pytest.raises(FormatError, match="point 0"):
        read_zkey(path)


def test_json_files_come_back_as_they_were(committed: CommittedStatement, tmp_path: Path) -> None:
    public, proof, packed = committed.proven
    vk_path, proof_path, public_path = (tmp_path / name for name in ("vk.json", "proof.json", "public.json"))
    groth16_json.write_verifying_key(vk_path, committed.key.verifying_key)
    Statement(public, proof, packed).save(proof_path, public_path)
    vk = groth16_json.read_verifying_key(vk_path)
    assert vk == committed.key.verifying_key
    assert groth16_json.read_proof(proof_path) == proof
    assert public_values.read_public_values(public_path) == (public, packed)
    assert verify(vk, public, groth16_json.read_proof(proof_path), packed=packed)
    assert inspect_file(vk_path)["committed"] == 10
    assert inspect_file(public_path)["packed_bytes"] == 6


def test_json_of_ordinary_proofs_has_nothing_new(statement: Any) -> None:
    value = groth16_json.verifying_key_to_json(statement.key.verifying_key)
    assert value["protocol"] == "groth16"
    assert not {"nCommitted", "vk_sigma_2", "arrays"} & set(value)


@pytest.mark.parametrize(
    "change",
    [
        {"nCommitted": 0},
        {"nChallenges": 0},
        {"nChallenges": 9},
        {"nChallenges": True},
        {"nCommitted": "9"},
        {"nCommitted": 2**40},
        {"arrays": {}},
        {"arrays": [{"name": 1, "shape": [2], "low": "0", "high": "1"}]},
        {"arrays": [{"name": "x", "shape": [-2], "low": "0", "high": "1"}]},
        {"arrays": [{"name": "x", "shape": [2], "low": "2", "high": "1"}]},
        {"arrays": [{"name": "x", "shape": [2], "low": "-01", "high": "1"}]},
        {"arrays": [{"name": "x", "shape": [2], "low": 0, "high": 1}]},
        {"arrays": [{"name": "x", "shape": [k], "low": "0", "high": "1"} for k in (2, 3)]},
        {"vk_sigma_2": [["1", "2"], ["3", "4"], ["1", "0"]]},
    ],
)
def test_malformed_json_of_a_commitment_key_is_refused(committed: CommittedStatement, change: dict[str, Any]) -> None:
    value = groth16_json.verifying_key_to_json(committed.key.verifying_key)
    assert groth16_json.verifying_key_from_json(json.loads(json.dumps(value))) == committed.key.verifying_key
    with pytest.raises(FormatError):
        groth16_json.verifying_key_from_json({**value, **change})


@pytest.mark.parametrize("packed", ["", "0x0", "0xAA", "aa", 5, None, "0x0g"])
def test_malformed_packed_values_are_refused(packed: Any) -> None:
    with pytest.raises(FormatError, match="packed"):
        public_values.public_values_from_json({"inputs": ["1"], "packed": packed}, BN254)


def test_the_command_line_verifies_committed_proofs(
    committed: CommittedStatement, tmp_path: Path, command: Callable[..., Any]
) -> None:
    key, (public, proof, packed) = committed.key.verifying_key, committed.proven
    groth16_json.write_verifying_key(tmp_path / "vk.json", key)
    paths = (tmp_path / "vk.json", tmp_path / "public.json", tmp_path / "proof.json")
    Statement(public, proof, packed).save(paths[2], paths[1])
    assert command("verify", *paths).code == 0
    expected = calldata(proof, public, packed=packed).hex()
    assert command("export", "calldata", "--hex", paths[1], paths[2]).out.strip() == "0x" + expected
    Statement(public, proof, bytes([2]) + packed[1:]).save(paths[2], paths[1])
    assert command("verify", *paths).code == 1


def test_a_constraint_file_has_no_place_for_challenges(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="challenges"):
        write_r1cs(tmp_path / "c.r1cs", CIRCUIT.r1cs)


def test_no_key_is_made_of_a_commitment_record_that_is_missing(ceremonial: ProvingKey) -> None:
    with pytest.raises(InsecureKeyError):
        ceremony.verify_contributions(with_queries(ceremonial, contributions=()))
