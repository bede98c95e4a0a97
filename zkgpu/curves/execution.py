"""Runs schedules, choosing between Python integers and the compiled kernel by how much there is to do.

A kernel that is compiled is there within a millisecond. Where it is not, compiling it costs as much as some twenty
thousand calls on Python integers: a process that checks one proof does not need it, one that checks many soon does. So
there the first calls run on Python integers, then the kernel takes over for good. Both give the same numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zkgpu.fields.field import Field
from zkgpu.records import dataclass

if TYPE_CHECKING:
    from zkgpu.curves.machine import Calls, Machine
    from zkgpu.curves.machine_cpu import Bound

PYTHON_CALLS = 4000  # about two verifications of a proof


@dataclass
class _Spent:
    """The calls this process has run on Python integers, or was to run."""

    calls: int = 0


_spent = _Spent()


@dataclass(eq=False)
class Recipe:
    """A schedule that is made when it is first run, and then kept on disk; without a name in the process alone."""

    name: str | None
    field: Field
    make: Callable[[], tuple[Machine, Calls]]

    @functools.cached_property
    def made(self) -> tuple[Machine, Calls]:
        return self.make()

    @functools.cached_property
    def bound(self) -> Bound:
        """As the kernel takes it."""
        from zkgpu.curves import kept
        from zkgpu.curves.machine_cpu import bind

        found = None if self.name is None else kept.load(self.name, self.field)
        if found is None:
            found = bind(*self.made)
            if self.name is not None:
                kept.keep(self.name, found)
        if self.name is not None:
            kept.met[self.name] = found
        return found


def run_recipe(recipe: Recipe, slots: Sequence[int], results: int) -> list[int]:
    """The first `results` slots after the calls, canonical. It makes nothing where a kernel and the schedule are kept.

    Args:
        slots: values of the first slots; the rest start as 0
    """
    if _spent.calls <= PYTHON_CALLS and not _is_compiled(recipe.field):
        machine, calls = recipe.made
        _spent.calls += len(calls.table)
        if _spent.calls <= PYTHON_CALLS:
            return _run_python(machine, calls, slots, results)
    return run_bound(recipe.bound, slots, results)


def run_calls(recipe: Recipe, calls: Calls, slots: Sequence[int], results: int) -> list[int]:
    """As `run_recipe`, with other calls on the recipe's machine; their addresses count from the first slot."""
    _spent.calls += len(calls.table)
    if _spent.calls <= PYTHON_CALLS and not _is_compiled(recipe.field):
        machine, _ = recipe.made
        return _run_python(machine, calls.moved(machine.first_slot), slots, results)
    bound = recipe.bound
    return run_bound(bound.on(calls.moved(bound.first_slot)), slots, results)


def _run_python(machine: Machine, calls: Calls, slots: Sequence[int], results: int) -> list[int]:
    from zkgpu.curves import machine_python

    return machine_python.run(machine, calls, slots)[:results]


@functools.cache
def _is_compiled(field: Field) -> bool:
    """Whether the kernel is there, looked up once."""
    from zkgpu.curves import machine_cpu

    return machine_cpu.is_compiled(field)


def use_kernel() -> None:
    """From now on schedules run on the kernel, which is compiled if need be."""
    _spent.calls = PYTHON_CALLS + 1


def run_bound(bound: Bound, slots: Sequence[int], results: int) -> list[int]:
    """As `run_recipe`, on the kernel, which is loaded or compiled if need be."""
    from zkgpu.curves import machine_cpu

    return machine_cpu.run(bound, slots, results)
