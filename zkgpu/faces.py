"""Packages whose names are imported when they are first asked for, so that a command loads no more than it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any, ClassVar


class _Face(ModuleType):
    """A package in which a name is what the face says, also where a file has the same name: `groth16.setup`."""

    homes: Mapping[str, str]

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in self.homes):  # as an import of that file would have it
            super().__setattr__(name, value)


def names_of(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's `__getattr__`: each name from the module of the package that `homes` says."""
    sys.modules[package].__class__ = type("Face", (_Face,), {"homes": homes})

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(import_module(homes[name]), name)

    return find


class _Absent(ModuleType):
    """A module that is loaded when one of its names is asked for."""

    loader: ClassVar[Any]
    search_path: ClassVar[list[str]]

    def __getattr__(self, name: str) -> Any:
        self.__path__ = self.search_path  # missing until here, so that imports of its modules load it first
        loader = self.loader
        object.__setattr__(self, "__class__", ModuleType)  # from here on it is as any other
        loader.exec_module(self)
        return getattr(self, name)


def put_off(name: str) -> None:
    """Has a package load when its first name is used and not when it is imported, unless it is there already.

    For a process that may need none of it. Other threads must not use it before it is loaded.
    """
    spec = None if name in sys.modules else find_spec(name)
    if spec is not None:
        module = module_from_spec(spec)
        module.__class__ = type("Absent", (_Absent,), {"loader": spec.loader, "search_path": module.__path__})
        del module.__path__
        sys.modules[name] = module


def is_put_off(name: str) -> bool:
    """Whether nothing has used the package yet."""
    return isinstance(sys.modules.get(name), _Absent)


def leave_out(*names: str) -> None:
    """Has modules that are imported for what they do, and of which nothing is used, do nothing."""
    for name in names:
        sys.modules.setdefault(name, ModuleType(name))


def later(module: str, name: str) -> Callable[..., Any]:
    """A function that imports the module when it is called, and calls the one of that name in it."""

    def call(*arguments: Any, **named: Any) -> Any:
        return getattr(import_module(module), name)(*arguments, **named)

    return call
