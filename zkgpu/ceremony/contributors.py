"""What the files of both phases keep of who contributed: `type u32 | size u32 | params`.

params are tag-length-value, tags ascending: 1 name, 2 exponent of a beacon's iterations, 3 the beacon's hash.
"""

from __future__ import annotations

from typing import Any

from zkgpu.curves.points import Point
from zkgpu.errors import FormatError, UsageError
from zkgpu.formats.container import SectionReader

HASH_BYTES = 64  # BLAKE2b-512, of transcripts
NORMAL, BEACON = 0, 1
_NAME, _ITERATIONS, _BEACON_HASH = 1, 2, 3
_MOST = 255  # bytes that one byte can count


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
    """What `read_params` reads. Raises UsageError for a name or a beacon of more than 255 bytes."""
    label = name.encode()
    if len(label) > _MOST or len(beacon[0] if beacon else b"") > _MOST:
        raise UsageError(f"the name or beacon of a contribution has more than {_MOST} bytes: give a shorter one")
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


def require_effective(where: str, secret: str, g1_s: Point, g1_sx: Point) -> None:
    """Raises FormatError where a contribution's secret is 1 or -1, so that it adds none."""
    if g1_sx in (g1_s, -g1_s):
        raise FormatError(f"{where}: multiplies {secret} by 1 or -1, which is no contribution: do not use this file")


def contribution_facts(number: int, contribution: Any, digest: bytes) -> dict[str, Any]:
    """A contribution to either phase as JSON has it; its hash is by the phase's own rule."""
    beacon = contribution.beacon and {"value": contribution.beacon[0].hex(), "exponent": contribution.beacon[1]}
    return {"number": number, "name": contribution.name, "beacon": beacon, "hash": digest.hex()}


def contribution_line(facts: dict[str, Any]) -> str:
    """Those facts for people: number, name, the beacon where there is one, and hash."""
    beacon = facts["beacon"]
    told = f", beacon {beacon['value']} 2^{beacon['exponent']}" if beacon else ""
    return f"{facts['number']}: {facts['name']!r}{told} {facts['hash']}"
