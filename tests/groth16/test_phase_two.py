"""Phase 2 by zkgpu: beacons as snarkjs', all secrets of keys with a commitment, and what a cheater might hand on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.groth16.committed_statement import INPUTS, squares, with_part, with_queries
from zkgpu import open_backend
from zkgpu.ceremony.preparing import prepare_powers
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.curves.bn254 import BN254, G1
from zkgpu.errors import FormatError, InsecureKeyError, PointError, UsageError
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.groth16 import Prover, ceremony, contribute, setup, verify
from zkgpu.groth16.setup import _key_without_contribution, verify_key
from zkgpu.groth16.zkey import read_zkey, write_zkey

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
MULTIPLIER = SAMPLES / "multiplier"
BACKEND = open_backend("cpu")
BEACON = (bytes(range(1, 32)), 10)
POWERS = read_ptau(SAMPLES / "pot6_final.ptau")


def test_a_beacon_gives_the_key_of_snarkjs(tmp_path):
    before = read_zkey(MULTIPLIER / "multiplier_groth16.zkey")
    write_zkey(tmp_path / "key", contribute(before, BACKEND, name="final beacon", beacon=BEACON))
    assert (tmp_path / "key").read_bytes() == (MULTIPLIER / "multiplier_beacon.zkey").read_bytes()


@pytest.fixture(scope="module")
def circuit():
    return squares()


@pytest.fixture(scope="module")
def key(circuit):
    """A key with a commitment: three contributions and a beacon."""
    key = setup(circuit.r1cs, POWERS, BACKEND, name="one")
    for name in ("two", "three"):
        key = contribute(key, BACKEND, name=name, entropy=name.encode())
    return contribute(key, BACKEND, name="end", beacon=BEACON)


@pytest.fixture(scope="module")
def initial(circuit):
    """The key that everybody can recompute."""
    return _key_without_contribution(circuit.r1cs, POWERS, BACKEND)


def test_every_secret_of_a_key_with_a_commitment_has_four_contributors(circuit, key):
    verify_key(key, circuit.r1cs, POWERS, BACKEND)
    for contributions in (key.contributions, key.commitments[0].contributions):
        assert [c.name for c in contributions] == ["one", "two", "three", "end"]
        assert [c.beacon for c in contributions] == [None, None, None, BEACON]


def test_the_key_proves(circuit, key):
    proven = Prover(key, BACKEND).prove_circuit(circuit, INPUTS)
    assert verify(key.verifying_key, proven.public_inputs, proven.proof, packed=proven.packed)


def test_a_model_kind_of_key_without_matrices_is_verified_by_its_circuit(circuit, key):
    verify_key(key.without_matrices(circuit.r1cs), circuit.r1cs, POWERS, BACKEND)
    other = replace(key.without_matrices(circuit.r1cs), circuit_digest=bytes(32))
    with pytest.raises(FormatError, match="another circuit"):
        verify_key(other, circuit.r1cs, POWERS, BACKEND)


def test_a_key_of_other_powers_is_not_called_another_circuits(circuit, key, tmp_path):
    prepare_powers(read_ptau(SAMPLES / "pot6_1.ptau"), tmp_path / "other.ptau", BACKEND)
    with pytest.raises(FormatError, match="the key is of other powers"):
        verify_key(key, circuit.r1cs, read_ptau(tmp_path / "other.ptau"), BACKEND)


def test_a_beacon_multiplies_sigma_by_another_number_than_delta(key):
    delta, sigma = ceremony.beacon_secrets(key, BEACON)
    assert delta != sigma
    assert ceremony.beacon_secrets(key, BEACON) == (delta, sigma)
    assert ceremony.beacon_secrets(key, (BEACON[0], 11)) != (delta, sigma)


def own_delta(key, k):
    """A further contribution of k, rightly recorded, with l_query and h_query divided by it."""
    inverse = BN254.scalar_field.inverse(k)
    return replace(
        ceremony.record_contribution(key, k, name="eve"),
        l_query=BACKEND.scale_points(G1, key.l_query, inverse),
        h_query=BACKEND.scale_points(G1, key.h_query, inverse),
    )


def with_sigma_record(key, change):
    (queries,) = key.commitments
    return with_queries(key, contributions=change(queries.contributions))


def with_sigma(key, k, name):
    """A further contribution to sigma alone, rightly recorded."""
    knowledge = BACKEND.scale_points(G1, key.commitments[0].knowledge_query, k)
    return ceremony.record_sigma_contribution(with_queries(key, knowledge_query=knowledge), k, name=name)


def anothers_sigma(key, names):
    """The same delta, and a sigma that one party made from nothing, in the names of those who contributed."""
    bare = with_queries(key, knowledge_query=key.commitments[0].committed_query, contributions=())
    bare = replace(bare, verifying_key=with_part(bare.verifying_key, sigma_g2=BN254.g2.generator))
    for i, name in enumerate(names):
        bare = with_sigma(bare, 5 + i, name)
    return bare


CHEATS = {
    "delta times 1": (lambda k: ceremony.record_contribution(k, 1, name="eve"), "'eve'.*delta by 1 or -1"),
    "delta times -1": (lambda k: own_delta(k, BN254.scalar_field.modulus - 1), "'eve'.*delta by 1 or -1"),
    "delta left undivided": (
        lambda k: ceremony.record_contribution(with_sigma(k, 5, "eve"), 5, name="eve"),
        "l_query was not scaled",
    ),
    "delta 0": (
        lambda k: replace(
            k, contributions=(*k.contributions[:-1], replace(k.contributions[-1], delta_after=G1.infinity))
        ),
        "contribution 4 .*infinity",
    ),
    "a missing link": (
        lambda k: replace(k, contributions=k.contributions[:1] + k.contributions[2:]),
        "contribution 2 .*transcript",
    ),
    "the last contribution of another": (
        lambda k: replace(own_delta(k, 7), contributions=(*k.contributions, own_delta(k, 9).contributions[-1])),
        "delta in G1 is not the one the last contribution left",
    ),
    "sigma times 1": (lambda k: own_delta(with_sigma(k, 1, "eve"), 7), "'eve'.*sigma by 1 or -1"),
    "a missing link of sigma": (
        lambda k: with_sigma_record(k, lambda c: c[:2] + c[3:]),
        "contribution 3 .*transcript",
    ),
    "the end of sigma left out": (
        lambda k: with_sigma_record(k, lambda c: c[:-1]),
        "contribution 4 .*transcript",
    ),
    "another's sigma in place of all": (
        lambda k: anothers_sigma(k, [c.name for c in k.contributions]),
        "contribution 1 .'one'.*transcript",
    ),
    "a contribution to delta alone": (lambda k: own_delta(k, 7), "delta has 5 contributions and sigma 4"),
    "nobody's sigma": (lambda k: with_sigma_record(k, lambda c: ()), "commitment's key has no contribution"),
    "a beacon of sigma with another value": (
        lambda k: with_sigma_record(k, lambda c: (*c[:-1], replace(c[-1], beacon=(bytes(31), 10)))),
        "not that of its beacon",
    ),
    "a knowledge point": (
        lambda k: with_queries(k, knowledge_query=np.roll(k.commitments[0].knowledge_query, 1, axis=0)),
        "sigma in G1|knowledge|committed_query",
    ),
    "sigma in G2": (
        lambda k: replace(k, verifying_key=with_part(k.verifying_key, sigma_g2=k.verifying_key.beta_g2)),
        "sigma in G2 is not the sigma in G1",
    ),
    "queries swapped": (lambda k: replace(k, a_query=k.b_g1_query, b_g1_query=k.a_query), "a_query is not"),
    "h_query in another order": (lambda k: replace(k, h_query=k.h_query[::-1]), "h_query was not scaled"),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_cheaters_key_is_refused_by_what_was_changed(initial, key, cheat):
    change, message = CHEATS[cheat]
    with pytest.raises((FormatError, PointError, InsecureKeyError), match=message):
        ceremony.verify_key(change(key), initial, BACKEND)


def test_the_key_of_another_circuit_is_refused(key):
    with pytest.raises(FormatError, match="another circuit"):
        verify_key(key, read_r1cs(MULTIPLIER / "multiplier.r1cs"), POWERS, BACKEND)


def test_names_and_beacons_that_others_would_not_take_are_refused(key):
    with pytest.raises(UsageError, match="at most 64"):
        contribute(key, BACKEND, name="n" * 65)
    with pytest.raises(UsageError, match=r"2\^9"):
        contribute(key, BACKEND, beacon=(b"x", 9))
