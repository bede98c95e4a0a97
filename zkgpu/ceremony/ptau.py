"""Powers of tau: what a universal first phase leaves for every circuit (.ptau, version 1, as snarkjs writes it).

With n = 2^power: tau^i in G1 for i < 2n - 1 and in G2 for i < n; alpha tau^i and beta tau^i in G1 for i < n; beta in
G2. A file that was prepared for phase 2 also holds the same in Lagrange bases, one block of 2^p points for each
p = 0 .. power, and one more for tau in G1. Source: iden3/snarkjs, src/powersoftau_*.js (layout only).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zkgpu.ceremony.challenge import encode
from zkgpu.ceremony.contributors import HASH_BYTES, params_bytes, read_params
from zkgpu.ceremony.published import where_published
from zkgpu.curves.points import Curve, Group, Point
from zkgpu.errors import FormatError, UsageError
from zkgpu.fields.field import Limbs
from zkgpu.formats.container import Container, SectionReader, Source, open_container
from zkgpu.formats.points import point_bytes, read_curve_point, read_rows
from zkgpu.formats.primes import read_curve
from zkgpu.records import dataclass
from zkgpu.store.open_hash import STATE_BYTES, OpenHash

MAGIC, VERSION = b"ptau", 1
HEADER, TAU_G1, TAU_G2, ALPHA_TAU_G1, BETA_TAU_G1, BETA_G2, CONTRIBUTIONS = range(1, 8)
LAGRANGE_TAU_G1, LAGRANGE_TAU_G2, LAGRANGE_ALPHA_G1, LAGRANGE_BETA_G1 = range(12, 16)
LAGRANGE_NAMES = (
    *("Lagrange points of tau in G1", "Lagrange points of tau in G2"),
    *("Lagrange points of alpha tau", "Lagrange points of beta tau"),
)

_MAX_POWER = 28


@dataclass(frozen=True)
class Secret:
    """How a contributor shows to know a secret x: s in G1, x s, and x times a point of G2 hashed from the two."""

    g1_s: Point
    g1_sx: Point
    g2_spx: Point


class PowersState(NamedTuple):
    """Where a ceremony stands."""

    tau_g1: Point
    tau_g2: Point
    alpha_g1: Point
    beta_g1: Point
    beta_g2: Point

    @classmethod
    def first(cls, curve: Curve) -> PowersState:
        """Where each begins: all secrets are 1."""
        g1, g2 = curve.g1.generator, curve.g2.generator
        return cls(g1, g2, g1, g1, g2)


@dataclass(frozen=True)
class PhaseOneContribution:
    """One entry of phase 1: tau, alpha and beta were each multiplied by a secret. Points are as they were after it.

    Attributes:
        partial_hash: the state of a BLAKE2b hash (`store.open_hash`) that took in the challenge before and all points
            after; with `keys` it becomes the hash of the response
        next_challenge: 64 bytes, what the next contribution starts from
        kind: 0 normal, 1 beacon
    """

    tau_g1: Point
    tau_g2: Point
    alpha_g1: Point
    beta_g1: Point
    beta_g2: Point
    tau: Secret
    alpha: Secret
    beta: Secret
    partial_hash: bytes
    next_challenge: bytes
    kind: int
    name: str
    beacon: tuple[bytes, int] | None

    @property
    def state(self) -> PowersState:
        return PowersState(self.tau_g1, self.tau_g2, self.alpha_g1, self.beta_g1, self.beta_g2)

    @property
    def secrets(self) -> tuple[Secret, Secret, Secret]:
        return self.tau, self.alpha, self.beta

    @property
    def keys(self) -> tuple[Point, ...]:
        """What proves the secrets known, in the order of files and hashes."""
        return (*(p for s in self.secrets for p in (s.g1_s, s.g1_sx)), *(s.g2_spx for s in self.secrets))

    def response_hash(self) -> bytes:
        """The 64 bytes by which a contributor recognises the contribution. Raises FormatError for a damaged one."""
        state = OpenHash.resumed(self.partial_hash)
        state.update(encode(*self.keys))
        return state.digest()

    def to_bytes(self) -> bytes:
        """Its entry in section 7."""
        points = point_bytes(*self.state, *self.keys)
        return points + self.partial_hash + self.next_challenge + params_bytes(self.kind, self.name, self.beacon)


@dataclass(frozen=True)
class PowersOfTau:
    """A mapped .ptau file; arrays are read-only views of it, point rows as in `ProvingKey`.

    Attributes:
        tau_g1: (2n - 1, row) tau^i
        tau_g2: (n, row)      tau^i
        alpha_tau_g1: (n, row)      alpha tau^i
        beta_tau_g1: (n, row)      beta tau^i
        lagrange: the four Lagrange sections, or None before `prepare phase2`
        ceremony_power: log2 of the powers the contributors worked on; a file may keep only the first of them
    """

    path: str
    curve: Curve
    power: int
    ceremony_power: int
    tau_g1: Limbs
    tau_g2: Limbs
    alpha_tau_g1: Limbs
    beta_tau_g1: Limbs
    beta_g2: Point
    lagrange: tuple[Limbs, Limbs, Limbs, Limbs] | None
    contributions: tuple[PhaseOneContribution, ...]

    @property
    def is_reduced(self) -> bool:
        """Whether the file has only the first of a ceremony's powers: nobody can contribute to it."""
        return self.power != self.ceremony_power

    def points(self) -> list[tuple[int, str, Group, Limbs]]:
        """Sections 2 to 6, as contributors hash them: number, name, group and rows."""
        g1, g2 = self.curve.g1, self.curve.g2
        return [
            (TAU_G1, "powers of tau in G1", g1, self.tau_g1),
            (TAU_G2, "powers of tau in G2", g2, self.tau_g2),
            (ALPHA_TAU_G1, "alpha times powers", g1, self.alpha_tau_g1),
            (BETA_TAU_G1, "beta times powers", g1, self.beta_tau_g1),
            (BETA_G2, "beta in G2", g2, g2.to_rows([self.beta_g2])),
        ]

    @property
    def state(self) -> PowersState:
        """Where the points of the file say that the ceremony stands."""
        tau_g1, tau_g2 = self.curve.g1.from_rows(self.tau_g1[1:2])[0], self.curve.g2.from_rows(self.tau_g2[1:2])[0]
        return PowersState(tau_g1, tau_g2, self.alpha_g1, self.beta_g1, self.beta_g2)

    @property
    def alpha_g1(self) -> Point:
        return self.curve.g1.from_rows(self.alpha_tau_g1[:1])[0]

    @property
    def beta_g1(self) -> Point:
        return self.curve.g1.from_rows(self.beta_tau_g1[:1])[0]

    def lagrange_tau_g1(self, log_size: int) -> Limbs:
        """(2^log_size, 8): L_j(tau) in natural order, for log_size up to power + 1."""
        return self._block(0, log_size)

    def lagrange_tau_g2(self, log_size: int) -> Limbs:
        """(2^log_size, 16): L_j(tau)."""
        return self._block(1, log_size)

    def lagrange_alpha_g1(self, log_size: int) -> Limbs:
        """(2^log_size, 8): alpha L_j(tau)."""
        return self._block(2, log_size)

    def lagrange_beta_g1(self, log_size: int) -> Limbs:
        """(2^log_size, 8): beta L_j(tau)."""
        return self._block(3, log_size)

    def lagrange_blocks(self, which: int, smallest: int, largest: int) -> Limbs:
        """The blocks of 2^smallest .. 2^largest points of one of the four sections, one after another."""
        most = self.power + (which == 0)
        if self.lagrange is None:
            raise FormatError(
                f"{self.path}: section 12 (Lagrange points) is missing: the file is not prepared; "
                f"run `zkgpu powers prepare` on it; {where_published(self.curve, self.power)}, prepared"
            )
        if not 0 <= smallest <= largest <= most:
            raise UsageError(f"{self.path}: 2^{largest} points are wanted and the file has 2^{most}: take a larger")
        return self.lagrange[which][2**smallest - 1 : 2 ** (largest + 1) - 1]

    def _block(self, which: int, log_size: int) -> Limbs:
        return self.lagrange_blocks(which, log_size, log_size)


def header_bytes(curve: Curve, power: int, ceremony_power: int) -> bytes:
    """Section 1."""
    base = curve.base_field
    prime = base.bytes.to_bytes(4, "little") + base.modulus.to_bytes(base.bytes, "little")
    return prime + power.to_bytes(4, "little") + ceremony_power.to_bytes(4, "little")


def contributions_bytes(contributions: Sequence[PhaseOneContribution]) -> bytes:
    """Section 7."""
    return len(contributions).to_bytes(4, "little") + b"".join(c.to_bytes() for c in contributions)


def read_ptau(path: Source) -> PowersOfTau:
    """The powers of tau of a .ptau file, prepared for phase 2 or not.

    Sizes and coordinate ranges are checked here; that points are on their curves, and that they are powers of one tau,
    is for `ceremony.powers.verify_powers`. Raises FormatError.
    """
    file = open_container(path, MAGIC, (VERSION,))
    curve, power, ceremony_power = _read_header(file)
    n, g1, g2 = 1 << power, curve.g1, curve.g2
    return PowersOfTau(
        path=file.path,
        curve=curve,
        power=power,
        ceremony_power=ceremony_power,
        tau_g1=_rows(file, TAU_G1, "powers of tau in G1", g1, 2 * n - 1),
        tau_g2=_rows(file, TAU_G2, "powers of tau in G2", g2, n),
        alpha_tau_g1=_rows(file, ALPHA_TAU_G1, "alpha times powers", g1, n),
        beta_tau_g1=_rows(file, BETA_TAU_G1, "beta times powers", g1, n),
        beta_g2=g2.from_rows(_rows(file, BETA_G2, "beta in G2", g2, 1))[0],
        lagrange=_read_lagrange(file, curve, n),
        contributions=_read_contributions(file.read(CONTRIBUTIONS, "contributions"), curve),
    )


def _read_header(file: Container) -> tuple[Curve, int, int]:
    section = file.read(HEADER, "header")
    curve = read_curve(section)
    power, ceremony_power = section.u32(), section.u32()
    section.end()
    if not 1 <= power <= min(_MAX_POWER, curve.scalar_field.two_adicity):
        raise section.error(f"2^{power:,} powers are declared: the file is damaged, copy it again")
    if not power <= ceremony_power <= _MAX_POWER:
        raise section.error(f"a ceremony of 2^{ceremony_power:,} powers cannot leave 2^{power}: copy the file again")
    return curve, power, ceremony_power


def _rows(file: Container, section_id: int, what: str, group: Group, count: int) -> Limbs:
    return read_rows(file.read(section_id, what), group, count)


def _read_lagrange(file: Container, curve: Curve, n: int) -> tuple[Limbs, Limbs, Limbs, Limbs] | None:
    if not any(file.has(section_id) for section_id in range(LAGRANGE_TAU_G1, LAGRANGE_BETA_G1 + 1)):
        return None
    return (
        _rows(file, LAGRANGE_TAU_G1, LAGRANGE_NAMES[0], curve.g1, 4 * n - 1),
        _rows(file, LAGRANGE_TAU_G2, LAGRANGE_NAMES[1], curve.g2, 2 * n - 1),
        _rows(file, LAGRANGE_ALPHA_G1, LAGRANGE_NAMES[2], curve.g1, 2 * n - 1),
        _rows(file, LAGRANGE_BETA_G1, LAGRANGE_NAMES[3], curve.g1, 2 * n - 1),
    )


def _read_contributions(section: SectionReader, curve: Curve) -> tuple[PhaseOneContribution, ...]:
    count = section.u32()
    points = 8 * (9 * curve.g1.row_limbs + 5 * curve.g2.row_limbs)
    if count * (points + STATE_BYTES + HASH_BYTES + 8) > section.remaining:
        raise section.error(f"{count:,} contributions are declared in {section.remaining:,} bytes: copy the file again")
    contributions = tuple(_read_contribution(section, curve) for _ in range(count))
    section.end()
    return contributions


def _read_contribution(section: SectionReader, curve: Curve) -> PhaseOneContribution:
    def point(group: Group) -> Point:
        return read_curve_point(section, group, "a contribution's point")

    g1, g2 = curve.g1, curve.g2
    tau_g1, tau_g2, alpha_g1, beta_g1, beta_g2 = (point(group) for group in (g1, g2, g1, g1, g2))
    pairs = [(point(g1), point(g1)) for _ in range(3)]
    tau, alpha, beta = (Secret(s, sx, point(g2)) for s, sx in pairs)
    partial_hash, next_challenge = section.bytes(STATE_BYTES), section.bytes(HASH_BYTES)
    kind, name, beacon = read_params(section)
    return PhaseOneContribution(
        *(tau_g1, tau_g2, alpha_g1, beta_g1, beta_g2, tau, alpha, beta),
        *(partial_hash, next_challenge, kind, name, beacon),
    )
