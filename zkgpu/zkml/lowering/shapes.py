"""Operators that only move entries: each is run once, on positions instead of values; -1 stands for 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from zkgpu.zkml.graph import Array, Graph, Node, one_value, unsupported
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
    parts, _ = builder.together(builder.read(node))
    return builder.arrange(parts, np.concatenate(builder.positions(parts), int(node.attributes["axis"])))


def pad(builder: Builder, node: Node) -> Quantized:
    """Entries around a tensor: a constant, or its own, reflected, repeated or from the other end."""
    x, value = builder.tensors[node.inputs[0]], one_value(builder.graph.argument(node, 2, "value", np.zeros(1)))
    mode = node.attributes.get("mode", "constant")
    if mode not in ("constant", "reflect", "edge", "wrap") or value is None:
        raise unsupported(node, f"padding of the mode '{mode}' is not supported")
    (here,) = builder.positions([x])
    padded = _padded(builder.graph, node, here, mode)
    if not value or mode != "constant":
        return builder.arrange([x], padded)
    parts, _ = builder.together([x, np.array(value)])
    return builder.arrange(parts, np.where(padded < 0, here.size, padded))


def _padded(graph: Graph, node: Node, positions: Array, mode: str) -> Array:
    """Positions, with -1 for the constant. Negative widths cut entries off."""
    pads = np.ravel(graph.argument(node, 1, "pads")).astype(np.int64)
    axes = np.ravel(graph.argument(node, 3, "axes", np.arange(positions.ndim))).astype(np.int64) % positions.ndim
    widths = np.zeros((positions.ndim, 2), dtype=np.int64)
    widths[axes] = pads.reshape(2, -1).T
    if (widths < 0).any() and mode != "constant":
        raise unsupported(node, f"a negative width is not supported in the mode '{mode}'")
    inside = tuple(
        slice(max(-b, 0), n - max(-e, 0)) for n, (b, e) in zip(positions.shape, widths.tolist(), strict=True)
    )
    filled = {"constant_values": -1} if mode == "constant" else {}
    padded: Array = np.pad(positions[inside], np.maximum(widths, 0), mode, **filled)  # type: ignore[call-overload]
    return padded


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
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes.tolist(), steps.tolist(), strict=True):
        positions = np.take(positions, _stretch(positions.shape[axis], start, end, step), axis)
    return positions


def _stretch(length: int, start: int, end: int, step: int) -> Array:
    """The places that a slice takes of an axis, whose ends are brought inside as ONNX has it."""
    least, most = (0, length) if step > 0 else (-1, length - 1)
    start, end = (v + length if v < 0 else v for v in (start, end))
    return np.arange(min(max(start, max(least, 0)), most), min(max(end, least), most), step)


def _gather(graph: Graph, node: Node, positions: Array) -> Array:
    indices = graph.constants[node.inputs[1]].astype(np.int64)
    return np.take(positions, indices, axis=int(node.attributes.get("axis", 0)))


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


def _trilu(graph: Graph, node: Node, positions: Array) -> Array:
    """The triangle above or below a diagonal of each matrix."""
    diagonal = int(one_value(graph.argument(node, 1, "k")) or 0)
    triangle = np.triu if node.attributes.get("upper", 1) else np.tril
    return np.where(triangle(np.ones(positions.shape[-2:], dtype=bool), diagonal), positions, -1)


def along(places: Array, axis: int) -> tuple[Array, ...]:
    """The index that takes entries at places along an axis, each from the line in which its place stands."""
    grid: list[Array] = list(np.indices(places.shape))
    grid[axis] = places.astype(np.int64)
    return tuple(grid)


def _gather_elements(graph: Graph, node: Node, positions: Array) -> Array:
    return positions[along(graph.constants[node.inputs[1]], int(node.attributes.get("axis", 0)))]


def _gather_nd(graph: Graph, node: Node, positions: Array) -> Array:
    places = graph.constants[node.inputs[1]].astype(np.int64)
    lead = int(node.attributes.get("batch_dims", 0))
    stacks = positions.reshape(-1, *positions.shape[lead:])
    chosen = [x[tuple(at.T)] for x, at in zip(stacks, places.reshape(len(stacks), -1, places.shape[-1]), strict=True)]
    return np.stack(chosen).reshape(graph.shapes[node.output])


def _compress(graph: Graph, node: Node, positions: Array) -> Array:
    """Entries at places that are true; without an axis, of all entries in a row."""
    axis = node.attributes.get("axis")
    positions = positions.ravel() if axis is None else positions
    return np.take(positions, np.flatnonzero(graph.constants[node.inputs[1]]), int(axis or 0))


def _reverse_sequence(graph: Graph, node: Node, positions: Array) -> Array:
    """The first entries of each sequence the other way round; as many as its length says."""
    lengths = graph.constants[node.inputs[1]].astype(np.int64)
    batch, time = (int(node.attributes.get(key, i)) for key, i in (("batch_axis", 1), ("time_axis", 0)))
    lines = np.moveaxis(positions, (batch, time), (0, 1)).copy()
    for line, length in zip(lines, lengths.tolist(), strict=True):
        line[:length] = line[:length][::-1].copy()
    return np.moveaxis(lines, (0, 1), (batch, time))


def _center_crop_pad(graph: Graph, node: Node, positions: Array) -> Array:
    """Axes cut or padded at both ends, with the odd entry at the end."""
    wanted = graph.constants[node.inputs[1]].ravel().tolist()
    axes = node.attributes.get("axes") or range(positions.ndim)
    for axis, length in zip(axes, wanted, strict=True):
        cut = max(positions.shape[axis] - length, 0) // 2
        positions = np.take(positions, np.arange(cut, cut + min(length, positions.shape[axis])), axis)
        missing = length - positions.shape[axis]
        widths = [(0, 0)] * positions.ndim
        widths[axis] = missing // 2, missing - missing // 2
        positions = np.pad(positions, widths, constant_values=-1)
    return positions


MOVES: dict[str, Move] = {
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _known_shape),
    "CenterCropPad": _center_crop_pad,
    "Compress": _compress,
    "Expand": _expand,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "ReverseSequence": _reverse_sequence,
    "Slice": _slice,
    "Split": _split,
    "Tile": _tile,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
}
