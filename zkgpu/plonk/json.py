"""proof.json and verification_key.json of PLONK as snarkjs writes and reads them; see groth16.json for the spelling."""

from __future__ import annotations

from typing import Any

from zkgpu.curves import DEFAULT
from zkgpu.curves.points import Curve
from zkgpu.errors import FormatError
from zkgpu.formats.json_values import member, point_json, point_of, require_curve, unsafe_json, unsafe_of
from zkgpu.formats.strict_json import decimal, shown
from zkgpu.plonk.keys import EVALUATIONS, FIXED, POINTS, Proof, VerifyingKey

PROTOCOL = "plonk"
# Proof's names to those of files, in the order in which snarkjs writes them
_FILE_NAMES = {
    **{name: name.upper() for name in POINTS},
    "w_zeta": "Wxi",
    "w_zeta_omega": "Wxiw",
    **{name: name for name in EVALUATIONS},
}


def proof_from_json(value: Any, curve: Curve = DEFAULT) -> Proof:
    """The proof of a parsed proof.json, over `curve`; its points are on the curve, perhaps infinity."""
    if require_curve(value, "proof", PROTOCOL, "PLONK", curve) is not curve:
        raise FormatError(f"the proof is not over {curve.name}: give the proof that belongs to this key")
    modulus = curve.scalar_field.modulus
    points = {name: point_of(curve.g1, member(value, _FILE_NAMES[name]), _FILE_NAMES[name]) for name in POINTS}
    evaluations = {name: decimal(member(value, name), modulus, name) for name in EVALUATIONS}
    members: dict[str, Any] = {**points, **evaluations}
    return Proof(**members)


def proof_to_json(proof: Proof) -> dict[str, Any]:
    values = {
        **{_FILE_NAMES[name]: point_json(point) for name, point in proof.points.items()},
        **{name: str(value) for name, value in proof.evaluations.items()},
    }
    return {**values, "protocol": PROTOCOL, "curve": proof.curve.snarkjs_name}


def verifying_key_from_json(value: Any) -> VerifyingKey:
    """The verifying key of a parsed verification_key.json."""
    curve = require_curve(value, "verification key", PROTOCOL, "PLONK")
    field = curve.scalar_field
    log_size = _integer(value, "power", field.two_adicity - 2)
    key = VerifyingKey(
        curve=curve,
        n_public=_integer(value, "nPublic", 1 << log_size),
        log_size=log_size,
        k1=decimal(member(value, "k1"), field.modulus, "k1"),
        k2=decimal(member(value, "k2"), field.modulus, "k2"),
        **{name: point_of(curve.g1, member(value, _title(name)), _title(name)) for name in FIXED},
        tau_g2=point_of(curve.g2, member(value, "X_2"), "X_2"),
        is_unsafe=unsafe_of(value),
    )
    if decimal(member(value, "w"), field.modulus, "w") != key.domain.omega:
        raise FormatError(f"w is not the root of unity of order 2^{log_size}: export the key again")
    return key


def verifying_key_to_json(key: VerifyingKey) -> dict[str, Any]:
    return {
        "protocol": PROTOCOL,
        "curve": key.curve.snarkjs_name,
        "nPublic": key.n_public,
        "power": key.log_size,
        "k1": str(key.k1),
        "k2": str(key.k2),
        **{_title(name): point_json(point) for name, point in zip(FIXED, key.commitments, strict=True)},
        "X_2": point_json(key.tau_g2),
        "w": str(key.domain.omega),
        **unsafe_json(key.is_unsafe),
    }


def _title(name: str) -> str:
    """qm is Qm in files."""
    return name.capitalize()


def _integer(value: Any, name: str, most: int) -> int:
    number = member(value, name)
    if type(number) is not int or not 0 <= number <= most:
        raise FormatError(f"{name} is {shown(number)}, not an integer from 0 to {most:,}: export the key again")
    return number
