"""The register machine on Python integers: every program becomes a Python function of its own.

This is what the kernel must do, and the quicker way to a single verdict: running a product of four pairings like
this takes less time than loading any compiled code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from zkgpu.curves.machine import Calls, Machine
from zkgpu.curves.recorder import Opcode, Program
from zkgpu.errors import UsageError

_SIGN = {Opcode.MULTIPLY: "*", Opcode.ADD: "+", Opcode.SUBTRACT: "-"}


def run(machine: Machine, calls: Calls, slots: Sequence[int]) -> list[int]:
    """All slots after the calls, canonical.

    slots   values of the first slots; the rest start as 0
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
    for name, program in machine.programs.items():
        exec(source(program, machine.field.modulus), scope)  # noqa: S102 - text made of opcodes and integers only
        assert callable(scope[name])
    return [scope[name] for name in machine.programs]


def source(program: Program, modulus: int) -> str:
    """The program as Python text.

    Sums stay unreduced until a product or the end: Python's integers have room.
    """
    register = [str(c) for c in program.constants]
    lines = [f"def {program.name}(memory, a0=0, a1=0, a2=0, a3=0):"]
    lines += [f"    {line}" for line in _reads(program, register)]
    for opcode, left, right in program.operations:
        reduction = f" % {modulus}" if opcode == Opcode.MULTIPLY else ""
        lines.append(f"    r{len(register)} = {register[left]} {_SIGN[opcode]} {register[right]}{reduction}")
        register.append(f"r{len(register)}")
    lines += [f"    {line}" for line in _writes(program, register, modulus)]
    return "\n".join(lines)


def _reads(program: Program, register: list[str]) -> Iterator[str]:
    """Statements that load the arguments; extends the names of the registers."""
    for k, argument in enumerate(program.arguments):
        for i in range(argument.reads):
            yield f"r{len(register)} = memory[a{k} + {i}]"
            register.append(f"r{len(register)}")


def _writes(program: Program, register: Sequence[str], modulus: int) -> Iterator[str]:
    """Statements that store the results."""
    results = iter(program.results)
    for k, argument in enumerate(program.arguments):
        for i in range(argument.writes):
            yield f"memory[a{k} + {i}] = {register[next(results)]} % {modulus}"
