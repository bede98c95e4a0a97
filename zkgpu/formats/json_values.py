"""What the JSON files of both proof systems have in common: protocol and curve, points, lists."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from zkgpu.curves import DEFAULT, Curve, Group, Point, curve_named, known_curves
from zkgpu.errors import FormatError, PointError
from zkgpu.formats.container import Source, name_of
from zkgpu.formats.kinds import require_kind
from zkgpu.formats.strict_json import decimal, shown

StrPath: TypeAlias = str | os.PathLike[str]
Value = TypeVar("Value")


def located(source: Source, convert: Callable[..., Value], *arguments: Any) -> Value:
    """convert(*arguments), with the file's name in front of the message of an error."""
    try:
        return convert(*arguments)
    except FormatError as error:
        raise error.within(name_of(source)) from None


def require_curve(value: Any, what: str, protocol: str, title: str, default: Curve = DEFAULT) -> Curve:
    """The curve a proof or key names; the default where it names none, as rapidsnark and circom2gnark do.

    Raises FormatError unless it is of that proof system, over a supported curve.
    """
    require_kind(value, f"a {what}")
    found = member(value, "protocol")
    if found != protocol:
        raise FormatError(f'the protocol of the {what} is {shown(found)}, not "{protocol}": give a {title} file')
    if "curve" not in value:
        _refuse_misspelled("curve", value)
        return default
    name = value["curve"]
    curve = curve_named(name) if isinstance(name, str) else None
    if curve is None:
        raise FormatError(f"the curve of the {what} is {shown(name)}, not a supported one: use {known_curves()}")
    return curve


def _refuse_misspelled(key: str, value: dict[str, Any]) -> None:
    """Raises FormatError where a key that may be left out is there under nearly its name."""
    from difflib import get_close_matches

    near = get_close_matches(key, [name.lower() for name in value], 1, 0.75)
    if near:
        raise FormatError(f'the key "{key}" is missing, and there is {shown(near[0])}: is the file damaged?')


def member(value: Any, key: str) -> Any:
    """value[key]. Raises FormatError when value is no object or has no such key."""
    if not isinstance(value, dict) or key not in value:
        raise FormatError(f'the key "{key}" is missing: this is not the right file')
    return value[key]


def unsafe_json(is_unsafe: bool) -> dict[str, Any]:
    """What the verifying key of a one-party setup has besides; snarkjs ignores it."""
    return {"unsafe": True} if is_unsafe else {}


def unsafe_of(value: Any) -> bool:
    """Whether a verifying key says that one party made it. Raises FormatError when it says neither yes nor no."""
    mark = value.get("unsafe", False)
    if type(mark) is not bool:
        raise FormatError(f"unsafe is {shown(mark)}, neither true nor false: export the key again")
    return mark


def list_of(value: Any, where: str, length: int | None = None) -> list[Any]:
    """The value, if it is a list, of that length when one is given."""
    if not isinstance(value, list) or length not in (None, len(value)):
        wanted = "a list" if length is None else f"a list of {length}"
        raise FormatError(f"{where}: this is not {wanted}: make the file again", values=shown(value))
    return value


def point_of(group: Group, value: Any, where: str) -> Point:
    """The point that a list of three coordinates spells, on the curve and in the subgroup."""
    x, y, z = (_coordinate(group, item, f"{where}[{i}]") for i, item in enumerate(list_of(value, where, length=3)))
    field = group.field
    if z == field.zero and (x, y) == (field.zero, field.one):
        return group.infinity
    if z != field.one:
        raise FormatError(f"{where}: the point is not affine (z is not 1): make the file again")
    try:
        return group.point(x, y)
    except PointError as error:
        raise PointError(f"{where}: {error}: make the file again") from None


def _coordinate(group: Group, value: Any, where: str) -> Any:
    q = group.base_field.modulus
    if group.field is group.base_field:
        return decimal(value, q, where)
    return tuple(decimal(item, q, f"{where}[{i}]") for i, item in enumerate(list_of(value, where, length=2)))


def point_json(point: Point) -> list[Any]:
    """The coordinates as decimal strings, with z = 1; (0, 1, 0) for infinity."""
    field = point.group.field
    coordinates = (field.zero, field.one, field.zero) if point.is_infinity else (point.x, point.y, field.one)
    return [[str(c) for c in v] if isinstance(v, tuple) else str(v) for v in coordinates]
