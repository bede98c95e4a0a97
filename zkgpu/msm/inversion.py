"""The one inversion of a batch: the running products of many denominators, and their inverses.

Products run side by side in CHAINS places of `totals`, over even and odd blocks, so that their latencies overlap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from zkgpu.jit.kernel import operation
from zkgpu.jit.path import InstructionPath
from zkgpu.msm.formulas import Coordinates, Element, lin

CHAINS = 2


def invert_totals(path: InstructionPath, modulus: int, degree: int) -> Any:
    """invert(totals): both products become their inverses, by one power p - 2 in every lane."""

    @operation(path, modulus)
    def invert(e: Any, totals: Any) -> None:
        curve = Coordinates(e, degree)
        first, second = (curve.load(totals, e.integer(k * curve.words)) for k in range(CHAINS))
        a, b = _norm(curve, first), _norm(curve, second)
        inverse = _power(curve, a * b, modulus - 2)
        curve.store(_times(curve, _conjugate(curve, first), inverse * b), totals, e.integer(0))
        curve.store(_times(curve, _conjugate(curve, second), inverse * a), totals, e.integer(curve.words))

    return invert


def reset_totals(path: InstructionPath, modulus: int, degree: int) -> Any:
    """reset(totals): both products become 1."""

    @operation(path, modulus)
    def reset(e: Any, totals: Any) -> None:
        curve = Coordinates(e, degree)
        for k in range(CHAINS):
            curve.store(curve.constant((1,)), totals, e.integer(k * curve.words))

    return reset


def chain_offset(curve: Coordinates, block: Any) -> Any:
    """Offset in totals of the product that a block takes part in."""
    return curve.e.builder.mul(curve.e.builder.and_(block, curve.e.integer(CHAINS - 1)), curve.e.integer(curve.words))


def _norm(curve: Coordinates, x: Element) -> Any:
    """The element of F_p that x times its conjugate is; x itself in F_p."""
    return x if curve.degree == 1 else lin([(1, x.c0.square()), (1, x.c1.square())]).weak()


def _conjugate(curve: Coordinates, x: Element) -> Element:
    """What x^-1 norm(x) is."""
    return curve.constant((1,)) if curve.degree == 1 else type(x)(x.c0, -x.c1)


def _times(curve: Coordinates, x: Element, factor: Any) -> Element:
    """x times an element of F_p."""
    return factor if curve.degree == 1 else type(x)(x.c0 * factor, x.c1 * factor)


def _power(curve: Coordinates, x: Any, exponent: int) -> Any:
    """x^exponent for x in F_p by a loop over windows of four bits."""
    e = curve.e
    table = _powers(curve, x)
    digits = [(exponent >> shift) & 15 for shift in range(0, exponent.bit_length(), 4)][::-1]
    result = e.slot(replace(e.constant(1), limit=curve.bound(2)))
    with _loop(e, digits) as digit:
        y = result.get()
        for _ in range(4):
            y = y.square()
        y = y * e.load(table, e.builder.mul(digit, e.integer(e.path.block_words)), curve.bound(2))
        assert y.limit <= curve.bound(2)
        result.set(y)
    return result.get()


def _powers(curve: Coordinates, x: Any) -> Any:
    """Pointer to the blocks 1, x, .., x^15 on the stack."""
    e, words = curve.e, curve.e.path.block_words
    table = _stack_words(e, 16 * words)
    last, x = e.slot(replace(e.constant(1), limit=curve.bound(2))), x.carried()
    with _loop(e, range(16)) as k:
        power = last.get()
        e.store(power, table, e.builder.mul(k, e.integer(words)))
        power = power * x
        assert power.limit <= curve.bound(2)
        last.set(power)
    return table


@contextmanager
def _loop(e: Any, values: Sequence[int]) -> Iterator[Any]:
    """The code of the block runs once for each of the values, given as an i64."""
    from llvmlite import ir
    from numba.core import cgutils

    kind = ir.ArrayType(ir.IntType(64), len(values))
    table = cgutils.global_constant(e.builder, "loop_values", ir.Constant(kind, list(values)))
    with cgutils.for_range(e.builder, e.integer(len(values)), intp=ir.IntType(64)) as loop:
        yield e.builder.load(e.builder.gep(table, [e.integer(0), loop.index]))


def _stack_words(e: Any, words: int) -> Any:
    """Pointer to 64-bit words on the stack."""
    from llvmlite import ir
    from numba.core import cgutils

    return cgutils.alloca_once(e.builder, ir.IntType(64), size=words)
