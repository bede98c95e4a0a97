"""KZG: what was committed to opens to its values, and to nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from zkgpu.backend.reference import ReferenceBackend
from zkgpu.curves.bn254 import BN254, Fr
from zkgpu.errors import SelfCheckError, UsageError
from zkgpu.poly import Claim, Coefficients, Committer, Opening, Srs, batch_quotient, evaluate, openings_hold

r, N, TAU = Fr.modulus, 8, 123456789
V, U = 1001, 2002
BACKEND = ReferenceBackend(BN254)
SRS = Srs.unsafe(N + 6, BACKEND, _tau=TAU)
COMMITTER = Committer(BACKEND, SRS.powers_g1, N)
POLYNOMIALS = [
    Coefficients(BACKEND.vector(Fr.to_limbs([3, 1, 4, 1, 5, 9, 2, 6]))),
    Coefficients(BACKEND.vector(Fr.to_limbs([2, 7, 1, 8, 2, 8, 1, 8])), {0: 5, 1: 6, N: 7, N + 5: 8}),
]
COMMITMENTS = COMMITTER.commit(POLYNOMIALS)


def opened(x: int, polynomials: Sequence[Coefficients] = POLYNOMIALS) -> Opening:
    values = [evaluate(BACKEND, p, x) for p in polynomials]
    (proof,) = COMMITTER.commit([batch_quotient(BACKEND, polynomials, values, x, V)])
    commitments = COMMITTER.commit(polynomials)
    return Opening(x, proof, [Claim.of(c, y) for c, y in zip(commitments, values, strict=True)])


def holds(*openings: Opening) -> bool:
    return openings_hold(BN254, SRS.tau_g2, openings, V, U)


def test_a_commitment_is_the_value_at_tau_times_the_generator() -> None:
    assert [evaluate(BACKEND, p, TAU) * BN254.g1.generator for p in POLYNOMIALS] == COMMITMENTS


def test_the_string_holds_powers_of_tau() -> None:
    assert BN254.g1.from_rows(SRS.powers_g1) == [pow(TAU, i, r) * BN254.g1.generator for i in range(N + 6)]
    assert SRS.is_unsafe


def test_batches_at_two_points_hold_together() -> None:
    assert holds(opened(17), opened(18, POLYNOMIALS[1:]))


@pytest.mark.parametrize("which", [0, 1])
def test_a_wrong_value_does_not_hold(which: int) -> None:
    opening = opened(17)
    claims = list(opening.claims)
    claims[which] = replace(claims[which], value=(claims[which].value + 1) % r)
    assert not holds(replace(opening, claims=claims))
    assert not holds(opened(18), replace(opening, claims=claims))


def test_a_proof_for_another_point_or_another_proof_does_not_hold() -> None:
    opening = opened(17)
    assert not holds(replace(opening, x=18))
    assert not holds(replace(opening, proof=opened(18).proof))
    assert not holds(replace(opening, proof=BN254.g1.infinity))


def test_errors_of_two_openings_do_not_cancel() -> None:
    first, second = opened(17), opened(18)
    g = BN254.g1.generator
    assert not holds(replace(first, proof=first.proof + g), replace(second, proof=second.proof - g))


def test_errors_chosen_with_tau_to_cancel_do_not_cancel_either() -> None:
    """Without u the two equations would only hold in sum, and this sum holds."""
    first, second = opened(17), opened(18)
    g = BN254.g1.generator
    shifted = replace(first, proof=first.proof + (TAU - 18) * g), replace(second, proof=second.proof - (TAU - 17) * g)
    assert openings_hold(BN254, SRS.tau_g2, shifted, V, 1)
    assert not openings_hold(BN254, SRS.tau_g2, shifted, V, U)


def test_two_values_of_one_commitment_at_one_point_are_refused_whatever_the_proof() -> None:
    opening = opened(17, [POLYNOMIALS[0], POLYNOMIALS[0]])
    assert holds(opening)
    first, second = opening.claims
    # their sum folded by V is still right
    shifted = [
        replace(first, value=(first.value + V) % r),
        replace(second, value=(second.value - 1) % r),
    ]
    assert not holds(replace(opening, claims=shifted))


def test_a_prover_s_wrong_value_is_an_error_and_not_a_proof() -> None:
    values = [evaluate(BACKEND, p, 17) for p in POLYNOMIALS]
    with pytest.raises(SelfCheckError, match="not the polynomial's value"):
        batch_quotient(BACKEND, POLYNOMIALS, [values[0], values[1] + 1], 17, V)


def test_a_string_is_not_made_of_too_few_powers_or_another_curve_s(ptau_of_64_powers) -> None:  # type: ignore[no-untyped-def]
    assert len(Srs.from_powers_of_tau(ptau_of_64_powers, 14, BACKEND).powers_g1) == 14
    with pytest.raises(UsageError, match="are needed"):
        Srs.from_powers_of_tau(ptau_of_64_powers, 128, BACKEND)
