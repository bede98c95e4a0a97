"""Functions of a circuit's witness program as names: where the package has their code, and what they closed over.

A hint is often a function inside of another one, which has no name of its own. Its code is found again as a constant of
the code around it, from the function of a module on; only values are kept of it, and never code.

    {"function": [module, name, [place, ..], [closed over, ..], [default, ..]]}

Reading makes functions of the rooms that write circuits, and of no others.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import reduce
from importlib import import_module
from types import CellType, CodeType, FunctionType
from typing import Any

_ROOMS = ("zkgpu.circuits.", "zkgpu.zkml.layers.", "zkgpu.zkml.semantics", "zkgpu.zkml.operations")
_INSIDE = ".<locals>"


def describe_function(function: FunctionType, describe: Callable[[Any], Any]) -> list[Any]:
    """What `restore_function` makes the function of. Raises TypeError for one that it could not find again.

    Args:
        describe: of the values that the function closed over
    """
    module, name = function.__module__, function.__qualname__.split(_INSIDE)[0]
    places = _places(_outermost(module, name).__code__, function.__code__)
    if places is None or function.__kwdefaults__:
        raise TypeError(f"{function.__qualname__} of {module} is not found by its name")
    closed_over = [describe(cell.cell_contents) for cell in function.__closure__ or ()]
    return [module, name, places, closed_over, [describe(value) for value in function.__defaults__ or ()]]


def restore_function(described: Sequence[Any], restore: Callable[[Any], Any]) -> FunctionType:
    """The function. Raises TypeError or ValueError for one that is not in the rooms that write circuits."""
    module, name, places, closed_over, defaults = described
    outermost = _outermost(module, name)
    code = reduce(_constant, places, outermost.__code__)
    if code is outermost.__code__ and not closed_over:
        return outermost
    cells = tuple(CellType(restore(value)) for value in closed_over)
    return FunctionType(code, outermost.__globals__, code.co_name, tuple(map(restore, defaults)) or None, cells)


def _outermost(module: str, name: str) -> FunctionType:
    """The function of a module, or of a class in it, by its name; of a decorated one what was written."""
    if not f"{module}.".startswith(_ROOMS):
        raise TypeError(f"{module} writes no circuits")
    found: Any = import_module(module)
    for part in name.split("."):
        found = inspect.getattr_static(found, part, None)
    found = inspect.unwrap(found) if callable(found) else found
    if not isinstance(found, FunctionType) or found.__module__ != module:
        raise TypeError(f"{module}.{name} is no function")
    return found


def _places(code: CodeType, wanted: CodeType) -> list[int] | None:
    """Where among the constants, and those of constants, a code is."""
    if code is wanted:
        return []
    for place, constant in enumerate(code.co_consts):
        further = _places(constant, wanted) if isinstance(constant, CodeType) else None
        if further is not None:
            return [place, *further]
    return None


def _constant(code: CodeType, place: int) -> CodeType:
    found = code.co_consts[place]
    if not isinstance(found, CodeType):
        raise ValueError(f"constant {place} of {code.co_name} is no function")
    return found
