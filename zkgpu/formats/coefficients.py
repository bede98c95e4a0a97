"""Tables of distinct field elements: a circuit repeats few values over and over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkgpu.fields.field import Limbs

# Odd words that spread four limbs over one; any would do, since a collision is noticed and only costs time.
_SPREAD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)


def distinct_rows(values: Limbs) -> tuple[Limbs, NDArray[np.int32]]:
    """(table, ids) with table[ids] equal to `values`, an (n, 4) array, and no row of the table repeated.

    Works limb by limb, so that beside its results it takes little memory; `values` may be a strided view of a file.
    """
    fingerprints = np.zeros(values.shape[0], dtype=np.uint64)
    for j, spread in enumerate(_SPREAD):
        fingerprints += values[:, j] * np.uint64(spread)
    _, first, ids = np.unique(fingerprints, return_index=True, return_inverse=True)
    table = values[first]
    if not all(np.array_equal(table[ids, j], values[:, j]) for j in range(len(_SPREAD))):
        table, ids = np.unique(values, axis=0, return_inverse=True)
    return table, ids.reshape(-1).astype(np.int32)
