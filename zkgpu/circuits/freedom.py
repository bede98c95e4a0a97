"""Which wires no constraint ties to anything: values that a prover could choose unseen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.combinations import LinearCombinations
from zkgpu.errors import UsageError


def touched_wires(n_wires: int, *sides: LinearCombinations) -> NDArray[np.bool_]:
    """(n_wires,) bool: whether a wire appears in a constraint."""
    touched = np.zeros(n_wires, dtype=bool)
    for side in sides:
        touched[side.wires] = True
    return touched


def refuse_free_hints(hints: Sequence[tuple[int, int, str]], touched: NDArray[np.bool_]) -> None:
    """Raises UsageError for a hint that the prover could change unseen."""
    for first, size, name in hints:
        free = np.flatnonzero(~touched[first : first + size])
        if free.size:
            raise UsageError(f"entry {free[0]} of hint '{name}' appears in no constraint: the prover could choose it")
