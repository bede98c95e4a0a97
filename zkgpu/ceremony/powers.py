"""Phase 1 of a setup, as whoever reads its file must check it: whether a .ptau file holds powers of one tau.

Checked for a circuit of N = 2^log_size rows, on exactly the points a key is made from:
 - every point is on its curve and in its subgroup;
 - tau^0 is the generator, tau^i in G1 and G2 and alpha tau^i, beta tau^i are geometric with one ratio tau;
 - beta in G2 is the beta of G1; the Lagrange blocks are the inverse transforms of the powers;
 - each recorded contribution proves knowledge of its factors of tau, alpha and beta, continues the one before, and
   the last leads to the file's points.
Sums with 128-bit random weights stand for all points of an array: a wrong point passes with probability 2^-128.
Not checked: the hash that links the file to each contributor's published response, which covers every point of the
original file and needs the responses themselves; and that a beacon's factors come from the beacon.
Bowe, Gabizon, Miers, eprint 2017/1050, section 4; formats as in snarkjs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zkgpu.backend.protocol import Backend
from zkgpu.ceremony.challenge import blake2b, encode, hash_to_g2
from zkgpu.ceremony.ratios import require_proper, same_ratio
from zkgpu.curves.points import Curve, Group, Point
from zkgpu.errors import FormatError, InsecureKeyError, PointError, UsageError
from zkgpu.fields.field import Limbs
from zkgpu.ntt.domain import Domain

if TYPE_CHECKING:
    from zkgpu.ceremony.ptau import PhaseOneContribution, PowersOfTau, Secret

_TAU, _ALPHA, _BETA = range(3)  # personalizations of the hash to G2


def verify_powers(ptau: PowersOfTau, log_size: int, backend: Backend) -> None:
    """Raises FormatError or PointError, naming the array, unless the file is what this module's text says."""
    if log_size > ptau.power:
        raise UsageError(f"{ptau.path}: has 2^{ptau.power} powers and 2^{log_size} are needed: take a larger file")
    check = _Check(ptau, backend, log_size)
    check.points()
    check.powers()
    check.lagrange()
    verify_contributions(ptau)


def verify_tau_powers(ptau: PowersOfTau, count: int, backend: Backend) -> None:
    """As verify_powers, for the first `count` powers of tau in G1 and tau in G2 alone: all that KZG takes of a file."""
    if not 2 <= count <= len(ptau.tau_g1):
        raise UsageError(f"{ptau.path}: has {len(ptau.tau_g1):,} powers in G1 and {count:,} are needed: take a larger")
    check = _Check(ptau, backend, 0)
    g1, g2 = ptau.curve.g1, ptau.curve.g2
    check.valid("powers of tau in G1", g1, ptau.tau_g1[:count])
    check.valid("powers of tau in G2", g2, ptau.tau_g2[:2])
    check.geometric("powers of tau in G1", ptau.tau_g1[:count])
    verify_contributions(ptau)


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

    def valid(self, name: str, group: Group, rows: Limbs) -> None:
        found = self.backend.first_invalid_point(group, rows)
        if found is not None:
            raise PointError(f"{self.ptau.path}: {name}: point {found[0]:,}: {found[1]}: copy the file again")

    def geometric(self, name: str, rows: Limbs) -> None:
        """Whether each point is tau times the one before it, and tau^0 is the generator in both groups."""
        p, g1, g2 = self.ptau, self.ptau.curve.g1, self.ptau.curve.g2
        if g1.from_rows(p.tau_g1[:1])[0] != g1.generator or g2.from_rows(p.tau_g2[:1])[0] != g2.generator:
            raise FormatError(f"{p.path}: tau^0 is not the generator: do not use this file")
        weights = self._weights(rows.shape[0] - 1)
        low, high = self._sum(g1, rows[:-1], weights), self._sum(g1, rows[1:], weights)
        self._require(same_ratio(low, high, g2.generator, g2.from_rows(p.tau_g2[1:2])[0]), name)

    def powers(self) -> None:
        p, n, curve = self.ptau, self.size, self.ptau.curve
        g1, g2 = curve.g1, curve.g2
        for name, rows in (
            ("powers of tau in G1", p.tau_g1[: 2 * n - 1]),
            ("alpha times powers", p.alpha_tau_g1[:n]),
            ("beta times powers", p.beta_tau_g1[:n]),
        ):
            self.geometric(name, rows)
        weights = self._weights(n)
        in_g1, in_g2 = self._sum(g1, p.tau_g1[:n], weights), self._sum(g2, p.tau_g2[:n], weights)
        self._require(same_ratio(g1.generator, in_g1, g2.generator, in_g2), "powers of tau in G2")
        self._require(same_ratio(g1.generator, p.beta_g1, g2.generator, p.beta_g2), "beta in G2")

    def lagrange(self) -> None:
        """sum of w_j L_j(tau) = sum of c_k tau^k, with c the inverse transform of w."""
        p, k, g1, g2 = self.ptau, self.log_size, self.ptau.curve.g1, self.ptau.curve.g2
        for name, group, block, powers in (
            ("Lagrange points of tau in G1", g1, p.lagrange_tau_g1(k), p.tau_g1),
            ("Lagrange points of tau in G1, twice the size", g1, p.lagrange_tau_g1(k + 1), p.tau_g1),
            ("Lagrange points of tau in G2", g2, p.lagrange_tau_g2(k), p.tau_g2),
            ("Lagrange points of alpha tau", g1, p.lagrange_alpha_g1(k), p.alpha_tau_g1),
            ("Lagrange points of beta tau", g1, p.lagrange_beta_g1(k), p.beta_tau_g1),
        ):
            n = block.shape[0]
            weights, coefficients = self._lagrange_weights(n, skip_last=powers.shape[0] < n)
            left = self._sum(group, block, self.backend.vector(weights))
            right = self._sum(group, powers[:n], self.backend.vector(coefficients[: powers.shape[0]]))
            self._require(left == right, name)

    def _lagrange_weights(self, n: int, skip_last: bool) -> tuple[Limbs, Limbs]:
        """Random w and their inverse transform c; with skip_last, w_0 is chosen so that c_{n-1} = 0.

        The largest block of a file rests on tau^(n-1), one power more than the file has, or infinity in its place.
        A quotient has no such coefficient, so that point does not matter to any proof.
        """
        backend, field = self.backend, self.ptau.curve.scalar_field
        domain = Domain(field, n)
        weights = field.random_weights(n)
        coefficients = backend.intt(backend.vector(weights[domain.bit_reversal]), domain)
        if skip_last:
            last = field.from_limbs(backend.limbs(coefficients)[-1:])[0]
            weights[:1] = field.to_limbs([field.from_limbs(weights[:1])[0] - n * last])
            coefficients = backend.pointwise(lambda c: c - last, coefficients)
        return weights, backend.limbs(coefficients)

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

    def _weights(self, n: int) -> Any:
        return self.backend.vector(self.ptau.curve.scalar_field.random_weights(n))

    def _sum(self, group: Group, rows: Limbs, weights: Any) -> Point:
        return self.backend.msm(self.backend.points(group, rows), weights)

    def _require(self, holds: bool, name: str) -> None:
        if not holds:
            raise FormatError(f"{self.ptau.path}: {name}: not the powers of one tau: do not use this file")


def verify_contributions(ptau: PowersOfTau) -> None:
    """Raises unless each contribution of phase 1 is valid and the last one left the file's tau, alpha and beta."""
    if not ptau.contributions:
        raise InsecureKeyError(f"{ptau.path}: nobody contributed, so tau is known to all: take another file")
    curve, challenge, before = ptau.curve, first_challenge(ptau.curve, ptau.ceremony_power), _start(ptau.curve)
    for i, contribution in enumerate(ptau.contributions):
        where = f"{ptau.path}: contribution {i + 1} ({contribution.name!r})"
        after = _state(contribution)
        _verify_contribution(where, curve, challenge, before, after, contribution)
        challenge, before = contribution.next_challenge, after
    tau_g1, tau_g2 = curve.g1.from_rows(ptau.tau_g1[1:2])[0], curve.g2.from_rows(ptau.tau_g2[1:2])[0]
    if before != _State(tau_g1, tau_g2, ptau.alpha_g1, ptau.beta_g1, ptau.beta_g2):
        raise FormatError(f"{ptau.path}: the points are not those the last contribution left: do not use this file")


def first_challenge(curve: Curve, power: int) -> bytes:
    """The hash a ceremony of 2^power powers starts from."""
    known = dict(curve.first_challenges).get(power)
    return bytes.fromhex(known) if known else compute_first_challenge(curve, power)


def compute_first_challenge(curve: Curve, power: int) -> bytes:
    """BLAKE2b of the file a ceremony starts from, in which all points are generators: 384 * 2^power bytes."""
    n, (g1, g2) = 1 << power, (encode(curve.g1.generator), encode(curve.g2.generator))
    state = hashlib.blake2b(blake2b())
    for point, count in ((g1, 2 * n - 1), (g2, n), (g1, 2 * n), (g2, 1)):
        for start in range(0, count, 1 << 14):
            state.update(point * min(1 << 14, count - start))
    return state.digest()


@dataclass(frozen=True)
class _State:
    """Where a ceremony stands."""

    tau_g1: Point
    tau_g2: Point
    alpha_g1: Point
    beta_g1: Point
    beta_g2: Point


def _start(curve: Curve) -> _State:
    g1, g2 = curve.g1.generator, curve.g2.generator
    return _State(g1, g2, g1, g1, g2)


def _state(c: PhaseOneContribution) -> _State:
    return _State(c.tau_g1, c.tau_g2, c.alpha_g1, c.beta_g1, c.beta_g2)


def _verify_contribution(
    where: str, curve: Curve, challenge: bytes, before: _State, after: _State, contribution: PhaseOneContribution
) -> None:
    require_proper(where, after.tau_g1, after.tau_g2, after.alpha_g1, after.beta_g1, after.beta_g2)
    factors: tuple[tuple[str, int, Secret, Point, Point], ...] = (
        ("tau", _TAU, contribution.tau, before.tau_g1, after.tau_g1),
        ("alpha", _ALPHA, contribution.alpha, before.alpha_g1, after.alpha_g1),
        ("beta", _BETA, contribution.beta, before.beta_g1, after.beta_g1),
    )
    for name, personalization, secret, old, new in factors:
        require_proper(where, secret.g1_s, secret.g1_sx, secret.g2_spx)
        digest = blake2b(bytes((personalization,)), challenge, encode(secret.g1_s, secret.g1_sx))
        g2_sp = hash_to_g2(curve, digest)
        if not same_ratio(secret.g1_s, secret.g1_sx, g2_sp, secret.g2_spx):
            raise FormatError(f"{where}: the proof that its maker knew its {name} is wrong: do not use this file")
        if not same_ratio(old, new, g2_sp, secret.g2_spx):
            raise FormatError(f"{where}: {name} was not multiplied by its secret: do not use this file")
    in_g2 = ((contribution.tau, before.tau_g2, after.tau_g2), (contribution.beta, before.beta_g2, after.beta_g2))
    if not all(same_ratio(secret.g1_s, secret.g1_sx, old, new) for secret, old, new in in_g2):
        raise FormatError(f"{where}: tau or beta differs between G1 and G2: do not use this file")
