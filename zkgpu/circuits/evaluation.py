"""Arrays of Python integers, as hints and inputs hand them around."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.object_]


def object_array(values: Iterable[object], shape: tuple[int, ...] | None = None) -> Values:
    """An array of Python objects, never guessed into another dtype or nested deeper than one axis."""
    items = list(values)
    out = np.empty(len(items), dtype=object)
    out[:] = items
    return out if shape is None else out.reshape(shape)
