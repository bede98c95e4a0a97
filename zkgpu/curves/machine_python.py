"""The register machine on Python integers: every program becomes a Python function of its own.

This is what the kernel must do, and the quicker way to a single verdict: running a product of four pairings like
this takes less time than loading any compiled code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal

from zkgpu.curves.machine import Calls, Machine
from zkgpu.curves.recorder import Routine
from zkgpu.errors import UsageError


def run(machine: Machine, calls: Calls, slots: Sequence[int]) -> list[int]:
    """All slots after the calls, canonical.

    Args:
        slots: values of the first slots; the rest start as 0

    Raises UsageError when a call or the slots do not fit the memory. Variable time.
    """
    machine.check(calls)
    if machine.first_slot + len(slots) > calls.size:
        raise UsageError("more registers are given than the schedule has slots")
    # a call finds its slots by address, so the constants and the scratch keep their place although nothing reads them
    memory = [0] * calls.size
    memory[machine.first_slot : machine.first_slot + len(slots)] = slots
    functions = _functions(machine)
    for program, *addresses in calls.table.tolist():
        functions[program](memory, *addresses)
    return memory[machine.first_slot :]


@lru_cache(maxsize=8)
def _functions(machine: Machine) -> list[Callable[..., None]]:
    """For each program, a function of the memory and the addresses of the arguments."""
    scope: dict[str, Any] = {}
    for name, routine in machine.programs.items():
        exec(source(routine, machine.field.modulus), scope)  # noqa: S102 - text made of opcodes and integers only
        assert callable(scope[name])
    return [scope[name] for name in machine.programs]


def source(routine: Routine, modulus: int) -> str:
    """The routine as Python text.

    Sums stay unreduced until a product or the end: Python's integers have room.
    """
    program = routine.program
    names = [f"x{i}" for i in range(program.inputs)] + [str(c) for c in program.constants]
    lines = [f"def {routine.name}(memory, a0=0, a1=0, a2=0, a3=0):"]
    lines += [f"    {name} = {place}" for name, place in zip(names, _places(routine, "reads"), strict=False)]
    for k, (operator, left, right) in enumerate(program.steps):
        reduction = f" % {modulus}" if operator == "*" else ""
        lines.append(f"    t{k} = {names[left]} {operator} {names[right]}{reduction}")
        names.append(f"t{k}")
    written = zip(_places(routine, "writes"), program.results, strict=True)
    lines += [f"    {place} = {names[result]} % {modulus}" for place, result in written]
    return "\n".join(lines)


def _places(routine: Routine, what: Literal["reads", "writes"]) -> Iterator[str]:
    """The places in memory that the arguments read, or write, in order."""
    for k, argument in enumerate(routine.arguments):
        yield from (f"memory[a{k} + {i}]" for i in range(getattr(argument, what)))
