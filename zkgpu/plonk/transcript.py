"""What prover and verifier say and draw, in order (eprint 2019/953, section 8.3): both make the same calls.

As in snarkjs, a challenge covers what was said since the one before, and those before it by being absorbed again.
"""

from __future__ import annotations

from collections.abc import Sequence

from zkgpu.curves.points import Point
from zkgpu.plonk.identities import Challenges
from zkgpu.plonk.keys import EVALUATIONS, Proof, VerifyingKey
from zkgpu.records import dataclass
from zkgpu.transcript import Transcript

_ORDER = (*("a", "b", "c"), "z", *("t1", "t2", "t3"), *EVALUATIONS, *("w_zeta", "w_zeta_omega"))


class PlonkTranscript:
    """A conversation about one statement. Each round says what the prover found, and returns what is drawn for it.

    Rounds come in the order of the methods, each once: anything else is an assertion that fails.
    """

    def __init__(self, key: VerifyingKey, public_inputs: Sequence[int]) -> None:
        self._transcript = Transcript(key.curve)
        self._transcript.absorb(*key.commitments, *public_inputs)

    def wires(self, a: Point, b: Point, c: Point) -> tuple[int, int]:
        """beta and gamma, for commitments to the wires."""
        self._say(a=a, b=b, c=c)
        beta = self._transcript.challenge()
        self._transcript.absorb(beta)
        gamma = self._transcript.challenge()
        self._transcript.absorb(beta, gamma)
        return beta, gamma

    def grand_product(self, z: Point) -> int:
        """alpha, for the commitment to the grand product."""
        self._say(z=z)
        return self._challenge_that_counts()

    def quotient(self, t1: Point, t2: Point, t3: Point) -> int:
        """zeta, for commitments to the parts of the quotient."""
        self._say(t1=t1, t2=t2, t3=t3)
        return self._challenge_that_counts()

    def openings(self, **evaluations: int) -> int:
        """v, for the values that the paper opens, by the names of EVALUATIONS and in any order."""
        self._say(**{name: evaluations[name] for name in EVALUATIONS})
        return self._transcript.challenge()

    def opening_proofs(self, w_zeta: Point, w_zeta_omega: Point) -> int:
        """u, for the two proofs of the openings: the verifier's alone, to check both at once."""
        self._say(w_zeta=w_zeta, w_zeta_omega=w_zeta_omega)
        return self._transcript.challenge()

    @property
    def proof(self) -> Proof:
        """All that was said, once every round was."""
        return Proof(**self._transcript.written)  # type: ignore[arg-type]

    def _say(self, **items: Point | int) -> None:
        said = len(self._transcript.written)
        assert tuple(items) == _ORDER[said : said + len(items)], f"{', '.join(items)} out of turn"
        self._transcript.write(**items)

    def _challenge_that_counts(self) -> int:
        """A challenge that the next one depends on."""
        challenge = self._transcript.challenge()
        self._transcript.absorb(challenge)
        return challenge


@dataclass(frozen=True)
class AllChallenges:
    """Every challenge of a proof. zeta is the point that snarkjs calls xi."""

    identities: Challenges
    zeta: int
    v: int
    u: int

    @staticmethod
    def of(key: VerifyingKey, public_inputs: Sequence[int], proof: Proof) -> AllChallenges:
        """The challenges of a finished proof."""
        said = PlonkTranscript(key, public_inputs)
        beta, gamma = said.wires(proof.a, proof.b, proof.c)
        alpha = said.grand_product(proof.z)
        zeta = said.quotient(proof.t1, proof.t2, proof.t3)
        v = said.openings(**proof.evaluations)
        u = said.opening_proofs(proof.w_zeta, proof.w_zeta_omega)
        return AllChallenges(Challenges(beta, gamma, alpha), zeta, v, u)
