"""Steps, tables, pools, softmax and normalization."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations

import numpy as np

from zkgpu.errors import FormatError
from zkgpu.zkml.clamps import FARTHEST
from zkgpu.zkml.functions import BINARY
from zkgpu.zkml.graph import Array, Node, one_value, unsupported
from zkgpu.zkml.lowering import labels
from zkgpu.zkml.lowering.builder import CLOSE, Builder, Quantized, is_apart
from zkgpu.zkml.lowering.linear import expanded, negated
from zkgpu.zkml.lowering.masks import hidden
from zkgpu.zkml.lowering.windows import Windows
from zkgpu.zkml.operations import (
    SEEN,
    SEEN_HIGH,
    SEEN_LOW,
    STEEP,
    ArgMax,
    Lookup,
    Maximum,
    Multiply,
    Normalize,
    Requantize,
    RootMeanSquare,
    Softmax,
    TopK,
    Total,
)
from zkgpu.zkml.ramps import varying

_USUAL = 12, 1 / 32  # bits of the largest entry of a table of exp, and the exponent between neighbors in it, at most
_OF_TABLE = 14, 1 / 128  # those of a small model of tables, where more bits are wanted
_OF_STREAM = 10, 7  # the first, and bits of the reciprocal, where what the shares weigh is not rounded
_OPEN = 1e30  # an end of a clip beyond this one is none
_FEWEST_UNITS = 128  # between the ends of a clip
_DIVISOR_BITS = 14  # of the least of several factors that divide sums over windows of several sizes
_ALL_PADDING = "one of its windows lies wholly in the padding"
_FINE = 10  # bits of the index of a table that many share, at most two beyond those of others
_CLAMP = 6  # constraints of a clamp of one number, about
_MOST_TABLES = 16  # of a function by the numbers in a constant
_LONGEST = 1 << 14  # rows of a table of all integers of a tensor
_BELOW_ONE = 8  # bits that whole numbers get below 1 before they are normalized
_FACTOR = 24  # bits of a factor, above which it is rounded to the width of an activation
_FACTOR_BY_COLUMN = 48  # the same where columns differ in size, of which the smallest is to keep its steps
_APART, _JUMP = 1, 64  # units from 0 within which a number may round to 0; and how far a function may jump there
_FINEST = 1 << 24  # units from 0 that a value of a table may be
_LEAST_REACH = 64  # units that entries of a row reach before its squares are taken, so that epsilon is a part of one
_PROBES, _BEYOND = 257, np.array([0, 0.07, 0.13, 0.29, 0.61, 1.3, 2.7, 5.9, 17, 64])  # of a range, and parts beyond it
_WILD = 16  # times what was seen of a function's values: how far a table of it may reach that has no pole
_SPREAD = 16  # times as far as a function varies, where few of a table's rows would tell its values apart
_STEEP = 1 / 10  # of how far it reaches in a range: how much one that is not steep changes in a clamp's farthest move
_STILL = 1 / 32  # of how far a function reaches in a range: by how much one may change that stays what it is
_GUARD = 8  # bits of a reciprocal or an inverse root beyond what its range takes


def relu(builder: Builder, node: Node) -> Quantized:
    x = builder.tensors[node.inputs[0]]
    return builder.bounded(x, builder.nominal(node.output), 0, builder.bits(node.output), node.output)


def leaky_relu(builder: Builder, node: Node) -> Quantized:
    """alpha * x + (1 - alpha) * max(x, 0), from one requantization of x and one Relu."""
    alpha = float(node.attributes.get("alpha", 0.01))
    x = builder.tensors[node.inputs[0]]
    if alpha in (0.0, 1.0):
        return x if alpha else relu(builder, node)
    positive = builder.requantize(x, builder.nominal_here(node.output), 0)
    linear = Quantized(x.name, x.scale * abs(alpha))
    part = Quantized(positive.name, positive.scale * abs(1 - alpha))
    (mine, its), scale = builder.aligned([linear, part])
    return builder.combine([x, positive], [mine if alpha > 0 else -mine, its if alpha < 1 else -its], scale)


def leaky_relu_by_channel(builder: Builder, node: Node) -> Quantized:
    """slope * x + (1 - slope) * max(x, 0), with factors that fill the width of a weight or more."""
    x, slope = builder.tensors[node.inputs[0]], builder.graph.constants[node.inputs[1]].astype(np.float64)
    positive = builder.requantize(x, builder.nominal_here(node.output), 0)
    scale = min(x.scale, positive.scale) / 2 ** builder.bits(node.output)
    factors = slope * x.scale / scale, (1 - slope) * positive.scale / scale
    return builder.combine([x, positive], factors, scale)


def clip(builder: Builder, node: Node) -> Quantized:
    """Rounded and clamped; where the ends lie only a few units apart, or are one, in smaller units."""
    low, high = (one_value(builder.graph.argument(node, i, key)) for i, key in ((1, "min"), (2, "max")))
    low, high = (None if b is None or abs(b) > _OPEN else b for b in (low, high))
    x = builder.tensors[node.inputs[0]]
    scale = builder.nominal(node.output)
    reached = builder.reached_scale(x, scale)
    factor = 1
    if low is not None and high is not None:
        low = min(low, high)  # as ONNX has it, the upper bound wins
        factor = math.ceil(reached * _FEWEST_UNITS / (high - low or abs(low) or math.inf))
    if any(b is not None and not _is_whole(b / reached) for b in (low, high)):
        factor = max(factor, math.floor(reached / scale))
    if factor > 1:
        x, scale = builder.combine([x], [factor], x.scale / factor), scale / factor
    reached = builder.reached_scale(x, scale)
    first, last = (None if b is None else round(b / reached) for b in (low, high))
    return builder.requantize(x, scale, first, last)


def _is_whole(number: float) -> bool:
    return abs(number - round(number)) < 1 / _FEWEST_UNITS


# tables


def function(builder: Builder, node: Node, evaluate: Callable[[Array], Array]) -> Quantized:
    """The function of a tensor, by a table that many tensors share or one of its own."""
    if node.inputs[0] in builder.graph.alike:
        return _shared_function(builder, node, evaluate)
    out = _table_of(builder, node, evaluate, node.inputs[0], builder.tensors[node.inputs[0]])
    return expanded(builder, out, builder.graph.shapes[node.output])


def _table_of(builder: Builder, node: Node, evaluate: Callable[[Array], Array], name: str, x: Quantized) -> Quantized:
    """The function of entries of a tensor, by a table over its calibrated range; beyond it, the value at its end.

    Where 0 was not seen, and the function has no finite value there or goes far beyond those it had, the table ends
    before it.
    """
    scale, bits = builder.table_scale(name), builder.table_bits(name)
    is_exact = builder.graph.is_integral(name) and x.scale == 1.0 and _length(builder, x) <= _LONGEST
    is_exact = is_exact and not builder.is_open(x)
    index = x if is_exact else _index_of(builder, x, evaluate, name, scale, bits)
    first, values = _table(builder, index, evaluate)
    low, high = builder.calibration.seen(name) if name in builder.calibration.low else builder.bounds(name)
    points = (np.arange(values.size) + first) * index.scale
    if (low > 0 or high < 0) and _goes_far(values, points, low, high, _JUMP if _is_apart(x, index, low, high) else 1):
        scale = 1.0 if is_exact else (high - low) / (2**bits - 1) or scale
        index = _without_zero(builder, x, evaluate, scale, low, high)
        first, values = _table(builder, index, evaluate)
    if not np.isfinite(values).all():
        raise FormatError(f"layer '{node.name}': its function has no finite value at some input in [{low:g}, {high:g}]")
    if builder.graph.is_integral(node.output):
        return _looked_up(builder, index, first, values, unit_of(values, math.inf))
    steps, (least, most) = 2 ** builder.bits(node.output) - 1, _reached(builder, node.output)
    if not np.ptp(values) > _WILD * (most - least) > 0:
        return _looked_up(builder, index, first, values, unit_of(values, steps))
    unit = (most - least) / steps
    farthest = _WILD * 2 * (most - least)  # what lies farther is as far beyond what the clamp lets by
    out = _looked_up(builder, index, first, np.clip(values, least - farthest, most + farthest), unit)
    low, high = (round((end + sign * (most - least)) / unit) for end, sign in ((least, -1), (most, 1)))
    return builder.requantize(out, unit, low, high, SEEN)


def _looked_up(builder: Builder, index: Quantized, first: int, values: Array, unit: float) -> Quantized:
    return builder.add(Lookup, [index], unit, table=builder.rounded(values / unit), first=first)


def _reached(builder: Builder, name: str) -> tuple[float, float]:
    """What a tensor was seen from and to, with 0 unless it lies far from it; (0, 0) where nothing tells it."""
    if name not in builder.calibration.low:
        return 0.0, 0.0
    low, high = builder.calibration.seen(name)
    return (low, high) if low < high and is_apart(low, high) else builder.calibration.bounds(name)


def _index_of(
    builder: Builder, x: Quantized, evaluate: Callable[[Array], Array], name: str, scale: float, bits: int
) -> Quantized:
    """The index of a function's table, over what the tensor spans.

    Where the function varies in a small part of that, or numbers are finer, over where it varies.
    """
    low, high = builder.span(name)
    if builder.settings.of_table:
        low, high = _beyond(evaluate, low, high)
    near = varying(evaluate, low, high, 2**-builder.settings.bits)
    is_part = near[1] - near[0] < (high - low) / _SPREAD
    if is_part or builder.settings.bits > builder.settings.table_bits:
        low, high = near
    if is_part:
        scale = (high - low) / (2**bits - 1)
    if low > 0 or high < 0:
        low, high = (min(low, 0.0), max(high, 0.0)) if _jumps_at_zero(evaluate, low, high) else (low, high)
        scale = max(scale, (high - low) / (2**bits - 1))
    if builder.settings.of_table:
        scale = (high - low) / (2**bits - 1) or scale
    return _indices(builder, x, evaluate, scale, bits, low, high)


def by_values(builder: Builder, node: Node) -> Quantized:
    """A function of a tensor and of a constant that holds several numbers: a table for the entries of each of these."""
    constants, shape = builder.graph.constants, builder.graph.shapes[node.output]
    computed = [name for name in node.inputs if name not in constants]
    values = [np.broadcast_to(constants[name], shape) for name in node.inputs if name in constants]
    numbers, which = np.unique(values, return_inverse=True) if len(computed) == len(values) == 1 else ((), np.zeros(0))
    if node.operator not in BINARY or not 0 < len(numbers) <= _MOST_TABLES:
        raise unsupported(node, "it is supported only as a part of a function of one tensor")
    x = builder.tensors[computed[0]]
    here, found = np.broadcast_to(builder.positions([x])[0], shape).ravel(), []
    for i, number in enumerate(numbers):
        entries = builder.arrange([x], here[which.ravel() == i])
        found.append(_table_of(builder, node, _with_number(node, constants, number), computed[0], entries))
    parts, _ = builder.together(found)
    back = np.argsort(np.argsort(which.ravel(), kind="stable"), kind="stable")
    return builder.arrange(parts, back.reshape(shape))


def _with_number(node: Node, constants: Mapping[str, Array], number: float) -> Callable[[Array], Array]:
    """The function of a node whose constant is a single number."""
    return lambda x: BINARY[node.operator](
        *(number if name in constants else x for name in node.inputs), **node.attributes
    )


def _shared_function(builder: Builder, node: Node, evaluate: Callable[[Array], Array]) -> Quantized:
    """As `function`, but the table is the same for all tensors that are alike, and finer, as many share its cost.

    Its index is brought to one scale, within a part in 500. It takes a power of two of them, which no number leaves, or
    what was calibrated, whichever costs less; where other weights may come, whose numbers go elsewhere, the latter.
    """
    name = node.inputs[0]
    x, (low, high, entries) = builder.tensors[name], builder.span_of_alike(name)
    bits = max(builder.settings.table_bits, min(builder.settings.table_bits + 2, _FINE))
    scale = (high - low) / (2**bits - 1) or builder.nominal_here(name)
    farthest = builder.interval(x).magnitude * x.scale / scale * (1 + 2 * CLOSE)
    reach, (first, last) = 1 << math.ceil(farthest + 1).bit_length(), (math.floor(low / scale), math.ceil(high / scale))
    if not builder.settings.open_weights and 2 * reach - (last - first) <= _CLAMP * entries:
        first, last = -reach, reach - 1
    values = np.asarray(evaluate(np.arange(first, last + 1) * scale), dtype=np.float64)
    if not np.isfinite(values).all():
        raise FormatError(f"layer '{node.name}': its function has no finite value at some input in [{low:g}, {high:g}]")
    unit = unit_of(values, 2**builder.settings.bits - 1)
    index = builder.at_scale(x, scale, first, last, _seen_ends(evaluate, first * scale, last * scale))
    out = builder.add(Lookup, [index], unit, table=builder.rounded(values / unit), first=first)
    return expanded(builder, out, builder.graph.shapes[node.output])


def _jumps_at_zero(evaluate: Callable[[Array], Array], low: float, high: float) -> bool:
    """Whether a function is another at 0 than near it, as of a divisor that is replaced there, but not by far."""
    nearest = low if low > 0 else high
    points = np.array([0.0, 1e-6 * nearest, low, high])
    values = np.broadcast_to(np.asarray(evaluate(points), dtype=np.float64), points.shape)
    jump, reach = abs(values[0] - values[1]), max(float(np.abs(values[1:]).max()), 1.0)
    return bool(np.isfinite(values).all() and reach / _JUMP < jump <= reach * _JUMP)


def _beyond(evaluate: Callable[[Array], Array], low: float, high: float) -> tuple[float, float]:
    """An interval up to a quarter longer: on each side where the function does not double how far it reaches."""
    margin = (high - low) / 8
    points = np.array([low - margin, low, high, high + margin])
    values = np.broadcast_to(np.asarray(evaluate(points), dtype=np.float64), points.shape)
    steps, reach = np.abs(np.diff(values)), abs(values[2] - values[1])
    return float(points[0] if steps[0] <= reach else low), float(points[3] if steps[2] <= reach else high)


def _is_apart(x: Quantized, index: Quantized, low: float, high: float) -> bool:
    """Whether nothing that was seen can be taken for 0, where a function may be another: 1 - x, say, of a truth."""
    return x.scale == 1.0 or max(low, -high) >= _APART * index.scale


def _goes_far(values: Array, points: Array, low: float, high: float, jump: float) -> bool:
    """Whether values at points outside of [low, high] are far from all those in it, or not finite.

    Args:
        jump: how much farther the one at 0 may be, of which the float model may say something else than of others
    """
    inside = values[(points >= low) & (points <= high)]
    if not np.isfinite(values).all() or not inside.size:
        return True
    least, greatest = min(float(inside.min()), 0.0), max(float(inside.max()), 0.0)
    reach = greatest - least or float(set(values.tolist()) == {0.0, 1.0} and jump > 1)
    farther = np.maximum(values - greatest, least - values)
    return bool((farther > np.where(points == 0, jump, 1) * reach).any())


def _table(builder: Builder, index: Quantized, evaluate: Callable[[Array], Array]) -> tuple[int, Array]:
    """The least integer that an index can be, and the function at it and at each one after it."""
    first, last = builder.interval(index).least, builder.interval(index).greatest
    if builder.settings.open_weights:
        clamp = next((op for op in builder.operations if op.output == index.name and isinstance(op, Requantize)), None)
        if clamp is not None and clamp.low is not None and clamp.high is not None:
            first, last = clamp.low, clamp.high
    points = np.arange(first, last + 1) * index.scale
    return first, np.broadcast_to(np.asarray(evaluate(points), dtype=np.float64), points.shape)


def _length(builder: Builder, x: Quantized) -> int:
    """Of a table of all that an index may be."""
    return builder.interval(x).greatest - builder.interval(x).least + 1


def unit_of(values: Array, steps: float) -> float:
    """What one unit of a table's values stands for: 1 for whole numbers, else what gives so many steps."""
    least, greatest = float(values.min()), float(values.max())
    if greatest - least <= steps and (values == np.rint(values)).all():
        return 1.0
    if not is_apart(least, greatest):
        least, greatest = min(least, 0.0), max(greatest, 0.0)
    return max((greatest - least) / steps, max(greatest, -least) / _FINEST)


def _indices(
    builder: Builder, x: Quantized, evaluate: Callable[[Array], Array], scale: float, bits: int, low: float, high: float
) -> Quantized:
    """x requantized and clamped to a calibrated range; x itself when it is narrow already."""
    interval = builder.interval(x)
    is_narrow = interval.greatest - interval.least < 2**bits
    if not builder.is_open(x) and (interval.bits <= bits or (is_narrow and is_apart(low, high))):
        return x
    reached = builder.reached_scale(x, scale)
    return builder.requantize(
        x, scale, math.floor(low / reached), math.ceil(high / reached), _seen_ends(evaluate, low, high)
    )


def _without_zero(
    builder: Builder, x: Quantized, evaluate: Callable[[Array], Array], scale: float, low: float, high: float
) -> Quantized:
    """x requantized and clamped to a calibrated range on one side of 0, at least a unit from it."""
    reached = builder.reached_scale(x, scale)
    first, last = math.floor(low / reached), math.ceil(high / reached)
    ends = (max(first, 1), last) if low > 0 else (first, min(last, -1))
    return builder.requantize(x, scale, *ends, seen=_seen_ends(evaluate, low, high))


def _seen_ends(evaluate: Callable[[Array], Array], low: float, high: float) -> int:
    """The ends of a table's index beyond which its function does not stay what it is there, and if it is steep."""
    reach, nearest = np.ptp(_at(evaluate, np.linspace(low, high, _PROBES))), min(max(0.0, low), high)
    beyond = {SEEN_LOW: low - (high - low) * _BEYOND, SEEN_HIGH: high + (high - low) * _BEYOND}
    seen = [end for end, points in beyond.items() if not np.ptp(_at(evaluate, points)) <= _STILL * reach]
    ends = [np.array([end, end + (end - nearest) * FARTHEST]) for end in (low, high)]
    is_steep = any(not np.ptp(_at(evaluate, points)) <= _STEEP * reach for points in ends)
    return sum(seen) | (STEEP if seen and is_steep else 0)


def _at(evaluate: Callable[[Array], Array], points: Array) -> Array:
    return np.broadcast_to(np.asarray(evaluate(points), dtype=np.float64), points.shape)


def names(builder: Builder, node: Node) -> Quantized:
    """The label at each computed place: a table of just those places, exact for any labels."""
    x, labels = builder.tensors[node.inputs[0]], node.attributes["labels"]
    interval = builder.interval(x)
    if x.scale != 1.0 or interval.least < 0 or interval.greatest >= labels.size:
        raise unsupported(node, f"its places are not known to be whole numbers from 0 to {labels.size - 1}")
    table = builder.rounded(labels[: interval.greatest + 1])
    out = builder.add(Lookup, [x], 1.0, table=table, first=0)
    return builder.reshape(out, builder.graph.shapes[node.output])


def named_function(builder: Builder, node: Node) -> Quantized:
    """A table; of a square, where tables would be coarser than its factors, a product."""
    if node.attributes.get("square") and builder.settings.bits > builder.settings.table_bits:
        most = _FACTOR_BY_COLUMN if builder.settings.by_column else _FACTOR
        x = builder.narrow(builder.tensors[node.inputs[0]], node.inputs[0], most)
        return builder.add(Multiply, [x, x], x.scale**2)
    return function(builder, node, node.attributes["function"])


# pools


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


def argmax(builder: Builder, node: Node) -> Quantized:
    """The first of the largest entries, or the last: the first of them from behind."""
    axis = int(node.attributes.get("axis", 0)) % len(builder.graph.shapes[node.inputs[0]])
    chosen = labels.choice_of_two(builder, node, axis)
    if chosen is not None:
        return builder.reshape(chosen, builder.graph.shapes[node.output])
    x, _ = labels.scores(builder, node.inputs[0], axis)
    lines = np.moveaxis(builder.positions([x])[0], axis, -1)
    from_behind = bool(node.attributes.get("select_last_index", 0))
    places = builder.add(ArgMax, [builder.arrange([x], lines[..., ::-1] if from_behind else lines)], 1.0)
    if from_behind:
        places = builder.combine([places], [-1], 1.0, lines.shape[-1] - 1)
    return builder.reshape(places, builder.graph.shapes[node.output])


def top_k(builder: Builder, node: Node) -> Quantized:
    """The largest or least entries along an axis, in order, and their places, of which the lower comes first."""
    graph, name = builder.graph, node.inputs[0]
    axis = int(node.attributes.get("axis", -1)) % len(graph.shapes[name])
    is_read = node.output in graph.outputs or node.output in graph.consumers()
    x, source = (builder.tensors[name], name) if is_read else labels.scores(builder, name, axis)
    x = builder.narrow(x, source)
    count = int(np.ravel(graph.argument(node, 1, "k"))[0])
    (positions,) = builder.positions([x])
    row = builder.arrange([x], np.moveaxis(positions, axis, -1))
    is_largest = node.attributes.get("largest", 1)
    found = builder.add(TopK, [row if is_largest else negated(builder, row)], x.scale, count=count)
    values, places = (np.moveaxis(p, -1, axis) for p in np.split(builder.positions([found])[0], 2, axis=-1))
    if len(node.outputs) > 1:
        builder.tensors[node.outputs[1]] = builder.arrange([Quantized(found.name, 1.0)], places)
    largest = builder.arrange([found], values)
    return largest if is_largest else negated(builder, largest)


# softmax and normalization


def softmax(builder: Builder, node: Node) -> Quantized:
    x = builder.tensors[node.inputs[0]]
    shape = builder.shape(x)
    axis = int(node.attributes.get("axis", -1)) % len(shape)
    positions = np.moveaxis(np.arange(math.prod(shape)).reshape(shape), axis, -1)
    unseen = hidden(builder.graph, node)
    seen = np.ones(shape, dtype=bool) if unseen is None else ~unseen
    seen = np.moveaxis(seen, axis, -1).reshape(-1, shape[axis])
    rows = positions.reshape(-1, shape[axis])
    parts, places = list[Quantized](), np.full(rows.shape, -1)
    for length in np.unique(seen.sum(axis=1)):
        chosen = seen.sum(axis=1) == length
        entries = builder.arrange([x], rows[chosen][seen[chosen]].reshape(-1, length))
        parts.append(softmax_of_rows(builder, entries, shape[axis]))
        start = sum(math.prod(builder.shape(part)) for part in parts[:-1])
        places[chosen[:, None] & seen] = start + np.arange(math.prod(builder.shape(parts[-1])))
    return builder.arrange(parts, np.moveaxis(places.reshape(positions.shape), -1, axis))


def softmax_of_rows(builder: Builder, rows: Quantized, longest: int = 0) -> Quantized:
    """Of a tensor of shape (rows, entries), along its second axis; its unit is that of rows of `longest` entries."""
    exp_bits, finest = _OF_TABLE if builder.settings.of_table and builder.settings.bits > _FINE else _USUAL
    guard = _GUARD
    if builder.settings.stream:
        exp_bits, guard = _OF_STREAM
    rows, shift = _in_exponent_steps(builder, rows, finest)
    step = rows.scale * 2.0**shift
    length = int((exp_bits * math.log(2) + 1) / step) + 1
    # a distance rounded down stands for the middle of its step; the largest entry's, which is 0, for itself
    steps = np.arange(length) + (0.5 - 0.5 / 2**shift)
    steps[0] = 0
    table = np.rint(2.0**exp_bits * np.exp(-step * steps)).astype(np.int64)
    table = table[: np.flatnonzero(table)[-1] + 1]
    bits = exp_bits + (longest or builder.shape(rows)[-1]).bit_length() + guard
    return builder.add(Softmax, [rows], 2.0**-bits, shift=shift, table=table, bits=bits)


def _in_exponent_steps(builder: Builder, x: Quantized, step: float) -> tuple[Quantized, int]:
    """(x, shift) such that x / 2^shift counts steps between half of a step and a whole one."""
    shift = builder.whole_limbs(max(0.0, math.log2(step / x.scale)))
    factor = max(1, math.ceil(x.scale * 2.0**shift / step))
    return (x if factor == 1 else builder.combine([x], [factor], x.scale / factor)), shift


def normalize(builder: Builder, node: Node) -> Quantized:
    return _over_root(builder, node, Normalize, builder.graph.shapes[node.output][-1])


def root_mean_square(builder: Builder, node: Node) -> Quantized:
    return _over_root(builder, node, RootMeanSquare, 1)


def before_squares(builder: Builder, node: Node) -> tuple[Quantized, float]:
    """A node's input in units so small that one more in a sum of its squares is nothing, and how many it reaches."""
    x = builder.narrow(builder.tensors[node.inputs[0]], node.inputs[0])
    if x.scale == 1.0:  # whole numbers, of which a row may hold small ones alone
        x = builder.combine([x], [1 << _BELOW_ONE], 2.0**-_BELOW_ONE)
    low, high = builder.bounds(node.inputs[0])
    reach = min(max(high, -low) / x.scale or math.inf, builder.interval(x).magnitude)
    if 0 < reach < _LEAST_REACH:
        factor = math.ceil(_LEAST_REACH / reach)
        x, reach = builder.combine([x], [factor], x.scale / factor), reach * factor
    return x, reach


def _over_root(builder: Builder, node: Node, kind: type[Normalize | RootMeanSquare], times: int) -> Quantized:
    """Rows over the root of the mean of their squares, which the operation takes of `times` x."""
    x, reach = before_squares(builder, node)
    n = builder.shape(x)[-1]
    epsilon = max(1, round(node.attributes["epsilon"] * n * times**2 / x.scale**2))
    bits = math.ceil(math.log2(max(2.0, reach * times * math.sqrt(n)))) + max(_GUARD, builder.bits(node.output))
    shape = builder.shape(x)
    rows = builder.reshape(x, (math.prod(shape[:-1]), n))
    out = builder.add(kind, [rows], math.sqrt(n) / 2.0**bits, bits=bits, epsilon=epsilon)
    return builder.reshape(out, shape)
