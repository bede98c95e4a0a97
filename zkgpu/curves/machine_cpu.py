"""The register machine compiled: one kernel that runs tables of calls on Montgomery arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zkgpu.curves.machine import (
    END_GROUP,
    FIRST_GROUP,
    FIRST_RESULT,
    MAX_ARGUMENTS,
    READS,
    WRITES,
    Calls,
    Machine,
    Table,
)
from zkgpu.curves.recorder import Opcode
from zkgpu.errors import UsageError
from zkgpu.fields.field import Limbs
from zkgpu.jit.isa import PORTABLE
from zkgpu.jit.kernel import is_kept, kernel, operation


def run(machine: Machine, calls: Calls, slots: Limbs) -> Limbs:
    """(n, limbs) uint64: all slots after the calls.

    Args:
        slots: (k, limbs) uint64, canonical Montgomery limbs of the first slots as by Field; the rest start as 0

    Raises UsageError when a call or the slots do not fit the memory. Variable time.
    """
    machine.check(calls)
    given = machine.first_slot + len(slots)
    if given > calls.size:
        raise UsageError("more registers are given than the schedule has slots")
    memory = _empty_memory(machine, calls.size)
    memory[: len(machine.constants)] = machine.constant_limbs
    memory[machine.first_slot : given] = slots
    _run_kernel(machine.field.modulus)(*_arguments(machine, calls.table, memory))
    return memory[machine.first_slot :]


def is_compiled(machine: Machine) -> bool:
    """Whether `run` has its kernel, in this process or on disk."""
    table = np.zeros((0, 1 + MAX_ARGUMENTS), np.int32)
    return is_kept(_run_kernel(machine.field.modulus), *_arguments(machine, table, _empty_memory(machine, 0)))


def _empty_memory(machine: Machine, size: int) -> Limbs:
    return np.zeros((size, machine.field.limbs), dtype=np.uint64)


def _arguments(machine: Machine, table: Table, memory: Limbs) -> tuple[Any, ...]:
    """Of the kernel."""
    tables = (machine.headers, machine.groups, machine.operands, machine.results)
    return table, *tables, memory, len(machine.constants)


@kernel
def _run_kernel(modulus: int) -> Callable[..., Any]:
    @operation(PORTABLE, modulus)
    def multiply(e: Any, memory: Any, out: Any, left: Any, right: Any) -> None:
        e.store(e.load(memory, left) * e.load(memory, right), memory, out)

    @operation(PORTABLE, modulus)
    def add(e: Any, memory: Any, out: Any, left: Any, right: Any) -> None:
        e.store(e.load(memory, left) + e.load(memory, right), memory, out)

    @operation(PORTABLE, modulus)
    def subtract(e: Any, memory: Any, out: Any, left: Any, right: Any) -> None:
        e.store(e.load(memory, left) - e.load(memory, right), memory, out)

    @operation(PORTABLE, modulus)
    def copy(e: Any, memory: Any, out: Any, source: Any) -> None:
        e.store(e.load(memory, source), memory, out)

    words = PORTABLE.over(modulus).limbs
    product, total, arguments = int(Opcode.MULTIPLY), int(Opcode.ADD), WRITES - READS

    def run_calls(
        calls: Any, headers: Any, groups: Any, operands: Any, results: Any, memory: Any, scratch: int
    ) -> None:
        for c in range(calls.shape[0]):
            program, at = calls[c, 0], scratch
            for k in range(arguments):
                for i in range(headers[program, READS + k]):
                    copy(memory, at * words, (calls[c, 1 + k] + i) * words)
                    at += 1
            for g in range(headers[program, FIRST_GROUP], headers[program, END_GROUP]):
                opcode = groups[g, 0]
                if opcode == product:
                    for i in range(groups[g, 1], groups[g, 2]):
                        multiply(memory, at * words, operands[i, 0] * words, operands[i, 1] * words)
                        at += 1
                elif opcode == total:
                    for i in range(groups[g, 1], groups[g, 2]):
                        add(memory, at * words, operands[i, 0] * words, operands[i, 1] * words)
                        at += 1
                else:
                    for i in range(groups[g, 1], groups[g, 2]):
                        subtract(memory, at * words, operands[i, 0] * words, operands[i, 1] * words)
                        at += 1
            result = headers[program, FIRST_RESULT]
            for k in range(arguments):
                for i in range(headers[program, WRITES + k]):
                    copy(memory, (calls[c, 1 + k] + i) * words, results[result] * words)
                    result += 1

    return run_calls
