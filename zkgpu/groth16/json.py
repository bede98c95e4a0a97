"""proof.json, public.json and verification_key.json as snarkjs writes and reads them.

Numbers are decimal strings. Points are projective with z = 1: ["x", "y", "1"], and [["x0", "x1"], ["y0", "y1"],
["1", "0"]] in G2; infinity is (0, 1, 0). Unknown keys are ignored, as snarkjs does.

The verifying key of a one-party setup has "unsafe": true besides.

Circuits with challenges have files of their own, of protocol "groth16-commitment", which snarkjs does not have: a
proof has pi_commitment and pi_knowledge too, a key vk_sigma_2, nCommitted, nChallenges and arrays, both a version,
and public.json is {"inputs": ["1", ..], "packed": "0x.."}.
"""

from __future__ import annotations

from typing import Any

from zkgpu.curves import DEFAULT
from zkgpu.curves.points import Curve
from zkgpu.errors import FormatError
from zkgpu.formats import strict_json
from zkgpu.formats.json_values import (
    StrPath,
    list_of,
    located,
    member,
    point_json,
    point_of,
    require_curve,
    unsafe_json,
    unsafe_of,
)
from zkgpu.formats.kinds import KEY, PROOF, require_kind
from zkgpu.formats.strict_json import shown
from zkgpu.groth16.json_commitment import (
    commitment_from_json,
    commitment_to_json,
    require_version,
    version_json,
)
from zkgpu.groth16.keys import COMMITTED_PROTOCOL, PROTOCOL, Commitment, Proof, VerifyingKey

_COMMITTED_POINTS = ("pi_commitment", "pi_knowledge")


def read_proof(path: StrPath, curve: Curve = DEFAULT) -> Proof:
    """The proof in a file, over `curve`; its points are on their curves and in their subgroups, perhaps infinity."""
    return located(path, proof_from_json, strict_json.load(path, PROOF), curve)


def read_verifying_key(path: StrPath) -> VerifyingKey:
    """The verifying key in a file; its points are on their curves and in their subgroups."""
    return located(path, verifying_key_from_json, strict_json.load(path, KEY))


def write_proof(path: StrPath, proof: Proof) -> None:
    """Writes a proof.json, without public values beside it: `Statement.save` writes both."""
    strict_json.dump(path, proof_to_json(proof))


def write_verifying_key(path: StrPath, key: VerifyingKey) -> None:
    """Writes a verification_key.json."""
    strict_json.dump(path, verifying_key_to_json(key))


def proof_from_json(value: Any, curve: Curve = DEFAULT) -> Proof:
    """The proof of a parsed proof.json, over `curve`."""
    found, committed = _require_groth16(value, "proof", curve)
    if found is not curve:
        raise FormatError(f"the proof is not over {curve.name}: give the proof that belongs to this key")
    return Proof(
        point_of(curve.g1, member(value, "pi_a"), "pi_a"),
        point_of(curve.g2, member(value, "pi_b"), "pi_b"),
        point_of(curve.g1, member(value, "pi_c"), "pi_c"),
        commitments=(_commitment_of(value, curve),) if committed else (),
    )


def _commitment_of(value: Any, curve: Curve) -> Commitment:
    return Commitment(*(point_of(curve.g1, member(value, name), name) for name in _COMMITTED_POINTS))


def proof_to_json(proof: Proof) -> dict[str, Any]:
    """The object of a proof.json, which names the curve. Raises UsageError for points of none that is known."""
    points = {"pi_a": proof.a, "pi_b": proof.b, "pi_c": proof.c}
    for commitment in proof.commitments:
        points |= zip(_COMMITTED_POINTS, (commitment.point, commitment.knowledge), strict=True)
    return {
        **{name: point_json(point) for name, point in points.items()},
        "protocol": proof.protocol,
        **(version_json() if proof.commitments else {}),
        "curve": proof.curve.snarkjs_name,
    }


def verifying_key_from_json(value: Any) -> VerifyingKey:
    """The verifying key of a parsed verification_key.json."""
    curve, committed = _require_groth16(value, "verification key")
    n_public, ic = member(value, "nPublic"), list_of(member(value, "IC"), "IC")
    if type(n_public) is not int or not 0 <= n_public == len(ic) - 1:
        raise FormatError(f"IC has {len(ic):,} points but nPublic is {shown(n_public)}: export the key again")
    return VerifyingKey(
        curve,
        alpha_g1=point_of(curve.g1, member(value, "vk_alpha_1"), "vk_alpha_1"),
        beta_g2=point_of(curve.g2, member(value, "vk_beta_2"), "vk_beta_2"),
        gamma_g2=point_of(curve.g2, member(value, "vk_gamma_2"), "vk_gamma_2"),
        delta_g2=point_of(curve.g2, member(value, "vk_delta_2"), "vk_delta_2"),
        ic=tuple(point_of(curve.g1, item, f"IC[{i}]") for i, item in enumerate(ic)),
        commitments=(commitment_from_json(value, curve, n_public),) if committed else (),
        is_unsafe=unsafe_of(value),
    )


def verifying_key_to_json(key: VerifyingKey) -> dict[str, Any]:
    """The object of a verification_key.json."""
    return {
        "protocol": key.protocol,
        **(version_json() if key.commitments else {}),
        "curve": key.curve.snarkjs_name,
        "nPublic": key.n_public,
        "vk_alpha_1": point_json(key.alpha_g1),
        "vk_beta_2": point_json(key.beta_g2),
        "vk_gamma_2": point_json(key.gamma_g2),
        "vk_delta_2": point_json(key.delta_g2),
        "vk_alphabeta_12": _pairing_json(key),
        "IC": [point_json(point) for point in key.ic],
        **{name: part for commitment in key.commitments for name, part in commitment_to_json(commitment).items()},
        **unsafe_json(key.is_unsafe),
    }


def _require_groth16(value: Any, what: str, default: Curve = DEFAULT) -> tuple[Curve, bool]:
    """The curve a proof or key of Groth16 names, or the default, and whether it has a commitment."""
    require_kind(value, f"a {what}")
    committed = member(value, "protocol") == COMMITTED_PROTOCOL
    if committed:
        require_version(value, what)
    return require_curve(value, what, COMMITTED_PROTOCOL if committed else PROTOCOL, "Groth16", default), committed


def _pairing_json(key: VerifyingKey) -> list[list[list[str]]]:
    """e(alpha, beta) as [w^0, w^1][v^0, v^1, v^2][real, imaginary]; snarkjs writes it and nobody reads it."""
    from zkgpu.curves.pairing import pairing

    flat = [str(c) for c in pairing(key.alpha_g1, key.beta_g2).coefficients()]
    pairs = [flat[i : i + 2] for i in range(0, 12, 2)]
    return [pairs[:3], pairs[3:]]
