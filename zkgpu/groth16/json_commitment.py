"""The part of a verification_key.json that a circuit with challenges adds: what is committed, and what is packed."""

from __future__ import annotations

from typing import Any

from zkgpu.circuits.committed import CommittedRound, PublicArray
from zkgpu.curves.points import Curve
from zkgpu.errors import FormatError, UsageError
from zkgpu.formats.json_values import list_of, member, point_json, point_of
from zkgpu.formats.strict_json import decimal, shown
from zkgpu.groth16.keys import CommitmentKey

VERSION = 2  # 1, which named none, published sigma times the generator in G1
_MAX_COUNT = 1 << 31


def version_json() -> dict[str, Any]:
    """What says by which transcript and setup a proof or key with a commitment was made."""
    return {"version": VERSION}


def require_version(value: Any, what: str) -> None:
    """Raises FormatError for a proof or key with a commitment that another version of zkgpu made."""
    version = value.get("version", 1)
    if type(version) is not int or version < VERSION:
        raise FormatError(
            f"this {what} was made by an earlier version of zkgpu, which is not accepted: set up and prove again"
        )
    if version > VERSION:
        raise FormatError(f"this {what} has version {version}, and zkgpu reads {VERSION}: use a newer zkgpu")


def commitment_to_json(commitment: CommitmentKey) -> dict[str, Any]:
    """What a key with a commitment has besides."""
    arrays = [
        {"name": array.name, "shape": list(array.shape), "low": str(array.low), "high": str(array.high)}
        for array in commitment.round.arrays
    ]
    return {
        "vk_sigma_2": point_json(commitment.sigma_g2),
        "nCommitted": commitment.round.n_committed,
        "nChallenges": commitment.round.n_challenges,
        "arrays": arrays,
    }


def commitment_from_json(value: Any, curve: Curve, n_public: int) -> CommitmentKey:
    """What commitment_to_json wrote, of a key with n_public public inputs."""
    n_committed, n_challenges = (_count(value, name) for name in ("nCommitted", "nChallenges"))
    listed = list_of(member(value, "arrays"), "arrays")
    arrays = tuple(_array_from_json(item, f"arrays[{i}]") for i, item in enumerate(listed))
    try:
        round_ = CommittedRound(n_committed, n_challenges, arrays)
    except UsageError as error:
        raise FormatError(f"arrays: {error}: export the key again") from None
    if not n_committed or round_.n_public > n_public or (arrays and not n_challenges):
        raise FormatError(
            f"nChallenges is {n_challenges:,}, nPublic {n_public:,}: they do not fit, export the key again"
        )
    return CommitmentKey(point_of(curve.g2, member(value, "vk_sigma_2"), "vk_sigma_2"), round_)


def _array_from_json(value: Any, where: str) -> PublicArray:
    name, shape = member(value, "name"), list_of(member(value, "shape"), f"{where}.shape")
    if not isinstance(name, str) or not all(type(n) is int and 0 <= n < _MAX_COUNT for n in shape):
        raise FormatError(f"{where}: name or shape is malformed: export the key again")
    low, high = (_signed_decimal(member(value, key), f"{where}.{key}") for key in ("low", "high"))
    try:
        return PublicArray(name, tuple(shape), low, high)
    except UsageError as error:
        raise FormatError(f"{where}: {error}: export the key again") from None


def _signed_decimal(value: Any, where: str) -> int:
    if isinstance(value, str) and value.startswith("-"):
        return -decimal(value[1:], 1 << 128, where)
    return decimal(value, 1 << 128, where)


def _count(value: Any, name: str) -> int:
    number = member(value, name)
    if type(number) is not int or not 0 <= number < _MAX_COUNT:
        raise FormatError(f"{name} is {shown(number)}, not a count: export the key again")
    return number
