"""Phase 1 by a cheater: each way to know tau all the same, or to pass off another file, is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zkgpu import open_backend
from zkgpu.ceremony.chain import Draws, first_challenge, next_challenge, verify_contributions
from zkgpu.ceremony.powers import verify_file
from zkgpu.ceremony.ptau import PhaseOneContribution, PowersState, read_ptau
from zkgpu.curves.bn254 import BN254, G1, G2, Fr
from zkgpu.curves.points import Point
from zkgpu.errors import FormatError, InsecureKeyError, PointError

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
BACKEND = open_backend("cpu")


def outside_g2() -> Point:
    """A point of the twist, which is not in the subgroup."""
    for x in range(1, 100):
        y = G2.field.sqrt(G2.field.add(G2.field.mul(G2.field.square((x, 0)), (x, 0)), G2.b))
        if y is not None and not Point(G2, (x, 0), y).is_in_subgroup():
            return Point(G2, (x, 0), y)
    raise AssertionError


def with_point(rows, index, group, point):
    changed = np.array(rows)
    changed[index] = group.to_rows([point])[0]
    return changed


def swapped(rows):
    changed = np.array(rows)
    changed[[3, 4]] = changed[[4, 3]]
    return changed


def swapped_lagrange(ptau, i, j):
    parts = list(ptau.lagrange)
    parts[i], parts[j] = parts[j], parts[i]
    return replace(ptau, lagrange=tuple(parts))


def block_changed(ptau, part, at):
    parts = list(ptau.lagrange)
    parts[part] = np.array(parts[part])
    parts[part][[at, at + 1]] = parts[part][[at + 1, at]]
    return replace(ptau, lagrange=tuple(parts))


CHEATS = {
    "sections 4 and 5 swapped": (
        lambda p: replace(p, alpha_tau_g1=p.beta_tau_g1, beta_tau_g1=p.alpha_tau_g1),
        "not those the last contribution left",
    ),
    "sections 14 and 15 swapped": (lambda p: swapped_lagrange(p, 2, 3), "Lagrange points of alpha tau"),
    "a small block": (lambda p: block_changed(p, 3, 3), r"Lagrange points of beta tau, 2\^2"),
    "blocks of two sections changed alike": (
        lambda p: block_changed(block_changed(p, 2, 3), 3, 3),
        r"Lagrange points of alpha tau, 2\^2",
    ),
    "points of two powers changed alike": (
        lambda p: replace(p, alpha_tau_g1=swapped(p.alpha_tau_g1), beta_tau_g1=swapped(p.beta_tau_g1)),
        "alpha times powers",
    ),
    "a block of G2": (lambda p: block_changed(p, 1, 4), r"Lagrange points of tau in G2, 2\^2"),
    "the block of twice the size": (lambda p: block_changed(p, 0, 20), "twice the size"),
    "a G2 point outside the subgroup": (
        lambda p: replace(p, tau_g2=with_point(p.tau_g2, 5, G2, outside_g2())),
        r"powers of tau in G2: point 5: .*subgroup",
    ),
    "a Lagrange point outside the subgroup": (
        lambda p: replace(
            p, lagrange=(p.lagrange[0], with_point(p.lagrange[1], 10, G2, outside_g2()), *p.lagrange[2:])
        ),
        r"Lagrange points of tau in G2: point 10: .*subgroup",
    ),
    "one power": (lambda p: replace(p, tau_g1=with_point(p.tau_g1, 9, G1, 7 * G1.generator)), "powers of tau in G1"),
    "beta in G2": (lambda p: replace(p, beta_g2=2 * p.beta_g2), "not those the last contribution left"),
    "another tau": (lambda p: replace(p, tau_g1=p.beta_tau_g1), "not those the last contribution left"),
    "the last hash": (
        lambda p: replace(p, contributions=(p.contributions[0], replace(p.contributions[1], next_challenge=bytes(64)))),
        "last contribution's hash",
    ),
    "a missing link": (lambda p: replace(p, contributions=p.contributions[1:]), "contribution 1 .*knew its tau"),
    "a missing last link": (lambda p: replace(p, contributions=p.contributions[:1]), "the last contribution left"),
    "no contribution": (lambda p: replace(p, contributions=()), "nobody contributed"),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_changed_file_is_refused_by_what_was_changed(small, cheat):
    change, message = CHEATS[cheat]
    with pytest.raises((FormatError, InsecureKeyError), match=message):
        verify_file(change(small), BACKEND)


def test_the_files_themselves_pass(small):
    verify_file(small, BACKEND)
    verify_file(read_ptau(SAMPLES / "pot6_final.ptau"), BACKEND)


def contributed(tau: int, alpha: int, beta: int, *, power: int = 2, beacon=None, base: int = 11):
    """A file with these secrets as its one contribution, whose proofs and hashes are right, as a cheater makes it."""
    ptau = read_ptau(SAMPLES / "pot6_b.ptau")
    n, one, two = 1 << power, G1.generator, G2.generator
    g1 = [pow(tau, i, Fr.modulus) for i in range(2 * n - 1)]
    state = PowersState(tau * one, tau * two, alpha * one, beta * one, beta * two)
    made = replace(
        ptau,
        power=power,
        ceremony_power=power,
        tau_g1=G1.to_rows(k * one for k in g1),
        tau_g2=G2.to_rows(k * two for k in g1[:n]),
        alpha_tau_g1=G1.to_rows(k * alpha * one for k in g1[:n]),
        beta_tau_g1=G1.to_rows(k * beta * one for k in g1[:n]),
        beta_g2=beta * two,
    )
    draws = Draws(tau, alpha, beta, tuple((base + i) * one for i in range(3)))
    proofs = draws.proofs(BN254, first_challenge(BN254, power))
    partial_hash = ptau.contributions[0].partial_hash
    contribution = PhaseOneContribution(*state, *proofs, partial_hash, b"", int(beacon is not None), "eve", beacon)
    contribution = replace(contribution, next_challenge=next_challenge(made, contribution, BACKEND))
    return replace(made, contributions=(contribution,))


def test_an_honest_contribution_of_this_kind_passes():
    verify_file(contributed(5, 6, 7), BACKEND)


@pytest.mark.parametrize(("secrets", "name"), [((0, 6, 7), "tau_g1"), ((5, 0, 7), "alpha_g1"), ((5, 6, 0), "beta_g1")])
def test_a_secret_of_zero_is_refused_by_name(secrets, name):
    with pytest.raises(PointError, match=f"contribution 1 .'eve'.: {name}: .*infinity"):
        verify_contributions(contributed(*secrets))


@pytest.mark.parametrize(("secrets", "name"), [((1, 6, 7), "tau"), ((5, -1, 7), "alpha"), ((5, 6, 1), "beta")])
def test_a_contribution_of_one_or_minus_one_is_refused_by_name(secrets, name):
    with pytest.raises(FormatError, match=f"contribution 1 .'eve'.: multiplies {name} by 1 or -1"):
        verify_contributions(contributed(*secrets))


def test_a_beacon_whose_secrets_are_the_cheaters_own_is_refused():
    with pytest.raises(FormatError, match="not those of its beacon"):
        verify_contributions(contributed(5, 6, 7, beacon=(bytes(range(31)), 10)))


def test_a_contributions_point_outside_the_subgroup_is_refused(small):
    first, second = small.contributions
    forged = replace(second, tau=replace(second.tau, g2_spx=outside_g2()))
    with pytest.raises(PointError, match=r"contribution 2 .*the proof of tau: .*outside the subgroup"):
        verify_contributions(replace(small, contributions=(first, forged)))
