"""A value as a file that is mapped when it is opened again.

    magic[16] | hash of the table[32] | size of the table u64 | table | parts, each at a multiple of 64 bytes

The table is a stamp[32] and { size u64 | hash[32] } for each part; the first part is the JSON that describes the value
(`values`), the others are its arrays, which come back as views of the file's bytes, and take no memory of their own
where these are mapped. The stamp says what the file belongs to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.store import values
from zkgpu.store.digests import Bytes, tree_hash

STAMP_BYTES = 32
_HASH_BYTES, _ALIGNMENT, _MAGIC_BYTES = 32, 64, 16
_TABLE = _MAGIC_BYTES + _HASH_BYTES + 8  # where the table begins


def packed(magic: bytes, stamp: bytes, value: Any, known: Sequence[NDArray[Any]] = ()) -> list[memoryview]:
    """What a file that `unpacked` reads consists of, in order. Raises TypeError for what `values` cannot describe."""
    arrays: list[NDArray[Any]] = []
    described = json.dumps(values.describe(value, arrays, known)).encode()
    parts = [memoryview(described), *(array.reshape(-1).view(np.uint8).data for array in arrays)]
    entries = (part.nbytes.to_bytes(8, "little") + _hash(part) for part in parts)
    table = stamp + b"".join(entries)
    buffers = [memoryview(magic + _hash(table) + len(table).to_bytes(8, "little") + table)]
    at = buffers[0].nbytes
    for part in parts:
        buffers += [memoryview(bytes(-at % _ALIGNMENT)), part]
        at += -at % _ALIGNMENT + part.nbytes
    return buffers


def unpacked(
    magic: bytes, stamp: bytes, data: Bytes, known: Sequence[NDArray[Any]] = (), *, hashed: bool = False
) -> Any | None:
    """The value, or None when the file belongs to something else. Raises when it is damaged: ValueError, or any other.

    Args:
        known: the arrays that were known to `packed`
        hashed: the parts need no hash: they were found whole before (`digests.hashed_before`)
    """
    table_hash, size = data[16:48].tobytes(), int.from_bytes(data[48:_TABLE].tobytes(), "little")
    table = data[_TABLE : _TABLE + size].tobytes()
    if data[:_MAGIC_BYTES].tobytes() != magic or len(table) != size or _hash(table) != table_hash:
        raise ValueError("its table is damaged")
    if table[:STAMP_BYTES] != stamp:
        return None
    parts, at = [], _TABLE + size
    for begin in range(STAMP_BYTES, size, 8 + _HASH_BYTES):
        at += -at % _ALIGNMENT
        part = data[at : at + int.from_bytes(table[begin : begin + 8], "little")]
        if not hashed and _hash(part) != table[begin + 8 : begin + 8 + _HASH_BYTES]:
            raise ValueError(f"the bytes from {at:,} on are damaged")
        parts.append(part)
        at += len(part)
    return values.restore(json.loads(parts[0].tobytes()), parts[1:], known)


def _hash(data: Bytes | memoryview | bytes) -> bytes:
    return tree_hash(np.frombuffer(data, np.uint8))
