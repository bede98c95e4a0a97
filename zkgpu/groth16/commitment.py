"""Groth16 with one committed round: the challenges, and the equation that proves knowledge of what was committed.

    D = sum w_i K_i over the committed wires,  K_i = (beta A_i + alpha B_i + C_i) / gamma
    pi = sigma D,  which whoever does not know sigma makes only of the points sigma K_i in the key
    e(A, B) = e(alpha, beta) e(vk_x + D, gamma) e(C, delta)   and   e(D, sigma) = e(pi, gamma)

Belling, Soleimanian, Begassat, eprint 2022/1072: the Pedersen commitment that gnark calls BSB22. Both equations are
checked as one, the second to the power of a hash t of everything in them: a wrong pair of equations passes for at most
one t. Challenges of the circuit are hashes of the key, of D and of all public values, packed ones included, so none can
be chosen; and the first committed wire is a uniform mask, so that D shows nothing about the others.

    state = Keccak-256(key digest | D | public inputs | packed values)
    challenge k = Keccak-256(state | k) mod r          t = Keccak-256(state | A | B | C | pi) mod r

Numbers are 32 bytes, big-endian; points are x | y, the imaginary part of a coordinate first, infinity zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from zkgpu.circuits.committed import CommittedRound
from zkgpu.curves.points import Point
from zkgpu.groth16.keys import Proof, VerifyingKey
from zkgpu.transcript import Item, Transcript, keccak256

_TAG = b"zkgpu Groth16 with a commitment, 2"


@lru_cache(maxsize=8)
def key_digest(key: VerifyingKey) -> bytes:
    """32 bytes that name a verifying key with a commitment: its points, and what is public in which form."""
    commitment = key.required_commitment
    said = Transcript(key.curve)
    said.absorb(_TAG, key.alpha_g1, key.beta_g2, key.gamma_g2, key.delta_g2, commitment.sigma_g2, *key.ic)
    said.absorb(_encode_round(commitment.round))
    return said.digest()


class CommitmentTranscript:
    """What is said and drawn about one statement of a circuit with challenges, by prover and verifier alike.

    Args:
        key: with a commitment
        point: D
        public_inputs: the ordinary ones, canonical, without challenges and digest
        packed: the public arrays
    """

    def __init__(self, key: VerifyingKey, point: Point, public_inputs: Sequence[int], packed: bytes) -> None:
        self._curve, self._round = key.curve, key.required_commitment.round
        self._public_inputs, self._packed = public_inputs, packed
        said = Transcript(key.curve)
        said.absorb(key_digest(key), point, *public_inputs, packed)
        self.state = said.digest()

    def challenges(self) -> list[int]:
        """The circuit's challenges."""
        return [self._draw(k) for k in range(self._round.n_challenges)]

    def fold(self, proof: Proof) -> int:
        """The power t of the second equation."""
        return self._draw(proof.a, proof.b, proof.c, *(commitment.knowledge for commitment in proof.commitments))

    def all_public_inputs(self) -> list[int]:
        """The ordinary public inputs, then challenges and digest."""
        modulus = self._curve.scalar_field.modulus
        return [*self._public_inputs, *self._round.public_inputs(self._packed, self.challenges(), modulus)]

    def _draw(self, *items: Item) -> int:
        """What follows from the state and the items, beside all else that does."""
        said = Transcript(self._curve)
        said.absorb(self.state, *items)
        return said.challenge()


def _encode_round(round_: CommittedRound) -> bytes:
    arrays = [
        b"".join(
            [
                keccak256(array.name.encode()),
                _word(len(array.shape)),
                *(_word(n) for n in array.shape),
                _word(array.low),
                _word(array.high),
            ]
        )
        for array in round_.arrays
    ]
    return b"".join([_word(round_.n_committed), _word(round_.n_challenges), _word(len(arrays)), *arrays])


def _word(value: int) -> bytes:
    """32 bytes, two's complement."""
    return (value % (1 << 256)).to_bytes(32, "big")
