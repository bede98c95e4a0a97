"""Transforms on a GPU: how a size is cut into passes, the tables of roots they need, and their launches."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import ClassVar

from zkgpu.curves.points import Curve
from zkgpu.errors import LengthError
from zkgpu.gpu.driver import OutOfMemory
from zkgpu.gpu.elements import scalar, scalar_source
from zkgpu.gpu.program import DeviceArray, Grid, Programs, allocate, upload
from zkgpu.ntt.domain import Domain
from zkgpu.records import dataclass

LOG_TILE = 10  # 2^10 elements are 36 KiB with their padding: within what every GPU gives a block unasked
MOST_VECTORS = (1 << 16) - 1  # rows of a grid
LOG_COLUMNS = 2  # 4 neighbors are one 128-byte line
ROOTS_SHARE = 8  # a table of roots may take 1/8 of the memory that is free
LEAST_TO_GIVE = 1 << 10  # a smaller table would help a device without memory little

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pass:
    """Stages on columns of 2^log_rows elements in blocks of 2^log_block, 2^log_columns neighboring columns a tile."""

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
class Roots:
    """The roots of all nodes of a domain in one table: which kernels read them, and as what arguments."""

    table: DeviceArray
    kernels: ClassVar = {False: "transform_pass", True: "restore_pass"}

    def arguments(self) -> dict[str, DeviceArray | int]:
        return {"roots": self.table}


@dataclass(frozen=True)
class SplitRoots:
    """The roots of all nodes of a domain in three small tables, as struct SplitRoots of cuda/ntt.cu reads them."""

    log_whole: int
    whole: DeviceArray
    high: DeviceArray
    low: DeviceArray
    kernels: ClassVar = {False: "transform_pass_split", True: "restore_pass_split"}

    def arguments(self) -> dict[str, DeviceArray | int]:
        return {"log_whole": self.log_whole, "whole": self.whole, "high": self.high, "low": self.low}


class Transforms:
    """Forward and inverse transforms over a scalar field: log2(n) / 2 products an element, and 1/2 more back.

    Roots are kept for the domains that were used, n scalars for each domain, coset and direction. Where memory is
    short they are put together from three tables of about sqrt(n) instead, at a product a root in the lower half of
    the stages: 7 products for 8 elements in a round of three.
    """

    def __init__(self, programs: Programs, curve: Curve, log_tile: int = LOG_TILE):
        self._driver, self._field, self._log_tile = programs.driver, curve.scalar_field, log_tile
        self._scalar = scalar(curve.scalar_field)
        self._program = programs(scalar_source(curve, "ntt.cu"))
        self._roots: dict[Key, Roots | SplitRoots] = {}
        self._split: set[Key] = set()

    def forward(self, coefficients: DeviceArray, domain: Domain) -> DeviceArray:
        """Values in bit-reversed order from coefficients in natural order; several vectors may stand in a row."""
        plan, vectors = self._plan(coefficients, domain)
        return self._run(plan, Key(domain, back=False), coefficients, vectors)

    def inverse(self, evaluations: DeviceArray, domain: Domain) -> DeviceArray:
        """Coefficients in natural order from values in bit-reversed order."""
        plan, vectors = self._plan(evaluations, domain)
        return self._run(plan[::-1], Key(domain, back=True), evaluations, vectors)

    @property
    def can_give(self) -> tuple[int, int]:
        """Whole tables go before all else: they are soon made again, and missed least."""
        most = max((key.domain.size for key in self._whole_tables()), default=0)
        return (3, most) if most else (0, 0)

    def give_back(self) -> None:
        """The largest whole table; its roots are put together from now on."""
        key = max(self._whole_tables(), key=lambda key: key.domain.size)
        log.warning("%s: memory is short: %d roots of unity lose their table", self._driver.name, key.domain.size)
        self._split.add(key)
        del self._roots[key]

    def _whole_tables(self) -> list[Key]:
        return [k for k, roots in self._roots.items() if isinstance(roots, Roots) and k.domain.size >= LEAST_TO_GIVE]

    def _plan(self, vector: DeviceArray, domain: Domain) -> tuple[tuple[Pass, ...], int]:
        vectors, rest = divmod(len(vector), domain.size)
        if rest or not vectors:
            raise LengthError(f"{domain.size} domain points but {len(vector)} values: the two must be equal")
        if vectors > MOST_VECTORS:
            raise LengthError(f"{vectors} vectors at once: more than {MOST_VECTORS}, transform them in parts")
        return passes(domain.log_size, self._log_tile, min(LOG_COLUMNS, self._log_tile - 1)), vectors

    def _run(self, plan: tuple[Pass, ...], key: Key, source: DeviceArray, vectors: int) -> DeviceArray:
        """The passes, all but the first in place."""
        if not plan:
            return source
        roots, out = self._roots_of(key), allocate(self._driver, self._scalar, len(source))
        for step in plan:
            self._launch(key, step, roots, source, out, vectors)
            source = out
        return out

    def _launch(
        self, key: Key, step: Pass, roots: Roots | SplitRoots, source: DeviceArray, out: DeviceArray, vectors: int
    ) -> None:
        size, domain = 1 << step.log_tile, key.domain
        shared = 2 * 16 * (size + size // 8)
        grid = Grid(domain.size >> step.log_tile, min(128, max(32, size // 8)), shared, vectors)
        names = {"log_block": step.log_block, "log_rows": step.log_rows, "log_columns": step.log_columns}
        arguments = {**names, **roots.arguments(), "in": source, "out": out}
        self._program.launch(roots.kernels[key.back], grid, log_size=domain.log_size, **arguments)

    def _roots_of(self, key: Key) -> Roots | SplitRoots:
        if key not in self._roots:
            self._roots[key] = self._whole_roots(key) or self._split_roots(key)
        return self._roots[key]

    def _whole_roots(self, key: Key) -> Roots | None:
        """All roots in one table; None where memory is too short for it."""
        n = key.domain.size
        if key in self._split or n * self._scalar.nbytes * ROOTS_SHARE > self._driver.free_memory:
            return None
        try:
            return Roots(self._tree(key, n, 0, key.levels()))
        except OutOfMemory:
            return None

    def _split_roots(self, key: Key) -> SplitRoots:
        """The first roots, those of every 2^log_whole-th node, and what the bits of a place below them multiply by."""
        log_whole = key.domain.log_size // 2
        plain = self._tree(key, 2 << log_whole, 0, [1] * (log_whole + 2))
        whole = self._tree(key, 1 << log_whole, 0, key.levels())
        high = self._tree(key, key.domain.size >> log_whole, log_whole, key.levels())
        return SplitRoots(log_whole, whole, high, plain.part(1 << log_whole, 2 << log_whole))

    def _tree(self, key: Key, n: int, log_step: int, levels: list[int]) -> DeviceArray:
        """The roots of the nodes i 2^log_step for i < n, of a tree whose levels begin with `levels`."""
        factors = key.factors()
        table = upload(self._driver, self._scalar, self._field.to_montgomery_limbs([*levels, *factors]))
        first, rest = table.part(0, len(levels)), table.part(len(levels), len(levels) + len(factors))
        out = allocate(self._driver, self._scalar, n)
        numbers = {"n": n, "log_step": log_step}
        self._program.launch("roots_of", Grid.over(n), **numbers, levels=first, factors=rest, out=out)
        return out


@dataclass(frozen=True)
class Key:
    """A domain and a direction: what a table of roots is made for."""

    domain: Domain
    back: bool

    def levels(self) -> list[int]:
        """The root of the first node of each level, offset^(n / 2^(level + 1)); before them what node 0 holds.

        On the way back their inverses; node 0, and node 1 besides, hold the factor 1/n.
        """
        f, n = self.domain.field, self.domain.size
        roots = [pow(self.domain.offset, n >> level + 1, f.modulus) for level in range(self.domain.log_size)]
        if not self.back:
            return [1, *roots]
        top, *below = (f.inverse(root) for root in roots)
        return [f.inverse(n), f.mul(top, f.inverse(n)), *below]

    def factors(self) -> list[int]:
        """A root of unity of order 2^(k + 2) for bit k of a node's place in its level; back, its inverse."""
        f, omega = self.domain.field, self.domain.omega
        omega = f.inverse(omega) if self.back else omega
        return [pow(omega, self.domain.size >> k + 2, f.modulus) for k in range(max(1, self.domain.log_size - 1))]
