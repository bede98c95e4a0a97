"""The largest of windows or axes, and means of windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations

import numpy as np

from zkgpu.zkml.graph import Array, Node, unsupported
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.lowering.windows import Windows
from zkgpu.zkml.operations import Maximum, Total

_DIVISOR_BITS = 14  # of the least of several factors that divide sums over windows of several sizes
_ALL_PADDING = "one of its windows lies wholly in the padding"


def max_pool(builder: Builder, node: Node) -> Quantized:
    """The largest along one axis after the other: windows that overlap along it share what they have of the others."""
    x = builder.tensors[node.inputs[0]]
    shape = builder.shape(x)
    kernel = shape[2:] if node.operator == "GlobalMaxPool" else node.attributes["kernel_shape"]
    windows = Windows.of(node, shape, [int(k) for k in kernel], builder.graph.shapes[node.output][2:])
    axes = [_padding_repeats_an_entry(node, places) for places in windows.places_of_axes]
    read = [np.unique(places) for places in axes]
    positions = np.arange(math.prod(shape)).reshape(shape)[np.ix_(*map(np.arange, shape[:2]), *read)]
    axes = [np.searchsorted(own, places) for own, places in zip(read, axes, strict=True)]
    for axis in min(permutations(range(len(axes))), key=lambda order: _pairs(axes, order)):
        rows = np.moveaxis(positions.take(axes[axis], axis=2 + axis), 3 + axis, -1)
        x = builder.add(Maximum, [builder.arrange([x], rows)], x.scale)
        positions = np.arange(math.prod(builder.shape(x))).reshape(builder.shape(x))
    return x


def _pairs(axes: Sequence[Array], order: Sequence[int]) -> int:
    """How many times the larger of two is taken of one channel, where axes come in that order."""
    lengths, total = [int(places.max()) + 1 for places in axes], 0
    for axis in order:
        lengths[axis] = len(axes[axis])
        total += math.prod(lengths) * (axes[axis].shape[1] - 1)
    return total


def _padding_repeats_an_entry(node: Node, places: Array) -> Array:
    """Padding never wins a maximum: it is replaced by a place of the same window that lies inside."""
    inside = places.max(axis=-1, keepdims=True)
    if inside.min() < 0:
        raise unsupported(node, _ALL_PADDING)
    return np.where(places < 0, inside, places)


def reduce_max(builder: Builder, node: Node) -> Quantized:
    x = builder.tensors[node.inputs[0]]
    shape = builder.shape(x)
    chosen = builder.graph.reduced_axes(node)
    kept = [a for a in range(len(shape)) if a not in chosen]
    positions = np.arange(math.prod(shape)).reshape(shape).transpose(*kept, *chosen)
    rows = builder.arrange([x], positions.reshape(*(shape[a] for a in kept), -1))
    return builder.reshape(builder.add(Maximum, [rows], x.scale), builder.graph.shapes[node.output])


def average_pool(builder: Builder, node: Node) -> Quantized:
    x = builder.narrow(builder.tensors[node.inputs[0]], node.inputs[0])
    shape = builder.shape(x)
    kernel = shape[2:] if node.operator == "GlobalAveragePool" else node.attributes["kernel_shape"]
    windows = Windows.of(node, shape, [int(k) for k in kernel], builder.graph.shapes[node.output][2:])
    counts = (windows.places >= 0).sum(axis=-1)
    if node.attributes.get("count_include_pad", 0):
        counts = np.broadcast_to(windows.sizes, counts.shape)
    if counts.min() == 0:
        raise unsupported(node, _ALL_PADDING)
    common = math.lcm(*(int(c) for c in np.unique(counts)))
    common = min(common, int(counts.max()) << _DIVISOR_BITS)
    out = builder.add(Total, [builder.arrange([x], windows.places)], x.scale / common)
    if (counts != common).any():
        out = builder.combine([out], [common / counts], out.scale)
    return builder.reshape(out, builder.graph.shapes[node.output])
