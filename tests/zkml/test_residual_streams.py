"""Transformers with a residual stream: small ones with massive activations at the first position, of given seeds."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from models.exported import Exported  # noqa: E402
from models.language import Llama, Shape, random_weights  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

from tests.circuits.mutation import assert_every_wire_is_pinned  # noqa: E402
from tests.zkml.networks import assert_same_as_semantics, compiled, model_of  # noqa: E402
from tests.zkml.test_second_witnesses import constantly, forged  # noqa: E402
from zkgpu.errors import FormatError, UnsatisfiedError, UsageError  # noqa: E402
from zkgpu.inference import CompiledModel, compile_model  # noqa: E402
from zkgpu.testing import attack_circuit  # noqa: E402
from zkgpu.zkml import semantics, storage  # noqa: E402
from zkgpu.zkml.counting import size_of  # noqa: E402
from zkgpu.zkml.onnx_import import read_graph  # noqa: E402
from zkgpu.zkml.onnx_model import OnnxModel  # noqa: E402
from zkgpu.zkml.operations import (  # noqa: E402
    Arrange,
    Combine,
    Linear,
    Lookup,
    MatMul,
    Multiply,
    Normalize,
    Requantize,
    Rescale,
    RootMeanSquare,
    Rows,
    Softmax,
)
from zkgpu.zkml.streams import Places, require_first_position, stream, summary, told  # noqa: E402
from zkgpu.zkml.visibility import Visibilities  # noqa: E402

TOKENS = 5
LITTLE = Shape(layers=2, width=8, heads=2, key_heads=1, hidden=12, vocabulary=16)


def llama(shape: Shape = LITTLE, *, outlier: float = 40.0, tokens: int = TOKENS, every_position: bool = True) -> Any:
    return Llama(shape, random_weights(shape, outlier=outlier), tokens).written(every_position=every_position)


def sentences(count: int, first: int | None = 0, tokens: int = TOKENS, seed: int = 1) -> np.ndarray:
    """Rows of tokens, of which none but the first is token 0, the one with the massive activation."""
    random = np.random.default_rng(seed)
    found = random.integers(1, LITTLE.vocabulary, (count, tokens))
    found[:, 0] = found[:, 0] if first is None else first
    return found


@pytest.fixture(scope="module")
def model() -> CompiledModel:
    return compile_model(llama(), sentences(32), bits="stream", limb=8)


class Gpt(Exported):
    """A decoder with layer norms, biases everywhere, learned positions, and GELU by Erf.

    Attributes:
        offset: about what layer norms add to each channel
    """

    offset = 0.1

    def biased(self, x: str, fan_in: int, fan_out: int) -> str:
        weight = self.constant(self._normal(fan_in, fan_out) * fan_in**-0.5)
        return self.node("Add", self.node("MatMul", x, weight), self.constant(self._normal(fan_out)))

    def layer_norm(self, x: str, width: int) -> str:
        gain, offset = 1 + 0.1 * self._normal(width), self.offset * self._normal(width)
        gain[1] = 0.02
        return self.node("LayerNormalization", x, self.constant(gain), self.constant(offset), axis=-1)

    def attention(self, x: str, width: int) -> str:
        query, key, value = (self.biased(x, width, width) for _ in range(3))
        scores = self.node("MatMul", query, self.node("Transpose", key, perm=(0, 2, 1)))
        seen, nothing = self.constant(np.tri(TOKENS, dtype=bool)), self.constant(np.array(-np.inf, dtype=np.float32))
        shares = self.node("Softmax", self.node("Where", seen, scores, nothing), axis=-1)
        return self.biased(self.node("MatMul", shares, value), width, width)

    def gelu(self, x: str) -> str:
        error = self.node("Erf", self.node("Div", x, self.constant(np.sqrt(2.0))))
        half = self.node("Mul", x, self.constant(np.array(0.5)))
        return self.node("Mul", half, self.node("Add", error, self.constant(np.array(1.0))))


def gpt(offset: float = Gpt.offset) -> Any:
    width, net = 8, Gpt((1, TOKENS), "ids")
    net.offset = offset
    net.inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, (1, TOKENS))]
    table = net._normal(LITTLE.vocabulary, width)
    table[0, 1] = 300.0
    x = net.node("Add", net.node("Gather", net.constant(table), "ids"), net.constant(net._normal(TOKENS, width)))
    for _ in range(2):
        x = net.node("Add", x, net.attention(net.layer_norm(x, width), width))
        hidden = net.gelu(net.biased(net.layer_norm(x, width), width, 2 * width))
        x = net.node("Add", net.biased(hidden, 2 * width, width), x)
    return net.model(net.biased(net.layer_norm(x, width), width, LITTLE.vocabulary))


def graph_of(proto: Any) -> Any:
    return read_graph(OnnxModel.read(proto.SerializeToString()))


# what is a stream


def test_a_stream_is_found_by_its_sums_and_norms_whatever_the_nodes_are_called() -> None:
    proto = llama()
    for i, node in enumerate(proto.graph.node):
        node.name = f"n{i}"
    graph = graph_of(proto)
    members = stream(graph)
    assert len(members) == 2 * LITTLE.layers + 1
    assert [graph.producers()[name].operator for name in members[1:]] == ["Add"] * 4
    assert len(stream(graph_of(gpt()))) == 5


def test_sums_that_no_norm_reads_are_no_stream_and_asking_for_one_is_refused() -> None:
    net = Exported((1, 4, 8))
    x = "input"
    for _ in range(6):
        x = net.node("Add", x, net.node("Relu", net.node("MatMul", x, net.normal(8, 8))))
    proto = net.model(x)
    assert stream(graph_of(proto)) == ()
    with pytest.raises(UsageError, match="no residual stream"):
        compile_model(proto, np.zeros((4, 4, 8), dtype=np.float32), bits="stream")


# how close the integers are


def test_massive_activations_at_the_first_position_leave_the_others_as_they_are(model: CompiledModel) -> None:
    (output,) = model.accuracy.outputs
    assert model.accuracy.held_out
    assert model.accuracy.refused == 0
    assert output.agreement > 0.97
    assert output.error < 0.01


def test_8_bits_are_too_few_for_it_and_auto_finds_the_widths_of_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkgpu.zkml.choosing._SMALL", 0)  # of a model so small all bits could be 16
    coarse = compile_model(llama(), sentences(32), bits=8, allow_error=9.0, limb=8)
    assert coarse.accuracy.amiss > 0.05
    found = compile_model(llama(), sentences(32), limb=8)
    assert found.recipe.settings.stream
    assert found.accuracy.amiss < 0.01


def test_layer_norms_biases_and_gelu_keep_up_too() -> None:
    found = compile_model(gpt(), sentences(32), bits="stream", limb=8)
    assert found.accuracy.outputs[0].error < 0.01


@pytest.mark.parametrize("offset", [0.1, 20.0])
def test_a_layer_norm_drops_one_limb_behind_its_root_and_its_offsets_are_biases(offset: float) -> None:
    found = compile_model(gpt(offset), sentences(32), bits="stream", limb=18)
    made = {op.output: op for op in found.model.operations}
    norms = [op for op in made.values() if isinstance(op, Normalize | RootMeanSquare)]
    assert len(norms) == 2 * 5
    assert not any(isinstance(op, Normalize) for op in norms)
    roots = {op.layer for op in norms}
    rounded = [op for op in made.values() if isinstance(op, Rescale) and _origin(made, op.inputs[0]).layer in roots]
    assert len(rounded) == 5
    assert {op.shift for op in rounded} == {18 if offset < 1 else 36}  # an offset takes part of the range
    assert found.accuracy.amiss < 0.01


def _origin(made: dict[str, Any], name: str) -> Any:
    """The operation behind arrangements and sums, of these that of the first addend."""
    while isinstance(made[name], Arrange | Combine):
        name = made[name].inputs[0]
    return made[name]


def test_scores_before_a_mask_are_not_rounded_and_their_addends_no_finer_than_products() -> None:
    found = compile_model(gpt(), sentences(32), bits="stream", limb=18)
    clamps = [op for op in found.model.operations if isinstance(op, Requantize) and (op.low, op.high) != (None, None)]
    assert not clamps
    made = {op.output: op for op in found.model.operations}
    factors = [_origin(made, n) for op in made.values() if isinstance(op, MatMul) for n in op.inputs]
    unrounded = [op for op in factors if isinstance(op, Linear)]
    assert len(unrounded) == 2 * 3
    assert all(1 < op.multiplier.max() <= 4 for op in unrounded)


def test_turned_queries_and_keys_and_gated_products_are_not_rounded() -> None:
    """Norms are, what a function reads and the stream's sums; cosines and sines have 12 bits, in one unit."""
    found = compile_model(llama(), sentences(32), bits="stream", limb=18).model
    rounded = [op for op in found.operations if isinstance(op, Requantize | Rescale)]
    assert len(rounded) == 5 * LITTLE.layers + 1
    made = {op.output: op for op in found.operations}
    factors = [n for op in made.values() if isinstance(op, MatMul) for n in op.inputs]
    assert sum(isinstance(_origin(made, n), Linear) for n in factors) == 3 * LITTLE.layers
    turned = [op for op in made.values() if isinstance(op, Combine) and op.multipliers[0].shape == (TOKENS, 4)]
    assert {int(np.abs(op.multipliers[0]).max()) for op in turned} <= set(range(1 << 11, (1 << 12) + 1))
    assert len(turned) == 4 * LITTLE.layers


def test_gated_products_that_are_far_fewer_than_the_sums_behind_them_are_rounded() -> None:
    """A limb more of each sum would be more than what their rounding takes."""
    wide = LITTLE._replace(width=40, hidden=4)
    found = compile_model(llama(wide), sentences(32), bits="stream", limb=8, allow_error=9.0).model
    made = {op.output: op for op in found.operations}
    products = {op.output for op in made.values() if isinstance(op, Multiply)}
    assert sum(isinstance(op, Rescale) and _origin(made, op.inputs[0]).output in products for op in made.values()) == 2


def test_the_next_token_alone_is_as_the_float_models() -> None:
    found = compile_model(llama(every_position=False), sentences(32), bits="stream", limb=8)
    assert found.accuracy.outputs[0].agreement > 0.97


def test_each_sum_of_the_stream_is_rounded_once_to_a_grid_of_its_own_and_nothing_else_rounds_it(model) -> None:
    kinds = {op.output: op for op in model.model.operations}
    sums = [op for op in kinds.values() if isinstance(op, Rescale) and "Add" in op.layer]
    assert len(sums) == 2 * LITTLE.layers
    for op in sums:
        assert isinstance(kinds[op.inputs[0]], Combine)
        assert (op.low, op.high) == (-(1 << 17), (1 << 17) - 1)
    assert not any(isinstance(op, Requantize) for op in kinds.values())


def test_the_first_position_has_a_scale_of_its_own(model: CompiledModel) -> None:
    sums = [op for op in model.model.operations if isinstance(op, Rescale) and "Add" in op.layer]
    values = semantics.run(model.model, model.quantized(sentences(1, seed=9)))
    for op in sums:
        assert np.abs(values[op.output]).max(axis=-1).min() > 1 << 11  # each position uses the width


# what is refused


@pytest.fixture(scope="module")
def calm() -> CompiledModel:
    """Calibrated without the token that has the massive activation."""
    return compile_model(llama(), sentences(32, first=None), bits="stream", limb=8)


def test_a_residual_out_of_range_is_refused_and_not_clamped(calm: CompiledModel) -> None:
    integers = calm.quantized(sentences(1, first=None, seed=5))
    calm.run(integers)
    integers["input_ids"][0, 0] = 0
    with pytest.raises(semantics.OutOfRange, match="is not clamped"):
        calm.run(integers)
    with pytest.raises(UnsatisfiedError):
        calm.circuit.witness(calm.circuit_inputs(integers))


def test_samples_out_of_range_count_against_the_accuracy() -> None:
    tested = np.concatenate([sentences(20, first=None, seed=3), sentences(20, seed=4)])
    found = compile_model(llama(), sentences(32, first=None), test_data=tested, bits="stream", limb=8, allow_error=1.0)
    assert found.accuracy.refused == 20
    assert found.accuracy.samples == 20
    assert found.accuracy.amiss > 0.45
    assert any("20 of 40 samples" in line for line in found.accuracy.warnings)
    with pytest.raises(UsageError, match="is not clamped"):
        compile_model(llama(), sentences(32, first=None), test_data=sentences(8), bits="stream", limb=8)


def test_positions_that_never_begin_at_the_first_are_refused() -> None:
    net = Gpt((1, 4), "positions")
    net.inputs = [helper.make_tensor_value_info("positions", TensorProto.INT64, (1, 4))]
    graph = graph_of(net.model(net.node("Gather", net.constant(net._normal(32, 8)), "positions")))
    windows = np.arange(3)[:, None, None] + np.arange(4)
    require_first_position(graph, {"positions": windows})
    with pytest.raises(FormatError, match="never saw the first"):
        require_first_position(graph, {"positions": windows + 1})
    require_first_position(graph, {"positions": windows[:, :, ::-1] + 1})  # no positions


# masks that are known


@pytest.mark.parametrize("make", [llama, gpt])
def test_what_a_causal_mask_hides_gets_no_softmax(make: Any) -> None:
    found = compile_model(make(), sentences(32), bits="stream", limb=8).model
    values = semantics.run(found, {found.inputs[0].name: sentences(1)})
    softmaxes = [op for op in found.operations if isinstance(op, Softmax)]
    heads = LITTLE.heads if make is llama else 1
    assert sum(values[op.output].size for op in softmaxes) == 2 * heads * TOKENS * (TOKENS + 1) // 2
    for op in softmaxes:
        assert (values[op.output] > 0).any(axis=-1).all()


def test_shares_behind_a_mask_are_those_without_what_it_hides() -> None:
    net = Exported((1, 4, 4))
    mask = np.triu(np.full((4, 4), -1e9, dtype=np.float32), 1)
    shares = net.node("Softmax", net.node("Add", "input", net.constant(mask)), axis=-1)
    found = compile_model(net.model(shares), np.random.default_rng(2).normal(size=(40, 4, 4)), limb=8)
    x = np.random.default_rng(3).normal(size=(4, 4)) * 0.5
    wanted = np.exp(np.where(np.tri(4) > 0, x, -np.inf))
    real = found.predict(x[None])["output"][0]
    assert np.abs(real - wanted / wanted.sum(axis=-1, keepdims=True)).max() < 0.02
    assert (real[np.triu_indices(4, 1)] == 0).all()
    assert real[0, 0] > 0.999


def test_a_row_that_a_mask_hides_wholly_stays_what_it_was() -> None:
    net = Exported((1, 2, 3))
    mask = np.array([[0, 0, -2e4], [-2e4, -2e4, -2e4]], dtype=np.float32)
    shares = net.node("Softmax", net.node("Add", "input", net.constant(mask)), axis=-1)
    found = compile_model(net.model(shares), np.random.default_rng(2).normal(size=(40, 2, 3)), limb=8)
    assert found.accuracy.outputs[0].error < 0.02


# the circuit


def test_the_circuit_proves_the_integers_and_is_counted_before_it_is_built(model: CompiledModel) -> None:
    integers = model.quantized(sentences(1, seed=7))
    circuit = model.circuit
    circuit.witness(model.circuit_inputs(integers))
    assert size_of(model.model).constraints == circuit.r1cs.n_constraints


@pytest.mark.parametrize("shift", [0, 3])
def test_a_rescaled_value_out_of_range_satisfies_no_circuit(shift: int) -> None:
    rescale = Rescale("r", ("x",), "out", shift, -4, 5)
    x = np.arange(-60, 60)
    is_within = ((x + (1 << shift >> 1)) >> shift >= -4) & ((x + (1 << shift >> 1)) >> shift <= 5)
    assert_same_as_semantics(model_of(rescale, x=((is_within.sum(),), -128, 127)), {"x": x[is_within]})
    network = model_of(rescale, x=((1,), -128, 127))
    circuit = compiled(network)
    for value in (x[0], x[is_within].min() - 1, x[is_within].max() + 1, x[-1]):
        with pytest.raises(semantics.OutOfRange):
            semantics.run(network, {"x": np.array([value])})
        with pytest.raises(UnsatisfiedError):
            circuit.witness({"x": np.array([value])})


@pytest.mark.parametrize("x", [-20, -4, 0, 3, 4, 39])
@pytest.mark.parametrize("delta", [-1, 1, 8])
def test_a_rescaled_value_has_one_rounding(x: int, delta: int) -> None:
    forged(Rescale("r", ("x",), "out", 3, -4, 5), [x], -128, 127, rounded=constantly(((x + 4) >> 3) + delta))


COARSER = [
    Combine("sum", ("x", "y"), "total", (np.array([[24], [3]]), np.array([[1], [2]])), np.array(0)),
    Rescale("sum", ("total",), "out", 4, -32, 31),
]


def test_a_sum_on_a_coarser_grid_has_one_witness() -> None:
    network = model_of(COARSER, x=((2, 2), -8, 7), y=((2, 2), -100, 100))
    values = {"x": np.array([[3, -8], [7, 0]]), "y": np.array([[-100, 8], [99, -7]])}
    assert_same_as_semantics(network, values)
    assert_every_wire_is_pinned(compiled(network), values)
    attack_circuit(compiled(network), values, tries=200).require_sound()


def test_a_table_that_refuses_what_leaves_it_has_one_witness_and_no_clamp() -> None:
    layers = [Rescale("r", ("x",), "q", 2, -3, 4), Lookup("f", ("q",), "out", np.arange(8) ** 2, -3)]
    network = model_of(layers, x=((1,), -100, 100))
    circuit = compiled(network)
    attack_circuit(circuit, {"x": np.array([-9])}, tries=200).require_sound()
    clamped = [Requantize("r", ("x",), "q", 2, -3, 4), layers[1]]
    assert circuit.r1cs.n_constraints < compiled(model_of(clamped, x=((1,), -100, 100))).r1cs.n_constraints
    assert size_of(network, Visibilities(inputs={"x": "private"})).constraints == circuit.r1cs.n_constraints
    with pytest.raises(UnsatisfiedError):
        circuit.witness({"x": np.array([40])})


# arithmetic, and what is kept and told


@pytest.mark.parametrize(("bits", "others"), [(60, 10), (40, 44), (100, 30), (20, 90), (53, 1)])
def test_products_in_pieces_are_exact(bits: int, others: int) -> None:
    random = np.random.default_rng(bits)

    def integers(width: int, shape: tuple[int, ...]) -> np.ndarray:
        parts = [random.integers(-(2**30), 2**30, shape).astype(object) << 30 * i for i in range(4)]
        return semantics.narrowed(sum(parts) >> (122 - width))

    x, y = integers(bits, (2, 9, 40)), integers(others, (2, 40, 30))
    assert (semantics.matrix_product(x, y) == x.astype(object) @ y.astype(object)).all()


def test_a_stored_model_has_what_was_seen_at_each_position(model: CompiledModel) -> None:
    again = storage.parse(storage.dump(model), "model")
    assert again.recipe.calibration.places == model.recipe.calibration.places
    assert again.recipe.settings == model.recipe.settings
    assert storage.dump(again) == storage.dump(model)


def test_a_report_says_where_the_largest_values_are(model: CompiledModel) -> None:
    places = model.recipe.calibration.places
    report = told(places)
    members = [name for name in stream(graph_of(llama())) if name in report]
    assert len(members) == 5
    for name in members:
        assert int(np.argmax(report[name]["max"])) == 0
        assert len(report[name]["max_over_rms"]) == TOKENS
    assert "at the first position" in summary(places)
    one = {"x": Places((-6.0, 0.0), (3.0, 1.0), (2.0, 0.5))}
    assert told(one) == {"x": {"max": [6.0, 1.0], "max_over_rms": [3.0, 2.0]}}
    assert summary(one).startswith("residual stream: up to 6 at the first position ('x'), 1 at others ('x')")


def test_tokens_are_rows_of_the_embedding(model: CompiledModel) -> None:
    (rows,) = (op for op in model.model.operations if isinstance(op, Rows))
    assert rows.table.shape == (LITTLE.vocabulary, LITTLE.width)


@pytest.mark.parametrize("weights", ["private", "hashed"])
def test_biases_stay_with_the_weights_where_the_prover_gives_them(weights: Any) -> None:
    found = compile_model(gpt(), sentences(32), weights=weights, bits="stream", limb=8)
    assert found.accuracy.outputs[0].error < 0.02
    biases = [op.bias for op in found.model.operations if isinstance(op, Linear)]
    assert sum(bias.any() for bias in biases) == 13
    assert len(biases) == 14  # with the embedding, which has none


@pytest.mark.parametrize("shape", [(LITTLE.width,), (1, TOKENS, LITTLE.width)])
def test_factors_of_a_norm_may_be_0_below_0_and_others_at_each_position(shape: tuple[int, ...]) -> None:
    weights = random_weights(LITTLE)
    for name in ("0.attention norm", "1.feed-forward norm"):
        weights[name] = np.random.default_rng(5).normal(size=shape).astype(np.float32)
        weights[name][..., 2] = 0.0
    proto = Llama(LITTLE, weights, TOKENS).written(every_position=True)
    found = compile_model(proto, sentences(32), bits="stream", limb=8)
    assert found.accuracy.outputs[0].error < 0.01


def test_numbers_that_rise_from_sample_to_sample_are_no_positions() -> None:
    net = Gpt((1,), "at")
    net.inputs = [helper.make_tensor_value_info("at", TensorProto.INT64, (1,))]
    graph = graph_of(net.model(net.node("Gather", net.constant(net._normal(32, 8)), "at")))
    require_first_position(graph, {"at": np.arange(3, 9)})


def test_a_stored_model_whose_positions_are_of_several_lengths_is_refused(model: CompiledModel) -> None:
    places = {"x": Places((0.0,), (1.0, 2.0), (1.0,))}
    recipe = replace(model.recipe, calibration=replace(model.recipe.calibration, places=places))
    with pytest.raises(FormatError, match="several lengths"):
        storage.parse(storage.dump(replace(model, recipe=recipe)), "model")
