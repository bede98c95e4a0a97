"""Whole inferences on chain: a model's own contract takes its proofs, and refuses all that Python refuses."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from committed_instances import G1, made_trapdoor
from contracts import PUBLISHED, VAULT, compile_or_skip
from Crypto.Hash import keccak
from digit_models import PIXELS, Deployed, another_model, compiled_model, deploy, deployed_model, other_weights
from evm import CALLER, FALSE, REVERT, THIEF, TRUE, Contract, creation_code
from model_contracts import DEMO, FORMS, compiled_form, deployed, form_of

from tests.soundness import tried
from zkgpu.backend import open_backend
from zkgpu.errors import FormatError, UsageError
from zkgpu.evm.abi import g1_words
from zkgpu.inference import binding_of, estimate, hashes_of, unsafe_setup, values_of
from zkgpu.provers.statement import Statement
from zkgpu.solidity import CompiledContract, calldata, gas_limit, verifier_source
from zkgpu.solidity.linking import key_constants

MODELS = [(name, weights) for name in ("cnn", "dense") for weights in ("public", "private", "hashed")]
ACCEPTED, REFUSED = (TRUE, True), (FALSE, False)
SCORES = slice(64, 104)


@pytest.fixture(scope="module", params=MODELS, ids="-".join)
def model(request: pytest.FixtureRequest) -> Deployed:
    return deployed_model(*request.param)


@pytest.fixture(scope="module")
def inference(model: Deployed) -> Statement:
    return model.prove(PIXELS[0])


def test_the_contract_of_a_model_accepts_its_proof_within_the_gas_and_the_code_it_may_take(model, inference) -> None:
    assert len(values_of(model.key, inference)) == 2
    assert model.verdicts(inference) == ACCEPTED
    assert 250_000 < model.contract.gas_used < 350_000
    assert model.contract.gas_used < gas_limit(model.key.n_explicit_public, round_=model.key.required_commitment.round)
    assert estimate(model.compiled.circuit.r1cs).gas == pytest.approx(model.contract.gas_used, rel=0.005)
    assert model.contract.runtime_size < 12_000


def test_other_inputs_are_accepted_under_the_same_key(model) -> None:
    for pixels in (PIXELS[1], np.zeros(64, int), np.full(64, 16)):
        assert model.verdicts(model.prove(pixels)) == ACCEPTED


def altered(packed: bytes, at: int, delta: int) -> bytes:
    """The packed values with one of the 64 pixels or 10 scores changed."""
    if at < 64:
        return packed[:at] + bytes([packed[at] + delta]) + packed[at + 1 :]
    start = 64 + 4 * (at - 64)
    score = int.from_bytes(packed[start : start + 4], "big", signed=True) + delta
    return packed[:start] + score.to_bytes(4, "big", signed=True) + packed[start + 4 :]


def alterations(packed: bytes) -> list[bytes]:
    """Every public value one more and one less, where that is a value at all."""
    places = [(at, delta) for at in range(74) for delta in (1, -1)]
    return [altered(packed, at, d) for at, d in places if at >= 64 or 0 <= packed[at] + d <= 16]


def test_any_input_or_output_altered_by_one_is_refused(model, inference) -> None:
    changed = alterations(inference.packed)
    tried("altered public values", len(changed))
    assert len(changed) > 140 - 64
    for packed in changed:
        data = calldata(inference.proof, inference.public_inputs, packed=packed)
        assert model.contract.call(data) == FALSE
    for packed in (changed[0], changed[-1], changed[-20]):
        assert model.verdicts(replace(inference, packed=packed)) == REFUSED


def test_the_values_of_another_proof_of_the_same_model_are_refused(model, inference) -> None:
    other = model.prove(PIXELS[1])
    mixed = other.packed[:64] + inference.packed[SCORES]
    for packed in (other.packed, mixed):
        assert model.verdicts(replace(inference, packed=packed)) == REFUSED


@pytest.mark.parametrize("name", ["cnn", "dense"])
def test_the_proof_of_a_model_with_other_weights_is_refused_where_weights_are_public(name: str) -> None:
    mine = deployed_model(name, "public")
    other = deploy(another_model(mine.compiled))
    proven = other.prove(PIXELS[0])
    assert other.verdicts(proven) == ACCEPTED
    assert mine.verdicts(proven) == REFUSED
    honest = mine.prove(PIXELS[0])
    assert honest.packed != proven.packed
    assert mine.verdicts(replace(honest, packed=proven.packed)) == REFUSED


@pytest.mark.parametrize("name", ["cnn", "dense"])
@pytest.mark.parametrize("weights", ["private", "hashed"])
def test_other_weights_are_accepted_under_the_same_key_where_weights_are_private(name: str, weights: str) -> None:
    mine = deployed_model(name, weights)
    theirs = mine.prove(PIXELS[0], weights=other_weights(mine.compiled))
    assert mine.verdicts(theirs) == ACCEPTED
    assert theirs.packed != mine.prove(PIXELS[0]).packed


@pytest.mark.parametrize("name", ["cnn", "dense"])
def test_hashed_weights_are_named_by_their_hash_and_by_no_other(name: str) -> None:
    mine = deployed_model(name, "hashed")
    other = other_weights(mine.compiled)
    honest, theirs = mine.prove(PIXELS[0]), mine.prove(PIXELS[0], weights=other)
    assert hashes_of(mine.compiled.hash_names, honest) == {"weights.hash": mine.compiled.weights_hash}
    assert hashes_of(other.hash_names, theirs) == {"weights.hash": other.weights_hash}
    hashes = [mine.compiled.weights_hash, other.weights_hash, other.weights_hash + 1, other.weights_hash - 1, 0]
    for claimed in hashes:
        verdict = mine.verdicts(replace(theirs, public_inputs=(claimed,)))
        assert verdict == (ACCEPTED if claimed == other.weights_hash else REFUSED)


# a contract that acts on the class


def vault(model: Deployed, wanted: int) -> Contract:
    arguments = [int(model.contract.address, 16), 64, 10, wanted]
    code = creation_code(VAULT) + b"".join(a.to_bytes(32, "big") for a in arguments)
    return Contract(code, beside=model.contract)


def opening(inference: Statement) -> bytes:
    return call_of("open(uint256[2],uint256[2][2],uint256[2],uint256[2],uint256[2],bytes)", inference)


def call_of(signature: str, inference: Statement) -> bytes:
    """The call of a function whose arguments are those of verifyProof."""
    selector = keccak.new(digest_bits=256, data=signature.encode()).digest()[:4]
    return selector + calldata(inference.proof, inference.public_inputs, packed=inference.packed)[4:]


OWNER = bytes.fromhex(CALLER[2:])


@pytest.fixture(params=[m for m in MODELS if m[1] != "hashed"], ids="-".join)
def bound(request: pytest.FixtureRequest) -> Deployed:
    """A model whose proofs are for an address. The vault's interface has no room for a hash."""
    return deployed_model(*request.param, 20)


def test_the_vault_opens_for_the_class_that_the_model_reads_and_for_no_other(bound) -> None:
    model, inference = bound, bound.prove(PIXELS[0], binding=OWNER)
    assert model.verdicts(inference) == ACCEPTED
    assert binding_of(model.key, inference) == OWNER
    scores = list(values_of(model.key, inference).values())[1]
    wanted = int(np.argmax(scores.ravel().astype(int)))
    assert vault(model, wanted).call(opening(inference)) == TRUE
    assert vault(model, (wanted + 1) % 10).call(opening(inference)).startswith(REVERT)


def test_the_vault_stays_shut_when_the_scores_were_altered(bound) -> None:
    model, inference = bound, bound.prove(PIXELS[0], binding=OWNER)
    scores = list(values_of(model.key, inference).values())[1].ravel().astype(int)
    wanted = int(scores.argmin())
    packed = altered(inference.packed, 64 + wanted, int(scores.max() - scores.min()) + 1)
    assert vault(model, wanted).call(opening(replace(inference, packed=packed))) == error("InvalidProof()")


def test_whoever_copies_the_call_before_it_is_mined_does_not_get_in(bound) -> None:
    model, inference = bound, bound.prove(PIXELS[0], binding=OWNER)
    scores = list(values_of(model.key, inference).values())[1].ravel().astype(int)
    contract = vault(model, int(scores.argmax()))
    stolen = error("MadeForAnother(address)", int.from_bytes(OWNER, "big"))
    assert contract.call(opening(inference), sender=THIEF) == stolen
    for place in range(20):
        packed = bytearray(inference.packed)
        packed[104 + place] ^= 1 + place
        assert model.verdicts(replace(inference, packed=bytes(packed))) == REFUSED
    assert contract.call(opening(inference)) == TRUE


def error(signature: str, *words: int) -> str:
    selector = keccak.new(digest_bits=256, data=signature.encode()).hexdigest()[:8]
    return f"{REVERT} 0x{selector}" + "".join(f"{word:064x}" for word in words)


@pytest.mark.parametrize("name", ["cnn", "dense"])
def test_a_published_model_answers_with_the_weights_of_its_hash_only(name: str) -> None:
    model = deployed_model(name, "hashed")
    arguments = [int(model.contract.address, 16), model.compiled.weights_hash, 64]
    code = creation_code(PUBLISHED) + b"".join(a.to_bytes(32, "big") for a in arguments)
    published = Contract(code, beside=model.contract)
    honest = model.prove(PIXELS[0])
    theirs = model.prove(PIXELS[0], weights=other_weights(model.compiled))
    signature = "answer(uint256[2],uint256[2][2],uint256[2],uint256[2],uint256[2],uint256[1],bytes)"
    assert published.call(call_of(signature, honest)) == TRUE
    assert published.call(call_of(signature, theirs)) == error("OtherWeights(uint256)", *theirs.public_inputs)
    for lie in (replace(theirs, public_inputs=honest.public_inputs), replace(honest, packed=theirs.packed)):
        assert published.call(call_of(signature, lie)) == error("InvalidProof()")


# linking


def test_the_code_of_the_demo_is_that_of_the_compiled_source() -> None:
    assert CompiledContract.parse(DEMO.read_text()) == compiled_form(FORMS[0, 2, 0])


def test_code_is_linked_for_keys_with_the_same_public_values_only() -> None:
    key = deployed_model("cnn", "public").key
    for name in ("digits_sums_only", "digits_hashed"):
        with pytest.raises(UsageError, match="other public values"):
            compiled_form(name).for_key(key)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"source": "00", "code": 5}', '{"source": "00", "code": "xy"}'])
def test_what_is_no_compiled_contract_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="not a compiled contract"):
        CompiledContract.parse(text)


def test_code_in_which_a_stand_in_is_missing_is_refused() -> None:
    key, form = deployed_model("cnn", "public").key, compiled_form("digits")
    at = form.code.index("7fa5")
    for code in (form.code[:at] + "60" + form.code[at + 2 :], form.code[: at - 2]):
        with pytest.raises(FormatError, match="as a word"):
            replace(form, code=code).for_key(key)


def has_short_words(source: str) -> bool:
    """Whether a constant starts with a zero byte, which the compiler would leave out."""
    return any(word < 1 << 248 for word in key_constants(source).values())


def test_numbers_that_start_with_zeros_are_linked_in_full_width() -> None:
    given, round_ = 0, replace(deployed_model("cnn", "public").key.required_commitment.round, n_committed=1)
    secrets = made_trapdoor("short", given, round_)
    alpha = next(a for a in count(secrets.alpha) if g1_words(a * G1)[0] < 1 << 248)
    secrets = replace(secrets, alpha=alpha)
    key, packed = secrets.verifying_key(), bytes(104)
    assert has_short_words(verifier_source(key))
    assert deployed(key).call(calldata(secrets.prove(key, [], packed), [], packed=packed)) == TRUE


@pytest.mark.node
@pytest.mark.parametrize("name", ["cnn", "dense"])
def test_linked_code_is_what_the_compiler_makes_of_the_source(name: str) -> None:
    compiled, backend = compiled_model(name, "public"), open_backend("cpu")
    keys = (unsafe_setup(compiled, backend).verifying_key for _ in count())
    key = next(k for k in keys if not has_short_words(verifier_source(k)))
    (code,) = compile_or_skip({"one": verifier_source(key)}).values()
    assert bytes.fromhex(code) == compiled_form(form_of(key)).for_key(key)
