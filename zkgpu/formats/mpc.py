"""The record of phase 2 in a .zkey (section 10): the circuit's hash and one entry a contribution.

    circuit hash[64] | count u32 | { delta G1 | s G1 | sx G1 | spx G2 | transcript[64] | type u32 | size u32 | params }

params are tag-length-value, tags ascending: 1 name, 2 exponent of a beacon's iterations, 3 the beacon's hash.
"""

from __future__ import annotations

from collections.abc import Sequence

from zkgpu.curves.points import Curve
from zkgpu.formats.container import SectionReader
from zkgpu.formats.points import point_bytes, read_curve_point
from zkgpu.groth16.keys import Contribution

HASH_BYTES = 64  # BLAKE2b-512
NORMAL, BEACON = 0, 1
_NAME, _ITERATIONS, _BEACON_HASH = 1, 2, 3
_MAX_CONTRIBUTIONS = 65536  # the largest ceremonies had thousands


def read_contributions(section: SectionReader, curve: Curve) -> tuple[bytes, tuple[Contribution, ...]]:
    """The circuit hash and the contributions, their points on their curves.

    Whether they are in their subgroups, and true, is for `groth16.ceremony` to find out.
    """
    circuit_hash = section.bytes(HASH_BYTES)
    count = section.u32()
    smallest = 8 * (3 * curve.g1.row_limbs + curve.g2.row_limbs) + HASH_BYTES + 8
    if count * smallest > section.remaining or count > _MAX_CONTRIBUTIONS:
        raise section.error(f"{count:,} contributions are declared in {section.remaining:,} bytes: copy the file again")
    contributions = tuple(_read_contribution(section, curve) for _ in range(count))
    section.end()
    return circuit_hash, contributions


def contributions_bytes(circuit_hash: bytes, contributions: Sequence[Contribution]) -> bytes:
    """Section 10."""
    records = (_contribution_bytes(contribution) for contribution in contributions)
    return circuit_hash + len(contributions).to_bytes(4, "little") + b"".join(records)


def read_params(section: SectionReader) -> tuple[int, str, tuple[bytes, int] | None]:
    """(kind, name, beacon) of a contribution: `type u32 | size u32 | params`."""
    kind, size = section.u32(), section.u32()
    if kind not in (NORMAL, BEACON):
        raise section.error(f"contribution type {kind:,} is neither 0 (normal) nor 1 (beacon): copy the file again")
    params = _parse_params(section, section.bytes(size))
    try:
        name = params.get(_NAME, b"").decode()
    except UnicodeDecodeError as error:
        raise section.error("the name of a contribution is not UTF-8: copy the file again") from error
    if kind == NORMAL:
        return kind, name, None
    if _ITERATIONS not in params or _BEACON_HASH not in params:
        raise section.error("a beacon has no hash or no number of iterations: copy the file again")
    return kind, name, (params[_BEACON_HASH], params[_ITERATIONS][0])


def params_bytes(kind: int, name: str, beacon: tuple[bytes, int] | None) -> bytes:
    """What `read_params` reads."""
    label = name.encode()
    params = bytes((_NAME, len(label))) + label if label else b""
    if beacon is not None:
        digest, iterations = beacon
        params += bytes((_ITERATIONS, iterations, _BEACON_HASH, len(digest))) + digest
    return kind.to_bytes(4, "little") + len(params).to_bytes(4, "little") + params


def _parse_params(section: SectionReader, data: bytes) -> dict[int, bytes]:
    values: dict[int, bytes] = {}
    at, last = 0, 0
    while at < len(data):
        tag = data[at]
        if not last < tag <= _BEACON_HASH or at + 1 >= len(data):
            raise section.error(
                f"parameter {tag} of a contribution is unknown, misplaced or cut off: copy the file again"
            )
        start, size = (at + 1, 1) if tag == _ITERATIONS else (at + 2, data[at + 1])
        if start + size > len(data):
            raise section.error(f"parameter {tag} of a contribution is cut off: copy the file again")
        values[tag], at, last = data[start : start + size], start + size, tag
    return values


def _read_contribution(section: SectionReader, curve: Curve) -> Contribution:
    delta_after = read_curve_point(section, curve.g1, "a contribution's delta")
    g1_s = read_curve_point(section, curve.g1, "a contribution's s")
    g1_sx = read_curve_point(section, curve.g1, "a contribution's sx")
    g2_spx = read_curve_point(section, curve.g2, "a contribution's spx")
    transcript = section.bytes(HASH_BYTES)
    kind, name, beacon = read_params(section)
    return Contribution(delta_after, g1_s, g1_sx, g2_spx, transcript, kind, name, beacon)


def _contribution_bytes(contribution: Contribution) -> bytes:
    points = point_bytes(contribution.delta_after, contribution.g1_s, contribution.g1_sx, contribution.g2_spx)
    return points + contribution.transcript + params_bytes(contribution.kind, contribution.name, contribution.beacon)
