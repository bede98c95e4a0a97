"""What the model of an audit is called, and the digests of its inferences: those that a proof shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from zkgpu.audit import AuditedModel
from zkgpu.backend import open_backend
from zkgpu.errors import FormatError, UsageError
from zkgpu.inference import CompiledModel, Prover, compile_model, unsafe_setup

SAMPLES = np.random.default_rng(1).integers(0, 17, (20, 4))
BACKEND = open_backend("cpu")


def compiled(seed: int = 0, **options: Any) -> CompiledModel:
    nodes = [node("Gemm", "x w", "z"), node("Relu", "z", "out")]
    network = model(nodes, {"x": ("N", 4)}, weights={"w": normal(4, 3, seed=seed)})
    return compile_model(network.SerializeToString(), SAMPLES, **options)


def audited(made: CompiledModel) -> tuple[AuditedModel, Prover]:
    prover = Prover(made, unsafe_setup(made, BACKEND), BACKEND)
    return AuditedModel.of(made, prover.verifying_key), prover


FORMS = [{}, {"weights": "hashed", "inputs": {"x": "hashed"}}, {"weights": "hashed", "outputs": {"out": "hashed"}}]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_logged_digests_are_those_of_the_proof_s_own_call(form: dict[str, Any]) -> None:
    mine, prover = audited(compiled(**form))
    integers = mine.compiled.quantized(SAMPLES[0])
    one = mine.inference(integers)
    assert {k: v.tolist() for k, v in mine.integers(one.data).items()} == {"x": [SAMPLES[0].tolist()]}
    (proven,) = prover.prove_each([mine.real(mine.integers(one.data))])
    shown = mine.layout.shown(proven.calldata())
    assert shown == (list(proven.public_inputs), proven.packed)
    assert mine.layout.digests(*shown) == (one.inputs, one.outputs)
    other = mine.inference(mine.compiled.quantized(SAMPLES[1]))
    assert {one.inputs, one.outputs}.isdisjoint({other.inputs, other.outputs})
    assert one.request != other.request
    with pytest.raises(UsageError, match="no call of the model's verifier"):
        mine.layout.shown(proven.calldata()[:-1])


def test_another_key_other_weights_or_another_statement_is_another_model() -> None:
    made = compiled()
    first, _ = audited(made)
    again, _ = audited(made)
    assert first.hash != again.hash  # a key of its own
    assert AuditedModel.of(made, first.key).hash == first.hash
    named = replace(made, labels={"out": ("a", "b", "c")})
    assert AuditedModel.of(named, first.key).hash != first.hash
    hashed = compiled(weights="hashed")
    mine, _ = audited(hashed)
    nodes = [node("Gemm", "x w", "z"), node("Relu", "z", "out")]
    network = model(nodes, {"x": ("N", 4)}, weights={"w": 0.5 * normal(4, 3)})
    other = hashed.with_weights(network.SerializeToString())
    assert AuditedModel.of(other, mine.key).hash != mine.hash
    assert AuditedModel.of(other, mine.key).layout.weights_hash == other.weights_hash


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"weights": "private"}, "private weights are bound by nothing"),
        ({"inputs": {"x": "private"}}, "'x' is private"),
        ({"binding": 20}, "--bind"),
    ],
    ids=str,
)
def test_a_model_whose_proofs_leave_the_inference_open_is_refused(form: dict[str, Any], said: str) -> None:
    made = compiled(**form)
    with pytest.raises(UsageError, match=said):
        AuditedModel.of(made, unsafe_setup(made, BACKEND).verifying_key)


def test_the_key_of_a_model_of_another_form_is_refused() -> None:
    mine, _ = audited(compiled())
    with pytest.raises(FormatError, match="statement is not that of the verifying key"):
        AuditedModel.of(compiled(weights="hashed"), mine.key)


def test_inputs_that_are_none_of_the_model_are_refused() -> None:
    mine, _ = audited(compiled())
    data = mine.inference(mine.compiled.quantized(SAMPLES[0])).data
    for wrong in (data[:-1], data + b"\0", b"\xff" * len(data)):
        with pytest.raises(FormatError):
            mine.integers(wrong)
