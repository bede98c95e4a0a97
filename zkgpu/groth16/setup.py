"""Keys for a circuit: from a powers-of-tau ceremony, or, for tests, from one party that knows every secret.

The elements are those of Groth, eprint 2016/260, section 3.2, laid out as snarkjs does: gamma is 1 and h_query holds
Lagrange points, see `ProvingKey`.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

import numpy as np

from zkgpu.backend.beside import aligned_empty
from zkgpu.backend.protocol import Backend, Vector
from zkgpu.ceremony.draws import Beacon, require_beacon, require_name, secret_of_system
from zkgpu.ceremony.multiples import progression
from zkgpu.ceremony.powers import verify_powers
from zkgpu.ceremony.published import require_powers
from zkgpu.circuits.r1cs import R1CS
from zkgpu.curves.points import Curve, Point
from zkgpu.errors import FormatError, SelfCheckError, UsageError
from zkgpu.fields.field import Field, Limbs
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.groth16 import ceremony
from zkgpu.groth16.combining import combine_by_pieces
from zkgpu.groth16.keys import UNSAFE_NAME, CommitmentKey, CommitmentQueries, ProvingKey, VerifyingKey
from zkgpu.groth16.qap import QapMatrices, domain_for, qap_matrices
from zkgpu.ntt.domain import Domain
from zkgpu.records import dataclass
from zkgpu.stages import stage, steps

if TYPE_CHECKING:
    from zkgpu.ceremony.ptau import PowersOfTau

PIECE = 1 << 18  # values that are inverted together


@dataclass(frozen=True)
class ToxicWaste:
    """The secrets of a one-party setup. Whoever knows them can forge proofs; gamma is 1 as in snarkjs' keys."""

    tau: int = field(repr=False)
    alpha: int = field(repr=False)
    beta: int = field(repr=False)
    delta: int = field(repr=False)
    sigma: int = field(default=1, repr=False)

    @staticmethod
    def random(field: Field) -> ToxicWaste:
        return ToxicWaste(*(field.random_nonzero() for _ in range(5)))


def unsafe_setup(r1cs: R1CS, backend: Backend, *, _waste: ToxicWaste | None = None) -> ProvingKey:
    """A key whose maker can forge proofs: one party draws every secret, from the operating system, and forgets it.

    The key says so of itself (`ProvingKey.is_unsafe`), and every file made from it.
    """
    curve, domain = backend.curve, domain_for(r1cs.field, r1cs.n_constraints, r1cs.n_public)
    g1, g2 = curve.g1.generator, curve.g2.generator
    waste = _waste or ToxicWaste.random(curve.scalar_field)
    with stage("evaluate polynomials"):
        a, b, ic_and_l = _evaluate_at_tau(backend, domain, r1cs, waste)
        ic_and_l = _over_delta(backend, ic_and_l, r1cs.n_public + 1 + r1cs.n_committed, waste.delta)
    points = domain.size + r1cs.n_wires * (3 + backend.curve.g2.degree)
    with stage("multiply generators"), steps(points):
        of_wires = (backend.fixed_base(g1, a), backend.fixed_base(g1, b), backend.fixed_base(g2, b))
        del a, b
        last = backend.fixed_base(g1, ic_and_l)
        del ic_and_l
        h = _h_scalars(backend, domain, waste)
        queries = Queries(*of_wires, last, backend.fixed_base(g1, h))
    key = _bare_key(curve, qap_matrices(r1cs), r1cs, waste.alpha * g1, waste.beta * g1, waste.beta * g2, queries)
    with stage("hash key"):
        # nobody can recompute a one-party key, so any digest of its points may name its circuit
        key = replace(key, circuit_hash=ceremony.circuit_hash(key, key.h_query, backend))
    key = _contribute_sigma(key, backend, waste.sigma, UNSAFE_NAME)
    return ceremony.record_contribution(key, waste.delta, name=UNSAFE_NAME)


@dataclass(frozen=True)
class Queries:
    """The points arrays of a key: ic and the committed wires' points in front of l_query."""

    a: Limbs
    b_g1: Limbs
    b_g2: Limbs
    ic_and_l: Limbs
    h: Limbs


def _bare_key(
    curve: Curve, qap: QapMatrices, r1cs: R1CS, alpha_g1: Point, beta_g1: Point, beta_g2: Point, queries: Queries
) -> ProvingKey:
    """A key before any contribution, gamma, delta and sigma being 1, and its circuit hash not yet known."""
    g1, g2 = curve.g1, curve.g2
    ic_rows, committed, l_query = np.split(queries.ic_and_l, np.cumsum([r1cs.n_public + 1, r1cs.n_committed]))
    ic = tuple(g1.from_rows(ic_rows))
    return ProvingKey(
        verifying_key=VerifyingKey(
            curve,
            alpha_g1,
            beta_g2,
            gamma_g2=g2.generator,
            delta_g2=g2.generator,
            ic=ic,
            commitments=tuple(CommitmentKey(g2.generator, round_) for round_ in r1cs.rounds),
        ),
        beta_g1=beta_g1,
        delta_g1=g1.generator,
        a=qap.a,
        b=qap.b,
        a_query=queries.a,
        b_g1_query=queries.b_g1,
        b_g2_query=queries.b_g2,
        l_query=l_query,
        h_query=queries.h,
        circuit_hash=bytes(64),
        contributions=(),
        commitments=tuple(CommitmentQueries(committed, committed) for _ in r1cs.rounds),
    )


def _evaluate_at_tau(backend: Backend, domain: Domain, r1cs: R1CS, waste: ToxicWaste) -> tuple[Vector, Vector, Vector]:
    """For each wire i: A_i(tau), B_i(tau) and beta A_i(tau) + alpha B_i(tau) + C_i(tau)."""
    lagrange = backend.borrowed(_lagrange_at(backend, domain, waste.tau))
    left = list(qap_matrices(r1cs))  # each goes when the next form of it is there
    c, b, a = (backend.matvec(backend.matrix(left.pop().transpose()), lagrange) for _ in range(3))
    alpha, beta = waste.alpha, waste.beta
    return a, b, backend.pointwise(lambda z, x, y: beta * x + alpha * y + z, c, a, b, in_place=True)


def _lagrange_at(backend: Backend, domain: Domain, tau: int, step: int = 1, factor: int = 1) -> Limbs:
    """factor times L_j(tau) for j = step - 1, 2 step - 1 and so on, as canonical limbs; made by pieces.

    L_j(tau) = (tau^n - 1) / n * omega^j / (tau - omega^j).
    """
    field, n = domain.field, domain.size
    scale = factor * (pow(tau, n, field.modulus) - 1) * field.inverse(n) % field.modulus
    if not scale:
        raise SelfCheckError("tau is a root of unity, which no honest draw gives: set up again")
    out = np.empty((n // step, field.limbs), np.uint64)
    for begin in range(0, len(out), PIECE):
        first = pow(domain.omega, step - 1 + begin * step, field.modulus)
        points = progression(backend, first, pow(domain.omega, step, field.modulus), min(PIECE, len(out) - begin))
        inverses = backend.inverse(backend.pointwise(lambda x: tau - x, points))
        out[begin : begin + PIECE] = backend.limbs(backend.pointwise(lambda x, y: scale * x * y, points, inverses))
    return out


def _over_delta(backend: Backend, ic_and_l: Vector, n_ic: int, delta: int) -> Vector:
    """The same, with the entries of l_query divided by delta; the first n_ic are over gamma = 1."""
    inverse, first = backend.curve.scalar_field.inverse(delta), backend.limbs(ic_and_l)[:n_ic].copy()
    divided = np.array(backend.limbs(backend.pointwise(lambda x: inverse * x, ic_and_l, in_place=True)))
    divided[:n_ic] = first
    return backend.borrowed(divided)


def _h_scalars(backend: Backend, domain: Domain, waste: ToxicWaste) -> Vector:
    """L_{2i+1}(tau) / delta over the domain of twice the size, for i below the domain's size."""
    twice = Domain(domain.field, 2 * domain.size)
    return backend.borrowed(_lagrange_at(backend, twice, waste.tau, 2, domain.field.inverse(waste.delta)))


def setup(r1cs: R1CS, ptau: PowersOfTau, backend: Backend, *, name: str = "") -> ProvingKey:
    """A key from a prepared powers-of-tau file, with one contribution to phase 2.

    The contribution's secret comes from the operating system and is forgotten, so the key is not the one everybody
    can recompute. Others can contribute after it; one honest party is enough.

    Args:
        name: recorded with the contribution

    Raises UsageError when the file is for another curve or too small for the circuit, FormatError when what the
    circuit needs of it are not powers of one tau that others contributed to (`zkgpu.ceremony.powers`).
    """
    require_name(name)
    key = _key_without_contribution(r1cs, ptau, backend)
    return contribute(key, backend, name=name)


def contribute(
    key: ProvingKey,
    backend: Backend,
    *,
    name: str = "",
    entropy: bytes = b"",
    beacon: Beacon | None = None,
    _secret: int | None = None,
) -> ProvingKey:
    """The key with delta multiplied by a secret k drawn from the operating system, and a record that proves it.

    So is sigma, by another secret, when the key has a commitment.

    Args:
        entropy: mixed into what the operating system gives
        beacon: gives the secrets instead: the last contribution of a ceremony, which everybody can make again
    """
    field, g1 = backend.curve.scalar_field, backend.curve.g1
    require_name(name)
    if beacon is not None:
        require_beacon(beacon)
        k, of_sigma = ceremony.beacon_secrets(key, beacon)
    else:
        k, of_sigma = _secret or secret_of_system(field, entropy), secret_of_system(field, entropy)
    inverse = field.inverse(k)
    points = len(key.l_query) + len(key.h_query) + key.n_committed
    with stage("contribute"), steps(points):
        scaled = replace(
            key,
            l_query=backend.scale_points(g1, key.l_query, inverse),
            h_query=backend.scale_points(g1, key.h_query, inverse),
        )
        scaled = _contribute_sigma(scaled, backend, of_sigma, name, beacon)
        return ceremony.record_contribution(scaled, k, name=name, beacon=beacon)


def _contribute_sigma(key: ProvingKey, backend: Backend, k: int, name: str, beacon: Beacon | None = None) -> ProvingKey:
    """The key with sigma multiplied by k, and a record of it; a key without a commitment as it is."""
    for queries in key.commitments:
        knowledge = backend.scale_points(backend.curve.g1, queries.knowledge_query, k)
        scaled = replace(key, commitments=(replace(queries, knowledge_query=knowledge),))
        key = ceremony.record_sigma_contribution(scaled, k, name=name, beacon=beacon)
    return key


def verify_key(key: ProvingKey, r1cs: R1CS, ptau: PowersOfTau, backend: Backend) -> None:
    """Raises unless the key is that of the circuit and of these powers of tau, after valid contributions.

    The key is made again from circuit and powers, which are checked, up to where contributions begin. FormatError,
    PointError or InsecureKeyError name what is wrong: the powers, the circuit, a query, or a contribution.
    """
    initial = _key_without_contribution(r1cs, ptau, backend)
    with stage("check key"):
        try:
            whole = key.with_circuit(r1cs)
        except UsageError as error:
            raise FormatError(f"the digest of the circuit in the key: {error}") from None
        ceremony.verify_key(whole, initial, backend)


def _key_without_contribution(r1cs: R1CS, ptau: PowersOfTau, backend: Backend) -> ProvingKey:
    """The key that everyone can recompute from the circuit and the ceremony: gamma and delta are 1."""
    curve, qap = backend.curve, qap_matrices(r1cs)
    _require_fitting(ptau, curve, qap.a.shape[0])
    with stage("check powers of tau"):
        verify_powers(ptau, qap.a.shape[0].bit_length() - 1, backend)
    with stage("combine Lagrange points"):
        queries = _combine_lagrange_points(qap, ptau, backend)
    key = _bare_key(curve, qap, r1cs, ptau.alpha_g1, ptau.beta_g1, ptau.beta_g2, queries)
    with stage("hash key"):
        h_powers = _h_powers(backend, ptau, key.domain_size)
        return replace(key, circuit_hash=ceremony.circuit_hash(key, h_powers, backend))


def _combine_lagrange_points(qap: QapMatrices, ptau: PowersOfTau, backend: Backend) -> Queries:
    """Every query from the Lagrange points of the ceremony, column by column of the matrices."""
    g1, g2 = backend.curve.g1, backend.curve.g2
    log_size = qap.a.shape[0].bit_length() - 1
    a, b, c = (m.transpose() for m in (qap.a, qap.b, qap.c))
    tau_g1, tau_g2 = ptau.lagrange_tau_g1(log_size), ptau.lagrange_tau_g2(log_size)
    beta_alpha_tau = [ptau.lagrange_beta_g1(log_size), ptau.lagrange_alpha_g1(log_size), tau_g1]
    h = aligned_empty(tau_g1.shape)
    h[:] = ptau.lagrange_tau_g1(log_size + 1)[1::2]
    with steps(2 * a.entries + 3 * b.entries + c.entries):
        return Queries(
            a=combine_by_pieces(backend, g1, [a], [tau_g1]),
            b_g1=combine_by_pieces(backend, g1, [b], [tau_g1]),
            b_g2=combine_by_pieces(backend, g2, [b], [tau_g2]),
            ic_and_l=combine_by_pieces(backend, g1, [a, b, c], beta_alpha_tau),
            h=h,
        )


def _h_powers(backend: Backend, ptau: PowersOfTau, n: int) -> Limbs:
    """(n - 1, 8): tau^(n + i) - tau^i in G1, the form of h_query that a circuit's hash covers."""
    signs = [SparseMatrix.diagonal(n - 1, backend.curve.scalar_field.to_limbs([sign])) for sign in (-1, 1)]
    powers = [ptau.tau_g1[: n - 1], ptau.tau_g1[n : 2 * n - 1]]
    with steps(2 * (n - 1)):
        return combine_by_pieces(backend, backend.curve.g1, signs, powers)


def _require_fitting(ptau: PowersOfTau, curve: Curve, domain_size: int) -> None:
    if ptau.curve is not curve:
        raise UsageError(f"the powers of tau are for {ptau.curve.name}, the circuit for {curve.name}")
    require_powers(ptau, domain_size.bit_length() - 1)
