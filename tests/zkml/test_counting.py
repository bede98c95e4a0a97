"""The formulas count what the circuit then has: for the models of the examples, and for small ones drawn at random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from tests.zkml.networks import model_of
from tests.zkml.random_models import random_model
from zkgpu.errors import ZkgpuError
from zkgpu.inference import compile_model, estimate, estimate_model
from zkgpu.testing import Draws
from zkgpu.zkml import counting, operations
from zkgpu.zkml.counting import size_of
from zkgpu.zkml.layers.network import build_circuit
from zkgpu.zkml.onnx_model import OnnxModel
from zkgpu.zkml.operations import IntegerModel, Requantize
from zkgpu.zkml.tally import Size
from zkgpu.zkml.visibility import Visibilities

ROOT = Path(__file__).parents[2]
FILES = {
    path.stem: path for folder in ("examples/models", "tests/data/onnx") for path in (ROOT / folder).glob("*.onnx")
}


OVERLAPPING = [(name, "private") for name in ("pytorch_resampling", "pytorch_resampling_dynamo")]
"""In these, whether wires lie between two layers hangs on how many wires their sums share, which is not counted."""


def sizes(integers: IntegerModel, visibilities: Visibilities) -> tuple[Size, Size]:
    """(told, built)."""
    r1cs = build_circuit(integers, visibilities).compile().r1cs
    entries = sum(len(side.indices) for side in (r1cs.a, r1cs.b, r1cs.c))
    arrays = tuple(array for round_ in r1cs.rounds for array in round_.arrays)
    return size_of(integers, visibilities), Size(r1cs.n_constraints, r1cs.n_wires, entries, r1cs.n_public, arrays)


def assert_same(told: Size, built: Size) -> None:
    """The entries may differ where sums share wires."""
    assert (told.constraints, told.wires, told.public, told.arrays) == (
        built.constraints,
        built.wires,
        built.public,
        built.arrays,
    )
    assert 0.8 * built.entries < told.entries < 1.6 * built.entries


CASES = [(name, weights) for name in FILES for weights in ("public", "private")] + [("digits_dense", "hashed")]
CASES = [case for case in CASES if case not in OVERLAPPING]


@pytest.mark.parametrize(("name", "weights"), CASES)
def test_the_models_of_files_are_counted_exactly(name: str, weights: Any) -> None:
    if weights != "public" and _has_trees(name):
        pytest.skip("thresholds are public")
    shapes = OnnxModel.read(FILES[name]).shapes
    samples = {n: normal(3, *(length or 4 for length in shape[1:])) for n, shape in shapes.items()}
    compiled = compile_model(FILES[name], samples, weights=weights, limb=8, allow_error=np.inf)
    assert_same(*sizes(compiled.model, compiled.visibilities))


@pytest.mark.parametrize(("name", "weights"), OVERLAPPING)
def test_models_whose_sums_overlap_are_counted_within_a_tenth(name: str, weights: Any) -> None:
    (shape,) = OnnxModel.read(FILES[name]).shapes.values()
    samples = normal(3, *(length or 4 for length in shape[1:]))
    compiled = compile_model(FILES[name], samples, weights=weights, limb=8, allow_error=np.inf)
    told, built = sizes(compiled.model, compiled.visibilities)
    assert built.constraints <= told.constraints <= 1.1 * built.constraints


def _has_trees(name: str) -> bool:
    return any(node.op_type.startswith("Tree") for node in OnnxModel.read(FILES[name]).proto.graph.node)


def test_the_block_of_the_examples_is_counted_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples")
    from transformer_block import block

    shape = [dim.dim_value for dim in block().graph.input[0].type.tensor_type.shape.dim]
    compiled = compile_model(block(), normal(3, *shape[1:]), limb=8, allow_error=np.inf)
    assert_same(*sizes(compiled.model, compiled.visibilities))


KINDS = ("public", "private", "hashed")


@pytest.mark.parametrize("part", range(4))
def test_random_models_are_counted_exactly(part: int) -> None:
    counted = 0
    for seed in range(part * 12, part * 12 + 12):
        integers, draws = random_model(Draws(seed)), Draws(seed)
        weights = draws.one_of(("public", "private")) if seed % 6 else "hashed"
        inputs = {tensor.name: draws.one_of(KINDS[:2]) for tensor in integers.inputs}
        try:
            told, built = sizes(integers, Visibilities(weights, inputs))
        except ZkgpuError:
            continue
        counted += 1
        assert_same(Size(**{**vars(told), "entries": built.entries}), built)
    assert counted > 5


def test_a_layer_that_is_long_and_one_after_another_get_wires_of_their_own() -> None:
    nodes = [
        node("MatMul", "x w", "a"),
        node("MatMul", "a v", "b"),
        node("Relu", "b", "c"),
        node("MatMul", "c u", "out"),
    ]
    weights = {"w": normal(64, 300), "v": normal(300, 300), "u": normal(300, 900)}
    compiled = compile_model(model(nodes, {"x": ("N", 64)}, weights=weights), normal(4, 64), limb=8, allow_error=np.inf)
    assert_same(*sizes(compiled.model, compiled.visibilities))


def test_hidden_tensors_and_a_binding_are_counted() -> None:
    integers = model_of(Requantize("clip", ("x",), "out", 3, 0, 20), x=((2, 5), -100, 900))
    for kind in KINDS:
        told, built = sizes(integers, Visibilities(inputs={"x": kind}, outputs={"out": "hashed"}, binding=20))
        assert_same(Size(**{**vars(told), "entries": built.entries}), built)


def test_an_operation_without_a_formula_is_written_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """And counted by a circuit of its own, within a few percent."""
    nodes = [node("Gemm", "x w", "a"), node("Relu", "a", "b"), node("Softmax", "b", "c"), node("ArgMax", "c", "out")]
    compiled = compile_model(
        model(nodes, {"x": ("N", 6)}, weights={"w": normal(6, 5)}), normal(40, 6), limb=6, allow_error=np.inf
    )
    exact = size_of(compiled.model)
    arithmetic = {operations.Arrange, operations.Combine, operations.Linear, operations.Total}
    for kind in {type(operation) for operation in compiled.model.operations} - arithmetic:
        rules = {k: rule for k, rule in counting._RULES.items() if k is not kind}
        monkeypatch.setattr(counting, "_RULES", rules)
        found = size_of(compiled.model)
        assert abs(found.constraints - exact.constraints) <= 0.05 * exact.constraints, kind
        monkeypatch.undo()


def test_an_estimate_builds_no_circuit_and_needs_no_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [node("Gemm", "x w", "a"), node("Relu", "a", "b"), node("Gemm", "b v", "out")]
    proto = model(nodes, {"x": ("N", 6)}, weights={"w": normal(6, 40), "v": normal(40, 5)})
    real = compile_model(proto, normal(40, 6))
    built = estimate(real.circuit.r1cs)
    monkeypatch.setattr("zkgpu.zkml.layers.network.build_circuit", lambda *_: pytest.fail("a circuit was built"))
    for samples in (normal(40, 6), None):
        compiled, size = estimate_model(proto, samples)
        told = estimate(size)
        assert abs(told.constraints - built.constraints) <= 0.1 * built.constraints
        assert 0.8 < told.prove_seconds / built.prove_seconds < 1.25
        assert (compiled.accuracy is None) == (samples is None)
