"""Norms along an axis or over windows, and products, by the operators they stand for."""

from __future__ import annotations

from math import prod

import numpy as np

from zkgpu.zkml.expansion.writer import Writer
from zkgpu.zkml.graph import Array, Graph, Node, Shape

_LOCAL = 1e-4, 0.75, 1.0  # alpha, beta and bias of a local response normalization


def product(graph: Graph, node: Node, write: Writer) -> None:
    """ReduceProd: by halves, so that no more factors come together than there must be."""
    x, axes = node.inputs[0], graph.reduced_axes(node)
    rows = _rows(graph, x, axes)
    found, left = write.moved(x, rows), rows.shape[1]
    while left > 1:
        even, odd = (write.gather(found, range(start, left - left % 2, 2), 1) for start in (0, 1))
        halves = write.add("Mul", even, odd)
        found = write.add("Concat", halves, write.gather(found, [left - 1], 1), axis=1) if left % 2 else halves
        left = left // 2 + left % 2
    write.reshape(found, graph.shapes[node.output], to=node.output)


def _rows(graph: Graph, x: str, axes: list[int]) -> Array:
    """(n, m): where the entries lie that have the same place on all other axes, a row for each."""
    shape = graph.shapes[x]
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    count = prod(shape[axis] for axis in axes)
    rows: Array = np.arange(prod(shape)).reshape(shape).transpose(*kept, *axes).reshape(-1, count)
    return rows


def mean_variance(graph: Graph, node: Node, write: Writer) -> None:
    """(x - mean) / sqrt(variance) over axes."""
    x, shape = node.inputs[0], graph.shapes[node.inputs[0]]
    rows = _rows(graph, x, sorted(int(axis) % len(shape) for axis in node.attributes.get("axes") or (0, 2, 3)))
    entries = write.moved(x, rows)
    distance = write.add("Sub", entries, write.mean(entries, (1,)))
    variance = write.mean(write.add("Mul", distance, distance), (1,))
    found = write.add("Div", distance, write.add("Sqrt", variance))
    write.moved(found, np.argsort(rows.ravel()).reshape(shape), to=node.output)


def local_response(graph: Graph, node: Node, write: Writer) -> None:
    """LRN: x / (bias + alpha / size * the sum of squares over channels nearby) ^ beta."""
    x, shape, size = node.inputs[0], graph.shapes[node.inputs[0]], int(node.attributes["size"])
    alpha, beta, bias = (
        float(node.attributes.get(k, v)) for k, v in zip(("alpha", "beta", "bias"), _LOCAL, strict=True)
    )
    squares = write.reshape(write.add("Mul", x, x), (shape[0], 1, shape[1], prod(shape[2:])))
    before, after = (size - 1) // 2, size // 2
    mean = write.add("AveragePool", squares, kernel_shape=(size, 1), pads=(before, 0, after, 0), count_include_pad=1)
    base = write.add("Add", write.add("Mul", write.reshape(mean, shape), write.constant(alpha)), write.constant(bias))
    write.add("Mul", x, write.add("Pow", base, write.constant(-beta)), to=node.output)


def lp_pool(graph: Graph, node: Node, write: Writer) -> None:
    """The p-th root of the sum of p-th powers over windows, or over all of an image."""
    x, p = node.inputs[0], float(node.attributes.get("p", 2))
    powers = _power(write, x, p)
    if node.operator == "GlobalLpPool":
        total = write.sum(powers, range(2, len(graph.shapes[x])))
    else:
        total = _window_sums(graph, node, powers, write)
    if p == 1:
        write.add("Identity", total, to=node.output)
    elif p == 2:
        write.add("Sqrt", total, to=node.output)
    else:
        write.add("Pow", total, write.constant(1 / p), to=node.output)


def _window_sums(graph: Graph, node: Node, powers: str, write: Writer) -> str:
    """Of entries in windows, those of the padding being 0."""
    shape, out = graph.shapes[node.inputs[0]], graph.shapes[node.output][2:]
    outer, space = shape[:2], shape[2:]
    before, after = _padding(node, space, out)
    padded = write.add("Pad", powers, write.constant(np.array([0, 0, *before, 0, 0, *after], np.int64)))
    sizes = [n + b + a for n, b, a in zip(space, before, after, strict=True)]
    kernel, strides, dilations = _windows(node, len(space))
    places = np.arange(prod(outer) * prod(sizes)).reshape(*outer, *sizes)
    for i, count in enumerate(out):
        starts = np.arange(count)[:, None] * strides[i] + np.arange(kernel[i]) * dilations[i]
        places = np.moveaxis(places.take(starts, axis=2 + i), 3 + i, -1)  # the window's own axis goes last
    rows = places.reshape(*outer, *out, -1)
    return write.sum(write.moved(padded, rows), (rows.ndim - 1,), keepdims=0)


def _windows(node: Node, rank: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Kernel, strides and dilations."""
    strides, dilations = (tuple(node.attributes.get(key) or (1,) * rank) for key in ("strides", "dilations"))
    return tuple(node.attributes["kernel_shape"]), strides, dilations


def _padding(node: Node, space: Shape, out: Shape) -> tuple[list[int], list[int]]:
    """Zeros before and behind each axis; behind it for windows too that begin in it and end beyond, as of ceil_mode."""
    rank, (kernel, strides, dilations) = len(space), _windows(node, len(space))
    needed = [(n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(out, strides, kernel, dilations, strict=True)]
    missing = [max(0, reach - n) for reach, n in zip(needed, space, strict=True)]
    automatic = node.attributes.get("auto_pad", "NOTSET")
    given = node.attributes.get("pads") or (0,) * 2 * rank
    before = list(given[:rank])
    if automatic.startswith("SAME"):
        before = [(m + (automatic == "SAME_LOWER")) // 2 for m in missing]
    return before, [max(0, m - b) for m, b in zip(missing, before, strict=True)]


def _power(write: Writer, x: str, p: float) -> str:
    """|x| ^ p."""
    if p == 2:
        return write.add("Mul", x, x)
    size = write.add("Abs", x)
    return size if p == 1 else write.add("Pow", size, write.constant(p))
