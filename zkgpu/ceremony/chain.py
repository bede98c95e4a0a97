"""The record of phase 1: who multiplied tau, alpha and beta by secrets of their own, one contribution after another.

Each proves to know its secrets: with a point s of G1, and one sp of G2 to which s, x s and the challenge are hashed,
it shows x sp, so that e(s, x sp) = e(x s, sp). The challenge is the hash that the contribution before left. One whose
secret is 0, 1 or -1 adds nothing, and is refused; so is a beacon whose secrets do not follow from it.
Bowe, Gabizon, Miers, eprint 2017/1050, section 4; formats as in snarkjs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from zkgpu.backend.protocol import Backend
from zkgpu.ceremony.challenge import Stream, blake2b, encode, encode_rows, hash_to_g2
from zkgpu.ceremony.contributors import require_effective
from zkgpu.ceremony.draws import Beacon, beacon_digest
from zkgpu.ceremony.ptau import PhaseOneContribution, PowersOfTau, PowersState, Secret
from zkgpu.ceremony.ratios import Ratio, require_proper, require_ratios
from zkgpu.curves.points import Curve, Point
from zkgpu.curves.sums import multiply_many
from zkgpu.errors import FormatError, InsecureKeyError

_SECRETS = ("tau", "alpha", "beta")  # in the order of their numbers in hashes to G2
_ROWS_AT_ONCE = 1 << 16


def verify_contributions(ptau: PowersOfTau) -> None:
    """Raises unless each contribution of phase 1 is valid and the last one left the file's tau, alpha and beta."""
    if not ptau.contributions:
        raise InsecureKeyError(f"{ptau.path}: nobody contributed, so tau is known to all: take another file")
    require_ratios(_ratios(ptau))
    if ptau.contributions[-1].state != ptau.state:
        raise FormatError(f"{ptau.path}: the points are not those the last contribution left: do not use this file")


def _ratios(ptau: PowersOfTau) -> Iterator[Ratio]:
    """What must hold of all contributions. Raises for what can be seen without a pairing."""
    before, challenge = PowersState.first(ptau.curve), first_challenge(ptau.curve, ptau.ceremony_power)
    for i, contribution in enumerate(ptau.contributions):
        where = f"{ptau.path}: contribution {i + 1} ({contribution.name!r})"
        yield from _Link(where, ptau.curve, challenge, before, contribution).ratios()
        challenge, before = contribution.next_challenge, contribution.state


def verify_last_challenge(ptau: PowersOfTau, backend: Backend) -> None:
    """Raises FormatError unless the hash that the last contribution left is that of the file's points."""
    if not ptau.is_reduced and ptau.contributions[-1].next_challenge != next_challenge(
        ptau, ptau.contributions[-1], backend
    ):
        raise FormatError(f"{ptau.path}: the last contribution's hash is not that of the points: do not use this file")


def next_challenge(ptau: PowersOfTau, contribution: PhaseOneContribution, backend: Backend) -> bytes:
    """The hash that follows from a contribution and from all points of the file that it left."""
    state = hashlib.blake2b(contribution.response_hash())
    for _, _, group, rows in ptau.points():
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            state.update(encode_rows(group, rows[start : start + _ROWS_AT_ONCE], backend))
    return state.digest()


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


class Draws(NamedTuple):
    """The secrets of a contribution, each with a point of G1 to show on that it is known."""

    tau: int
    alpha: int
    beta: int
    bases: tuple[Point, ...]

    def __repr__(self) -> str:
        return "<secrets of a contribution>"

    @classmethod
    def of_beacon(cls, curve: Curve, beacon: Beacon) -> Draws:
        """As everybody draws them: all secrets, then all points."""
        stream = Stream.seeded(beacon_digest(beacon))
        tau, alpha, beta = (stream.element(curve.scalar_field) for _ in _SECRETS)
        return cls(tau, alpha, beta, tuple(stream.point(curve.g1) for _ in _SECRETS))

    def proofs(self, curve: Curve, challenge: bytes) -> list[Secret]:
        """That the secrets are known, for this challenge."""
        secrets, known = self[:3], multiply_many(self.bases, self[:3])
        pairs = list(zip(self.bases, known, strict=True))
        bases = [_knowledge_base(curve, number, challenge, *pair) for number, pair in enumerate(pairs)]
        return [Secret(*pair, g2) for pair, g2 in zip(pairs, multiply_many(bases, secrets), strict=True)]


def _knowledge_base(curve: Curve, number: int, challenge: bytes, g1_s: Point, g1_sx: Point) -> Point:
    """sp in G2, of which nobody knows the logarithm."""
    return hash_to_g2(curve, blake2b(bytes((number,)), challenge, encode(g1_s, g1_sx)))


class _Link(NamedTuple):
    """One contribution, and where the ceremony stood before it."""

    where: str
    curve: Curve
    challenge: bytes
    before: PowersState
    contribution: PhaseOneContribution

    def ratios(self) -> Iterator[Ratio]:
        """What must hold of its points. Raises for what can be seen without a pairing."""
        before, after = self.before, self.contribution.state
        for name, point in after._asdict().items():
            require_proper(f"{self.where}: {name}", point)
        for number, (old, new) in enumerate(
            ((before.tau_g1, after.tau_g1), (before.alpha_g1, after.alpha_g1), (before.beta_g1, after.beta_g1))
        ):
            yield from self._ratios_of_secret(number, old, new)
        one_g1, one_g2 = self.curve.g1.generator, self.curve.g2.generator
        for in_g1, in_g2 in ((after.tau_g1, after.tau_g2), (after.beta_g1, after.beta_g2)):
            yield Ratio(one_g1, in_g1, one_g2, in_g2, self._said("tau or beta differs between G1 and G2"))
        self._verify_beacon()

    def _ratios_of_secret(self, number: int, old: Point, new: Point) -> Iterator[Ratio]:
        """That its maker knew the secret, and that this is what the points were multiplied by."""
        name, secret = _SECRETS[number], self.contribution.secrets[number]
        require_proper(f"{self.where}: the proof of {name}", secret.g1_s, secret.g1_sx, secret.g2_spx)
        require_effective(self.where, name, secret.g1_s, secret.g1_sx)
        g2 = _knowledge_base(self.curve, number, self.challenge, secret.g1_s, secret.g1_sx), secret.g2_spx
        said = self._said(f"the proof that its maker knew its {name} is wrong")
        yield Ratio(secret.g1_s, secret.g1_sx, *g2, said)
        yield Ratio(old, new, *g2, self._said(f"{name} was not multiplied by its secret"))

    def _verify_beacon(self) -> None:
        contribution = self.contribution
        if contribution.beacon is None:
            return
        expected = Draws.of_beacon(self.curve, contribution.beacon).proofs(self.curve, self.challenge)
        if tuple(expected) != contribution.secrets:
            raise FormatError(self._said("the secrets are not those of its beacon"))

    def _said(self, what: str) -> str:
        return f"{self.where}: {what}: do not use this file"
