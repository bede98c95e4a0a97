"""Kernels on projective points: the reduction of a window's buckets, and programs of additions."""

from __future__ import annotations

from typing import Any

from zkgpu.jit.kernel import kernel, operation
from zkgpu.msm.formulas import Coordinates, add, add_affine, double
from zkgpu.msm.group import KernelGroup


def set_infinity(shape: KernelGroup) -> Any:
    """clear(memory, at): the block at word `at` becomes infinity in every lane."""

    @operation(shape.isa, shape.modulus)
    def clear(e: Any, memory: Any, at: Any) -> None:
        curve = Coordinates(e, shape)
        curve.store_projective(curve.infinity(), memory, at)

    return clear


def doubling(shape: KernelGroup) -> Any:
    """twice(memory, at): doubles the block in place."""

    @operation(shape.isa, shape.modulus)
    def twice(e: Any, memory: Any, at: Any) -> None:
        curve = Coordinates(e, shape)
        curve.store_projective(double(curve, curve.load_projective(memory, at)), memory, at)

    return twice


def mixed_addition(shape: KernelGroup) -> Any:
    """add(memory, out, at, references): block out = block at + the referenced affine points."""

    @operation(shape.isa, shape.modulus)
    def add_references(e: Any, memory: Any, out: Any, at: Any, references: Any) -> None:
        curve = Coordinates(e, shape)
        q = curve.gather(references, e.integer(0))
        curve.store_projective(add_affine(curve, curve.load_projective(memory, at), q), memory, out)

    return add_references


def addition(shape: KernelGroup) -> Any:
    """add(memory, out, a, b): block out = block a + block b."""

    @operation(shape.isa, shape.modulus)
    def add_blocks(e: Any, memory: Any, out: Any, a: Any, b: Any) -> None:
        curve = Coordinates(e, shape)
        total = add(curve, curve.load_projective(memory, a), curve.load_projective(memory, b))
        curve.store_projective(total, memory, out)

    return add_blocks


@kernel
def reduce_buckets(shape: KernelGroup) -> Any:
    """reduce(buckets, sets, count, sums): in each set, lane l takes the buckets B_1 .. B_count at row l * count.

    buckets  address of sets * lanes * count rows
    sums     receives sum B_j and sum j B_j of each set, one block of projective points each
    """
    size = shape.point_words

    @operation(shape.isa, shape.modulus)
    def step(e: Any, row: Any, stride: Any, sums: Any, at: Any) -> None:
        curve = Coordinates(e, shape)
        lanes = [e.builder.add(row, e.builder.mul(stride, e.integer(lane))) for lane in range(shape.isa.lanes)]
        running = add_affine(curve, curve.load_projective(sums, at), curve.load_points(lanes))
        curve.store_projective(running, sums, at)
        weighted = add(curve, curve.load_projective(sums, e.shifted(at, size)), running)
        curve.store_projective(weighted, sums, e.shifted(at, size))

    clear, row_bytes, lanes = set_infinity(shape), shape.row_bytes, shape.isa.lanes

    def run(buckets: int, sets: int, count: int, sums: Any) -> None:
        for s in range(sets):
            at, first = 2 * size * s, buckets + s * lanes * count * row_bytes
            clear(sums, at)
            clear(sums, at + size)
            for j in range(count - 1, -1, -1):
                step(first + j * row_bytes, count * row_bytes, sums, at)

    return run


@kernel
def run_additions(shape: KernelGroup) -> Any:
    """run(blocks, program): for each row (out, a, b), block out = block a + block b, in order.

    blocks   one-dimensional, blocks of projective points
    program  (k, 3) int64, block numbers
    """
    size = shape.point_words

    add_blocks = addition(shape)

    def run(blocks: Any, program: Any) -> None:
        for row in program:
            add_blocks(blocks, row[0] * size, row[1] * size, row[2] * size)

    return run
