"""TreeEnsemble of ai.onnx.ml 5: branches and leaves apart, modes by number; and tests of numbers for equality."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, numpy_helper
from onnx.helper import make_node

from tests.zkml.test_tabular import OUT, node, table
from tests.zkml.test_trees import FEATURES, GRID, MODES, ROWS, Grown, assert_same, made
from zkgpu.errors import FormatError
from zkgpu.inference import compile_model


def lists(grown: Grown) -> dict[str, Any]:
    """Those of a random ensemble of one score, as the newer operator has them."""
    branches = [n for n in grown.nodes if n[2] != "LEAF"]
    place = {n[:2]: i for i, n in enumerate(branches)}
    leaf = {one[:2]: i for i, one in enumerate(grown.leaves)}

    def child(tree: int, number: int) -> tuple[int, int]:
        return (0, place[tree, number]) if (tree, number) in place else (1, leaf[tree, number])

    true, false = (np.array([child(n[0], n[side]) for n in branches]) for side in (5, 6))
    return {
        "nodes_modes": tensor([MODES.index(n[2]) for n in branches], np.uint8),
        "nodes_featureids": [n[3] for n in branches],
        "nodes_splits": tensor([n[4] for n in branches]),
        "nodes_truenodeids": true[:, 1].tolist(),
        "nodes_trueleafs": true[:, 0].tolist(),
        "nodes_falsenodeids": false[:, 1].tolist(),
        "nodes_falseleafs": false[:, 0].tolist(),
        "leaf_targetids": [one[2] for one in grown.leaves],
        "leaf_weights": tensor([one[3] for one in grown.leaves]),
        "tree_roots": [place[tree, 0] for tree in sorted({n[0] for n in branches})],
        "n_targets": grown.scores,
    }


def tensor(values: Any, kind: Any = np.float32) -> Any:
    return numpy_helper.from_array(np.array(values, kind))


def ensemble(attributes: dict[str, Any], **more: Any) -> Any:
    outputs = {"out": (TensorProto.FLOAT, [1, attributes.get("n_targets", 1)])}
    return made("TreeEnsemble", outputs, 5, **{**attributes, **more})


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_but_membership(mode: str) -> None:
    draw = np.random.default_rng(6)
    grown = Grown(4, 3, 1, mode, full=True, threshold=lambda: draw.integers(-2, 3) / 2)
    assert_same(ensemble(lists(grown)), GRID)


def test_means_of_what_leaves_say() -> None:
    assert_same(ensemble(lists(Grown(4, 3, 1)), aggregate_function=0), ROWS)


LEAF = {
    "nodes_modes": tensor([0], np.uint8),
    "nodes_featureids": [0],
    "nodes_splits": tensor([0.5]),
    **{key: [0] for key in ("nodes_truenodeids", "nodes_falsenodeids", "leaf_targetids", "tree_roots")},
    **{key: [1] for key in ("nodes_trueleafs", "nodes_falseleafs")},
    "leaf_weights": tensor([2.5]),
    "n_targets": 1,
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"aggregate_function": 2}, "aggregate_function = 'MIN'"),
        ({"post_transform": 2}, "post_transform = 2 is not supported, only 0: a Softmax or Sigmoid behind it"),
        ({"nodes_modes": tensor([6], np.uint8), "nodes_trueleafs": [0], "nodes_truenodeids": [0]}, "node 0"),
        ({"membership_values": tensor([1.0])}, "membership_values"),
        ({"nodes_falsenodeids": [1]}, "a leaf that is not listed"),
        ({"nodes_falsenodeids": [1], "nodes_falseleafs": [0]}, "a node that is not listed"),
        ({"leaf_targetids": [0, 0]}, "do not agree"),
    ],
)
def test_what_is_not_supported_is_refused_by_the_node(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=f"'/trees'.*{message}"):
        compile_model(ensemble({**LEAF, **changes}), ROWS)


def test_numbers_that_were_rounded_are_not_tested_for_equality() -> None:
    grown = Grown(2, 2, 1, "BRANCH_EQ", threshold=lambda: 1.0)
    trees = node("TreeEnsembleRegressor", "s", "out", n_targets=1, **grown.attributes("target"))
    proto = table([node("Softmax", "x", "s", axis=1), trees], [OUT], width=FEATURES)
    with pytest.raises(FormatError, match="BRANCH_EQ and BRANCH_NEQ take inputs of the model"):
        compile_model(proto, ROWS, allow_error=9)


def test_a_tree_that_is_one_leaf() -> None:
    compiled = compile_model(ensemble(LEAF), ROWS)
    assert compiled.predict(ROWS[0])["out"].ravel().tolist() == pytest.approx([2.5], abs=1e-3)


@pytest.mark.parametrize("bits", [8, 12])
def test_thresholds_beside_products_of_many_numbers_are_where_they_are(bits: int) -> None:
    """In units of a product of nine numbers of 12 bits 0.5 is no integer of 62 bits."""
    proto = ensemble(LEAF, leaf_weights=tensor([2.5, -1.0]), leaf_targetids=[0, 0], nodes_falsenodeids=[1])
    product = make_node("ReduceProd", ["x"], ["x.product"], axes=[0], keepdims=1)
    proto.graph.node[0].input[0] = "x.product"
    proto.graph.node.insert(0, product)
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 9
    samples = np.random.default_rng(3).normal(size=(400, 9, FEATURES)) * 1.3
    samples = samples[np.abs(samples[:, :, 0].prod(axis=1) - 0.5) > 0.4][:48]
    compiled = compile_model(proto, samples, limb=6, bits=bits)
    found = [float(compiled.predict(one)["out"].ravel()[0]) for one in samples]
    assert found == pytest.approx([2.5 if one[:, 0].prod() <= 0.5 else -1.0 for one in samples], abs=1e-3)
