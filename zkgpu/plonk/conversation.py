"""The order in which prover and verifier speak: what each challenge depends on (eprint 2019/953, section 8.3).

As in snarkjs, a challenge covers what was said since the one before, and those before it by being absorbed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zkgpu.plonk.identities import Challenges
from zkgpu.plonk.keys import EVALUATIONS, Proof, VerifyingKey
from zkgpu.transcript import Transcript


@dataclass(frozen=True)
class AllChallenges:
    """Every challenge of a proof. zeta is the point that snarkjs calls xi."""

    identities: Challenges
    zeta: int
    v: int
    u: int


def begin(key: VerifyingKey, public_inputs: Sequence[int]) -> Transcript:
    """A conversation about a statement: the key and the public inputs are absorbed."""
    transcript = Transcript(key.curve)
    transcript.absorb(*key.commitments, *public_inputs)
    return transcript


def permutation_challenges(transcript: Transcript) -> tuple[int, int]:
    """beta and gamma, once the wires are committed to."""
    beta = transcript.challenge()
    transcript.absorb(beta)
    gamma = transcript.challenge()
    transcript.absorb(beta, gamma)
    return beta, gamma


def next_challenge(transcript: Transcript) -> int:
    """alpha once the grand product is committed to; zeta once the quotient is. The next one depends on it."""
    challenge = transcript.challenge()
    transcript.absorb(challenge)
    return challenge


def last_challenge(transcript: Transcript) -> int:
    """v once the openings are said; u, which is the verifier's alone, once their proofs are."""
    return transcript.challenge()


def replay(key: VerifyingKey, public_inputs: Sequence[int], proof: Proof) -> AllChallenges:
    """The challenges of a finished proof."""
    transcript = begin(key, public_inputs)
    transcript.write(a=proof.a, b=proof.b, c=proof.c)
    beta, gamma = permutation_challenges(transcript)
    transcript.write(z=proof.z)
    alpha = next_challenge(transcript)
    transcript.write(t1=proof.t1, t2=proof.t2, t3=proof.t3)
    zeta = next_challenge(transcript)
    transcript.write(**{name: getattr(proof, name) for name in EVALUATIONS})
    v = last_challenge(transcript)
    transcript.write(w_zeta=proof.w_zeta, w_zeta_omega=proof.w_zeta_omega)
    return AllChallenges(Challenges(beta, gamma, alpha), zeta, v, last_challenge(transcript))
