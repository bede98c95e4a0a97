"""Kernels on projective points: the reduction of a window's buckets, and programs of additions."""

from __future__ import annotations

from typing import Any

from zkgpu.jit.kernel import kernel, operation
from zkgpu.jit.path import InstructionPath
from zkgpu.msm.formulas import Coordinates, add, add_affine


def point_words(path: InstructionPath, degree: int) -> int:
    """64-bit words of a block of projective points."""
    return 3 * degree * path.block_words


@kernel
def reduce_buckets(path: InstructionPath, modulus: int, degree: int, b3_0: int, b3_1: int) -> Any:
    """reduce(buckets, count, sums): each lane l takes the buckets B_1 .. B_count at row l * count.

    buckets  address of lanes * count rows
    sums     receives sum B_j and sum j B_j, one block of projective points each
    """
    size = point_words(path, degree)

    @operation(path, modulus)
    def step(e: Any, row: Any, stride: Any, sums: Any) -> None:
        curve = Coordinates(e, degree, (b3_0, b3_1))
        lanes = [e.builder.add(row, e.builder.mul(stride, e.integer(lane))) for lane in range(path.lanes)]
        running = add_affine(curve, curve.load_projective(sums, e.integer(0)), curve.load_points(lanes))
        curve.store_projective(running, sums, e.integer(0))
        weighted = add(curve, curve.load_projective(sums, e.integer(size)), running)
        curve.store_projective(weighted, sums, e.integer(size))

    @operation(path, modulus)
    def clear(e: Any, sums: Any, offset: Any) -> None:
        curve = Coordinates(e, degree)
        curve.store_projective(curve.infinity(), sums, offset)

    row_bytes = 64 * degree

    def run(buckets, count, sums):
        clear(sums, 0)
        clear(sums, size)
        for j in range(count - 1, -1, -1):
            step(buckets + j * row_bytes, count * row_bytes, sums)

    return run


@kernel
def run_additions(path: InstructionPath, modulus: int, degree: int, b3_0: int, b3_1: int) -> Any:
    """run(blocks, program): for each row (out, a, b), block out = block a + block b, in order.

    blocks   one-dimensional, blocks of projective points
    program  (k, 3) int64, block numbers
    """
    size = point_words(path, degree)

    @operation(path, modulus)
    def addition(e: Any, blocks: Any, out: Any, a: Any, b: Any) -> None:
        curve = Coordinates(e, degree, (b3_0, b3_1))
        total = add(curve, curve.load_projective(blocks, a), curve.load_projective(blocks, b))
        curve.store_projective(total, blocks, out)

    def run(blocks, program):
        for row in program:
            addition(blocks, row[0] * size, row[1] * size, row[2] * size)

    return run
