"""Runs schedules, choosing between Python integers and the compiled kernel by how much there is to do.

A kernel that is compiled is there within a millisecond. Where it is not, compiling it costs as much as some twenty
thousand calls on Python integers: a process that checks one proof does not need it, one that checks many soon does. So
there the first calls run on Python integers, then the kernel takes over for good. Both give the same numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from zkgpu.curves.machine import Calls, Machine

PYTHON_CALLS = 4000  # about two verifications of a proof


@dataclass
class _Spent:
    """The calls this process has run on Python integers, or was to run."""

    calls: int = 0


_spent = _Spent()


def run(machine: Machine, calls: Calls, slots: Sequence[int], results: int) -> list[int]:
    """The first `results` slots after the calls, canonical.

    Args:
        slots: values of the first slots; the rest start as 0
    """
    _spent.calls += len(calls.table)
    if _spent.calls > PYTHON_CALLS or _is_compiled(machine):
        return run_compiled(machine, calls, slots, results)
    from zkgpu.curves import machine_python

    return machine_python.run(machine, calls, slots)[:results]


@functools.cache
def _is_compiled(machine: Machine) -> bool:
    """Whether the kernel is there, looked up once."""
    from zkgpu.curves import machine_cpu

    return machine_cpu.is_compiled(machine)


def use_kernel() -> None:
    """From now on schedules run on the kernel, which is compiled if need be."""
    _spent.calls = PYTHON_CALLS


def run_compiled(machine: Machine, calls: Calls, slots: Sequence[int], results: int) -> list[int]:
    """As run, on the kernel, which is loaded or compiled if need be."""
    from zkgpu.curves import machine_cpu

    field = machine.field
    memory = machine_cpu.run(machine, calls, field.to_montgomery_limbs(slots))
    return field.from_montgomery_limbs(memory[:results])
