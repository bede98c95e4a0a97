"""Phase 1 made ready for circuits: the file with Lagrange bases, which `groth16.setup` takes its points from.

It takes hours for large files, and holds no secret: blocks that take long are kept beside the output as soon as they
are made and checked, so that whoever was interrupted goes on from there. They go when the file is whole.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from zkgpu.backend.protocol import Backend
from zkgpu.ceremony.lagrange import LagrangeBases, is_lagrange
from zkgpu.ceremony.ptau import (
    CONTRIBUTIONS,
    HEADER,
    LAGRANGE_ALPHA_G1,
    LAGRANGE_BETA_G1,
    LAGRANGE_TAU_G1,
    LAGRANGE_TAU_G2,
    MAGIC,
    VERSION,
    PowersOfTau,
    contributions_bytes,
    header_bytes,
)
from zkgpu.errors import PointError, SelfCheckError, UsageError
from zkgpu.fields.field import Limbs
from zkgpu.formats.atomic import is_special, make_folder, replacing
from zkgpu.formats.container import BytesLike, Pieces, write_container
from zkgpu.records import dataclass
from zkgpu.stages import advance, stage, steps

log = logging.getLogger(__name__)

KEPT_FROM = 11  # logarithm of the points of a block that is kept: it takes a second
_BLOCK = re.compile(r"[0-9a-f]{32}-\d+-\d+\.points", re.ASCII)
_ROWS_AT_ONCE = 1 << 16


def prepare_powers(ptau: PowersOfTau, path: str | os.PathLike[str], backend: Backend) -> None:
    """Writes the powers with their Lagrange bases: byte for byte the file that snarkjs makes of all a ceremony's.

    Raises UsageError for as many powers as the field has no domain of twice the size for, PointError for a point that
    is none.
    """
    if ptau.power >= ptau.curve.scalar_field.two_adicity:
        raise UsageError(f"{ptau.path}: 2^{ptau.power} powers have no domain of twice the size: take fewer")
    with stage("check points"):
        _require_points(ptau, backend)
    kept = None if is_special(path) else _Kept.beside(path, ptau)
    g1, g2, k = ptau.curve.g1, ptau.curve.g2, ptau.power
    bases = {
        LAGRANGE_TAU_G1: LagrangeBases(backend, g1, ptau.tau_g1, k + 1),
        LAGRANGE_TAU_G2: LagrangeBases(backend, g2, ptau.tau_g2, k),
        LAGRANGE_ALPHA_G1: LagrangeBases(backend, g1, ptau.alpha_tau_g1, k),
        LAGRANGE_BETA_G1: LagrangeBases(backend, g1, ptau.beta_tau_g1, k),
    }
    with stage("make Lagrange points"), steps(sum(part.steps for part in bases.values())):
        write_container(
            path,
            MAGIC,
            VERSION,
            [
                (HEADER, [header_bytes(ptau.curve, ptau.power, ptau.ceremony_power)]),
                *((section, [rows]) for section, _, _, rows in ptau.points()),
                (CONTRIBUTIONS, [contributions_bytes(ptau.contributions)]),
                *((section, [_pieces(section, part, kept)]) for section, part in bases.items()),
            ],
        )
    if kept is not None:
        kept.remove()


def _require_points(ptau: PowersOfTau, backend: Backend) -> None:
    for _, what, group, rows in ptau.points():
        found = backend.first_invalid_point(group, rows)
        if found is not None:
            raise PointError(f"{ptau.path}: {what}: point {found[0]:,}: {found[1]}: copy the file again")


def _pieces(section: int, bases: LagrangeBases, kept: _Kept | None) -> Pieces:
    """One section: the blocks of all sizes, the smallest first."""
    count = (2 << bases.largest) - 1

    def make() -> Iterator[BytesLike]:
        for p in range(bases.largest + 1):
            block = None if kept is None else kept.load(section, p, bases)
            yield _made(section, p, bases, kept) if block is None else block

    return Pieces(8 * bases.group.row_limbs * count, make)


def _made(section: int, p: int, bases: LagrangeBases, kept: _Kept | None) -> Limbs:
    """A block, checked, and kept where that is worth it."""
    block = bases.block(p)
    if not is_lagrange(bases.backend, bases.group, block, bases.powers[: 1 << p]):
        raise SelfCheckError(f"section {section}, 2^{p} points: made wrong by {bases.backend.name}: run it again")
    if kept is not None and p >= KEPT_FROM:
        kept.save(section, p, block)
    return block


@dataclass(frozen=True)
class _Kept:
    """A folder of finished blocks.

    Attributes:
        name: what their files' names begin with: a digest of the powers they are of
    """

    folder: Path
    name: str

    @classmethod
    def beside(cls, path: str | os.PathLike[str], ptau: PowersOfTau) -> _Kept:
        """The blocks that an earlier run for the same powers and output left; those for others go."""
        state = hashlib.blake2b(digest_size=16)
        for _, _, _, rows in ptau.points():
            for begin in range(0, len(rows), _ROWS_AT_ONCE):
                state.update(rows[begin : begin + _ROWS_AT_ONCE].tobytes())
        kept = cls(Path(f"{os.fspath(path)}.blocks"), state.hexdigest())
        for file in kept.folder.glob("*.points"):
            if _BLOCK.fullmatch(file.name) and not file.name.startswith(kept.name):
                file.unlink()
        return kept

    def load(self, section: int, p: int, bases: LagrangeBases) -> Limbs | None:
        """A block that is there, of the right size, and right."""
        place = self._place(section, p)
        shape = (1 << p, bases.group.row_limbs)
        if not place.is_file() or place.stat().st_size != 8 * shape[0] * shape[1]:
            return None
        block = np.fromfile(place, "<u8").reshape(shape)
        if _is_right(bases, p, block):
            advance(bases.group.degree * (p << p >> 1))
            return block
        log.warning("%s: is not what it should be, and is made again", place)
        return None

    def save(self, section: int, p: int, block: Limbs) -> None:
        make_folder(self.folder)
        with replacing(self._place(section, p)) as file:
            file.write(np.ascontiguousarray(block).data)

    def remove(self) -> None:
        with suppress(OSError):
            for file in self.folder.glob(f"{self.name}*.points"):
                file.unlink()
            self.folder.rmdir()

    def _place(self, section: int, p: int) -> Path:
        return self.folder / f"{self.name}-{section}-{p}.points"


def _is_right(bases: LagrangeBases, p: int, block: Limbs) -> bool:
    """Whether a kept block has valid points, which are those of the powers."""
    valid = bases.backend.first_invalid_point(bases.group, block) is None
    return valid and is_lagrange(bases.backend, bases.group, block, bases.powers[: 1 << p])
