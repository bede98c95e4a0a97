"""Kernels for what runs along a vector: running products, Horner's rule, batches of inverses.

Each lane follows a chain of its own, so that one block advances as many chains as it has lanes; zkgpu.fields.cpu_scan
cuts the vector into chains and joins them. Nothing is checked here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from zkgpu.jit.isa import InstructionSet
from zkgpu.jit.kernel import kernel, operation

Rule = Literal["product", "horner"]


@kernel
def scan_rows(isa: InstructionSet, modulus: int, rule: Rule, write: bool) -> Callable[..., None]:
    """run(addresses, stride, steps, state, factor): each lane goes `steps` rows from its address, `stride` bytes apart.

    product  the state of a lane is multiplied by the row it reads
    horner   the state is multiplied by the factor and the row added
    write    whether the row is replaced, by the state after it (product) or before it (horner)
    addresses  (lanes,) int64, changed;  state, factor  one block each, the state changed
    """

    @operation(isa, modulus)
    def advance(e: Any, addresses: Any, state: Any, factor: Any) -> None:
        zero = e.integer(0)
        rows, current = e.lane_integers(addresses, zero), e.load(state, zero)
        value = e.gather(rows)
        following = current * value if rule == "product" else current * e.load(factor, zero) + value
        following = following.canonical()
        if write:
            e.scatter(rows, following if rule == "product" else current)
        e.store(following, state, zero)

    lanes = isa.lanes

    def run(addresses: Any, stride: int, steps: int, state: Any, factor: Any) -> None:
        for _ in range(steps):
            advance(addresses, state, factor)
            for lane in range(lanes):
                addresses[lane] += stride

    return run


@kernel
def collect_rows(isa: InstructionSet, modulus: int) -> Callable[..., None]:
    """run(blocks, rows, begin, end): the opposite of spread_rows; rows is the address of row 0."""

    @operation(isa, modulus)
    def collect(e: Any, blocks: Any, rows: Any, offset: Any) -> None:
        e.store(e.gather(e.row_addresses(rows)), blocks, offset)

    shape = isa.over(modulus)
    words, block_bytes = shape.block_words, 8 * isa.lanes * shape.row_words

    def run(blocks: Any, rows: Any, begin: int, end: int) -> None:
        for k in range(begin, end):
            collect(blocks, rows + k * block_bytes, k * words)

    return run


@kernel
def products_before(isa: InstructionSet, modulus: int) -> Callable[..., None]:
    """run(out, blocks, state, begin, end): out[k] = state * blocks[begin] * .. * blocks[k - 1], lane by lane.

    Zeros count as ones. state: one block, left as the product of all.
    """

    @operation(isa, modulus)
    def advance(e: Any, out: Any, blocks: Any, state: Any, offset: Any) -> None:
        zero = e.integer(0)
        current, value = e.load(state, zero), e.load(blocks, offset)
        e.store(current, out, offset)
        e.store(e.select(value.is_zero(), current, (current * value).canonical()), state, zero)

    words = isa.over(modulus).block_words

    def run(out: Any, blocks: Any, state: Any, begin: int, end: int) -> None:
        for k in range(begin, end):
            advance(out, blocks, state, k * words)

    return run


@kernel
def inverses_from_products(isa: InstructionSet, modulus: int) -> Callable[..., None]:
    """run(out, blocks, state, begin, end): what products_before left in out becomes 1 / blocks, and 0 for 0.

    state  one block, changed: the inverse of the product of all blocks of the range.
    """

    @operation(isa, modulus)
    def retreat(e: Any, out: Any, blocks: Any, state: Any, offset: Any) -> None:
        zero = e.integer(0)
        current, value = e.load(state, zero), e.load(blocks, offset)
        is_zero = value.is_zero()
        # an entry that is 0 is its own answer
        e.store(e.select(is_zero, value, (e.load(out, offset) * current).canonical()), out, offset)
        e.store(e.select(is_zero, current, (current * value).canonical()), state, zero)

    words = isa.over(modulus).block_words

    def run(out: Any, blocks: Any, state: Any, begin: int, end: int) -> None:
        for k in range(begin, end):
            retreat(out, blocks, state, (begin + end - 1 - k) * words)

    return run
