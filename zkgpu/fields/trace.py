"""Python functions of + - *, run once on symbols and kept as straight-line programs.

One tracer serves three: vectors on a CPU run a program step by step (fields/cpu.py), on a GPU it becomes the text of a
kernel (backend/expression.py), and the pairing's formulas become the register machine's (curves/recorder.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeAlias

from zkgpu.errors import UsageError
from zkgpu.records import dataclass

Operator: TypeAlias = Literal["+", "-", "*"]
Step: TypeAlias = tuple[Operator, int, int]  # values[left] (operator) values[right]; the result is the next value


@dataclass(frozen=True)
class Program:
    """Values are numbered: the inputs first, then the constants, then one a step.

    Attributes:
        results: the numbers of the results
    """

    inputs: int
    constants: tuple[int, ...]
    steps: tuple[Step, ...]
    results: tuple[int, ...]

    def last_uses(self) -> dict[int, int]:
        """The index of the last step that reads a value, for every value that some step reads."""
        return {value: k for k, (_, left, right) in enumerate(self.steps) for value in (left, right)}


class Symbol:
    """A value known only when the program runs, with + - *, also with integers."""

    __slots__ = ("number", "tracer")

    def __init__(self, tracer: Tracer, number: int) -> None:
        self.tracer, self.number = tracer, number

    def __add__(self, other: Symbol | int) -> Symbol:
        return self.tracer.add(self, other)

    def __sub__(self, other: Symbol | int) -> Symbol:
        return self.tracer.subtract(self, other)

    def __rsub__(self, other: int) -> Symbol:
        return self.tracer.subtract(other, self)

    def __mul__(self, other: Symbol | int) -> Symbol | int:
        return self.tracer.multiply(self, other)

    def __neg__(self) -> Symbol:
        return self.tracer.subtract(0, self)

    def __pow__(self, exponent: int) -> Symbol | int:
        """Square and multiply, for a positive integer exponent."""
        if not isinstance(exponent, int) or exponent < 1:
            raise UsageError(f"a pointwise function cannot raise to the power {exponent!r}: use a positive integer")
        if exponent == 1:
            return self
        half = self ** (exponent // 2)
        return half * half * self if exponent % 2 else half * half

    __radd__, __rmul__ = __add__, __mul__


class Tracer:
    """Numbers inputs, constants and operations as a function meets them, each of equal ones once."""

    def __init__(self, modulus: int) -> None:
        self.modulus = modulus
        self._inputs: list[int] = []
        self._constants: dict[int, int] = {}  # values by number
        self._steps: dict[int, Step] = {}
        self._known: dict[Step | int, int] = {}
        self._count = 0

    def input(self) -> Symbol:
        self._inputs.append(self._next())
        return Symbol(self, self._inputs[-1])

    def _next(self) -> int:
        self._count += 1
        return self._count - 1

    def add(self, x: Symbol, y: Symbol | int) -> Symbol:
        return self.apply("+", x, y)

    def subtract(self, x: Symbol | int, y: Symbol | int) -> Symbol:
        return self.apply("-", x, y)

    def multiply(self, x: Symbol, y: Symbol | int) -> Symbol | int:
        return self.apply("*", x, y)

    def apply(self, operator: Operator, x: Symbol | int, y: Symbol | int) -> Symbol:
        left, right = self.number(x), self.number(y)
        key = (operator, right, left) if right < left and operator != "-" else (operator, left, right)
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = self._next()
            self._steps[number] = (operator, left, right)
        return Symbol(self, number)

    def number(self, operand: Any) -> int:
        """The number of a symbol, or of a constant. Raises UsageError for what is neither."""
        if isinstance(operand, Symbol) and operand.tracer is self:
            return operand.number
        if isinstance(operand, int) and not isinstance(operand, bool):
            return self.constant(operand)
        raise UsageError(f"a pointwise function may use its arguments and integers only, not {operand!r}")

    def constant(self, value: int) -> int:
        value %= self.modulus
        if value not in self._known:
            self._known[value] = self._new_constant(value)
        return self._known[value]

    def _new_constant(self, value: int) -> int:
        self._constants[number := self._next()] = value
        return number

    def program(self, results: Sequence[int], order: Callable[[dict[int, Step]], Iterable[int]] = list) -> Program:
        """What is needed for the values with these numbers.

        Args:
            order: the steps by number, in an order in which they can run; as they were met by default
        """
        needed = set(results)
        for number in reversed(self._steps):
            if number in needed:
                needed.update(self._steps[number][1:])
        constants = [number for number in self._constants if number in needed]
        steps = list(order({number: step for number, step in self._steps.items() if number in needed}))
        place = {number: k for k, number in enumerate([*self._inputs, *constants, *steps])}
        moved = [(operator, place[left], place[right]) for operator, left, right in map(self._steps.__getitem__, steps)]
        values = tuple(self._constants[number] for number in constants)
        return Program(len(self._inputs), values, tuple(moved), tuple(place[number] for number in results))


def trace(function: Callable[..., Any], inputs: int, modulus: int) -> Program:
    """The program of function(*inputs), which must be made of + - * and integers; its last step is the result.

    Raises UsageError when the function returns something else, or nothing that depends on its arguments.
    """
    tracer = Tracer(modulus)
    given = [tracer.input() for _ in range(inputs)]
    result = function(*given)
    if not isinstance(result, Symbol):
        raise UsageError(f"a pointwise function must return an expression of its arguments, not {result!r}")
    return tracer.program([(result + 0 if result.number < inputs else result).number])
