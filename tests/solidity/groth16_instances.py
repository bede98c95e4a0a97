"""Keys with valid proofs: snarkjs' sample files, and keys made in place from known secrets."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from zkgpu.curves.bn254 import BN254, Fr
from zkgpu.curves.points import Point
from zkgpu.groth16.keys import Proof, VerifyingKey

DATA = Path(__file__).parents[1] / "data"
G1, G2 = BN254.g1.generator, BN254.g2.generator


@dataclass(frozen=True)
class Trapdoor:
    """Every point of a key as its multiple of the generator: whoever knows them proves anything."""

    alpha: int
    beta: int
    gamma: int
    delta: int
    ic: tuple[int, ...]

    def verifying_key(self) -> VerifyingKey:
        ic = tuple(s * G1 for s in self.ic)
        return VerifyingKey(BN254, self.alpha * G1, self.beta * G2, self.gamma * G2, self.delta * G2, ic)

    def prove(self, public_inputs: list[int], a: int = 3, b: int = 5) -> Proof:
        """(aG, bG, cG) with c solved from ab = alpha beta + vk_x gamma + c delta."""
        vk_x = self.ic[0] + sum(x * s for x, s in zip(public_inputs, self.ic[1:], strict=True))
        c = (a * b - self.alpha * self.beta - vk_x * self.gamma) * Fr.inverse(self.delta)
        return Proof(a * G1, b * G2, c * G1)


def trapdoor(n_public: int) -> Trapdoor:
    alpha, beta, gamma, delta, *ic = [_scalar(f"{n_public} inputs, secret {i}") for i in range(5 + n_public)]
    return Trapdoor(alpha, beta, gamma, delta, tuple(ic))


def full_width_inputs(n_public: int) -> list[int]:
    """Public inputs without leading zero bytes, which would cost less gas."""
    return [Fr.modulus - 1 - i for i in range(n_public)]


def _scalar(label: str) -> int:
    return int.from_bytes(hashlib.sha512(label.encode()).digest(), "big") % Fr.modulus


def read_verifying_key(path: Path) -> VerifyingKey:
    vk = json.loads(path.read_text())
    ic = tuple(_g1(p) for p in vk["IC"])
    return VerifyingKey(
        BN254, _g1(vk["vk_alpha_1"]), _g2(vk["vk_beta_2"]), _g2(vk["vk_gamma_2"]), _g2(vk["vk_delta_2"]), ic
    )


def read_proof(path: Path) -> Proof:
    proof = json.loads(path.read_text())
    return Proof(_g1(proof["pi_a"]), _g2(proof["pi_b"]), _g1(proof["pi_c"]))


def read_public(path: Path) -> list[int]:
    return [int(x) for x in json.loads(path.read_text())]


def _g1(p: list[str]) -> Point:
    return BN254.g1.point(int(p[0]), int(p[1]))


def _g2(p: list[list[str]]) -> Point:
    return BN254.g2.point((int(p[0][0]), int(p[0][1])), (int(p[1][0]), int(p[1][1])))


SAMPLES = {
    "multiplier": DATA / "samples" / "multiplier",
    "range": DATA / "samples" / "range",
    "verdicts": DATA / "verdicts" / "bn254",
}


@dataclass(frozen=True)
class Instance:
    """A key whose contract is compiled under `name`, and one proof that it accepts."""

    name: str
    verifying_key: VerifyingKey
    proof: Proof
    public_inputs: list[int]


def sample(name: str) -> Instance:
    folder = SAMPLES[name]
    return Instance(
        name,
        read_verifying_key(folder / "groth16_vk.json"),
        read_proof(folder / "groth16_proof.json"),
        read_public(folder / "groth16_public.json"),
    )


def made(n_public: int) -> Instance:
    secrets, inputs = trapdoor(n_public), full_width_inputs(n_public)
    return Instance(f"inputs_{n_public}", secrets.verifying_key(), secrets.prove(inputs), inputs)


def uncontributed_key() -> VerifyingKey:
    return read_verifying_key(SAMPLES["verdicts"] / "groth16_vk_UNCONTRIBUTED.json")
