"""From a model to a proof and back: five steps, other inputs, other weights, and everything altered refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from zkgpu.backend import open_backend
from zkgpu.errors import FormatError, LengthError, UsageError
from zkgpu.inference import (
    Folder,
    Prover,
    compile_model,
    estimate,
    unsafe_setup,
    values_of,
    verify,
)

SAMPLES = np.random.default_rng(1).integers(0, 17, (30, 6))


def classifier(seed: int = 0):
    nodes = [node("Gemm", "x w v", "z"), node("Relu", "z", "a"), node("Gemm", "a u t", "out")]
    weights = {"w": normal(6, 8, seed=seed), "v": normal(8), "u": normal(8, 3, seed=seed), "t": normal(3)}
    return model(nodes, {"x": ("N", 6)}, weights=weights)


@pytest.fixture(scope="module", params=["public", "private"])
def proven(request):
    backend = open_backend("cpu")
    compiled = compile_model(classifier(), SAMPLES, weights=request.param, limb=4)
    key = unsafe_setup(compiled, backend)
    prover = Prover(compiled, key, backend)
    return compiled, key, prover, prover.prove(SAMPLES[0])


def test_a_proof_shows_inputs_and_outputs(proven) -> None:
    compiled, key, _, inference = proven
    values = values_of(key.verifying_key, inference)
    assert verify(key.verifying_key, inference)
    assert (values["x"] == SAMPLES[:1]).all()
    assert (values["out"] == compiled.run({"x": SAMPLES[:1]})["out"]).all()


def test_the_same_key_proves_other_inputs(proven) -> None:
    _, key, prover, _ = proven
    other = prover.prove(SAMPLES[5])
    assert verify(key.verifying_key, other)
    assert (values_of(key.verifying_key, other)["x"] == SAMPLES[5]).all()


def altered(inference, key, name: str, delta: int):
    """The same proof beside values of which one is changed."""
    packed = b""
    for array in key.required_commitment.round.arrays:
        values = list(key.required_commitment.round.unpack(inference.packed)[array.name].ravel())
        values[0] += delta if array.name == name else 0
        packed += array.pack(values)
    return replace(inference, packed=packed)


@pytest.mark.parametrize("name", ["x", "out"])
@pytest.mark.parametrize("delta", [1, -1])
def test_an_input_or_output_altered_by_one_is_refused(proven, name: str, delta: int) -> None:
    _, key, prover, _ = proven
    inference = prover.prove(np.full(6, 8))
    assert verify(key.verifying_key, inference)
    assert not verify(key.verifying_key, altered(inference, key.verifying_key, name, delta))


def test_values_out_of_range_or_of_another_length_are_refused_before_any_pairing(proven) -> None:
    _, key, _, inference = proven
    with pytest.raises(LengthError):
        verify(key.verifying_key, replace(inference, packed=inference.packed[:-1]))
    with pytest.raises(FormatError):
        verify(key.verifying_key, replace(inference, packed=b"\xff" + inference.packed[1:]))


def test_the_proof_of_another_model_is_refused_where_weights_are_public() -> None:
    backend = open_backend("cpu")
    keys, proofs = [], []
    for seed in (0, 1):
        compiled = compile_model(classifier(seed), SAMPLES, limb=4)
        keys.append(unsafe_setup(compiled, backend))
        proofs.append(Prover(compiled, keys[-1], backend).prove(SAMPLES[0]))
    assert verify(keys[0].verifying_key, proofs[0])
    assert not verify(keys[0].verifying_key, proofs[1])


def test_one_key_serves_all_private_weights(proven) -> None:
    compiled, key, prover, first = proven
    if compiled.visibilities.weights == "public":
        with pytest.raises(UsageError, match="part of the circuit"):
            compiled.with_weights(classifier(1))
        return
    other = compiled.with_weights(classifier(1))
    inference = prover.prove(SAMPLES[0], weights=other)
    assert verify(key.verifying_key, inference)
    assert (values_of(key.verifying_key, inference)["out"] == other.run({"x": SAMPLES[:1]})["out"]).all()
    assert inference.packed != first.packed


def test_a_build_folder_keeps_model_and_keys(proven, tmp_path) -> None:
    compiled, key, _, _ = proven
    folder = Folder(tmp_path / "build")
    with pytest.raises(UsageError, match="run `zkgpu zkml compile` first"):
        folder.read_model()
    folder.write_model(compiled)
    folder.write_model(compiled)
    read = folder.read_model()
    assert read.accuracy == compiled.accuracy
    assert read.visibilities == compiled.visibilities
    assert (read.run({"x": SAMPLES[:1]})["out"] == compiled.run({"x": SAMPLES[:1]})["out"]).all()
    backend = open_backend("cpu")
    assert verify(key.verifying_key, Prover(read, key, backend).prove(SAMPLES[3]))


def test_the_estimate_counts_the_circuit_and_names_a_gas_price(proven) -> None:
    compiled, *_ = proven
    costs = estimate(compiled.circuit.r1cs)
    assert costs.constraints == compiled.circuit.r1cs.n_constraints
    assert 200_000 < costs.gas < 350_000
