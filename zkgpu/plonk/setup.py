"""Keys for a circuit from powers of tau: no secret is drawn, and whoever repeats it gets the same key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from zkgpu.backend.machine import available_memory
from zkgpu.backend.protocol import Backend, Vector
from zkgpu.ceremony.published import where_published
from zkgpu.circuits.r1cs import R1CS
from zkgpu.curves.points import Point
from zkgpu.errors import ResourceError, UsageError
from zkgpu.fields.field import Limbs
from zkgpu.ntt.domain import Domain
from zkgpu.plonk.arithmetize import Rows, arithmetize
from zkgpu.plonk.keys import EXTENSION, EXTRA_POWERS, FIXED, MIN_LOG_SIZE, SELECTORS, SIGMAS, ProvingKey, VerifyingKey
from zkgpu.plonk.permutation import identity_labels, sigma
from zkgpu.poly import Coefficients, Committer, Srs
from zkgpu.provers.room import Room
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.ceremony.ptau import PowersOfTau

# Neither k1, k2 nor their quotient is a root of unity of order 2^28: no two columns share a name
COLUMN_FACTORS = (2, 3)
_POINT_BYTES = 64


def setup(r1cs: R1CS, ptau: PowersOfTau, backend: Backend) -> ProvingKey:
    """The key of a circuit, from a ceremony's powers of tau, which need no preparation for phase 2.

    Raises UsageError when the file is for another curve or too small for the circuit, FormatError when what the
    circuit needs of it are not powers of one tau that others contributed to (`zkgpu.ceremony.powers`), ResourceError
    before any work when the key would not fit the memory: it has a polynomial for each public value.
    """
    rows = _arithmetized(r1cs)
    with stage("check powers of tau"):
        count = (1 << rows.log_size) + EXTRA_POWERS
        if count > len(ptau.tau_g1):
            larger = where_published(ptau.curve, count.bit_length() - 1)
            raise UsageError(
                f"{ptau.path}: the circuit takes {rows.n_rows:,} rows, so {count:,} powers of tau, and the file has "
                f"{len(ptau.tau_g1):,}: take a larger ceremony file: {larger}"
            )
        srs = Srs.from_powers_of_tau(ptau, count, backend)
    return key_from_rows(rows, srs, backend)


def unsafe_setup(r1cs: R1CS, backend: Backend, *, _tau: int | None = None) -> ProvingKey:
    """A key whose maker can forge proofs: tau is drawn here, from the operating system, and forgotten.

    Raises ResourceError as `setup`.
    """
    rows = _arithmetized(r1cs)
    with stage("draw powers of tau"):
        srs = Srs.unsafe((1 << rows.log_size) + EXTRA_POWERS, backend, _tau=_tau)
    return key_from_rows(rows, srs, backend)


def setup_room(r1cs: R1CS) -> Room:
    """What a setup of the circuit takes at the least: of each constraint it makes a row, and often more."""
    rows = max(1 << MIN_LOG_SIZE, r1cs.n_constraints + r1cs.n_public)
    size = _key_bytes((rows - 1).bit_length(), r1cs.n_public, r1cs.field.bytes)
    return Room(size, size)


def _arithmetized(r1cs: R1CS) -> Rows:
    with stage("arithmetize"):
        rows = arithmetize(r1cs)
    size, there = key_bytes(rows), available_memory()
    if size > there:
        raise ResourceError(
            f"{rows.n_public:,} public values and {rows.n_rows:,} rows take a PLONK key of {size / 1e9:,.1f} GB, and "
            f"{there / 1e9:,.1f} GB of memory are there: make fewer values public, their hash say, or take Groth16"
        )
    return rows


def key_bytes(rows: Rows) -> int:
    """About what a key takes in memory and as a file: EXTENSION vectors for each of its polynomials."""
    return _key_bytes(rows.log_size, rows.n_public, rows.field.bytes)


def _key_bytes(log_size: int, n_public: int, scalar_bytes: int) -> int:
    polynomials = len(FIXED) + max(1, n_public)
    return (polynomials * EXTENSION * scalar_bytes + _POINT_BYTES) << log_size


def key_from_rows(rows: Rows, srs: Srs, backend: Backend) -> ProvingKey:
    """The key of an arithmetized circuit."""
    domain = Domain(rows.field, 1 << rows.log_size)
    with stage("interpolate"):
        fixed = [backend.intt(vector, domain) for vector in _fixed_values(rows, domain, backend)]
    with stage("commit"):
        committer = Committer(backend, srs.powers_g1, domain.size)
        commitments = committer.commit([Coefficients(p) for p in fixed])
    with stage("extend"):
        extended = {name: _extended(backend, p, domain) for name, p in zip(FIXED, fixed, strict=True)}
        lagrange = np.empty((_n_lagrange(rows), EXTENSION * domain.size, domain.field.limbs), dtype=np.uint64)
        for own, polynomial in zip(lagrange, _lagrange(rows, domain, backend), strict=True):
            own[:] = _extended(backend, polynomial, domain)
    return ProvingKey(
        verifying_key=_verifying_key(rows, srs, commitments),
        n_wires=rows.n_wires,
        additions=rows.additions,
        wires=rows.wires,
        fixed=extended,
        lagrange=lagrange,
        powers_g1=srs.powers_g1,
    )


def _verifying_key(rows: Rows, srs: Srs, commitments: list[Point]) -> VerifyingKey:
    k1, k2 = COLUMN_FACTORS
    named: dict[str, Any] = dict(zip(FIXED, commitments, strict=True))
    return VerifyingKey(
        srs.curve, rows.n_public, rows.log_size, k1, k2, **named, tau_g2=srs.tau_g2, is_unsafe=srs.is_unsafe
    )


def _fixed_values(rows: Rows, domain: Domain, backend: Backend) -> list[Vector]:
    """The fixed polynomials' values on the domain, bit-reversed, in the order of FIXED."""
    order, values = domain.bit_reversal, []
    for name in SELECTORS:
        column = np.zeros((domain.size, domain.field.limbs), dtype=np.uint64)
        column[: rows.n_rows] = rows.selectors[name]
        values.append(column)
    labels = identity_labels(domain, COLUMN_FACTORS)
    values += [labels[column] for column in sigma(rows.wires, domain.size)]
    assert len(values) == len(SELECTORS) + len(SIGMAS)
    return [backend.vector(column[order]) for column in values]


def _n_lagrange(rows: Rows) -> int:
    return max(1, rows.n_public)


def _lagrange(rows: Rows, domain: Domain, backend: Backend) -> Iterator[Vector]:
    """L_1, L_2, .. for the public inputs, L_1 at least: 1 in one row and 0 in the others."""
    for row in range(_n_lagrange(rows)):
        values = np.zeros((domain.size, domain.field.limbs), dtype=np.uint64)
        values[row, 0] = 1
        yield backend.intt(backend.vector(values[domain.bit_reversal]), domain)


def _extended(backend: Backend, coefficients: Vector, domain: Domain) -> Limbs:
    """(5 n, 4) Montgomery limbs: the coefficients, then the values on the 4n-th roots of unity in natural order."""
    r = domain.field.montgomery_radix
    low = backend.limbs(backend.pointwise(lambda c: r * c, coefficients))
    padded = np.zeros((4 * domain.size, domain.field.limbs), dtype=np.uint64)
    padded[: domain.size] = low
    large = Domain(domain.field, 4 * domain.size)
    # the transform is linear, so what it makes of Montgomery forms are Montgomery forms
    values = backend.limbs(backend.ntt(backend.vector(padded), large))
    return np.concatenate([low, values[large.bit_reversal]])
