"""Phase 1: files of snarkjs pass, and each array, swapped or altered, is noticed by name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zkgpu.backend.reference import ReferenceBackend
from zkgpu.ceremony.chain import compute_first_challenge, first_challenge, verify_contributions
from zkgpu.ceremony.powers import verify_powers, verify_tau_powers
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.curves.bn254 import BN254, G1, G2
from zkgpu.errors import FormatError, InsecureKeyError, PointError, UsageError

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
BACKEND = ReferenceBackend(BN254)
LOG_SIZE = 2


@pytest.fixture(scope="module")
def ptau():
    return read_ptau(SAMPLES / "pot6_final.ptau")


@pytest.mark.parametrize("log_size", [0, 1, 3, 6])
def test_powers_of_snarkjs_are_powers_at_every_size(ptau, log_size):
    verify_powers(ptau, log_size, BACKEND)


@pytest.mark.parametrize("log_size", [2, 3])
def test_a_file_cut_down_from_a_larger_ceremony_passes_at_every_size(log_size):
    ptau = read_ptau(SAMPLES / "pot6_final_03.ptau")
    assert (ptau.power, ptau.ceremony_power) == (3, 6)
    verify_powers(ptau, log_size, BACKEND)


@pytest.mark.parametrize("name", ["pot6_1", "pot6_b", "pot6_final"])
def test_contributions_of_snarkjs_verify(name):
    verify_contributions(read_ptau(SAMPLES / f"{name}.ptau"))


@pytest.mark.slow
@pytest.mark.parametrize("power", [27, 28])
def test_the_known_challenges_are_what_hashing_gives(power):
    assert first_challenge(BN254, power) == compute_first_challenge(BN254, power)


def test_the_first_challenge_of_other_sizes_is_computed():
    assert first_challenge(BN254, 6) == compute_first_challenge(BN254, 6) != first_challenge(BN254, 7)


def test_powers_nobody_contributed_to_are_insecure():
    with pytest.raises(InsecureKeyError, match="nobody contributed"):
        verify_contributions(read_ptau(SAMPLES / "pot6_0.ptau"))


def test_a_file_that_is_not_prepared_says_how_to_prepare_it():
    with pytest.raises(FormatError, match="zkgpu powers prepare"):
        verify_powers(read_ptau(SAMPLES / "pot6_b.ptau"), 3, BACKEND)


def test_a_file_too_small_for_the_circuit_is_refused(ptau):
    with pytest.raises(UsageError, match="take a larger"):
        verify_powers(ptau, 7, BACKEND)


def _with_row(rows, index, group, point):
    rows = np.array(rows)
    rows[index] = group.to_rows([point])[0]
    return rows


@pytest.mark.parametrize(
    ("field", "group", "index"),
    [
        ("tau_g1", G1, 0),
        ("tau_g1", G1, 1),
        ("tau_g1", G1, 6),
        ("tau_g2", G2, 0),
        ("tau_g2", G2, 1),
        ("tau_g2", G2, 3),
        ("alpha_tau_g1", G1, 0),
        ("alpha_tau_g1", G1, 3),
        ("beta_tau_g1", G1, 0),
        ("beta_tau_g1", G1, 3),
    ],
)
def test_a_power_that_is_another_point_is_noticed(ptau, field, group, index):
    changed = replace(ptau, **{field: _with_row(getattr(ptau, field), index, group, 7 * group.generator)})
    with pytest.raises(FormatError, match=r"do not use this file"):
        verify_powers(changed, LOG_SIZE, BACKEND)


@pytest.mark.parametrize(("which", "log_size"), [(0, 2), (0, 3), (1, 2), (2, 2), (3, 2)])
def test_a_lagrange_point_that_is_another_point_is_noticed(ptau, which, log_size):
    group = G2 if which == 1 else G1
    sections = list(ptau.lagrange)
    sections[which] = _with_row(sections[which], 2**log_size, group, 7 * group.generator)
    with pytest.raises(FormatError, match="Lagrange points"):
        verify_powers(replace(ptau, lagrange=tuple(sections)), LOG_SIZE, BACKEND)


def test_a_point_off_the_curve_is_named(ptau):
    rows = np.array(ptau.tau_g1)
    rows[2, 0] ^= np.uint64(1)
    with pytest.raises(PointError, match="powers of tau in G1: point 2: it is not on the curve"):
        verify_powers(replace(ptau, tau_g1=rows), LOG_SIZE, BACKEND)


def test_another_beta_in_g2_is_noticed(ptau):
    with pytest.raises(FormatError, match="beta in G2"):
        verify_powers(replace(ptau, beta_g2=7 * G2.generator), LOG_SIZE, BACKEND)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: replace(c, tau_g1=2 * c.tau_g1),
        lambda c: replace(c, tau_g2=2 * c.tau_g2),
        lambda c: replace(c, alpha_g1=2 * c.alpha_g1),
        lambda c: replace(c, beta_g1=2 * c.beta_g1),
        lambda c: replace(c, beta_g2=2 * c.beta_g2),
        lambda c: replace(c, tau=replace(c.tau, g1_s=2 * c.tau.g1_s)),
        lambda c: replace(c, alpha=replace(c.alpha, g1_sx=2 * c.alpha.g1_sx)),
        lambda c: replace(c, beta=replace(c.beta, g2_spx=2 * c.beta.g2_spx)),
        lambda c: replace(c, tau=c.alpha, alpha=c.tau),
        lambda c: replace(c, tau_g2=G2.infinity),
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_an_altered_contribution_is_refused(ptau, which, change):
    contributions = list(ptau.contributions)
    contributions[which] = change(contributions[which])
    with pytest.raises(FormatError, match=f"contribution {which + 1} "):
        verify_contributions(replace(ptau, contributions=tuple(contributions)))


def test_an_altered_challenge_breaks_the_next_contribution(ptau):
    first, second = ptau.contributions
    changed = replace(ptau, contributions=(replace(first, next_challenge=bytes(64)), second))
    with pytest.raises(FormatError, match="contribution 2 "):
        verify_contributions(changed)


def test_contributions_left_out_or_swapped_are_refused(ptau):
    first, second = ptau.contributions
    for contributions in ((first,), (second,), (second, first)):
        with pytest.raises(FormatError):
            verify_contributions(replace(ptau, contributions=contributions))


@pytest.mark.parametrize("count", [2, 14, 127])
def test_the_powers_that_kzg_takes_pass_without_preparation(count):
    verify_tau_powers(read_ptau(SAMPLES / "pot6_b.ptau"), count, BACKEND)


def test_more_powers_than_the_file_has_are_refused():
    with pytest.raises(UsageError, match="127 powers"):
        verify_tau_powers(read_ptau(SAMPLES / "pot6_b.ptau"), 128, BACKEND)


@pytest.mark.parametrize("at", [0, 1, 9])
def test_a_wrong_power_among_those_kzg_takes_is_noticed(ptau, at):
    rows = ptau.tau_g1.copy()
    rows[at] = rows[at + 3]
    with pytest.raises(FormatError):
        verify_tau_powers(replace(ptau, tau_g1=rows), 10, BACKEND)


def test_powers_nobody_contributed_to_are_insecure_for_kzg_too():
    with pytest.raises(InsecureKeyError, match="nobody contributed"):
        verify_tau_powers(read_ptau(SAMPLES / "pot6_0.ptau"), 14, BACKEND)
