"""Proofs by whoever knows tau: valid by every equation, whatever they claim. They show which checks stand alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zkgpu.curves.bn254 import BN254, Fr
from zkgpu.plonk import Proof, VerifyingKey
from zkgpu.plonk.keys import EVALUATIONS, FIXED, OPENED
from zkgpu.plonk.linearization import linearization
from zkgpu.plonk.transcript import AllChallenges

G, r = BN254.g1.generator, Fr.modulus
COMMITTED = ("a", "b", "c", "z", "t1", "t2", "t3")


@dataclass(frozen=True)
class Trapdoor:
    """A key whose commitments are known multiples of the generator.

    fixed  the values at tau of the key's polynomials, by the names of FIXED
    """

    tau: int
    fixed: Mapping[str, int]
    n_public: int = 1

    @property
    def verifying_key(self) -> VerifyingKey:
        commitments: dict[str, Any] = {name: self.fixed[name] * G for name in FIXED}
        return VerifyingKey(BN254, self.n_public, 3, 2, 3, **commitments, tau_g2=self.tau * BN254.g2.generator)

    def prove(self, public: list[int], committed: Mapping[str, int], openings: Mapping[str, int]) -> Proof:
        """A proof with these values of committed polynomials at tau and these openings, all of them made up."""
        key = self.verifying_key
        shown: dict[str, Any] = {**{name: committed[name] * G for name in COMMITTED}, **openings}
        draft = Proof(**shown, w_zeta=G, w_zeta_omega=G)
        ch = AllChallenges.of(key, public, draft)  # u alone depends on the opening proofs, which do not depend on it
        values = {**self.fixed, **committed}
        linear = linearization(key, public, openings, ch.identities, ch.zeta)
        total = linear.constant + sum(f * values[name] for name, f in linear.factors.items())
        for i, name in enumerate(OPENED, 1):
            total += pow(ch.v, i, r) * (values[name] - openings[f"eval_{name}"])
        at_zeta = total * pow(self.tau - ch.zeta, -1, r)
        at_next = (committed["z"] - openings["eval_zw"]) * pow(self.tau - ch.zeta * key.domain.omega, -1, r)
        return Proof(**shown, w_zeta=at_zeta % r * G, w_zeta_omega=at_next % r * G)


def made_up(start: int) -> tuple[dict[str, int], dict[str, int]]:
    """Values for the committed polynomials and for the openings."""
    values = [pow(start, k, r) for k in range(1, 14)]
    return dict(zip(COMMITTED, values, strict=False)), dict(zip(EVALUATIONS, values[7:], strict=True))


TRAPDOOR = Trapdoor(tau=0xABCDEF, fixed={name: 100 + k for k, name in enumerate(FIXED)})
