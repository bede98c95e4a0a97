"""Files of circom 2.2.3 and snarkjs 0.7.6: what zkgpu reads in them, and that it writes the same bytes."""

import numpy as np
import pytest

from zkgpu.circuits import Circuit
from zkgpu.curves.bn254 import BN254, G1, G2, Fr
from zkgpu.errors import FormatError
from zkgpu.formats import public_values
from zkgpu.formats.r1cs import read_r1cs, write_r1cs
from zkgpu.formats.wtns import read_wtns, write_wtns
from zkgpu.groth16 import json as groth16_json
from zkgpu.groth16.zkey import read_zkey, write_zkey

CIRCUITS = ("multiplier", "range")


def products(matrix, values):
    """matrix @ values in Python integers."""
    table = Fr.from_limbs(matrix.table)
    sums = [0] * matrix.shape[0]
    for row, wire, value in zip(matrix.row_of_entry(), matrix.indices, matrix.coefficient, strict=True):
        sums[row] += table[value] * values[wire]
    return [s % Fr.modulus for s in sums]


@pytest.mark.parametrize("name", CIRCUITS)
def test_an_r1cs_is_written_back_byte_for_byte(samples, tmp_path, name):
    source = samples / name / f"{name}.r1cs"
    write_r1cs(tmp_path / "copy", read_r1cs(source))
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("name", CIRCUITS)
def test_a_witness_is_written_back_byte_for_byte(samples, tmp_path, name):
    source = samples / name / "witness.wtns"
    write_wtns(tmp_path / "copy", Fr, read_wtns(source))
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("name", CIRCUITS)
def test_a_proving_key_is_written_back_byte_for_byte(samples, tmp_path, name):
    source = samples / name / f"{name}_groth16.zkey"
    write_zkey(tmp_path / "copy", read_zkey(source))
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize(
    ("file", "read", "write"),
    [
        ("groth16_vk.json", groth16_json.read_verifying_key, groth16_json.write_verifying_key),
        ("groth16_proof.json", groth16_json.read_proof, groth16_json.write_proof),
        ("groth16_public.json", public_values.read_public, public_values.write_public),
    ],
)
def test_json_files_are_written_back_byte_for_byte(samples, tmp_path, name, file, read, write):
    source = samples / name / file
    write(tmp_path / "copy", read(source))
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("name", CIRCUITS)
def test_the_witness_satisfies_the_constraints(samples, name):
    r1cs = read_r1cs(samples / name / f"{name}.r1cs")
    values = Fr.from_limbs(read_wtns(samples / name / "witness.wtns"))
    a, b, c = (products(matrix, values) for matrix in (r1cs.a, r1cs.b, r1cs.c))
    assert [x * y % Fr.modulus for x, y in zip(a, b, strict=True)] == c


@pytest.mark.parametrize("name", CIRCUITS)
def test_the_matrices_of_a_key_are_those_of_its_circuit_and_then_bind_public_inputs(samples, name):
    r1cs, key = read_r1cs(samples / name / f"{name}.r1cs"), read_zkey(samples / name / f"{name}_groth16.zkey")
    values = Fr.from_limbs(read_wtns(samples / name / "witness.wtns"))
    m, n_public = r1cs.n_constraints, r1cs.n_public
    padding = [0] * (key.domain_size - m)
    binding = values[: n_public + 1] + padding[n_public + 1 :]
    assert products(key.a, values) == products(r1cs.a, values) + binding
    assert products(key.b, values) == products(r1cs.b, values) + padding


@pytest.mark.parametrize("name", CIRCUITS)
def test_public_inputs_are_the_first_wires(samples, name):
    values = Fr.from_limbs(read_wtns(samples / name / "witness.wtns"))
    assert public_values.read_public(samples / name / "groth16_public.json") == values[1:4]


@pytest.mark.parametrize("name", CIRCUITS)
def test_a_key_holds_the_verifying_key_that_snarkjs_exports(samples, name):
    key = read_zkey(samples / name / f"{name}_groth16.zkey")
    assert key.verifying_key == groth16_json.read_verifying_key(samples / name / "groth16_vk.json")
    assert key.weakness() is None


def test_a_key_before_its_first_contribution_reads_in_another_section_order(samples):
    key = read_zkey(samples / "multiplier" / "m_0.zkey")
    assert key.contributions == ()
    assert key.verifying_key.delta_g2 == G2.generator
    assert "no contribution" in key.weakness()


def test_a_key_names_its_contribution(samples):
    (contribution,) = read_zkey(samples / "multiplier" / "multiplier_groth16.zkey").contributions
    assert (contribution.name, contribution.kind, contribution.beacon) == ("sample", 0, None)


def test_queries_are_points_of_the_curve_and_infinity_is_a_zero_row(samples):
    key = read_zkey(samples / "range" / "range_groth16.zkey")
    assert int((~key.a_query.any(axis=1)).sum()) == 278
    assert all(point.is_on_curve() for point in G1.from_rows(key.a_query))
    assert key.b_g2_query.shape == (575, 16)
    assert key.h_query.shape == (1024, 8)


def test_keys_written_twice_are_the_same(samples, tmp_path):
    key = read_zkey(samples / "multiplier" / "multiplier_groth16.zkey")
    write_zkey(tmp_path / "a", key)
    write_zkey(tmp_path / "b", read_zkey(tmp_path / "a"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_circuit_without_constraints_survives_a_round_trip(samples, tmp_path):
    r1cs = read_r1cs(samples / "multiplier" / "multiplier.r1cs")
    none = {name: getattr(r1cs, name).take_rows(np.arange(0)) for name in ("a", "b", "c")}
    empty = type(r1cs)(r1cs.field, **none, n_public_outputs=1, n_public_inputs=0, n_private_inputs=0)
    write_r1cs(tmp_path / "empty", empty)
    assert read_r1cs(tmp_path / "empty").n_constraints == 0


def test_a_circuit_without_constraints_is_written_by_who_made_it(tmp_path):
    circuit = Circuit()
    circuit.public("y", 3)
    write_r1cs(tmp_path / "empty", circuit.compile().r1cs)
    found = read_r1cs(tmp_path / "empty")
    assert (found.n_constraints, found.n_wires, found.n_public) == (0, 4, 3)


@pytest.mark.parametrize(
    ("file", "read", "hint"),
    [
        ("bls12381/multiplier.r1cs", read_r1cs, "bls12381"),
        ("bls12381/witness.wtns", read_wtns, "bls12381"),
        ("bls12381/multiplier_groth16.zkey", read_zkey, "bn128"),
        ("multiplier/multiplier_plonk.zkey", read_zkey, "PLONK"),
        ("multiplier/multiplier.r1cs", read_wtns, "wtns"),
        ("multiplier/groth16_vk.json", groth16_json.read_proof, "verification key; a proof was expected"),
    ],
)
def test_files_of_other_curves_protocols_and_kinds_are_refused_by_name(samples, file, read, hint):
    with pytest.raises(FormatError, match=hint) as error:
        read(samples / file)
    assert file in str(error.value)
    assert "\n" not in str(error.value)


def test_the_blinded_sample_proof_is_a_proof_over_bn254(samples):
    proof = groth16_json.read_proof(samples / "multiplier" / "groth16_proof_r12345_s67890.json")
    assert (proof.a.group, proof.b.group, proof.c.group) == (BN254.g1, BN254.g2, BN254.g1)
