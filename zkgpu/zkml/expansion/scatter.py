"""ScatterElements and GatherND at computed places, by comparisons with all places and as Gather of rows."""

from __future__ import annotations

import numpy as np

from zkgpu.zkml.expansion.writer import Writer
from zkgpu.zkml.graph import Graph, Node, unsupported

OPERATORS = ("GatherND", "Scatter", "ScatterElements")
_ROWS_ONLY = "only rows along the first axis are supported there"
_COUNTING = ("ArgMax", "ArgMin", "TopK")  # operators whose places are never below 0


def is_computed(graph: Graph, node: Node) -> bool:
    """Whether the places of a node depend on the input."""
    return node.operator in OPERATORS and node.inputs[1] not in graph.constants


def gather_nd(graph: Graph, node: Node, write: Writer) -> None:
    """As Gather along the first axis, where each place is a single number."""
    data, places = node.inputs
    *shape, numbers = graph.shapes[places]
    if numbers != 1 or node.attributes.get("batch_dims", 0):
        raise unsupported(node, f"its input '{places}' is computed, and gives places by {numbers} numbers", _ROWS_ONLY)
    write.add("Gather", data, write.reshape(places, shape), axis=0, to=node.output)


def scatter_elements(graph: Graph, node: Node, write: Writer) -> None:
    """Of each line along the axis one update after another, so that of two at one place the later stays.

    That is what onnxruntime does; ONNX leaves it open. With reduction "add" both are added.
    """
    (data, places, updates), reduction = node.inputs, node.attributes.get("reduction", "none")
    shape, counts = list(graph.shapes[data]), list(graph.shapes[places])
    axis = int(node.attributes.get("axis", 0)) % len(shape)
    if reduction not in ("none", "add"):
        raise unsupported(node, f"reduction = '{reduction}' at computed places is not supported, only none and add")
    if [*shape[:axis], *shape[axis + 1 :]] != [*counts[:axis], *counts[axis + 1 :]]:
        raise unsupported(node, f"its places of shape {tuple(counts)} leave lines of {tuple(shape)} out")
    none = write.constant(np.zeros(())) if reduction == "add" else ""
    for i in range(counts[axis]):
        here = _here(graph, node, write, write.gather(places, [i], axis), axis)
        update = write.gather(updates, [i], axis)
        if reduction == "add":
            data = write.add("Add", data, write.add("Where", here, update, none))
        else:
            data = write.add("Where", here, update, data)
    write.add("Identity", data, to=node.output)


def _here(graph: Graph, node: Node, write: Writer, place: str, axis: int) -> str:
    """Truths: which entry along the axis a place is, by its number or, counted from the end, by one below 0."""
    shape, kind = graph.shapes[node.inputs[0]], graph.types.get(node.inputs[1], np.dtype(np.int64))
    numbers = np.arange(shape[axis], dtype=kind).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    here = write.add("Equal", place, write.constant(numbers))
    producer = graph.producers().get(node.inputs[1])
    if producer is not None and producer.operator in _COUNTING:
        return here
    return write.add("Or", here, write.add("Equal", place, write.constant(numbers - shape[axis])))
