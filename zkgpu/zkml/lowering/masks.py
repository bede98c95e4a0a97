"""Masks that are known when a model is compiled: what a softmax does not see is not computed.

A constant far below 0 that is added in front of a softmax, or chosen by a constant condition, leaves a share of 0. Such
entries need no exponential, and no distance from the maximum: each row of the softmax holds only what it sees.
"""

from __future__ import annotations

import math

import numpy as np

from zkgpu.zkml.graph import Array, Graph, Node
from zkgpu.zkml.lowering.shapes import MOVES

MASK = -1e4  # constants below, in front of a softmax, are masks: it gives 0 all the same
_MOVING = ("Expand", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
_ON_THE_WAY = ("Add", "Where", *_MOVING)  # of a mask to a softmax


def is_for_softmax(graph: Graph, name: str) -> bool:
    """Whether nothing but softmaxes read a tensor, as it is, in another shape or added to others."""
    return bool(_softmaxes(graph, name))


def is_unseen(graph: Graph, name: str) -> bool:
    """Whether all that reads a tensor are softmaxes that leave out what a mask hides."""
    found = _softmaxes(graph, name)
    return bool(found) and all(hidden(graph, node) is not None for node in found)


def _softmaxes(graph: Graph, name: str) -> list[Node]:
    """The softmaxes that read a tensor; none where anything else does."""
    readers, found = graph.consumers().get(name, []), list[Node]()
    for reader in readers:
        passed = _softmaxes(graph, reader.output) if reader.operator in _ON_THE_WAY else []
        found += [reader] if reader.operator == "Softmax" else passed
        if reader.operator != "Softmax" and not passed:
            return []
    return [] if name in graph.outputs else found


def hidden(graph: Graph, node: Node) -> Array | None:
    """Which entries a softmax does not see, in the shape of its input; None for none, and where a row is all masks."""
    found = _masked(graph, node.inputs[0])
    axis = int(node.attributes.get("axis", -1))
    return found if found.any() and not found.all(axis=axis).any() else None


def _masked(graph: Graph, name: str) -> Array:
    """Which entries of a tensor are masks, whatever the inputs."""
    shape, nothing = graph.shapes[name], np.zeros(graph.shapes[name], dtype=bool)
    if name in graph.constants:
        value = graph.constants[name]
        return np.broadcast_to(value < MASK, shape) if value.dtype.kind == "f" else nothing
    node = graph.producers().get(name)
    if node is None:
        return nothing
    if node.operator == "Add":
        return np.logical_or(*(_masked(graph, n) for n in node.inputs))
    if node.operator == "Where" and node.inputs[0] in graph.constants:
        condition = graph.constants[node.inputs[0]].astype(bool)
        return np.broadcast_to(np.where(condition, *(_masked(graph, n) for n in node.inputs[1:])), shape)
    return _moved(graph, node) if node.operator in _MOVING else nothing


def _moved(graph: Graph, node: Node) -> Array:
    before = _masked(graph, node.inputs[0])
    places = MOVES[node.operator](graph, node, np.arange(math.prod(before.shape)).reshape(before.shape))
    moved: Array = before.ravel()[np.asarray(places)]
    return moved
