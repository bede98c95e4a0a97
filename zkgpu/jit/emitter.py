"""What the emitters have in common: words, masks, memory and branches, written with an LLVM IR builder.

A word is `<8 x i64>` by ifma and fma; by portable an element is a single word, `i256` for four
limbs. A mask is `<8 x i1>` or `i1`. Offsets count 64-bit words; they and addresses are `i64` values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from itertools import zip_longest
from typing import Any, TypeVar

from llvmlite import ir
from numba.core import cgutils

from zkgpu.jit.element import Factor, Fe, Fe2, Wide, coordinates
from zkgpu.jit.isa import InstructionSet
from zkgpu.jit.memory import CACHE_LINE

# most terms a sum of wide rows may have before it is collapsed
ROW_SUM_TERMS = 512
ROW_LIMIT = 2  # rows that are summed are below this multiple of the modulus

Result = TypeVar("Result")
I8, I32, I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)


class Emitter(ABC):
    """Emits arithmetic modulo one prime through one builder; see Fe for the operations on elements."""

    isa: InstructionSet
    lazy: bool  # sums stay unreduced and uncarried, their limits grow; otherwise every result is canonical

    def __init__(self, builder: ir.IRBuilder, modulus: int):
        self.layout = self.isa.over(modulus)
        self.builder = builder
        self.modulus = modulus

    @property
    @abstractmethod
    def word(self) -> ir.Type:
        """The type of a word."""

    @property
    @abstractmethod
    def element_words(self) -> int:
        """Words of one element."""

    # -- arithmetic, one implementation an instruction set

    @abstractmethod
    def limb_constants(self, value: int) -> tuple[Any, ...]:
        """The limbs of an integer below 2^montgomery_bits, the same in every lane."""

    @abstractmethod
    def linear(self, terms: Sequence[tuple[int, Fe]]) -> Fe:
        """Sum of c * x for small integers c."""

    @abstractmethod
    def multiply(self, x: Fe, y: Fe) -> Fe:
        """x * y / R, which is the product of residues in Montgomery form."""

    @abstractmethod
    def wide(self, x: Fe, y: Fe) -> Wide:
        """x * y, for sums of products that are reduced once; the portable set reduces all the same."""

    @abstractmethod
    def reduced(self, terms: Sequence[tuple[int, Wide]]) -> Fe:
        """Sum of c * w / R over the pairs (c, w), for c of 1 and -1."""

    @abstractmethod
    def multiply_prepared(self, x: Fe, factor: Factor) -> Fe:
        """x times a prepared factor."""

    @abstractmethod
    def square(self, x: Fe) -> Fe:
        """x * x / R."""

    @abstractmethod
    def carried(self, x: Fe) -> Fe:
        """x with every column brought to a limb."""

    @abstractmethod
    def weak(self, x: Fe) -> Fe:
        """x below 2p, by much: (1 + 2^-32) p for primes of 254 bits."""

    @abstractmethod
    def canonical(self, x: Fe) -> Fe:
        """x below p."""

    def sum_and_difference(self, x: Fe, y: Fe) -> tuple[Fe, Fe]:
        """(x + y, x - y), reduced no further than products with prepared factors need."""
        return x + y, x - y

    # -- constants

    def exact(self, value: int) -> Fe:
        """The integer itself in every lane, not brought to Montgomery form."""
        return Fe(self, self.limb_constants(value), value + 1, self.limb_maximum)

    def constant(self, value: int) -> Fe:
        """The residue of an integer, in Montgomery form, in every lane."""
        return self.exact(value * self.layout.montgomery_factor % self.modulus)

    def constant_factor(self, value: int) -> Factor:
        """The residue of an integer in every lane, prepared for products."""
        multiples = self.layout.multiples(self.layout.constant_parts)
        return Factor(tuple(self.limb_constants(value * multiple % self.modulus) for multiple in multiples))

    @property
    def limb_maximum(self) -> int:
        return (1 << self.isa.limb_bits) - 1

    def element(self, limbs: Sequence[Any], limit: int | None = None) -> Fe:
        """An element from carried limbs; canonical unless a limit is given."""
        return Fe(self, tuple(limbs), limit or self.modulus, self.limb_maximum)

    # -- masks

    def limbs_are_zero(self, limbs: Sequence[Any]) -> Any:
        """Mask of the lanes in which all the words are 0."""
        return self.builder.icmp_unsigned("==", reduce(self.builder.or_, limbs), ir.Constant(self.word, None))

    def limbs_are_equal(self, x: Sequence[Any], y: Sequence[Any]) -> Any:
        """Mask of the lanes in which x and y agree."""
        return self.limbs_are_zero([self.builder.xor(a, b) for a, b in zip(x, y, strict=True)])

    def select(self, mask: Any, x: Fe, y: Fe) -> Fe:
        """x where the mask is set, else y."""
        limbs = tuple(self.builder.select(mask, a, b) for a, b in zip(x.limbs, y.limbs, strict=True))
        return Fe(self, limbs, max(x.limit, y.limit), max(x.spread, y.spread))

    @abstractmethod
    def mask_bits(self, mask: Any) -> Any:
        """The mask as an i64, bit l for lane l."""

    @abstractmethod
    def mask_from_bits(self, bits: Any) -> Any:
        """The inverse of mask_bits."""

    def any(self, mask: Any) -> Any:
        """i1: the mask is set in some lane."""
        return self.builder.icmp_unsigned("!=", self.mask_bits(mask), self.integer(0))

    @contextmanager
    def if_any(self, mask: Any) -> Iterator[None]:
        """Code of the block runs when the mask is set in some lane, which is taken to be rare."""
        with self.builder.if_then(self.any(mask), likely=False):
            yield

    def side_by_side(self, pieces: Sequence[Callable[[], Result]]) -> list[Result]:
        """What each piece returns, the instructions of all pieces taken in turns, so that their latencies overlap.

        A piece is code without branches that writes nothing another one reads or writes.
        """
        block, results, written = self.builder.block, [], []
        instructions = block.instructions
        begin = len(instructions)
        for piece in pieces:
            results.append(piece())
            assert self.builder.block is block, "a piece of code that branches"
            written.append(instructions[begin:])
            del instructions[begin:]
            self.builder.position_at_end(block)
        instructions += [one for turn in zip_longest(*written) for one in turn if one is not None]
        self.builder.position_at_end(block)
        return results

    def slot(self, element: Fe | Fe2) -> Slot:
        """A variable on the stack, to carry an element out of a branch."""
        return Slot(element)

    # -- memory

    def integer(self, value: int) -> Any:
        """An i64 constant."""
        return ir.Constant(I64, value)

    def shifted(self, offset: Any, words: int) -> Any:
        """offset + words."""
        return self.builder.add(offset, self.integer(words))

    def word_pointer(self, pointer: Any, offset: Any) -> Any:
        """Address of the word at pointer[offset], pointer to 64-bit integers."""
        return self.builder.bitcast(self.builder.gep(pointer, [offset]), self.word.as_pointer())

    def load(self, pointer: Any, offset: Any, limit: int | None = None, spread: int | None = None) -> Fe:
        """One block of elements at pointer[offset]; canonical unless a limit (and a spread) is given."""
        step = self.layout.block_words // self.element_words
        limbs = [
            self.builder.load(self.word_pointer(pointer, self.shifted(offset, step * j)), align=8)
            for j in range(self.element_words)
        ]
        return Fe(self, tuple(limbs), limit or self.modulus, spread or self.limb_maximum)

    def load2(self, pointer: Any, offset: Any, limit: int | None = None) -> Fe2:
        """Two consecutive blocks: the coordinates c0 and c1 of elements of the quadratic extension."""
        high = self.shifted(offset, self.layout.block_words)
        return Fe2(self.load(pointer, offset, limit), self.load(pointer, high, limit))

    def store(self, element: Fe | Fe2, pointer: Any, offset: Any) -> None:
        """Writes one block (two for Fe2) of carried limbs."""
        for k, part in enumerate(coordinates(element)):
            self.store_columns(part.carried(), pointer, self.shifted(offset, k * self.layout.block_words))

    def store_columns(self, element: Fe, pointer: Any, offset: Any) -> None:
        """Writes one block as it is, not carried: load it back with its limit and its spread."""
        step = self.layout.block_words // self.element_words
        for j, limb in enumerate(element.limbs):
            self.builder.store(limb, self.word_pointer(pointer, self.shifted(offset, step * j)), align=8)

    @abstractmethod
    def broadcast(self, pointer: Any, offset: Any, limit: int | None = None) -> Fe:
        """The single element whose `limbs` consecutive 64-bit words lie at pointer[offset], in every lane."""

    def broadcast_factor(self, pointer: Any, offset: Any) -> Factor:
        """The prepared factor whose factor_parts multiples follow one another from pointer[offset], in every lane."""
        of_part = (self.shifted(offset, self.layout.limbs * k) for k in range(self.layout.factor_parts))
        parts = (self.broadcast(pointer, at) for at in of_part)
        return Factor(tuple(part.limbs for part in parts))

    @abstractmethod
    def lane_integers(self, pointer: Any, offset: Any) -> list[Any]:
        """`lanes` consecutive 64-bit integers at pointer[offset], one i64 value a lane."""

    @abstractmethod
    def from_words(self, pointer: Any, offset: Any, limit: int) -> Fe:
        """`lanes` elements stored one after the other as `words` 64-bit little-endian words each, values < limit."""

    @abstractmethod
    def to_words(self, element: Fe, pointer: Any, offset: Any) -> None:
        """Writes `lanes` elements one after the other as `words` 64-bit little-endian words each."""

    @abstractmethod
    def load_rows(self, addresses: Sequence[Any], parts: int) -> list[Fe]:
        """Point rows, one address a lane: `parts` canonical elements (2 in G1, 4 in G2) of `words` words each.

        Rows are 64-byte aligned and fill whole cache lines.
        """

    @abstractmethod
    def store_rows(self, addresses: Sequence[Any], parts: Sequence[Fe]) -> None:
        """Writes point rows, one address a lane; the elements must be canonical."""

    @abstractmethod
    def load_tile(
        self, pointer: Any, offsets: Sequence[Any], limit: int | None = None, spread: int | None = None
    ) -> list[Fe]:
        """Eight blocks like load(), but with element (block i, lane j) in lane i of block j where there are lanes."""

    @abstractmethod
    def store_tile(self, blocks: Sequence[Fe], pointer: Any, offsets: Sequence[Any]) -> None:
        """Writes the columns of blocks as load_tile reads them."""

    # Wide rows: one element a row of row_words words, 64-byte aligned, for access in any order and long sums.

    @abstractmethod
    def gather(self, addresses: Sequence[Any]) -> Fe:
        """The canonical elements at the addresses of wide rows, one a lane."""

    @abstractmethod
    def scatter(self, addresses: Sequence[Any], element: Fe, to_sum: bool = False) -> None:
        """Writes each lane's element as a wide row: canonical for gather(), below ROW_LIMIT p for sums alone."""

    def _require_row(self, element: Fe, to_sum: bool) -> None:
        most = ROW_LIMIT if to_sum else 1
        assert element.limit <= most * self.modulus, f"a row of {'a sum' if to_sum else 'its own'} is below {most} p"

    @abstractmethod
    def accumulate(self, total: Any, row: Any, negative: bool) -> None:
        """Adds the wide row at one address to the total at another, or subtracts it.

        A total of at most ROW_SUM_TERMS rows is in range for collapse().
        """

    @abstractmethod
    def collapse(self, addresses: Sequence[Any]) -> Fe:
        """The canonical values of totals, one a lane."""

    def pointer(self, address: Any) -> Any:
        """The address as a pointer to 64-bit words."""
        return self.builder.inttoptr(address, I64.as_pointer())

    def row_addresses(self, base: Any) -> list[Any]:
        """Addresses of `lanes` consecutive wide rows."""
        return [self.shifted(base, 8 * self.layout.row_words * lane) for lane in range(self.isa.lanes)]

    def prefetch(self, address: Any) -> None:
        """Prefetches the cache line at an address; harmless when nothing is there."""
        pointer = I8.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, I32, I32, I32])
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        read, keep, data = (ir.Constant(I32, value) for value in (0, 3, 1))
        self.builder.call(function, [self.builder.inttoptr(address, pointer), read, keep, data])

    def prefetch_words(self, pointer: Any, offset: Any, count: int) -> None:
        """Prefetches the cache lines of `count` 64-bit words at pointer[offset]."""
        first = self.builder.ptrtoint(self.builder.gep(pointer, [offset]), I64)
        for byte in range(0, 8 * count, CACHE_LINE):
            self.prefetch(self.shifted(first, byte))


class Slot:
    """A variable on the stack holding an element; writing widens the limits that reading reports."""

    def __init__(self, element: Fe | Fe2):
        self.parts = [_PartSlot(part) for part in coordinates(element)]

    def set(self, element: Fe | Fe2) -> None:
        """Stores an element."""
        for slot, part in zip(self.parts, coordinates(element), strict=True):
            slot.set(part)

    def get(self) -> Any:
        """The element stored last, of the kind the slot was made with."""
        values = [slot.get() for slot in self.parts]
        return values[0] if len(values) == 1 else Fe2(*values)


class _PartSlot:
    def __init__(self, part: Fe):
        self.emitter, self.limit = part.emitter, 0
        builder = part.emitter.builder
        self.cells = [cgutils.alloca_once(builder, part.emitter.word) for _ in part.limbs]
        self.set(part)

    def set(self, part: Fe) -> None:
        self.limit = max(self.limit, part.limit)
        for cell, limb in zip(self.cells, part.carried().limbs, strict=True):
            self.emitter.builder.store(limb, cell)

    def get(self) -> Fe:
        return self.emitter.element([self.emitter.builder.load(cell) for cell in self.cells], self.limit)
