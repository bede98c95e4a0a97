"""A model is parsed, checked and handed to onnxruntime once; what is honored of its nodes is in one table."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx
from zkgpu.cli.program import main
from zkgpu.errors import FormatError
from zkgpu.inference import compile_model
from zkgpu.zkml import calibration, onnx_model
from zkgpu.zkml.graph import Graph, Node
from zkgpu.zkml.honored import HONORED, require_honored
from zkgpu.zkml.supported import OPERATORS

SAMPLES = normal(40, 6)


def dense():
    nodes = [node("Gemm", "x w", "z"), node("Relu", "z", "a"), node("Sigmoid", "a", "out")]
    return model(nodes, {"x": ("N", 6)}, weights={"w": normal(6, 5)})


@pytest.fixture
def calls(monkeypatch) -> Counter[str]:
    """How often a model was loaded, checked, and made a session of."""
    found: Counter[str] = Counter()
    for place, name in ((onnx_model, "_checked"), (onnx.checker, "check_model"), (calibration, "Session")):
        monkeypatch.setattr(place, name, counted(found, name, getattr(place, name)))
    return found


def counted(found: Counter[str], name: str, function):
    def call(*args, **options):
        found[name] += 1
        return function(*args, **options)

    return call


def test_a_model_is_parsed_once_and_run_in_one_session(calls) -> None:
    compile_model(dense().SerializeToString(), SAMPLES, limb=6)
    assert calls == {"_checked": 1, "check_model": 1, "Session": 1}


def test_the_command_parses_a_model_once_too(calls, tmp_path) -> None:
    onnx.save(dense(), tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", SAMPLES)
    with pytest.raises(SystemExit) as stopped:
        main(["zkml", "estimate", str(tmp_path / "m.onnx"), "--calibrate", str(tmp_path / "x.npy")])
    assert not stopped.value.code
    assert calls == {"_checked": 1, "check_model": 1, "Session": 1}


def test_the_table_of_what_is_honored_has_known_operators_only() -> None:
    assert set(HONORED) <= set(OPERATORS)


def attributes_of_all_versions():
    """Each version of each supported operator, with each of its attributes."""
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.name in OPERATORS and schema.domain in ("", "ai.onnx.ml"):
            yield from ((schema.name, schema.since_version, name) for name in schema.attributes)


def test_an_attribute_that_is_not_in_the_table_is_refused_by_name() -> None:
    for operator, opset, attribute in attributes_of_all_versions():
        honored = HONORED.get(operator)
        if operator in ("Constant", "ConstantOfShape", "Shape", "ZipMap") or (
            honored and attribute in {*honored.attributes, *honored.only}
        ):
            continue
        made = Node("n", operator, ("x",), ("y",), {attribute: 1}, opset)
        with pytest.raises(FormatError, match=rf"'n' \({operator}\): (its attribute {attribute} is not|opset)"):
            require_honored(Graph({"x": (1, 2)}, ("y",), (made,), {}, {"x": (1, 2), "y": (1, 2)}))


def test_an_operator_of_another_domain_is_not_taken_for_the_standard_one() -> None:
    strange = model([node("Relu", "x", "out")], {"x": (1, 6)})
    strange.graph.node[0].domain = "com.example"
    strange.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
    with pytest.raises(FormatError, match=r"'/out': operator com.example.Relu is not supported"):
        compile_model(strange, SAMPLES)


def test_a_file_of_the_third_version_whose_initializers_are_no_inputs_is_read() -> None:
    old = dense()
    old.ir_version = 3
    assert compile_model(old, SAMPLES, limb=6).accuracy


def test_what_onnxruntime_cannot_run_is_the_fault_of_the_file() -> None:
    nodes = [node("Gather", "x i", "g", axis=1), node("Relu", "g", "out")]
    beyond = model(nodes, {"x": (1, 6)}, weights={"i": np.array([2, 9])})
    with pytest.raises(FormatError, match="onnxruntime cannot run this model"):
        compile_model(beyond, SAMPLES)
