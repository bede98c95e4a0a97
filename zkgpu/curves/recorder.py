"""Recording of straight-line programs over a prime field, from ordinary Python arithmetic.

A formula run once on symbols leaves a graph of products, sums and differences; `record` orders that graph so
that equal operations follow each other, which an interpreter runs without mispredicted branches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

CHEAP_MULTIPLE = 16  # up to here k*x is a chain of sums, beyond a product


class Opcode(IntEnum):
    MULTIPLY = 0
    ADD = 1
    SUBTRACT = 2


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
    operations: tuple[tuple[Opcode, int, int], ...]
    results: tuple[int, ...]

    @property
    def inputs(self) -> int:
        return sum(a.reads for a in self.arguments)


_Node: TypeAlias = "tuple[Opcode, int, int] | int | None"  # an operation, a constant, an input


class _Graph:
    """The operations met so far; equal ones are shared."""

    def __init__(self, modulus: int):
        self.modulus = modulus
        self.nodes: list[_Node] = []
        self._known: dict[_Node, int] = {}

    def input(self) -> Symbol:
        self.nodes.append(None)
        return Symbol(self, len(self.nodes) - 1)

    def intern(self, node: _Node) -> int:
        index = self._known.get(node)
        if index is None:
            index = self._known[node] = len(self.nodes)
            self.nodes.append(node)
        return index

    def index(self, value: Symbol | int) -> int:
        return value.index if isinstance(value, Symbol) else self.intern(value % self.modulus)

    def apply(self, opcode: Opcode, a: Symbol | int, b: Symbol | int) -> Symbol:
        left, right = self.index(a), self.index(b)
        if opcode != Opcode.SUBTRACT and left > right:
            left, right = right, left
        return Symbol(self, self.intern((opcode, left, right)))


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
    needed = _reachable(graph.nodes, outputs)
    constants = [i for i in needed if isinstance(graph.nodes[i], int)]
    first = len(constants)
    register = {i: k for k, i in enumerate(constants)}
    register.update({i: first + i for i in range(sum(a.reads for a in arguments))})
    ordered = _grouped(graph.nodes, needed)
    start = len(constants) + sum(a.reads for a in arguments)
    register.update({i: start + k for k, i in enumerate(ordered)})
    return Program(
        name=name,
        constants=tuple(graph.nodes[i] for i in constants),  # type: ignore[misc]
        arguments=tuple(arguments),
        operations=tuple((op, register[a], register[b]) for op, a, b in (graph.nodes[i] for i in ordered)),  # type: ignore[misc]
        results=tuple(register[i] for i in outputs),
    )


def _reachable(nodes: Sequence[_Node], outputs: Iterable[int]) -> list[int]:
    """The nodes the outputs depend on, in recording order."""
    found: set[int] = set()
    pending = list(outputs)
    while pending:
        i = pending.pop()
        if i not in found:
            found.add(i)
            node = nodes[i]
            if isinstance(node, tuple):
                pending.extend(node[1:])
    return sorted(found)


def _grouped(nodes: Sequence[_Node], needed: Sequence[int]) -> list[int]:
    """The operations in an order that respects dependence and keeps equal opcodes together.

    Greedy: take the opcode with most operations ready, run it until none is ready, repeat.
    """
    users: dict[int, list[int]] = {i: [] for i in needed}
    waiting: dict[int, int] = {}
    ready: dict[Opcode, deque[int]] = {op: deque() for op in Opcode}
    for i in needed:
        node = nodes[i]
        if isinstance(node, tuple):
            operands = {a for a in node[1:] if isinstance(nodes[a], tuple)}
            waiting[i] = len(operands)
            for a in operands:
                users[a].append(i)
            if not operands:
                ready[node[0]].append(i)
    order = []
    while any(ready.values()):
        queue = max(ready.values(), key=len)
        while queue:
            order.append(queue.popleft())
            for user in users[order[-1]]:
                waiting[user] -= 1
                if not waiting[user]:
                    ready[nodes[user][0]].append(user)  # type: ignore[index]
    return order
