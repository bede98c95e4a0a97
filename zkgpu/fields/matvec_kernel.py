"""The kernel of sparse matrix times vector; zkgpu.fields.cpu_matrix checks the indices and cuts the rows into ranges.

The vector and the coefficients lie in wide rows, so that any entry is one load. A block of rows is summed in wide
rows too, uncarried, and brought back to a block of canonical elements at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zkgpu.jit.isa import InstructionSet
from zkgpu.jit.kernel import kernel, operation, subroutine

# most terms a sum of wide rows may have before it is collapsed; one less than the emitters allow, for the carry-over
TERMS = 511


def scratch_words(isa: InstructionSet, modulus: int) -> int:
    """int64 words of scratch: totals and products as wide rows, two addresses and a counter for each lane."""
    return isa.lanes * (2 * isa.over(modulus).row_words + 3)


# Bodies of the operations; see zkgpu.jit.kernel.operation.


def add_row(e: Any, total: Any, row: Any) -> None:
    e.accumulate(total, row, negative=False)


def subtract_row(e: Any, total: Any, row: Any) -> None:
    e.accumulate(total, row, negative=True)


def multiply_rows(e: Any, products: Any, addresses: Any) -> None:
    x = e.gather(e.lane_integers(addresses, e.integer(0)))
    coefficient = e.gather(e.lane_integers(addresses, e.integer(e.isa.lanes)))
    e.scatter(e.row_addresses(products), x * coefficient, to_sum=True)


def collapse_one(e: Any, total: Any) -> None:
    every_lane = [total] * e.isa.lanes
    e.scatter(every_lane, e.collapse(every_lane))


def collapse_block(e: Any, out: Any, offset: Any, totals: Any) -> None:
    e.store(e.collapse(e.row_addresses(totals)), out, offset)


def _counter(isa: InstructionSet, modulus: int) -> Any:
    """count(terms, lane, totals): notes one more term of a lane's total, which must not grow too long."""
    collapse, row_bytes = operation(isa, modulus)(collapse_one), 8 * isa.over(modulus).row_words

    @subroutine
    def count(terms: Any, lane: int, totals: int) -> None:
        terms[lane] += 1
        if terms[lane] == TERMS:
            collapse(totals + lane * row_bytes)
            terms[lane] = 1

    return count


def _products(isa: InstructionSet, modulus: int, add: Any, count: Any) -> Any:
    """add_products(...): adds the entries that need a product to the totals of a block of rows, `lanes` at a time."""
    multiply, lanes = operation(isa, modulus)(multiply_rows), isa.lanes
    row_bytes = 8 * isa.over(modulus).row_words

    @subroutine
    def add_products(
        x: int, table: int, others: Any, row: int, rows: int, totals: int, addresses: Any, terms: Any
    ) -> None:
        indptr, indices, coefficient = others
        products, lane, last = totals + lanes * row_bytes, 0, np.int64(indptr[row + rows]) - 1
        for first in range(np.int64(indptr[row]), last + 1, lanes):
            for k in range(lanes):  # beyond the last entry, that one again
                entry = min(first + k, last)
                addresses[k] = x + np.int64(indices[entry]) * row_bytes
                addresses[lanes + k] = table + np.int64(coefficient[entry]) * row_bytes
            multiply(products, addresses)
            for k in range(min(lanes, last + 1 - first)):
                while first + k >= indptr[row + lane + 1]:
                    lane += 1
                add(totals + lane * row_bytes, products + k * row_bytes)
                count(terms, lane, totals)

    return add_products


@kernel
def matvec(isa: InstructionSet, modulus: int) -> Callable[..., None]:
    """run(out, x, table, n_rows, ones, minus_ones, others, totals, scratch, begin, end), for row blocks [begin, end).

    out      blocks of the result
    x        address of the vector's wide rows;  table: address of the coefficients' wide rows
    ones     (indptr int32, indices int32) of the entries equal to 1; minus_ones likewise for -1: no product needed
    others   (indptr, indices, coefficient uint16 or int32) of all other entries
    scratch  (scratch_words(instruction set, modulus),) int64, 64-byte aligned, one a thread;  totals: its address
    """
    from zkgpu.jit.emitter import ROW_SUM_TERMS

    assert TERMS < ROW_SUM_TERMS, "more terms than a sum of rows may have"
    shape, lanes = isa.over(modulus), isa.lanes
    words, row_bytes, totals_words = shape.block_words, 8 * shape.row_words, lanes * shape.row_words
    of_field = operation(isa, modulus)
    add, subtract, collapse = of_field(add_row), of_field(subtract_row), of_field(collapse_block)
    count = _counter(isa, modulus)
    add_products = _products(isa, modulus, add, count)

    def run(
        out: Any,
        x: int,
        table: int,
        n_rows: int,
        ones: Any,
        minus_ones: Any,
        others: Any,
        totals: int,
        scratch: Any,
        begin: int,
        end: int,
    ) -> None:
        integers = scratch[2 * totals_words :]
        addresses, terms = integers[: 2 * lanes], integers[2 * lanes :]
        for block in range(begin, end):
            row = block * lanes
            rows = min(lanes, n_rows - row)
            scratch[:totals_words] = 0
            terms[:] = 0
            for lane in range(rows):
                for entry in range(np.int64(ones[0][row + lane]), np.int64(ones[0][row + lane + 1])):
                    add(totals + lane * row_bytes, x + np.int64(ones[1][entry]) * row_bytes)
                    count(terms, lane, totals)
                for entry in range(np.int64(minus_ones[0][row + lane]), np.int64(minus_ones[0][row + lane + 1])):
                    subtract(totals + lane * row_bytes, x + np.int64(minus_ones[1][entry]) * row_bytes)
                    count(terms, lane, totals)
            add_products(x, table, others, row, rows, totals, addresses, terms)
            collapse(out, block * words, totals)

    return run
