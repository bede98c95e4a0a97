"""Operators of which onnx's inference ends the process where what they read has no type: they are shown to it later."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.zkml.test_tree_ensemble import LEAF
from tests.zkml.test_trees import FEATURES, ROWS, assert_same
from zkgpu.errors import FormatError
from zkgpu.inference import compile_model

ML = "ai.onnx.ml"
UNTYPED = {"RegexFullMatch": "", "DictVectorizer": ML, "LabelEncoder": ML, "TreeEnsemble": ML}
JOINED = helper.make_node("FeatureVectorizer", ["x"], ["joined"], domain=ML, inputdimensions=[FEATURES], name="/joined")
STUMP = {
    **LEAF,
    "nodes_falsenodeids": [1],
    "leaf_targetids": [0, 0],
    "leaf_weights": numpy_helper.from_array(np.array([2.5, -1.0], np.float32)),
}


def made(*nodes: Any, ml: int = 5, functions: tuple[Any, ...] = (), shape: Any = (1, 1)) -> Any:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, FEATURES])
    end = helper.make_tensor_value_info("out", TensorProto.FLOAT, shape)
    graph = helper.make_graph(list(nodes), "made", [x], [end])
    domains = [helper.make_opsetid(domain, version) for domain, version in (("", 21), (ML, ml), ("own", 1))]
    return helper.make_model(graph, opset_imports=domains, ir_version=10, functions=functions)


def trees(source: str, out: str) -> Any:
    return helper.make_node("TreeEnsemble", [source], [out], domain=ML, name="/trees", **STUMP)


def test_trees_behind_what_onnx_infers_no_type_of() -> None:
    assert_same(made(JOINED, trees("joined", "out")), ROWS)


def test_trees_in_a_branch() -> None:
    yes = helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True)))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("a", "b")]
    first = helper.make_graph([trees("joined", "a")], "first", [], ends[:1])
    other = helper.make_graph([helper.make_node("Identity", ["joined"], ["b"])], "other", [], ends[1:])
    choice = helper.make_node("If", ["yes"], ["out"], then_branch=first, else_branch=other)
    assert_same(made(JOINED, yes, choice, shape=None), ROWS)


def test_trees_in_a_function() -> None:
    domains = [helper.make_opsetid("", 21), helper.make_opsetid(ML, 5)]
    function = helper.make_function("own", "Scored", ["v"], ["y"], [trees("v", "y")], domains)
    call = helper.make_node("Scored", ["joined"], ["out"], domain="own", name="/call")
    assert_same(made(JOINED, call, functions=(function,)), ROWS)


@pytest.mark.parametrize("operator", UNTYPED)
def test_what_reads_something_unknown_is_refused(operator: str) -> None:
    foreign = helper.make_node("Strange", ["x"], ["strange"], domain="foreign", name="/strange")
    last = helper.make_node(operator, ["strange"], ["out"], domain=UNTYPED[operator], name="/last")
    proto = made(foreign, last, ml=1 if operator != "TreeEnsemble" else 5)
    proto.opset_import.append(helper.make_opsetid("foreign", 1))
    with pytest.raises(FormatError):
        compile_model(proto, ROWS[:40, None], limb=8)
