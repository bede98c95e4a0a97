"""Proofs of circuits with challenges: what is bound to what, and the forgeries that must not pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from committed_statement import INPUTS, CommittedStatement, with_part, with_points, with_queries

from zkgpu.backend import Backend, open_backend
from zkgpu.curves.bn254 import G1, G2, Fr
from zkgpu.curves.pairing import pairing_product_is_one, small_msm
from zkgpu.curves.points import Point
from zkgpu.errors import (
    FormatError,
    InsecureKeyError,
    LengthError,
    PointError,
    SelfCheckError,
    UnsatisfiedError,
    UsageError,
)
from zkgpu.groth16 import Proof, Prover, verify, verify_batch
from zkgpu.groth16.commitment import CommitmentTranscript, key_digest
from zkgpu.groth16.committer import Committer, Opening
from zkgpu.groth16.prover import Blinding
from zkgpu.groth16.resident import ResidentKey
from zkgpu.provers.statement import Statement
from zkgpu.store import prepared

FIXED = Blinding(r=12345, s=67890, mask=13579)
OTHER = {"x": [2, 0], "y": [4, 0], "total": 4}


def accepts(statement: CommittedStatement, proven: Statement) -> bool:
    return verify(statement.key.verifying_key, proven.public_inputs, proven.proof, packed=proven.packed)


def prove(statement: CommittedStatement, inputs: Any = INPUTS, backend: str = "cpu", **seam: Any) -> Statement:
    return Prover(statement.key, open_backend(backend)).prove_circuit(statement.circuit, inputs, **seam)


# right proofs


def test_every_backend_gives_the_same_proof_for_the_same_randomness(
    backend: Backend, committed: CommittedStatement
) -> None:
    proven = Prover(committed.key, backend, circuit=committed.circuit.r1cs).prove_circuit(
        committed.circuit, INPUTS, _blinding=FIXED
    )
    assert proven == prove(committed, backend="reference", _blinding=FIXED)
    assert proven.public_inputs == [10]
    assert proven.packed == bytes([3, 255, 0, 18, 0, 2])
    assert accepts(committed, proven)


def test_another_input_is_proven_under_the_same_key(committed: CommittedStatement) -> None:
    assert accepts(committed, prove(committed, OTHER))


def test_proofs_are_verified_in_a_batch(committed: CommittedStatement) -> None:
    vk, batch = committed.key.verifying_key, [committed.proven, prove(committed, OTHER), prove(committed)]
    assert verify_batch(vk, batch)
    wrong = replace(batch[1], packed=committed.proven.packed)
    assert not verify_batch(vk, [batch[0], wrong, batch[2]])
    knowledge = batch[2].proof.commitments[0].knowledge
    swapped = [replace(batch[0], proof=with_points(batch[0].proof, knowledge=knowledge))] * 2
    assert not verify_batch(vk, swapped)


# what a proof is bound to


@pytest.mark.parametrize("byte", range(6))
def test_an_altered_packed_value_is_refused(committed: CommittedStatement, byte: int) -> None:
    packed = bytearray(committed.proven.packed)
    packed[byte] = {1: 2, 3: 19}.get(byte, packed[byte] ^ 1)
    assert not accepts(committed, replace(committed.proven, packed=bytes(packed)))


def test_an_altered_public_input_is_refused(committed: CommittedStatement) -> None:
    assert not accepts(committed, replace(committed.proven, public_inputs=[11]))


@pytest.mark.parametrize("name", ["a", "b", "c", "point", "knowledge"])
def test_a_point_of_another_proof_of_the_same_witness_is_refused(committed: CommittedStatement, name: str) -> None:
    other = prove(committed).proof
    point = getattr(other if name in "abc" else other.commitments[0], name)
    mixed = with_points(committed.proven.proof, **{name: point})
    assert not accepts(committed, replace(committed.proven, proof=mixed))


def test_a_commitment_swapped_with_its_proof_of_knowledge_is_refused(committed: CommittedStatement) -> None:
    for other in (prove(committed).proof, prove(committed, OTHER).proof):
        mixed = replace(committed.proven.proof, commitments=other.commitments)
        assert not accepts(committed, replace(committed.proven, proof=mixed))


def test_a_scaled_or_empty_commitment_is_refused(committed: CommittedStatement) -> None:
    (commitment,) = committed.proven.proof.commitments
    for k in (0, 2, -1):
        scaled = with_points(committed.proven.proof, point=k * commitment.point, knowledge=k * commitment.knowledge)
        assert not accepts(committed, replace(committed.proven, proof=scaled))


# challenges


def challenges_of(key: Any, d: Point, public: list[int], packed: bytes) -> list[int]:
    return CommitmentTranscript(key, d, public, packed).challenges()


def test_every_challenge_depends_on_the_commitment_the_key_and_every_public_value(
    committed: CommittedStatement,
) -> None:
    """CVE-2024-45039: with several challenges the prover chose all but the last."""
    vk, (public, proof, packed) = committed.key.verifying_key, committed.proven
    d = proof.commitments[0].point
    base = challenges_of(vk, d, public, packed)
    assert len(set(base)) == len(base) == 2
    other_sigma = with_part(vk, sigma_g2=2 * vk.required_commitment.sigma_g2)
    varied = [
        challenges_of(vk, d + G1.generator, public, packed),
        challenges_of(vk, d, [11], packed),
        challenges_of(other_sigma, d, public, packed),
        challenges_of(replace(vk, delta_g2=2 * vk.delta_g2), d, public, packed),
        *(challenges_of(vk, d, public, packed[:i] + b"\x07" + packed[i + 1 :]) for i in range(6)),
    ]
    seen = [c for challenges in [base, *varied] for c in challenges]
    assert len(set(seen)) == len(seen)


def test_the_layout_of_packed_values_is_part_of_every_challenge(committed: CommittedStatement) -> None:
    vk = committed.key.verifying_key
    (x, doubled) = vk.required_commitment.round.arrays
    layouts = [
        (replace(x, name="z"), doubled),
        (replace(x, shape=(2, 1)), doubled),
        (replace(x, high=4), doubled),
        (replace(x, low=-4), doubled),
        (doubled, x),
    ]
    keys = [with_part(vk, round=replace(vk.required_commitment.round, arrays=a)) for a in layouts]
    assert len({key_digest(key) for key in [vk, *keys]}) == 1 + len(layouts)


class ChoosingCommitter(Committer):
    """A prover that takes challenges it likes."""

    def _challenges(self, opening: Opening, public_inputs: Any) -> list[int]:
        return [5, 7]


def test_queries_of_commitments_are_kept_with_the_others(
    committed: CommittedStatement, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cache").mkdir(mode=0o700)
    monkeypatch.setattr(prepared, "_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(prepared, "LEAST_BYTES", 0)
    backend, key = open_backend("cpu"), committed.key.read_from("a" * 64)
    first = Prover(key, backend).prove_circuit(committed.circuit, INPUTS, _blinding=FIXED)
    monkeypatch.setattr(type(backend), "points", lambda *_: pytest.fail("made again"))
    assert Prover(key, backend).prove_circuit(committed.circuit, INPUTS, _blinding=FIXED) == first


def test_chosen_challenges_are_refused(committed: CommittedStatement) -> None:
    prover = Prover(committed.key, open_backend("cpu"))
    assert accepts(committed, prover.prove_circuit(committed.circuit, INPUTS))
    prover._committers = [ChoosingCommitter(committed.key, prover._resident.commitments[0], prover.backend)]
    with pytest.raises(SelfCheckError):
        prover.prove_circuit(committed.circuit, INPUTS)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_altered_challenges_or_digests_in_the_assignment_are_refused(committed: CommittedStatement, which: int) -> None:
    def altered(challenges: Callable[..., Any]) -> np.ndarray:
        assignment = committed.circuit.witness(INPUTS, challenges)
        assignment[2 + which, 0] += np.uint64(1)
        return assignment

    with pytest.raises(UnsatisfiedError):
        Prover(committed.key, open_backend("cpu")).prove(altered)


# the commitment hides


def test_commitments_to_the_same_witness_never_repeat(committed: CommittedStatement) -> None:
    """CVE-2024-45040: without a mask, whoever guesses the witness can check the guess."""
    proofs = [committed.proven.proof, *(prove(committed).proof for _ in range(10))]
    points = [proof.commitments[0].point for proof in proofs]
    assert len(set(map(str, points))) == len(points)


def test_a_right_guess_of_the_witness_cannot_be_checked(committed: CommittedStatement) -> None:
    rows = committed.key.commitments[0].committed_query
    keys = G1.from_rows(rows)
    guesses: list[list[int]] = []
    committed.circuit.witness(INPUTS, lambda first: guesses.append(Fr.from_limbs(first.committed)) or [1, 2])
    guessed = small_msm(keys, guesses[0])
    assert guessed != committed.proven.proof.commitments[0].point
    assert not keys[0].is_infinity
    masked = small_msm(keys, [FIXED.mask, *guesses[0][1:]])
    assert masked == prove(committed, _blinding=FIXED).proof.commitments[0].point


def test_the_mask_is_drawn_for_every_proof(committed: CommittedStatement) -> None:
    masks = {Blinding.random(Fr).mask for _ in range(20)}
    assert len(masks) == 20
    assert max(m.bit_length() for m in masks) > 240


# knowledge of what is committed


class ShiftedCommitter(Committer):
    """Commits to D + k delta, which lies outside the span of the committed wires' points."""

    def _commit(self, first: Any, mask: int) -> Opening:
        opening = super()._commit(first, mask)
        (commitment,) = opening.commitments
        shifted = replace(commitment, point=commitment.point + 99 * self._key.delta_g1)
        return replace(opening, commitments=(shifted,))


def shifted_proof(statement: CommittedStatement) -> Statement:
    """A proof whose first equation holds for D + 99 delta, the difference being taken off C."""
    prover = Prover(statement.key, open_backend("cpu"))
    prover._committers = [ShiftedCommitter(statement.key, prover._resident.commitments[0], prover.backend)]
    proven = prover._made(statement.circuit.deferred(INPUTS), FIXED)
    return replace(proven, proof=replace(proven.proof, c=proven.proof.c - 99 * G1.generator))


def test_a_commitment_outside_the_span_needs_the_key_s_secret(committed: CommittedStatement) -> None:
    proven, vk = shifted_proof(committed), committed.key.verifying_key
    assert not accepts(committed, proven)
    (commitment,) = proven.proof.commitments
    for pi in (G1.infinity, commitment.point, commitment.knowledge + 99 * committed.key.delta_g1):
        assert not accepts(committed, replace(proven, proof=with_points(proven.proof, knowledge=pi)))
    # only the second equation stands in the way: whoever knows sigma forges
    forged = with_points(proven.proof, knowledge=committed.waste.sigma * commitment.point)
    assert accepts(committed, replace(proven, proof=forged))
    assert folded_equation(vk, proven, 0)


@pytest.mark.parametrize("foreseen", [False, True])
def test_errors_of_the_two_equations_cannot_be_made_to_cancel(committed: CommittedStatement, foreseen: bool) -> None:
    """A pi off by delta X and a C off by t X cancel for one t: for 1 if it were missing, or for one known before."""
    proven, vk = committed.proven, committed.key.verifying_key
    proof, x = proven.proof, 77 * G1.generator
    (commitment,) = proof.commitments
    said = CommitmentTranscript(vk, commitment.point, proven.public_inputs, proven.packed)
    t = said.fold(proof) if foreseen else 1
    crafted = with_points(proof, knowledge=commitment.knowledge + committed.waste.delta * x, c=proof.c - t * x)
    assert folded_equation(vk, replace(proven, proof=crafted), t)
    assert not accepts(committed, replace(proven, proof=crafted))


def folded_equation(vk: Any, proven: Statement, t: int) -> bool:
    """Both equations as one, the second to the power t."""
    proof = proven.proof
    (commitment,) = proof.commitments
    inputs = CommitmentTranscript(vk, commitment.point, proven.public_inputs, proven.packed).all_public_inputs()
    bound = small_msm([*vk.ic, commitment.point, commitment.knowledge], [1, *inputs, 1, t])
    pairs = [(-proof.a, proof.b), (vk.alpha_g1, vk.beta_g2), (bound, vk.gamma_g2), (proof.c, vk.delta_g2)]
    return pairing_product_is_one([*pairs, (-t * commitment.point, vk.required_commitment.sigma_g2)])


# malformed questions


def test_proof_and_key_must_both_have_a_commitment_or_neither(committed: CommittedStatement, statement: Any) -> None:
    public, proof, packed = committed.proven
    vk = committed.key.verifying_key
    with pytest.raises(UsageError, match="the key is for proofs with a commitment"):
        verify(vk, public, Proof(proof.a, proof.b, proof.c), packed=packed)
    with pytest.raises(UsageError, match="a commitment of the proof is a Point: give a Commitment"):
        verify(vk, public, replace(proof, commitments=(proof.a,)), packed=packed)
    with pytest.raises(UsageError, match="the key has none"):
        verify(statement.key.verifying_key, [1, 2], proof)
    with pytest.raises(UsageError, match="the key has none"):
        verify(statement.key.verifying_key, [1, 2], Proof(proof.a, proof.b, proof.c), packed=b"1")


def test_packed_values_of_the_wrong_length_or_outside_their_interval_are_refused(
    committed: CommittedStatement,
) -> None:
    for packed in (b"", committed.proven.packed[:-1], committed.proven.packed + b"\0"):
        with pytest.raises(LengthError):
            accepts(committed, replace(committed.proven, packed=packed))
    for packed in (b"\x04" + committed.proven.packed[1:], committed.proven.packed[:-2] + b"\x02\x00"):
        with pytest.raises(FormatError, match="outside"):
            accepts(committed, replace(committed.proven, packed=packed))


@pytest.mark.parametrize("public", [[], [10, 0], [10, 1, 2, 3]])
def test_the_verifier_is_not_given_challenges(committed: CommittedStatement, public: list[int]) -> None:
    with pytest.raises(LengthError):
        accepts(committed, replace(committed.proven, public_inputs=public))


@pytest.mark.parametrize("name", ["point", "knowledge"])
def test_points_off_their_curve_or_of_another_group_are_refused(committed: CommittedStatement, name: str) -> None:
    for point, error in ((Point(G1, 1, 3), PointError), (G2.generator, UsageError)):
        with pytest.raises(error, match="proof point knowledge" if name == "knowledge" else "proof point commitment"):
            accepts(committed, replace(committed.proven, proof=with_points(committed.proven.proof, **{name: point})))


def test_a_witness_must_wait_for_its_challenges(committed: CommittedStatement, statement: Any) -> None:
    prover = Prover(committed.key, open_backend("cpu"))
    assignment = committed.circuit.witness(INPUTS)
    with pytest.raises(UsageError, match="deferred"):
        prover.prove(assignment)
    with pytest.raises(UsageError, match="took no challenge"):
        prover.prove(lambda challenges: assignment)
    with pytest.raises(UsageError, match="without challenges"):
        Prover(statement.key, open_backend("cpu")).prove(committed.circuit.deferred(INPUTS))


def test_committed_wires_cannot_change_after_the_challenges(committed: CommittedStatement) -> None:
    def changing(challenges: Callable[..., Any]) -> np.ndarray:
        committed.circuit.witness(INPUTS, challenges)
        return committed.circuit.witness(OTHER)

    with pytest.raises(UsageError, match="not those that were committed"):
        Prover(committed.key, open_backend("cpu")).prove(changing)


def test_a_circuit_with_other_committed_wires_is_refused(committed: CommittedStatement) -> None:
    r1cs = committed.circuit.r1cs
    other = replace(r1cs, rounds=(replace(r1cs.rounds[0], n_committed=3),))
    with pytest.raises(UsageError, match="3 committed wires"):
        Prover(committed.key, open_backend("reference"), circuit=other)


class ErringOnce:
    """A backend whose first batch of two multi-scalar multiplications, the commitment's, comes out wrong."""

    def __init__(self, backend: Backend, which: int):
        self._backend, self._which, self.was_wrong = backend, which, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def msm_many(self, pairs: Any, *meanwhile: Any) -> Any:
        points = self._backend.msm_many(pairs, *meanwhile)
        if len(points) == 2 and not self.was_wrong:
            self.was_wrong = True
            points[self._which] = points[self._which] + points[self._which].group.generator
        return points


@pytest.mark.parametrize("which", [0, 1])
def test_a_device_that_errs_in_the_commitment_is_asked_again(committed: CommittedStatement, which: int) -> None:
    erring = ErringOnce(open_backend("cpu"), which)
    proven = Prover(committed.key, erring).prove_circuit(committed.circuit, INPUTS)  # type: ignore[arg-type]
    assert erring.was_wrong
    assert accepts(committed, proven)


# keys


@pytest.mark.parametrize("secret", [0, 1, "beta", "delta"])
def test_a_key_whose_sigma_is_known_is_refused(committed: CommittedStatement, secret: Any) -> None:
    vk = committed.key.verifying_key
    sigma = getattr(vk, f"{secret}_g2") if isinstance(secret, str) else secret * G2.generator
    weak = with_part(vk, sigma_g2=sigma)
    assert weak.weakness().startswith("sigma")
    with pytest.raises(InsecureKeyError, match="sigma"):
        verify(weak, committed.proven.public_inputs, committed.proven.proof, packed=committed.proven.packed)


def test_a_key_whose_sigma_nobody_contributed_to_is_refused(committed: CommittedStatement) -> None:
    bare = with_queries(committed.key, contributions=())
    with pytest.raises(InsecureKeyError, match="commitment's key has no contribution"):
        Prover(bare, open_backend("reference"))


@pytest.mark.parametrize("count", [2, 3])
def test_several_commitments_are_refused_since_no_transcript_covers_them(
    committed: CommittedStatement, count: int
) -> None:
    key, proof, r1cs = committed.key, committed.proven.proof, committed.circuit.r1cs
    for make in (
        lambda: replace(proof, commitments=proof.commitments * count),
        lambda: replace(key.verifying_key, commitments=key.verifying_key.commitments * count),
        lambda: replace(key, commitments=key.commitments * count),
        lambda: replace(r1cs, rounds=r1cs.rounds * count),
        lambda: replace(proof, commitments=list(proof.commitments)),
        lambda: replace(proof, commitments=None),
    ):
        with pytest.raises(UsageError, match="give a tuple of one, or an empty one"):
            make()
    with pytest.raises(UsageError, match="give the parts of one key"):
        replace(key, commitments=())


def test_committed_wires_are_not_kept_beside_the_assignment(committed: CommittedStatement) -> None:
    """32 bytes each while the proof is made, whose assignment has them."""
    backend = open_backend("cpu", threads=1)
    committer = Committer(committed.key, ResidentKey(committed.key, backend).commitments[0], backend)
    assignment, opening = committer.run(committed.circuit.deferred(INPUTS), 5)
    assert len(opening.committed) == 0
    start = committed.key.n_public + 1
    assert Fr.from_limbs(assignment[start : start + 1]) == [5]
