"""Inverses, running products, and division by X - root on the CPU: the work that depends on what came before it.

A vector is cut into chains that run side by side, one a lane. A first pass finds what each chain multiplies up to,
Python integers join the handful of chains, and a second pass starts each one from the right value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from functools import partial

import numpy as np

from zkgpu.fields import kernels, scan_kernels
from zkgpu.fields.cpu import Blocks, CpuField, CpuVector
from zkgpu.fields.field import Limbs, batch_inverse
from zkgpu.fields.scan_kernels import Rule
from zkgpu.jit.memory import aligned_zeros
from zkgpu.jit.threads import parallel, ranges
from zkgpu.records import dataclass


def inverse(cpu: CpuField, vector: CpuVector) -> CpuVector:
    """1/x for each entry, and 0 for 0.

    Batch inversion, by Montgomery's trick: three products an entry, and one inversion for all.
    """
    cpu.check(vector)
    out = cpu.zeros(len(vector))
    parts = ranges(len(vector.blocks), cpu.thread_count(len(vector)))
    states = _block_of_ones(cpu, len(parts))
    _over_parts(scan_kernels.products_before(cpu.isa, cpu.field.modulus), out, vector, states, parts)
    states = cpu.from_integers(batch_inverse(cpu.field, _integers(cpu, states))).blocks
    _over_parts(scan_kernels.inverses_from_products(cpu.isa, cpu.field.modulus), out, vector, states, parts)
    return out


def prefix_product(cpu: CpuField, vector: CpuVector) -> CpuVector:
    """x_0 * .. * x_i for each i."""
    chains = _Chains.of(cpu, vector)
    starts = [1]
    for total in chains.totals("product", [1] * chains.count):
        starts.append(starts[-1] * total % cpu.field.modulus)
    return chains.scanned("product", starts[:-1])


def divide_by_linear(cpu: CpuField, coefficients: CpuVector, root: int, leading: int = 0) -> CpuVector:
    """Quotient of coefficients(X) + leading X^n by X - root, n coefficients; the remainder is dropped."""
    if not len(coefficients):
        return coefficients
    chains = _Chains.of(cpu, coefficients)
    leading = chains.place_after(leading)
    return chains.scanned("horner", _horner_starts(chains, root, leading)[1:], root)


def evaluate(cpu: CpuField, coefficients: CpuVector, x: int) -> int:
    """The polynomial's value at x."""
    chains = _Chains.of(cpu, coefficients)
    return _horner_starts(chains, x, 0)[0]


def _horner_starts(chains: _Chains, x: int, leading: int) -> list[int]:
    """[the value at x, then the state each chain starts from], chains in the order of their coefficients."""
    p = chains.cpu.field.modulus
    power, states = pow(x, chains.length, p), [leading]
    for total in reversed(chains.totals("horner", [0] * chains.count, x)):
        states.append((total + power * states[-1]) % p)
    return states[::-1]


@dataclass(frozen=True, eq=False)
class _Chains:
    """A vector as wide rows, cut into `count` chains of `length` rows each; rows beyond the vector's n are 0."""

    cpu: CpuField
    n: int
    rows: Limbs = field(repr=False)
    count: int
    length: int

    @staticmethod
    def of(cpu: CpuField, vector: CpuVector) -> _Chains:
        cpu.check(vector)
        count = cpu.isa.lanes * cpu.thread_count(len(vector))
        length = max(1, -(-len(vector) // count))
        rows = aligned_zeros((length * count, cpu.layout.row_words))
        kernel = kernels.spread_rows(cpu.isa, cpu.field.modulus)
        parts = ranges(len(vector.blocks), cpu.thread_count(len(vector)))
        parallel([partial(kernel, rows.ctypes.data, vector.blocks, *part) for part in parts], len(parts))
        return _Chains(cpu, len(vector), rows, count, length)

    def place_after(self, value: int) -> int:
        """Puts a value into the row after the vector's last; hands it back when there is no such row."""
        if self.n == len(self.rows):
            return value
        self.rows[self.n] = self.cpu.spread(self.cpu.from_integers([value]))[0]
        return 0

    def totals(self, rule: Rule, starts: list[int], factor: int = 1) -> list[int]:
        """The last state of each chain that began with its start."""
        return _integers(self.cpu, self._run(rule, False, starts, factor))

    def scanned(self, rule: Rule, starts: list[int], factor: int = 1) -> CpuVector:
        """The vector of states, after each entry (product) or before it (horner). The rows are used up."""
        self._run(rule, True, starts, factor)
        out = self.cpu.zeros(self.n)
        kernel = scan_kernels.collect_rows(self.cpu.isa, self.cpu.field.modulus)
        parts = ranges(len(out.blocks), self.cpu.thread_count(self.n))
        parallel([partial(kernel, out.blocks, self.rows.ctypes.data, *part) for part in parts], len(parts))
        if self.n % self.cpu.isa.lanes:
            out.blocks[-1, :, self.n % self.cpu.isa.lanes :] = 0
        return out

    def _run(self, rule: Rule, write: bool, starts: list[int], factor: int) -> Blocks:
        """The states in blocks, one for each `lanes` chains, after all of them ran."""
        cpu, lanes, row_bytes = self.cpu, self.cpu.isa.lanes, 8 * self.cpu.layout.row_words
        kernel = scan_kernels.scan_rows(cpu.isa, cpu.field.modulus, rule, write)
        states, factors = cpu.from_integers(starts).blocks, cpu.from_integers([factor] * lanes).blocks
        # Horner's rule goes from the highest coefficient down
        first, stride = (self.length - 1, -row_bytes) if rule == "horner" else (0, row_bytes)
        at = self.rows.ctypes.data + row_bytes * (first + self.length * np.arange(self.count, dtype=np.int64))
        tasks = [
            partial(kernel, at[lanes * k : lanes * (k + 1)], stride, self.length, states[k], factors)
            for k in range(self.count // lanes)
        ]
        parallel(tasks, len(tasks))
        return states


def _block_of_ones(cpu: CpuField, count: int) -> Blocks:
    """That many blocks, 1 in every lane."""
    return cpu.from_integers([1] * (count * cpu.isa.lanes)).blocks


def _integers(cpu: CpuField, blocks: Blocks) -> list[int]:
    return cpu.to_integers(CpuVector(cpu.field, cpu.isa, blocks, len(blocks) * cpu.isa.lanes))


def _over_parts(
    kernel: Callable[..., None], out: CpuVector, source: CpuVector, states: Blocks, parts: list[tuple[int, int]]
) -> None:
    """kernel on each range of blocks, with a state of its own."""
    parallel([partial(kernel, out.blocks, source.blocks, states[k], *part) for k, part in enumerate(parts)], len(parts))
