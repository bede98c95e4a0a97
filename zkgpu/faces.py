"""Packages whose names are imported when they are first asked for, so that a command loads no more than it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


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


def later(module: str, name: str) -> Callable[..., Any]:
    """A function that imports the module when it is called, and calls the one of that name in it."""

    def call(*arguments: Any, **named: Any) -> Any:
        return getattr(import_module(module), name)(*arguments, **named)

    return call
