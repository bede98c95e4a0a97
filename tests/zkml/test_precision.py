"""More bits where a model needs them: deep networks, outliers, rows of any size; and none where it does not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from zkgpu.errors import FormatError, UsageError
from zkgpu.inference import CompiledModel, compile_model
from zkgpu.zkml import choosing
from zkgpu.zkml.lowering.settings import Settings
from zkgpu.zkml.precision import MOST_BITS, _shared_out
from zkgpu.zkml.storage import dump, parse


@pytest.fixture(autouse=True)
def _not_a_small_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small models of tables get their bits in an order of their own: here they are as others."""
    monkeypatch.setattr(choosing, "_SMALL", -1)


def deep(layers: int, width: int = 16, seed: int = 0):
    """A network of so many layers with Relu, and one more."""
    draws, nodes, weights = np.random.default_rng(seed), [], {}
    for i in range(layers):
        weights[f"w{i}"] = draws.normal(size=(width, width)) * np.sqrt(2 / width)
        weights[f"b{i}"] = draws.normal(size=width) / 10
        nodes += [node("Gemm", f"{f'r{i - 1}' if i else 'x'} w{i} b{i}", f"h{i}"), node("Relu", f"h{i}", f"r{i}")]
    weights["w"] = draws.normal(size=(width, 5))
    return model([*nodes, node("Gemm", f"r{layers - 1} w", "out")], {"x": ("N", width)}, weights=weights)


def with_one_outlier(size: float) -> np.ndarray:
    samples = normal(128, 16)
    samples[0, 0] = size
    return samples


def test_a_clamp_leaves_room_for_inputs_that_calibration_has_not_seen() -> None:
    compiled = compile_model(deep(24), normal(64, 16), bits=12, limb=6)
    assert any(getattr(operation, "high", None) for operation in compiled.model.operations)
    assert error_on(compiled, deep(24), normal(40, 16, seed=9)) < 0.005


@pytest.mark.parametrize("bits", [8, 9, 10, 12])
def test_weights_keep_their_bits_beside_a_product_of_many_numbers(bits: int) -> None:
    nodes = [node("ReduceProd", "x", "a", axes=[1]), node("MatMul", "a v", "b"), node("MatMul", "b w", "out")]
    proto = model(nodes, {"x": ("N", 4)}, weights={"v": normal(1, 1), "w": normal(1, 3)})
    samples = np.random.default_rng(1).uniform(1, 2, (40, 4)).astype(np.float32)
    compiled = compile_model(proto, samples, bits=bits, limb=6, allow_error=np.inf)
    assert error_on(compiled, proto, samples) < 0.005


@pytest.mark.parametrize("operator", ["Softplus", "Elu"])
def test_a_table_leaves_room_where_fresh_inputs_need_it(operator: str) -> None:
    nodes = [node("Gemm", "x w", "h"), node(operator, "h", "out")]
    proto = model(nodes, {"x": ("N", 6)}, weights={"w": 3 * normal(6, 6)})
    samples = np.abs(normal(64, 6))
    usual = compile_model(proto, samples, limb=6, allow_error=1)
    assert usual.recipe.settings.margin > 0
    assert usual.accuracy.amiss < 0.02


def error_on(compiled: CompiledModel, proto, samples: np.ndarray) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = session.run(["out"], {"x": samples.astype(np.float32)})[0]
    found = np.concatenate([compiled.predict(row, clamp=True)["out"] for row in samples])
    return float(np.sqrt(((found - wanted) ** 2).sum() / (wanted**2).sum()))


def test_a_deep_network_is_near_its_floats_on_data_that_nothing_was_chosen_by() -> None:
    proto = deep(24, seed=3)
    with pytest.raises(FormatError, match="worst layer"):
        compile_model(proto, normal(64, 16), bits=8, limb=6)
    compiled = compile_model(proto, normal(64, 16), limb=6)
    assert compiled.accuracy.amiss < 0.02
    assert error_on(compiled, proto, normal(40, 16, seed=9)) < 0.02
    assert set(compiled.recipe.settings.finer.values()) <= set(range(9, MOST_BITS + 1))
    uniform = compile_model(proto, normal(64, 16), bits=12, limb=6)
    assert compiled.circuit.r1cs.n_constraints < uniform.circuit.r1cs.n_constraints


@pytest.mark.parametrize("size", [30.0, 100.0])
def test_an_outlier_takes_no_bits_from_all_others(size: float) -> None:
    compiled = compile_model(deep(2), with_one_outlier(size), limb=6)
    assert error_on(compiled, deep(2), normal(40, 16, seed=9)) < 0.02
    compiled.quantized(with_one_outlier(size)[0])  # and is not refused


def test_a_network_that_is_near_enough_stays_as_it_is() -> None:
    usual, given = (compile_model(deep(1), normal(64, 16), limb=6, bits=bits) for bits in ("auto", 8))
    assert usual.recipe.settings == given.recipe.settings == Settings(8, 6, 8)
    assert usual.circuit.r1cs.n_constraints == given.circuit.r1cs.n_constraints


def test_only_what_needs_them_gets_bits() -> None:
    """The small rows of one input are normalized; what the other input gives is as good as it was."""
    nodes = [
        node("Mul", "x x", "s"),
        node("ReduceMean", "s", "m", axes=[-1]),
        node("Add", "m e", "a"),
        node("Sqrt", "a", "r"),
        node("Div", "x r", "norm"),
        node("Gemm", "y w", "h"),
        node("Relu", "h", "other"),
    ]
    weights = {"e": np.array(1e-6), "w": normal(6, 6)}
    two = model(nodes, {"x": ("N", 16), "y": ("N", 6)}, ["norm", "other"], weights)
    sizes = 10.0 ** np.random.default_rng(1).uniform(-1, 1, size=(64, 1))
    compiled = compile_model(two, {"x": normal(64, 16) * sizes, "y": normal(64, 6)}, limb=6)
    assert compiled.accuracy.amiss < 0.02
    assert set(compiled.recipe.settings.finer) == {"x"}


def test_a_network_whose_outputs_are_classes_gets_more_bits_everywhere() -> None:
    proto = deep(24)
    proto.graph.node.append(node("ArgMax", "out", "class", axis=1, keepdims=0))
    compiled = compile_model(proto, normal(64, 16), tensors=["class"], limb=6)
    assert compiled.accuracy.outputs[0].agreement > 0.95


def test_widths_are_stored_and_hold_for_other_weights() -> None:
    compiled = compile_model(deep(12), normal(64, 16), weights="private", limb=6)
    read = parse(dump(compiled), "model")
    assert read.recipe.settings == compiled.recipe.settings
    assert read.recipe.settings.finer
    proto = deep(12)
    for tensor in proto.graph.initializer:
        if tensor.name == "w":
            tensor.CopyFrom(model([], {}, [], {"w": normal(16, 5) / 2}).graph.initializer[0])
    other = read.with_weights(proto)
    assert error_on(other, proto, normal(20, 16, seed=9)) < 0.03


@pytest.mark.parametrize("bits", [1, 17, 8.0, "many", None])
def test_other_widths_are_refused(bits: object) -> None:
    with pytest.raises(UsageError, match="from 2 to 16, or 'auto'"):
        compile_model(deep(1), normal(64, 16), bits=bits)


def test_bits_go_where_they_take_most_off_for_what_they_cost() -> None:
    def each(bits: int) -> float:
        return 1.0

    def dear(bits: int) -> float:
        return 1000.0

    assert _shared_out([9e-5, 1e-8], [each, each], 8, 0.01) == [8, 8]
    assert _shared_out([16e-4, 1e-8], [each, each], 8, 0.011) == [10, 8]
    assert _shared_out([8e-4, 8e-4], [dear, each], 8, 0.01)[0] < _shared_out([8e-4, 8e-4], [dear, each], 8, 0.01)[1]
    assert _shared_out([0.0, 0.0], [each, each], 8, 0.01) == [8, 8]
    assert max(_shared_out([1e9, 1e9], [each, each], 8, 0.01)) == MOST_BITS
