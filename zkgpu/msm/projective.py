"""Kernels on projective points: the reduction of a window's buckets, and programs of additions."""

from __future__ import annotations

from typing import Any

from zkgpu.jit.kernel import kernel, operation
from zkgpu.jit.path import InstructionPath
from zkgpu.msm.formulas import Coordinates, add, add_affine, double


def point_words(path: InstructionPath, degree: int) -> int:
    """64-bit words of a block of projective points."""
    return 3 * degree * path.block_words


def set_infinity(path: InstructionPath, modulus: int, degree: int) -> Any:
    """clear(memory, at): the block at word `at` becomes infinity in every lane."""

    @operation(path, modulus)
    def clear(e: Any, memory: Any, at: Any) -> None:
        curve = Coordinates(e, degree)
        curve.store_projective(curve.infinity(), memory, at)

    return clear


def doubling(path: InstructionPath, modulus: int, degree: int, b3: tuple[int, int]) -> Any:
    """twice(memory, at): doubles the block in place."""

    @operation(path, modulus)
    def twice(e: Any, memory: Any, at: Any) -> None:
        curve = Coordinates(e, degree, b3)
        curve.store_projective(double(curve, curve.load_projective(memory, at)), memory, at)

    return twice


def mixed_addition(path: InstructionPath, modulus: int, degree: int, b3: tuple[int, int]) -> Any:
    """add(memory, out, at, references): block out = block at + the referenced affine points."""

    @operation(path, modulus)
    def add_references(e: Any, memory: Any, out: Any, at: Any, references: Any) -> None:
        curve = Coordinates(e, degree, b3)
        q = curve.gather(references, e.integer(0))
        curve.store_projective(add_affine(curve, curve.load_projective(memory, at), q), memory, out)

    return add_references


def addition(path: InstructionPath, modulus: int, degree: int, b3: tuple[int, int]) -> Any:
    """add(memory, out, a, b): block out = block a + block b."""

    @operation(path, modulus)
    def add_blocks(e: Any, memory: Any, out: Any, a: Any, b: Any) -> None:
        curve = Coordinates(e, degree, b3)
        total = add(curve, curve.load_projective(memory, a), curve.load_projective(memory, b))
        curve.store_projective(total, memory, out)

    return add_blocks


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

    clear, row_bytes = set_infinity(path, modulus, degree), 64 * degree

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

    add_blocks = addition(path, modulus, degree, (b3_0, b3_1))

    def run(blocks, program):
        for row in program:
            add_blocks(blocks, row[0] * size, row[1] * size, row[2] * size)

    return run
