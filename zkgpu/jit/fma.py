"""Prime-field arithmetic by fused multiply-adds of doubles, for CPUs with AVX2 and FMA but without AVX-512 IFMA.

A product of two 52-bit limbs is split exactly: fma(a, b, 2^104) rounds a b to a multiple of 2^52, whose count can be
read off its bits, and fma(a, b, 2^104 - that) is the rest, between -2^51 and 2^51 (Emmart, Zheng, Weems, "Faster
modular exponentiation using double precision floating point arithmetic on the GPU", ARITH 2018, here with the
rounding to nearest that CPUs are in, which every call of a kernel makes sure of: `rounding`). Everything else, the
layout in memory too, is that of the ifma set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from zkgpu.jit.ifma import LANES, LIMB_MAXIMUM, WORD, IfmaEmitter, splat
from zkgpu.jit.isa import FMA

DOUBLES = ir.VectorType(ir.DoubleType(), LANES)
# the bits of these doubles; a double of the same binade has the bits plus its distance in units of the last place
BITS_OF_2_104 = (1023 + 104) << 52
BITS_OF_2_52 = (1023 + 52) << 52
CENTRE = 3 * 2.0**51  # the middle of the binade whose last place is 1
BITS_OF_CENTRE = BITS_OF_2_52 + (1 << 51)


def double(value: float) -> ir.Constant:
    """The double in every lane."""
    return ir.Constant(DOUBLES, [value] * LANES)


class FmaEmitter(IfmaEmitter):
    """As on the ifma set, but the low halves of products are signed."""

    isa = FMA

    def _multiply_add(self, half: str, column: Any, x: Any, y: Any) -> Any:
        low, high = self._halves(self._double(x), self._double(y))
        if half == "h":  # rounded down: one less where the rest is below zero
            low, high = None, self.builder.add(high, self.builder.ashr(low, splat(63)))
        return self.builder.add(column, high if low is None else low)

    def _add_scaled(self, columns: list[Any], at: int, limbs: Sequence[Any], factor: Any) -> None:
        factor = self._double(factor)
        for j, limb in enumerate(limbs[: len(columns) - at], at):
            low, high = self._halves(self._double(limb), factor)
            columns[j] = self.builder.add(columns[j], low)
            if j + 1 < len(columns):
                columns[j + 1] = self.builder.add(columns[j + 1], high)

    def _add_halves(self, half: str, columns: list[Any], at: int, limbs: Sequence[Any], factor: Any) -> None:
        factor = self._double(factor)
        for j, limb in enumerate(limbs[: len(columns) - at], at):
            low, high = self._halves(self._double(limb), factor)
            columns[j] = self.builder.add(columns[j], low if half == "l" else high)

    def _halves(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Integers (low, high) with x y = low + 2^52 high, for doubles that are integers below 2^52."""
        b = self.builder
        high = self._fused(x, y, double(2.0**104))
        low = self._fused(x, y, b.fadd(b.fsub(double(2.0**104), high), double(CENTRE)))
        return self._distance(low, BITS_OF_CENTRE), self._distance(high, BITS_OF_2_104)

    def _fused(self, x: Any, y: Any, z: Any) -> Any:
        kind = ir.FunctionType(DOUBLES, [DOUBLES] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.fma.v{LANES}f64")
        return self.builder.call(function, [x, y, z])

    def _distance(self, value: Any, bits: int) -> Any:
        return self.builder.sub(self.builder.bitcast(value, WORD), splat(bits))

    def _double(self, limb: Any) -> Any:
        """The low 52 bits as a double."""
        b = self.builder
        bits = b.or_(b.and_(limb, splat(LIMB_MAXIMUM)), splat(BITS_OF_2_52))
        return b.fsub(b.bitcast(bits, DOUBLES), double(2.0**52))
