"""Rows at computed places, comparisons and choices: as onnxruntime has them, and nothing else as a proof has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.circuits.mutation import assert_forgery_fails
from tests.zkml.models import model, node, normal, onnx
from tests.zkml.networks import all_inputs, assert_same_as_semantics, model_of, proven_output, unpublished
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import FormatError, UnsatisfiedError, UsageError
from zkgpu.zkml.compiled import CompiledModel, compile_model
from zkgpu.zkml.operations import Rows

draw = np.random.default_rng(8)


def of_integers(proto: Any, kind: int = onnx.TensorProto.INT64) -> Any:
    for info in proto.graph.input:
        info.type.tensor_type.elem_type = kind
    del proto.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(proto)


def floats_of(proto: Any, sample: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["out"], sample)
    return found


def proven(compiled: CompiledModel, sample: dict[str, np.ndarray]) -> np.ndarray:
    """The output as the circuit publishes it, in real numbers."""
    (out,) = compiled.model.outputs
    integers = compiled.quantised(sample)
    return np.asarray(proven_output(compiled.circuit, compiled.circuit_inputs(integers)), dtype=float) * out.scale


def assert_near(found: np.ndarray, wanted: np.ndarray, most: float = 0.03) -> None:
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= most * max(np.abs(wanted).max(), 1e-9)


def bag_of_words(length: int = 40) -> Any:
    nodes = [
        node("Gather", "table x", "e"),
        node("Relu", "e", "r"),
        node("ReduceMean", "r", "m", axes=[1], keepdims=0),
        node("Gemm", "m w", "out"),
    ]
    return of_integers(model(nodes, {"x": (1, 5)}, weights={"table": normal(length, 8), "w": normal(8, 3)}))


TOKENS = {"x": draw.integers(0, 30, (40, 5))}


@pytest.mark.parametrize("weights", ["public", "private", "hashed"])
def test_an_embedding_gives_the_row_of_any_word(weights: str) -> None:
    compiled = compile_model(bag_of_words(), TOKENS, limb=6, weights=weights)
    for words in ([0, 1, 2, 3, 4], [39, 39, 0, 31, 5]):  # of words 30 to 39 the calibration has seen none
        sample = {"x": np.array([words])}
        assert_near(proven(compiled, sample), floats_of(bag_of_words(), sample))
    for beyond in (40, -1):
        with pytest.raises(UsageError, match=r"'x' at index \[0, 1\] is outside"):
            compiled.predict({"x": np.array([[0, beyond, 2, 3, 4]])})


def test_private_weights_leave_no_embedding_in_the_circuit() -> None:
    """Other tables are proven under the same key, so that the circuit cannot hold the first one."""
    compiled = compile_model(bag_of_words(), TOKENS, limb=6, weights="private")
    assert not any(isinstance(operation, Rows) for operation in compiled.model.operations)
    assert any(isinstance(op, Rows) for op in compile_model(bag_of_words(), TOKENS, limb=6).model.operations)


def test_places_may_be_computed_and_along_any_axis() -> None:
    nodes = [node("ArgMax", "x", "i", axis=1, keepdims=0), node("Gather", "t i", "out", axis=1)]
    proto = model(nodes, {"x": (1, 6, 2)}, weights={"t": normal(3, 6, 4)})
    compiled = compile_model(proto, draw.normal(size=(40, 6, 2)), limb=6)
    for sample in draw.normal(size=(3, 1, 6, 2)).astype(np.float32):
        assert_near(proven(compiled, {"x": sample}), floats_of(proto, {"x": sample}))


def test_negative_places_count_from_the_end() -> None:
    proto = of_integers(model([node("Gather", "t x", "out")], {"x": (1, 4)}, weights={"t": normal(7, 2)}))
    compiled = compile_model(proto, draw.integers(-7, 7, (40, 4)), limb=6)
    sample = {"x": np.array([[-7, -1, 0, 6]])}
    assert_near(proven(compiled, sample), floats_of(proto, sample))


def two_tables() -> Any:
    nodes = [
        node("Split", "x n", "a b", axis=1),
        node("Gather", "t a", "c"),
        node("Gather", "u b", "d"),
        node("Add", "c d", "out"),
    ]
    weights = {"n": np.array([1, 1]), "t": normal(4, 3), "u": normal(20, 3)}
    return of_integers(model(nodes, {"x": (1, 2)}, weights=weights))


def test_a_place_beyond_the_shorter_of_two_tables_is_refused_by_its_layer() -> None:
    samples = np.stack([draw.integers(0, 4, 40), draw.integers(0, 20, 40)], axis=1)
    compiled = compile_model(two_tables(), samples, limb=6)
    sample = {"x": np.array([[3, 19]])}
    assert_near(proven(compiled, sample), floats_of(two_tables(), sample))
    with pytest.raises(UsageError, match=r"layer '/c': the place at index \[0, 0\] is no row of its table.* 0 to 3"):
        compiled.predict({"x": np.array([[4, 0]])})


def test_places_may_be_cast_from_floats_but_must_be_known_to_be_whole() -> None:
    nodes = [node("Mul", "x h", "m"), node("Gather", "t m", "out")]
    proto = of_integers(model(nodes, {"x": (1, 2)}, weights={"t": normal(9, 2), "h": np.array([2, 3])}))
    with pytest.raises(FormatError, match=r"'/out'.*not known to be whole numbers from -9 to 8"):
        compile_model(proto, draw.integers(0, 3, (40, 2)))
    nodes = [node("Cast", "x", "i", to=7), node("Gather", "t i", "out")]
    proto = model(nodes, {"x": (1, 2)}, weights={"t": normal(4, 2)})
    compiled = compile_model(proto, draw.integers(0, 4, (40, 2)), limb=6)
    assert_near(proven(compiled, {"x": np.array([[3, 1]])}), floats_of(proto, {"x": np.array([[3, 1]], np.float32)}))


ROWS = Rows("e", ("x",), "out", np.array([[5, 6], [7, 8], [5, 8]]), 0)


@pytest.mark.parametrize("row", [(7, 8), (5, 8), (5, 7), (6, 5), (0, 0)])
def test_a_row_of_another_place_or_of_none_is_refused(row: tuple[int, int]) -> None:
    circuit = unpublished(model_of(ROWS, x=((1,), 0, 2)))
    (label,) = (step.label for step in circuit._steps if getattr(step, "label", "").endswith("row of a table"))
    lie = {label: lambda *_: np.array([[v % Fr.modulus for v in row]], dtype=object)}
    assert_forgery_fails(circuit, {"x": np.array([0])}, lie)


@pytest.mark.parametrize("place", [-1, 3, 100])
def test_the_circuit_itself_refuses_a_place_outside_of_the_table(place: int) -> None:
    with pytest.raises(UnsatisfiedError, match="is no row of table"):
        unpublished(model_of(ROWS, x=((1,), -128, 127))).witness({"x": np.array([place])})


def test_every_place_of_a_table_gives_its_row() -> None:
    table = draw.integers(-99, 100, (256, 4))
    operation = Rows("e", ("x",), "out", table, -128)
    model_ = model_of(operation, x=((256,), -128, 127))
    assert_same_as_semantics(model_, {"x": np.arange(-128, 128)})
    assert unpublished(model_).r1cs.n_constraints <= 256 * 5 + 256 + 4 + 256 * 8
    assert all_inputs(model_, {"x": np.arange(-128, 128)})
