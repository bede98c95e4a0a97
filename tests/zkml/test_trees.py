"""Ensembles of trees: the same answers as onnxruntime's, exactly, at about two constraints a branch."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.circuits.mutation import assert_forgery_fails
from tests.zkml.networks import assert_same_as_semantics, model_of, proven_output, unpublished
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import FormatError
from zkgpu.inference import CompiledModel, compile_model
from zkgpu.zkml.operations import Steps

FEATURES = 5
LABELS = [3, 1990, -7]


class Grown:
    """The lists of a random ensemble, as ai.onnx.ml has them."""

    def __init__(self, trees: int, depth: int, scores: int, mode: str = "BRANCH_LEQ", seed: int = 0, **kinds: Any):
        self.draw, self.mode, self.scores, self.kinds = np.random.default_rng(seed), mode, scores, kinds
        self.nodes: list[tuple[int, int, str, int, float, int, int]] = []
        self.leaves: list[tuple[int, int, int, float]] = []
        for tree in range(trees):
            self.count = 0
            self.grow(tree, depth)

    def grow(self, tree: int, depth: int) -> int:
        number, self.count = self.count, self.count + 1
        place = len(self.nodes)
        self.nodes.append((tree, number, "LEAF", 0, 0.0, 0, 0))
        if depth == 0 or (not self.kinds.get("full") and number and self.draw.random() < 0.2):
            self.leaf(tree, number)
            return number
        feature = int(self.draw.integers(FEATURES))
        value = np.float32(self.kinds.get("threshold", self.draw.normal)())
        true, false = self.grow(tree, depth - 1), self.grow(tree, depth - 1)
        self.nodes[place] = (tree, number, self.mode, feature, float(value), true, false)
        return number

    def leaf(self, tree: int, number: int) -> None:
        weights = self.draw.normal(size=self.scores)
        weights = np.abs(weights) / 10 if self.kinds.get("positive") else weights
        self.leaves += [(tree, number, score, float(np.float32(w))) for score, w in enumerate(weights)]

    def attributes(self, targets: str) -> dict[str, Any]:
        names = ("treeids", "nodeids", "modes", "featureids", "values", "truenodeids", "falsenodeids")
        nodes = {
            f"nodes_{name}": list(column) for name, column in zip(names, zip(*self.nodes, strict=True), strict=True)
        }
        columns = zip(*self.leaves, strict=True)
        leaves = {
            f"{targets}_{name}": list(column)
            for name, column in zip(("treeids", "nodeids", "ids", "weights"), columns, strict=True)
        }
        return {**nodes, **leaves}


def made(operator: str, outputs: dict[str, tuple[int, list]], version: int = 3, **attributes: Any) -> Any:
    node = helper.make_node(operator, ["x"], list(outputs), name="/trees", domain="ai.onnx.ml", **attributes)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, FEATURES])
    ends = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()]
    graph = helper.make_graph([node], "trees", [x], ends)
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", version)]
    return helper.make_model(graph, opset_imports=domains, ir_version=8)


def classifier(grown: Grown, labels: list[int] = LABELS, **attributes: Any) -> Any:
    outputs = {"label": (TensorProto.INT64, [1]), "scores": (TensorProto.FLOAT, [1, len(labels)])}
    lists = grown.attributes("class")
    return made("TreeEnsembleClassifier", outputs, classlabels_int64s=labels, **{**lists, **attributes})


def regressor(grown: Grown, **attributes: Any) -> Any:
    outputs = {"out": (TensorProto.FLOAT, [1, grown.scores])}
    return made(
        "TreeEnsembleRegressor", outputs, n_targets=grown.scores, **{**grown.attributes("target"), **attributes}
    )


def floats_of(proto: Any, rows: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    found = [session.run(None, {"x": row[None]}) for row in rows.astype(np.float32)]
    return [np.concatenate(values) for values in zip(*found, strict=True)]


def integers_of(compiled: CompiledModel, rows: np.ndarray) -> list[np.ndarray]:
    found = [compiled.predict(row[None], clamp=True) for row in rows.astype(np.float32)]
    return [np.concatenate([values[t.name] for values in found]) for t in compiled.model.outputs]


def assert_same(proto: Any, samples: np.ndarray, most: float = 1e-3) -> CompiledModel:
    """Labels equal, numbers nearly so, for all samples; and the circuit's answer to one of them."""
    compiled = compile_model(proto, samples, limb=8)
    for found, wanted in zip(integers_of(compiled, samples), floats_of(proto, samples), strict=True):
        assert found.shape == wanted.shape
        allowed = 0 if wanted.dtype.kind == "i" else most * np.abs(wanted).max()
        assert np.abs(found - wanted).max() <= allowed
    integers = compiled.quantized(samples[:1].astype(np.float32))
    shown = {
        t.name: proven_output(compiled.circuit, compiled.circuit_inputs(integers), t.name)
        for t in compiled.model.outputs
    }
    assert all((np.asarray(v) == compiled.run(integers)[name]).all() for name, v in shown.items())
    return compiled


ROWS = np.random.default_rng(1).normal(size=(60, FEATURES)).astype(np.float32)
GRID = np.random.default_rng(2).integers(-2, 3, (60, FEATURES)) / np.float32(2.0)
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")


@pytest.mark.parametrize("mode", MODES)
def test_numbers_that_are_thresholds_take_the_side_that_the_mode_says(mode: str) -> None:
    draw = np.random.default_rng(3)
    halves = Grown(6, 4, 3, mode, threshold=lambda: draw.integers(-2, 3) / 2)
    assert_same(classifier(halves), GRID)
    assert_same(classifier(halves), GRID * 2)  # whole numbers


@pytest.mark.parametrize("mode", MODES)
def test_numbers_next_to_a_threshold_are_told_from_it(mode: str) -> None:
    """The nearest numbers in single precision, where one column is 4,000 times the other."""
    draw = np.random.default_rng(4)
    values = np.float32(0.0013) * draw.integers(1, 4, (40, FEATURES)).astype(np.float32)
    values[:, 1] *= np.float32(4000.0)
    grown = Grown(8, 4, 1, mode, threshold=lambda: draw.choice(values.ravel()))
    near = np.nextafter(values, draw.choice([-1e9, 0, 1e9], values.shape).astype(np.float32))
    assert_same(regressor(grown), np.concatenate([values, near]))


@pytest.mark.parametrize("after", ["NONE", "SOFTMAX", "LOGISTIC"])
def test_a_classifier_of_three(after: str) -> None:
    assert_same(classifier(Grown(12, 4, 3), post_transform=after), ROWS, 0.02)
    assert_same(classifier(Grown(12, 4, 3), post_transform=after, base_values=[0.5, -1.0, 0.25]), ROWS, 0.02)


@pytest.mark.parametrize("after", ["NONE", "LOGISTIC"])
@pytest.mark.parametrize("base", [[], [0.3]])
def test_two_classes_with_one_score(after: str, base: list[float]) -> None:
    given = {"base_values": base} if base else {}
    assert_same(classifier(Grown(8, 4, 1), [4, 9], post_transform=after, **given), ROWS, 0.02)


def test_two_classes_with_one_score_that_is_a_share() -> None:
    assert_same(classifier(Grown(8, 4, 1, positive=True), [4, 9]), ROWS)


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE"])
@pytest.mark.parametrize("scores", [1, 3])
def test_a_regressor(aggregate: str, scores: int) -> None:
    grown = Grown(9, 5, scores)
    assert_same(regressor(grown, aggregate_function=aggregate), ROWS)
    assert_same(regressor(grown, aggregate_function=aggregate, base_values=[152.5] * scores), ROWS)


def test_trees_that_are_one_leaf_each() -> None:
    assert_same(regressor(Grown(3, 0, 2)), ROWS)


def test_version_one_of_the_operators() -> None:
    grown = Grown(4, 3, 1)
    outputs = {"out": (TensorProto.FLOAT, [1, 1])}
    lists = grown.attributes("target")
    assert_same(made("TreeEnsembleRegressor", outputs, 1, n_targets=1, **lists), ROWS)


def test_weights_in_double_precision() -> None:
    grown = Grown(4, 3, 1)
    lists = grown.attributes("target")
    for name in ("nodes_values", "target_weights"):
        lists[f"{name}_as_tensor"] = numpy_helper.from_array(np.array(lists.pop(name), dtype=np.float64))
    node = made("TreeEnsembleRegressor", {"out": (TensorProto.DOUBLE, [1, 1])}, n_targets=1, **lists)
    node.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    compiled = compile_model(node, ROWS, limb=8)
    assert compiled.accuracy.worst_output.error < 1e-3


def test_a_forest_of_a_hundred_trees_of_depth_six_takes_two_constraints_a_branch() -> None:
    compiled = compile_model(classifier(Grown(100, 6, 3, full=True)), ROWS)
    branches = 100 * 63
    assert compiled.circuit.r1cs.n_constraints < 2 * branches + 300


SMALL = {
    "nodes_treeids": [0] * 5,
    "nodes_nodeids": [0, 1, 2, 3, 4],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_featureids": [0, 0, 1, 0, 0],
    "nodes_values": [0.5, 0.0, 0.25, 0.0, 0.0],
    "nodes_truenodeids": [1, 0, 3, 0, 0],
    "nodes_falsenodeids": [2, 0, 4, 0, 0],
    "target_ids": [0] * 3,
    "target_nodeids": [1, 3, 4],
    "target_treeids": [0] * 3,
    "target_weights": [1.0, 2.0, 3.0],
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodes_modes": ["BRANCH_MEMBER", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"]}, "branches of mode BRANCH_MEMBER"),
        ({"aggregate_function": "MAX"}, "aggregate_function = 'MAX' is not supported"),
        ({"post_transform": "LOGISTIC"}, "post_transform = 'LOGISTIC' is not supported, only 'NONE'"),
        ({"post_transform": "PROBIT"}, "post_transform = 'PROBIT' is not supported"),
    ],
)
def test_what_is_not_supported_is_refused_by_the_node(changes: dict[str, Any], message: str) -> None:
    outputs = {"out": (TensorProto.FLOAT, [1, 1])}
    with pytest.raises(FormatError, match=f"'/trees'.*{message}"):
        compile_model(made("TreeEnsembleRegressor", outputs, n_targets=1, **{**SMALL, **changes}), ROWS)


def test_classes_that_the_standard_leaves_open_are_refused() -> None:
    for proto in (classifier(Grown(3, 2, 2), [0, 1]), classifier(Grown(3, 2, 2), LABELS)):
        with pytest.raises(FormatError, match=r"'/trees'.*classes without a score, and two classes with one each"):
            compile_model(proto, ROWS)
    other = Grown(3, 2, 1)
    other.leaves = [(tree, number, 1, weight) for tree, number, _, weight in other.leaves]
    with pytest.raises(FormatError, match=r"'/trees'.*classes without a score"):
        compile_model(classifier(other, [0, 1]), ROWS)
    share = Grown(3, 2, 1, positive=True)
    for given in ({"post_transform": "LOGISTIC"}, {"base_values": [0.3, 0.2]}):
        with pytest.raises(FormatError, match=r"'/trees'.*one score for two classes with post_transform"):
            compile_model(classifier(share, [0, 1], **given), ROWS)
    lone = Grown(3, 2, 3)
    lone.leaves = lone.leaves[1:]
    with pytest.raises(FormatError, match=r"'/trees'.*add to different classes"):
        compile_model(classifier(lone), ROWS)


def test_a_graph_that_is_no_tree_is_refused() -> None:
    grown = Grown(1, 3, 1, full=True)
    lists = grown.attributes("target")
    lists["nodes_falsenodeids"] = lists["nodes_truenodeids"]
    outputs = {"out": (TensorProto.FLOAT, [1, 1])}
    with pytest.raises(FormatError, match=r"'/trees'.*a child of node 0 of tree 0 is not listed, or twice"):
        compile_model(made("TreeEnsembleRegressor", outputs, n_targets=1, **lists), ROWS)


def test_thresholds_that_are_part_of_the_circuit_are_not_called_private() -> None:
    with pytest.raises(FormatError, match=r"'/trees'.*thresholds are part of the circuit"):
        compile_model(regressor(Grown(3, 2, 1)), ROWS, weights="private")


STEPS = Steps("t", ("x",), "out", np.array([0, 0, 0]), np.array([-3, 0, 5]))


@pytest.mark.parametrize("x", [-8, -4, -3, -1, 0, 4, 5, 7])
@pytest.mark.parametrize(
    "lie", [(0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1), (0, 1, 0), (0, 0, 1), (1, 0, 1), (2, 1, 0), (-1, 0, 0)]
)
def test_no_other_answers_are_accepted(x: int, lie: tuple[int, ...]) -> None:
    if lie == tuple(int(x >= bound) for bound in (-3, 0, 5)):
        return
    circuit = unpublished(model_of(STEPS, x=((1, 1), -8, 7)))
    (label,) = (step.label for step in circuit._steps if getattr(step, "label", "").endswith("steps"))
    answer = np.array([[v % Fr.modulus for v in lie]], dtype=object)
    assert_forgery_fails(circuit, {"x": np.array([[x]])}, {label: lambda *_: answer})


def test_every_byte_on_either_side_of_many_bounds() -> None:
    bounds = np.sort(np.random.default_rng(6).choice(np.arange(-140, 141), 40, replace=False))
    operation = Steps("t", ("x",), "out", np.zeros(40, dtype=np.int64), bounds)
    assert_same_as_semantics(model_of(operation, x=((256, 1), -128, 127)), {"x": np.arange(-128, 128)[:, None]})


def test_a_batch_of_rows() -> None:
    proto = regressor(Grown(6, 4, 2))
    for info, width in ((proto.graph.input[0], FEATURES), (proto.graph.output[0], 2)):
        del info.type.tensor_type.shape.dim[:]
        for size in (3, width):
            info.type.tensor_type.shape.dim.add().dim_value = size
    samples = np.random.default_rng(5).normal(size=(40, 3, FEATURES)).astype(np.float32)
    compiled = compile_model(proto, samples, limb=8)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for rows in samples[:5]:
        (wanted,) = session.run(None, {"x": rows})
        found = proven_output(compiled.circuit, compiled.circuit_inputs(compiled.quantized(rows)))
        assert np.abs(np.asarray(found, dtype=float) * compiled.model.outputs[0].scale - wanted).max() < 1e-3


@pytest.mark.parametrize("mode", ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"])
def test_means_of_whole_numbers_are_on_the_side_of_thresholds_that_they_are_on(mode: str) -> None:
    """Halves, with thresholds at and between them: rounded to halves these would be other ones."""
    draw = np.random.default_rng(3)
    grown = Grown(4, 3, 2, mode, threshold=lambda: draw.integers(0, 9) / 4)
    proto = regressor(grown)
    proto.graph.node[0].input[0] = "features"
    before = [
        helper.make_node("ReduceMean", ["x"], ["means"], axes=[1], keepdims=0),
        helper.make_node("Concat", ["means", "means"], ["twice"], axis=1),
        helper.make_node("Slice", ["twice", "first", "last"], ["features"]),
    ]
    trees = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend([*before, *trees])
    for name, value in (("first", [0, 0]), ("last", [1, FEATURES])):
        proto.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    proto.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, FEATURES]))
    assert_same(proto, draw.integers(0, 4, (60, 2, FEATURES)).astype(np.float32))
