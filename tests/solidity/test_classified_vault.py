"""From a circuit to a contract that acts on the class a proof shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from committed_instances import WEIGHTS, class_of, classifier_prover, prove_class
from contracts import CLASSIFIER, VAULT
from Crypto.Hash import keccak
from evm import CALLER, REVERT, THIEF, TRUE, Contract, creation_code

from zkgpu.groth16 import verify
from zkgpu.provers.statement import Statement
from zkgpu.solidity import calldata, verifier_source

PIXELS = [15, 2, 1, 7]
OTHERS = [1, 14, 2, 0]


def error(signature: str, *words: int) -> str:
    selector = keccak.new(digest_bits=256, data=signature.encode()).hexdigest()[:8]
    return f"{REVERT} 0x{selector}" + "".join(f"{word:064x}" for word in words)


def vault(wanted: int, classes: int = len(WEIGHTS)) -> Contract:
    verifier = Contract(creation_code(CLASSIFIER))
    arguments = [int(verifier.address, 16), len(PIXELS), classes, wanted]
    return Contract(creation_code(VAULT) + b"".join(a.to_bytes(32, "big") for a in arguments), beside=verifier)


def opening(proven: Statement) -> bytes:
    """The call of `open`, whose arguments are those of verifyProof."""
    signature = b"open(uint256[2],uint256[2][2],uint256[2],uint256[2],uint256[2],bytes)"
    selector = keccak.new(digest_bits=256, data=signature).digest()[:4]
    return selector + calldata(proven.proof, proven.public_inputs, packed=proven.packed)[4:]


@pytest.fixture(scope="module")
def proven() -> Statement:
    return prove_class(PIXELS, CALLER)


def test_the_vault_opens_for_the_class_that_the_model_gives(proven: Statement) -> None:
    assert vault(class_of(PIXELS)).call(opening(proven)) == TRUE


def test_the_vault_opens_once_for_an_input_whatever_the_proof(proven: Statement) -> None:
    contract = vault(class_of(PIXELS))
    assert contract.call(opening(proven)) == TRUE
    used = error("InputUsedBefore()")
    assert contract.call(opening(proven)) == used
    assert contract.call(opening(prove_class(PIXELS, CALLER))) == used


def test_another_class_stays_outside(proven: Statement) -> None:
    found = class_of(PIXELS)
    assert class_of(OTHERS) != found
    assert vault(class_of(OTHERS)).call(opening(proven)) == error("WrongClass(uint256)", found)
    assert vault(class_of(OTHERS)).call(opening(prove_class(OTHERS, CALLER))) == TRUE


def test_a_thief_who_copies_the_call_stays_outside_and_the_owner_gets_in(proven: Statement) -> None:
    contract = vault(class_of(PIXELS))
    assert contract.call(opening(proven), sender=THIEF) == error("MadeForAnother(address)", int(CALLER, 16))
    mine = proven.packed[:-20] + bytes.fromhex(THIEF[2:])
    assert contract.call(opening(replace(proven, packed=mine)), sender=THIEF) == error("InvalidProof()")
    assert contract.call(opening(proven)) == TRUE


def test_a_proof_for_oneself_opens_for_oneself_only() -> None:
    contract, own = vault(class_of(PIXELS)), prove_class(PIXELS, THIEF)
    assert contract.call(opening(own)) == error("MadeForAnother(address)", int(THIEF, 16))
    assert contract.call(opening(own), sender=THIEF) == TRUE


@pytest.mark.parametrize("classes", [0, 2, 4, 6])
def test_scores_that_are_not_the_words_the_vault_reads_are_refused(proven: Statement, classes: int) -> None:
    """Six int16 take the bytes of three int32: read as these they would be other scores."""
    found = class_of(PIXELS)
    assert vault(found, classes).call(opening(proven)) == error("WrongLayout(uint256)", len(proven.packed))


@pytest.mark.parametrize("byte", range(16 + 20))
def test_an_input_a_logit_or_the_owner_altered_by_one_is_refused_in_python_and_on_chain(
    proven: Statement, byte: int
) -> None:
    packed = bytearray(proven.packed)
    packed[byte] = packed[byte] - 1 if packed[byte] else 1
    altered = replace(proven, packed=bytes(packed))
    assert vault(class_of(PIXELS)).call(opening(altered)) == error("InvalidProof()")
    key = classifier_prover()[1].key.verifying_key
    assert not verify(key, altered.public_inputs, altered.proof, packed=altered.packed)


def test_the_vault_refuses_a_proof_of_something_else(proven: Statement) -> None:
    other = prove_class(OTHERS, CALLER)
    mixed = replace(proven, proof=replace(other.proof, commitments=proven.proof.commitments))
    assert vault(class_of(PIXELS)).call(opening(mixed)) == error("InvalidProof()")


def test_the_compiled_verifier_is_that_of_the_circuit() -> None:
    source = verifier_source(classifier_prover()[1].key.verifying_key, "ClassVerifier")
    assert "pixels: 4 x uint8 from 0 to 15, at byte 0" in source
