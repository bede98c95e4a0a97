"""The contract for keys with a commitment: what it accepts, what it refuses, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from committed_instances import (
    G1,
    G2,
    LARGE,
    MIXED,
    SHAPES,
    CommittedInstance,
    made_committed,
    made_large,
    secrets_of,
    widest,
)
from evm import FALSE, HALT, REVERT, TRUE, Contract, creation_code, verdicts_with_stand_ins, with_products
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.groth16.committed_statement import with_points
from zkgpu.circuits.committed import WIDTHS, CommittedRound, PublicArray
from zkgpu.curves.bn254 import Fq, Fr
from zkgpu.errors import ZkgpuError
from zkgpu.groth16 import Proof, verify
from zkgpu.groth16.commitment import CommitmentTranscript, key_digest
from zkgpu.groth16.keys import Commitment
from zkgpu.solidity import calldata, gas_limit, verifier_source

INVALID_PROOF = f"{REVERT} 0x09bde339"
NO_DATA = f"{REVERT} 0x"
CONTRACTS: dict[str, Contract] = {}


@cache
def made(name: str) -> CommittedInstance:
    return made_committed(name) if name in SHAPES else made_large(name)


def contract_of(instance: CommittedInstance) -> Contract:
    if instance.name not in CONTRACTS:
        CONTRACTS[instance.name] = Contract(creation_code(instance.name))
    return CONTRACTS[instance.name]


def ask(instance: CommittedInstance, function: str = "verifyProof", **changes) -> str:
    """What the contract says of the instance with other values."""
    asked = replace(instance, **changes)
    return contract_of(instance).call(calldata(asked.proof, asked.public_inputs, function, asked.packed))


def python_verdict(instance: CommittedInstance) -> str:
    try:
        ok = verify(instance.verifying_key, instance.public_inputs, instance.proof, packed=instance.packed)
    except ZkgpuError:
        return FALSE
    return TRUE if ok else FALSE


@pytest.fixture(params=SHAPES)
def instance(request: pytest.FixtureRequest) -> CommittedInstance:
    return made(request.param)


@pytest.fixture
def digits() -> CommittedInstance:
    return made("committed_digits")


@pytest.fixture
def mixed() -> CommittedInstance:
    return made("committed_mixed")


def test_a_valid_proof_is_accepted_as_in_python(instance):
    assert python_verdict(instance) == TRUE
    assert ask(instance) == TRUE
    assert ask(instance, "requireValidProof") == TRUE


def test_a_change_of_any_word_of_the_proof_or_the_inputs_is_refused(instance):
    data = calldata(instance.proof, instance.public_inputs, packed=instance.packed)
    for at in range(4, 4 + 32 * (12 + len(instance.public_inputs)), 32):
        changed = bytearray(data)
        changed[at + 31] ^= 1
        assert contract_of(instance).call(bytes(changed)) == FALSE, at


def test_a_change_of_any_packed_byte_is_refused(digits, mixed):
    for instance in (digits, mixed):
        for i in range(len(instance.packed)):
            packed = bytearray(instance.packed)
            packed[i] ^= 1
            assert ask(instance, packed=bytes(packed)) == FALSE, i


def test_a_wrong_proof_reverts_with_the_named_error_when_a_valid_one_is_required(digits):
    assert ask(digits, "requireValidProof", packed=b"\x01" + digits.packed[1:]) == INVALID_PROOF


def test_packed_values_exchanged_between_places_are_refused(digits):
    a, b = digits.packed[0:1], digits.packed[1:2]
    assert a != b
    assert ask(digits, packed=b + a + digits.packed[2:]) == FALSE
    logits = digits.packed[64:]
    assert ask(digits, packed=digits.packed[:64] + logits[4:8] + logits[:4] + logits[8:]) == FALSE


def test_the_commitment_and_knowledge_of_another_valid_proof_are_refused(instance):
    secrets = secrets_of(instance.name)
    other = secrets.prove(instance.verifying_key, instance.public_inputs, instance.packed, d=8)
    assert ask(instance, proof=other) == TRUE
    for names in (("point",), ("knowledge",), ("point", "knowledge"), ("c",), ("c", "point")):
        points = {"c": other.c, "point": other.commitments[0].point, "knowledge": other.commitments[0].knowledge}
        mixed = with_points(instance.proof, **{name: points[name] for name in names})
        assert ask(instance, proof=mixed) == FALSE, names


# proofs that one check alone refuses: made with the key's secrets


def forge(name: str, inputs: list[int]) -> Proof:
    return secrets_of(name).forge(inputs)


def circuit_inputs(instance: CommittedInstance, packed: bytes, arrays=None) -> list[int]:
    """All public inputs of the circuit, the digest by other intervals than the key's when arrays are given."""
    key = instance.verifying_key
    arrays = arrays or key.required_commitment.round.arrays
    return secrets_of(instance.name).inputs(key, instance.public_inputs, packed, arrays)


WIDENED = tuple(map(widest, MIXED))


@pytest.mark.parametrize(
    ("at", "value", "verdict"),
    [
        (0, b"\x0f", TRUE),
        (0, b"\x10", FALSE),
        (2, b"\xff", FALSE),
        (3, (500).to_bytes(2, "big"), TRUE),
        (3, (501).to_bytes(2, "big"), FALSE),
        (5, (-300).to_bytes(2, "big", signed=True), TRUE),
        (5, (-301).to_bytes(2, "big", signed=True), FALSE),
        (5, b"\x80\x00", FALSE),
        (7, b"\xff" * 16, TRUE),
    ],
)
def test_values_outside_their_interval_are_refused_even_with_a_proof_for_them(mixed, at, value, verdict):
    packed = mixed.packed[:at] + value + mixed.packed[at + len(value) :]
    proof = forge(mixed.name, circuit_inputs(mixed, packed, WIDENED))
    assert ask(mixed, packed=packed, proof=proof) == verdict


@pytest.mark.parametrize("width", WIDTHS)
def test_every_value_of_a_word_and_after_the_last_word_is_compared_with_both_ends(width):
    kinds = made("committed_kinds")
    arrays = kinds.verifying_key.required_commitment.round.arrays
    widened = tuple(map(widest, arrays))
    which = 2 * WIDTHS.index(width) + 1
    array, start = arrays[which], sum(a.packed_size for a in arrays[:which])
    most, lanes = widened[which].high, 32 // width
    for i in [*range(lanes, 2 * lanes), *range(array.size - array.size % lanes, array.size)]:
        values = [(0, FALSE), (array.low - 1, FALSE), (array.low, TRUE), (array.high, TRUE), (array.high + 1, FALSE)]
        for value, verdict in [*values, (most, FALSE)]:
            at = start + width * i
            packed = kinds.packed[:at] + value.to_bytes(width, "big") + kinds.packed[at + width :]
            proof = forge(kinds.name, circuit_inputs(kinds, packed, widened))
            assert ask(kinds, packed=packed, proof=proof) == verdict, (i, value)


@pytest.mark.parametrize("position", [0, 1, 30, 31, 32, 33, 62, 63])
def test_every_lane_of_a_word_counts(digits, position):
    """The digest of other values at the same challenges, with a proof for it, is not the digest of these."""
    packed = bytearray(digits.packed)
    packed[position] ^= 0x80
    inputs = circuit_inputs(digits, digits.packed)
    other = replace(digits.verifying_key.required_commitment.round).digest(bytes(packed), inputs[0], Fr.modulus)
    proof = forge(digits.name, [*inputs[:-1], other])
    assert other != inputs[-1]
    assert ask(digits, proof=proof) == FALSE
    assert ask(digits, proof=forge(digits.name, inputs)) == TRUE


@pytest.mark.parametrize("which", range(3))
def test_proofs_for_challenges_of_the_prover_s_choice_are_refused(which):
    bare = made("committed_bare")
    inputs = circuit_inputs(bare, b"")
    assert ask(bare, proof=forge(bare.name, inputs)) == TRUE
    inputs[1 + which] = 5
    assert ask(bare, proof=forge(bare.name, inputs)) == FALSE


def test_each_of_more_challenges_than_the_stack_has_places_is_the_contract_s_own():
    """Named all at once, eight of them were too many for the compiler."""
    many = made("committed_remainders")
    inputs = circuit_inputs(many, many.packed)
    assert len(inputs) == 16 + 1
    assert ask(many, proof=forge(many.name, inputs)) == TRUE
    for k in range(len(inputs)):
        chosen = [*inputs[:k], (inputs[k] + 1) % Fr.modulus, *inputs[k + 1 :]]
        assert ask(many, proof=forge(many.name, chosen)) == FALSE, k


def test_a_commitment_without_knowledge_of_it_is_refused(digits):
    (commitment,) = digits.proof.commitments
    for pi in (G1.group.infinity, commitment.point, 2 * commitment.knowledge, -commitment.knowledge):
        assert ask(digits, proof=with_points(digits.proof, knowledge=pi)) == FALSE


@pytest.mark.parametrize("foreseen", ["one", "the state", "another proof's"])
def test_errors_of_the_two_equations_cannot_be_made_to_cancel(digits, foreseen):
    """They would, for one t that does not depend on pi and C."""
    secrets, proof = secrets_of(digits.name), digits.proof
    (commitment,) = proof.commitments
    said = CommitmentTranscript(digits.verifying_key, commitment.point, [], digits.packed)
    t = {
        "one": 1,
        "the state": int.from_bytes(said.state, "big") % Fr.modulus,
        "another proof's": said.fold(proof),
    }[foreseen]
    shift = secrets.delta * Fr.inverse(secrets.gamma)
    crafted = with_points(proof, knowledge=commitment.knowledge + shift * G1, c=proof.c - t * G1)
    assert ask(digits, proof=crafted) == FALSE


def test_the_power_of_the_second_equation_is_the_hash_that_python_makes(instance):
    """Any power accepts an honest proof: so products by another than Python's are made to fail."""
    key, proof, code = instance.verifying_key, instance.proof, creation_code(instance.name)
    (commitment,) = proof.commitments
    t = CommitmentTranscript(key, commitment.point, instance.public_inputs, instance.packed).fold(proof)
    data = calldata(proof, instance.public_inputs, packed=instance.packed)
    for power, verdict in ((t, TRUE), (t + 1, FALSE)):
        for point in (commitment.point, commitment.knowledge):
            assert with_products(code, {point.coordinates()[0]: [power]}).call(data) == verdict


def test_what_went_wrong_before_is_not_made_up_for_by_a_product_of_pairings_without_the_sums():
    """Once something is wrong no public input is added: the equation that is left can be solved for C."""
    bare = made("committed_bare")
    secrets, infinity = secrets_of(bare.name), G1.group.infinity
    c = (15 - secrets.alpha * secrets.beta - secrets.ic[0] * secrets.gamma) * Fr.inverse(secrets.delta)
    proof = Proof(3 * G1, 5 * G2, c * G1, (Commitment(infinity, infinity),))
    data = calldata(proof, [0])
    for wrong in (data + b"\0", data[:-32] + Fr.modulus.to_bytes(32, "big"), data):
        assert contract_of(bare).call(wrong) == FALSE


# the form of a call


def test_an_alias_of_a_public_input_is_refused_even_with_a_proof_for_it():
    """Its bytes are hashed as they come, so no proof of the input itself is one of the alias."""
    bare = made("committed_bare")
    for value in (5, 5 + Fr.modulus, 5 + 4 * Fr.modulus):
        proof = secrets_of(bare.name).prove(bare.verifying_key, [value], b"")
        data = calldata(proof, [0])[:-32] + value.to_bytes(32, "big")
        assert contract_of(bare).call(data) == (TRUE if value == 5 else FALSE)


def test_aliases_of_public_inputs_and_coordinates_are_refused(mixed):
    data = calldata(mixed.proof, mixed.public_inputs, packed=mixed.packed)
    for word in range(14):
        at = slice(4 + 32 * word, 36 + 32 * word)
        value = int.from_bytes(data[at], "big")
        for modulus in (Fq.modulus, Fr.modulus):
            dirty = data[: at.start] + ((value + modulus) % 2**256).to_bytes(32, "big") + data[at.stop :]
            assert contract_of(mixed).call(dirty) == FALSE, word


def test_other_lengths_and_offsets_of_the_packed_values_are_refused(digits):
    contract, size = contract_of(digits), len(digits.packed)
    data = calldata(digits.proof, [], packed=digits.packed)
    head = 4 + 32 * 12
    offset, length = (int.from_bytes(data[at : at + 32], "big") for at in (head, head + 32))
    assert (offset, length) == (32 * 13, size)
    for at, value in (
        (head, offset + 32),
        (head, offset - 32),
        (head, 0),
        (head + 32, size - 1),
        (head + 32, size + 1),
    ):
        changed = data[:at] + value.to_bytes(32, "big") + data[at + 32 :]
        assert contract.call(changed) in (FALSE, NO_DATA)
    moved = data[:head] + (offset + 32).to_bytes(32, "big") + bytes(32) + data[head + 32 :]
    assert contract.call(moved) == FALSE
    assert contract.call(data + bytes(32)) == FALSE
    for short in (data[:-1], data[:-32], data[:head], data[:4]):
        assert contract.call(short) in (FALSE, NO_DATA)


def test_packed_values_that_an_abi_decoder_finds_elsewhere_are_refused(mixed):
    """The last public input is their length, too, so that a decoder takes what follows it for them."""
    public = [1, len(mixed.packed)]
    proof = secrets_of(mixed.name).prove(mixed.verifying_key, public, mixed.packed)
    data, head = calldata(proof, public, packed=mixed.packed), 4 + 32 * 14
    assert contract_of(mixed).call(data) == TRUE
    elsewhere = data[:head] + (32 * 13).to_bytes(32, "big") + data[head + 32 :]
    assert contract_of(mixed).call(elsewhere) == FALSE


def test_packed_values_of_another_length_are_refused(digits):
    assert ask(digits, packed=digits.packed[:-1]) in (FALSE, NO_DATA)
    assert ask(digits, packed=digits.packed + b"\0") in (FALSE, NO_DATA)


@settings(max_examples=60, deadline=None)
@given(byte=st.integers(4, 4 + 32 * 18 - 1), flip=st.integers(1, 255))
def test_no_change_of_one_byte_makes_another_valid_call(byte, flip):
    """But for the padding behind the packed values, which nobody reads."""
    mixed = made("committed_mixed")
    data = bytearray(calldata(mixed.proof, mixed.public_inputs, packed=mixed.packed))
    padding = range(len(data) - (-len(mixed.packed) % 32), len(data))
    if byte < len(data):
        data[byte] ^= flip
        verdict = contract_of(mixed).call(bytes(data))
        assert verdict == TRUE if byte in padding else verdict in (FALSE, NO_DATA)


# cost


def test_74_values_cost_less_than_350000_gas_in_a_contract_below_12_kilobytes(digits):
    contract = contract_of(digits)
    assert sum(array.size for array in digits.verifying_key.required_commitment.round.arrays) == 74
    assert ask(digits) == TRUE
    assert contract.gas_used < 285_000
    assert contract.runtime_size < 3_300


def test_a_further_value_of_a_byte_costs_less_than_60_gas(digits):
    image = made("committed_image")
    costs = []
    for instance in (digits, image):
        assert ask(instance) == TRUE
        costs.append(contract_of(instance).gas_used)
    assert (costs[1] - costs[0]) / (28 * 28 - 64) < 60


@pytest.mark.parametrize("function", ["verifyProof", "requireValidProof"])
def test_the_advised_gas_limit_suffices_and_is_not_wasteful(instance, function):
    data = calldata(instance.proof, instance.public_inputs, function, instance.packed)
    contract = contract_of(instance)
    limit = gas_limit(len(instance.public_inputs), round_=instance.verifying_key.required_commitment.round)
    assert contract.call(data, gas=limit) == TRUE
    assert 1.03 * contract.gas_used < limit < 1.08 * contract.gas_used


@pytest.mark.parametrize("name", LARGE)
def test_the_advised_gas_limit_suffices_for_many_values_of_any_kind(name):
    instance = made(name)
    limit = gas_limit(0, round_=instance.verifying_key.required_commitment.round)
    contract = contract_of(instance)
    assert 0 not in instance.packed
    assert contract.call(calldata(instance.proof, [], packed=instance.packed), gas=limit) == TRUE
    assert 1.03 * contract.gas_used < limit < 1.08 * contract.gas_used


def test_the_advised_gas_limit_is_no_less_than_the_floor_on_calldata():
    """Wide values are computed with for less than their calldata costs at least (EIP-7623)."""
    wide = CommittedRound(5, 1, (PublicArray("wide", (40_000,), 0, 2**128 - 1),))
    assert gas_limit(0, round_=wide) == 21_000 + 40 * (4 + 32 * 14 + 16 * 40_000)


@pytest.mark.parametrize(
    ("function", "refusals"), [("verifyProof", {FALSE, HALT}), ("requireValidProof", {INVALID_PROOF, HALT})]
)
def test_starved_of_gas_a_valid_proof_is_never_accepted(digits, function, refusals):
    contract = contract_of(digits)
    data = calldata(digits.proof, [], function, digits.packed)
    assert contract.call(data) == TRUE
    needed = contract.gas_used
    starved = {contract.call(data, gas) for gas in [*range(21_000, needed, 997), *range(needed - 150, needed)]}
    assert starved == refusals


@pytest.mark.parametrize(("precompile", "sites"), [(6, 1), (7, 2), (8, 1)])
def test_only_a_precompile_that_succeeds_with_its_full_answer_makes_a_proof_valid(digits, precompile, sites):
    data = calldata(digits.proof, [], packed=digits.packed)
    verdicts = list(verdicts_with_stand_ins(creation_code(digits.name), precompile, data))
    assert verdicts == [[TRUE, FALSE, FALSE, FALSE, FALSE]] * sites


# the source


def test_a_name_cannot_end_the_comment_it_stands_in():
    source = verifier_source(made("committed_mixed").verifying_key)
    assert "odd name" not in source
    assert "///   array 1: 2 x int16 from -300 to 500, at byte 3\n" in source
    assert "///   nibbles: 3 x uint8 from 0 to 15, at byte 0\n" in source


def test_the_key_digest_in_the_contract_is_the_verifier_s(instance):
    assert key_digest(instance.verifying_key).hex() in verifier_source(instance.verifying_key)
