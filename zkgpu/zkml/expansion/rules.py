"""The operators that are written out before anything else is done with a model, and when they can be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from zkgpu.zkml.expansion import control, norms, recurrent, scatter, sequences
from zkgpu.zkml.expansion.attention import attention, layer_statistics, rotary_embedding
from zkgpu.zkml.expansion.einsum import einsum
from zkgpu.zkml.expansion.writer import Writer
from zkgpu.zkml.graph import Graph, Node
from zkgpu.zkml.honored import computed_constants

Rule = Callable[[Graph, Node, Writer], None]

RULES: Mapping[str, Rule] = {
    **control.RULES,
    **sequences.RULES,
    **dict.fromkeys(recurrent.OPERATORS, recurrent.unroll),
    "Attention": attention,
    "Einsum": einsum,
    **dict.fromkeys(("GlobalLpPool", "LpPool"), norms.lp_pool),
    "GatherND": scatter.gather_nd,
    "LRN": norms.local_response,
    "LayerNormalization": layer_statistics,
    "MeanVarianceNormalization": norms.mean_variance,
    "ReduceProd": norms.product,
    "RotaryEmbedding": rotary_embedding,
    **dict.fromkeys(("Scatter", "ScatterElements"), scatter.scatter_elements),
}
WRITTEN_OUT = {*RULES, "Identity"}  # in some cases; an Identity where it is one of a sequence
_OF_ANY_SHAPE = ("If", "Loop", "SequenceConstruct", "SequenceEmpty")  # operators whose rules ask for no shape


def rule_for(node: Node, held: Collection[str]) -> Rule | None:
    """What writes a node out, if anything does.

    Args:
        held: the names of sequences
    """
    if node.operator == "Identity":
        return sequences.same if node.inputs[0] in held else None
    if node.operator == "LayerNormalization" and not any(node.outputs[1:]):
        return None
    return RULES.get(node.operator)


def is_asked_for(graph: Graph, node: Node) -> bool:
    """Whether a node that has a rule is to be written out, as far as its inputs tell."""
    return node.operator not in scatter.OPERATORS or scatter.is_computed(graph, node)


def is_ready(graph: Graph, node: Node, held: Collection[str]) -> bool:
    """Whether what the rule for a node asks for is known: constants, shapes and sequences."""
    if computed_constants(graph, node):
        return False
    if node.operator in sequences.OF_A_SEQUENCE:
        return node.inputs[0] in held
    asked = [name for name in node.inputs if name and name not in graph.constants]
    return node.operator in _OF_ANY_SHAPE or all(name in graph.shapes for name in asked)
