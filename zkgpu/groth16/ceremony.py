"""Phase 2 of a setup: the record in a key that each contributor multiplied delta by a secret it knew.

A contribution with secret k draws a point s of G1, hashes everything so far with s and k s to a point sp of G2, and
publishes k sp. Who verifies checks e(s, k sp) = e(k s, sp), so the contributor knew k, and
e(delta before, k sp) = e(delta after, sp), so delta was multiplied by that k. One honest contributor is enough.
A circuit with challenges has a second such secret, sigma, with a record of its own: it starts from the mask's point
K_0 = committed_query[0], and knowledge_query and sigma in G2 are multiplied by it. An honest contributor draws s among
the multiples of K_0 too. So all that the record shows multiplied by sigma in G1 are multiples of K_0, and a pair
(D, sigma D) can only be made of the points K_i: with (s, sigma s) for another s, D could be s and commit to nothing.
Each contributor multiplies both, sigma first, and what is hashed for delta covers sigma's record up to there: nobody
can put another sigma beside contributions to delta of others, and one hash names what a contributor did.
Bowe, Gabizon, Miers, eprint 2017/1050; record and hashes as in snarkjs' .zkey files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import field, replace

import numpy as np

from zkgpu.backend.protocol import Backend
from zkgpu.ceremony.challenge import Stream, blake2b, encode, encode_rows, hash_to_g2
from zkgpu.ceremony.contributors import BEACON, NORMAL, require_effective
from zkgpu.ceremony.draws import Beacon, beacon_digest
from zkgpu.ceremony.ratios import Ratio, require_proper, require_ratios, same_ratio
from zkgpu.curves.points import Curve, Group, Point
from zkgpu.curves.sums import multiply_many, small_msm
from zkgpu.errors import FormatError, InsecureKeyError
from zkgpu.fields.field import Limbs
from zkgpu.groth16.keys import UNSAFE_NAME, CommitmentQueries, Contribution, ProvingKey, VerifyingKey
from zkgpu.records import dataclass

_ROWS_AT_ONCE = 1 << 16
_DELTA, _SIGMA = "delta", "sigma"


def circuit_hash(key: ProvingKey, h_powers: Limbs, backend: Backend) -> bytes:
    """64 bytes that name the key before any contribution, and so the circuit and the first phase.

    Args:
        h_powers: (domain_size - 1, 8): tau^(n + i) - tau^i, n the domain's size, in G1; h_query in another basis
    """
    vk, g1, g2 = key.verifying_key, key.verifying_key.curve.g1, key.verifying_key.curve.g2
    state = hashlib.blake2b(encode(vk.alpha_g1, key.beta_g1, vk.beta_g2, vk.gamma_g2, key.delta_g1, vk.delta_g2))
    lists: list[tuple[Group, Limbs]] = [
        (g1, g1.to_rows(vk.ic)),
        (g1, h_powers),
        (g1, key.l_query),
        (g1, key.a_query),
        (g1, key.b_g1_query),
        (g2, key.b_g2_query),
    ]
    lists += [(g1, queries.committed_query) for queries in key.commitments]
    for group, rows in lists:
        state.update(rows.shape[0].to_bytes(4, "big"))
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            state.update(encode_rows(group, rows[start : start + _ROWS_AT_ONCE], backend))
    return state.digest()


@dataclass(frozen=True)
class Draw:
    """A contributor's secret k in [1, r), and the point of G1 to show on that it is known.

    Attributes:
        beacon: the public one that both follow from, if they do
    """

    k: int = field(repr=False)
    g1_s: Point = field(repr=False)
    beacon: Beacon | None = None


def record_contribution(key: ProvingKey, k: int, *, name: str = "", beacon: Beacon | None = None) -> ProvingKey:
    """The key with delta multiplied by k and a contribution that proves it; l_query and h_query stay as they are.

    k is the contributor's secret in [1, r); forget it. The point s comes from the operating system's generator, or with
    k from the beacon (`beacon_secrets`). In a key with a commitment the contribution to sigma comes first.
    """
    vk, chain = key.verifying_key, _delta_chain(key)
    contribution = chain.next(chain.drawn(k, beacon), name)
    return replace(
        key,
        delta_g1=contribution.delta_after,
        verifying_key=replace(
            vk, delta_g2=small_msm([vk.delta_g2], [k]), is_unsafe=vk.is_unsafe or name == UNSAFE_NAME
        ),
        contributions=(*key.contributions, contribution),
    )


def record_sigma_contribution(key: ProvingKey, k: int, *, name: str = "", beacon: Beacon | None = None) -> ProvingKey:
    """As record_contribution for sigma, in a key with a commitment; knowledge_query stays as it is.

    The contribution continues from sigma K_0 as the record has it, so knowledge_query[0] must become its delta_after.
    """
    (queries,), (part,) = key.commitments, key.verifying_key.commitments
    chain = _sigma_chain(key, queries)
    contribution = chain.next(chain.drawn(k, beacon), name)
    return replace(
        key,
        verifying_key=replace(key.verifying_key, commitments=(replace(part, sigma_g2=k * part.sigma_g2),)),
        commitments=(replace(queries, contributions=(*queries.contributions, contribution)),),
    )


def beacon_secrets(key: ProvingKey, beacon: Beacon) -> tuple[int, int]:
    """What a beacon multiplies delta and sigma by; of a key without a commitment the second means nothing."""
    curve = key.verifying_key.curve
    delta, sigma = (_beacon_stream(name, beacon).element(curve.scalar_field) for name in (_DELTA, _SIGMA))
    return delta, sigma


def _beacon_stream(secret: str, beacon: Beacon) -> Stream:
    """For delta as in snarkjs; sigma has a stream of its own, under a hash of the same."""
    digest = beacon_digest(beacon)
    return Stream.seeded(digest if secret == _DELTA else blake2b(secret.encode(), digest))


@dataclass(frozen=True)
class _Chain:
    """The contributions to one secret, which starts as 1, and what their transcripts start from.

    Attributes:
        origin: the point of G1 that the record multiplies by the secret
        beside: contributions to another secret: the transcript of the n-th covers the first n of them
    """

    secret: str
    curve: Curve
    origin: Point
    start: bytes
    contributions: tuple[Contribution, ...]
    beside: tuple[Contribution, ...] = ()

    @property
    def last_g1(self) -> Point:
        """The secret times the origin, as the last contribution left it."""
        return self.contributions[-1].delta_after if self.contributions else self.origin

    def drawn(self, k: int, beacon: Beacon | None = None, blinding: int | None = None) -> Draw:
        """The secret k with a point s: a random multiple of the origin, or what follows from the beacon."""
        if beacon is not None:
            return self.of_beacon(beacon)
        return Draw(k, small_msm([self.origin], [blinding or self.curve.scalar_field.random_nonzero()]))

    def of_beacon(self, beacon: Beacon) -> Draw:
        """What everybody draws from a beacon; s is a multiple of sigma's origin, for delta any point."""
        stream = _beacon_stream(self.secret, beacon)
        k = stream.element(self.curve.scalar_field)
        if self.secret == _DELTA:
            return Draw(k, stream.point(self.curve.g1), beacon)
        return Draw(k, stream.element(self.curve.scalar_field) * self.origin, beacon)

    def next(self, draw: Draw, name: str) -> Contribution:
        """A contribution that multiplies the secret by what was drawn."""
        k, g1_s = draw.k, draw.g1_s
        g1_sx, after = multiply_many([g1_s, self.last_g1], [k, k])
        transcript = self.transcript(g1_s, g1_sx)
        g2_spx = small_msm([hash_to_g2(self.curve, transcript)], [k])
        kind = NORMAL if draw.beacon is None else BEACON
        return Contribution(after, g1_s, g1_sx, g2_spx, transcript, kind, name, draw.beacon)

    def transcript(self, g1_s: Point, g1_sx: Point) -> bytes:
        """The hash of all before, and of s and k s, of the next contribution."""
        before = (*self.contributions, *self.beside[: len(self.contributions) + 1])
        return blake2b(self.start, *map(_record, before), encode(g1_s, g1_sx))

    def verify(self, in_g1: Point, in_g2: Point) -> None:
        """Raises unless all contributions are valid and lead from 1 to the secret that the key has in G1 and G2.

        Args:
            in_g1, in_g2: the secret times the origin, and times the generator of G2
        """
        require_ratios(self._ratios(in_g1, in_g2))

    def _ratios(self, in_g1: Point, in_g2: Point) -> Iterator[Ratio]:
        before = replace(self, contributions=())
        for contribution in self.contributions:
            yield from _ratios_of_contribution(before, contribution)
            before = replace(before, contributions=(*before.contributions, contribution))
        if self.last_g1 != in_g1:
            raise FormatError(f"{self.secret} in G1 is not the one the last contribution left: do not use this key")
        said = f"{self.secret} in G2 is not the {self.secret} in G1: do not use this key"
        yield Ratio(self.origin, in_g1, self.curve.g2.generator, in_g2, said)


def _delta_chain(key: ProvingKey) -> _Chain:
    curve = key.verifying_key.curve
    beside = tuple(contribution for queries in key.commitments for contribution in queries.contributions)
    return _Chain(_DELTA, curve, curve.g1.generator, key.circuit_hash, key.contributions, beside)


def _sigma_chain(key: ProvingKey, queries: CommitmentQueries) -> _Chain:
    origin, _ = queries.mask_points(key.verifying_key.curve.g1)
    start = blake2b(_SIGMA.encode(), key.circuit_hash)
    return _Chain(_SIGMA, key.verifying_key.curve, origin, start, queries.contributions)


def contribution_hash(contribution: Contribution) -> bytes:
    """The 64 bytes by which a contributor recognises the contribution in a published key."""
    return blake2b(_record(contribution))


def verify_contributions(key: ProvingKey) -> None:
    """Raises unless every contribution is valid and together they lead from delta = 1 to the key's delta.

    InsecureKeyError when there is none; FormatError or PointError naming the first one that is wrong. What the
    contributions started from is for `verify_key` to check.
    """
    vk = key.verifying_key
    if not key.contributions:
        raise InsecureKeyError.because("phase 2 of the setup has no contribution")
    if not all(queries.contributions for queries in key.commitments):
        raise InsecureKeyError.because("the commitment's key has no contribution")
    _delta_chain(key).verify(key.delta_g1, vk.delta_g2)
    for queries, commitment in zip(key.commitments, vk.commitments, strict=True):
        counts = len(key.contributions), len(queries.contributions)
        if counts[0] != counts[1]:
            raise FormatError(f"delta has {counts[0]} contributions and sigma {counts[1]}: do not use this key")
        mask, in_g1 = queries.mask_points(vk.curve.g1)
        require_proper("the mask's point", mask)
        _sigma_chain(key, queries).verify(in_g1, commitment.sigma_g2)


def verify_key(key: ProvingKey, initial: ProvingKey, backend: Backend) -> None:
    """Raises unless `key` is `initial`, recomputed from circuit and powers of tau, after valid contributions.

    That l_query and h_query were divided by delta, and knowledge_query multiplied by sigma, is checked on random
    linear combinations, which a wrong point passes with probability 2^-128.
    """
    verify_contributions(key)
    _require_same_circuit(key, initial)
    delta = key.verifying_key.delta_g2
    for name in ("l_query", "h_query"):
        _require_multiple(name, getattr(key, name), getattr(initial, name), delta, backend)
    for queries, commitment in zip(key.commitments, key.verifying_key.commitments, strict=True):
        rows, multiples = queries.committed_query, queries.knowledge_query
        _require_multiple("committed_query", rows, multiples, commitment.sigma_g2, backend)


def _require_multiple(name: str, rows: Limbs, multiples: Limbs, k_g2: Point, backend: Backend) -> None:
    """Raises FormatError unless each of `multiples` is k times the point of `rows`, k being given in G2."""
    if rows.shape != multiples.shape:
        raise FormatError(f"{name} has {rows.shape[0]:,} points, not {multiples.shape[0]:,}: do not use this key")
    g1, g2 = backend.curve.g1, backend.curve.g2
    weights = backend.vector(backend.curve.scalar_field.random_weights(rows.shape[0]))
    p, p_k = (backend.msm(backend.points(g1, points), weights) for points in (rows, multiples))
    if not same_ratio(p, p_k, g2.generator, k_g2):
        raise FormatError(f"{name} was not scaled by the key's secret: do not use this key")


def _record(contribution: Contribution) -> bytes:
    points = encode(contribution.delta_after, contribution.g1_s, contribution.g1_sx, contribution.g2_spx)
    return points + contribution.transcript


def _ratios_of_contribution(before: _Chain, contribution: Contribution) -> Iterator[Ratio]:
    """What must hold of its points. Raises for what can be seen without a pairing."""
    curve, earlier = before.curve, before.contributions
    where = f"contribution {len(earlier) + 1} ({contribution.name!r})"
    require_proper(where, contribution.delta_after, contribution.g1_s, contribution.g1_sx, contribution.g2_spx)
    require_effective(where, before.secret, contribution.g1_s, contribution.g1_sx)
    if contribution.transcript != before.transcript(contribution.g1_s, contribution.g1_sx):
        raise FormatError(f"{where}: the transcript is not that of what came before it: do not use this key")
    g2 = hash_to_g2(curve, contribution.transcript), contribution.g2_spx
    said = f"{where}: the proof that its maker knew the secret is wrong: do not use this key"
    yield Ratio(contribution.g1_s, contribution.g1_sx, *g2, said)
    said = f"{where}: {before.secret} was not multiplied by the secret: do not use this key"
    yield Ratio(before.last_g1, contribution.delta_after, *g2, said)
    if contribution.beacon is not None:
        draw = before.of_beacon(contribution.beacon)
        if (draw.g1_s, draw.k * draw.g1_s) != (contribution.g1_s, contribution.g1_sx):
            raise FormatError(f"{where}: the secret is not that of its beacon: do not use this key")


def _require_same_circuit(key: ProvingKey, initial: ProvingKey) -> None:
    own, begun = key.verifying_key, initial.verifying_key
    if (own.alpha_g1, own.beta_g2) != (begun.alpha_g1, begun.beta_g2):
        raise FormatError("the key is of other powers, by alpha and beta: give the .ptau that it was set up from")
    expected = _with_secrets_of(key.verifying_key, initial.verifying_key)
    if key.verifying_key != expected or key.beta_g1 != initial.beta_g1 or key.circuit_hash != initial.circuit_hash:
        raise FormatError("the key's fixed points or circuit hash differ from the circuit's: it is another circuit's")
    for name in ("a_query", "b_g1_query", "b_g2_query"):
        if not np.array_equal(getattr(key, name), getattr(initial, name)):
            raise FormatError(f"{name} is not the one of the circuit: the key is another circuit's, or damaged")
    for mine, other in zip(key.commitments, initial.commitments, strict=True):
        if not np.array_equal(mine.committed_query, other.committed_query):
            raise FormatError("committed_query is not the one of the circuit: the key is another circuit's, or damaged")
    if not all(mine.is_same(other) for mine, other in zip(key.matrices(), initial.matrices(), strict=True)):
        raise FormatError("the matrices are not those of the circuit: the key is another circuit's, or damaged")


def _with_secrets_of(key: VerifyingKey, initial: VerifyingKey) -> VerifyingKey:
    """The initial key with delta, and sigma if both have one, of another."""
    commitments = initial.commitments
    if len(commitments) == len(key.commitments):
        both = zip(commitments, key.commitments, strict=True)
        commitments = tuple(replace(mine, sigma_g2=other.sigma_g2) for mine, other in both)
    return replace(initial, delta_g2=key.delta_g2, commitments=commitments)
