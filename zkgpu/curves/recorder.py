"""Recording of straight-line programs over a prime field, from ordinary Python arithmetic.

A formula run once on symbols leaves a graph of products, sums and differences; `record` orders that graph so
that equal operations follow each other, which an interpreter runs without mispredicted branches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

CHEAP_MULTIPLE = 16  # up to here k*x is a chain of sums, beyond a product


class Opcode(IntEnum):
    MULTIPLY = 0
    ADD = 1
    SUBTRACT = 2


Operation: TypeAlias = tuple[Opcode, int, int]  # opcode, left, right


@dataclass(frozen=True)
class Argument:
    """A run of registers whose address a call passes: the first `reads` are read, then the first `writes` written."""

    reads: int
    writes: int


@dataclass(frozen=True)
class Program:
    """Straight-line code on virtual registers: constants, then the arguments' inputs, then one register per operation.

    constants   values of the first registers
    arguments   the addresses a call passes; their inputs fill the next registers, in order
    operations  (opcode, left, right), the i-th writing the i-th register after the inputs
    results     the registers copied into the arguments' outputs, in order
    """

    name: str
    constants: tuple[int, ...]
    arguments: tuple[Argument, ...]
    operations: tuple[Operation, ...]
    results: tuple[int, ...]

    @property
    def inputs(self) -> int:
        return sum(a.reads for a in self.arguments)


class _Graph:
    """The values met so far, numbered as they come; equal operations are shared."""

    def __init__(self, modulus: int):
        self.modulus = modulus
        self.constants: dict[int, int] = {}
        self.operations: dict[int, Operation] = {}
        self._known: dict[Operation | int, int] = {}
        self._count = 0

    def input(self) -> Symbol:
        self._count += 1
        return Symbol(self, self._count - 1)

    def index(self, value: Symbol | int) -> int:
        """The number of a symbol, or of a constant."""
        if isinstance(value, Symbol):
            return value.index
        index = self._number(value % self.modulus)
        self.constants[index] = value % self.modulus
        return index

    def apply(self, opcode: Opcode, a: Symbol | int, b: Symbol | int) -> Symbol:
        left, right = self.index(a), self.index(b)
        if opcode != Opcode.SUBTRACT and left > right:
            left, right = right, left
        index = self._number((opcode, left, right))
        self.operations[index] = (opcode, left, right)
        return Symbol(self, index)

    def _number(self, value: Operation | int) -> int:
        if value not in self._known:
            self._known[value] = self._count
            self._count += 1
        return self._known[value]


@dataclass(frozen=True, eq=False)
class Symbol:
    """A field element known only when the program runs. Knows + - *, also with integers."""

    graph: _Graph
    index: int

    def __add__(self, other: Symbol | int) -> Symbol:
        return self if _is(other, 0) else self.graph.apply(Opcode.ADD, self, other)

    def __sub__(self, other: Symbol | int) -> Symbol:
        return self if _is(other, 0) else self.graph.apply(Opcode.SUBTRACT, self, other)

    def __rsub__(self, other: int) -> Symbol:
        return self.graph.apply(Opcode.SUBTRACT, other, self)

    def __neg__(self) -> Symbol:
        return 0 - self

    def __mul__(self, other: Symbol | int) -> Symbol | int:
        if isinstance(other, Symbol) or not 0 <= other <= CHEAP_MULTIPLE:
            return self.graph.apply(Opcode.MULTIPLY, self, other)
        return _multiple(self, other)

    __radd__, __rmul__ = __add__, __mul__


def _is(value: Symbol | int, k: int) -> bool:
    return isinstance(value, int) and value == k


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


def record(name: str, modulus: int, arguments: Sequence[Argument], formula: Formula) -> Program:
    """The program of `formula`, called with one tuple of symbols for each argument that is read.

    The formula returns the elements written, argument after argument.
    """
    graph = _Graph(modulus)
    inputs = [tuple(graph.input() for _ in range(a.reads)) for a in arguments if a.reads]
    outputs = [graph.index(value) for value in formula(*inputs)]
    if len(outputs) != sum(a.writes for a in arguments):
        raise ValueError(f"{name} returns {len(outputs)} elements, its arguments take {[a.writes for a in arguments]}")
    needed = _needed(graph.operations, outputs)
    constants = [i for i in graph.constants if i in needed]
    operations = _grouped({i: op for i, op in graph.operations.items() if i in needed})
    order = [*constants, *(symbol.index for group in inputs for symbol in group), *operations]
    register = {index: k for k, index in enumerate(order)}
    return Program(
        name=name,
        constants=tuple(graph.constants[i] for i in constants),
        arguments=tuple(arguments),
        operations=tuple(
            (opcode, register[a], register[b]) for opcode, a, b in (graph.operations[i] for i in operations)
        ),
        results=tuple(register[i] for i in outputs),
    )


def _needed(operations: Mapping[int, Operation], outputs: Iterable[int]) -> set[int]:
    """The values the outputs depend on, themselves included."""
    found: set[int] = set()
    pending = list(outputs)
    while pending:
        index = pending.pop()
        if index not in found:
            found.add(index)
            pending.extend(operations[index][1:] if index in operations else ())
    return found


def _grouped(operations: Mapping[int, Operation]) -> list[int]:
    """The operations in an order that respects dependence and keeps equal opcodes together.

    Greedy: take the opcode with most operations ready, run it until none is ready, repeat.
    """
    operands = {i: {a for a in operation[1:] if a in operations} for i, operation in operations.items()}
    users: dict[int, list[int]] = {i: [] for i in operations}
    for i, needs in operands.items():
        for a in needs:
            users[a].append(i)
    waiting = {i: len(needs) for i, needs in operands.items()}
    ready = {opcode: deque(i for i in operations if operations[i][0] == opcode and not waiting[i]) for opcode in Opcode}
    order: list[int] = []
    while any(ready.values()):
        queue = max(ready.values(), key=len)
        while queue:
            order.append(queue.popleft())
            for user in users[order[-1]]:
                waiting[user] -= 1
                if not waiting[user]:
                    ready[operations[user][0]].append(user)
    return order
