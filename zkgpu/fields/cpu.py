"""Vectors of field elements on the CPU: conversion, pointwise arithmetic, sparse matrix times vector.

field = CpuField(Fr, choose())
x = field.vector(limbs)                                  # (n, limbs) uint64 canonical -> blocks in Montgomery form
y = field.pointwise(lambda a, b: a * b - 1, x, x)
field.limbs(y)                                           # and back
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import LengthError, UsageError
from zkgpu.fields import kernels
from zkgpu.fields.field import Field, Limbs
from zkgpu.fields.trace import Program, trace
from zkgpu.jit.isa import InstructionSet, Layout, choose
from zkgpu.jit.memory import aligned_empty, aligned_zeros
from zkgpu.jit.threads import available_threads, parallel, ranges
from zkgpu.records import dataclass

# below this many elements a second thread costs more than it saves
PARALLEL_SIZE = 1 << 13
# elements that are spread at a time, which bounds what a borrowed vector takes beside its rows: a multiple of all lanes
SPREAD_SIZE = 1 << 18
# blocks a pointwise program handles between two steps: a register then takes 5 or 2 KiB of the first-level cache
CHUNK = {"ifma": 16, "fma": 16, "portable": 64}

Blocks = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class CpuVector:
    """n elements of a field in blocks: uint64 of shape Layout.shape(n), canonical, Montgomery with the isa's R."""

    field: Field
    isa: InstructionSet
    blocks: Blocks = dataclasses.field(repr=False)
    n: int

    def __len__(self) -> int:
        return self.n

    def part(self, begin: int, end: int) -> CpuVector:
        """The elements begin .. end, in the same memory; begin must be a multiple of the lanes."""
        lanes = self.isa.lanes
        return CpuVector(self.field, self.isa, self.blocks[begin // lanes : -(-end // lanes)], end - begin)


@dataclass(frozen=True, eq=False)
class BorrowedVector(CpuVector):
    """Elements as whoever lent them has them: `source`, (n, limbs) uint64 canonical. There are no blocks.

    It serves as what a matrix is multiplied with, and as scalars of sums.
    """

    source: Limbs = dataclasses.field(repr=False)

    def part(self, begin: int, end: int) -> BorrowedVector:
        return dataclasses.replace(self, source=self.source[begin:end], n=end - begin)


@dataclass(frozen=True)
class CpuField:
    """Vector arithmetic over one field by one instruction set.

    Attributes:
        threads: how many threads long vectors are spread over; None means all available
    """

    field: Field
    isa: InstructionSet
    threads: int | None = None

    # -- conversion

    def vector(self, limbs: Limbs) -> CpuVector:
        """The elements of an (n, limbs) uint64 array of little-endian limbs; integers >= p are reduced."""
        return self._imported(limbs, self._radix * self._radix % self._p)

    def limbs(self, vector: CpuVector) -> Limbs:
        """(n, limbs) uint64: canonical little-endian limbs."""
        return self._exported(vector, 1)

    def vector_from_montgomery(self, limbs: Limbs) -> CpuVector:
        """The elements of an (n, limbs) uint64 array in the Montgomery form of files, as by Field."""
        return self._imported(
            limbs, self._radix * self._radix * pow(self.field.montgomery_radix, -1, self._p) % self._p
        )

    def montgomery_limbs(self, vector: CpuVector) -> Limbs:
        """(n, limbs) uint64 in the Montgomery form of files, as by Field, canonical."""
        return self._exported(vector, self.field.montgomery_radix)

    def from_integers(self, values: list[int]) -> CpuVector:
        """The residues of Python integers."""
        return self.vector(self.field.to_limbs(values))

    def to_integers(self, vector: CpuVector) -> list[int]:
        """The entries as canonical Python integers."""
        return self.field.from_limbs(self.limbs(vector))

    def zeros(self, n: int) -> CpuVector:
        """n zeros."""
        return CpuVector(self.field, self.isa, aligned_zeros(self.layout.shape(n)), n)

    def copy(self, vector: CpuVector) -> CpuVector:
        """A vector with memory of its own."""
        out = self._empty(vector.n)
        self._split(vector.n, lambda begin, end: np.copyto(out.blocks[begin:end], vector.blocks[begin:end]))
        return out

    # -- arithmetic

    def pointwise(self, function: Callable[..., Any], *vectors: CpuVector, out: CpuVector | None = None) -> CpuVector:
        """function(*vectors), entry by entry, in one pass, for a function made of + - * and integers.

        Args:
            out: where to write, which may be one of the vectors. Raises LengthError unless all lengths agree.
        """
        if not vectors:
            raise UsageError("pointwise needs at least one vector")
        return self._run(trace(function, len(vectors), self._p), vectors, out)

    def product(self, x: CpuVector, y: CpuVector) -> CpuVector:
        """Entry by entry."""
        return self._run(Program(2, (), (("*", 0, 1),), (2,)), (x, y))

    def multiple(self, x: CpuVector, k: int, out: CpuVector | None = None) -> CpuVector:
        """k times each entry; out may be the vector itself."""
        return self._run(Program(1, (k % self._p,), (("*", 0, 1),), (2,)), (x,), out)

    def _run(self, program: Program, vectors: tuple[CpuVector, ...], out: CpuVector | None = None) -> CpuVector:
        n = vectors[0].n
        out = out or self._empty(n)
        for vector in (*vectors, out):
            self._check(vector, n)
        self._split(n, lambda begin, end: self._evaluate(program, vectors, out, begin, end))
        self._clear_padding(out)
        return out

    def multiply_by_powers(
        self, vector: CpuVector, base: int, scale: int = 1, out: CpuVector | None = None
    ) -> CpuVector:
        """vector[i] * scale * base^i; out may be the vector itself."""
        self.check(vector)
        out = out or self._empty(vector.n)
        self._check(out, vector.n)
        self._split(vector.n, lambda begin, end: self._progression(vector, out, base, scale, begin, end))
        self._clear_padding(out)
        return out

    def spread(self, vector: CpuVector) -> Limbs:
        """(n rounded up to whole blocks, row_words) uint64: one canonical element a row, for access in any order."""
        rows = aligned_empty((self.isa.blocks(vector.n) * self.isa.lanes, self.layout.row_words))
        for begin in range(0, vector.n, SPREAD_SIZE):
            self._spread(vector.part(begin, min(begin + SPREAD_SIZE, vector.n)), rows[begin:])
        return rows

    def _spread(self, vector: CpuVector, rows: Limbs) -> None:
        """Into the first of the rows."""
        if isinstance(vector, BorrowedVector):
            vector = self.vector(vector.source)
        self.check(vector)
        kernel = kernels.spread_rows(self.isa, self._p)
        self._split(vector.n, lambda begin, end: kernel(rows.ctypes.data, vector.blocks, begin, end))

    # -- inside

    @property
    def _p(self) -> int:
        return self.field.modulus

    @cached_property
    def layout(self) -> Layout:
        """How the field's elements lie in memory on this instruction set."""
        return self.isa.over(self._p)

    @property
    def _radix(self) -> int:
        return self.layout.montgomery_factor

    def _empty(self, n: int) -> CpuVector:
        return CpuVector(self.field, self.isa, aligned_empty(self.layout.shape(n)), n)

    def check(self, vector: CpuVector) -> None:
        """Raises UsageError for a vector of another field or instruction set, or that has no blocks."""
        if isinstance(vector, BorrowedVector):
            raise UsageError("a borrowed vector serves products with matrices and sums alone: make a vector of it")
        if (vector.field, vector.isa) != (self.field, self.isa):
            raise UsageError(
                f"a vector of {vector.field.name} on the {vector.isa.name} instruction set was given to arithmetic in "
                f"{self.field.name} on the {self.isa.name} instruction set: convert it through limbs"
            )

    def _check(self, vector: CpuVector, n: int) -> None:
        if vector.n != n:
            raise LengthError(f"vectors of {n} and {vector.n} entries: the two must be equally long")
        self.check(vector)

    def thread_count(self, n: int) -> int:
        """Threads worth using for n elements."""
        return 1 if n < PARALLEL_SIZE else self.threads or available_threads()

    def _split(self, n: int, work: Callable[[int, int], object]) -> None:
        """Runs work(begin, end) over ranges of blocks."""
        threads = self.thread_count(n)
        parts = ranges(self.isa.blocks(n), threads)
        parallel([partial(work, *part) for part in parts], threads)

    def _clear_padding(self, vector: CpuVector) -> None:
        if vector.n % self.isa.lanes:
            vector.blocks[-1, :, vector.n % self.isa.lanes :] = 0

    def _imported(self, limbs: Limbs, factor: int) -> CpuVector:
        if limbs.ndim != 2 or limbs.shape[1] != self.field.limbs or limbs.dtype != np.uint64:
            wanted = f"an (n, {self.field.limbs}) uint64 array"
            raise UsageError(f"elements come as {wanted}, not {limbs.dtype} of shape {limbs.shape}")
        out = self._empty(len(limbs))
        kernel = kernels.import_words(self.isa, self._p, factor)
        words, whole = np.ascontiguousarray(limbs), len(limbs) // self.isa.lanes
        self._split(whole * self.isa.lanes, lambda begin, end: kernel(out.blocks, words, begin, end))
        if whole < len(out.blocks):
            padded = np.zeros((self.isa.lanes, self.field.limbs), np.uint64)
            padded[: len(limbs) - whole * self.isa.lanes] = words[whole * self.isa.lanes :]
            kernel(out.blocks[whole:], padded, 0, 1)
        return out

    def _exported(self, vector: CpuVector, factor: int) -> Limbs:
        self.check(vector)
        words = np.empty((len(vector.blocks) * self.isa.lanes, self.field.limbs), np.uint64)
        kernel = kernels.export_words(self.isa, self._p, factor)
        self._split(vector.n, lambda begin, end: kernel(words, vector.blocks, begin, end))
        return words[: vector.n]

    def _block(self, values: list[int]) -> Blocks:
        """One block, from the values of its lanes, or from one that all have."""
        block, bits = aligned_empty(self.layout.shape(self.isa.lanes)), self.isa.limb_bits
        montgomery = [value * self._radix % self._p for value in values]
        for k, limb in enumerate(block[0]):
            limb[:] = [value >> k * bits & (1 << bits) - 1 for value in montgomery]
        return block

    def _progression(self, vector: CpuVector, out: CpuVector, base: int, scale: int, begin: int, end: int) -> None:
        lanes, p = self.isa.lanes, self._p
        first = scale * pow(base, begin * lanes, p)
        power = self._block([first * pow(base, lane, p) for lane in range(lanes)])
        ratio = self._block([pow(base, lanes, p)])
        kernels.multiply_by_progression(self.isa, p)(out.blocks, vector.blocks, power, ratio, begin, end)

    def _evaluate(self, program: Program, vectors: tuple[CpuVector, ...], out: CpuVector, begin: int, end: int) -> None:
        constants = [self._block([value]) for value in program.constants]
        chunk, stride = CHUNK[self.isa.name], 8 * self.layout.block_words
        registers, count = _allocate(program)
        scratch = aligned_empty((max(count, 1) * chunk, *self.layout.shape(1)[1:]))
        places = [(vector.blocks.ctypes.data, stride, stride) for vector in vectors]
        places += [(constant.ctypes.data, 0, 0) for constant in constants]
        places += [(scratch.ctypes.data + register * chunk * stride, 0, stride) for register in registers]
        places.append((out.blocks.ctypes.data, stride, stride))
        first = program.inputs + len(program.constants)
        table = [
            (kernels.OPERATORS.index(operator), *places[first + k], *places[left], *places[right])
            for k, (operator, left, right) in enumerate(program.steps)
        ]
        kernels.evaluate(self.isa, self._p)(np.array(table, np.int64), begin, end, chunk)


def borrowed(cpu: CpuField, limbs: Limbs) -> BorrowedVector:
    """A vector that takes no memory, for as long as the array stays as it is."""
    nothing = np.empty((0, *cpu.layout.shape(1)[1:]), np.uint64)
    return BorrowedVector(cpu.field, cpu.isa, nothing, len(limbs), limbs)


def computes(field: Field) -> bool:
    """Whether the instruction set that suits this CPU has arithmetic for the field."""
    try:
        choose().over(field.modulus)
    except UsageError:
        return False
    return True


def on_this_machine(field: Field) -> CpuField:
    """Arithmetic by the instruction set that suits this CPU, on all available threads."""
    return CpuField(field, choose())


def _allocate(program: Program) -> tuple[list[int], int]:
    """(the register of every step but the last, number of registers), each register free again after its last use."""
    first = program.inputs + len(program.constants)
    last_use, count = program.last_uses(), 0
    registers: list[int] = []
    free: list[int] = []
    for k, (_, left, right) in enumerate(program.steps[:-1]):
        free += [registers[v - first] for v in {left, right} if v >= first and last_use[v] == k]
        if not free:
            free.append(count)
            count += 1
        registers.append(free.pop())
    return registers, count
