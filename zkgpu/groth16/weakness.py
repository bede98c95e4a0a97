"""Why a key is not to be used: what can be seen from its points alone, without the circuit or the ceremony.

The equation is e(A, B) = e(alpha, beta) e(vk_x, gamma) e(C, delta), with a commitment also e(D, sigma) = e(pi, gamma).

A verifying key must have no two secrets that are equal up to sign, 1 among them: with gamma = delta or gamma = -delta
the proof A = alpha, B = beta, C = -vk_x or vk_x verifies; with delta = 1 or -1, nobody needs a point over delta; with
sigma 1, beta or delta up to sign, points of the key make sigma D for a D that commits to nothing. gamma itself is 1 in
keys of snarkjs and zkgpu, which is right, as no term but vk_x meets it; -1 is nobody's gamma.

Each IC point binds a public input: at infinity it binds nothing, and two that are equal up to sign bind only their
sum or difference. Setups that are right make neither: rows n_constraints .. n_constraints + n_public of A bind one
public wire each (`qap._with_binding_rows`; circom's keys have them too), so ic_i is beta L_{n+i} + .. with a
polynomial of its own, and vanishes with a probability of about domain_size / r.

A proving key hides the witness when delta in G1 is delta in G2 and not 0: then r delta and s delta make A and B
uniform, and the equation leaves one C, which the prover's self-check makes sure of whatever else the key holds. With
a commitment the mask's points K_0 and sigma K_0 must not be infinity: then D is uniform, and the second equation
leaves one pi. Not to be seen without the circuit: whether the queries, matrices and the split into public and private
wires are those of the circuit; see `ceremony.verify_key`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from zkgpu.curves.pairing import pairing_product_is_one
from zkgpu.curves.points import Point, sum_points
from zkgpu.curves.proper import coincidence, require_point
from zkgpu.errors import LengthError, UsageError

if TYPE_CHECKING:
    from zkgpu.circuits.committed import CommittedRound
    from zkgpu.groth16.keys import ProvingKey, VerifyingKey

_QUERIES = ("committed_query", "knowledge_query")


def require_proper_key(key: VerifyingKey) -> None:
    """Raises UsageError or PointError unless the key is made of canonical points of its curve's groups.

    Readers of files give no other keys; this is for keys made by hand.
    """
    g1, g2 = key.curve.g1, key.curve.g2
    if type(key.ic) is not tuple or not key.ic:
        raise UsageError("IC of the verifying key is no tuple of points: give one for the constant 1, and one an input")
    require_point(key.alpha_g1, g1, "alpha of the verifying key")
    for i, point in enumerate(key.ic):
        require_point(point, g1, f"IC[{i}] of the verifying key")
    for name, point in _in_g2(key).items():
        require_point(point, g2, f"{name} of the verifying key")
    for commitment in key.commitments:
        _require_proper_round(commitment.round, key.n_public)


def _require_proper_round(round_: CommittedRound, n_public: int) -> None:
    counts = (round_.n_committed, round_.n_challenges)
    if not all(type(k) is int and k > 0 for k in counts) or type(round_.arrays) is not tuple:
        raise UsageError("the commitment of the verifying key lacks committed wires, challenges or its tuple of arrays")
    if round_.n_public > n_public:
        raise LengthError(f"the verifying key has {n_public} public inputs, fewer than its commitment adds")


def weakness_of_verifying_key(key: VerifyingKey) -> str | None:
    """Why anyone could forge proofs for the key, or None. Compares points, and computes nothing."""
    if key.gamma_g2 == key.delta_g2 and not key.gamma_g2.is_infinity:
        return "gamma equals delta: phase 2 of the setup was never contributed to"
    one = key.curve.g2.generator
    in_g2 = {"the generator of G2": one} | _in_g2(key)
    if key.gamma_g2 == one:
        del in_g2["gamma"]
    return coincidence(_in_g1(key)) or coincidence(in_g2)


def weakness_of_proving_key(key: ProvingKey) -> str | None:
    """Why proofs for the key could be forged or would hide nothing, or None.

    Takes one product of pairings, unless the key comes from a file that passed before.
    Raises UsageError or PointError for a key made by hand of improper points.
    """
    _require_proper_points(key)
    if not key.contributions:
        return "phase 2 of the setup has no contribution"
    if not all(queries.contributions for queries in key.commitments):
        return "the commitment's key has no contribution"
    return (
        key.verifying_key.weakness()
        or coincidence(_in_g1(key.verifying_key) | {"beta1": key.beta_g1, "delta1": key.delta_g1})
        or _weakness_of_queries(key)
        or (mismatch(key) if key.file_digest is None else None)
    )


def mismatch(key: ProvingKey) -> str | None:
    """Which secret is not the same in both groups, or None: beta, delta, and sigma by the mask's points.

    All in one equation with random 128-bit weights, which a key that is wrong passes with probability 2^-128. That the
    other points of knowledge_query are sigma times those of committed_query is left to every proof's self-check.
    """
    _require_proper_points(key)
    ratios = list(_ratios(key))
    if _hold(key, ratios):
        return None
    wrong = next((ratio.secret for ratio in ratios if not _hold(key, [ratio])), "a secret")
    return f"{wrong} is not the same in G1 and G2: the key is damaged, or its proofs would hide nothing"


class _Ratio(NamedTuple):
    """That multiple = x point in G1 and in_g2 = x in G2, for the secret x."""

    secret: str
    point: Point
    multiple: Point
    in_g2: Point


def _hold(key: ProvingKey, ratios: Sequence[_Ratio]) -> bool:
    """Whether e(multiple, 1) = e(point, in_g2) for each, summed with random 128-bit weights."""
    curve = key.verifying_key.curve
    weights = curve.scalar_field.from_limbs(curve.scalar_field.random_weights(len(ratios)))
    multiples = sum_points(curve.g1, (w * ratio.multiple for w, ratio in zip(weights, ratios, strict=True)))
    pairs = [(w * ratio.point, ratio.in_g2) for w, ratio in zip(weights, ratios, strict=True)]
    return pairing_product_is_one([(-multiples, curve.g2.generator), *pairs])


def _ratios(key: ProvingKey) -> Iterator[_Ratio]:
    """Each secret of the key that is in both groups."""
    vk, one = key.verifying_key, key.verifying_key.curve.g1.generator
    yield _Ratio("beta", one, key.beta_g1, vk.beta_g2)
    yield _Ratio("delta", one, key.delta_g1, vk.delta_g2)
    for queries, commitment in zip(key.commitments, vk.commitments, strict=True):
        yield _Ratio("sigma", *queries.mask_points(vk.curve.g1), commitment.sigma_g2)


def _require_proper_points(key: ProvingKey) -> None:
    """Raises UsageError or PointError unless the points that no query holds, and the mask's, are proper."""
    key.verifying_key.require_proper()
    for name, point in {"beta1": key.beta_g1, "delta1": key.delta_g1, **_mask_points(key)}.items():
        require_point(point, key.verifying_key.curve.g1, name)


def _mask_points(key: ProvingKey) -> dict[str, Point]:
    """K_0 and sigma K_0."""
    named: dict[str, Point] = {}
    for queries in key.commitments:
        points = queries.mask_points(key.verifying_key.curve.g1)
        named |= {f"the mask's point {query}[0]": p for query, p in zip(_QUERIES, points, strict=True)}
    return named


def _weakness_of_queries(key: ProvingKey) -> str | None:
    """The mask's points, and h_query, of which at most one point is infinity unless tau is a root of unity.

    h_query[i] = L_{2i+1}(tau) / delta: all are 0 with tau in the domain, and then one row alone is enforced.
    """
    for name, point in _mask_points(key).items():
        if point.is_infinity:
            return f"{name} is infinity: commitments would hide nothing"
    if len(key.h_query) > 1 and not key.h_query[:2].any(axis=1).all():
        return "h_query starts with points at infinity: tau is a root of unity"
    return None


def _in_g1(key: VerifyingKey) -> dict[str, Point]:
    """The points of G1 that must differ up to sign."""
    ic = {f"IC[{i}]": point for i, point in enumerate(key.ic)}
    return {"the generator of G1": key.curve.g1.generator, "alpha": key.alpha_g1} | ic


def _in_g2(key: VerifyingKey) -> dict[str, Point]:
    """The secrets of G2."""
    named = {"beta": key.beta_g2, "gamma": key.gamma_g2, "delta": key.delta_g2}
    for commitment in key.commitments:
        named["sigma"] = commitment.sigma_g2
    return named
