"""Groth16 with one committed round: the challenges, and the equation that proves knowledge of what was committed.

    D = sum w_i K_i over the committed wires,  K_i = (beta A_i + alpha B_i + C_i) / gamma
    pi = sigma D,  which whoever does not know sigma makes only of the points sigma K_i in the key
    e(A, B) = e(alpha, beta) e(vk_x + D, gamma) e(C, delta)   and   e(D, sigma) = e(pi, gamma)

Belling, Soleimanian, Begassat, eprint 2022/1072. Both equations are checked as one, the second to the power of a
hash t of everything in them: a wrong pair of equations passes for at most one t. Challenges of the circuit are hashes
of the key, of D and of all public values, packed ones included, so none can be chosen; and the first committed wire is
a uniform mask, so that D tells nothing about the others.

    state = Keccak-256(key digest | D | public inputs | packed values)
    challenge k = Keccak-256(state | k) mod r          t = Keccak-256(state | A | B | C | pi) mod r

Numbers are 32 bytes, big-endian; points are x | y, the imaginary part of a coordinate first, infinity zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from Crypto.Hash import keccak

from zkgpu.ceremony.challenge import encode
from zkgpu.circuits.committed import CommittedRound
from zkgpu.curves.points import Point
from zkgpu.groth16.keys import Proof, VerifyingKey

_TAG = b"zkgpu Groth16 with a commitment, 2"


def keccak256(*pieces: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=b"".join(pieces)).digest()


@lru_cache(maxsize=8)
def key_digest(key: VerifyingKey) -> bytes:
    """32 bytes that name a verifying key with a commitment: its points, and what is public in which form."""
    commitment = key.required_commitment
    points = (key.alpha_g1, key.beta_g2, key.gamma_g2, key.delta_g2, commitment.sigma_g2, *key.ic)
    return keccak256(_TAG, encode(*points), _encode_round(commitment.round))


def transcript(key: VerifyingKey, commitment: Point, public_inputs: Sequence[int], packed: bytes) -> bytes:
    """32 bytes: the state that every challenge is a hash of.

    public_inputs  the ordinary ones, canonical, without challenges and digest
    packed         the public arrays
    """
    inputs = b"".join(_word(value) for value in public_inputs)
    return keccak256(key_digest(key), encode(commitment), inputs, packed)


def challenges(key: VerifyingKey, state: bytes) -> list[int]:
    """The circuit's challenges."""
    modulus, round_ = key.curve.scalar_field.modulus, key.required_commitment.round
    return [int.from_bytes(keccak256(state, _word(k)), "big") % modulus for k in range(round_.n_challenges)]


def fold(key: VerifyingKey, state: bytes, proof: Proof, knowledge: Point) -> int:
    """The power t of the second equation."""
    digest = keccak256(state, encode(proof.a, proof.b, proof.c, knowledge))
    return int.from_bytes(digest, "big") % key.curve.scalar_field.modulus


def all_public_inputs(key: VerifyingKey, state: bytes, public_inputs: Sequence[int], packed: bytes) -> list[int]:
    """The ordinary public inputs, then challenges and digest."""
    modulus, commitment = key.curve.scalar_field.modulus, key.required_commitment
    return [*public_inputs, *commitment.round.public_inputs(packed, challenges(key, state), modulus)]


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
