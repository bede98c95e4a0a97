"""Importing ONNX: what is refused, and by what name; folding; ranges of inputs; other weights under one circuit."""

from __future__ import annotations

import sys

import numpy as np
import onnxruntime
import pytest

from tests.zkml.models import model, node, normal, onnx
from tests.zkml.onnx_oracle import compiled_right
from zkgpu.errors import FormatError, InputError, ResourceError, UsageError
from zkgpu.inference import compile_model
from zkgpu.zkml.onnx_import import read_graph
from zkgpu.zkml.onnx_model import OnnxModel

X = {"x": (1, 6)}
SAMPLES = np.random.default_rng(1).normal(size=(30, 6))


def mlp(seed: int = 0, width: int = 8):
    nodes = [node("Gemm", "x w v", "z"), node("Relu", "z", "a"), node("Gemm", "a u t", "out")]
    weights = {"w": normal(6, width, seed=seed), "v": normal(width), "u": normal(width, 3, seed=seed), "t": normal(3)}
    return model(nodes, X, weights=weights)


def graph_of(proto, observed=None):
    return read_graph(OnnxModel.read(proto).with_shapes({}), None, observed)


def test_an_unknown_operator_is_refused_by_node_in_a_short_line() -> None:
    with pytest.raises(FormatError, match="node '/out': operator Det is not supported: `zkgpu zkml check`") as error:
        graph_of(model([node("Det", "x", "out")], X))
    assert len(str(error.value)) < 100


@pytest.mark.parametrize(
    ("nodes", "inputs", "weights", "message"),
    [
        ([node("Pow", "x y", "out")], {"x": (1, 6), "y": (1, 6)}, {}, "part of a function of one tensor"),
        ([node("TopK", "x k", "out i", axis=1)], X, {"k": np.array([9])}, "shape of 'out'"),
        ([node("Div", "x z", "out")], X, {"z": np.array([0.0] * 6)}, "no finite number"),
    ],
)
def test_what_an_operator_cannot_do_here_is_refused_by_its_node(nodes, inputs, weights, message) -> None:
    samples = {name: np.ones((4, *shape[1:])) for name, shape in inputs.items()}
    with pytest.raises(FormatError, match=f"'/out'.*{message}"):
        compile_model(model(nodes, inputs, weights=weights), samples)


def test_a_model_without_an_output_that_is_a_tensor_is_refused() -> None:
    of_sequence = model([node("SequenceConstruct", "x", "s"), node("Relu", "x", "out")], X)
    kind = onnx.helper.make_sequence_type_proto(onnx.helper.make_tensor_type_proto(1, [1, 6]))
    of_sequence.graph.output[0].CopyFrom(onnx.helper.make_value_info("s", kind))
    with pytest.raises(FormatError, match="no output that is a tensor"):
        compile_model(of_sequence, SAMPLES)


def test_an_output_that_is_named_twice_is_one() -> None:
    twice = model([node("Relu", "x", "out")], X)
    twice.graph.output.append(twice.graph.output[0])
    compiled = compile_model(twice, SAMPLES)
    assert [tensor.name for tensor in compiled.model.outputs] == ["out"]


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        ([node("Mul", "x three", "out")], ["out"]),
        ([node("Div", "x three", "out"), node("Relu", "x", "other")], ["out", "other"]),
        ([node("Relu", "x", "h"), node("Mul", "h three", "out")], ["h", "out"]),
        ([node("Relu", "x", "h"), node("Mul", "h three", "out"), node("Mul", "out three", "z")], ["z", "out", "h"]),
    ],
    ids=["of the input", "of the input beside another", "of an output", "of a multiple"],
)
def test_an_output_may_be_a_multiple_of_what_is_shown_already(nodes, outputs) -> None:
    samples = {"x": SAMPLES[:, None].astype(np.float32)}
    compiled = compiled_right(model(nodes, X, outputs, {"three": np.float32(3)}), samples)
    assert [tensor.name for tensor in compiled.model.outputs] == outputs


def test_damaged_files_are_refused_in_one_line(tmp_path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07\xff\xff not a model")
    for source in (tmp_path / "m.onnx", b"", b"\x00" * 40):
        with pytest.raises(FormatError) as error:
            OnnxModel.read(source)
        assert "\n" not in str(error.value)


def outside(**changes) -> onnx.TensorProto:
    """A tensor whose bytes are in a file of the working folder."""
    tensor = onnx.TensorProto(name="stolen", data_type=onnx.TensorProto.FLOAT, dims=[1], **changes)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "secret.bin"
    return tensor


def constant(**attribute) -> onnx.NodeProto:
    return onnx.helper.make_node("Constant", [], ["c"], **attribute)


def in_a_branch() -> onnx.NodeProto:
    inner = onnx.helper.make_graph([constant(value=outside(data_location=1))], "branch", [], [])
    return onnx.helper.make_node("If", ["x"], ["c"], then_branch=inner, else_branch=inner)


def sparse() -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(values=outside(data_location=1), indices=onnx.TensorProto(), dims=[4])


PLACES = {
    "a constant": lambda m: m.graph.node.insert(0, constant(value=outside(data_location=1))),
    "a constant that says it is inside": lambda m: m.graph.node.insert(0, constant(value=outside())),
    "a value to fill with": lambda m: m.graph.node.insert(
        0, onnx.helper.make_node("ConstantOfShape", ["x"], ["c"], value=outside(data_location=1))
    ),
    "a sparse constant": lambda m: m.graph.node.insert(0, constant(sparse_value=sparse())),
    "a list of tensors": lambda m: m.graph.node[0].attribute.add(
        name="many", type=onnx.AttributeProto.TENSORS, tensors=[outside(data_location=1)]
    ),
    "sparse weights": lambda m: m.graph.sparse_initializer.append(sparse()),
    "a branch": lambda m: m.graph.node.insert(0, in_a_branch()),
    "a function": lambda m: m.functions.append(
        onnx.FunctionProto(name="f", domain="d", node=[constant(value=outside(data_location=1))])
    ),
    "weights": lambda m: m.graph.initializer.append(outside(data_location=1)),
}


@pytest.mark.parametrize("place", PLACES)
def test_no_tensor_of_a_model_is_read_from_another_file_wherever_it_is(place, tmp_path, monkeypatch) -> None:
    """A model from a stranger may name any file of this machine."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(np.float32([42.0]).tobytes())
    stolen = mlp()
    PLACES[place](stolen)
    (tmp_path / "m.onnx").write_bytes(stolen.SerializeToString())
    sources = [stolen, stolen.SerializeToString(), tmp_path / "m.onnx"]
    if place == "weights":  # those of a model's own folder: test_external_data.py
        sources.pop()
    for source in sources:
        with pytest.raises(FormatError, match="weights 'stolen' lie outside of the model"):
            OnnxModel.read(source)


def test_without_the_onnx_package_the_message_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ResourceError, match=r"pip install 'zkgpu\[onnx\]'"):
        OnnxModel.read(b"")


def test_calibration_data_must_fit_the_model() -> None:
    for data, message in (
        (np.zeros((0, 6)), "without a sample: give one at least"),
        (np.full((3, 6), np.nan), "finite"),
        ({"y": SAMPLES}, "nothing for input 'x'"),
    ):
        with pytest.raises(UsageError, match=message):
            compile_model(mlp(), data)


def test_data_for_an_input_that_the_file_has_a_value_for_is_refused() -> None:
    old = mlp()
    old.graph.input.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [6, 8]))
    assert [tensor.name for tensor in compile_model(old, SAMPLES).model.inputs] == ["x"]
    with pytest.raises(InputError, match="input 'w' has a value in the file"):
        compile_model(old, {"x": SAMPLES, "w": normal(30, 6, 8)})


def test_inputs_outside_of_the_calibrated_range_are_refused_or_clamped_as_asked() -> None:
    compiled = compile_model(mlp(), SAMPLES)
    x = SAMPLES[0].copy()
    x[4] = 99
    with pytest.raises(UsageError, match=r"input 'x' at index \[0, 4\] is outside of") as error:
        compiled.quantized(x)
    assert error.value.values in ("it is 98", "it is 99") or "." in error.value.values
    assert compiled.quantized(x, clamp=True)["x"][0, 4] == compiled.model.inputs[0].high


def test_integers_that_fit_are_taken_as_they_are() -> None:
    compiled = compile_model(mlp(), np.random.default_rng(0).integers(0, 17, (20, 6)))
    (tensor,) = compiled.model.inputs
    assert (tensor.scale, tensor.low, tensor.high) == (1.0, 0, 16)


def test_constants_are_folded_through_any_chain() -> None:
    nodes = [node("Mul", "w w", "s"), node("Transpose", "s", "t"), node("MatMul", "x t", "out")]
    graph = graph_of(model(nodes, X, weights={"w": normal(3, 6)}))
    assert [n.operator for n in graph.nodes] == ["Dense"]


def test_the_report_names_the_worst_layer() -> None:
    accuracy = compile_model(mlp(), SAMPLES).accuracy
    assert accuracy.samples == 30
    name, error = accuracy.worst_layer
    assert error == max(accuracy.layers.values()) == accuracy.layers[name]


def test_percentiles_cut_outliers_off() -> None:
    samples = SAMPLES.copy()
    samples[0, 0] = 1000
    made = [compile_model(mlp(), samples, percentile=p, limb=6, allow_error=1.0) for p in (None, 80)]
    full, cut = (compiled.recipe.calibration.high["x"] for compiled in made)
    assert cut < full / 2
    with pytest.raises(UsageError, match="percentile"):
        compile_model(mlp(), samples, percentile=10)


@pytest.mark.parametrize("weights", ["private", "hashed"])
def test_other_weights_fit_the_circuit_of_private_ones(weights: str) -> None:
    first = compile_model(mlp(), SAMPLES, weights=weights, limb=6)
    second = first.with_weights(mlp(seed=1))
    integers = second.quantized(SAMPLES[3])
    circuit = first.circuit
    shown = circuit.r1cs.rounds[0].unpack(circuit.packed(circuit.witness(second.circuit_inputs(integers))))["out"]
    assert (np.asarray(shown) == second.run(integers)["out"]).all()
    assert (second.run(integers)["out"] != first.run(integers)["out"]).any()


def test_weights_that_do_not_fit_are_refused() -> None:
    first = compile_model(mlp(), SAMPLES, weights="private")
    with pytest.raises(UsageError, match=r"another architecture|differs in more"):
        first.with_weights(mlp(width=9))
    with pytest.raises(UsageError, match="part of the circuit"):
        compile_model(mlp(), SAMPLES).with_weights(mlp())
    huge = mlp()
    for tensor in huge.graph.initializer:
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor) * 8, tensor.name))
    with pytest.raises(UsageError, match="these weights give values up to"):
        first.with_weights(huge)


@pytest.mark.parametrize("visibility", ["private", "hashed"])
def test_tensors_can_be_hidden_or_hashed(visibility: str) -> None:
    compiled = compile_model(mlp(), SAMPLES, inputs={"x": visibility}, limb=6)
    integers = compiled.quantized(SAMPLES[2])
    circuit = compiled.circuit
    witness = circuit.witness(compiled.circuit_inputs(integers))
    shown = compiled.public_values(integers)
    assert set(shown) == ({"out", "x.hash"} if visibility == "hashed" else {"out"})
    if visibility == "hashed":
        assert int(circuit.value("x.hash", witness)) == shown["x.hash"]


def test_a_hashed_output_is_named_by_its_hash() -> None:
    compiled = compile_model(mlp(), SAMPLES, outputs={"out": "hashed"}, limb=6)
    integers = compiled.quantized(SAMPLES[2])
    witness = compiled.circuit.witness(compiled.circuit_inputs(integers))
    assert int(compiled.circuit.value("out.hash", witness)) == compiled.public_values(integers)["out.hash"]


def test_visibilities_are_checked() -> None:
    for options, message in (
        ({"inputs": {"y": "private"}}, "no input 'y'"),
        ({"inputs": {"x": "secret"}}, "'public', 'private' or 'hashed'"),
        ({"outputs": {"out": "private"}}, "all outputs are private"),
        ({"weights": "secret"}, "weights are"),
        ({"bits": 1}, "1 bits"),
    ):
        with pytest.raises(UsageError, match=message):
            compile_model(mlp(), SAMPLES, **{"limb": 6, **options})


def of_scikit_learn(outputs: tuple[str, ...], after: str = "SOFTMAX", norm: str = "L1"):
    """A scaler and a linear classifier, as skl2onnx writes them."""
    scaled = onnx.helper.make_node(
        "Scaler", ["x"], ["s"], domain="ai.onnx.ml", offset=[0.5] * 6, scale=[0.1, 1.0, 2.0, 1.0, 5.0, 1.0]
    )
    classified = onnx.helper.make_node(
        "LinearClassifier",
        ["s"],
        ["label", "raw"],
        domain="ai.onnx.ml",
        coefficients=[float(v) for v in normal(18)],
        intercepts=[0.1, -0.2, 0.3],
        classlabels_ints=[7, 3, 11],
        post_transform=after,
    )
    normalized = onnx.helper.make_node("Normalizer", ["raw"], ["probabilities"], domain="ai.onnx.ml", norm=norm)
    given = [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 6])]
    kinds = {"label": onnx.TensorProto.INT64, "probabilities": onnx.TensorProto.FLOAT}
    shapes = {"label": ["N"], "probabilities": ["N", 3]}
    ends = [onnx.helper.make_tensor_value_info(name, kinds[name], shapes[name]) for name in outputs]
    graph = onnx.helper.make_graph([scaled, classified, normalized], "classifier", given, ends)
    domains = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    return onnx.helper.make_model(graph, opset_imports=domains, ir_version=8)


def test_a_classifier_of_scikit_learn_gives_its_labels_and_probabilities() -> None:
    compiled = compile_model(of_scikit_learn(("label", "probabilities")), SAMPLES)
    label, probabilities = compiled.accuracy.outputs
    assert label.agreement >= 0.95
    assert probabilities.error < 0.02
    integers = compiled.quantized(SAMPLES[2])
    assert int(compiled.run(integers)["label"].ravel()[0]) in (7, 3, 11)
    compiled.circuit.witness(compiled.circuit_inputs(integers))


def test_probabilities_that_do_not_come_from_a_softmax_are_not_taken_as_normalized() -> None:
    for options in ({"after": "NONE"}, {"norm": "L2"}, {"after": "LOGISTIC"}):
        compiled = compile_model(of_scikit_learn(("probabilities",), **options), SAMPLES)
        assert compiled.accuracy.worst_output.error < 0.02


@pytest.mark.parametrize(
    ("operator", "axis", "opset", "is_constant"),
    [
        ("Softmax", 1, 18, True),
        ("LogSoftmax", -2, 18, True),
        ("Softmax", -1, 18, False),
        ("Softmax", 1, 11, False),  # the axes from 1 on, which hold six entries
    ],
)
def test_a_softmax_of_one_entry_is_a_constant(operator: str, axis: int, opset: int, is_constant: bool) -> None:
    proto = model([node(operator, "x", "s", axis=axis), node("Add", "s x", "out")], {"x": (2, 1, 6)}, opset=opset)
    graph = graph_of(proto)
    assert ("s" in graph.constants) == is_constant
    assert not is_constant or (graph.constants["s"] == float(operator == "Softmax")).all()


@pytest.mark.parametrize("operator", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize("opset", [11, 12, 13, 18])
def test_a_softmax_of_a_constant_means_what_its_opset_says(operator: str, opset: int) -> None:
    nodes = [node(operator, "w", "s"), node("Add", "s x", "out")]
    proto = model(nodes, {"x": (2, 1, 3, 1)}, weights={"w": normal(2, 1, 3, 1)}, opset=opset)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    (wanted,) = session.run(None, {"x": np.zeros((2, 1, 3, 1), np.float32)})
    assert graph_of(proto).constants["s"] == pytest.approx(wanted, abs=1e-6)


def test_a_function_whose_constants_have_more_axes_is_calibrated_in_its_own_shape() -> None:
    nodes = [node("Mean", "x c", "m"), node("ReduceL2", "m", "out", axes=[-4, -3, -2], keepdims=0)]
    proto = model(nodes, {"x": (1, 2, 4)}, weights={"c": np.full((1, 1, 1, 1), -0.6)}, opset=14)
    samples = normal(64, 1, 2, 4)
    compiled = compile_model(proto, samples)
    wanted = np.sqrt((((samples[0] - 0.6) / 2) ** 2).sum(axis=(0, 1)))
    assert compiled.predict(samples[0])["out"] == pytest.approx(wanted, abs=0.1)
