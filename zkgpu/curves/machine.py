"""A register machine over a prime field: short recorded programs, strung together by a table of calls.

One small kernel runs every program, so compiling takes the same second whether the tables hold a field inversion
or a pairing. Memory is an array of field elements:

    [ constants of all programs | scratch of the running program | slots of the schedule ]

A call copies the slots it reads to the start of the scratch, runs, and copies its results to the slots it writes;
a slot may therefore be read and written by the same call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from zkgpu.curves.layout import MAX_ARGUMENTS, READS, WRITES
from zkgpu.errors import UsageError
from zkgpu.fields.field import Field, Limbs
from zkgpu.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zkgpu.curves.recorder import Argument, Opcode, Routine
    from zkgpu.fields.trace import Program

Table: TypeAlias = "NDArray[np.int32]"


@dataclass(frozen=True)
class Calls:
    """A program for the whole machine: which recorded programs to run, in order, on which slots.

    Attributes:
        table: (n, 1 + MAX_ARGUMENTS) int32: program, then the address of each argument
        size: registers of memory it needs
    """

    table: Table
    size: int

    def moved(self, first_slot: int) -> Calls:
        """The same calls, whose addresses count from the first slot, as addresses of the whole memory."""
        table = self.table.copy()
        table[:, 1:] += first_slot
        return Calls(table, self.size + first_slot)

    def require_inside(self, headers: Table, first_slot: int) -> None:
        """Raises UsageError unless every call stays inside its memory: the kernel itself checks nothing.

        Args:
            headers, first_slot: of the machine
        """
        table = self.table
        if table.ndim != 2 or table.shape[1] != 1 + MAX_ARGUMENTS or table.dtype != np.int32:
            raise UsageError(f"a table of calls has {1 + MAX_ARGUMENTS} int32 columns, not {table.shape} {table.dtype}")
        if len(table) and not 0 <= table[:, 0].min() <= table[:, 0].max() < len(headers):
            raise UsageError("a call names a program that the machine does not have")
        widths = np.maximum(headers[:, READS:WRITES], headers[:, WRITES:])[table[:, 0]]
        first, end = table[:, 1:], table[:, 1:].astype(np.int64) + widths
        if np.any((widths > 0) & ((first < first_slot) | (end > self.size))):
            raise UsageError("a call reaches outside the memory of its schedule")


@dataclass(frozen=True, eq=False)
class Machine:
    """Programs linked to one memory.

    Attributes:
        constants: values of registers 0, 1, ...
        scratch: registers that the longest program needs for itself
        operands: (n, 2) int32: left and right register of every operation of every program
        groups: (n, 3) int32: opcode, first and end operation of each run of equal opcodes
        results: (n,) int32: registers copied out, program by program
        headers: (programs, 3 + 2 * MAX_ARGUMENTS) int32: first and end group, first result, reads, writes
    """

    field: Field
    programs: dict[str, Routine]
    constants: tuple[int, ...]
    scratch: int
    operands: Table
    groups: Table
    results: Table
    headers: Table

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number by which calls name each program."""
        return {name: i for i, name in enumerate(self.programs)}

    @cached_property
    def constant_limbs(self) -> Limbs:
        """(n, limbs) uint64: the constants in Montgomery form."""
        return self.field.to_montgomery_limbs(self.constants)

    @property
    def first_slot(self) -> int:
        return len(self.constants) + self.scratch

    def check(self, calls: Calls) -> None:
        """Raises UsageError unless every call stays inside its memory."""
        calls.require_inside(self.headers, self.first_slot)


def link(field: Field, programs: Iterable[Routine]) -> Machine:
    """The machine that runs these programs."""
    from zkgpu.curves.recorder import Opcode

    listed = {p.name: p for p in programs}
    pool = {c: i for i, c in enumerate(dict.fromkeys(c for p in listed.values() for c in p.program.constants))}
    operands: list[tuple[int, int]] = []
    groups: list[tuple[int, int, int]] = []
    results: list[int] = []
    headers = []
    for routine in listed.values():
        program, address = routine.program, _addresses(routine.program, pool)
        first_group, first_result = len(groups), len(results)
        groups += _runs([Opcode.of(operator) for operator, _, _ in program.steps], len(operands))
        operands += [(address[left], address[right]) for _, left, right in program.steps]
        results += [address[i] for i in program.results]
        headers.append((first_group, len(groups), first_result, *_padded(routine.arguments)))
    return Machine(
        field=field,
        programs=listed,
        constants=tuple(pool),
        scratch=max(p.program.inputs + len(p.program.steps) for p in listed.values()),
        operands=_table(operands, 2),
        groups=_table(groups, 3),
        results=np.array(results, dtype=np.int32),
        headers=_table(headers, 3 + 2 * MAX_ARGUMENTS),
    )


def _addresses(program: Program, pool: dict[int, int]) -> list[int]:
    """Memory address of each value: constants from the pool, the rest from the start of the scratch."""
    own = range(len(pool), len(pool) + program.inputs + len(program.steps))
    return [*own[: program.inputs], *(pool[c] for c in program.constants), *own[program.inputs :]]


def _runs(opcodes: Sequence[Opcode], offset: int) -> list[tuple[int, int, int]]:
    """(opcode, start, end) of each maximal run of equal opcodes, positions counted from `offset`."""
    runs: list[tuple[int, int, int]] = []
    for i, opcode in enumerate(opcodes, offset):
        start = runs.pop()[1] if runs and runs[-1][0] == opcode else i
        runs.append((int(opcode), start, i + 1))
    return runs


def _padded(arguments: Sequence[Argument]) -> list[int]:
    """The reads of every argument, then the writes, absent arguments as zeros."""
    if len(arguments) > MAX_ARGUMENTS:
        raise ValueError(f"a program takes at most {MAX_ARGUMENTS} arguments, not {len(arguments)}")
    absent = [0] * (MAX_ARGUMENTS - len(arguments))
    return [a.reads for a in arguments] + absent + [a.writes for a in arguments] + absent


def _table(rows: Sequence[Sequence[int]], columns: int) -> Table:
    return np.array(rows, dtype=np.int32).reshape(-1, columns)


class Schedule:
    """A list of calls being written, with its slots."""

    def __init__(self, machine: Machine):
        self.machine = machine
        self._next = machine.first_slot
        self._rows: list[tuple[int, ...]] = []

    def slot(self, width: int) -> int:
        """Address of a new run of `width` registers."""
        self._next += width
        return self._next - width

    def call(self, name: str, *addresses: int) -> None:
        """Run a program, its arguments at these addresses."""
        if len(addresses) != len(self.machine.programs[name].arguments):
            raise ValueError(f"{name} takes {len(self.machine.programs[name].arguments)} arguments")
        self._rows.append((self.machine.numbers[name], *addresses, *[0] * (MAX_ARGUMENTS - len(addresses))))

    def finish(self) -> Calls:
        """The calls so far, checked to stay inside the slots."""
        calls = Calls(_table(self._rows, 1 + MAX_ARGUMENTS), self._next)
        self.machine.check(calls)
        return calls
