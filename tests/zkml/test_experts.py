"""Entries put at computed places, and mixtures of experts in the forms that exporters write."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx
from tests.zkml.test_recurrent import answers, assert_the_same, written_out
from zkgpu.errors import FormatError
from zkgpu.inference import compile_model


def scatter(shape: tuple[int, ...], counts: tuple[int, ...], opset: int = 18, **attributes: Any) -> Any:
    """Of computed data, places and updates."""
    operator = "Scatter" if opset < 11 else "ScatterElements"
    made = model(
        [node(operator, "x i u", "y", **attributes)], {"x": shape, "i": counts, "u": counts}, ("y",), {}, opset
    )
    made.graph.input[1].type.tensor_type.elem_type = onnx.TensorProto.INT64
    return made


SCATTERS = {
    "rows": (scatter((3, 5), (3, 2), axis=1), 5),
    "columns": (scatter((4, 3), (2, 3)), 4),
    "the middle": (scatter((2, 4, 3), (2, 3, 3), axis=-2), 4),
    "added": (scatter((3, 4), (3, 3), axis=-1, reduction="add"), 4),
    "opset 9": (scatter((3, 5), (3, 2), opset=9, axis=1), 5),
}


def samples_for(proto: Any, length: int, count: int = 24) -> dict[str, np.ndarray]:
    """Places from the start and from the end, often twice."""
    draws = np.random.default_rng(1)
    shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in proto.graph.input}
    places = {"i": draws.integers(-length, length, (count, *shapes["i"]))}
    return {**{name: draws.normal(size=(count, *shape)) for name, shape in shapes.items()}, **places}


@pytest.mark.parametrize("name", SCATTERS)
def test_updates_are_put_where_onnxruntime_puts_them(name: str) -> None:
    proto, length = SCATTERS[name]
    made = compile_model(proto, samples_for(proto, length), limb=6)
    assert made.accuracy is not None
    assert made.accuracy.outputs[0].error < 0.02


def picked(numbers: int, **attributes: Any) -> Any:
    """Rows of a constant, as PyTorch writes weights[places]."""
    nodes = [node("GatherND", "w i", "r", **attributes), node("Mul", "r x", "y")]
    shapes = {"x": (3, 2, 4), "i": (3, 2, numbers)}
    made = model(nodes, shapes, ("y",), {"w": normal(5, *[4] * numbers)}, 18)
    made.graph.input[1].type.tensor_type.elem_type = onnx.TensorProto.INT64
    return made


def test_rows_are_picked_at_computed_places() -> None:
    proto = picked(1)
    made = compile_model(proto, samples_for(proto, 5), limb=6)
    assert made.accuracy is not None
    assert made.accuracy.outputs[0].error < 0.02
    with pytest.raises(
        FormatError, match=r"'/r' \(GatherND\): its input 'i' is computed, and gives places by 2 numbers"
    ):
        written_out(picked(2))


REFUSED = {
    "the largest": (scatter((3, 4), (3, 3), axis=1, reduction="max"), "reduction = 'max' at computed places"),
    "some lines": (scatter((3, 4), (2, 3), axis=1), "leave lines of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_honored_is_refused_by_name(name: str) -> None:
    proto, reason = REFUSED[name]
    with pytest.raises(FormatError, match=rf"'/y' \(ScatterElements\): .*{reason}"):
        written_out(proto)


ROWS, WIDTH, EXPERTS = 3, 6, 4


def best() -> list[Any]:
    return [node("MatMul", "x wg", "logits"), node("TopK", "logits two", "v i", axis=-1)]


GATES: dict[str, list[Any]] = {
    "scattered": [*best(), node("Softmax", "v", "p", axis=-1), node("ScatterElements", "zeros i p", "gate", axis=-1)],
    "scattered below none": [
        *best(),
        node("ScatterElements", "none i v", "s", axis=-1),
        node("Softmax", "s", "gate", axis=-1),
    ],
    "one-hot": [
        *best(),
        node("Softmax", "v", "p", axis=-1),
        node("OneHot", "i depth off_on", "marks", axis=-1),
        node("Unsqueeze", "p last", "p1"),
        node("Mul", "marks p1", "shares"),
        node("ReduceSum", "shares second", "gate", keepdims=0),
    ],
    "compared": [
        *best(),
        node("Softmax", "v", "p", axis=-1),
        node("Unsqueeze", "i last", "i1"),
        node("Equal", "i1 numbers", "is"),
        node("Cast", "is", "marks", to=onnx.TensorProto.FLOAT),
        node("Unsqueeze", "p last", "p1"),
        node("Mul", "marks p1", "shares"),
        node("ReduceSum", "shares second", "gate", keepdims=0),
    ],
    "the best one": [
        node("MatMul", "x wg", "logits"),
        node("Softmax", "logits", "p", axis=-1),
        node("ArgMax", "p", "i", axis=-1, keepdims=0),
        node("OneHot", "i depth off_on", "marks", axis=-1),
        node("Mul", "marks p", "gate"),
    ],
}


def experts(gate: str) -> Any:
    """All experts, each weighted by its column of the gate."""
    weights: dict[str, Any] = {
        "wg": 3 * normal(WIDTH, EXPERTS),
        "two": np.array([2]),
        "zeros": np.zeros((1, ROWS, EXPERTS)),
        "none": np.full((1, ROWS, EXPERTS), -np.inf),
        "depth": np.array(EXPERTS),
        "off_on": np.array([0.0, 1.0]),
        "numbers": np.arange(EXPERTS),
        "last": np.array([-1]),
        "second": np.array([2]),
    }
    nodes, total = list(GATES[gate]), ""
    for k in range(EXPERTS):
        weights |= {f"from{k}": np.array([k]), f"to{k}": np.array([k + 1])}
        weights |= {f"a{k}": normal(WIDTH, 8, seed=k), f"b{k}": normal(8, WIDTH, seed=k)}
        nodes += [
            node("Slice", f"gate from{k} to{k} last", f"share{k}"),
            node("MatMul", f"x a{k}", f"inner{k}"),
            node("Relu", f"inner{k}", f"positive{k}"),
            node("MatMul", f"positive{k} b{k}", f"expert{k}"),
            node("Mul", f"expert{k} share{k}", f"part{k}"),
        ]
        if k:
            nodes.append(node("Add", f"{total} part{k}", f"sum{k}"))
        total = f"sum{k}" if k else "part0"
    read = {name for made in nodes for name in made.input}
    return model(nodes, {"x": (1, ROWS, WIDTH)}, (total,), {n: v for n, v in weights.items() if n in read}, 18)


def clear_rows(count: int) -> np.ndarray:
    """Rows whose gate is in no doubt: neither which two experts are best, nor which of these is."""
    rows = np.random.default_rng(2).normal(size=(4000, WIDTH))
    logits = np.sort(rows @ (3 * normal(WIDTH, EXPERTS)), axis=-1)
    clear = (np.diff(logits, axis=-1)[:, 1:] > 1).all(axis=-1)
    return rows[clear][: count * ROWS].reshape(count, 1, ROWS, WIDTH)


@pytest.mark.parametrize("gate", GATES)
def test_a_mixture_of_experts_is_proven_close_to_onnxruntime(gate: str) -> None:
    proto = experts(gate)
    made = compile_model(proto, clear_rows(24)[:, 0], limb=6)
    assert made.accuracy is not None
    assert made.accuracy.outputs[0].error < 0.02
    integers = made.quantized(clear_rows(1)[0])
    circuit = made.circuit
    shown = circuit.r1cs.rounds[0].unpack(circuit.packed(circuit.witness(made.circuit_inputs(integers))))
    for name, value in made.run(integers).items():
        assert (np.asarray(shown[name]) == value).all()


@pytest.mark.parametrize("gate", ["scattered", "scattered below none"])
def test_a_scattered_gate_written_out_is_onnxruntimes(gate: str) -> None:
    proto = experts(gate)
    assert_the_same(answers(written_out(proto)), answers(proto))
