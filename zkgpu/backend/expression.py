"""Functions of + - * traced once into the source of a kernel.

The source says what is done, and no value: every constant is an argument of its own, equal ones too. So the expressions
of provers and setups are few and known beforehand (cuda/expressions.txt), and are compiled with the other kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Tape:
    """The statements of a kernel's body in order, and the integers it takes in that order."""

    statements: list[str] = field(default_factory=list)
    constants: list[int] = field(default_factory=list)

    def record(self, expression: str) -> Entry:
        name = f"t{len(self.statements)}"
        self.statements.append(f"Scalar {name} = {expression};")
        return Entry(self, name)

    def constant(self, value: int) -> Entry:
        self.constants.append(value)
        return self.record(f"constants[{len(self.constants) - 1}]")


@dataclass(frozen=True)
class Entry:
    """A value in the kernel: one entry of a vector, or what came of some."""

    tape: Tape = field(repr=False)
    name: str

    def _with(self, operation: str, other: Entry | int, *, swapped: bool = False) -> Entry:
        entry = other if isinstance(other, Entry) else self.tape.constant(other)
        left, right = (entry, self) if swapped else (self, entry)
        return self.tape.record(f"{operation}({left.name}, {right.name})")

    def __add__(self, other: Entry | int) -> Entry:
        return self._with("add", other)

    def __sub__(self, other: Entry | int) -> Entry:
        return self._with("sub", other)

    def __rsub__(self, other: int) -> Entry:
        return self._with("sub", other, swapped=True)

    def __mul__(self, other: Entry | int) -> Entry:
        if isinstance(other, Entry) and other.name == self.name:
            return self.tape.record(f"square({self.name})")
        return self._with("mul", other)

    def __neg__(self) -> Entry:
        return self.tape.record(f"neg({self.name})")

    __radd__ = __add__
    __rmul__ = __mul__


@dataclass(frozen=True)
class Expression:
    """A traced function: the text of its kernel, and the integers the kernel takes as its constants."""

    text: str
    constants: tuple[int, ...]


def trace(f: Callable[..., Any], vectors: int) -> Expression:
    """The kernel `pointwise` of out[i] = f(x0[i], x1[i], ...)."""
    tape = Tape()
    result = f(*(Entry(tape, f"x{k}[i]") for k in range(vectors)))
    entry = result if isinstance(result, Entry) else tape.constant(result)
    inputs = "".join(f"const Scalar* x{k}, " for k in range(vectors))
    body = "\n".join(f"    {statement}" for statement in tape.statements)
    text = f"""\
ZK_KERNEL(128) pointwise(uint32_t n, const Scalar* constants, {inputs}Scalar* out) {{
    uint32_t i = thread_index();
    if (i >= n) return;
{body}
    out[i] = {entry.name};
}}
"""
    return Expression(text, tuple(tape.constants))
