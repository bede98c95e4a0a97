"""The Groth16 rows of the verdict catalogue, by the contract."""

import json

import pytest
from evm import FALSE, REVERT, TRUE, Contract, creation_code
from groth16_instances import DATA, read_public, sample, uncontributed_key

from zkgpu.curves.bn254 import BN254, Fq, Fr
from zkgpu.curves.points import Point, sum_points
from zkgpu.errors import InsecureKeyError
from zkgpu.groth16.keys import Proof
from zkgpu.solidity import calldata, verifier_source

ROWS = {row["case"]: row["want"] for row in json.loads((DATA / "verdicts" / "expected.json").read_text())["groth16"]}
HONEST = sample("verdicts")
NO_FUNCTION = f"{REVERT} 0x"


def forged_without_witness() -> bytes:
    """A = alpha, B = beta, C = -vk_x, which verifies when gamma equals delta."""
    key, inputs = uncontributed_key(), [123456789, 42]
    vk_x = sum_points(BN254.g1, [key.ic[0], *(x * p for x, p in zip(inputs, key.ic[1:], strict=True))])
    return calldata(Proof(key.alpha_g1, key.beta_g2, -vk_x), inputs)


def with_first_word(index: int, change: int) -> bytes:
    data = bytearray(calldata(HONEST.proof, HONEST.public_inputs))
    word = slice(4 + 32 * index, 36 + 32 * index)
    data[word] = ((int.from_bytes(data[word], "big") + change) % 2**256).to_bytes(32, "big")
    return bytes(data)


def outside_subgroup() -> Point:
    g2, f = BN254.g2, BN254.g2.field
    for i in range(100):
        x = (i, 1)
        y = f.sqrt(f.add(f.mul(f.square(x), x), g2.b))
        if y is not None:
            return Point(g2, x, y)
    raise AssertionError("no twist point found")


def proof(a=HONEST.proof.a, b=HONEST.proof.b, c=HONEST.proof.c, inputs=HONEST.public_inputs) -> bytes:
    return calldata(Proof(a, b, c), inputs)


A, B = HONEST.proof.a, HONEST.proof.b
CALLS = {
    "honest": (proof(), TRUE),
    "public signals truncated (trailing 0 dropped)": (proof(inputs=HONEST.public_inputs[:-1]), NO_FUNCTION),
    "public signals one too many": (proof(inputs=[*HONEST.public_inputs, 0]), NO_FUNCTION),
    "public[0]+r": (with_first_word(8, Fr.modulus), FALSE),
    "public[0]-r (negative)": (with_first_word(8, -Fr.modulus), FALSE),
    "pi_a[0]+q (non-canonical coordinate)": (with_first_word(0, Fq.modulus), FALSE),
    "(-A,-B,C)": (proof(a=-A, b=-B), TRUE),
    "A off curve": (with_first_word(1, 1), FALSE),
    "B on twist, outside r-subgroup": (proof(b=outside_subgroup()), FALSE),
    "all points infinity / (0,0)": (proof(BN254.g1.infinity, BN254.g2.infinity, BN254.g1.infinity), FALSE),
}
FORGED = "vk UNCONTRIBUTED (gamma==delta), forged A=alpha,B=beta,C=-vk_x for public [123456789,42]"
# Calldata holds words, so these cannot be said to a contract; vk.IC is fixed when the contract is written.
ABOUT_JSON = {
    "public as '0x21'",
    "public as '033'",
    "public as JSON object with length",
    "public null",
    "proof.protocol='plonk'",
    "proof.curve='bls12381'",
    "vk.IC too long",
    "vk.IC too short",
}


@pytest.fixture(scope="module")
def contract():
    return Contract(creation_code("verdicts"))


@pytest.mark.parametrize("case", CALLS)
def test_the_contract_gives_the_verdict_of_the_catalogue(contract, case):
    data, expected = CALLS[case]
    assert contract.call(data) == expected
    assert (expected == TRUE) == ROWS[case].startswith("accept")


def test_every_row_of_the_catalogue_is_asked_or_is_about_json():
    assert ROWS.keys() == CALLS.keys() | ABOUT_JSON | {FORGED}


def test_no_contract_is_written_for_the_uncontributed_key():
    assert ROWS[FORGED] == "reject: insecure key"
    with pytest.raises(InsecureKeyError, match="gamma equals delta"):
        verifier_source(uncontributed_key())


def test_the_contract_of_an_insecure_key_accepts_a_forgery_which_is_why_it_is_refused():
    assert Contract(creation_code("uncontributed")).call(forged_without_witness()) == TRUE


def test_the_forgery_is_refused_under_a_contributed_key(contract):
    assert contract.call(forged_without_witness()) == FALSE


def test_swapping_the_public_inputs_is_refused(contract):
    inputs = read_public(DATA / "verdicts" / "bn254" / "groth16_public.json")
    assert contract.call(proof(inputs=inputs[::-1])) == FALSE
