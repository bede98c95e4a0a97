"""LSTM, GRU and RNN with every attribute: written out they give what onnxruntime gives, and are proven close to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.zkml.models import model, node, onnx
from zkgpu.errors import FormatError
from zkgpu.inference import compile_model
from zkgpu.zkml.onnx_import import expanded
from zkgpu.zkml.onnx_model import OnnxModel
from zkgpu.zkml.operations import Lookup

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
STEPS, ROWS, INPUTS, HIDDEN = 4, 3, 5, 2


def recurrent(
    operator: str,
    *,
    given: str = "",
    outputs: str = "y last cell",
    directions: int = 1,
    lengths: Any = None,
    rows: int = ROWS,
    opset: int = 17,
    **attributes: Any,
) -> Any:
    """A model of one node; `given` has B, h, c, P for the optional inputs, in capitals where they are constants."""
    draws = np.random.default_rng(3)
    shape = (rows, directions, HIDDEN) if attributes.get("layout") else (directions, rows, HIDDEN)
    weights = {
        "W": draws.normal(0, 0.6, size=(directions, GATES[operator] * HIDDEN, INPUTS)),
        "R": draws.normal(0, 0.6, size=(directions, GATES[operator] * HIDDEN, HIDDEN)),
        "B": draws.normal(0, 0.6, size=(directions, 2 * GATES[operator] * HIDDEN)),
        "H": draws.normal(size=shape),
        "C": draws.normal(size=shape),
        "P": draws.normal(0, 0.6, size=(directions, 3 * HIDDEN)),
        "lengths": np.array(lengths or [0], dtype=np.int32),
    }
    x = (rows, STEPS, INPUTS) if attributes.get("layout") else (STEPS, rows, INPUTS)
    inputs = {"x": x, **{name: shape for name in "hc" if name in given.split()}}
    read = ["x", "W", "R", "B", "lengths" if lengths else "-", *"hcP"][: 6 + 2 * (operator == "LSTM")]
    has = {*given.split(), "x", "W", "R", "lengths"}
    names = [n if n in has else n.upper() if n.upper() in has else "-" for n in read]
    written = outputs.split()[: 2 + (operator == "LSTM")]
    names_of_outputs = " ".join(written)
    attributes = {"hidden_size": HIDDEN, **attributes}
    made = node(operator, " ".join(names), names_of_outputs, **attributes)
    made.output[:] = ["" if name == "-" else name for name in made.output]
    kept = {name: value for name, value in weights.items() if name in names}
    return model([made], inputs, tuple(n for n in written if n != "-"), kept, opset)


def answers(proto: Any, seed: int = 0) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    draws = np.random.default_rng(seed)
    feed = {i.name: draws.normal(size=i.shape).astype(np.float32) for i in session.get_inputs()}
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def written_out(proto: Any) -> Any:
    found = expanded(OnnxModel.read(proto).with_shapes({}))
    assert found.written is not None
    return found.proto


def assert_the_same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].shape == value.shape
        assert np.allclose(found[name], value, atol=2e-5), name


EVERY = [
    {"given": given, "direction": direction, "directions": 1 + (direction == "bidirectional"), "lengths": lengths}
    for direction in ("forward", "reverse", "bidirectional")
    for given, lengths in (("", None), ("B h c P", None), ("B H C P", [2, 4, 1]), ("h", [3, 3, 3]))
]


@pytest.mark.parametrize("operator", GATES)
@pytest.mark.parametrize("options", EVERY, ids=str)
def test_a_cell_written_out_gives_what_onnxruntime_gives(operator: str, options: dict[str, Any]) -> None:
    proto = recurrent(operator, **options)
    assert_the_same(answers(written_out(proto)), answers(proto))


OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("LSTM", {"given": "B P c", "input_forget": 1}),
    ("LSTM", {"given": "B P c", "clip": 0.3}),
    ("LSTM", {"given": "B", "opset": 7}),
    ("LSTM", {"given": "B", "opset": 10, "clip": 0.5}),
    ("LSTM", {"given": "B h", "outputs": "- last"}),
    ("LSTM", {"given": "B c", "outputs": "- - cell"}),
    ("LSTM", {"given": "B", "outputs": "y"}),
    ("LSTM", {"given": "B", "activations": ["Softsign", "relu", "Softplus"]}),
    ("LSTM", {"activations": ["HardSigmoid", "LeakyRelu", "ScaledTanh"], "activation_alpha": [0.3, 0.2, 0.7],
              "activation_beta": [0.4, 1.5]}),
    ("LSTM", {"activations": ["HardSigmoid", "Elu", "Tanh", "Sigmoid", "ThresholdedRelu", "Affine"],
              "activation_alpha": [0.3, 0.5, 0.2, 0.9], "activation_beta": [0.4, 0.1],
              "direction": "bidirectional", "directions": 2}),
    ("LSTM", {"activations": ["HardSigmoid", "Elu", "LeakyRelu"]}),
    ("GRU", {"given": "B h", "linear_before_reset": 1}),
    ("GRU", {"given": "B", "linear_before_reset": 1}),
    ("GRU", {"linear_before_reset": 1, "lengths": [1, 2, 4]}),
    ("GRU", {"given": "B h", "linear_before_reset": 1, "clip": 0.4}),
    ("GRU", {"given": "B", "clip": 0.4}),
    ("GRU", {"given": "B h", "activations": ["HardSigmoid", "Softsign"]}),
    ("GRU", {"given": "B h", "outputs": "- last"}),
    ("RNN", {"given": "B h", "activations": ["Relu"]}),
    ("RNN", {"given": "B", "clip": 0.2}),
    ("RNN", {"given": "B", "activations": ["Affine"], "activation_alpha": [0.5], "activation_beta": [0.1]}),
    ("RNN", {"given": "B h", "outputs": "- last", "rows": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "options"), OTHERS, ids=str)
def test_every_attribute_of_a_cell_is_honored(operator: str, options: dict[str, Any]) -> None:
    proto = recurrent(operator, **options)
    assert_the_same(answers(written_out(proto)), answers(proto))


@pytest.mark.parametrize("operator", GATES)
def test_rows_may_come_first(operator: str) -> None:
    """onnxruntime does not know this layout: it is the other one, turned."""
    options = {"given": "B h c", "direction": "bidirectional", "directions": 2}
    first, second = recurrent(operator, layout=1, **options), recurrent(operator, **options)
    turned = written_out(first)
    session = onnxruntime.InferenceSession(turned.SerializeToString(), providers=["CPUExecutionProvider"])
    other = onnxruntime.InferenceSession(second.SerializeToString(), providers=["CPUExecutionProvider"])
    draws = np.random.default_rng(1)
    feed = {i.name: draws.normal(size=i.shape).astype(np.float32) for i in other.get_inputs()}
    found = session.run(None, {name: value.swapaxes(0, 1) for name, value in feed.items()})
    wanted = other.run(None, feed)
    assert np.allclose(found[0], wanted[0].transpose(2, 0, 1, 3), atol=1e-5)
    for got, value in zip(found[1:], wanted[1:], strict=True):
        assert np.allclose(got, value.swapaxes(0, 1), atol=1e-5)


REFUSED = {
    "no activation": ({"activations": ["Sigmoid", "Tanh", "Cosine"]}, "activations"),
    "too few": ({"activations": ["Sigmoid"]}, "activations"),
    "affine without numbers": ({"activations": ["Affine", "Tanh", "Tanh"]}, "Affine lacks a number"),
    "direction": ({"direction": "sideways"}, "direction = 'sideways'"),
    "two directions": ({"direction": "bidirectional"}, "do not fit its direction"),
    "an empty sequence": ({"lengths": [0, 1, 2]}, "lengths of sequences from 0"),
    "too long": ({"lengths": [5, 1, 2]}, "lengths of sequences from 1 to 5"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_honored_of_a_cell_is_refused_by_its_name(name: str) -> None:
    options, reason = REFUSED[name]
    with pytest.raises(FormatError, match=rf"node '/y' \(LSTM\): .*{reason}"):
        written_out(recurrent("LSTM", **options))


def test_computed_weights_are_refused() -> None:
    proto = recurrent("LSTM", given="B")
    proto.graph.node.insert(0, node("Add", "R s", "R2"))
    proto.graph.node[1].input[2] = "R2"
    proto.graph.input.append(onnx.helper.make_tensor_value_info("s", onnx.TensorProto.FLOAT, [1]))
    with pytest.raises(FormatError, match=r"\(LSTM\): its input 'R2' is computed"):
        written_out(proto)


PROVEN: list[tuple[str, dict[str, Any]]] = [
    ("LSTM", {"given": "B h c", "lengths": [4, 2, 3]}),
    ("GRU", {"given": "B h", "lengths": [4, 2, 3]}),
    ("RNN", {"given": "B h", "lengths": [4, 2, 3]}),
    ("LSTM", {"given": "B c", "input_forget": 1}),
    ("LSTM", {"given": "B c P", "clip": 0.7, "direction": "reverse"}),
    ("GRU", {"given": "B", "linear_before_reset": 1, "rows": 1}),
    ("GRU", {"given": "", "activations": ["HardSigmoid", "Softsign"]}),
    ("RNN", {"given": "B", "activations": ["ThresholdedRelu"], "activation_alpha": [0.2]}),
]


@pytest.mark.parametrize(("operator", "options"), PROVEN, ids=str)
def test_a_cell_is_proven_close_to_onnxruntime(operator: str, options: dict[str, Any]) -> None:
    proto = recurrent(operator, outputs="y last cell", **options)
    samples = samples_for(proto, 12)
    made = compile_model(proto, samples, limb=6)
    assert made.accuracy is not None
    assert {output.name for output in made.accuracy.outputs} == {e.name for e in proto.graph.output}
    assert all(output.error < 0.02 for output in made.accuracy.outputs)
    integers = made.quantized({name: value[0] for name, value in samples.items()})
    shown = made.circuit.r1cs.rounds[0].unpack(made.circuit.packed(made.circuit.witness(made.circuit_inputs(integers))))
    for name, value in made.run(integers).items():
        assert (np.asarray(shown[name]) == value).all()


def test_all_steps_and_gates_read_the_same_tables() -> None:
    proto = recurrent("LSTM", given="B h", rows=1, outputs="- last")
    made = compile_model(proto, samples_for(proto, 12), limb=6)
    lookups = [op for op in made.model.operations if isinstance(op, Lookup)]
    assert len(lookups) == 4 + 5 * (STEPS - 1)  # the first step has no cell to forget
    assert len({(op.first, op.table.tobytes()) for op in lookups}) <= 5  # three, and those of the first step


def samples_for(proto: Any, count: int) -> dict[str, np.ndarray]:
    draws = np.random.default_rng(4)
    shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in proto.graph.input}
    return {name: draws.normal(0, 0.6, size=(count, *shape)) for name, shape in shapes.items()}


def test_what_is_written_out_is_measured_by_the_file_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that was written out wrongly would be told from the file's."""
    from zkgpu.zkml.expansion import recurrent as rules

    proto = recurrent("RNN", given="B", rows=1)
    samples = np.random.default_rng(5).normal(size=(12, STEPS, 1, INPUTS))
    compile_model(proto, samples, limb=6)
    monkeypatch.setattr(rules, "_bias_of_inputs", lambda node, way: 0.5 + way.bias.sum(axis=0))
    with pytest.raises(FormatError, match="the worst layer"):
        compile_model(proto, samples, limb=6)


@pytest.mark.parametrize("weights", ["private", pytest.param("hashed", marks=pytest.mark.slow)])
def test_a_cell_takes_other_weights_under_one_key(weights: str) -> None:
    """Their answers are those of the other model, and the circuit holds."""
    proto, other = (recurrent("LSTM", given="B", rows=1) for _ in range(2))
    for tensor in other.graph.initializer:
        value = onnx.numpy_helper.to_array(tensor)
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.float32(0.9) * value - np.float32(0.02), tensor.name))
    samples = samples_for(proto, 12)
    made = compile_model(proto, samples, limb=6, weights=weights)
    swapped = made.with_weights(other)
    sample = {name: value[0] for name, value in samples.items()}
    integers = swapped.quantized(sample)
    circuit = swapped.circuit
    shown = circuit.r1cs.rounds[0].unpack(circuit.packed(circuit.witness(swapped.circuit_inputs(integers))))
    for name, value in swapped.run(integers).items():
        assert (np.asarray(shown[name]) == value).all()
    session = onnxruntime.InferenceSession(other.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = session.run(None, {name: value.astype(np.float32) for name, value in sample.items()})
    found = swapped.predict(sample)
    for name, value in zip(found, wanted, strict=True):
        assert np.abs(found[name] - value).max() < 0.1 * np.abs(value).max()
