"""Dense and convolution layers, sums and products: float weights to integers."""

from __future__ import annotations

import math

import numpy as np

from zkgpu.errors import FormatError
from zkgpu.zkml.graph import Array, Graph, Node
from zkgpu.zkml.lowering import norms
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.lowering.masks import MASK, is_for_softmax, is_unseen
from zkgpu.zkml.lowering.windows import Walk, Windows, phases
from zkgpu.zkml.operations import Linear, MatMul, Maximum, Multiply, Total

_FINEST_MULTIPLIER = 2  # of the channel with the largest weights: others have smaller ones
_MULTIPLIER_OF_UNROUNDED = 4  # the same where sums are not rounded, for channels with smaller weights
_NEGLIGIBLE = 2.0**44  # products so far below the sums round to 0
_NEGLIGIBLE_IN_STREAMS = 2.0**90  # where what attention gives is not rounded
WIDEST = 40  # bits of what is multiplied by weights, whose products would be that far below with more
_ROUNDING = ("Relu", "Clip", "LeakyRelu", "Function")  # operators that round what they read
_WIDEST_FACTORS = 2.0**32  # between the factors of two columns


def dense(builder: Builder, node: Node) -> Quantized:
    x = builder.tensors[node.inputs[0]]
    weight, bias = (builder.graph.constants[name].astype(np.float64) for name in node.inputs[1:3])
    if builder.settings.by_column and node.inputs[0] in builder.calibration.columns:
        x, weight, bias = _even(builder, node, x, weight, bias)
    x = norms.rounded_first(builder, node.inputs[0]) or x
    rows = builder.reshape(x, (1, -1 if weight.shape[0] == 0 else _rows(builder, x), weight.shape[0]))
    out = linear(builder, node, rows, weight[None], bias[None])
    return builder.reshape(out, builder.graph.shapes[node.output])


def _even(builder: Builder, node: Node, x: Quantized, weight: Array, bias: Array) -> tuple[Quantized, Array, Array]:
    """An input whose columns all reach about 1, those far from 0 less a number near them; weights and bias for it."""
    (name, *_), calibration = node.inputs, builder.calibration
    reaches = np.array(calibration.columns[name])
    reaches = np.where(reaches > 0, reaches, 1.0)
    low, high = (np.array(ends) for ends in calibration.channels.get(name, (np.zeros(1), np.zeros(1))))
    near = np.rint(np.where(high - low < np.maximum(low, -high), (low + high) / 2, 0.0) / x.scale) * x.scale
    if near.any():
        x = builder.combine([x], [1], x.scale, -near / x.scale)
    x = scaled(builder, x, 1 / reaches, np.zeros(1), builder.shape(x))
    most = min(builder.wide, WIDEST)
    if builder.interval(x).bits > most:
        least = builder.interval(x).magnitude * x.scale / 2.0 ** (most - 1)
        x = builder.requantize(x, max(1 / (2 ** builder.bits(name) - 1) / builder.spare(most), least))
    return x, weight * reaches[:, None], bias + near @ weight if near.any() else bias


def _rows(builder: Builder, x: Quantized) -> int:
    return math.prod(builder.shape(x)[:-1])


def convolution(builder: Builder, node: Node) -> Quantized:
    name, weight = node.inputs[0], builder.graph.constants[node.inputs[1]]
    x = builder.narrow(builder.tensors[name], name, min(builder.wide, WIDEST))
    channels, groups = weight.shape[0], int(node.attributes.get("group", 1))
    shape = builder.graph.shapes[node.output]
    windows = Windows.of(node, builder.shape(x), weight.shape[2:], shape[2:])
    patches = builder.arrange([x], windows.patches(groups))
    batch = builder.shape(x)[0]
    flat = weight.reshape(groups, channels // groups, -1).swapaxes(1, 2)
    out = linear(builder, node, patches, flat, _bias(builder, node, groups, channels), windows.walk(weight.shape[1]))
    return builder.arrange([out], _channels_first(groups, batch, windows.count, channels).reshape(shape))


def _bias(builder: Builder, node: Node, groups: int, channels: int) -> Array:
    """(groups, channels of a group), 0 where the node has none."""
    given = len(node.inputs) > 2 and node.inputs[2]
    bias = builder.graph.constants[node.inputs[2]] if given else np.zeros(channels)
    return np.broadcast_to(bias, (channels,)).reshape(groups, -1)


def transposed_convolution(builder: Builder, node: Node) -> Quantized:
    """A convolution of stride 1 for each phase of the strides (windows.Phase), their places put between each other."""
    name, weight = node.inputs[0], builder.graph.constants[node.inputs[1]]
    x, groups = builder.narrow(builder.tensors[name], name), int(node.attributes.get("group", 1))
    (batch, fan_in, *space), shape = builder.shape(x), builder.graph.shapes[node.output]
    kernel, out = weight.shape[2:], shape[2:]
    flat = weight.reshape(groups, fan_in // groups, weight.shape[1], -1)
    bias = _bias(builder, node, groups, shape[1])
    sum_scale(builder, node, x, flat.transpose(0, 1, 3, 2).reshape(groups, -1, weight.shape[1]))
    images = np.arange(batch * fan_in).reshape(batch, groups, 1, -1, 1) * math.prod(space)
    parts, order = [], np.zeros((batch, shape[1], math.prod(out)), dtype=np.int64)
    start = 0
    for phase in phases(node, tuple(space), kernel, out):
        count = len(phase.outputs)
        inside = phase.places[:, None]
        places = np.where(inside < 0, -1, images + inside)  # image, group, place, channel, tap
        rows = places.swapaxes(0, 1).reshape(groups, batch * count, -1)
        taps = flat[..., phase.taps].swapaxes(2, 3).reshape(groups, -1, weight.shape[1])
        walk = phase.walk(batch, fan_in // groups)
        parts.append(linear(builder, node, builder.arrange([x], rows), taps, bias, walk))
        order[..., phase.outputs] = start + _channels_first(groups, batch, count, shape[1]).reshape(batch, shape[1], -1)
        start += order[..., phase.outputs].size
    return builder.arrange(parts, order.reshape(shape))


def _channels_first(groups: int, batch: int, count: int, channels: int) -> Array:
    """Positions that turn (group, image and place, channel) into (image, channel, place)."""
    positions = np.arange(batch * count * channels).reshape(groups, batch, count, channels // groups)
    turned: Array = positions.transpose(1, 0, 3, 2)
    return turned


def linear(
    builder: Builder, node: Node, x: Quantized, weight: Array, bias: Array, walk: Walk | None = None
) -> Quantized:
    """x @ weight + bias, group by group, at a scale that a later requantization reaches by dropping whole limbs.

    Args:
        walk: places and shifts of the rows and columns of x, where they are patches of images
    """
    shape = builder.shape(x)
    computed = next(name for name in node.inputs if name not in builder.graph.constants)
    x = builder.reshape(builder.narrow(x, computed, min(builder.wide, WIDEST)), shape)
    per_channel, scale = sum_scale(builder, node, x, weight)
    multiplier = builder.rounded(np.maximum(1, np.ceil(per_channel / scale - 1e-9)))
    units = multiplier * scale
    integers = builder.weights(weight * x.scale / units[:, None, :])
    offset = builder.rounded(bias / units)
    places, shifts = walk or (None, None)
    out = builder.add(
        Linear, [x], scale, weight=integers, multiplier=multiplier, bias=offset, places=places, shifts=shifts
    )
    builder.finer[out.name] = max(0, round(math.log2(_nominal_of_sums(builder, node) / scale)))
    return out


def sum_scale(
    builder: Builder, node: Node, x: Quantized, weight: Array, target: float | None = None, *, is_rounded: bool = True
) -> tuple[Array, float]:
    """(scales of the products of each channel, scale of the layer's sums, which is that of its first weights).

    Sums of whole numbers that the file has as such are exact.

    Args:
        target: the scale that the sums are to reach by dropping whole limbs; that of the layer's output by default
        is_rounded: whether they are rounded at all: else they are only as fine as their products
    """
    if builder.graph.is_integral(node.output) and x.scale == 1.0 and is_whole(weight):
        return np.ones((len(weight), weight.shape[2])), builder.scales.setdefault(node.output, 1.0)
    top = 2 ** (builder.weight_bits(node.output) - 1) - 1
    per_channel = np.abs(weight).max(axis=1) / top * x.scale  # (g, n)
    largest = float(per_channel.max())
    if not math.isfinite(largest):
        raise FormatError(f"layer '{node.name}': one of its weights is not a finite number")
    if is_rounded or not largest:
        scale = _scale_of_sums(builder, target or _nominal_of_sums(builder, node), largest)
    else:
        scale = largest / _MULTIPLIER_OF_UNROUNDED
    return per_channel, builder.scales.setdefault(node.output, scale)


def _nominal_of_sums(builder: Builder, node: Node) -> float:
    """The scale that a layer's sums are rounded to: that of what they are added up to, where it is rounded at once.

    All layers that are added then have one scale, which is a whole number of limbs above that of the rounded sum.
    """
    return builder.nominal(_rounded_at_once(builder.graph, node.output) or node.output)


def _rounded_at_once(graph: Graph, name: str) -> str | None:
    """The tensor, or the sum that it is a term of, that nothing reads but what rounds it; None where there is none."""
    while (reader := graph.sole_consumer(name)) is not None and _is_sum(graph, reader):
        name = reader.output
    return name if reader is not None and reader.operator in _ROUNDING else None


def _is_sum(graph: Graph, node: Node) -> bool:
    return node.operator in ("Add", "Sub") and all(graph.constant(name) is None for name in node.inputs)


def _scale_of_sums(builder: Builder, target: float, largest: float) -> float:
    """A scale that whole limbs lie below the wanted one, such that the largest channel's multiplier is small."""
    largest = max(largest, target / (_NEGLIGIBLE_IN_STREAMS if builder.settings.stream else _NEGLIGIBLE))
    return target / 2.0 ** builder.whole_limbs(math.log2(target * _FINEST_MULTIPLIER / largest))


def matmul(builder: Builder, node: Node) -> Quantized:
    """The product of two tensors that both depend on the input; a constant side becomes weights."""
    graph = builder.graph
    constant = [graph.constant(name) for name in node.inputs[:2]]
    if constant[0] is not None or constant[1] is not None:
        return _constant_matmul(builder, node, constant)
    x, y = (builder.narrow(builder.tensors[name], name) for name in node.inputs)
    if len(builder.shape(x)) == 1:
        x = builder.reshape(x, (1, *builder.shape(x)))
    if len(builder.shape(y)) == 1:
        y = builder.reshape(y, (*builder.shape(y), 1))
    outer = np.broadcast_shapes(builder.shape(x)[:-2], builder.shape(y)[:-2])
    x, y = (_batched(builder, v, outer) for v in (x, y))
    out = builder.add(MatMul, [x, y], x.scale * y.scale)
    return builder.reshape(out, graph.shapes[node.output])


def _batched(builder: Builder, x: Quantized, outer: tuple[int, ...]) -> Quantized:
    shape = builder.shape(x)
    positions = np.broadcast_to(np.arange(math.prod(shape)).reshape(shape), (*outer, *shape[-2:]))
    wanted = (math.prod(outer), *shape[-2:])
    return x if shape == wanted else builder.arrange([x], positions.reshape(wanted))


def _constant_matmul(builder: Builder, node: Node, constant: list[Array | None]) -> Quantized:
    """weight @ x, as the transpose of x^T @ weight^T; or one weight matrix for each group. A vector is one row."""
    left = constant[0] is not None
    x, shape = builder.tensors[node.inputs[1 if left else 0]], builder.graph.shapes[node.output]
    positions: Array = np.arange(math.prod(builder.shape(x))).reshape(builder.shape(x))
    weight = np.asarray(constant[0] if left else constant[1])
    positions, weight = (_with_two_axes(a, first) for a, first in ((positions, not left), (weight, left)))
    if left:
        weight, positions = np.swapaxes(weight, -1, -2), np.swapaxes(positions, -1, -2)
    outer = np.broadcast_shapes(weight.shape[:-2], positions.shape[:-2])
    m, k = int(positions.shape[-2]), int(positions.shape[-1])
    several = outer if weight.ndim > 2 else ()  # one matrix has all rows in one group
    groups = math.prod(several)
    rows = builder.arrange([x], np.broadcast_to(positions, (*outer, m, k)).reshape(groups, -1, k))
    matrices = np.broadcast_to(weight, (*several, *weight.shape[-2:])).reshape(groups, k, -1)
    out = linear(builder, node, rows, matrices, np.zeros((groups, matrices.shape[2])))
    order = np.arange(math.prod(shape)).reshape(*outer, m, -1)
    return builder.arrange([out], (np.swapaxes(order, -1, -2) if left else order).reshape(shape))


def _with_two_axes(array: Array, is_first: bool) -> Array:
    """A vector as a row where it is the first factor, as a column where it is the second; any other array."""
    return array if array.ndim > 1 else array[None, :] if is_first else array[:, None]


# sums and products


def add(builder: Builder, node: Node) -> Quantized:
    sign = -1 if node.operator == "Sub" else 1
    constants = [builder.graph.constant(name) for name in node.inputs]
    if constants[0] is not None or constants[1] is not None:
        return _add_constant(builder, node, constants, sign)
    most = max(builder.wide, WIDEST) if _rounded_at_once(builder.graph, node.output) else None  # by one for both terms
    pair = [builder.narrow(builder.tensors[name], name, most) for name in node.inputs]
    multipliers, scale = builder.aligned(pair)
    return builder.combine(pair, [multipliers[0], sign * multipliers[1]], scale)


def total_of_many(builder: Builder, node: Node) -> Quantized:
    """Sum and Mean of any number of tensors."""
    parts, scale = builder.together(builder.read(node))
    return builder.combine(parts, [1] * len(parts), scale / (len(parts) if node.operator == "Mean" else 1))


def extreme_of_many(builder: Builder, node: Node) -> Quantized:
    """Max and Min of any number of tensors, entry by entry."""
    parts, _ = builder.together(builder.read(node))
    shape = builder.graph.shapes[node.output]
    places = [np.broadcast_to(p, shape) for p in builder.positions(parts)]
    return extreme(builder, parts, np.stack(places, axis=-1), largest=node.operator == "Max")


def extreme(builder: Builder, parts: list[Quantized], rows: Array, *, largest: bool) -> Quantized:
    """The largest, or the least, of each row of entries. The least is the opposite of the largest opposite."""
    row = builder.arrange(parts, rows)
    if largest:
        return builder.add(Maximum, [row], row.scale)
    return negated(builder, builder.add(Maximum, [negated(builder, row)], row.scale))


def negated(builder: Builder, x: Quantized) -> Quantized:
    return builder.combine([x], [-1], x.scale)


def _add_constant(builder: Builder, node: Node, constants: list[Array | None], sign: int) -> Quantized:
    first = constants[0] is None
    x = builder.tensors[node.inputs[0 if first else 1]]
    value = np.asarray(constants[1] if first else constants[0], dtype=np.float64)
    value, factor = (sign * value, 1) if first else (value, sign)
    units = 1 if x.scale == 1.0 and is_whole(value) else builder.units_below(x)
    scale = x.scale / units
    low, high = (builder.interval(x).least * x.scale, builder.interval(x).greatest * x.scale)
    if is_unseen(builder.graph, node.output):
        value = np.where(value < MASK, 0.0, value)
        builder.hidden.add(node.output)
    elif is_for_softmax(builder.graph, node.output):
        value = np.where(value < MASK, np.maximum(value, 2 * (low - high) - 64), value)
    shape = builder.graph.shapes[node.output]
    x = expanded(builder, x, shape)
    return builder.combine([x], [factor * units], scale, value / scale)


def is_whole(value: Array) -> bool:
    return bool((value == np.rint(value)).all())


def expanded(builder: Builder, x: Quantized, shape: tuple[int, ...]) -> Quantized:
    own = builder.shape(x)
    if own == shape:
        return x
    return builder.arrange([x], np.broadcast_to(np.arange(math.prod(own)).reshape(own), shape))


def multiply(builder: Builder, node: Node) -> Quantized:
    """A product: with a constant a change of scale, entry by entry where it must be."""
    constants = [builder.graph.constant(name) for name in node.inputs]
    if constants[0] is None and constants[1] is None:
        x, y = (builder.narrow(builder.tensors[name], name) for name in node.inputs)
        return builder.add(Multiply, [x, y], x.scale * y.scale)
    at = 0 if constants[0] is None else 1
    value = np.asarray(constants[1 - at], dtype=np.float64)
    with np.errstate(divide="ignore"):
        value = 1 / value if node.operator == "Div" else value
    x, shape = builder.tensors[node.inputs[at]], builder.graph.shapes[node.output]
    if x.scale == 1.0 and builder.graph.is_integral(node.output) and is_whole(value):
        return builder.combine([expanded(builder, x, shape)], [value], 1.0)
    return scaled(builder, x, value, np.zeros(1), shape)


def scale_and_offset(builder: Builder, node: Node) -> Quantized:
    x = builder.tensors[node.inputs[0]]
    factor, offset = (builder.graph.constants[name] for name in node.inputs[1:3])
    return scaled(builder, x, factor, offset, builder.graph.shapes[node.output])


def scaled(builder: Builder, x: Quantized, factor: Array, offset: Array, shape: tuple[int, ...]) -> Quantized:
    """factor * x + offset for constant arrays. One positive number, and no offset, only changes the scale."""
    if not np.isfinite(factor).all() or not np.isfinite(offset).all():
        raise FormatError(
            f"layer '{builder.layer}' multiplies by, or divides by, a constant that gives no finite number"
        )
    x = expanded(builder, x, shape)
    factor, offset = (a.reshape(()) if a.size == 1 else a for a in (factor, offset))
    largest = float(np.abs(factor).max()) or 1.0
    if factor.size == 1 and float(np.ravel(factor)[0]) > 0 and not offset.any():
        return Quantized(x.name, x.scale * largest)
    top = 1 if np.unique(np.abs(factor)).size == 1 else units(builder, factor)
    if offset.any():
        top = max(top, builder.units_below(x))
    scale = x.scale * largest / top
    return builder.combine([x], [factor / largest * top], scale, offset / scale)


def units(builder: Builder, factor: Array) -> int:
    """What the largest factor becomes, so that a middling one, or of columns each, fills the width of a weight."""
    least: int = 2 ** (builder.settings.bits - 1) - 1
    sizes = np.abs(factor[factor != 0])
    if builder.settings.by_column:
        return math.ceil(least * min(float(sizes.max() / sizes.min()), _WIDEST_FACTORS))
    return math.ceil(least * min(float(sizes.max() / np.median(sizes)), 64.0))


def negate(builder: Builder, node: Node) -> Quantized:
    return negated(builder, builder.tensors[node.inputs[0]])


def mean(builder: Builder, node: Node) -> Quantized:
    """ReduceMean and ReduceSum over any axes."""
    x = builder.narrow(builder.tensors[node.inputs[0]], node.inputs[0])
    shape = builder.shape(x)
    chosen = builder.graph.reduced_axes(node)
    kept = [a for a in range(len(shape)) if a not in chosen]
    positions = np.arange(math.prod(shape)).reshape(shape).transpose(*kept, *chosen)
    rows = builder.arrange([x], positions.reshape(*(shape[a] for a in kept), -1))
    count = math.prod(shape[a] for a in chosen) if node.operator == "ReduceMean" else 1
    out = builder.add(Total, [rows], x.scale / count)
    return builder.reshape(out, builder.graph.shapes[node.output])


def running_sums(builder: Builder, node: Node) -> Quantized:
    """CumSum: of each entry and all before it, or behind it; without the entry itself where it is exclusive."""
    x = builder.narrow(builder.tensors[node.inputs[0]], node.inputs[0])
    (positions,) = builder.positions([x])
    axis = int(np.ravel(builder.graph.constants[node.inputs[1]])[0]) % positions.ndim
    lines = np.moveaxis(positions, axis, -1)
    added = np.tri(lines.shape[-1], k=-int(node.attributes.get("exclusive", 0)), dtype=bool)
    rows = np.where(added[::-1, ::-1] if node.attributes.get("reverse", 0) else added, lines[..., None, :], -1)
    return builder.add(Total, [builder.arrange([x], np.moveaxis(rows, -2, axis))], x.scale)
