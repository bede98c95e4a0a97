"""Setup: keys that hold what the paper says, say of themselves how they were made, and differ every time."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from zkgpu.backend import Backend, open_backend
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.circuits import Circuit
from zkgpu.curves.bn254 import BN254, G1, G2, Fr
from zkgpu.errors import ResourceError, UsageError
from zkgpu.groth16 import Prover, contribute, setup, unsafe_setup, verify
from zkgpu.groth16.ceremony import verify_contributions
from zkgpu.groth16.qap import domain_for
from zkgpu.groth16.setup import ToxicWaste

WASTE = ToxicWaste(tau=1234567, alpha=22, beta=333, delta=4444)


def key_arrays(key: Any) -> dict[str, np.ndarray]:
    return {f.name: getattr(key, f.name) for f in fields(key) if f.name.endswith("_query")}


def test_every_backend_makes_the_same_key_from_the_same_secrets(backend: Backend, statement: Any) -> None:
    expected = unsafe_setup(statement.r1cs, open_backend("reference"), _waste=WASTE)
    key = unsafe_setup(statement.r1cs, backend, _waste=WASTE)
    assert key.verifying_key == expected.verifying_key
    for name, rows in key_arrays(expected).items():
        assert np.array_equal(key_arrays(key)[name], rows), name


def test_queries_are_the_polynomials_at_tau(statement: Any) -> None:
    """A_i(tau) by interpolation over the domain, against the points of the key."""
    key = unsafe_setup(statement.r1cs, open_backend("reference"), _waste=WASTE)
    n, r = key.domain_size, Fr.modulus
    omega = Fr.root_of_unity(n)
    lagrange = []
    for j in range(n):
        x = pow(omega, j, r)
        numerator = (pow(WASTE.tau, n, r) - 1) * x % r
        lagrange.append(numerator * pow(n * (WASTE.tau - x), -1, r) % r)
    table = Fr.from_limbs(key.a.table)
    at_tau = [0] * key.n_wires
    for row, column, i in zip(key.a.row_of_entry(), key.a.indices, key.a.coefficient, strict=True):
        at_tau[column] = (at_tau[column] + table[i] * lagrange[row]) % r
    assert G1.from_rows(key.a_query) == [k * G1.generator for k in at_tau]


def test_an_unsafe_key_says_so_and_holds_none_of_its_secrets(statement: Any) -> None:
    key = unsafe_setup(statement.r1cs, open_backend("reference"))
    assert key.is_unsafe
    assert key.weakness() is None
    assert {f.name for f in fields(key)}.isdisjoint({"tau", "alpha", "beta", "delta", "waste"})


def test_two_setups_share_no_secret(statement: Any) -> None:
    one, other = (unsafe_setup(statement.r1cs, open_backend("cpu")).verifying_key for _ in range(2))
    for name in ("alpha_g1", "beta_g2", "delta_g2"):
        assert getattr(one, name) != getattr(other, name)


def test_a_key_from_a_ceremony_proves_and_carries_one_valid_contribution(
    backend: Backend, statement: Any, samples: Any
) -> None:
    key = setup(statement.r1cs, read_ptau(samples / "pot6_final.ptau"), backend, name="tester")
    assert [c.name for c in key.contributions] == ["tester"]
    assert not key.is_unsafe
    verify_contributions(key)
    proof = Prover(key, backend).prove(statement.assignment)
    assert verify(key.verifying_key, [35, 77], proof)


def test_another_contribution_keeps_the_key_working_and_changes_delta(statement: Any, samples: Any) -> None:
    backend = open_backend("cpu")
    first = setup(statement.r1cs, read_ptau(samples / "pot6_final.ptau"), backend)
    second = contribute(first, backend, name="second")
    verify_contributions(second)
    assert second.verifying_key.delta_g2 != first.verifying_key.delta_g2
    assert second.circuit_hash == first.circuit_hash
    proof = Prover(second, backend).prove(statement.assignment)
    assert verify(second.verifying_key, [35, 77], proof)
    assert not verify(first.verifying_key, [35, 77], proof)


def test_a_circuit_too_large_for_the_powers_of_tau_is_refused(samples: Any) -> None:
    circuit = Circuit()
    x = circuit.private("x", shape=(64,))
    circuit.assert_equal(x * x, circuit.public("y", shape=(64,)))
    with pytest.raises(UsageError, match="take a larger ceremony file"):
        setup(circuit.compile().r1cs, read_ptau(samples / "pot6_final.ptau"), open_backend("cpu"))


def test_a_circuit_beyond_the_roots_of_unity_is_refused() -> None:
    assert domain_for(Fr, 2**27 - 2, 1).size == 2**27
    with pytest.raises(ResourceError, match="split the circuit"):
        domain_for(Fr, 2**27, 1)


def test_the_domain_leaves_room_for_the_binding_rows() -> None:
    assert [domain_for(Fr, m, p).size for m, p in [(3, 3), (3, 0), (4, 0), (1, 0), (0, 0), (1020, 3)]] == [
        8,
        4,
        8,
        2,
        2,
        1024,
    ]


def test_gamma_is_the_generator_as_in_keys_of_snarkjs(statement: Any) -> None:
    assert statement.key.verifying_key.gamma_g2 == G2.generator
    assert statement.key.verifying_key.curve is BN254
