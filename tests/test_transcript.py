"""Every bit that is absorbed decides every challenge after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from Crypto.Hash import keccak

from zkgpu.curves.bn254 import BN254, Fr
from zkgpu.curves.points import Point
from zkgpu.formats.public_values import read_public
from zkgpu.plonk.keys import EVALUATIONS, FIXED, POINTS
from zkgpu.plonk.transcript import AllChallenges, PlonkTranscript
from zkgpu.systems.files import read_proof, read_verifying_key
from zkgpu.transcript import Transcript

FOLDER = Path(__file__).parent / "data" / "samples" / "multiplier"
KEY = read_verifying_key(FOLDER / "plonk_vk.json")
PROOF = read_proof(FOLDER / "plonk_proof.json", KEY)
PUBLIC = read_public(FOLDER / "plonk_public.json")
NAMES = ("beta", "gamma", "alpha", "zeta", "v", "u")
# the first challenge that depends on what the prover says, by its name
FIRST = {
    **dict.fromkeys(("a", "b", "c"), 0),
    "z": 2,
    **dict.fromkeys(("t1", "t2", "t3"), 3),
    **dict.fromkeys(EVALUATIONS, 4),
    **dict.fromkeys(("w_zeta", "w_zeta_omega"), 5),
}
U_COVERS = {"w_zeta", "w_zeta_omega"}  # u folds two equations for the verifier and hashes their proofs alone


def drawn(key=KEY, public=PUBLIC, proof=PROOF) -> list[int]:  # type: ignore[no-untyped-def]
    ch = AllChallenges.of(key, public, proof)
    return [ch.identities.beta, ch.identities.gamma, ch.identities.alpha, ch.zeta, ch.v, ch.u]


def flipped(item: Point | int) -> Point | int:
    """One bit of one coordinate changed; hashing checks no curve equation."""
    return Point(item.group, item.x ^ 1, item.y) if isinstance(item, Point) else item ^ 1


def changed(challenges: list[int]) -> list[bool]:
    return [new != old for new, old in zip(challenges, drawn(), strict=True)]


@pytest.mark.parametrize("name", [*POINTS, *EVALUATIONS])
def test_one_bit_of_what_the_prover_says_changes_every_later_challenge(name: str) -> None:
    proof = replace(PROOF, **{name: flipped(getattr(PROOF, name))})
    first = FIRST[name]
    assert changed(drawn(proof=proof)) == [i >= first and (i < 5 or name in U_COVERS) for i in range(6)]


@pytest.mark.parametrize("name", FIXED)
def test_one_bit_of_the_key_changes_every_challenge(name: str) -> None:
    key = replace(KEY, **{name: flipped(getattr(KEY, name))})
    assert changed(drawn(key=key)) == [True] * 5 + [False]


@pytest.mark.parametrize("i", range(3))
def test_one_bit_of_a_public_input_changes_every_challenge(i: int) -> None:
    public = [x ^ 1 if k == i else x for k, x in enumerate(PUBLIC)]
    assert changed(drawn(public=public)) == [True] * 5 + [False]


def test_no_challenge_is_the_same_for_two_proofs() -> None:
    other = FOLDER.parent / "range"
    key = read_verifying_key(other / "plonk_vk.json")
    theirs = drawn(key, read_public(other / "plonk_public.json"), read_proof(other / "plonk_proof.json", key))
    assert not set(theirs) & set(drawn())
    assert len({*drawn()}) == 6


@pytest.mark.parametrize("skipped", ["wires", "grand_product", "quotient", "openings"])
def test_no_round_is_said_out_of_turn(skipped: str) -> None:
    said = PlonkTranscript(KEY, PUBLIC)
    rounds = {
        "wires": lambda: said.wires(PROOF.a, PROOF.b, PROOF.c),
        "grand_product": lambda: said.grand_product(PROOF.z),
        "quotient": lambda: said.quotient(PROOF.t1, PROOF.t2, PROOF.t3),
        "openings": lambda: said.openings(**PROOF.evaluations),
        "opening_proofs": lambda: said.opening_proofs(PROOF.w_zeta, PROOF.w_zeta_omega),
    }
    names = list(rounds)
    at = names.index(skipped)
    for name in names[:at]:
        rounds[name]()
    with pytest.raises(AssertionError, match="out of turn"):
        rounds[names[at + 1]]()


def test_what_was_said_in_all_rounds_is_the_proof() -> None:
    said = PlonkTranscript(KEY, PUBLIC)
    said.wires(PROOF.a, PROOF.b, PROOF.c)
    said.grand_product(PROOF.z)
    said.quotient(PROOF.t1, PROOF.t2, PROOF.t3)
    said.openings(**dict(reversed(PROOF.evaluations.items())))
    said.opening_proofs(PROOF.w_zeta, PROOF.w_zeta_omega)
    assert said.proof == PROOF


def test_a_challenge_is_the_hash_of_what_was_absorbed_since_the_last() -> None:
    transcript, g = Transcript(BN254), BN254.g1.generator
    transcript.absorb(7, g)
    transcript.write(x=8, p=2 * g)
    text = b"".join(v.to_bytes(32, "big") for v in (7, 1, 2, 8, *(2 * g).coordinates()))
    wanted = int.from_bytes(keccak.new(digest_bits=256, data=text).digest(), "big") % Fr.modulus
    assert transcript.challenge() == wanted
    assert transcript.challenge() == int.from_bytes(keccak.new(digest_bits=256).digest(), "big") % Fr.modulus
    assert transcript.written == {"x": 8, "p": 2 * g}


@pytest.mark.parametrize("say", [lambda t: t.absorb(-1), lambda t: t.absorb(1 << 256), lambda t: t.write(x=-1)])
def test_what_is_no_scalar_is_not_absorbed(say: Callable[[Transcript], None]) -> None:
    with pytest.raises(OverflowError):
        say(Transcript(BN254))
