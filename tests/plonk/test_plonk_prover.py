"""The prover hands out valid, fresh proofs or none, and says whose fault it is."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.plonk.conftest import SAMPLES, Statement, seeded_blinding
from zkgpu import plonk
from zkgpu.backend import Backend, open_backend
from zkgpu.backend.cpu import CpuBackend
from zkgpu.circuits import Circuit
from zkgpu.curves.bn254 import BN254, Fr
from zkgpu.errors import InsecureKeyError, LengthError, SelfCheckError, UnsatisfiedError, UsageError
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.plonk import Proof, Prover, ProvingKey, unsafe_setup, verify
from zkgpu.plonk.identities import Selectors, WireColumns, gate
from zkgpu.plonk.keys import Additions
from zkgpu.plonk.prover import Blinding
from zkgpu.plonk.zkey import read_plonk_zkey, write_plonk_zkey
from zkgpu.poly import batch_quotient


@pytest.fixture(scope="module")
def cpu() -> Backend:
    return open_backend("cpu", threads=2)


@pytest.fixture(scope="module")
def prover(statement: Statement, cpu: Backend) -> Prover:
    return Prover(statement.key, cpu)


def elements(proof: Proof) -> list[Any]:
    return [getattr(proof, f.name) for f in fields(proof)]


def with_value(assignment: Any, wire: int, value: int) -> Any:
    changed = assignment.copy()
    changed[wire] = Fr.to_limbs([value])[0]
    return changed


def test_every_device_makes_the_same_proof_for_the_same_blinding(statement: Statement, backend: Backend) -> None:
    proof = Prover(statement.key, backend).prove(statement.assignment, _blinding=seeded_blinding(3))
    wanted = Prover(statement.key, open_backend("cpu")).prove(statement.assignment, _blinding=seeded_blinding(3))
    assert proof == wanted


def test_proofs_of_one_witness_have_no_element_in_common(prover: Prover, statement: Statement) -> None:
    proofs = [prover.prove(statement.assignment) for _ in range(20)]
    seen = [x for proof in proofs for x in elements(proof)]
    # s1 and s2 are public polynomials, but zeta is fresh, so even their values differ
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("i", range(11))
def test_every_blinding_scalar_counts(prover: Prover, statement: Statement, i: int) -> None:
    zero = Blinding((0,) * 11)
    one = Blinding(tuple(int(k == i) for k in range(11)))
    before, after = (prover.prove(statement.assignment, _blinding=b) for b in (zero, one))
    names = ["a", "a", "b", "b", "c", "c", "z", "z", "z", "t1", "t2"]
    assert getattr(before, names[i]) != getattr(after, names[i])


def test_blinding_comes_from_the_operating_system(
    prover: Prover, statement: Statement, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> int:
        raise OSError("no randomness")

    monkeypatch.setattr("os.urandom", broken)
    with pytest.raises(OSError, match="no randomness"):
        prover.prove(statement.assignment)


def test_an_unused_public_input_is_bound(prover: Prover, statement: Statement) -> None:
    proof, inputs = prover.prove(statement.assignment), prover.public_inputs(statement.assignment)
    assert inputs == [35, 77]
    assert verify(statement.key.verifying_key, inputs, proof)
    assert not verify(statement.key.verifying_key, [35, 78], proof)


@pytest.mark.parametrize("n_public", [0, 1, 5, 8, 9])
def test_any_number_of_public_inputs_works(cpu: Backend, n_public: int) -> None:
    circuit = Circuit()
    x, y = circuit.private("x"), circuit.private("y")
    inputs = {f"i{k}": 10 + k for k in range(n_public)}
    for name in inputs:
        circuit.public(name)
    circuit.assert_equal(x * y, 12)
    compiled = circuit.compile()
    prover = Prover(unsafe_setup(compiled.r1cs, cpu), cpu, circuit=compiled.r1cs)
    assignment = compiled.witness({**inputs, "x": 3, "y": 4})
    proof = prover.prove(assignment)
    public = prover.public_inputs(assignment)
    assert public == list(inputs.values())
    for k in range(n_public):
        assert not verify(prover.key.verifying_key, [*public[:k], public[k] + 1, *public[k + 1 :]], proof)


def test_a_wrong_witness_is_named_by_its_row(prover: Prover, statement: Statement) -> None:
    for wire in range(1, len(statement.assignment)):
        value = Fr.from_limbs(statement.assignment[wire : wire + 1])[0]
        wrong = with_value(statement.assignment, wire, (value + 1) % Fr.modulus)
        if wire == 2:  # the input that no constraint reads: a proof for another public input
            assert prover.public_inputs(wrong) == [35, 78]
            prover.prove(wrong)
            continue
        with pytest.raises(UnsatisfiedError, match="row"):
            prover.prove(wrong)


def test_the_opening_of_a_wrong_witness_is_seen_not_to_be_zero(
    prover: Prover, statement: Statement, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def watched(*arguments: Any) -> Any:
        tried.append("begun")
        quotient = batch_quotient(*arguments)
        tried.append("exact")
        return quotient

    monkeypatch.setattr("zkgpu.plonk.prover.batch_quotient", watched)
    prover.prove(statement.assignment)
    assert tried == ["begun", "exact"] * 2  # at zeta and at zeta omega
    tried.clear()
    with pytest.raises(UnsatisfiedError):
        prover.prove(with_value(statement.assignment, 3, 4))
    assert tried == ["begun", "begun"]  # a proof that does not come out is made once more


def test_a_wrong_witness_gives_no_proof_even_if_the_self_check_slept(
    prover: Prover, statement: Statement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zkgpu.plonk.prover.verify", lambda *arguments, **options: True)
    for wire in (1, 3, 4):
        with pytest.raises(UnsatisfiedError):
            prover.prove(with_value(statement.assignment, wire, 12345))


def test_a_wrong_witness_is_named_by_its_constraint_when_the_circuit_is_there(
    statement: Statement, cpu: Backend
) -> None:
    prover = Prover(statement.key, cpu, circuit=statement.r1cs)
    with pytest.raises(UnsatisfiedError, match="cubic"):
        prover.prove(with_value(statement.assignment, 1, 36))


@pytest.mark.parametrize("change", ["short", "long", "first", "large", "shape"])
def test_what_cannot_be_a_witness_is_refused(prover: Prover, statement: Statement, change: str) -> None:
    good = statement.assignment
    bad, error = {
        "short": (good[:-1], LengthError),
        "long": (np.concatenate([good, good[:1]]), LengthError),
        "first": (with_value(good, 0, 2), UsageError),
        "large": (np.concatenate([good[:-1], np.full((1, 4), 2**64 - 1, np.uint64)]), UsageError),
        "shape": (good[:, :3], UsageError),
    }[change]
    with pytest.raises(error):
        prover.prove(bad)


def test_a_circuit_that_does_not_belong_to_the_key_is_refused(statement: Statement, cpu: Backend) -> None:
    other = read_r1cs(SAMPLES / "multiplier" / "multiplier.r1cs")
    with pytest.raises(UsageError, match="do not belong together"):
        Prover(statement.key, cpu, circuit=other)


@pytest.mark.parametrize("name", ["qc", "s1", "s3"])
def test_a_key_with_a_damaged_polynomial_gives_no_proof(statement: Statement, cpu: Backend, name: str) -> None:
    fixed = {k: v.copy() for k, v in statement.key.fixed.items()}
    fixed[name][3, 0] ^= np.uint64(1)
    with pytest.raises((SelfCheckError, UnsatisfiedError)):
        Prover(replace(statement.key, fixed=fixed), cpu).prove(statement.assignment)


def test_a_key_with_a_damaged_power_of_tau_gives_no_proof(statement: Statement, cpu: Backend) -> None:
    powers = statement.key.powers_g1.copy()
    powers[[2, 3]] = powers[[3, 2]]
    with pytest.raises(SelfCheckError, match="does not verify"):
        Prover(replace(statement.key, powers_g1=powers), cpu).prove(statement.assignment)


class Flaky(CpuBackend):
    """A device that is wrong once, in its k-th result of one method."""

    def __init__(self, method: str, k: int):
        super().__init__(BN254, threads=1)
        self.calls, honest = 0, getattr(self, method)

        def erring(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            result = honest(*arguments, **options)
            if self.calls == k:
                return CpuBackend.pointwise(self, lambda v: v + 1, result)
            return result

        self.k, self._erring = k, erring
        setattr(self, method, erring)


@pytest.mark.parametrize("method", ["intt", "ntt", "inverse", "prefix_product", "divide_by_linear", "matvec"])
def test_a_device_that_errs_once_never_makes_a_wrong_proof_leave(
    statement: Statement, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    backend = Flaky(method, 0)
    prover = Prover(statement.key, backend)
    backend.calls, loaded = 0, backend.calls
    prover.prove(statement.assignment)
    for k in range(1, backend.calls + 1):
        erring = Flaky(method, loaded + k)
        proof = Prover(statement.key, erring).prove(statement.assignment)
        assert verify(statement.key.verifying_key, [35, 77], proof)
        assert "made again" in caplog.text
        caplog.clear()


def test_keys_whose_tau_is_known_to_all_need_to_be_allowed(statement: Statement, cpu: Backend) -> None:
    key = unsafe_setup(statement.r1cs, cpu, _tau=1)
    with pytest.raises(InsecureKeyError, match="tau"):
        Prover(key, cpu)
    assert Prover(key, cpu, allow_insecure_key=True).key is key


def test_an_unsafe_key_says_so_in_its_file_and_others_do_not(
    statement: Statement, cpu: Backend, tmp_path: Path
) -> None:
    write_plonk_zkey(tmp_path / "key.zkey", statement.key)
    key = read_plonk_zkey(tmp_path / "key.zkey", cpu.first_invalid_point)
    assert key.is_unsafe
    assert not read_plonk_zkey(SAMPLES / "multiplier" / "multiplier_plonk.zkey").is_unsafe
    assert Prover(key, cpu).prove(statement.assignment)


def test_setup_twice_from_the_same_powers_is_the_same_key(statement: Statement, cpu: Backend) -> None:
    first, second = (unsafe_setup(statement.r1cs, cpu, _tau=77) for _ in range(2))
    assert first.verifying_key == second.verifying_key
    assert unsafe_setup(statement.r1cs, cpu).verifying_key != unsafe_setup(statement.r1cs, cpu).verifying_key


def test_sums_of_sums_fill_their_wires_level_by_level(cpu: Backend) -> None:
    """A combination of 40 terms is six additions deep."""
    circuit = Circuit()
    x = circuit.private("x", shape=40)
    circuit.output("square", x.sum() * (x.sum() + 1))
    compiled = circuit.compile()
    key = unsafe_setup(compiled.r1cs, cpu)
    assert len(key.additions) > 38
    assignment = compiled.witness({"x": list(range(40))})
    prover = Prover(key, cpu)
    prover.prove(assignment)
    columns = prover._wire_tables.columns(cpu.vector(assignment))
    rows = [Fr.from_limbs(cpu.limbs(v)) for v in (columns.a, columns.b, columns.c)]
    assert all(len(column) == key.domain_size for column in rows)
    assert 780 in rows[0]


def test_wire_0_of_a_row_is_zero_whatever_the_selectors_say(statement: Statement) -> None:
    assert gate(WireColumns(0, 0, 0), Selectors(5, 6, 7, 8, 0)) == 0


def test_a_key_without_additions_proves(cpu: Backend) -> None:
    circuit = Circuit()
    x = circuit.private("x")
    circuit.output("y", x * x)
    compiled = circuit.compile()
    key: ProvingKey = unsafe_setup(compiled.r1cs, cpu)
    assert isinstance(key.additions, Additions)
    assert len(key.additions) == 0
    assert plonk.Prover(key, cpu).prove(compiled.witness({"x": 5}))
