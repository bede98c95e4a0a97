"""Operators that only move entries: each is run once, on positions instead of values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from zkgpu.zkml.graph import Array, Graph, Node, unsupported
from zkgpu.zkml.lowering.builder import Builder, Quantized

Move = Callable[[Graph, Node, Array], Array | list[Array]]


def move(builder: Builder, node: Node) -> None:
    """Records each output of a node that reads one tensor."""
    x = builder.tensors[node.inputs[0]]
    shape = builder.shape(x)
    positions = np.arange(math.prod(shape)).reshape(shape)
    moved = MOVES[node.operator](builder.graph, node, positions)
    parts: Sequence[Array] = moved if isinstance(moved, list) else [moved]
    for name, part in zip(node.outputs, parts, strict=False):
        builder.tensors[name] = builder.arrange([x], part)


def concatenate(builder: Builder, node: Node) -> Quantized:
    """Tensors and constants side by side, brought to one scale."""
    parts = builder.parts(node)
    multipliers, scale = builder.aligned(parts)
    parts = [x if m == 1 else builder.combine([x], [m], scale) for x, m in zip(parts, multipliers, strict=True)]
    starts = np.cumsum([0, *(math.prod(builder.shape(x)) for x in parts)])
    positions = [
        np.arange(math.prod(builder.shape(x))).reshape(builder.shape(x)) + start
        for x, start in zip(parts, starts, strict=False)
    ]
    axis = int(node.attributes["axis"])
    return builder.arrange([Quantized(x.name, scale) for x in parts], np.concatenate(positions, axis))


def _split(graph: Graph, node: Node, positions: Array) -> list[Array]:
    axis = int(node.attributes.get("axis", 0))
    lengths = [graph.shapes[name][axis] for name in node.outputs]
    return np.split(positions, np.cumsum(lengths)[:-1], axis)


def _known_shape(graph: Graph, node: Node, positions: Array) -> Array:
    return positions.reshape(graph.shapes[node.output])


def _transpose(graph: Graph, node: Node, positions: Array) -> Array:
    turned: Array = positions.transpose(node.attributes.get("perm") or None)
    return turned


def _slice(graph: Graph, node: Node, positions: Array) -> Array:
    starts, ends = (np.ravel(graph.argument(node, i, key)) for i, key in ((1, "starts"), (2, "ends")))
    axes = np.ravel(graph.argument(node, 3, "axes", np.arange(len(starts))))
    steps = np.ravel(graph.argument(node, 4, "steps", np.ones(len(starts), dtype=np.int64)))
    key = [slice(None)] * positions.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        stop = None if step < 0 and end <= -positions.shape[axis] - 1 else int(end)
        key[int(axis)] = slice(int(start), stop, int(step))
    return positions[tuple(key)]


def _gather(graph: Graph, node: Node, positions: Array) -> Array:
    indices = graph.constants[node.inputs[1]].astype(np.int64)
    return np.take(positions, indices, axis=int(node.attributes.get("axis", 0)))


def _pad(graph: Graph, node: Node, positions: Array) -> Array:
    pads = graph.argument(node, 1, "pads")
    value = graph.argument(node, 2, "value", 0.0)
    if pads is None or np.any(value) or np.any(np.less(pads, 0)):
        raise unsupported(node, "only padding with zeros is supported")
    pads = np.ravel(pads)
    axes = np.ravel(graph.argument(node, 3, "axes", np.arange(positions.ndim)))
    widths = [(0, 0)] * positions.ndim
    for i, axis in enumerate(axes):
        widths[int(axis)] = (int(pads[i]), int(pads[i + len(axes)]))
    return np.pad(positions, widths, constant_values=-1)


def _expand(graph: Graph, node: Node, positions: Array) -> Array:
    return np.broadcast_to(positions, graph.shapes[node.output])


def _tile(graph: Graph, node: Node, positions: Array) -> Array:
    repeats: list[int] = np.ravel(graph.constants[node.inputs[1]]).tolist()
    return np.tile(positions, repeats)


def _depth_to_space(graph: Graph, node: Node, positions: Array) -> Array:
    """Channels as the places of blocks: DCR has a block's places before the channels that are left, CRD behind."""
    (batch, channels, height, width), side = positions.shape, int(node.attributes["blocksize"])
    rest = channels // side**2
    if node.attributes.get("mode", "DCR") == "DCR":
        blocks = positions.reshape(batch, side, side, rest, height, width).transpose(0, 3, 4, 1, 5, 2)
    else:
        blocks = positions.reshape(batch, rest, side, side, height, width).transpose(0, 1, 4, 2, 5, 3)
    found: Array = blocks.reshape(graph.shapes[node.output])
    return found


def _space_to_depth(graph: Graph, node: Node, positions: Array) -> Array:
    (batch, channels, height, width), side = positions.shape, int(node.attributes["blocksize"])
    blocks = positions.reshape(batch, channels, height // side, side, width // side, side)
    found: Array = blocks.transpose(0, 3, 5, 1, 2, 4).reshape(graph.shapes[node.output])
    return found


MOVES: dict[str, Move] = {
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _known_shape),
    "Transpose": _transpose,
    "Slice": _slice,
    "Split": _split,
    "Gather": _gather,
    "Pad": _pad,
    "Expand": _expand,
    "Tile": _tile,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
}
