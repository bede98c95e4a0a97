"""Calculators of circom 2.0.0 to 2.0.3, which do not say how many values an input signal takes.

They hold a table of 256 entries by name, hash u64 | position u32, at the hash modulo 256 or the next free place; a
value beyond the end of a signal is written over the next signal. So the sizes are read from the table: signals lie one
after another. Source: iden3/circom v2.0.3, code_producers/src/wasm_elements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from zkgpu.circom.signals import name_hash

_ENTRIES, _ENTRY = 256, np.dtype([("hash", "<u8"), ("position", "<u4")])


def sizes_in_table(memory: bytes, names: Sequence[str], total: int) -> dict[str, int]:
    """The sizes of signals by name, 0 for one that there is not; nothing where the memory holds no such table.

    Args:
        memory: the first bytes of a calculator's memory
        total: values that all signals take together
    """
    entries = _table(memory, names)
    positions = sorted(entries.values())
    if not positions or positions[-1] >= positions[0] + total:
        return {}
    ends = [*positions[1:], positions[0] + total]
    size = {start: end - start for start, end in zip(positions, ends, strict=True)}
    return {name: size.get(entries.get(name_hash(name), -1), 0) for name in names}


def _table(memory: bytes, names: Sequence[str]) -> dict[int, int]:
    """Positions by hash, from the table at whose place most names are."""
    starts = Counter(start for name in names for start in _starts(memory, name_hash(name)))
    if not starts:
        return {}
    (start, _), *_ = starts.most_common(1)
    table = np.frombuffer(memory[start : start + _ENTRIES * _ENTRY.itemsize], dtype=_ENTRY)
    return {int(entry["hash"]): int(entry["position"]) for entry in table if entry["hash"]}


def _starts(memory: bytes, hashed: int) -> list[int]:
    """Where the table may begin by the places of one hash."""
    at = memory.find(hashed.to_bytes(8, "little"))
    start = at - (hashed % _ENTRIES) * _ENTRY.itemsize
    return [start] if at >= 0 and 0 <= start <= len(memory) - _ENTRIES * _ENTRY.itemsize else []
