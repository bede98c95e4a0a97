"""Prime-field arithmetic with AVX-512 IFMA: eight elements side by side, columns of weight 2^52j.

The multiply-add instructions read the low 52 bits of both factors and add the low or the high 52 bits of the
product to a 64-bit column. Sums stay uncarried and signed until a product or a store needs limbs; a carry is an
arithmetic shift, so a subtraction only adds the multiple of p that keeps the value non-negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from zkgpu.jit.element import Factor, Fe, Wide
from zkgpu.jit.emitter import I8, I32, I64, ROW_LIMIT, ROW_SUM_TERMS, Emitter
from zkgpu.jit.isa import IFMA

LANES, BITS = IFMA.lanes, IFMA.limb_bits
LIMB_MAXIMUM = (1 << BITS) - 1
WORD = ir.VectorType(I64, LANES)
HALF = ir.VectorType(I64, LANES // 2)
MASK = ir.VectorType(ir.IntType(1), LANES)

LOW_HALVES, HIGH_HALVES = [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]

COLUMN_CAPACITY = 1 << 62
# quotient estimate: floor(top * (R 2^k / p) / 2^(52 + k)), top the highest limb, for a k of at most this
ESTIMATE_BITS = 40
# values may be this many bits longer than the limbs when they are reduced
SPARE_BITS = 6
# a weakly reduced value is below (1 + 2^-k) p, for a k of at most this
WEAK_BITS = 32


def splat(value: int) -> ir.Constant:
    """The 64-bit integer (two's complement) in every lane."""
    return ir.Constant(WORD, [value & (2**64 - 1)] * LANES)


class IfmaEmitter(Emitter):
    """Values are lazily reduced: anything below R is a valid factor, Layout.room times the modulus."""

    isa = IFMA
    word = WORD
    lazy = True

    @property
    def element_words(self) -> int:
        return self.layout.limbs

    def __init__(self, builder: ir.IRBuilder, modulus: int):
        super().__init__(builder, modulus)
        self.limbs, self.capacity = self.layout.limbs, 1 << self.layout.montgomery_bits
        # a column of a product receives at most 4 halves below 2^52 a limb, and one carry; each further term of a sum
        # adds 2 a limb, which _reduced counts as 4
        self.product_spread = 1 << (BITS + (4 * self.limbs).bit_length())
        # 2^top_bits limbs of the highest weight are not above p
        self.top_bits = modulus.bit_length() - 1 - BITS * (self.limbs - 1)
        self.estimate_bits = min(ESTIMATE_BITS, self.top_bits)
        self.weak_bits = min(WEAK_BITS, self.top_bits - 3)
        self.p = self.limb_constants(modulus)
        self.negative_inverse = splat(-pow(modulus, -1, 1 << BITS))
        self.fold_value = pow(2, -BITS, modulus)
        self.fold = self.limb_constants(self.fold_value)

    def limb_constants(self, value: int) -> tuple[Any, ...]:
        assert 0 <= value < self.capacity
        return tuple(splat((value >> (BITS * j)) & LIMB_MAXIMUM) for j in range(self.limbs))

    # -- primitives

    def _multiply_add(self, half: str, column: Any, x: Any, y: Any) -> Any:
        kind = ir.FunctionType(WORD, [WORD, WORD, WORD])
        name = f"llvm.x86.avx512.vpmadd52{half}.uq.512"
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), [column, x, y])

    def _add_scaled(self, columns: list[Any], at: int, limbs: Sequence[Any], factor: Any) -> None:
        """columns += limbs * factor * 2^(52 at): low halves first, then the high halves one column up."""
        self._add_halves("l", columns, at, limbs, factor)
        self._add_halves("h", columns, at + 1, limbs, factor)

    def _add_halves(self, half: str, columns: list[Any], at: int, limbs: Sequence[Any], factor: Any) -> None:
        for j, limb in enumerate(limbs[: len(columns) - at]):
            columns[at + j] = self._multiply_add(half, columns[at + j], limb, factor)

    def _overflow(self, column: Any) -> Any:
        """What a column, which may be negative, holds beyond its 52 bits."""
        return self.builder.ashr(column, splat(BITS))

    def _totals(self, columns: Sequence[Any]) -> list[Any]:
        """The columns with all carries received but none taken off: limbs in their low 52 bits, which factors read."""
        totals = [columns[0]]
        for column in columns[1:]:
            totals.append(self.builder.add(column, self.builder.ashr(totals[-1], splat(BITS))))
        return totals

    def _masked(self, totals: Sequence[Any]) -> list[Any]:
        return [self.builder.and_(total, splat(LIMB_MAXIMUM)) for total in totals]

    def _carry(self, columns: Sequence[Any]) -> tuple[Any, ...]:
        """Limbs below 2^52 of a non-negative value below R given by signed columns."""
        *low, top = self._totals(columns)
        return (*self._masked(low), top)

    def _factor_limbs(self, x: Fe) -> Sequence[Any]:
        """Words whose low 52 bits are the limbs of x."""
        self._require_limbs(x)
        return x.limbs if x.spread <= LIMB_MAXIMUM else self._totals(x.limbs)

    def _require_limbs(self, x: Fe) -> None:
        assert x.limit <= self.capacity, "the value may not fit in its limbs: reduce it earlier"
        assert x.spread <= COLUMN_CAPACITY, "its columns may overflow where they are carried"

    # -- sums

    def linear(self, terms: Sequence[tuple[int, Fe]]) -> Fe:
        """Uncarried sum of c * x, plus the multiple of p that keeps it non-negative."""
        lowest = sum(factor * (x.limit - 1) for factor, x in terms if factor < 0)
        lift = -(lowest // self.modulus) * self.modulus
        limit = lift + sum(factor * (x.limit - 1) for factor, x in terms if factor > 0) + 1
        terms = self._narrow(terms)
        spread = sum(abs(factor) * x.spread for factor, x in terms) + LIMB_MAXIMUM
        assert spread < COLUMN_CAPACITY, "a sum of too many columns"
        columns = self._lift_columns(lift)
        for factor, x in terms:
            columns = [self._accumulate(factor, total, column) for total, column in zip(columns, x.limbs, strict=True)]
        return Fe(self, tuple(columns), limit, spread)

    def _narrow(self, terms: Sequence[tuple[int, Fe]]) -> list[tuple[int, Fe]]:
        """The terms, carried where a large factor would overflow a column."""
        return [(c, x if abs(c) * x.spread < COLUMN_CAPACITY >> 3 else x.carried()) for c, x in terms]

    def _lift_columns(self, lift: int) -> Sequence[Any]:
        low = [(lift >> (BITS * j)) & LIMB_MAXIMUM for j in range(self.limbs - 1)]
        return [splat(limb) if lift else None for limb in [*low, lift >> (BITS * (self.limbs - 1))]]

    def _accumulate(self, factor: int, total: Any, column: Any) -> Any:
        """total + factor * column, by shifts and additions."""
        operation = self.builder.add if factor > 0 else self.builder.sub
        for shift in (k for k in range(abs(factor).bit_length()) if abs(factor) >> k & 1):
            part = self.builder.shl(column, splat(shift)) if shift else column
            total = part if total is None and factor > 0 else operation(total or splat(0), part)
        return total if total is not None else splat(0)

    def carried(self, x: Fe) -> Fe:
        self._require_limbs(x)
        return x if x.spread <= LIMB_MAXIMUM else Fe(self, self._carry(x.limbs), x.limit, LIMB_MAXIMUM)

    # -- products

    def multiply(self, x: Fe, y: Fe) -> Fe:
        return self.reduced([(1, self.wide(x, y))])

    def wide(self, x: Fe, y: Fe) -> Wide:
        columns = [splat(0)] * (2 * self.limbs)
        x_limbs = self._factor_limbs(x)
        for i, limb in enumerate(self._factor_limbs(y)):
            self._add_scaled(columns, i, x_limbs, limb)
        return Wide(tuple(columns), x.limit * y.limit)

    def reduced(self, terms: Sequence[tuple[int, Wide]]) -> Fe:
        """As declared; a multiple of R p keeps the sum from becoming negative."""
        lift = self.modulus * -(-sum(w.limit for c, w in terms if c < 0) // (self.capacity * self.modulus))
        columns = [splat(0)] * self.limbs + [splat(0) if limb is None else limb for limb in self._lift_columns(lift)]
        for c, w in terms:
            operation = self.builder.add if c > 0 else self.builder.sub
            columns = [operation(total, column) for total, column in zip(columns, w.columns, strict=True)]
        limit = lift * self.capacity + sum(w.limit for c, w in terms if c > 0)
        return self._reduced(columns, limit, len(terms))

    def multiply_prepared(self, x: Fe, factor: Factor) -> Fe:
        size = self.layout.part_limbs(len(factor.parts))
        columns = [splat(0)] * (self.limbs + size)
        for i, limb in enumerate(self._factor_limbs(x)):
            self._add_scaled(columns, i % size, factor.parts[i // size], limb)
        lengths = [min(size, self.limbs - size * k) for k in range(len(factor.parts))]
        return self._reduced(columns, sum(self.modulus << (BITS * length) for length in lengths))

    def square(self, x: Fe) -> Fe:
        limbs = self._factor_limbs(x)
        columns = [splat(0)] * (2 * self.limbs)
        for i in range(self.limbs):
            self._add_scaled(columns, 2 * i + 1, limbs[i + 1 :], limbs[i])
        columns = [self.builder.add(column, column) for column in columns]
        for i in range(self.limbs):
            self._add_scaled(columns, 2 * i, limbs[i : i + 1], limbs[i])
        return self._reduced(columns, x.limit**2)

    def _reduced(self, columns: list[Any], limit: int, terms: int = 1) -> Fe:
        """Columns of a value < limit, the lowest 52-bit limbs of it divided out modulo p until an element is left.

        All but the last time the lowest limb u is replaced by u * (2^-52 mod p), which needs no quotient; the last
        step is Montgomery's. The result is < limit / 2^(52 steps) + (2^-52 mod p)(1 + 2^-51) + p.
        """
        assert terms * self.product_spread <= COLUMN_CAPACITY, "a sum of too many products: reduce it earlier"
        last = len(columns) - self.limbs - 1
        for i in range(last):
            columns[i + 1] = self.builder.add(columns[i + 1], self._overflow(columns[i]))
            self._add_scaled(columns, i + 1, self.fold, columns[i])
        quotient = self._multiply_add("l", splat(0), columns[last], self.negative_inverse)
        self._add_halves("l", columns, last, self.p, quotient)
        columns[last + 1] = self.builder.add(columns[last + 1], self._overflow(columns[last]))
        self._add_halves("h", columns, last + 1, self.p, quotient)
        folded = self.fold_value + (self.fold_value >> 50) if last else 0
        bound = (limit >> (BITS * (last + 1))) + folded + self.modulus + 2
        return Fe(self, tuple(columns[last + 1 :]), bound, terms * self.product_spread)

    # -- reduction

    def weak(self, x: Fe) -> Fe:
        if x.limit <= self.weak_limit:
            return self.carried(x)
        return self.element(self._masked(self._totals(self._minus_quotient(x))), self.weak_limit)

    @property
    def weak_limit(self) -> int:
        return self.modulus + (self.modulus >> self.weak_bits)

    def _minus_quotient(self, x: Fe) -> list[Any]:
        """Columns that are x minus the estimated quotient times p, modulo R; for x of at most SPARE_BITS more than R.

        The estimate comes from the top limb alone, or from one or two less where columns below it were not carried,
        without its lowest spare bits. So it is low by less than 1 and 2 + 2^spare_bits units of that limb, each at most
        2^-top_bits p, and by less than 2^(spare_bits - estimate_bits) for the ratio that was rounded down.
        """
        ratio = (1 << (self.limbs * BITS + self.estimate_bits)) // self.modulus
        assert ratio <= LIMB_MAXIMUM, "the ratio of the quotient estimate is no limb"
        spare_bits = max(0, (x.limit - 1).bit_length() - self.limbs * BITS)
        assert spare_bits <= SPARE_BITS, "the value is too large for one step of reduction"
        error = (2 + (1 << spare_bits) << self.estimate_bits) + (1 << self.top_bits + spare_bits)
        assert error <= 1 << (self.top_bits + self.estimate_bits - self.weak_bits), "the estimate is too rough"
        top = x.limbs[-1] if x.spread <= LIMB_MAXIMUM else self._top_estimate(x.limbs)
        top = self.builder.lshr(top, splat(spare_bits)) if spare_bits else top
        quotient = self._multiply_add("h", splat(0), top, splat(ratio))
        quotient = self.builder.lshr(quotient, splat(self.estimate_bits - spare_bits))
        columns = list(x.limbs)  # adding quotient * (R - p) subtracts quotient * p modulo R
        self._add_scaled(columns, 0, self.limb_constants(self.capacity - self.modulus), quotient)
        return columns

    def _top_estimate(self, columns: Sequence[Any]) -> Any:
        """The top limb of a non-negative value less one or two, but not below 0.

        Lower columns are smaller than 2^62, so what they carry changes the carry out of the fourth by one at most.
        """
        b = self.builder
        top = b.add(b.add(columns[-1], b.ashr(columns[-2], splat(BITS))), splat(-1))
        return b.select(b.icmp_signed("<", top, splat(0)), splat(0), top)

    def canonical(self, x: Fe) -> Fe:
        if x.limit <= self.modulus:
            return self.carried(x)
        columns = self._minus_quotient(x) if x.limit > 2 * self.modulus else x.limbs
        totals = self._totals(columns)
        less = self._totals([self.builder.sub(a, q) for a, q in zip(columns, self.p, strict=True)])
        sign = self.builder.and_(less[-1], splat(1 << (BITS - 1)))  # columns count modulo R
        negative = self.builder.icmp_unsigned("!=", sign, splat(0))
        chosen = [self.builder.select(negative, a, d) for a, d in zip(totals, less, strict=True)]
        return self.element(self._masked(chosen))

    # -- masks

    def mask_bits(self, mask: Any) -> Any:
        return self.builder.zext(self.builder.bitcast(mask, I8), I64)

    def mask_from_bits(self, bits: Any) -> Any:
        return self.builder.bitcast(self.builder.trunc(bits, I8), MASK)

    # -- memory

    def broadcast(self, pointer: Any, offset: Any, limit: int | None = None) -> Fe:
        words = [self.builder.load(self.builder.gep(pointer, [self.shifted(offset, j)])) for j in range(self.limbs)]
        return self.element([self._in_every_lane(word) for word in words], limit)

    def _in_every_lane(self, word: Any) -> Any:
        undefined = ir.Constant(WORD, ir.Undefined)
        first = self.builder.insert_element(undefined, word, ir.Constant(I32, 0))
        return self._shuffle(first, undefined, [0] * LANES)

    def lane_integers(self, pointer: Any, offset: Any) -> list[Any]:
        return [self.builder.load(self.builder.gep(pointer, [self.shifted(offset, lane)])) for lane in range(LANES)]

    def from_words(self, pointer: Any, offset: Any, limit: int) -> Fe:
        loaded, size = self._load_words(pointer, offset), self.layout.words
        if 2 * size == LANES:  # two elements fill a word: a few shuffles less
            columns = self.transpose([*loaded, *loaded])
            even_odd = [0, 8, 1, 9, 2, 10, 3, 11]
            words = [self._shuffle(columns[j], columns[j + size], even_odd) for j in range(size)]
            return self.element(self.to_limbs(words), limit)
        rows = []
        for lane in range(LANES):
            first, at = divmod(size * lane, LANES)
            following = loaded[min(first + 1, size - 1)]
            rows.append(self._shuffle(loaded[first], following, [(at + i) % (2 * LANES) for i in range(LANES)]))
        return self.element(self.to_limbs(self.transpose(rows)[:size]), limit)

    def to_words(self, element: Fe, pointer: Any, offset: Any) -> None:
        words, size = self.from_limbs(self.carried(element).limbs), self.layout.words
        elements = self.transpose([words[j % size] for j in range(LANES)])
        for k in range(size):
            first = LANES * k // size
            places = [divmod(LANES * k + i, size) for i in range(LANES)]
            assert places[-1][0] <= first + 1, "a word of lanes is put together from two elements"
            following = elements[min(first + 1, LANES - 1)]
            word = self._shuffle(elements[first], following, [LANES * (row - first) + at for row, at in places])
            self.builder.store(word, self.word_pointer(pointer, self.shifted(offset, LANES * k)), align=8)

    def _load_words(self, pointer: Any, offset: Any) -> list[Any]:
        pointers = (self.word_pointer(pointer, self.shifted(offset, LANES * k)) for k in range(self.layout.words))
        return [self.builder.load(at, align=8) for at in pointers]

    def load_rows(self, addresses: Sequence[Any], parts: int) -> list[Fe]:
        size = self.layout.words
        elements: list[Fe] = []
        words: list[Any] = []
        for line in range(0, 8 * size * parts, 8 * LANES):
            words += self._load_transposed(self._line_pointers(addresses, line), align=64)
            while len(words) >= size and len(elements) < parts:
                elements.append(self.element(self.to_limbs(words[:size])))
                words = words[size:]
        return elements

    def store_rows(self, addresses: Sequence[Any], parts: Sequence[Fe]) -> None:
        assert all(part.limit <= self.modulus for part in parts), "point rows hold canonical coordinates"
        words = [word for part in parts for word in self.from_limbs(self.carried(part).limbs)]
        words += [splat(0)] * (-len(words) % LANES)
        for k in range(0, len(words), LANES):
            self._store_transposed(words[k : k + LANES], self._line_pointers(addresses, 8 * k), align=64)

    def _line_pointers(self, addresses: Sequence[Any], offset: int) -> list[Any]:
        return [self.builder.inttoptr(self.shifted(a, offset), WORD.as_pointer()) for a in addresses]

    def load_tile(
        self, pointer: Any, offsets: Sequence[Any], limit: int | None = None, spread: int | None = None
    ) -> list[Fe]:
        planes = [self._load_transposed(self._limb_pointers(pointer, offsets, j), align=8) for j in range(self.limbs)]
        return [
            Fe(self, limbs, limit or self.modulus, spread or self.limb_maximum) for limbs in zip(*planes, strict=True)
        ]

    def store_tile(self, blocks: Sequence[Fe], pointer: Any, offsets: Sequence[Any]) -> None:
        for j in range(self.limbs):
            limbs = [block.limbs[j] for block in blocks]
            self._store_transposed(limbs, self._limb_pointers(pointer, offsets, j), align=8)

    def _limb_pointers(self, pointer: Any, offsets: Sequence[Any], j: int) -> list[Any]:
        return [self.word_pointer(pointer, self.shifted(offset, LANES * j)) for offset in offsets]

    def gather(self, addresses: Sequence[Any]) -> Fe:
        return self.element(self._gather_columns(addresses))

    def _gather_columns(self, addresses: Sequence[Any]) -> list[Any]:
        rows = [self.builder.load(pointer, align=64) for pointer in self._line_pointers(addresses, 0)]
        return self.transpose(rows)[: self.limbs]

    def scatter(self, addresses: Sequence[Any], element: Fe, to_sum: bool = False) -> None:
        self._require_row(element, to_sum)
        rows = self.transpose([*self.carried(element).limbs, *[splat(0)] * (LANES - self.limbs)])
        for row, pointer in zip(rows, self._line_pointers(addresses, 0), strict=True):
            self.builder.store(row, pointer, align=64)

    def accumulate(self, total: Any, row: Any, negative: bool) -> None:
        target, source = self._line_pointers([total, row], 0)
        operation = self.builder.sub if negative else self.builder.add
        self.builder.store(
            operation(self.builder.load(target, align=64), self.builder.load(source, align=64)), target, align=64
        )

    def collapse(self, addresses: Sequence[Any]) -> Fe:
        most = ROW_LIMIT * ROW_SUM_TERMS * self.modulus  # of the total either way
        assert (ROW_SUM_TERMS + 1) * LIMB_MAXIMUM < COLUMN_CAPACITY, "a sum of too many rows"
        lift = self._lift_columns(most)
        columns = [self.builder.add(a, b) for a, b in zip(self._gather_columns(addresses), lift, strict=True)]
        total = Fe(self, tuple(columns), 2 * most, COLUMN_CAPACITY)
        return self.canonical(total)

    def to_limbs(self, words: Sequence[Any]) -> list[Any]:
        """The 52-bit limbs of a number given by 64-bit words."""
        b, limbs = self.builder, []
        for j in range(self.limbs):
            at, shift = divmod(BITS * j, 64)
            part = b.lshr(words[at], splat(shift)) if shift else words[at]
            if shift + BITS > 64 and at + 1 < len(words):
                part = b.or_(part, b.shl(words[at + 1], splat(64 - shift)))
            limbs.append(b.and_(part, splat(LIMB_MAXIMUM)) if BITS * (j + 1) < 64 * len(words) else part)
        return limbs

    def from_limbs(self, limbs: Sequence[Any]) -> list[Any]:
        """The 64-bit words of a number that fits in them, given by 52-bit limbs."""
        return [self._word(limbs, *divmod(64 * j, BITS)) for j in range(self.layout.words)]

    def _word(self, limbs: Sequence[Any], first: int, shift: int) -> Any:
        """The 64 bits from bit `shift` of the limb `first` on."""
        b = self.builder
        word = b.lshr(limbs[first], splat(shift)) if shift else limbs[first]
        for k, limb in enumerate(limbs[first + 1 :], 1):
            if BITS * k - shift < 64:
                word = b.or_(word, b.shl(limb, splat(BITS * k - shift)))
        return word

    def transpose(self, rows: Sequence[Any]) -> list[Any]:
        """The 8x8 transpose of eight words, in three rounds of two-source shuffles."""
        rows = self._transpose_quarters(rows)
        for k in range(4):
            x, y = rows[k], rows[k + 4]
            rows[k], rows[k + 4] = self._shuffle(x, y, LOW_HALVES), self._shuffle(x, y, HIGH_HALVES)
        return rows

    def _transpose_quarters(self, rows: Sequence[Any]) -> list[Any]:
        """The four 4x4 quarters transposed, each where it is."""
        rows = list(rows)
        for distance, low in ((1, [0, 8, 2, 10, 4, 12, 6, 14]), (2, [0, 1, 8, 9, 4, 5, 12, 13])):
            high = [lane + distance for lane in low]
            for k in (k for k in range(LANES) if not k & distance):
                x, y = rows[k], rows[k + distance]
                rows[k], rows[k + distance] = self._shuffle(x, y, low), self._shuffle(x, y, high)
        return rows

    # the third round of a transpose costs no shuffle where it is done by loads or stores of half a word

    def _load_transposed(self, pointers: Sequence[Any], align: int) -> list[Any]:
        halves = [[self.builder.load(half, align=min(align, 32)) for half in self._half_pointers(p)] for p in pointers]
        both = range(LANES)
        rows = [self._shuffle(halves[k % 4][k // 4], halves[k % 4 + 4][k // 4], both) for k in range(LANES)]
        return self._transpose_quarters(rows)

    def _store_transposed(self, rows: Sequence[Any], pointers: Sequence[Any], align: int) -> None:
        rows, targets = self._transpose_quarters(rows), [self._half_pointers(pointer) for pointer in pointers]
        for k, row in enumerate(rows):
            for upper in (0, 1):
                half = self._shuffle(row, row, range(4 * upper, 4 * upper + 4))
                self.builder.store(half, targets[k % 4 + 4 * upper][k // 4], align=min(align, 32))

    def _half_pointers(self, pointer: Any) -> list[Any]:
        """Pointers to the lower and the upper four lanes of the word at a pointer."""
        first = self.builder.bitcast(pointer, HALF.as_pointer())
        return [first, self.builder.gep(first, [ir.Constant(I32, 1)])]

    def _shuffle(self, x: Any, y: Any, lanes: Sequence[int]) -> Any:
        return self.builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes)))
