"""What the model of an audit is called, and the digests of its inferences: those that a proof shows."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from zkgpu.audit import AuditedModel
from zkgpu.backend import open_backend
from zkgpu.errors import FormatError, UsageError
from zkgpu.inference import CompiledModel, Prover, compile_model, unsafe_setup
from zkgpu.zkml.visibility import Visibility

SAMPLES = np.random.default_rng(1).integers(0, 17, (20, 4))
BACKEND = open_backend("cpu")


def network(seed: int = 0) -> bytes:
    nodes = [node("Gemm", "x w", "z"), node("Relu", "z", "out")]
    made: bytes = model(nodes, {"x": ("N", 4)}, weights={"w": 0.5 * normal(4, 3, seed=seed)}).SerializeToString()
    return made


@cache
def compiled(weights: Visibility = "public", inputs: Visibility = "public", binding: int = 0) -> CompiledModel:
    return compile_model(network(), SAMPLES, weights=weights, inputs={"x": inputs}, binding=binding)


@cache
def audited(weights: Visibility = "public", inputs: Visibility = "public") -> tuple[AuditedModel, Prover]:
    made = compiled(weights, inputs)
    prover = Prover(made, unsafe_setup(made, BACKEND), BACKEND)
    return AuditedModel.of(made, prover.verifying_key), prover


@pytest.mark.parametrize("form", [("public", "public"), ("hashed", "hashed")], ids="-".join)
def test_the_logged_digests_are_those_of_the_proof_s_own_call(form: tuple[Visibility, Visibility]) -> None:
    mine, prover = audited(*form)
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
    first, _ = audited()
    again = AuditedModel.of(first.compiled, unsafe_setup(first.compiled, BACKEND).verifying_key)
    assert first.hash != again.hash
    assert AuditedModel.of(first.compiled, first.key).hash == first.hash
    named = replace(first.compiled, labels={"out": ("a", "b", "c")})
    assert AuditedModel.of(named, first.key).hash != first.hash
    mine, _ = audited("hashed", "hashed")
    other = AuditedModel.of(mine.compiled.with_weights(network(seed=3)), mine.key)
    assert other.hash != mine.hash
    assert other.layout.weights_hash not in (None, mine.layout.weights_hash)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (("private", "public", 0), "private weights are bound by nothing"),
        (("public", "private", 0), "'x' is private"),
        (("public", "public", 20), "--bind"),
    ],
    ids=str,
)
def test_a_model_whose_proofs_leave_the_inference_open_is_refused(
    form: tuple[Visibility, Visibility, int], said: str
) -> None:
    first, _ = audited()
    with pytest.raises(UsageError, match=said):
        AuditedModel.of(compiled(*form), first.key)


def test_the_key_of_a_model_of_another_form_is_refused() -> None:
    first, _ = audited()
    with pytest.raises(FormatError, match="statement is not that of the verifying key"):
        AuditedModel.of(audited("hashed", "hashed")[0].compiled, first.key)


def test_inputs_that_are_none_of_the_model_are_refused() -> None:
    mine, _ = audited()
    data = mine.inference(mine.compiled.quantized(SAMPLES[0])).data
    for wrong in (data[:-1], data + b"\0", b"\xff" * len(data)):
        with pytest.raises(FormatError):
            mine.integers(wrong)
