"""Phase 1 of a setup, as whoever reads its file must check it: whether a .ptau file holds powers of one tau.

Checked for a circuit of N = 2^log_size rows, on exactly the points a key is made from:
 - every point is on its curve and in its subgroup;
 - tau^0 is the generator, tau^i in G1 and G2 and alpha tau^i, beta tau^i are geometric with one ratio tau;
 - beta in G2 is the beta of G1; the Lagrange blocks are the inverse transforms of the powers;
 - each recorded contribution proves knowledge of its factors of tau, alpha and beta, continues the one before, and
   the last leads to the file's points (`ceremony.chain`).
Sums with 128-bit random weights stand for all points of an array: a wrong point passes with probability 2^-128.
Not checked: the hash that links the file to each contributor's published response, which covers every point of the
original file and needs the responses themselves; of the last contribution `verify_file` checks it.
Bowe, Gabizon, Miers, eprint 2017/1050, section 4; formats as in snarkjs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from zkgpu.backend.protocol import Backend
from zkgpu.ceremony.chain import verify_contributions, verify_last_challenge
from zkgpu.ceremony.lagrange import Blocks, are_lagrange, is_lagrange
from zkgpu.ceremony.multiples import Term, weighted_sums
from zkgpu.ceremony.ptau import LAGRANGE_NAMES
from zkgpu.ceremony.published import require_powers
from zkgpu.ceremony.ratios import Ratio, require_proper, require_ratios
from zkgpu.curves.points import Group
from zkgpu.errors import FormatError, PointError, UsageError
from zkgpu.fields.field import Limbs
from zkgpu.records import dataclass
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.ceremony.ptau import PowersOfTau


def verify_powers(ptau: PowersOfTau, log_size: int, backend: Backend) -> None:
    """Raises FormatError or PointError, naming the array, unless the file is what this module's text says."""
    require_powers(ptau, log_size)
    check = _Check(ptau, backend, log_size)
    check.points()
    check.powers()
    check.lagrange(log_size)
    verify_contributions(ptau)


def verify_tau_powers(ptau: PowersOfTau, count: int, backend: Backend) -> None:
    """As verify_powers, for the first `count` powers of tau in G1 and tau in G2 alone: all that KZG takes of a file."""
    if not 2 <= count <= len(ptau.tau_g1):
        raise UsageError(f"{ptau.path}: has {len(ptau.tau_g1):,} powers in G1 and {count:,} are needed: take a larger")
    check = _Check(ptau, backend, 0)
    g1, g2 = ptau.curve.g1, ptau.curve.g2
    check.valid("powers of tau in G1", g1, ptau.tau_g1[:count])
    check.valid("powers of tau in G2", g2, ptau.tau_g2[:2])
    require_ratios(check.geometric({"powers of tau in G1": ptau.tau_g1[:count]}))
    verify_contributions(ptau)


def verify_file(ptau: PowersOfTau, backend: Backend) -> None:
    """As verify_powers, for all that the file has, prepared or not, and for the hash that the last contribution left.

    Of a file with only a part of its ceremony's powers, that hash is of points that are not there. Raises UsageError
    for a prepared file whose largest block the field has no domain for.
    """
    if ptau.lagrange is not None and ptau.power >= ptau.curve.scalar_field.two_adicity:
        raise UsageError(f"{ptau.path}: 2^{ptau.power} powers have no domain of twice the size: take a smaller file")
    check = _Check(ptau, backend, ptau.power)
    with stage("check points"):
        check.all_points()
    with stage("check contributions"):
        verify_contributions(ptau)
    with stage("check powers"):
        check.powers()
    if ptau.lagrange is not None:
        with stage("check Lagrange points"):
            check.lagrange(smallest=0)
    with stage("hash points"):
        verify_last_challenge(ptau, backend)


@dataclass(frozen=True)
class _Check:
    """The checks of one file, for circuits of 2^log_size rows."""

    ptau: PowersOfTau
    backend: Backend
    log_size: int

    @property
    def size(self) -> int:
        return 1 << self.log_size

    def points(self) -> None:
        for name, group, rows in self._arrays():
            self.valid(name, group, rows)
        require_proper(f"{self.ptau.path}: beta", self.ptau.beta_g1, self.ptau.beta_g2)

    def all_points(self) -> None:
        p, g1, g2 = self.ptau, self.ptau.curve.g1, self.ptau.curve.g2
        for _, name, group, rows in p.points():
            self.valid(name, group, rows)
        for name, group, rows in zip(LAGRANGE_NAMES, (g1, g2, g1, g1), p.lagrange or (), strict=p.lagrange is not None):
            self.valid(name, group, rows)

    def valid(self, name: str, group: Group, rows: Limbs) -> None:
        found = self.backend.first_invalid_point(group, rows)
        if found is not None:
            raise PointError(f"{self.ptau.path}: {name}: point {found[0]:,}: {found[1]}: copy the file again")

    def geometric(self, arrays: Mapping[str, Limbs]) -> list[Ratio]:
        """That in each array a point is tau times the one before it, and tau^0 is the generator in both groups."""
        p, g1, g2 = self.ptau, self.ptau.curve.g1, self.ptau.curve.g2
        if g1.from_rows(p.tau_g1[:1])[0] != g1.generator or g2.from_rows(p.tau_g2[:1])[0] != g2.generator:
            raise FormatError(f"{p.path}: tau^0 is not the generator: do not use this file")
        field, lengths = self.ptau.curve.scalar_field, {len(rows) for rows in arrays.values()}
        weights = {length: field.random_weights(length - 1) for length in lengths}
        parts = [Term(g1, part, weights[len(rows)]) for rows in arrays.values() for part in (rows[:-1], rows[1:])]
        sums, tau_g2 = weighted_sums(self.backend, parts), g2.from_rows(p.tau_g2[1:2])[0]
        return [
            Ratio(low, high, g2.generator, tau_g2, self._said(name))
            for name, low, high in zip(arrays, sums[::2], sums[1::2], strict=True)
        ]

    def powers(self) -> None:
        """Whether the powers in both groups, and those times alpha and beta, are of one tau and one beta."""
        p, n, g1, g2 = self.ptau, self.size, self.ptau.curve.g1, self.ptau.curve.g2
        geometric = self.geometric(
            {
                "powers of tau in G1": p.tau_g1[: 2 * n - 1],
                "alpha times powers": p.alpha_tau_g1[:n],
                "beta times powers": p.beta_tau_g1[:n],
            }
        )
        weights = self.ptau.curve.scalar_field.random_weights(n)
        of_tau = weighted_sums(self.backend, [Term(g1, p.tau_g1[:n], weights), Term(g2, p.tau_g2[:n], weights)])
        pairs = {"powers of tau in G2": of_tau, "beta in G2": [p.beta_g1, p.beta_g2]}
        one_g1, one_g2 = g1.generator, g2.generator
        same = [Ratio(one_g1, x, one_g2, y, self._said(name)) for name, (x, y) in pairs.items()]
        require_ratios([*geometric, *same])

    def lagrange(self, smallest: int) -> None:
        """Whether the blocks of 2^smallest points and more, up to those for this size of circuit, are the powers'."""
        p, largest = self.ptau, self.log_size
        right = are_lagrange(self.backend, self._blocks(smallest, largest), smallest, largest)
        for name, is_right in zip(LAGRANGE_NAMES, right, strict=True):
            if not is_right:
                raise FormatError(self._said(f"{name}, 2^{self._wrong_block(name, smallest)}"))
        if not is_lagrange(self.backend, p.curve.g1, p.lagrange_tau_g1(largest + 1), p.tau_g1):
            raise FormatError(self._said(f"{LAGRANGE_NAMES[0]}, twice the size"))

    def _blocks(self, smallest: int, largest: int) -> list[Blocks]:
        """Of each Lagrange section those of some sizes."""
        p, g1, g2 = self.ptau, self.ptau.curve.g1, self.ptau.curve.g2
        powers = ((g1, p.tau_g1), (g2, p.tau_g2), (g1, p.alpha_tau_g1), (g1, p.beta_tau_g1))
        rows = (p.lagrange_blocks(which, smallest, largest) for which in range(len(powers)))
        return [Blocks(group, blocks, of) for (group, of), blocks in zip(powers, rows, strict=True)]

    def _wrong_block(self, name: str, smallest: int) -> int:
        """The first size whose block is not that of the powers, in a section that has such a one."""
        which = LAGRANGE_NAMES.index(name)
        sizes = (k for k in range(smallest, self.log_size) if not self._is_right(which, k))
        return next(sizes, self.log_size)

    def _is_right(self, which: int, k: int) -> bool:
        return are_lagrange(self.backend, [self._blocks(k, k)[which]], k, k)[0]

    def _arrays(self) -> list[tuple[str, Group, Limbs]]:
        p, n, k, g1, g2 = self.ptau, self.size, self.log_size, self.ptau.curve.g1, self.ptau.curve.g2
        return [
            ("powers of tau in G1", g1, p.tau_g1[: 2 * n]),
            ("powers of tau in G2", g2, p.tau_g2[: max(2, n)]),
            ("alpha times powers", g1, p.alpha_tau_g1[:n]),
            ("beta times powers", g1, p.beta_tau_g1[:n]),
            ("Lagrange points of tau in G1", g1, p.lagrange_tau_g1(k)),
            ("Lagrange points of tau in G1, twice the size", g1, p.lagrange_tau_g1(k + 1)),
            ("Lagrange points of tau in G2", g2, p.lagrange_tau_g2(k)),
            ("Lagrange points of alpha tau", g1, p.lagrange_alpha_g1(k)),
            ("Lagrange points of beta tau", g1, p.lagrange_beta_g1(k)),
        ]

    def _said(self, name: str) -> str:
        return f"{self.ptau.path}: {name}: not the powers of one tau: do not use this file"
