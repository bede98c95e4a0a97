"""Functions of + - * traced once into the source of a kernel.

The source says what is done, and no value: every constant is an argument of its own, equal ones too. So the expressions
of provers and setups are few and known beforehand (cuda/expressions.txt), and are compiled with the other kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zkgpu.fields.trace import Program, Tracer
from zkgpu.records import dataclass

_FUNCTIONS = {"+": "add", "-": "sub", "*": "mul"}


class _Tracer(Tracer):
    """Shares equal operations, and no constants: whether two are equal is not to be seen in the text."""

    def __init__(self) -> None:
        super().__init__(0)

    def constant(self, value: int) -> int:
        return self._new_constant(value)


@dataclass(frozen=True)
class Expression:
    """A traced function: the text of its kernel, and the integers the kernel takes as its constants."""

    text: str
    constants: tuple[int, ...]


def trace(f: Callable[..., Any], vectors: int) -> Expression:
    """The kernel `pointwise` of out[i] = f(x0[i], x1[i], ...)."""
    tracer = _Tracer()
    result = f(*[tracer.input() for _ in range(vectors)])
    program = tracer.program([tracer.number(result)])
    inputs = "".join(f"const Scalar* x{k}, " for k in range(vectors))
    body = "\n".join(f"    {statement}" for statement in _statements(program))
    text = f"""\
ZK_KERNEL(128) pointwise(uint32_t n, const Scalar* constants, {inputs}Scalar* out) {{
    uint32_t i = thread_index();
    if (i >= n) return;
{body}
}}
"""
    return Expression(text, program.constants)


def _statements(program: Program) -> list[str]:
    """The statements of a kernel's body in order, a constant loaded where it is used first."""
    names = [f"x{k}[i]" for k in range(program.inputs)] + [""] * len(program.constants)
    statements: list[str] = []

    def name_of(number: int) -> str:
        if not names[number]:
            names[number] = declared(f"constants[{number - program.inputs}]")
        return names[number]

    def declared(expression: str) -> str:
        statements.append(f"Scalar t{len(statements)} = {expression};")
        return f"t{len(statements) - 1}"

    for operator, left, right in program.steps:
        x, y = name_of(left), name_of(right)
        square = operator == "*" and left == right
        names.append(declared(f"square({x})" if square else f"{_FUNCTIONS[operator]}({x}, {y})"))
    result = name_of(program.results[0])
    return [*statements, f"out[i] = {result};"]
