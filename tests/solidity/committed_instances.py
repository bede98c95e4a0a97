"""Keys and valid proofs with a commitment, made in place from known secrets, and one from a circuit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from zkgpu.backend import open_backend
from zkgpu.circuits import Circuit, CompiledCircuit
from zkgpu.circuits.committed import WIDTHS, CommittedRound, PublicArray
from zkgpu.circuits.gadgets import Table
from zkgpu.curves.bn254 import BN254, Fr
from zkgpu.groth16 import Proof, Prover, VerifyingKey, unsafe_setup
from zkgpu.groth16.commitment import CommitmentTranscript
from zkgpu.groth16.keys import Commitment, CommitmentKey
from zkgpu.groth16.setup import ToxicWaste
from zkgpu.provers.statement import Statement

G1, G2 = BN254.g1.generator, BN254.g2.generator


@dataclass(frozen=True)
class CommittedInstance:
    """A key whose contract is compiled under `name`, and values and a proof that it accepts."""

    name: str
    verifying_key: VerifyingKey
    public_inputs: list[int]
    packed: bytes
    proof: Proof


@dataclass(frozen=True)
class Trapdoor:
    """Every point of a key as its multiple of the generator: whoever knows them proves anything."""

    alpha: int
    beta: int
    gamma: int
    delta: int
    sigma: int
    ic: tuple[int, ...]
    round: CommittedRound

    def verifying_key(self) -> VerifyingKey:
        return VerifyingKey(
            BN254,
            self.alpha * G1,
            self.beta * G2,
            self.gamma * G2,
            self.delta * G2,
            tuple(s * G1 for s in self.ic),
            (CommitmentKey(self.sigma * G2, self.round),),
        )

    def prove(self, key: VerifyingKey, public_inputs: list[int], packed: bytes, d: int = 7) -> Proof:
        """A proof for the contract's own challenges and digest."""
        return self.forge(CommitmentTranscript(key, d * G1, public_inputs, packed).all_public_inputs(), d)

    def forge(self, inputs: Sequence[int], d: int = 7) -> Proof:
        """(3 G, 5 G, c G, d G, pi) that fits these inputs of the circuit, whatever hashes say.

        c is solved from the first equation, pi from the second.
        """
        vk_x = self.ic[0] + sum(x * s for x, s in zip(inputs, self.ic[1:], strict=True))
        c = (15 - self.alpha * self.beta - (vk_x + d) * self.gamma) * Fr.inverse(self.delta)
        pi = d * self.sigma * Fr.inverse(self.gamma) * G1
        return Proof(3 * G1, 5 * G2, c * G1, (Commitment(d * G1, pi),))

    def inputs(
        self, key: VerifyingKey, public_inputs: list[int], packed: bytes, arrays: tuple[PublicArray, ...], d: int = 7
    ) -> list[int]:
        """All public inputs of the circuit, with the digest of values in the intervals of other arrays."""
        challenges = CommitmentTranscript(key, d * G1, public_inputs, packed).challenges()
        return [*public_inputs, *replace(self.round, arrays=arrays).public_inputs(packed, challenges, Fr.modulus)]


def _scalar(label: str) -> int:
    return int.from_bytes(hashlib.sha512(label.encode()).digest(), "big") % Fr.modulus


def made_trapdoor(name: str, n_given: int, round_: CommittedRound) -> Trapdoor:
    secrets = [_scalar(f"{name}, secret {i}") for i in range(6 + n_given + round_.n_public)]
    alpha, beta, gamma, delta, sigma, *ic = secrets
    return Trapdoor(alpha, beta, gamma, delta, sigma, tuple(ic), round_)


DIGITS = (PublicArray("image", (8, 8), -128, 127), PublicArray("logits", (10,), -(2**31), 2**31 - 1))
MIXED = (
    PublicArray("nibbles", (3,), 0, 15),
    PublicArray("*/ odd name\n", (2, 1), -300, 500),
    PublicArray("wide", (), 0, 2**128 - 1),
    PublicArray("none", (0,), 0, 1),
)
IMAGE = (PublicArray("image", (28, 28), -128, 127), PublicArray("logits", (10,), -(2**31), 2**31 - 1))
SHAPES: dict[str, tuple[int, CommittedRound]] = {
    "committed_digits": (0, CommittedRound(100, 2, DIGITS)),
    "committed_mixed": (2, CommittedRound(5, 1, MIXED)),
    "committed_bare": (1, CommittedRound(5, 3)),
    "committed_image": (0, CommittedRound(5, 2, IMAGE)),
}
PHOTO = (PublicArray("photo", (3, 224, 224), -127, 127), PublicArray("logits", (1000,), -(2**31), 2**31 - 1))
# of each width the values that fill it, and those that are compared with their interval
KINDS = tuple(
    PublicArray(f"{width} bytes, {within} within", (200,), within, (1 << 8 * width) - 1 - 2 * within)
    for width in WIDTHS
    for within in (0, 3)
)
# arrays that fill no word, and more challenges than the EVM's stack has places for
REMAINDERS = tuple(
    PublicArray(
        f"{copy}: {width} bytes, {within} within", (max(1, 32 // width - 1),), within, (1 << 8 * width) - 1 - 2 * within
    )
    for copy in range(4)
    for width in WIDTHS
    for within in (0, 3)
)
LARGE = {
    "committed_photo": CommittedRound(5, 2, PHOTO),
    "committed_kinds": CommittedRound(5, 1, KINDS),
    "committed_remainders": CommittedRound(5, 16, REMAINDERS),
}


def secrets_of(name: str) -> Trapdoor:
    return made_trapdoor(name, *(SHAPES[name] if name in SHAPES else (0, LARGE[name])))


def widest(array: PublicArray) -> PublicArray:
    """With all integers of its width."""
    low, bits = -array.offset, 8 * array.width
    return replace(array, low=low, high=low + (1 << bits) - 1)


def example_packed(round_: CommittedRound) -> bytes:
    """The ends of each interval, and values between."""
    return b"".join(
        a.pack([(a.low, a.high, a.low + (a.high - a.low) * i // (2 * a.size))[i % 3] for i in range(a.size)])
        for a in round_.arrays
    )


def made_committed(name: str) -> CommittedInstance:
    n_given, round_ = SHAPES[name]
    secrets, public, packed = secrets_of(name), [Fr.modulus - 1 - i for i in range(n_given)], example_packed(round_)
    key = secrets.verifying_key()
    return CommittedInstance(name, key, public, packed, secrets.prove(key, public, packed))


def made_large(name: str) -> CommittedInstance:
    """One of LARGE, with packed values that have no zero bytes, the dearest calldata."""
    secrets = secrets_of(name)
    packed = b"".join(a.pack([a.high - 1 - i % 100 for i in range(a.size)]) for a in LARGE[name].arrays)
    key = secrets.verifying_key()
    return CommittedInstance(name, key, [], packed, secrets.prove(key, [], packed))


# a classifier whose class a contract acts on

WEIGHTS = [[3, -1, 2, 0], [-2, 4, 1, 1], [1, 1, -3, 2]]


def classifier() -> CompiledCircuit:
    """Three logits of four public pixels from 0 to 15, by public weights; the third pixel squared by a table first.

    Each proof is for an address, in the form that a model compiled with a binding has.
    """
    c = Circuit()
    x = c.public_array("pixels", 4, bits=4)
    squared = c.hint(lambda v: int(v) ** 2, [x[2]], label="square")
    Table("squares", [range(16), [v * v for v in range(16)]]).look_up(x[2], squared)
    logits = [sum(w * v for w, v in zip(row, (x[0], x[1], squared, x[3]), strict=True)) for row in WEIGHTS]
    c.output_array("logit 0", logits[0], interval=(-(2**31), 2**31 - 1))
    c.output_array("logit 1", logits[1], interval=(-(2**31), 2**31 - 1))
    c.output_array("logit 2", logits[2], interval=(-(2**31), 2**31 - 1))
    c.public_array("binding", 20, bits=8)
    return c.compile()


def class_of(pixels: list[int]) -> int:
    features = [pixels[0], pixels[1], pixels[2] ** 2, pixels[3]]
    logits = [sum(w * v for w, v in zip(row, features, strict=True)) for row in WEIGHTS]
    return logits.index(max(logits))


def classifier_prover() -> tuple[CompiledCircuit, Prover]:
    """With fixed secrets, so that the contract of its key can be compiled beforehand."""
    circuit, backend = classifier(), open_backend("cpu")
    waste = ToxicWaste(*(_scalar(f"classifier {i}") for i in range(5)))
    return circuit, Prover(unsafe_setup(circuit.r1cs, backend, _waste=waste), backend)


def prove_class(pixels: list[int], owner: str) -> Statement:
    circuit, prover = classifier_prover()
    return prover.prove_circuit(circuit, {"pixels": pixels, "binding": list(bytes.fromhex(owner[2:]))})
