"""Kernels on vectors of field elements in blocks; see zkgpu.jit.isa for the layout.

Values at rest are canonical and in Montgomery form with the isa's R. Block ranges [begin, end) let threads share
one call. Nothing is checked here: zkgpu.fields.cpu does that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zkgpu.jit.isa import InstructionSet
from zkgpu.jit.kernel import kernel, operation

OPERATORS = ("+", "-", "*")


@kernel
def import_words(isa: InstructionSet, modulus: int, factor: int) -> Callable[..., None]:
    """run(blocks, words, begin, end): blocks = words * factor / R; words are (n, words) uint64, any values."""
    shape = isa.over(modulus)

    @operation(isa, modulus)
    def convert(e: Any, blocks: Any, words: Any, block: Any, row: Any) -> None:
        value = e.from_words(words, row, 1 << (64 * shape.words))
        e.store((value * e.exact(factor)).canonical(), blocks, block)

    block_words, row_words = shape.block_words, shape.words * isa.lanes

    def run(blocks: Any, words: Any, begin: int, end: int) -> None:
        for k in range(begin, end):
            convert(blocks, words, k * block_words, k * row_words)

    return run


@kernel
def export_words(isa: InstructionSet, modulus: int, factor: int) -> Callable[..., None]:
    """run(words, blocks, begin, end): words = blocks * factor / R, canonical, (n, words) uint64."""
    shape = isa.over(modulus)

    @operation(isa, modulus)
    def convert(e: Any, words: Any, blocks: Any, block: Any, row: Any) -> None:
        value = e.load(blocks, block)
        e.to_words((value * e.exact(factor)).canonical(), words, row)

    block_words, row_words = shape.block_words, shape.words * isa.lanes

    def run(words: Any, blocks: Any, begin: int, end: int) -> None:
        for k in range(begin, end):
            convert(words, blocks, k * block_words, k * row_words)

    return run


@kernel
def evaluate(isa: InstructionSet, modulus: int) -> Callable[..., None]:
    """run(table, begin, end, chunk): a program of + - * on whole vectors, a chunk of blocks at a time.

    table  (steps, 10) int64: the operator's index in OPERATORS, then base, advance and stride in bytes of the
           result and of the two operands: block k of the chunk that begins at block c is at
           base + c * advance + k * stride
    """

    def binary(combine: Callable[[Any, Any], Any]) -> Any:
        @operation(isa, modulus)
        def apply(e: Any, out: Any, left: Any, right: Any) -> None:
            zero = e.integer(0)
            x, y = e.load(e.pointer(left), zero), e.load(e.pointer(right), zero)
            e.store(combine(x, y).canonical(), e.pointer(out), zero)

        return apply

    add, subtract, multiply = binary(lambda x, y: x + y), binary(lambda x, y: x - y), binary(lambda x, y: x * y)

    def run(table: Any, begin: int, end: int, chunk: int) -> None:
        for first in range(begin, end, chunk):
            blocks = min(chunk, end - first)
            for s in range(table.shape[0]):
                out, out_stride = table[s, 1] + first * table[s, 2], table[s, 3]
                left, left_stride = table[s, 4] + first * table[s, 5], table[s, 6]
                right, right_stride = table[s, 7] + first * table[s, 8], table[s, 9]
                if table[s, 0] == 0:
                    for k in range(blocks):
                        add(out + k * out_stride, left + k * left_stride, right + k * right_stride)
                elif table[s, 0] == 1:
                    for k in range(blocks):
                        subtract(out + k * out_stride, left + k * left_stride, right + k * right_stride)
                else:
                    for k in range(blocks):
                        multiply(out + k * out_stride, left + k * left_stride, right + k * right_stride)

    return run


@kernel
def multiply_by_progression(isa: InstructionSet, modulus: int) -> Callable[..., None]:
    """run(out, blocks, power, ratio, begin, end): out[k] = blocks[k] * power * ratio^(k - begin).

    power  one block, changed; ratio  one block; a block of out gets lane by lane products.
    """

    @operation(isa, modulus)
    def multiply(e: Any, out: Any, blocks: Any, power: Any, ratio: Any, offset: Any) -> None:
        zero = e.integer(0)
        current = e.load(power, zero, limit=2 * modulus)
        e.store((e.load(blocks, offset) * current).canonical(), out, offset)
        e.store((current * e.load(ratio, zero)).below(2 * modulus), power, zero)

    words = isa.over(modulus).block_words

    def run(out: Any, blocks: Any, power: Any, ratio: Any, begin: int, end: int) -> None:
        for k in range(begin, end):
            multiply(out, blocks, power, ratio, k * words)

    return run


@kernel
def spread_rows(isa: InstructionSet, modulus: int) -> Callable[..., None]:
    """run(rows, blocks, begin, end): each element of the blocks as a wide row; rows is the address of row 0."""

    @operation(isa, modulus)
    def spread(e: Any, rows: Any, blocks: Any, offset: Any) -> None:
        e.scatter(e.row_addresses(rows), e.load(blocks, offset))

    shape = isa.over(modulus)
    words, block_bytes = shape.block_words, 8 * isa.lanes * shape.row_words

    def run(rows: Any, blocks: Any, begin: int, end: int) -> None:
        for k in range(begin, end):
            spread(rows + k * block_bytes, blocks, k * words)

    return run
