"""Prime-field arithmetic on any 64-bit CPU: one element at a time, all limbs in one LLVM integer, always canonical."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from zkgpu.jit.element import Factor, Fe, Wide
from zkgpu.jit.emitter import I64, Emitter
from zkgpu.jit.isa import PORTABLE

I1, I128 = ir.IntType(1), ir.IntType(128)


class PortableEmitter(Emitter):
    """Operations take values below R = 2^(64 limbs) and return canonical ones, except exact() and from_words().

    What transforms use leaves more where R has room: multiply_prepared() values below 3p, sum_and_difference() below
    4p. Without that room both leave less.
    """

    isa = PORTABLE
    element_words = 1
    lazy = False

    def __init__(self, builder: ir.IRBuilder, modulus: int):
        super().__init__(builder, modulus)
        limbs = self.layout.limbs
        self.full = ir.IntType(64 * limbs)
        self.p = ir.Constant(self.full, modulus)
        self.p_limbs = [ir.Constant(I128, (modulus >> (64 * j)) & self.limb_maximum) for j in range(limbs)]
        self.negative_inverse = ir.Constant(I64, -pow(modulus, -1, 1 << 64) & self.limb_maximum)

    @property
    def word(self) -> ir.Type:
        return self.full

    def limb_constants(self, value: int) -> tuple[Any, ...]:
        return (ir.Constant(self.full, value),)

    # -- arithmetic

    def linear(self, terms: Sequence[tuple[int, Fe]]) -> Fe:
        total = None
        for factor, x in sorted(terms, key=lambda term: -term[0]):  # positive terms first: fewer subtractions from 0
            part = self._multiple(abs(factor), self.canonical(x).limbs[0])
            if part is not None:
                zero = ir.Constant(self.full, 0)
                total = self._subtract(total or zero, part) if factor < 0 else self._add(total, part) if total else part
        return self.element([total or ir.Constant(self.full, 0)])

    def _multiple(self, factor: int, x: Any) -> Any:
        """factor * x by doubling and adding; None for 0."""
        total = None
        for bit in bin(factor)[2:]:
            total = self._add(total, total) if total else None
            if bit == "1":
                total = self._add(total, x) if total else x
        return total

    def _add(self, x: Any, y: Any) -> Any:
        return self._subtract_modulus(self.builder.add(x, y))

    def _subtract(self, x: Any, y: Any) -> Any:
        difference = self.builder.sub(x, y)
        borrow = self.builder.icmp_unsigned("<", x, y)
        return self.builder.select(borrow, self.builder.add(difference, self.p), difference)

    def _subtract_modulus(self, x: Any) -> Any:
        """x - p if x >= p, else x."""
        return self._subtract_if_larger(x, self.modulus)

    def _subtract_if_larger(self, x: Any, amount: int) -> Any:
        value = ir.Constant(self.full, amount)
        below = self.builder.icmp_unsigned("<", x, value)
        return self.builder.select(below, x, self.builder.sub(x, value))

    def _below(self, limit: int, x: Fe) -> Fe:
        """x with p, 2p, 4p taken off as often as it takes to be below the limit, a multiple of p."""
        while x.limit > limit:
            times = max(1, -(-x.limit // self.modulus) - 1)
            amount = self.modulus << (times.bit_length() - 1)
            limbs = [self._subtract_if_larger(x.limbs[0], amount)]
            x = self.element(limbs, max(amount, x.limit - amount))
        return x

    def multiply(self, x: Fe, y: Fe) -> Fe:
        # y may be any number below R when x < p: every intermediate total is < x + p, and so is the result
        x, y = (x, y) if x.limit <= self.modulus else (y, x)
        assert x.limit <= self.modulus, "one factor must be canonical"
        return self.element([self._call_product([x.limbs[0]], y.limbs[0])])

    def wide(self, x: Fe, y: Fe) -> Wide:
        product = self.multiply(x, y)
        return Wide(product.limbs, product.limit)

    def reduced(self, terms: Sequence[tuple[int, Wide]]) -> Fe:
        return self.linear([(c, self.element(product.columns, product.limit)) for c, product in terms])

    def multiply_prepared(self, x: Fe, factor: Factor) -> Fe:
        limit = 3 * self.modulus if len(factor.parts) == 2 else self.modulus
        return self.element([self._call_product([limbs[0] for limbs in factor.parts], x.limbs[0])], limit)

    def sum_and_difference(self, x: Fe, y: Fe) -> tuple[Fe, Fe]:
        most = 2 * self.modulus if self.layout.room >= 4 else self.modulus
        a, b = (self._below(most, z).limbs[0] for z in (x, y))
        limit = 2 * most
        difference = self.builder.sub(self.builder.add(a, ir.Constant(self.full, most)), b)
        return self.element([self.builder.add(a, b)], limit), self.element([difference], limit)

    def _call_product(self, parts: Sequence[Any], x: Any) -> Any:
        """The product as one function of the module: copies of it would be most of a kernel's compile time."""
        name = f"montgomery_product_{len(parts)}_{self.modulus:x}"
        function = self.builder.module.globals.get(name)
        if function is None:
            kind = ir.FunctionType(self.full, [self.full] * (len(parts) + 1))
            function = ir.Function(self.builder.module, kind, name)
            function.linkage = "internal"
            function.attributes.add("noinline")
            body = PortableEmitter(ir.IRBuilder(function.append_basic_block()), self.modulus)
            *factors, scanned = function.args
            body.builder.ret(body._product(factors, scanned))
        return self.builder.call(function, [*parts, x])

    def _product(self, parts: Sequence[Any], x: Any) -> Any:
        """Operand scanning: for each limb of x a row, then one reduction step (Koc, Acar, Kaliski 1996, CIOS).

        With two parts, each is multiplied by its own run of limbs of x, and the rows of a step meet: the total ends
        below p for each part and p more. With one, a factor being below p, it ends below 2p and p is taken off.
        """
        size, limbs = self.layout.limbs // len(parts), [self._wide(limb) for limb in self._split(x)]
        rows = [[self._wide(limb) for limb in self._split(part)] for part in parts]
        total = [ir.Constant(I64, 0)] * self.layout.limbs
        for i in range(size):
            top = ir.Constant(I64, 0)
            for k, row in enumerate(rows):
                total, carry = self._add_row(total, row, limbs[size * k + i])
                top = self.builder.add(top, carry)
            total = self._reduce_row(total, top)
        word = self._join(total)
        return self._subtract_modulus(word) if len(parts) == 1 else word

    def _add_row(self, total: list[Any], x_limbs: list[Any], y_limb: Any) -> tuple[list[Any], Any]:
        row, carry = [], ir.Constant(I64, 0)
        for limb, x_limb in zip(total, x_limbs, strict=True):
            low, carry = self._multiply_add(x_limb, y_limb, limb, carry)
            row.append(low)
        return row, carry

    def _reduce_row(self, row: list[Any], top: Any) -> list[Any]:
        """(row + q p) / 2^64 for the q that makes it exact; top never overflows because 2p < R, with two parts 3p."""
        quotient = self._wide(self.builder.mul(row[0], self.negative_inverse))
        _, carry = self._multiply_add(quotient, self.p_limbs[0], row[0], ir.Constant(I64, 0))
        reduced = []
        for limb, p_limb in zip(row[1:], self.p_limbs[1:], strict=True):
            low, carry = self._multiply_add(quotient, p_limb, limb, carry)
            reduced.append(low)
        return [*reduced, self.builder.add(carry, top)]

    def _multiply_add(self, x: Any, y: Any, limb: Any, carry: Any) -> tuple[Any, Any]:
        """(low, high) 64-bit halves of x * y + limb + carry, which fits in 128 bits."""
        b = self.builder
        total = b.add(b.add(b.mul(x, y), self._wide(limb)), self._wide(carry))
        return b.trunc(total, I64), b.trunc(b.lshr(total, ir.Constant(I128, 64)), I64)

    def _wide(self, limb: Any) -> Any:
        return self.builder.zext(limb, I128)

    def _split(self, word: Any) -> list[Any]:
        shifts = [ir.Constant(self.full, 64 * j) for j in range(self.layout.limbs)]
        return [self.builder.trunc(self.builder.lshr(word, shift), I64) for shift in shifts]

    def _join(self, limbs: list[Any]) -> Any:
        word = self.builder.zext(limbs[0], self.full)
        for j, limb in enumerate(limbs[1:], 1):
            part = self.builder.zext(limb, self.full)
            word = self.builder.or_(word, self.builder.shl(part, ir.Constant(self.full, 64 * j)))
        return word

    def square(self, x: Fe) -> Fe:
        return self.multiply(x, x)

    def carried(self, x: Fe) -> Fe:
        return x

    def weak(self, x: Fe) -> Fe:
        return self.canonical(x)

    def canonical(self, x: Fe) -> Fe:
        return self._below(self.modulus, x)

    # -- masks

    def mask_bits(self, mask: Any) -> Any:
        return self.builder.zext(mask, I64)

    def mask_from_bits(self, bits: Any) -> Any:
        return self.builder.trunc(bits, I1)

    # -- memory

    def broadcast(self, pointer: Any, offset: Any, limit: int | None = None) -> Fe:
        return self.load(pointer, offset, limit)

    def lane_integers(self, pointer: Any, offset: Any) -> list[Any]:
        return [self.builder.load(self.builder.gep(pointer, [offset]))]

    def from_words(self, pointer: Any, offset: Any, limit: int) -> Fe:
        return self.load(pointer, offset, limit)

    def to_words(self, element: Fe, pointer: Any, offset: Any) -> None:
        self.store(element, pointer, offset)

    def load_rows(self, addresses: Sequence[Any], parts: int) -> list[Fe]:
        pointers = self._part_pointers(addresses[0], parts)
        return [self.element([self.builder.load(pointer, align=self._row_alignment)]) for pointer in pointers]

    def store_rows(self, addresses: Sequence[Any], parts: Sequence[Fe]) -> None:
        for pointer, part in zip(self._part_pointers(addresses[0], len(parts)), parts, strict=True):
            assert part.limit <= self.modulus, "point rows hold canonical coordinates"
            self.builder.store(part.limbs[0], pointer, align=self._row_alignment)

    @property
    def _row_alignment(self) -> int:
        """Of each element of a row that is 64-byte aligned."""
        return math.gcd(64, 8 * self.layout.words)

    def _part_pointers(self, address: Any, parts: int) -> list[Any]:
        step, kind = 8 * self.layout.words, self.full.as_pointer()
        return [self.builder.inttoptr(self.shifted(address, step * k), kind) for k in range(parts)]

    def gather(self, addresses: Sequence[Any]) -> Fe:
        return self.load(self.pointer(addresses[0]), self.integer(0))

    def scatter(self, addresses: Sequence[Any], element: Fe, to_sum: bool = False) -> None:
        self.store(self.canonical(element), self.pointer(addresses[0]), self.integer(0))

    def accumulate(self, total: Any, row: Any, negative: bool) -> None:
        sign = -1 if negative else 1
        self.scatter([total], self.linear([(1, self.gather([total])), (sign, self.gather([row]))]))

    def collapse(self, addresses: Sequence[Any]) -> Fe:
        return self.gather(addresses)

    def load_tile(
        self, pointer: Any, offsets: Sequence[Any], limit: int | None = None, spread: int | None = None
    ) -> list[Fe]:
        return [self.load(pointer, offset, limit, spread) for offset in offsets]

    def store_tile(self, blocks: Sequence[Fe], pointer: Any, offsets: Sequence[Any]) -> None:
        for block, offset in zip(blocks, offsets, strict=True):
            self.store_columns(block, pointer, offset)
