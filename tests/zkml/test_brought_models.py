"""Models as tools write them that nobody here made: each was refused, or misread, when it was first tried."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx
from tests.zkml.onnx_oracle import compiled_right, samples_of, session_of
from zkgpu.errors import FormatError, ResourceError, UsageError
from zkgpu.inference import compile_model
from zkgpu.zkml import frontends
from zkgpu.zkml.check import check


def without_shapes(proto: Any) -> Any:
    """The model whose outputs have no shape, which onnxruntime infers."""
    for info in proto.graph.output:
        info.type.tensor_type.ClearField("shape")
    return proto


def test_an_output_needs_no_shape_in_the_file() -> None:
    proto = without_shapes(model([node("MatMul", "x w", "out")], {"x": (1, 6)}, weights={"w": normal(6, 3)}))
    compiled_right(proto, samples_of(proto))
    assert not check(proto).obstacles


def quotient() -> Any:
    return model([node("Div", "x y", "out")], {"x": (2, 3), "y": (2, 1)})


def divisors(low: float) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(1)
    return {
        "x": draw.uniform(-3, 3, (40, 2, 3)).astype(np.float32),
        "y": draw.uniform(low, 3, (40, 2, 1)).astype(np.float32),
    }


@pytest.mark.parametrize("low", [0.2, 0.5])
def test_a_divisor_that_8_bits_know_in_few_steps_gets_more(low: float) -> None:
    compiled_right(quotient(), divisors(low), error=0.01)


def test_the_bits_that_were_asked_for_are_kept_for_a_divisor_too() -> None:
    with pytest.raises(FormatError, match=r"Div.*known in steps of .*: give more bits"):
        compile_model(quotient(), divisors(0.2), bits=8)


@pytest.mark.parametrize("places", [[1, 5, 6], [[0, 1], [1, 2], [2, 0]]], ids=["in a row", "by axis"])
def test_sparse_weights_are_weights(places: Any) -> None:
    proto = model([node("MatMul", "x w", "out")], {"x": (1, 3)}, weights={"w": np.zeros((3, 3))})
    del proto.graph.initializer[:]
    values = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [3], [1.0, -2.0, 0.5])
    indices = onnx.numpy_helper.from_array(np.array(places), "places")
    proto.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, indices, [3, 3]))
    compiled_right(proto, samples_of(proto))


def test_sparse_weights_that_no_memory_holds_are_refused() -> None:
    proto = model([node("MatMul", "x w", "out")], {"x": (1, 3)}, weights={"w": np.zeros((3, 3))})
    del proto.graph.initializer[:]
    values = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [1.0])
    indices = onnx.numpy_helper.from_array(np.array([1]), "places")
    proto.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, indices, [1 << 20, 1 << 20]))
    with pytest.raises(ResourceError, match=r"'w' take more than .* with their zeros"):
        compile_model(proto, np.ones((2, 3)))


def test_a_table_behind_layers_that_are_nothing_takes_other_weights() -> None:
    """A Relu that never opened leaves sums that are always 0, of these weights."""
    given = {"w": normal(4, 8) / 10, "b": np.full(8, -5.0), "v": normal(8, 3)}
    nodes = [
        node("Gemm", "x w b", "g"),
        node("Relu", "g", "h"),
        node("MatMul", "h v", "s"),
        node("Sigmoid", "s", "out"),
    ]
    compiled_right(model(nodes, {"x": (1, 4)}, weights=given), {"x": draw(1, 4)}, weights="private")


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-2, 2, (40, *shape)).astype(np.float32)


NAMES = ("se tosa", "versi", "virg")


def ended(nodes: list[Any], label: str, texts: bool = True, **weights: Any) -> Any:
    """The model with an output of texts, as scikit-learn's exporter ends a classifier whose classes have names."""
    proto = model([*nodes, node("Identity", label, "out")], {"x": (1, 4)}, weights=weights)
    if texts:
        classes = onnx.helper.make_tensor("classes", onnx.TensorProto.STRING, [3], [name.encode() for name in NAMES])
        proto.graph.initializer.append(classes)
    del proto.graph.value_info[:]
    kind = onnx.helper.make_tensor_value_info("out", onnx.TensorProto.STRING, [1])
    proto.graph.output[0].CopyFrom(kind)
    return proto


def of_attribute() -> Any:
    """A label of a classifier, which is a copy."""
    weights: dict[str, Any] = {"coefficients": normal(12).tolist(), "intercepts": [0.0, 0.1, 0.2]}
    attributes = {"classlabels_strings": list(NAMES), "post_transform": "SOFTMAX", **weights}
    return ended(
        [onnx.helper.make_node("LinearClassifier", ["x"], ["l", "p"], name="/l", domain="ai.onnx.ml", **attributes)],
        "l",
        texts=False,
    )


def of_trees() -> Any:
    """A label of a tree."""
    nodes: dict[str, Any] = {
        "nodes_treeids": [0] * 5,
        "nodes_nodeids": list(range(5)),
        "nodes_featureids": [0, 1, 0, 0, 0],
    }
    nodes |= {"nodes_modes": ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"], "nodes_values": [0.2, -0.3, 0, 0, 0]}
    nodes |= {"nodes_truenodeids": [1, 3, 0, 0, 0], "nodes_falsenodeids": [2, 4, 0, 0, 0]}
    leaves: dict[str, Any] = {
        "class_treeids": [0] * 3,
        "class_nodeids": [2, 3, 4],
        "class_ids": [0, 1, 2],
        "class_weights": [1.0] * 3,
    }
    attributes = {**nodes, **leaves, "classlabels_strings": list(NAMES), "post_transform": "NONE"}
    return ended(
        [
            onnx.helper.make_node(
                "TreeEnsembleClassifier", ["x"], ["l", "p"], name="/l", domain="ai.onnx.ml", **attributes
            )
        ],
        "l",
        texts=False,
    )


def of_list() -> Any:
    """An entry of a list of names, at the place of the largest score."""
    extract = onnx.helper.make_node("ArrayFeatureExtractor", ["classes", "a"], ["e"], name="/e", domain="ai.onnx.ml")
    nodes = [node("MatMul", "x w", "s"), node("ArgMax", "s", "a", axis=1), extract, node("Reshape", "e r", "l")]
    return ended(nodes, "l", w=normal(4, 3), r=np.array([-1]))


@pytest.mark.parametrize("made", [of_attribute, of_trees, of_list])
def test_a_name_of_a_class_is_that_of_onnxruntime(made: Any) -> None:
    proto, given = made(), draw(1, 4)
    compiled = compile_model(proto, given, limb=8)
    session = session_of(proto)
    wanted = [str(session.run(["out"], {"x": sample})[0][0]) for sample in given]
    assert len(set(wanted)) == len(NAMES)
    found = [compiled.labels["out"][int(compiled.predict(sample)["out"][0])] for sample in given]
    assert np.mean([a == b for a, b in zip(found, wanted, strict=True)]) > 0.94


def test_a_text_that_is_no_name_of_a_class_is_refused() -> None:
    proto = model([node("ArgMax", "x", "a", axis=1), node("Cast", "a", "out", to=8)], {"x": (1, 4)})
    proto.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.STRING
    del proto.graph.value_info[:]
    with pytest.raises(FormatError, match=r"Cast.*type 8"):
        compile_model(proto, draw(1, 4))


@pytest.mark.parametrize("source", [None, 5, {}, object(), int], ids=["none", "number", "dict", "object", "class"])
def test_what_is_no_model_is_refused(source: Any) -> None:
    with pytest.raises(UsageError, match=r"' is no model: give the path .*of an ONNX file"):
        compile_model(source, np.ones((2, 3)))


def test_an_estimator_that_another_converter_takes_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    made = type("XGBClassifier", (), {"__module__": "xgboost.sklearn"})
    monkeypatch.setattr(frontends, "_is_a", lambda source, *_: isinstance(source, made))
    with pytest.raises(UsageError, match=r"xgboost is converted by that library or by onnxmltools"):
        compile_model(made(), np.ones((2, 3)))


def test_the_reason_that_a_converter_gives_last_is_told_without_colors() -> None:
    last = RuntimeError("\x1b[96mshapes\x1b[0m do not fit\nat line 5")
    first = ValueError("step 1 failed")
    first.__cause__ = last
    assert str(frontends._converted("no", first)) == "no: shapes do not fit (RuntimeError)"


GEMMS = {
    "a constant on the left": (model([node("Gemm", "w x k", "out", transA=1)], {"x": (6, 2)}), (6, 4), (4, 1)),
    "two tensors": (model([node("Gemm", "x y k", "out", transB=1, alpha=0.5)], {"x": (2, 6), "y": (3, 6)}), (1,), (3,)),
    "two tensors and a C with a factor": (
        model([node("Gemm", "x y z", "out", transA=1, beta=-0.3)], {"x": (6, 2), "y": (6, 3), "z": (2, 1)}),
        (1,),
        (1,),
    ),
    "a constant C with a factor": (
        model([node("Gemm", "x y k", "out", beta=3.0)], {"x": (2, 6), "y": (6, 3)}),
        (1,),
        (2, 1),
    ),
    "a computed C with a factor": (
        model([node("Gemm", "x w y", "out", beta=2.0)], {"x": (2, 6), "y": (1, 4)}),
        (6, 4),
        (1,),
    ),
    "nothing but C": (model([node("Gemm", "w w x", "out", transA=1, beta=2.0)], {"x": (1, 4)}), (6, 4), (1,)),
}


@pytest.mark.parametrize("name", GEMMS)
def test_a_gemm_of_any_matrices_is_right(name: str) -> None:
    proto, weight, addend = GEMMS[name]
    given = {"w": normal(*weight).astype(np.float32), "k": normal(*addend).astype(np.float32)}
    read = {i for n in proto.graph.node for i in n.input}
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(v, n) for n, v in given.items() if n in read)
    compiled_right(without_shapes(proto), samples_of(proto), error=0.02)


@pytest.mark.parametrize("operator", ["Tanh", "Sigmoid", "Erf"])
def test_a_function_that_is_flat_nearly_everywhere_is_right_where_it_is_not(operator: str) -> None:
    """Numbers of an image as they are, which few samples lead to where it varies: accuracy does not tell."""
    weight = normal(6, 4)
    proto = model([node("MatMul", "x w", "s"), node(operator, "s", "out")], {"x": (2, 6)}, weights={"w": weight})
    compiled = compile_model(proto, draw(2, 6) * 100, limb=8)
    wanted = np.random.default_rng(2).uniform(-4, 4, (40, 4))
    step, session = compiled.model.inputs[0].scale, session_of(proto)
    samples = (np.rint(wanted @ np.linalg.pinv(weight) / step) * step).reshape(20, 2, 6).astype(np.float32)
    assert np.mean(np.abs(samples @ weight) < 3) > 0.3
    for sample in samples:
        assert np.abs(compiled.predict(sample)["out"] - session.run(None, {"x": sample})[0]).max() < 0.3
