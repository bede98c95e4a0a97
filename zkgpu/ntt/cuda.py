"""Transforms on a GPU: how a size is cut into passes, the tables of powers they need, and their launches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from zkgpu.errors import LengthError
from zkgpu.fields.field import Field
from zkgpu.gpu.elements import SCALAR, scalar_source
from zkgpu.gpu.program import DeviceArray, Grid, Programs, allocate, upload
from zkgpu.ntt.domain import Domain

LOG_TILE = 10  # 2^10 elements are 36 KiB with their padding: within what every GPU gives a block unasked
MOST_VECTORS = (1 << 16) - 1  # rows of a grid
LOG_COLUMNS = 2  # 4 neighbours are one 128-byte line


@dataclass(frozen=True)
class Pass:
    """Stages on columns of 2^log_rows elements in blocks of 2^log_block, 2^log_columns neighbouring columns a tile."""

    log_block: int
    log_rows: int
    log_columns: int

    @property
    def log_tile(self) -> int:
        return self.log_rows + self.log_columns


@lru_cache
def passes(log_size: int, log_tile: int = LOG_TILE, log_columns: int = LOG_COLUMNS) -> tuple[Pass, ...]:
    """The passes forward, from blocks of the whole size down to blocks that are one tile.

    The last pass has one column and so takes a whole tile of rows, or its lanes would have no elements; the others
    share the stages above it, with as many columns as fill their tiles and at least 2^log_columns.
    """
    last = min(log_size, log_tile)
    above = log_size - last
    out = []
    for left in range(-(-above // (log_tile - log_columns)), 0, -1):
        rows = -(-above // left)
        out.append(Pass(above + last, rows, log_tile - rows))
        above -= rows
    return (*out, Pass(last, last, 0)) if last else ()


@dataclass(frozen=True)
class Powers:
    """Powers of one element in two tables: base^e = high[e >> log_low] * low[e mod 2^log_low]."""

    low: DeviceArray
    high: DeviceArray


class Transforms:
    """Forward and inverse transforms over a field. Tables are kept for the domains that were used."""

    def __init__(self, programs: Programs, curve: str, field: Field, log_tile: int = LOG_TILE):
        self._driver, self._field, self._log_tile = programs.driver, field, log_tile
        self._program = programs(scalar_source(curve, "ntt.cu"))
        self._tables: dict[tuple[int, int, int], Powers] = {}
        self._roots: dict[int, DeviceArray] = {}

    def forward(self, coefficients: DeviceArray, domain: Domain) -> DeviceArray:
        """Values in bit-reversed order from coefficients in natural order; several vectors may stand in a row."""
        plan, vectors = self._plan(coefficients, domain)
        shift = None if domain.offset == 1 else self._powers(domain, domain.offset, 1)
        out = coefficients
        for k, step in enumerate(plan):
            out = self._launch("transform_pass", domain, domain.omega, step, shift if k == 0 else None, out, vectors)
        return out

    def inverse(self, evaluations: DeviceArray, domain: Domain) -> DeviceArray:
        """Coefficients in natural order from values in bit-reversed order."""
        plan, vectors = self._plan(evaluations, domain)
        f = self._field
        shift = self._powers(domain, f.inverse(domain.offset), f.inverse(domain.size))
        out, root = evaluations, f.inverse(domain.omega)
        for k, step in enumerate(reversed(plan)):
            last = k + 1 == len(plan)
            out = self._launch("restore_pass", domain, root, step, shift if last else None, out, vectors)
        return out

    def _plan(self, vector: DeviceArray, domain: Domain) -> tuple[tuple[Pass, ...], int]:
        vectors, rest = divmod(len(vector), domain.size)
        if rest or not vectors:
            raise LengthError(f"{domain.size} domain points but {len(vector)} values: the two must be equal")
        if vectors > MOST_VECTORS:
            raise LengthError(f"{vectors} vectors at once: more than {MOST_VECTORS}, transform them in parts")
        return passes(domain.log_size, self._log_tile, min(LOG_COLUMNS, self._log_tile - 1)), vectors

    def _launch(
        self, kernel: str, domain: Domain, root: int, step: Pass, shift: Powers | None, source: DeviceArray, rows: int
    ) -> DeviceArray:
        out = allocate(self._driver, SCALAR, len(source))
        omega = self._powers(domain, root, 1)
        factor = shift or omega
        size = 1 << step.log_tile
        shared = 2 * 16 * (size + size // 8)
        grid = Grid(domain.size >> step.log_tile, min(128, max(32, size // 8)), shared, rows)
        names = {"log_block": step.log_block, "log_rows": step.log_rows, "log_columns": step.log_columns}
        self._program.launch(
            kernel,
            grid,
            log_size=domain.log_size,
            **names,
            log_roots=step.log_rows - 1,
            roots=self._roots_of(root, domain, step.log_rows),
            log_low=_log_low(domain),
            omega_low=omega.low,
            omega_high=omega.high,
            shifted=int(shift is not None),
            shift_low=factor.low,
            shift_high=factor.high,
            **{"in": source},
            out=out,
        )
        return out

    def _roots_of(self, root: int, domain: Domain, log_rows: int) -> DeviceArray:
        """The powers below half of the order of a root of order 2^log_rows."""
        base = pow(root, domain.size >> log_rows, self._field.modulus)
        if base not in self._roots:
            self._roots[base] = self._powers_array(base, 1, max(1, (1 << log_rows) // 2))
        return self._roots[base]

    def _powers(self, domain: Domain, base: int, factor: int) -> Powers:
        """factor * base^e for e below the domain's size."""
        key = (domain.log_size, base, factor)
        if key not in self._tables:
            log_low = _log_low(domain)
            big = pow(base, 1 << log_low, self._field.modulus)
            low = self._powers_array(base, 1, 1 << log_low)
            self._tables[key] = Powers(low, self._powers_array(big, factor, domain.size >> log_low))
        return self._tables[key]

    def _powers_array(self, base: int, factor: int, n: int) -> DeviceArray:
        f = self._field
        squares = [pow(base, 1 << k, f.modulus) for k in range(max(1, n.bit_length()))]
        rows = f.to_montgomery_limbs([*squares, factor])
        table = upload(self._driver, SCALAR, np.ascontiguousarray(rows))
        out = allocate(self._driver, SCALAR, n)
        m = len(squares)
        self._program.launch(
            "powers_of", Grid.over(n), n=n, squares=table.part(0, m), factor=table.part(m, m + 1), out=out
        )
        return out


def _log_low(domain: Domain) -> int:
    return (domain.log_size + 1) // 2
