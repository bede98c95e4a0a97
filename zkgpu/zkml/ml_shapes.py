"""Shapes and types of what operators of ai.onnx.ml give, which onnx does not infer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from zkgpu.zkml.graph import Array, Node, Shape

Kind = np.dtype[Any]
Known = Mapping[str, Shape]
Told = dict[str, tuple[Shape, Kind]]

_SINGLE, _WHOLE, _TEXT = np.dtype(np.float32), np.dtype(np.int64), np.dtype(object)
_LABELS = ("ints", "int64s", "strings")


def shapes_of_tables(
    node: Node, shapes: Known, types: Mapping[str, Kind], constants: Mapping[str, Array]
) -> dict[str, tuple[Shape, Kind]]:
    """The outputs of a node of ai.onnx.ml whose inputs are known, with shape and type; nothing for any other node."""
    rule = _RULES.get(node.operator)
    if rule is None or not all(name in shapes for name in node.inputs if name):
        return {}
    return rule(node, shapes, types, constants)


def _same(node: Node, shapes: Known, *_: Any) -> Told:
    return {node.output: (shapes[node.inputs[0]], _SINGLE)}


def _of_same_type(node: Node, shapes: Known, types: Mapping[str, Kind], *_: Any) -> Told:
    return {node.output: (shapes[node.inputs[0]], types.get(node.inputs[0], _SINGLE))}


def _columns(node: Node, shapes: Known, types: Mapping[str, Kind], constants: Mapping[str, Array]) -> Told:
    """As many columns as there are places; rows of a list of labels are one."""
    data, places = node.inputs
    kind = constants[data].dtype if data in constants else types.get(data, _SINGLE)
    rows = shapes[data][:-1] if len(shapes[data]) > 1 else (1,)
    return {node.output: ((*rows, int(np.prod(shapes[places]))), kind)}


def _joined(node: Node, shapes: Known, *_: Any) -> Told:
    first = shapes[node.inputs[0]]
    return {node.output: ((*first[:-1], sum(shapes[name][-1] for name in node.inputs)), _SINGLE)}


def _sums(node: Node, shapes: Known, *_: Any) -> Told:
    """Rows of as many numbers as there are targets."""
    targets = int(node.attributes.get("targets", node.attributes.get("n_targets", 1)))
    return {node.output: ((shapes[node.inputs[0]][0], targets), _SINGLE)}


def _classes(node: Node, shapes: Known, *_: Any) -> Told:
    """A label a row; and scores, where there is one a class."""
    rows, given = shapes[node.inputs[0]][0], [node.attributes.get(f"classlabels_{kind}", ()) for kind in _LABELS]
    count = max(map(len, given))
    if not count:
        return {}
    label, *scores = node.outputs
    found: Told = {label: ((rows,), _TEXT if given[-1] else _WHOLE)}
    return found | ({scores[0]: ((rows, count), _SINGLE)} if scores and count > 2 else {})


_RULES: Mapping[str, Callable[..., Told]] = {
    **dict.fromkeys(("Scaler", "Normalizer"), _same),
    **dict.fromkeys(("Binarizer", "Imputer"), _of_same_type),
    "ArrayFeatureExtractor": _columns,
    "FeatureVectorizer": _joined,
    **dict.fromkeys(("LinearRegressor", "SVMRegressor", "TreeEnsemble", "TreeEnsembleRegressor"), _sums),
    **dict.fromkeys(("LinearClassifier", "TreeEnsembleClassifier"), _classes),
}
