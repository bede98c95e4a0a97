"""Phase 2 of a setup: the record in a key that each contributor multiplied delta by a secret it knew.

A contribution with secret k draws a point s of G1, hashes everything so far with s and k s to a point sp of G2, and
publishes k sp. Who verifies checks e(s, k sp) = e(k s, sp), so the contributor knew k, and
e(delta before, k sp) = e(delta after, sp), so delta was multiplied by that k. One honest contributor is enough.
Bowe, Gabizon, Miers, eprint 2017/1050; record and hashes as in snarkjs' .zkey files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zkgpu.backend.protocol import Backend
from zkgpu.ceremony.challenge import Stream, blake2b, encode, encode_rows, hash_to_g2
from zkgpu.ceremony.ratios import require_proper, same_ratio
from zkgpu.circuits.sparse import SparseMatrix
from zkgpu.curves.points import Curve, Group, Point
from zkgpu.errors import FormatError, InsecureKeyError
from zkgpu.fields.field import Limbs
from zkgpu.groth16.keys import Contribution, ProvingKey

_ROWS_AT_ONCE = 1 << 16
_MAX_BEACON_EXPONENT = 30  # 2^30 iterations of SHA-256 take minutes


def circuit_hash(key: ProvingKey, h_powers: Limbs, backend: Backend) -> bytes:
    """64 bytes that name the key before any contribution, and so the circuit and the first phase.

    h_powers  (domain_size - 1, 8): tau^(n + i) - tau^i, n the domain's size, in G1; h_query in another basis
    """
    vk, g1, g2 = key.verifying_key, key.verifying_key.curve.g1, key.verifying_key.curve.g2
    state = hashlib.blake2b(encode(vk.alpha_g1, key.beta_g1, vk.beta_g2, vk.gamma_g2, key.delta_g1, vk.delta_g2))
    lists: Sequence[tuple[Group, Limbs]] = (
        (g1, g1.to_rows(vk.ic)),
        (g1, h_powers),
        (g1, key.l_query),
        (g1, key.a_query),
        (g1, key.b_g1_query),
        (g2, key.b_g2_query),
    )
    for group, rows in lists:
        state.update(rows.shape[0].to_bytes(4, "big"))
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            state.update(encode_rows(group, rows[start : start + _ROWS_AT_ONCE], backend))
    return state.digest()


def record_contribution(key: ProvingKey, k: int, *, name: str = "", _blinding: int | None = None) -> ProvingKey:
    """The key with delta multiplied by k and a contribution that proves it; l_query and h_query stay as they are.

    k is the contributor's secret in [1, r); forget it. The point s comes from the operating system's generator.
    """
    vk = key.verifying_key
    s = _blinding or vk.curve.scalar_field.random_nonzero()
    g1_s = s * vk.curve.g1.generator
    g1_sx = k * g1_s
    transcript = _transcript(key.circuit_hash, key.contributions, g1_s, g1_sx)
    contribution = Contribution(
        delta_after=k * key.delta_g1,
        g1_s=g1_s,
        g1_sx=g1_sx,
        g2_spx=k * hash_to_g2(vk.curve, transcript),
        transcript=transcript,
        name=name,
    )
    return replace(
        key,
        delta_g1=contribution.delta_after,
        verifying_key=replace(vk, delta_g2=k * vk.delta_g2),
        contributions=(*key.contributions, contribution),
    )


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
    delta = vk.curve.g1.generator
    for i, contribution in enumerate(key.contributions):
        _verify_contribution(vk.curve, key.circuit_hash, key.contributions[:i], delta, contribution)
        delta = contribution.delta_after
    if delta != key.delta_g1:
        raise FormatError("delta in G1 is not the one the last contribution left: do not use this key")
    if not same_ratio(vk.curve.g1.generator, delta, vk.curve.g2.generator, vk.delta_g2):
        raise FormatError("delta in G2 is not the delta in G1: do not use this key")


def verify_key(key: ProvingKey, initial: ProvingKey, backend: Backend) -> None:
    """Raises unless `key` is `initial`, recomputed from circuit and powers of tau, after valid contributions.

    That l_query and h_query were divided by delta is checked on random linear combinations, which a wrong point
    passes with probability 2^-128.
    """
    verify_contributions(key)
    _require_same_circuit(key, initial)
    field, g1, g2 = backend.curve.scalar_field, backend.curve.g1, backend.curve.g2
    for name in ("l_query", "h_query"):
        before, after = getattr(initial, name), getattr(key, name)
        if before.shape != after.shape:
            raise FormatError(f"{name} has {after.shape[0]:,} points, not {before.shape[0]:,}: do not use this key")
        weights = backend.vector(field.random_weights(before.shape[0]))
        p, q = (backend.msm(backend.points(g1, rows), weights) for rows in (before, after))
        if not same_ratio(q, p, g2.generator, key.verifying_key.delta_g2):
            raise FormatError(f"{name} is not the initial one divided by delta: do not use this key")


def beacon_key(curve: Curve, digest: bytes, exponent: int) -> tuple[int, Point]:
    """(k, s) of a contribution made from a public random beacon: SHA-256 applied 2^exponent times."""
    if exponent > _MAX_BEACON_EXPONENT:
        raise FormatError(f"a beacon of 2^{exponent} iterations: more than 2^{_MAX_BEACON_EXPONENT} are not verified")
    for _ in range(1 << exponent):
        digest = hashlib.sha256(digest).digest()
    stream = Stream.seeded(digest)
    return stream.element(curve.scalar_field), stream.point(curve.g1)


def _transcript(start: bytes, earlier: Sequence[Contribution], g1_s: Point, g1_sx: Point) -> bytes:
    return blake2b(start, *(_record(contribution) for contribution in earlier), encode(g1_s, g1_sx))


def _record(contribution: Contribution) -> bytes:
    points = encode(contribution.delta_after, contribution.g1_s, contribution.g1_sx, contribution.g2_spx)
    return points + contribution.transcript


def _verify_contribution(
    curve: Curve, start: bytes, earlier: Sequence[Contribution], delta: Point, contribution: Contribution
) -> None:
    where = f"contribution {len(earlier) + 1} ({contribution.name!r})"
    require_proper(where, contribution.delta_after, contribution.g1_s, contribution.g1_sx, contribution.g2_spx)
    if contribution.transcript != _transcript(start, earlier, contribution.g1_s, contribution.g1_sx):
        raise FormatError(f"{where}: the transcript is not that of what came before it: do not use this key")
    g2_sp = hash_to_g2(curve, contribution.transcript)
    if not same_ratio(contribution.g1_s, contribution.g1_sx, g2_sp, contribution.g2_spx):
        raise FormatError(f"{where}: the proof that its maker knew the secret is wrong: do not use this key")
    if not same_ratio(delta, contribution.delta_after, g2_sp, contribution.g2_spx):
        raise FormatError(f"{where}: delta was not multiplied by the secret: do not use this key")
    if contribution.beacon is not None:
        k, g1_s = beacon_key(curve, *contribution.beacon)
        if (g1_s, k * g1_s) != (contribution.g1_s, contribution.g1_sx):
            raise FormatError(f"{where}: the secret is not that of its beacon: do not use this key")


def _require_same_circuit(key: ProvingKey, initial: ProvingKey) -> None:
    expected = replace(initial.verifying_key, delta_g2=key.verifying_key.delta_g2)
    if key.verifying_key != expected or key.beta_g1 != initial.beta_g1 or key.circuit_hash != initial.circuit_hash:
        raise FormatError("the key's fixed points or circuit hash differ from the circuit's: it is another circuit's")
    for name in ("a_query", "b_g1_query", "b_g2_query"):
        if not np.array_equal(getattr(key, name), getattr(initial, name)):
            raise FormatError(f"{name} is not the one of the circuit: the key is another circuit's, or damaged")
    if not (_same_matrix(key, initial, "a") and _same_matrix(key, initial, "b")):
        raise FormatError("the matrices are not those of the circuit: the key is another circuit's, or damaged")


def _same_matrix(key: ProvingKey, initial: ProvingKey, name: str) -> bool:
    """Whether two sparse matrices are equal, whatever the order of a row's entries and of the table."""
    mine, other = (_sorted_entries(getattr(k, name)) for k in (key, initial))
    return np.array_equal(mine, other)


def _sorted_entries(matrix: SparseMatrix) -> Limbs:
    """(entries, 6): row, column and value of each entry, by row and column."""
    values = matrix.table[matrix.coefficient]
    entries = np.column_stack([matrix.row_of_entry().view(np.uint64), matrix.indices.astype(np.uint64), values])
    return entries[np.lexsort((entries[:, 1], entries[:, 0]))]
