"""docs/operators.md says what the tables of rules say."""

from __future__ import annotations

from pathlib import Path

from tests.zkml.models import onnx
from zkgpu.zkml.documented import counted, document
from zkgpu.zkml.supported import OPERATORS

DOCUMENT = Path(__file__).parents[2] / "docs" / "operators.md"


def test_the_documented_operators_are_those_that_are_compiled() -> None:
    assert DOCUMENT.read_text() == document(counted()), "python -m zkgpu.zkml.documented > docs/operators.md"


def test_every_operator_is_one_of_onnx_and_has_all_of_its_columns() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas_with_history()}
    rows = [line.split("|")[1:-1] for line in document(None).splitlines() if line.startswith("|")][2:]
    assert [row[0].strip().removeprefix("ai.onnx.ml.") for row in rows] == list(OPERATORS)
    assert set(OPERATORS) <= known
    for row in rows:
        assert row[1].strip().isdigit(), row
        assert row[3].strip(), row
        assert row[4].strip(), row


def test_outcomes_of_the_node_models_are_counted() -> None:
    text = document({"onnx": "1.2", "all": {"right": 1234, "refused": 5}, "without expanded ones": {"right": 7}})
    assert "| models | right | refused |\n| --- | --- | --- |\n| all | 1,234 | 5 |\n" in text
    assert "| without expanded ones | 7 | 0 |" in text
