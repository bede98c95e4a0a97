"""Values made of the package's frozen dataclasses, tuples, numbers and arrays, as JSON beside the arrays' bytes.

    {"array": [index, dtype, shape]} | {"group": name} | {"class": [module, name, {field: value}]} | {"tuple": [value]}

Reading makes nothing but instances of this package's dataclasses, and never runs what it reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves import CURVES
from zkgpu.curves.points import Group
from zkgpu.store.digests import Bytes

_PACKAGE = __name__.split(".")[0]
_GROUPS = {
    group.name: group for curve in CURVES for group in (curve.g1, curve.g2)
}  # one object for each, so that `is` works
_PLAIN = (str, int, float, bool, type(None))


def describe(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """What JSON can hold of a value; its arrays are appended to `arrays`. Raises TypeError for anything else."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        arrays.append(np.ascontiguousarray(value))
        return {"array": [len(arrays) - 1, value.dtype.str, list(value.shape)]}
    if isinstance(value, Group):
        return {"group": value.name}
    if isinstance(value, tuple):
        return {"tuple": [describe(item, arrays) for item in value]}
    if is_dataclass(value):
        parts = {f.name: describe(getattr(value, f.name), arrays) for f in fields(value) if f.init}
        return {"class": [type(value).__module__, type(value).__name__, parts]}
    raise TypeError(f"a {type(value).__name__} cannot be kept in a file")


def restore(described: Any, arrays: Sequence[Bytes]) -> Any:
    """The value; its arrays are views of `arrays`, the bytes of each. Raises when it is not what `describe` gives."""
    if isinstance(described, _PLAIN):
        return described
    ((kind, content),) = described.items()
    if kind == "array":
        index, dtype, shape = content
        return arrays[index].view(np.dtype(dtype)).reshape(shape)
    if kind == "group":
        return _GROUPS[content]
    if kind == "tuple":
        return tuple(restore(item, arrays) for item in content)
    module, name, parts = content
    return _dataclass(module, name)(**{key: restore(part, arrays) for key, part in parts.items()})


def _dataclass(module: str, name: str) -> Any:
    found = getattr(import_module(module), name) if module.split(".")[0] == _PACKAGE else None
    if not isinstance(found, type) or not is_dataclass(found) or found.__module__ != module:
        raise ValueError(f"{module}.{name} is no dataclass of {_PACKAGE}")
    return found
