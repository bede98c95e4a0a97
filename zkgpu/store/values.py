"""Values made of the package's frozen dataclasses, tuples, numbers, arrays and functions, as JSON beside arrays' bytes.

    {"array": [index, dtype, shape]} | {"known": index} | {"integers": [[integer], shape]}
    {"tuple": [value]} | {"list": [value]} | {"frozenset": [value]} | {"range": [start, stop, step]}
    {"group": name} | {"field": name} | {"class": [module, name, {field: value}]}
    {"function": ..}     see store.functions
    {"same": number}     of the classes and functions so far, each counted when it is whole

Reading makes nothing but instances of this package's dataclasses, and of classes that say by KEPT what they are made
of; and it never runs code of what it reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from importlib import import_module
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves import CURVES
from zkgpu.curves.points import Group
from zkgpu.fields.field import Field
from zkgpu.store.digests import Bytes
from zkgpu.store.functions import describe_function, restore_function

_PACKAGE = __name__.split(".")[0]
_GROUPS = {
    group.name: group for curve in CURVES for group in (curve.g1, curve.g2)
}  # one object for each, so that `is` works
_FIELDS = {curve.scalar_field.name: curve.scalar_field for curve in CURVES}
_PLAIN = (str, int, float, bool, type(None))
_SEVERAL: dict[str, Any] = {"tuple": tuple, "list": list, "frozenset": frozenset}

Arrays = list[NDArray[Any]]


def describe(value: Any, arrays: Arrays, known: Sequence[NDArray[Any]] = ()) -> Any:
    """What JSON can hold of a value; its arrays are appended to `arrays`. Raises TypeError for anything else.

    Args:
        known: arrays that the reader will have from elsewhere, named by their places
    """
    return _Description(arrays, {id(array): place for place, array in enumerate(known)}).of(value)


class _Description:
    """Values being described. An array that occurs again is the same one."""

    def __init__(self, arrays: Arrays, known: dict[int, int]) -> None:
        self._arrays, self._known = arrays, known
        self._seen: dict[int, tuple[Any, dict[str, Any]]] = {}  # the value too, so that its id stays its own
        self._whole = 0

    def of(self, value: Any) -> Any:
        if isinstance(value, _PLAIN) and not isinstance(value, np.generic):
            return value
        if isinstance(value, np.integer | np.bool_):
            return int(value)
        if id(value) in self._seen:
            return self._seen[id(value)][1]
        described = self._described(value)
        if "array" in described:
            self._seen[id(value)] = value, described
        elif "class" in described or "function" in described:
            self._seen[id(value)], self._whole = (value, {"same": self._whole}), self._whole + 1
        return described

    def _described(self, value: Any) -> dict[str, Any]:
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, Group):
            return {"group": value.name}
        if isinstance(value, Field) and _FIELDS.get(value.name) == value:
            return {"field": value.name}
        if isinstance(value, FunctionType):
            return {"function": describe_function(value, self.of)}
        if isinstance(value, range):
            return {"range": [value.start, value.stop, value.step]}
        several = next((name for name, kind in _SEVERAL.items() if type(value) is kind), None)
        items = sorted(value) if several == "frozenset" else value
        return {several: [self.of(item) for item in items]} if several else {"class": self._parts(value)}

    def _array(self, value: NDArray[Any]) -> dict[str, Any]:
        if id(value) in self._known:
            return {"known": self._known[id(value)]}
        if value.dtype == object:
            integers = value.ravel().tolist()
            if not all(type(item) is int for item in integers):
                raise TypeError("an array of objects that are no integers cannot be kept in a file")
            return {"integers": [integers, list(value.shape)]}
        if value.dtype.kind not in "biuf":
            raise TypeError(f"an array of {value.dtype} cannot be kept in a file")
        self._arrays.append(np.ascontiguousarray(value))
        return {"array": [len(self._arrays) - 1, value.dtype.str, list(value.shape)]}

    def _parts(self, value: Any) -> list[Any]:
        kind = type(value)
        names = _names_of(kind)
        if names is None:
            raise TypeError(f"a {kind.__name__} cannot be kept in a file")
        kept = value.as_kept() if hasattr(kind, "as_kept") else value
        return [kind.__module__, kind.__name__, {name: self.of(getattr(kept, name)) for name in names}]


def restore(described: Any, arrays: Sequence[Bytes], known: Sequence[NDArray[Any]] = ()) -> Any:
    """The value; its arrays are views of `arrays`, the bytes of each. Raises when it is not what `describe` gives."""
    return _Restoration(arrays, known).of(described)


class _Restoration:
    def __init__(self, arrays: Sequence[Bytes], known: Sequence[NDArray[Any]]) -> None:
        self._arrays, self._known = arrays, known
        self._made: dict[int, NDArray[Any]] = {}
        self._whole: list[Any] = []

    def of(self, described: Any) -> Any:
        if isinstance(described, _PLAIN):
            return described
        ((kind, content),) = described.items()
        if kind == "array":
            return self._array(*content)
        if kind == "known":
            return self._known[content]
        if kind == "integers":
            integers, shape = content
            out = np.empty(len(integers), dtype=object)
            out[:] = [int(item) for item in integers]
            return out.reshape(shape)
        if kind in _SEVERAL:
            return _SEVERAL[kind](item if type(item) is int else self.of(item) for item in content)
        return self._other(kind, content)

    def _other(self, kind: str, content: Any) -> Any:
        if kind == "group":
            return _GROUPS[content]
        if kind == "field":
            return _FIELDS[content]
        if kind == "range":
            return range(*content)
        if kind == "same":
            return self._whole[content]
        self._whole.append(restore_function(content, self.of) if kind == "function" else self._instance(*content))
        return self._whole[-1]

    def _instance(self, module: str, name: str, parts: dict[str, Any]) -> Any:
        return _class(module, name)(**{key: self.of(part) for key, part in parts.items()})

    def _array(self, index: int, dtype: str, shape: list[int]) -> NDArray[Any]:
        if index not in self._made:
            self._made[index] = self._arrays[index].view(np.dtype(dtype)).reshape(shape)
        return self._made[index]


def _names_of(kind: type) -> Sequence[str] | None:
    """What an instance of a class of this package is made of, or None for other classes."""
    if kind.__module__.split(".")[0] != _PACKAGE:
        return None
    if is_dataclass(kind):
        return [f.name for f in fields(kind) if f.init]
    kept: Sequence[str] | None = getattr(kind, "KEPT", None)
    return kept


def _class(module: str, name: str) -> Any:
    found = getattr(import_module(module), name) if module.split(".")[0] == _PACKAGE else None
    if not isinstance(found, type) or _names_of(found) is None or found.__module__ != module:
        raise ValueError(f"{module}.{name} is no dataclass of {_PACKAGE}")
    return found
