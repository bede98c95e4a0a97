"""Schedules of the register machine, kept on disk beside its kernel.

    cache_dir()/kernels/<digest>/<name>.schedule        line of JSON | constants | tables

Recording the formulas of a pairing takes longer than the pairing, and a command verifies one proof. A file is sealed,
trusted and shipped as that of a compiled kernel (`jit.cache`), for the kernel goes wherever its tables say.
"""

from __future__ import annotations

import hashlib
import json
import math

from zkgpu.curves.machine_cpu import Bound
from zkgpu.fields.field import Field
from zkgpu.jit import cache
from zkgpu.jit.signature import PlainArray

SUFFIX = ".schedule"
met: dict[str, Bound] = {}  # by name, those that this process has run: what a release ships


def load(name: str, field: Field) -> Bound | None:
    """What was kept under a name, or None."""
    payload = cache.kept_file(file_of(name))
    return None if payload is None else unpacked(payload, field)


def keep(name: str, bound: Bound) -> None:
    """Keeps a schedule where the user's kernels are kept. Does nothing where that cannot be written."""
    cache.keep_file(file_of(name), packed(bound))


def packed(bound: Bound) -> bytes:
    """What a file holds of a schedule."""
    facts = {"first_slot": bound.first_slot, "size": bound.size, "constants": len(bound.constants)}
    shapes = [table.shape for table in bound.tables]
    head = json.dumps({**facts, "shapes": shapes}).encode() + b"\n"
    return b"".join((head, bound.constants, *(table.buffer for table in bound.tables)))


def unpacked(payload: bytes, field: Field) -> Bound:
    """The schedule of what `packed` made."""
    text, _, data = payload.partition(b"\n")
    facts, tables = json.loads(text), []
    at = facts["constants"]
    for shape in facts["shapes"]:
        size = 4 * math.prod(shape)
        tables.append(PlainArray(bytearray(data[at : at + size]), "<i4", tuple(shape)))
        at += size
    return Bound(field, data[: facts["constants"]], facts["first_slot"], facts["size"], tuple(tables))


def file_of(name: str) -> str:
    return f"{hashlib.sha256(name.encode()).hexdigest()[:24]}{SUFFIX}"
