"""Where the secrets of a contribution come from: the operating system, or a public beacon.

A secret is never 0, 1 or -1, which would leave things as they are or undo everything.
"""

from __future__ import annotations

import functools
import hashlib

from zkgpu.ceremony.challenge import blake2b
from zkgpu.errors import FormatError, UsageError
from zkgpu.fields.field import Field, random_bytes
from zkgpu.stages import advance, stage, steps

Beacon = tuple[bytes, int]  # what everybody can look up, and the logarithm of how often it is hashed

MIN_EXPONENT, MAX_EXPONENT = 10, 30  # snarkjs' least; 2^30 iterations of SHA-256 take minutes
_MOST_BYTES, _MOST_CHARACTERS = 255, 64
_ITERATIONS = 1 << 16  # between two words of progress


def secret_of_system(field: Field, entropy: bytes = b"") -> int:
    """A secret in [2, r - 2], from the operating system's generator; whatever else is given is mixed in by a hash."""
    return 2 + int.from_bytes(blake2b(random_bytes(64), entropy), "little") % (field.modulus - 3)


@functools.lru_cache(maxsize=4)
def beacon_digest(beacon: Beacon) -> bytes:
    """SHA-256 applied 2^exponent times, as snarkjs does; a stream under it gives the secrets. Of public values only."""
    digest, exponent = beacon
    if exponent > MAX_EXPONENT:
        raise FormatError(f"a beacon of 2^{exponent} iterations: more than 2^{MAX_EXPONENT} are not made or verified")
    with stage("hash beacon"), steps(1 << exponent):
        for begin in range(0, 1 << exponent, _ITERATIONS):
            count = min(_ITERATIONS, (1 << exponent) - begin)
            for _ in range(count):
                digest = hashlib.sha256(digest).digest()
            advance(count)
    return digest


def require_beacon(beacon: Beacon) -> None:
    """Raises UsageError for a beacon that nobody's software would take."""
    digest, exponent = beacon
    if not 0 < len(digest) <= _MOST_BYTES:
        raise UsageError(f"a beacon of {len(digest)} bytes: give 1 to {_MOST_BYTES}")
    if not MIN_EXPONENT <= exponent <= MAX_EXPONENT:
        raise UsageError(f"a beacon of 2^{exponent} iterations: give an exponent of {MIN_EXPONENT} to {MAX_EXPONENT}")


def require_name(name: str) -> None:
    """Raises UsageError for a name that other programs would cut short, or that a terminal would act on."""
    if len(name) > _MOST_CHARACTERS or len(name.encode("utf-8", "replace")) > _MOST_BYTES or not name.isprintable():
        raise UsageError(f"--name: give a contribution at most {_MOST_CHARACTERS} printable characters")
