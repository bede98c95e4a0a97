"""Turns a Python function of + - * into a straight-line program that a device runs entry by entry.

trace(lambda x, y, z: x * y - z, 3, modulus)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from zkgpu.errors import UsageError

Operator = Literal["+", "-", "*"]


class Step(NamedTuple):
    """values[left] (operator) values[right]; the result is the next value."""

    operator: Operator
    left: int
    right: int


@dataclass(frozen=True)
class Program:
    """Values are numbered: the inputs first, then the constants, then one per step; the last step is the result.

    constants  canonical residues
    """

    inputs: int
    constants: tuple[int, ...]
    steps: tuple[Step, ...]

    def last_uses(self) -> dict[int, int]:
        """The index of the last step that reads a value, for every value that some step reads."""
        return {value: k for k, step in enumerate(self.steps) for value in (step.left, step.right)}


def trace(function: Callable[..., Any], inputs: int, modulus: int) -> Program:
    """The program of function(*inputs), which must be made of + - * and integers.

    Raises UsageError when the function returns something else, or nothing that depends on its arguments.
    """
    recorder = _Recorder(modulus)
    result = function(*(Expression(recorder, recorder.number("input", k)) for k in range(inputs)))
    if not isinstance(result, Expression):
        raise UsageError(f"a pointwise function must return an expression of its arguments, not {result!r}")
    return recorder.program(result)


class Expression:
    """What a traced function computes with: stands for one entry of each vector."""

    def __init__(self, recorder: _Recorder, number: int):
        self._recorder = recorder
        self._number = number

    def _combine(self, operator: Operator, left: Any, right: Any) -> Expression:
        return self._recorder.record(operator, left, right)

    def __add__(self, other: Expression | int) -> Expression:
        return self._combine("+", self, other)

    def __radd__(self, other: int) -> Expression:
        return self._combine("+", other, self)

    def __sub__(self, other: Expression | int) -> Expression:
        return self._combine("-", self, other)

    def __rsub__(self, other: int) -> Expression:
        return self._combine("-", other, self)

    def __mul__(self, other: Expression | int) -> Expression:
        return self._combine("*", self, other)

    def __rmul__(self, other: int) -> Expression:
        return self._combine("*", other, self)

    def __neg__(self) -> Expression:
        return self._combine("-", 0, self)

    def __pow__(self, exponent: int) -> Expression:
        """Square and multiply, for a positive integer exponent."""
        if not isinstance(exponent, int) or exponent < 1:
            raise UsageError(f"a pointwise function cannot raise to the power {exponent!r}: use a positive integer")
        half = self ** (exponent // 2) if exponent > 1 else None
        if half is None:
            return self
        return half * half * self if exponent % 2 else half * half


class _Recorder:
    """Numbers every distinct input, constant and operation once, operands before the operations on them."""

    def __init__(self, modulus: int):
        self._modulus = modulus
        self._numbers: dict[tuple[Any, ...], int] = {}

    def number(self, *key: Any) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def record(self, operator: Operator, left: Any, right: Any) -> Expression:
        return Expression(self, self.number(operator, self._operand(left), self._operand(right)))

    def _operand(self, operand: Any) -> int:
        if isinstance(operand, Expression) and operand._recorder is self:
            return operand._number
        if isinstance(operand, int) and not isinstance(operand, bool):
            return self.number("constant", operand % self._modulus)
        raise UsageError(f"a pointwise function may use its arguments and integers only, not {operand!r}")

    def program(self, result: Expression) -> Program:
        """The operations the result needs; one that adds 0 when the result is an argument itself."""
        keys = list(self._numbers)
        if keys[result._number][0] == "input":
            return self.program(self.record("+", result, 0))
        needed = self._needed(keys, result._number)
        by_kind: dict[str, list[int]] = {"input": [], "constant": [], "step": []}
        for k, key in enumerate(keys):
            kind = key[0] if key[0] in by_kind else "step"
            if kind == "input" or k in needed:
                by_kind[kind].append(k)
        position = {k: new for new, k in enumerate(k for kind in by_kind.values() for k in kind)}
        steps = tuple(Step(keys[k][0], position[keys[k][1]], position[keys[k][2]]) for k in by_kind["step"])
        return Program(len(by_kind["input"]), tuple(keys[k][1] for k in by_kind["constant"]), steps)

    @staticmethod
    def _needed(keys: list[tuple[Any, ...]], result: int) -> set[int]:
        needed = {result}
        for k in range(result, -1, -1):
            if k in needed and keys[k][0] not in ("input", "constant"):
                needed |= set(keys[k][1:])
        return needed
