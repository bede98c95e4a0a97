"""The register machine compiled: one kernel that runs tables of calls on Montgomery arithmetic. Needs no NumPy."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from zkgpu.curves.layout import ADD, END_GROUP, FIRST_GROUP, FIRST_RESULT, MULTIPLY, READS, WRITES
from zkgpu.errors import UsageError
from zkgpu.fields.field import Field
from zkgpu.jit.isa import PORTABLE
from zkgpu.jit.kernel import is_kept, kernel, operation
from zkgpu.jit.signature import PlainArray
from zkgpu.records import dataclass

if TYPE_CHECKING:
    from zkgpu.curves.machine import Calls, Machine


@dataclass(frozen=True, eq=False)
class Bound:
    """A schedule and its machine as the kernel takes them, checked to stay inside their memory.

    Attributes:
        constants: of the first registers, in Montgomery form
        first_slot, size: registers before the slots, and of the whole memory
        tables: int32: calls, then headers, groups, operands and results of the machine
    """

    field: Field
    constants: bytes
    first_slot: int
    size: int
    tables: tuple[PlainArray, ...]

    def on(self, calls: Calls) -> Bound:
        """The same machine with other calls. Raises as `bind`."""
        import numpy as np

        headers = self.tables[1]
        calls.require_inside(np.frombuffer(headers.buffer, np.int32).reshape(headers.shape), self.first_slot)
        return Bound(self.field, self.constants, self.first_slot, calls.size, (_plain(calls.table), *self.tables[1:]))


def bind(machine: Machine, calls: Calls) -> Bound:
    """The schedule, checked. Raises UsageError for a call that does not fit its memory."""
    machine.check(calls)
    constants, tables = _of_machine(machine)
    return Bound(machine.field, constants, machine.first_slot, calls.size, (_plain(calls.table), *tables))


@functools.lru_cache(maxsize=16)
def _of_machine(machine: Machine) -> tuple[bytes, tuple[PlainArray, ...]]:
    tables = (machine.headers, machine.groups, machine.operands, machine.results)
    return machine.constant_limbs.tobytes(), tuple(map(_plain, tables))


def _plain(table: Any) -> PlainArray:
    return PlainArray(bytearray(table.tobytes()), "<i4", table.shape)


def run(bound: Bound, slots: Sequence[int], results: int) -> list[int]:
    """The first `results` slots after the calls, canonical.

    Args:
        slots: values of the first slots; the rest start as 0

    Raises UsageError for more registers than the schedule has. Variable time.
    """
    field, width = bound.field, bound.field.bytes
    if bound.first_slot + max(len(slots), results) > bound.size:
        raise UsageError("more registers are given than the schedule has slots")
    at, memory = width * bound.first_slot, bytearray(width * bound.size)
    memory[: len(bound.constants)] = bound.constants
    memory[at : at + width * len(slots)] = b"".join([field.to_montgomery(v).to_bytes(width, "little") for v in slots])
    registers = PlainArray(memory, "<u8", (bound.size, field.limbs))
    _run_kernel(field.modulus)(*bound.tables, registers, len(bound.constants) // width)
    words = (memory[k : k + width] for k in range(at, at + width * results, width))
    return [field.from_montgomery(int.from_bytes(word, "little")) for word in words]


def is_compiled(field: Field) -> bool:
    """Whether `run` has its kernel, in this process or on disk."""
    rows, numbers = (PlainArray(bytearray(), "<i4", shape) for shape in ((0, 1), (0,)))
    registers = PlainArray(bytearray(), "<u8", (0, field.limbs))
    return is_kept(_run_kernel(field.modulus), rows, rows, rows, rows, numbers, registers, 0)


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
    product, total, arguments = MULTIPLY, ADD, WRITES - READS

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
