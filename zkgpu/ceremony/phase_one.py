"""Phase 1 as those who hold it do it: a new file of powers, and contributions to it, in snarkjs' format.

A contribution multiplies tau, alpha and beta by secrets x, a and b: the i-th power of tau by x^i, alpha's and beta's
by a x^i and b x^i. It shows to know them (`ceremony.chain` says how that is checked), and hashes:

    response        BLAKE2b(challenge | new points, x alone | keys)
    next challenge  BLAKE2b(response | new points)

Bowe, Gabizon, Miers, eprint 2017/1050, section 4; iden3/snarkjs, src/powersoftau_*.js (formats only). Points go through
by pieces, so that memory is bounded. The secrets are never written; they are dropped when the file is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import BinaryIO

import numpy as np

from zkgpu.backend.protocol import Backend
from zkgpu.ceremony.chain import Draws, first_challenge, next_challenge
from zkgpu.ceremony.challenge import encode_short
from zkgpu.ceremony.contributors import BEACON, NORMAL
from zkgpu.ceremony.draws import Beacon, require_beacon, require_name, secret_of_system
from zkgpu.ceremony.multiples import progression, times_each
from zkgpu.ceremony.ptau import (
    ALPHA_TAU_G1,
    BETA_G2,
    BETA_TAU_G1,
    CONTRIBUTIONS,
    HEADER,
    MAGIC,
    TAU_G1,
    TAU_G2,
    VERSION,
    PhaseOneContribution,
    PowersOfTau,
    contributions_bytes,
    header_bytes,
)
from zkgpu.curves.points import Curve, Group, Point
from zkgpu.curves.sums import multiply_many
from zkgpu.errors import PointError, UsageError
from zkgpu.fields.field import Limbs
from zkgpu.formats.atomic import is_special, replacing
from zkgpu.formats.container import Pieces, Section, begin_container, map_file, write_container, write_section
from zkgpu.stages import advance, stage, steps
from zkgpu.store.open_hash import OpenHash

PIECE = 1 << 14  # points that go through together
_SECTIONS = 7

StrPath = str | os.PathLike[str]


def write_new_powers(path: StrPath, curve: Curve, power: int) -> None:
    """The file that a ceremony of 2^power powers starts from: tau, alpha and beta are 1, all points generators."""
    if not 1 <= power < curve.scalar_field.two_adicity:
        raise UsageError(f"2^{power} powers: give 1 to {curve.scalar_field.two_adicity - 1} for {curve.title}")
    n, g1, g2 = 1 << power, curve.g1, curve.g2
    counts = ((TAU_G1, g1, 2 * n - 1), (TAU_G2, g2, n), (ALPHA_TAU_G1, g1, n), (BETA_TAU_G1, g1, n), (BETA_G2, g2, 1))
    points = [(section, [_repeated(group.generator, count)]) for section, group, count in counts]
    header = (HEADER, [header_bytes(curve, power, power)])
    write_container(path, MAGIC, VERSION, [header, *points, (CONTRIBUTIONS, [contributions_bytes(())])])


def _repeated(point: Point, count: int) -> Pieces:
    row = point.group.to_rows([point])
    sizes = [min(PIECE, count - begin) for begin in range(0, count, PIECE)]
    return Pieces(count * row.nbytes, lambda: (np.tile(row, (size, 1)) for size in sizes))


def contribute_powers(
    ptau: PowersOfTau,
    path: StrPath,
    backend: Backend,
    *,
    name: str = "",
    entropy: bytes = b"",
    beacon: Beacon | None = None,
) -> PhaseOneContribution:
    """Writes the powers with one contribution more, and returns it. Lagrange points are left out: prepare again.

    Args:
        entropy: mixed into what the operating system gives
        beacon: makes the contribution from what everybody knows: the last one of a ceremony

    Raises UsageError for a file that has only a part of its ceremony's powers, PointError for points that would give
    the secrets away: off their curve, or outside the subgroup.
    """
    require_name(name)
    if beacon is not None:
        require_beacon(beacon)
    _require_whole(ptau, path)
    before = ptau.contributions
    challenge = before[-1].next_challenge if before else first_challenge(ptau.curve, ptau.power)
    drawn = Draws.of_beacon(ptau.curve, beacon) if beacon else _of_system(ptau.curve, entropy)
    with replacing(path) as stream:
        begin_container(stream, MAGIC, VERSION, _SECTIONS)
        write_section(stream, HEADER, [header_bytes(ptau.curve, ptau.power, ptau.power)])
        response = OpenHash()
        response.update(challenge)
        places = _write_multiplied(stream, ptau, drawn, response, backend)
        written = _read_back(stream, ptau, places)
        tau, alpha, beta = drawn.proofs(ptau.curve, challenge)
        kind, state = BEACON if beacon else NORMAL, response.state()
        contribution = PhaseOneContribution(*written.state, tau, alpha, beta, state, b"", kind, name, beacon)
        contribution = replace(contribution, next_challenge=next_challenge(written, contribution, backend))
        write_section(stream, CONTRIBUTIONS, [contributions_bytes((*before, contribution))])
    return contribution


def _require_whole(ptau: PowersOfTau, path: StrPath) -> None:
    """Raises UsageError for a part of a ceremony's powers, or an output that cannot be read again."""
    if ptau.is_reduced:
        raise UsageError(
            f"{ptau.path}: has 2^{ptau.power} of 2^{ptau.ceremony_power} powers: contribute to the file with all"
        )
    if is_special(path):
        raise UsageError(f"{os.fspath(path)}: is no regular file, and what is written must be read again: name a file")


def _of_system(curve: Curve, entropy: bytes) -> Draws:
    tau, alpha, beta, *logarithms = (secret_of_system(curve.scalar_field, entropy) for _ in range(6))
    return Draws(tau, alpha, beta, tuple(multiply_many([curve.g1.generator] * 3, logarithms)))


def _write_multiplied(
    stream: BinaryIO, ptau: PowersOfTau, drawn: Draws, response: OpenHash, backend: Backend
) -> list[Section]:
    """Writes sections 2 to 6 times the secrets' powers, and hashes them into the response. Where they lie."""
    factors = (1, 1, drawn.alpha, drawn.beta, drawn.beta)
    points = ptau.points()
    places = []
    with stage("multiply points"), steps(sum(len(rows) * group.degree for _, _, group, rows in points)):
        for (section, what, group, rows), first in zip(points, factors, strict=True):
            made = _multiplied(f"{ptau.path}: {what}", group, rows, first, drawn.tau, backend)
            pieces = Pieces(rows.nbytes, partial(_hashed, made, response, group, backend))
            places.append(write_section(stream, section, [pieces]))
    return places


def _multiplied(where: str, group: Group, rows: Limbs, first: int, ratio: int, backend: Backend) -> Iterator[Limbs]:
    """first ratio^i times point i, by pieces, each of which is checked before a secret touches it."""
    order = group.order
    for begin in range(0, len(rows), PIECE):
        piece = rows[begin : begin + PIECE]
        found = backend.first_invalid_point(group, piece)
        if found is not None:
            raise PointError(f"{where}: point {begin + found[0]:,}: {found[1]}: do not contribute to this file")
        scalars = progression(backend, first * pow(ratio, begin, order) % order, ratio, len(piece))
        yield times_each(backend, group, backend.limbs(scalars), piece)
        advance(len(piece) * group.degree)


def _hashed(pieces: Iterable[Limbs], response: OpenHash, group: Group, backend: Backend) -> Iterator[Limbs]:
    for piece in pieces:
        response.update(encode_short(group, piece, backend))
        yield piece


def _read_back(stream: BinaryIO, ptau: PowersOfTau, places: list[Section]) -> PowersOfTau:
    """The points of the file that is being written, in place of those it is made of."""
    stream.flush()
    data, g1, g2 = map_file(stream.name), ptau.curve.g1, ptau.curve.g2
    tau_g1, tau_g2, alpha, beta, beta_g2 = (
        data[place.start : place.end].view("<u8").reshape(-1, group.row_limbs)
        for place, group in zip(places, (g1, g2, g1, g1, g2), strict=True)
    )
    return replace(
        ptau,
        tau_g1=tau_g1,
        tau_g2=tau_g2,
        alpha_tau_g1=alpha,
        beta_tau_g1=beta,
        beta_g2=g2.from_rows(beta_g2)[0],
        lagrange=None,
    )
