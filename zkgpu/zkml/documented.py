"""docs/operators.md, made from the tables of rules: `python -m zkgpu.zkml.documented > docs/operators.md`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zkgpu.zkml import classifiers, restated
from zkgpu.zkml.expansion.rules import RULES as expansion_rules
from zkgpu.zkml.functions import BINARY, CHEAP, FUNCTIONS
from zkgpu.zkml.honored import HONORED, Honored
from zkgpu.zkml.lowering.shapes import MOVES
from zkgpu.zkml.onnx_model import import_onnx
from zkgpu.zkml.supported import FOLDED, OPERATORS

COUNTS = Path(__file__).parents[2] / "tests" / "data" / "onnx" / "node_models.json"
"""What became of each of onnx' own models of one node, as the nightly tests write it."""

_HEAD = """# Operators of ONNX

Made by `python -m zkgpu.zkml.documented > docs/operators.md` from the tables that the compiler itself reads
(`zkgpu/zkml/supported.py`, `honored.py`, `restated.py`, `quantize.py`). Whatever is not in them is refused by the
node's name; `zkgpu zkml check MODEL.onnx` lists all of it at once, without data.

- **Since**: the first opset in which a node means what the rules take it for. Newer ones are honored as long as they
  add no attribute: one that is not listed is refused.
- **Attributes** have their effect; with a value, they are taken at that value alone, as their absence means.
- **Computed**: which inputs may depend on the model's inputs. All others must be constants, or follow from shapes.
- **Types**: reals are float, float16 and double. Integers that are tables, places or truths may have any width.
  Arithmetic on integers that would wrap around or round is refused.
- **Constraints**: by entry of the output where nothing else is said, before rescaling, which takes as many as an
  activation has limbs. Arithmetic with constants, and moves of entries, take none.

Every tensor has a fixed shape when a model is compiled: lengths that a file leaves open are those of the calibration. A
batch of more than one that a file fixes is proven as such. Control flow that does not depend on the input, sequences,
recurrent cells and a model's own functions are written out, in at most 65,536 nodes. Weights are at most 2 GB;
integers of a layer have at most 62 bits, sums of it at most what the field can hold.
"""
_COLUMNS = ("operator", "since", "attributes", "computed", "types", "constraints")
_NONE, _TABLE = "none", "a table: 2, and its length once"
_COSTS: Mapping[str, str] = {
    **dict.fromkeys(
        ("Gemm", "MatMul", "Conv", "ConvTranspose"), "none with public weights; private: half a product each, or less"
    ),
    **dict.fromkeys(("LinearClassifier", "LinearRegressor"), "as Gemm, and of the classes as ArgMax"),
    **dict.fromkeys(("Add", "Sub", "Sum", "Mean", "Neg"), _NONE),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "AveragePool", "GlobalAveragePool", "Scaler"), _NONE),
    **dict.fromkeys(("BatchNormalization", "Resize", "Upsample"), _NONE),
    **dict.fromkeys(("Concat", "CumSum", "Pad"), _NONE),
    **dict.fromkeys(("Gather", "GatherElements"), "none; computed places of computed entries 2 a place there is"),
    "QuantizeLinear": "the limbs of what rounding drops, and a clamp; behind a function a table",
    "DequantizeLinear": _NONE,
    "OneHot": "1, and two range checks a place",
    **dict.fromkeys(("Scatter", "ScatterElements", "ScatterND"), "none; max and min a range check of each update"),
    "TopK": "3, and a range check, of each input",
    "Mul": "1; by a constant none",
    "Div": "by a constant none; by a tensor three range checks; of integers as a table",
    "Relu": "3 with many: a choice, the limbs of its distance from 0, and of what rounding drops",
    "LeakyRelu": "as Relu",
    "PRelu": "as Relu",
    "Clip": "as Relu, with a choice and a distance for each end, or 3 by a table",
    **dict.fromkeys(("GlobalMaxPool", "ReduceMax", "ReduceMin", "Max", "Min"), "1, and a range check, of each input"),
    "MaxPool": "1, and a range check, for each entry of a window, one axis after the other",
    **dict.fromkeys(("ArgMax", "ArgMin", "Hardmax"), "a range check of each input"),
    **dict.fromkeys(("Softmax", "LogSoftmax"), "about 11"),
    **dict.fromkeys(("LayerNormalization", "GroupNormalization", "InstanceNormalization"), "2, and some 20 a row"),
    **dict.fromkeys(("Less", "LessOrEqual", "Greater", "GreaterOrEqual"), "as Clip"),
    "Equal": "as two of Less",
    "Not": _NONE,
    **dict.fromkeys(("And", "Or", "Xor"), "1; with a constant none"),
    "Where": "1; where the condition is a constant none",
    **dict.fromkeys(("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"), "about 2 a branch"),
}


def document(counts: Mapping[str, Any] | None) -> str:
    """The text of docs/operators.md.

    Args:
        counts: outcomes of onnx' node models, see COUNTS
    """
    header = [_row(_COLUMNS), _row(["---"] * len(_COLUMNS))]
    rows = [_row(_cells(operator)) for operator in OPERATORS]
    return "\n".join([_HEAD, *header, *rows, "", *_node_models(counts), ""])


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(operator: str) -> list[str]:
    schemas = _schemas(operator)
    honored = HONORED.get(operator, Honored())
    ml = "ai.onnx.ml." if schemas and schemas[-1].domain == "ai.onnx.ml" else ""
    since = max(honored.since, min((schema.since_version for schema in schemas), default=1))
    return [f"{ml}{operator}", str(since), _attributes(honored), _computed(operator), _types(operator), _cost(operator)]


def _schemas(operator: str) -> list[Any]:
    """All versions of an operator, the oldest first."""
    found = [s for s in import_onnx().defs.get_all_schemas_with_history() if s.name == operator]
    return sorted((s for s in found if s.domain in ("", "ai.onnx.ml")), key=lambda s: int(s.since_version))


def _attributes(honored: Honored) -> str:
    return ", ".join([*sorted(honored.attributes), *(f"{n} = {v}" for n, v in sorted(honored.only.items()))])


def _computed(operator: str) -> str:
    honored = HONORED.get(operator, Honored())
    names = dict.fromkeys(i.name for schema in _schemas(operator)[-1:] for i in schema.inputs)
    if operator in ("Constant", "ConstantOfShape"):
        return _NONE
    if honored.constant:
        return f"all but {', '.join(name for i, name in enumerate(names) if i in honored.constant)}"
    if honored.computed is None or len(names) <= 1:
        return "all"
    return ", ".join(name for i, name in enumerate(names) if i in honored.computed)


def _types(operator: str) -> str:
    if operator in restated.ROUNDING:
        return "reals"
    if operator == "Equal":
        return "integers, truths"
    return "reals, int32, int64" if operator in restated.WRAPPING else "all"


def _cost(operator: str) -> str:
    """Of an operator that is in no table: what it is restated as does."""
    if operator in _COSTS:
        return _COSTS[operator]
    if operator in MOVES or operator in FOLDED or operator in CHEAP:
        return _NONE
    if operator in FUNCTIONS or operator in BINARY:
        return _TABLE
    has_parts = operator in restated.RULES or operator in classifiers.RULES or operator in expansion_rules
    return "of its parts" if has_parts else ""


def _node_models(counts: Mapping[str, Any] | None) -> Iterator[str]:
    """A table of counts."""
    yield "## The models of one node in the onnx package\n"
    if counts is None:
        yield "Not counted yet: the nightly tests write `tests/data/onnx/node_models.json`."
        return
    kinds = list(dict.fromkeys(kind for name in ("all", "without expanded ones") for kind in counts[name]))
    yield f"Of onnx {counts['onnx']}, each with all inputs computed, or one of them; the best that comes of it.\n"
    yield _row(["models", *kinds])
    yield _row(["---"] * (1 + len(kinds)))
    for name in ("all", "without expanded ones"):
        yield _row([name, *(f"{counts[name].get(kind, 0):,}" for kind in kinds)])


def counted(path: Path = COUNTS) -> Any:
    """The outcomes in a file, or None where there is none."""
    return json.loads(path.read_text()) if path.is_file() else None


if __name__ == "__main__":
    sys.stdout.write(document(counted()))
