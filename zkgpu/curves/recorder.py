"""Formulas over a prime field, traced into routines of the register machine.

A formula run once on symbols leaves a graph of products, sums and differences; `record` orders that graph so
that equal operations follow each other, which an interpreter runs without mispredicted branches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import TypeAlias

from zkgpu.fields.trace import Operator, Program, Step, Symbol, Tracer
from zkgpu.records import dataclass

__all__ = ["Argument", "Opcode", "Routine", "Symbol", "record"]

CHEAP_MULTIPLE = 16  # up to here k*x is a chain of sums, beyond a product


class Opcode(IntEnum):
    """How the machine's tables name the operators."""

    MULTIPLY = 0
    ADD = 1
    SUBTRACT = 2

    @classmethod
    def of(cls, operator: Operator) -> Opcode:
        return _OPCODES[operator]


_OPCODES = dict(zip("*+-", Opcode, strict=True))


@dataclass(frozen=True)
class Argument:
    """A run of registers whose address a call passes: the first `reads` are read, then the first `writes` written."""

    reads: int
    writes: int


@dataclass(frozen=True)
class Routine:
    """A program, whose values the machine keeps in registers, under a name by which calls find it.

    Attributes:
        arguments: the addresses a call passes; their inputs are the program's, and they take its results, both in order
    """

    name: str
    arguments: tuple[Argument, ...]
    program: Program


class _Formulas(Tracer):
    """Leaves out sums with 0, and multiplies by small integers without a product."""

    def add(self, x: Symbol, y: Symbol | int) -> Symbol:
        return x if _is_zero(y) else super().add(x, y)

    def subtract(self, x: Symbol | int, y: Symbol | int) -> Symbol:
        return x if isinstance(x, Symbol) and _is_zero(y) else super().subtract(x, y)

    def multiply(self, x: Symbol, y: Symbol | int) -> Symbol | int:
        if isinstance(y, int) and 0 <= y <= CHEAP_MULTIPLE:
            return _multiple(x, y)
        return super().multiply(x, y)


def _is_zero(value: Symbol | int) -> bool:
    return isinstance(value, int) and value == 0


def _multiple(x: Symbol, k: int) -> Symbol | int:
    """k*x by doubling and adding, for a small k >= 0."""
    if k == 0:
        return 0
    total = x
    for bit in bin(k)[3:]:
        total = total + total
        if bit == "1":
            total = total + x
    return total


Formula: TypeAlias = Callable[..., Iterable["Symbol | int"]]


def record(name: str, modulus: int, arguments: Sequence[Argument], formula: Formula) -> Routine:
    """The routine of `formula`, called with one tuple of symbols for each argument that is read.

    The formula returns the elements written, argument after argument.
    """
    tracer = _Formulas(modulus)
    inputs = [tuple(tracer.input() for _ in range(a.reads)) for a in arguments if a.reads]
    outputs = [tracer.number(value) for value in formula(*inputs)]
    if len(outputs) != sum(a.writes for a in arguments):
        raise ValueError(f"{name} returns {len(outputs)} elements, its arguments take {[a.writes for a in arguments]}")
    return Routine(name, tuple(arguments), tracer.program(outputs, _grouped))


def _grouped(steps: dict[int, Step]) -> list[int]:
    """The steps in an order that respects dependence and keeps equal operators together.

    Greedy: take the operator with most steps ready, run it until none is ready, repeat.
    """
    users: dict[int, list[int]] = {i: [] for i in steps}
    waiting = dict.fromkeys(steps, 0)
    ready: dict[Operator, deque[int]] = {"*": deque(), "+": deque(), "-": deque()}
    for i, (operator, *operands) in steps.items():
        for a in operands:  # a square waits twice for its operand
            if a in steps:
                users[a].append(i)
                waiting[i] += 1
        if not waiting[i]:
            ready[operator].append(i)
    order: list[int] = []
    while any(ready.values()):
        queue = max(ready.values(), key=len)
        while queue:
            step = queue.popleft()
            order.append(step)
            for user in users[step]:
                waiting[user] -= 1
                if not waiting[user]:
                    ready[steps[user][0]].append(user)
    return order
