"""`check` lists all that compiling would refuse one after the other, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.zkml.float_faults import MODELS, REFUSED
from tests.zkml.models import model, node, normal, onnx
from tests.zkml.test_right_or_refused import FILES, REFUSED_FILES
from zkgpu.errors import UsageError
from zkgpu.inference import check

EXAMPLES = Path(__file__).parents[2] / "examples" / "models"
X = {"x": ("N", 6)}


def reasons(found: Any) -> dict[str, str]:
    """Of each node that is listed, why."""
    return {name: obstacle.reason for obstacle in found.obstacles for name in obstacle.nodes}


def of_every_step() -> Any:
    """A node that each step of reading refuses, one behind the other."""
    nodes = [
        node("Det", "x", "a"),  # no rule for the operator
        node("NonZero", "x", "b"),
        node("BatchNormalization", "x s s s s", "c", training_mode=1),  # an attribute
        node("Clip", "x m", "d"),  # a computed input
        node("Cast", "d", "e", to=onnx.TensorProto.UINT8),  # arithmetic on bytes: restated
        node("Add", "e e", "f"),
        node("Cast", "f", "g", to=onnx.TensorProto.FLOAT),
        node("Div", "g d", "h"),  # no rule for two tensors
        node("Det", "h", "i"),
        node("Relu", "i", "out"),
    ]
    return model(nodes, {"x": (1, 6), "m": (1,)}, ("a", "b", "c", "out"), {"s": [1.0] * 6})


def test_all_obstacles_are_told_at_once_and_the_nodes_behind_them_looked_at() -> None:
    found = check(of_every_step())
    assert not found.is_supported
    assert set(reasons(found)) == {"/a", "/b", "/c", "/d", "/f", "/h", "/i"}
    assert reasons(found)["/c"] == "training_mode = 1 is not supported, only 0"
    assert reasons(found)["/d"] == "its input 'm' is computed"
    both = next(o for o in found.obstacles if o.operator == "Det")
    assert (both.nodes, both.count) == (("/a", "/i"), 2)
    assert next(o for o in found.obstacles if o.operator == "NonZero").instead.endswith("--tensor")


def test_the_parts_that_onnx_defines_an_operator_by_would_do() -> None:
    found = check(model([node("Celu", "x", "out")], X))
    assert found.is_supported or found.obstacles[0].instead == "its parts: Div, Elu, Mul"


@pytest.mark.parametrize("name", ["digits_cnn", "digits_dense"])
def test_of_a_supported_model_nothing_is_told(name: str) -> None:
    found = check(EXAMPLES / f"{name}.onnx")
    assert (found.is_supported, found.obstacles, found.notes) == (True, (), ())
    assert "all supported" in repr(found)
    assert "all supported" in found._repr_html_()


def test_what_a_notebook_shows_is_escaped_and_json_can_hold_all() -> None:
    nasty = model([node("Det", "x", "out")], X)
    nasty.graph.node[0].name = "<script>"
    found = check(nasty)
    assert "<script>" not in found._repr_html_()
    assert json.loads(json.dumps(found.to_json()))["obstacles"][0]["nodes"] == ["<script>"]


def test_lengths_that_the_file_leaves_open_are_assumed_and_told() -> None:
    sequence = model([node("MatMul", "x w", "out")], {"x": ("N", "T", 6)}, weights={"w": normal(6, 2)})
    (note,) = check(sequence).notes
    assert note.startswith("axis 1 of input 'x' has no fixed length")
    assert not check(sequence, shapes={"x": (1, 9, 6)}).notes
    with pytest.raises(UsageError, match="has no input 'y'"):
        check(sequence, shapes={"y": (1, 9, 6)})


def test_a_model_that_onnxruntime_does_not_know_is_looked_at_all_the_same() -> None:
    strange = model([node("Mine", "x", "y"), node("Softmax", "y", "z"), node("Det", "z", "out")], X)
    strange.graph.node[0].domain = "com.example"
    strange.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
    found = check(strange)
    assert {"/y", "/out"} <= set(reasons(found))
    assert "was not run" in found.notes[0]


def test_thresholds_of_trees_are_an_obstacle_where_weights_are_private() -> None:
    forest = Path(__file__).parents[1] / "data" / "onnx" / "scikit_learn_forest.onnx"
    assert check(forest).is_supported
    (obstacle,) = check(forest, weights="private").obstacles
    assert "compile it with public weights" in obstacle.reason


OF_NUMBERS = ("worst layer", "no finite value")  # refusals that only data can show
REASONS = [r for r in (*REFUSED.values(), *REFUSED_FILES.values()) if not any(text in r for text in OF_NUMBERS)]


@pytest.mark.parametrize("name", [*MODELS, *FILES])
def test_it_lists_what_compiling_refuses_by_node_and_nothing_of_what_compiles(name: str) -> None:
    found = check(MODELS[name] if name in MODELS else FILES[name])
    reason = {**REFUSED, **REFUSED_FILES}.get(name, "")
    assert found.is_supported == (reason not in REASONS), found.obstacles
