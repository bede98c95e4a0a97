"""The operators that can be compiled, which are those of the tables of rules, and the refusal of all others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zkgpu.errors import FormatError
from zkgpu.zkml import classifiers, machines, norms, patterns, restated, shares, tabular
from zkgpu.zkml.expansion import rules
from zkgpu.zkml.functions import BINARY, CHEAP, FUNCTIONS
from zkgpu.zkml.graph import Graph, Node, Refusal, refuse, unsupported
from zkgpu.zkml.lowering import shapes
from zkgpu.zkml.onnx_model import import_onnx
from zkgpu.zkml.quantize import RULES
from zkgpu.zkml.trees import TREES

FOLDED = ("Constant", "ConstantOfShape", "EyeLike", "IsInf", "IsNaN", "Shape", "Size", "ZipMap")
"""Nothing of these is left when a graph has been read."""
_NORMS = ("Normalize", "RootMeanSquare")
_BY_REWRITES = {*restated.MADE, *tabular.MADE, *machines.MADE, *shares.MADE}
_MADE = {"Function", *_NORMS, "Dense", "Scale", "Names", TREES, *_BY_REWRITES}  # not in any file

OPERATORS = tuple(
    sorted(
        {
            *(*FOLDED, *restated.RULES, *classifiers.RULES, *norms.OPERATORS, *patterns.OPERATORS),
            *(*rules.RULES, *RULES, *shapes.MOVES, *FUNCTIONS, *CHEAP, *BINARY),
        }
        - _MADE
    )
)
"""What a model may hold, as ONNX names it. Functions of one tensor may be made of any number of these."""


INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"), "the float model, or static scales"),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul"), "QuantizeLinear and DequantizeLinear (QuantFormat.QDQ)"),
    **dict.fromkeys(("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"), "an input instead"),
    **dict.fromkeys(("Bernoulli", "Multinomial"), "an input instead"),
    **dict.fromkeys(("LabelEncoder", "CategoryMapper", "OneHotEncoder", "FeatureVectorizer"), "its result as an input"),
    **dict.fromkeys(("StringNormalizer", "TfIdfVectorizer", "Tokenizer"), "its result as an input"),
    **dict.fromkeys(("DFT", "STFT", "MelWeightMatrix"), "MatMul with constant matrices"),
    **dict.fromkeys(("NonMaxSuppression", "NonZero", "Unique"), "end the model before it, with --tensor"),
}
"""What would do in place of operators that no integer network has."""


def require_operators(graph: Graph, refuse: Refusal = refuse) -> None:
    """Raises FormatError naming the first node whose operator has no rule, unless `refuse` does else."""
    for node in graph.nodes:
        if node.operator not in OPERATORS:
            text = f"node '{node.name}': operator {node.operator} is not supported"
            refuse(unsupported(node, "it is not supported", _instead(node), f"{text}: `zkgpu zkml check` lists all"))


def _instead(node: Node) -> str:
    """What would do in place of an operator: what the table says, or the operators that ONNX defines it by."""
    if "." in node.operator:
        return f"export without operators of {node.operator.rpartition('.')[0]}"
    return INSTEAD.get(node.operator) or _in_parts(node)


def _in_parts(node: Node) -> str:
    onnx = import_onnx()
    try:
        body = onnx.defs.get_schema(node.operator).function_body
    except onnx.defs.SchemaError:
        return ""
    parts = list(dict.fromkeys(part.op_type for part in body.node if part.op_type not in (*FOLDED, "CastLike")))
    return f"its parts: {', '.join(parts)}" if parts and set(parts) <= set(OPERATORS) else ""


def require_shapes(graph: Graph, refuse: Refusal = refuse) -> None:
    """Raises FormatError naming a node that writes a tensor of unknown shape, or weights that are no numbers.

    `refuse` may do else about the former.
    """
    read = {name for node in graph.nodes for name in node.inputs} | set(graph.outputs)
    for node in graph.nodes:
        for name in node.outputs:
            if name in read and name not in graph.shapes:
                refuse(unsupported(node, f"the shape of '{name}' cannot be inferred before it runs"))
            elif name in read and 0 in graph.shapes[name]:
                refuse(unsupported(node, f"its output '{name}' of shape {graph.shapes[name]} is empty"))
    ends = {name for node in graph.nodes if node.operator == "Clip" for name in node.inputs[1:]}
    lists = {node.inputs[0] for node in graph.nodes if node.operator == "ArrayFeatureExtractor"}  # texts may be
    read_here = {name for node in graph.nodes for name in node.inputs if name in graph.constants}
    for name in (n for n in read_here if n not in lists or graph.constants[n].dtype.kind != "O"):
        value = graph.constants[name]
        if value.dtype.kind not in "fiub":
            raise FormatError(f"weights '{name}' are not numbers")
        if (
            value.dtype.kind == "f"
            and not (np.isfinite(value) | np.isneginf(value) | (name in ends) & (value > 0)).all()
        ):
            raise FormatError(f"weights '{name}' hold a value that is not a finite number")
