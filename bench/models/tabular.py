"""Models of tables, as skl2onnx, onnxmltools and torch.onnx write them: forests, boosted trees, an SVC, and TabNet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models import Architecture
from models.exported import Exported

FEATURES, CLASSES = 12, 3
SIZES = 10.0 ** np.linspace(-1, 3, FEATURES)  # of columns that differ, as ages and incomes do
_ML, _IR = 3, 8


def rows(count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Rows of numbers of different sizes, all positive."""
    return (np.abs(random.normal(1.0, 0.5, (count, FEATURES))) * SIZES).astype(np.float32)


def even_rows(count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Rows of scaled numbers."""
    return random.normal(size=(count, FEATURES)).astype(np.float32)


@dataclass
class Ensemble:
    """The lists of a tree ensemble, grown branch by branch; thresholds are among numbers that rows hold.

    Args:
        leaf: what the next leaf gives each class, or one number
    """

    mode: str
    leaf: Callable[[], Sequence[float]]
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(3))
    lists: dict[str, list[Any]] = field(default_factory=dict)

    def grow(self, tree: int, depth: int, of_class: int = 0) -> None:
        """A full tree; a leaf of one number gives it to a class."""
        seen, count = rows(64, self.random), 2 ** (depth + 1) - 1
        for number in range(count):
            is_leaf = number >= count // 2
            feature = int(self.random.integers(FEATURES))
            threshold = float(self.random.choice(seen[:, feature]))
            self._branch(tree, number, "LEAF" if is_leaf else self.mode, feature, threshold)
            if is_leaf:
                for score, weight in enumerate(self.leaf()):
                    self._add("class", treeids=tree, nodeids=number, ids=score + of_class, weights=float(weight))

    def _branch(self, tree: int, number: int, mode: str, feature: int, threshold: float) -> None:
        is_leaf = mode == "LEAF"
        self._add(
            "nodes",
            treeids=tree,
            nodeids=number,
            modes=mode,
            featureids=0 if is_leaf else feature,
            values=0.0 if is_leaf else threshold,
            truenodeids=0 if is_leaf else 2 * number + 1,
            falsenodeids=0 if is_leaf else 2 * number + 2,
            hitrates=1.0,
            missing_value_tracks_true=0,
        )

    def _add(self, kind: str, **values: Any) -> None:
        for name, value in values.items():
            self.lists.setdefault(f"{kind}_{name}", []).append(value)


def _shares(random: np.random.Generator) -> Callable[[], Sequence[float]]:
    """The shares of the classes in a leaf of one of a hundred trees."""
    return lambda: [float(v) for v in random.dirichlet([0.4] * CLASSES) / 100]


def _model(nodes: Sequence[Any], name: str, width: int = CLASSES) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, [1, FEATURES])
    ends = [
        helper.make_tensor_value_info("label", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, width]),
    ]
    graph = helper.make_graph(list(nodes), name, [x], ends)
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", _ML)]
    return helper.make_model(graph, opset_imports=domains, ir_version=_IR)


def _ml(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> Any:
    return helper.make_node(operator, inputs, outputs, operator, domain="ai.onnx.ml", **attributes)


def random_forest() -> Architecture:
    """A hundred full trees of depth 6, whose leaves hold shares of three classes."""
    ensemble = Ensemble("BRANCH_LEQ", _shares(np.random.default_rng(5)))
    for tree in range(100):
        ensemble.grow(tree, 6)
    node = _ml(
        "TreeEnsembleClassifier",
        ["X"],
        ["label", "probabilities"],
        classlabels_int64s=list(range(CLASSES)),
        post_transform="NONE",
        **ensemble.lists,
    )
    return Architecture(_model([node], "random_forest"), rows)


def xgboost() -> Architecture:
    """Forty rounds of one tree of depth 4 a class; a test is x < t, and scores become probabilities by a softmax."""
    random = np.random.default_rng(7)
    ensemble = Ensemble("BRANCH_LT", lambda: [float(random.normal(0, 0.12))])
    for tree in range(40 * CLASSES):
        ensemble.grow(tree, 4, of_class=tree % CLASSES)
    node = _ml(
        "TreeEnsembleClassifier",
        ["X"],
        ["label", "probabilities"],
        classlabels_int64s=list(range(CLASSES)),
        base_values=[0.5] * CLASSES,
        post_transform="SOFTMAX",
        **ensemble.lists,
    )
    return Architecture(_model([node], "xgboost"), rows)


def svc() -> Architecture:
    """A scaler and a machine of sixty support vectors with an RBF kernel: sums for each pair of classes, and votes."""
    random, count = np.random.default_rng(9), 60
    scaler = _ml("Scaler", ["X"], ["variable"], offset=SIZES.tolist(), scale=(2 / SIZES).tolist())
    machine = _ml(
        "SVMClassifier",
        ["variable"],
        ["label", "probabilities"],
        classlabels_ints=list(range(CLASSES)),
        coefficients=random.normal(size=(CLASSES - 1) * count).tolist(),
        kernel_params=[1 / FEATURES, 0.0, 3.0],
        kernel_type="RBF",
        post_transform="NONE",
        rho=(0.2 * random.normal(size=CLASSES)).tolist(),
        support_vectors=random.normal(size=count * FEATURES).tolist(),
        vectors_per_class=[count // CLASSES] * CLASSES,
    )
    return Architecture(_model([scaler, machine], "svc"), rows)


def tabnet() -> Architecture:
    """Three steps after Arik and Pfister (arXiv 1908.07442), with a softmax in place of the sparsemax.

    Each step weighs the features by a mask that earlier steps leave less to, transforms them by two gated layers, and
    adds what is positive of one half to the decision; the other half makes the next mask.
    """
    net, width = Exported([1, FEATURES], "X", seed=11), 8
    normal, prior, decision = _batch_norm(net, "X", FEATURES), "", ""
    shared = [_layer(net, FEATURES, 4 * width), _layer(net, 2 * width, 4 * width)]
    features = _transformed(net, normal, shared, width)
    for _ in range(3):
        scores = net.node("Gemm", _half(net, features, width, 2 * width), *_layer(net, width, FEATURES), transB=1)
        scores = net.node("Mul", scores, prior) if prior else scores
        mask = net.node("Softmax", scores, axis=-1)
        left = net.node("Sub", net.constant(np.array(1.3)), mask)
        prior = net.node("Mul", prior, left) if prior else left
        features = _transformed(net, net.node("Mul", mask, normal), shared, width)
        part = net.node("Relu", _half(net, features, 0, width))
        decision = net.node("Add", decision, part) if decision else part
    out = net.node("Gemm", decision, *_layer(net, width, CLASSES), transB=1)
    return Architecture(net.model(out), even_rows)


def _layer(net: Exported, fan_in: int, fan_out: int) -> tuple[str, str]:
    """The weight and bias of a linear layer."""
    return net.normal(fan_out, fan_in, gain=2**0.5), net.constant(0.1 * net.random.normal(size=fan_out))


def _batch_norm(net: Exported, x: str, width: int) -> str:
    parts = (np.ones(width), np.zeros(width), 0.1 * net.random.normal(size=width), net.random.uniform(0.5, 1.5, width))
    return net.node("BatchNormalization", x, *(net.constant(part) for part in parts), epsilon=1e-5)


def _half(net: Exported, x: str, start: int, end: int) -> str:
    places = (np.array([n], dtype=np.int64) for n in (start, end, 1))
    return net.node("Slice", x, *(net.constant(place) for place in places))


def _transformed(net: Exported, x: str, layers: Sequence[tuple[str, str]], width: int) -> str:
    """Gated linear units, the second of which is added to the first: sums of two are scaled by the root of a half."""
    first = _gated(net, x, layers[0], width)
    total = net.node("Add", first, _gated(net, first, layers[1], width))
    return net.node("Mul", total, net.constant(np.array(0.5**0.5)))


def _gated(net: Exported, x: str, layer: tuple[str, str], width: int) -> str:
    both = net.node("Gemm", x, *layer, transB=1)
    value, gate = (_half(net, both, start, start + 2 * width) for start in (0, 2 * width))
    return net.node("Mul", value, net.node("Sigmoid", gate))


BUILDERS: dict[str, Callable[[], Architecture]] = {
    "random_forest": random_forest,
    "xgboost": xgboost,
    "svc": svc,
    "tabnet": tabnet,
}
