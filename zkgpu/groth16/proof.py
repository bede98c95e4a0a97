"""Groth16's proof: the algebra of the paper alone (eprint 2016/260, section 3.2)."""

from __future__ import annotations

from dataclasses import field

from zkgpu.circuits.assignment import require_canonical
from zkgpu.curves.pairing import small_msm
from zkgpu.curves.points import Point
from zkgpu.fields.field import Field, Limbs
from zkgpu.groth16.keys import Proof
from zkgpu.groth16.resident import ResidentKey
from zkgpu.records import dataclass
from zkgpu.stages import stage


@dataclass(frozen=True)
class Blinding:
    """The random scalars that hide the witness: r and s in A, B and C, the mask in the commitment if there is one."""

    r: int = field(repr=False)
    s: int = field(repr=False)
    mask: int = field(default=0, repr=False)

    @staticmethod
    def random(field: Field) -> Blinding:
        return Blinding(field.random(), field.random(), field.random())


def make_proof(key: ResidentKey, assignment: Limbs, blinding: Blinding) -> Proof:
    """A, B and C of an assignment z, not yet verified.

        A = alpha + sum z_i A_i + r delta        B = beta + sum z_i B_i + s delta, in G2 and once more in G1
        C = sum z_i L_i + sum h_i H_i + s A + r B - r s delta

    Args:
        assignment: (n_wires, 4) uint64 limbs

    Raises UsageError for a value that is not below the modulus.
    """
    pk, vk, (r, s) = key.key, key.key.verifying_key, (blinding.r, blinding.s)
    with stage("quotient"):
        pairs = [key.pairs(assignment)]
    hidden: list[Point] = []

    def meanwhile() -> None:
        """What needs nothing of the sums, and the check of the values: a proof of others never leaves."""
        require_canonical(assignment, vk.curve.scalar_field)
        hidden[:] = [
            small_msm((vk.alpha_g1, pk.delta_g1), (1, r)),
            small_msm((vk.beta_g2, vk.delta_g2), (1, s)),
            small_msm((pk.beta_g1, pk.delta_g1), (1, s)),
        ]

    with stage("multi-scalar multiplications"):
        # given away: the device can drop the vectors as soon as it has their digits
        a_z, b_g1_z, b_g2_z, l_z, h_h = key.backend.msm_many(pairs.pop(), meanwhile)
    a, b, b_g1 = (x + y for x, y in zip(hidden, (a_z, b_g2_z, b_g1_z), strict=True))
    c = small_msm((l_z, h_h, a, b_g1, pk.delta_g1), (1, 1, s, r, -r * s))
    return Proof(a, b, c)
