"""Checks that no equation makes: even a proof that satisfies all of them has no infinity and no zero in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.solidity.plonk_trapdoor import COMMITTED, TRAPDOOR, made_up, r
from zkgpu.curves.bn254 import BN254
from zkgpu.plonk import verify
from zkgpu.plonk.keys import EVALUATIONS

KEY, PUBLIC = TRAPDOOR.verifying_key, [12345]


def test_who_knows_tau_proves_anything() -> None:
    proof = TRAPDOOR.prove(PUBLIC, *made_up(17))
    assert verify(KEY, PUBLIC, proof)
    assert not verify(KEY, [12346], proof)
    assert not verify(replace(KEY, tau_g2=2 * KEY.tau_g2), PUBLIC, proof)


@pytest.mark.parametrize("name", COMMITTED)
def test_a_commitment_at_infinity_is_refused_though_the_equations_hold(name: str) -> None:
    committed, openings = made_up(17)
    proof = TRAPDOOR.prove(PUBLIC, {**committed, name: 0}, openings)
    assert getattr(proof, name).is_infinity
    assert not verify(KEY, PUBLIC, proof)


def test_an_opening_proof_at_infinity_is_refused_though_the_equations_hold() -> None:
    committed, openings = made_up(17)
    proof = TRAPDOOR.prove(PUBLIC, committed, {**openings, "eval_zw": committed["z"]})
    assert proof.w_zeta_omega == BN254.g1.infinity
    assert not verify(KEY, PUBLIC, proof)


@pytest.mark.parametrize("name", EVALUATIONS)
def test_an_opening_of_zero_is_refused_though_the_equations_hold(name: str) -> None:
    committed, openings = made_up(17)
    assert not verify(KEY, PUBLIC, TRAPDOOR.prove(PUBLIC, committed, {**openings, name: 0}))
    assert verify(KEY, PUBLIC, TRAPDOOR.prove(PUBLIC, committed, {**openings, name: r - 1}))
