"""proof.json, public.json and verification_key.json as snarkjs writes and reads them.

Numbers are decimal strings. Points are projective with z = 1: ["x", "y", "1"], and [["x0", "x1"], ["y0", "y1"],
["1", "0"]] in G2; infinity is (0, 1, 0). Unknown keys are ignored, as snarkjs does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeAlias

from zkgpu.curves.bn254 import BN254
from zkgpu.curves.points import Curve, Group, Point
from zkgpu.errors import FormatError, PointError
from zkgpu.formats import strict_json
from zkgpu.formats.atomic import replacing
from zkgpu.formats.primes import CURVES
from zkgpu.formats.strict_json import decimal, shown
from zkgpu.groth16.keys import Proof, VerifyingKey

StrPath: TypeAlias = str | os.PathLike[str]
PROTOCOL = "groth16"
MAX_INPUT_BYTES = 1 << 28


def read_proof(path: StrPath, curve: Curve = BN254) -> Proof:
    """The proof in a file, over `curve`; its points are on their curves and in their subgroups, perhaps infinity."""
    return _located(path, proof_from_json, strict_json.load(path), curve)


def read_public(path: StrPath, curve: Curve = BN254) -> list[int]:
    """The public inputs in a file, each canonical and below the scalar field's modulus."""
    return _located(path, public_from_json, strict_json.load(path), curve)


def read_inputs(path: StrPath) -> dict[str, Any]:
    """The input signals of a circuit: names to integers, strings, nested lists, or nested objects for buses.

    Integers may be of any sign and size up to 96 digits; fractions, NaN and duplicate names are refused.
    """
    value = strict_json.load(path, max_bytes=MAX_INPUT_BYTES)
    if not isinstance(value, dict):
        raise FormatError(f"{os.fspath(path)}: {shown(value)} is not an object of named inputs")
    return value


def read_verifying_key(path: StrPath) -> VerifyingKey:
    """The verifying key in a file; its points are on their curves and in their subgroups."""
    return _located(path, verifying_key_from_json, strict_json.load(path))


def write_proof(path: StrPath, proof: Proof, curve: Curve = BN254) -> None:
    strict_json.dump(path, proof_to_json(proof, curve))


def write_public(path: StrPath, public_inputs: Sequence[int]) -> None:
    strict_json.dump(path, [str(value) for value in public_inputs])


def write_proof_and_public(
    proof_path: StrPath, proof: Proof, public_path: StrPath, public_inputs: Sequence[int], curve: Curve = BN254
) -> None:
    """Writes proof.json and public.json, both or neither."""
    with replacing(public_path) as public_file, replacing(proof_path) as proof_file:
        public_file.write(strict_json.text_of([str(value) for value in public_inputs]).encode())
        proof_file.write(strict_json.text_of(proof_to_json(proof, curve)).encode())


def write_verifying_key(path: StrPath, key: VerifyingKey) -> None:
    strict_json.dump(path, verifying_key_to_json(key))


def proof_from_json(value: Any, curve: Curve = BN254) -> Proof:
    """The proof of a parsed proof.json, over `curve`."""
    if _require_groth16(value, "proof") is not curve:
        raise FormatError(f"the proof is not over {curve.name}: give the proof that belongs to this key")
    return Proof(
        _point(curve.g1, _member(value, "pi_a"), "pi_a"),
        _point(curve.g2, _member(value, "pi_b"), "pi_b"),
        _point(curve.g1, _member(value, "pi_c"), "pi_c"),
    )


def proof_to_json(proof: Proof, curve: Curve = BN254) -> dict[str, Any]:
    return {
        "pi_a": _point_json(proof.a),
        "pi_b": _point_json(proof.b),
        "pi_c": _point_json(proof.c),
        "protocol": PROTOCOL,
        "curve": curve.snarkjs_name,
    }


def public_from_json(value: Any, curve: Curve = BN254) -> list[int]:
    """The public inputs of a parsed public.json."""
    modulus = curve.scalar_field.modulus
    return [decimal(item, modulus, f"public input {i}") for i, item in enumerate(_list(value, "the public inputs"))]


def verifying_key_from_json(value: Any) -> VerifyingKey:
    """The verifying key of a parsed verification_key.json."""
    curve = _require_groth16(value, "verification key")
    n_public, ic = _member(value, "nPublic"), _list(_member(value, "IC"), "IC")
    if type(n_public) is not int or not 0 <= n_public == len(ic) - 1:
        raise FormatError(f"IC has {len(ic):,} points but nPublic is {shown(n_public)}: export the key again")
    return VerifyingKey(
        curve,
        alpha_g1=_point(curve.g1, _member(value, "vk_alpha_1"), "vk_alpha_1"),
        beta_g2=_point(curve.g2, _member(value, "vk_beta_2"), "vk_beta_2"),
        gamma_g2=_point(curve.g2, _member(value, "vk_gamma_2"), "vk_gamma_2"),
        delta_g2=_point(curve.g2, _member(value, "vk_delta_2"), "vk_delta_2"),
        ic=tuple(_point(curve.g1, item, f"IC[{i}]") for i, item in enumerate(ic)),
    )


def verifying_key_to_json(key: VerifyingKey) -> dict[str, Any]:
    return {
        "protocol": PROTOCOL,
        "curve": key.curve.snarkjs_name,
        "nPublic": key.n_public,
        "vk_alpha_1": _point_json(key.alpha_g1),
        "vk_beta_2": _point_json(key.beta_g2),
        "vk_gamma_2": _point_json(key.gamma_g2),
        "vk_delta_2": _point_json(key.delta_g2),
        "vk_alphabeta_12": _pairing_json(key),
        "IC": [_point_json(point) for point in key.ic],
    }


def _located(path: StrPath, convert: Any, *arguments: Any) -> Any:
    """convert(*arguments), with the file's name in front of the message of an error."""
    try:
        return convert(*arguments)
    except FormatError as error:
        raise type(error)(f"{os.fspath(path)}: {error}") from None


def _require_groth16(value: Any, what: str) -> Curve:
    """The curve a proof or key names. Raises FormatError unless it is a Groth16 one over a supported curve."""
    protocol, name = _member(value, "protocol"), _member(value, "curve")
    if protocol != PROTOCOL:
        raise FormatError(f'the protocol of the {what} is {shown(protocol)}, not "{PROTOCOL}": give a Groth16 file')
    for curve in CURVES:
        if name == curve.snarkjs_name:
            return curve
    raise FormatError(f"the curve of the {what} is {shown(name)}, not a supported one: use bn128 (BN254)")


def _member(value: Any, key: str) -> Any:
    if not isinstance(value, dict) or key not in value:
        raise FormatError(f'the key "{key}" is missing: this is not the right file')
    return value[key]


def _list(value: Any, where: str, length: int | None = None) -> list[Any]:
    if not isinstance(value, list) or length not in (None, len(value)):
        wanted = "a list" if length is None else f"a list of {length}"
        raise FormatError(f"{where}: {shown(value)} is not {wanted}: make the file again")
    return value


def _point(group: Group, value: Any, where: str) -> Point:
    x, y, z = (_coordinate(group, item, f"{where}[{i}]") for i, item in enumerate(_list(value, where, length=3)))
    field = group.field
    if z == field.zero and (x, y) == (field.zero, field.one):
        return group.infinity
    if z != field.one:
        raise FormatError(f"{where}: the point is not affine (z is not 1): make the file again")
    try:
        return group.point(x, y)
    except PointError as error:
        raise PointError(f"{where}: {error}: make the file again") from None


def _coordinate(group: Group, value: Any, where: str) -> Any:
    q = group.base_field.modulus
    if group.field is group.base_field:
        return decimal(value, q, where)
    return tuple(decimal(item, q, f"{where}[{i}]") for i, item in enumerate(_list(value, where, length=2)))


def _pairing_json(key: VerifyingKey) -> list[list[list[str]]]:
    """e(alpha, beta) as [w^0, w^1][v^0, v^1, v^2][real, imaginary]; snarkjs writes it and nobody reads it."""
    from zkgpu.curves.pairing import pairing

    flat = [str(c) for c in pairing(key.alpha_g1, key.beta_g2).coefficients()]
    pairs = [flat[i : i + 2] for i in range(0, 12, 2)]
    return [pairs[:3], pairs[3:]]


def _point_json(point: Point) -> list[Any]:
    field = point.group.field
    coordinates = (field.zero, field.one, field.zero) if point.is_infinity else (point.x, point.y, field.one)
    return [[str(c) for c in v] if isinstance(v, tuple) else str(v) for v in coordinates]
