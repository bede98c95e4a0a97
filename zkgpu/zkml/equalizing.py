"""Channels of different sizes between two layers with weights, brought to one size at no constraint.

A channel is divided by a number in the weights of the first layer and multiplied by it in those of the second: what
lies between them, Relu and pooling, passes a positive factor on. So each channel fills the integers of its tensor.
(Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", arXiv 1906.04721.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from zkgpu.records import dataclass
from zkgpu.zkml.calibrated import Calibration
from zkgpu.zkml.graph import Array, Graph, Node

_PASSING = ("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LeakyRelu", "MaxPool", "Relu")
_WITH_WEIGHTS = ("Conv", "Dense")
_LEAST = 2.0**-12  # of a channel beside the largest one
UNEVEN = 4.0  # how much larger than another a channel is that is worth it


@dataclass(frozen=True)
class Pair:
    """Two layers with weights, and the tensors between them, in order."""

    first: Node
    second: Node
    tensors: tuple[str, ...]


def pairs(graph: Graph) -> list[Pair]:
    """Each Conv or Dense that only another of its kind reads, through what passes a factor on."""
    found = (_pair(graph, node) for node in graph.nodes if node.operator in _WITH_WEIGHTS)
    return [pair for pair in found if pair is not None]


def _pair(graph: Graph, first: Node) -> Pair | None:
    tensors = [first.output]
    reader = graph.sole_consumer(first.output)
    while reader is not None and reader.operator in _PASSING and len(reader.outputs) == 1:
        tensors.append(reader.output)
        reader = graph.sole_consumer(reader.output)
    if reader is None or reader.operator != first.operator or reader.attributes.get("group", 1) != 1:
        return None
    is_read = reader.inputs[0] == tensors[-1] and reader.inputs[1] in graph.constants
    return Pair(first, reader, tuple(tensors)) if is_read and first.inputs[1] in graph.constants else None


def channel_axis(node: Node) -> int:
    return 1 if node.operator == "Conv" else -1


def has_uneven_channels(graph: Graph, calibration: Calibration) -> bool:
    reaches = [_reach(calibration, pair) for pair in _known(graph, calibration)]
    return any(reach.max() > UNEVEN * reach[reach > 0].min(initial=np.inf) for reach in reaches)


def _known(graph: Graph, calibration: Calibration) -> list[Pair]:
    return [pair for pair in pairs(graph) if pair.tensors[-1] in calibration.channels]


def _reach(calibration: Calibration, pair: Pair) -> Array:
    low, high = calibration.channels[pair.tensors[-1]]
    return np.maximum(np.abs(low), np.abs(high))


def equalized(graph: Graph, calibration: Calibration) -> tuple[Graph, Calibration, set[str]]:
    """The same function with even channels; the bounds of its tensors; and those that hold other numbers now."""
    changed: set[str] = set()
    for pair in _known(graph, calibration):
        reach = _reach(calibration, pair)
        factors = np.where(reach > 0, np.maximum(reach / (reach.max() or 1.0), _LEAST), 1.0)
        current = {node.output: node for node in graph.nodes}  # the first layer may be the second one of another pair
        first, mine = _divided(graph, current[pair.first.output], factors)
        second, its = _multiplied(graph, current[pair.second.output], factors)
        made = {first.output: first, second.output: second}
        graph = graph.with_nodes([made.get(node.output, node) for node in graph.nodes], {**mine, **its})
        calibration = _rescaled(calibration, pair.tensors, factors)
        changed.update(pair.tensors)
    return graph, calibration, changed


def _divided(graph: Graph, node: Node, factors: Array) -> tuple[Node, Mapping[str, Array]]:
    """The layer whose outputs are divided by the factors."""
    weight, names = graph.constants[node.inputs[1]].astype(np.float64), _names(node)
    along = factors.reshape(-1, *(1,) * (weight.ndim - 1)) if node.operator == "Conv" else factors
    arrays = {names[0]: weight / along}
    if len(node.inputs) > 2 and node.inputs[2]:
        arrays[names[1]] = graph.constants[node.inputs[2]].astype(np.float64) / factors
    return replace(node, inputs=(node.inputs[0], *arrays)), arrays


def _multiplied(graph: Graph, node: Node, factors: Array) -> tuple[Node, Mapping[str, Array]]:
    """The layer whose inputs are multiplied by the factors."""
    weight, name = graph.constants[node.inputs[1]].astype(np.float64), _names(node)[0]
    along = factors.reshape(1, -1, *(1,) * (weight.ndim - 2)) if node.operator == "Conv" else factors[:, None]
    return replace(node, inputs=(node.inputs[0], name, *node.inputs[2:])), {name: weight * along}


def _names(node: Node) -> tuple[str, str]:
    return f"{node.output}.even.weight", f"{node.output}.even.bias"


def _rescaled(calibration: Calibration, tensors: tuple[str, ...], factors: Array) -> Calibration:
    known = calibration.channels
    ends = {n: tuple(np.asarray(end) / factors for end in known[n]) for n in tensors if n in known}
    low = {name: float(least.min()) for name, (least, _) in ends.items()}
    high = {name: float(greatest.max()) for name, (_, greatest) in ends.items()}
    return replace(calibration, low={**calibration.low, **low}, high={**calibration.high, **high})
