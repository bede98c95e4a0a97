"""`dataclass`, made in a twentieth of the standard library's time before Python 3.13.

That looks up each annotation with regular expressions and compiles six functions for a class, one by one: for the
hundred classes that a command imports, a sixth of its time. Here one is compiled, for a class of which more than a few
instances are made, and the others are the same for all. Beside that nothing is different: fields, `replace`, `fields`,
representations, equality, hashes and the refusal to change what is frozen are those of `dataclasses`.
"""

from __future__ import annotations

import dataclasses
import operator
import reprlib
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError
from functools import partial
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, *, eq=True, frozen=False, **others):
        """As `dataclasses.dataclass`; of a class with other options it is that."""
        if cls is None:
            return partial(dataclass, eq=eq, frozen=frozen, **others)
        if others or not _is_plain(cls):
            return dataclasses.dataclass(cls, eq=eq, frozen=frozen, **others)
        return _made(cls, eq, frozen)


def _is_plain(cls: Any) -> bool:
    """Whether its annotations are of fields and class variables alone, and texts, as in every module of the package."""
    return "__slots__" not in vars(cls) and all(
        isinstance(text, str) and "InitVar" not in text and "KW_ONLY" not in text
        for text in cls.__annotations__.values()
    )


@dataclasses.dataclass(init=False, repr=False, eq=False)
class _Empty:
    """For what all dataclasses have; with a text, since else one would be made of its signature."""


def _made(cls: Any, eq: bool, frozen: bool) -> Any:
    own = set(vars(cls))
    cls.__doc__ = cls.__doc__ or cls.__name__  # else one would be made of its signature
    cls.__dataclass_fields__, cls.__dataclass_params__ = _fields(cls), vars(_Empty)["__dataclass_params__"]
    found = tuple(cls.__dataclass_fields__.values())
    methods: dict[str, Any] = {"__match_args__": tuple([field.name for field in found if field.init])}
    methods |= {"__init__": _Init(cls, found, frozen), "__repr__": _repr(found)}
    if eq:
        compared = _values(tuple([field.name for field in found if field.compare]))
        methods["__eq__"] = _eq(compared)
        methods["__hash__"] = _hash(compared) if frozen else None
    if frozen:
        methods |= _refusals(cls, frozenset([field.name for field in found]))
    for name, method in methods.items():
        if name not in own or (name == "__hash__" and vars(cls)[name] is None):
            _put(cls, name, method)
    return cls


def _fields(cls: Any) -> dict[str, Field[Any]]:
    """By name: those of the classes above, then its own, whose values stay in the class where they are defaults.

    Raises ValueError for a default that can change, as the standard library does.
    """
    found: dict[str, Field[Any]] = {}
    for above in cls.__mro__[:0:-1]:
        found |= vars(above).get("__dataclass_fields__", {})
    for name, text in cls.__annotations__.items():
        if not text.startswith(_CLASS_VARIABLES):
            found[name] = _field(cls, name, text)
    return found


_ORDINARY = dataclasses._FIELD  # type: ignore[attr-defined]  # by which `dataclasses.fields` knows its own
_CLASS_VARIABLES = ("ClassVar", "typing.ClassVar")


def _field(cls: Any, name: str, text: str) -> Field[Any]:
    default: Any = getattr(cls, name, MISSING)
    one: Any = default if isinstance(default, Field) else dataclasses.field(default=default)
    if one is default:
        if one.default is MISSING:
            delattr(cls, name)
        else:
            setattr(cls, name, one.default)
    if one.default.__class__.__hash__ is None:
        kind = one.default.__class__
        raise ValueError(f"mutable default {kind} for field {name} is not allowed: use default_factory")
    one.name, one.type, one.kw_only = name, text, False
    one._field_type = _ORDINARY
    found: Field[Any] = one
    return found


def _put(cls: Any, name: str, method: Any) -> None:
    if callable(method):
        method.__qualname__ = f"{cls.__qualname__}.{name}"
    setattr(cls, name, method)


_FEW = 30  # instances that are made in the time in which one function is compiled


class _Init:
    """`__init__`: compiled when it is asked for, other than by the first few instances."""

    def __init__(self, cls: Any, found: tuple[Field[Any], ...], frozen: bool):
        self._cls, self._found, self._frozen, self._left = cls, found, frozen, _FEW

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        self._left -= 1
        if instance is None or self._left < 0:
            return self._compiled().__get__(instance, owner)
        return partial(self._set, instance)

    def _compiled(self) -> Callable[..., None]:
        made = _init(self._cls, self._found, self._frozen)
        _put(self._cls, "__init__", made)
        return made

    def _set(self, instance: Any, /, *given: Any, **named: Any) -> None:
        """What the compiled one does, which also says what is wrong with arguments."""
        values = _taken(self._found, given, named)
        if values is None:
            self._compiled()(instance, *given, **named)
            return
        put = object.__setattr__ if self._frozen else setattr
        for name, value in values.items():
            put(instance, name, value)
        if hasattr(self._cls, "__post_init__"):
            instance.__post_init__()


def _taken(found: tuple[Field[Any], ...], given: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any] | None:
    """What an instance has of these arguments, in the order of its fields; None where they are not its own."""
    parameters = [field.name for field in found if field.init]
    arguments = dict(zip(parameters, given, strict=False)) | named
    if (
        len(given) > len(parameters)
        or len(arguments) < len(given) + len(named)
        or not arguments.keys() <= {*parameters}
    ):
        return None
    values = {}
    for field in found:
        if field.name in arguments:
            values[field.name] = arguments[field.name]
        elif field.default_factory is not MISSING:
            values[field.name] = field.default_factory()
        elif field.init:
            values[field.name] = field.default
    return None if any(value is MISSING for value in values.values()) else values


def _init(cls: Any, found: tuple[Field[Any], ...], frozen: bool) -> Callable[..., None]:
    """The one function that is compiled: its parameters are the fields."""
    names: dict[str, Any] = {"__name__": cls.__module__, "_set": object.__setattr__, "_missing": MISSING}
    parameters, body = [], []
    for field in found:
        name, value = field.name, field.name
        if field.default_factory is not MISSING:
            names[f"_make_{name}"] = field.default_factory
            value = f"_make_{name}() if {name} is _missing else {name}" if field.init else f"_make_{name}()"
        elif not field.init:
            continue  # a default is the class's
        if field.init:
            names[f"_default_{name}"] = field.default
            has_default = field.default is not MISSING or field.default_factory is not MISSING
            parameters.append(f"{name}=_default_{name}" if has_default else name)
        body.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    exec(f"def __init__({', '.join(['self', *parameters])}):\n " + "\n ".join(body or ["pass"]), names)  # noqa: S102 - of names of fields
    made: Callable[..., None] = names["__init__"]
    return made


def _repr(found: tuple[Field[Any], ...]) -> Callable[[Any], str]:
    shown = [field.name for field in found if field.repr]

    @reprlib.recursive_repr()
    def __repr__(self: Any) -> str:
        values = ", ".join([f"{name}={getattr(self, name)!r}" for name in shown])
        return f"{self.__class__.__qualname__}({values})"

    return __repr__


def _values(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """A function that gives the values of these attributes."""
    if len(names) < 2:
        return lambda value: tuple([getattr(value, name) for name in names])
    return operator.attrgetter(*names)


def _eq(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any, object], bool]:
    def __eq__(self: Any, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hash(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any], int]:
    def __hash__(self: Any) -> int:
        return hash(values(self))

    return __hash__


def _refusals(cls: Any, names: frozenset[str]) -> dict[str, Callable[..., None]]:
    """What makes instances frozen; those of a class below may have attributes of their own."""

    def __setattr__(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return {"__setattr__": __setattr__, "__delattr__": __delattr__}
