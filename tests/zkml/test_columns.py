"""Tables whose columns differ in size: as fine as the smallest column needs, where one scale for all is too coarse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from zkgpu.errors import FormatError
from zkgpu.inference import CompiledModel, compile_model
from zkgpu.zkml import choosing
from zkgpu.zkml.storage import dump, parse

SIZES = np.array([0.3, 5.0, 100.0, 2_000.0, 20_000.0, 0.0])
TABLE = normal(80, 6, seed=3) * SIZES + np.array([0.0, 9.0, 0.0, 30_000.0, 0.0, 0.0])
DIVISORS = np.where(SIZES > 0, SIZES, 1.0)  # as of a StandardScaler, of a column that is always 0 too
W = {"w": normal(6, 3), "b": normal(3)}


def scaled():
    """A scaler, as skl2onnx spells it out, and a classifier."""
    nodes = [node("Sub", "x m", "c"), node("Div", "c s", "n"), node("Gemm", "n w b", "z"), node("Softmax", "z", "out")]
    return model(nodes, {"x": ("N", 6)}, weights={**W, "m": TABLE.mean(axis=0), "s": DIVISORS})


def raw(seed: int = 0):
    """The same sums without a scaler: weights as different in size as the columns."""
    weight = normal(6, 3, seed=seed) / DIVISORS[:, None]
    return model([node("Gemm", "x w b", "out")], {"x": ("N", 6)}, weights={"w": weight, "b": normal(3)})


def centered():
    """The same without division, as PLSRegression has it."""
    weights = {"m": TABLE.mean(axis=0), "w": W["w"] / DIVISORS[:, None], "b": W["b"]}
    nodes = [node("Sub", "x m", "c"), node("MatMul", "c w", "p"), node("Add", "p b", "out")]
    return model(nodes, {"x": ("N", 6)}, weights=weights)


NETWORKS = {"scaled": scaled(), "raw": raw(), "centered": centered()}


def assert_circuit_agrees(made: CompiledModel, sample: np.ndarray) -> None:
    circuit, integers = made.circuit, made.quantized(sample)
    shown = circuit.r1cs.rounds[0].unpack(circuit.packed(circuit.witness(made.circuit_inputs(integers))))["out"]
    assert (np.asarray(shown) == made.run(integers)["out"]).all()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("weights", ["public", "private"])
def test_columns_of_any_size_are_near_the_float_model(name: str, weights: str) -> None:
    made = compile_model(NETWORKS[name], TABLE, weights=weights, limb=6)
    (output,) = made.accuracy.outputs
    assert made.recipe.settings.by_column
    assert output.agreement >= 0.95
    assert output.error < 0.02
    assert_circuit_agrees(made, TABLE[3])


def test_with_one_scale_for_all_they_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(choosing, "_has_uneven_columns", lambda _: False)
    for network in NETWORKS.values():
        with pytest.raises(FormatError, match="worst layer"):
            compile_model(network, TABLE, limb=6, bits=8)


def test_whole_numbers_of_any_size_are_taken_as_they_are() -> None:
    made = compile_model(NETWORKS["raw"], np.rint(TABLE), limb=6, allow_error=10)
    assert made.model.inputs[0].scale == 1.0


def test_columns_that_are_alike_have_one_scale() -> None:
    made = compile_model(NETWORKS["raw"], normal(80, 6), limb=6, allow_error=10)
    assert not made.recipe.settings.by_column


def test_what_is_known_of_the_columns_is_stored_and_serves_other_weights() -> None:
    made = compile_model(NETWORKS["raw"], TABLE, weights="private", limb=6)
    read = parse(dump(made), "model")
    assert read.recipe.calibration == made.recipe.calibration
    other = read.with_weights(raw(seed=1))
    assert_circuit_agrees(replace(other, reference=other.reference), TABLE[5])
    wanted = TABLE[5] @ (normal(6, 3, seed=1) / DIVISORS[:, None]) + normal(3)
    assert other.predict(TABLE[5])["out"] == pytest.approx(wanted[None], abs=0.05 * np.abs(wanted).max())


def test_columns_far_from_0_and_of_very_different_reach_keep_their_steps() -> None:
    """Years beside shares: a column is known from its own values, not from how far it lies from 0."""
    reaches, places = np.array([1e4, 0.05, 20.0, 0.2, 300.0]), np.array([0.0, 8.0, 2_000.0, 0.0, -5_000.0])
    table = normal(80, 5, seed=7) * reaches + places
    nodes = [node("MatMul", "x w", "p"), node("Add", "p b", "out")]
    weight = normal(5, 1, seed=8) / reaches[:, None]
    made = compile_model(
        model(nodes, {"x": ("N", 5)}, weights={"w": weight, "b": normal(1) - places @ weight}), table, limb=8
    )
    (output,) = made.accuracy.outputs
    assert output.error < 0.001
    assert_circuit_agrees(made, table[5])


def test_a_column_that_was_still_while_calibrating_may_move() -> None:
    """Behind a scaler that has seen it move it is a small number: that is not how far it reaches."""
    reaches = np.array([3_000.0, 1.0, 1.0, 1.0, 1.0])
    table, moved = normal(80, 5, seed=9) * reaches, normal(40, 5, seed=10) * reaches
    table[:, 1], moved[:, 1] = 0, 40 * moved[:, 1]
    weights = {"m": np.array([0, 0.004, 0, 0, 0]), "s": np.ones(5), "w": normal(5, 1, seed=8) / reaches[:, None]}
    nodes = [node("Sub", "x m", "c"), node("Mul", "c s", "n"), node("MatMul", "n w", "out")]
    made = compile_model(model(nodes, {"x": ("N", 5)}, weights=weights), table, test_data=moved, allow_error=1.0)
    assert made.recipe.settings.by_column
    (output,) = made.accuracy.outputs
    assert output.error < 0.01


def test_squares_of_columns_of_very_different_size_keep_their_steps() -> None:
    """As a naive Bayes classifier has them, before each is divided by a variance of its own."""
    sizes = np.array([0.002, 1.0, 4_000.0])
    table = normal(80, 3, seed=9) * sizes
    nodes = [node("Mul", "x x", "q"), node("Div", "q v", "d"), node("ReduceSum", "d axes", "out", keepdims=1)]
    weights = {"v": sizes**2, "axes": np.array([1])}
    made = compile_model(model(nodes, {"x": ("N", 3)}, weights=weights), table, limb=8)
    (output,) = made.accuracy.outputs
    assert output.error < 0.0025
    assert_circuit_agrees(made, table[5])
