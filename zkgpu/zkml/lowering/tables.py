"""Functions of one number, by tables over what their argument spans."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from zkgpu.errors import FormatError
from zkgpu.zkml.clamps import FARTHEST
from zkgpu.zkml.functions import BINARY
from zkgpu.zkml.graph import Array, Node, unsupported
from zkgpu.zkml.lowering.builder import CLOSE, Builder, Quantized
from zkgpu.zkml.lowering.linear import expanded
from zkgpu.zkml.lowering.scales import is_apart
from zkgpu.zkml.operations import SEEN, SEEN_HIGH, SEEN_LOW, STEEP, Lookup, Multiply, Requantize
from zkgpu.zkml.ramps import varying

_FINE = 10  # bits of the index of a table that many share, at most two beyond those of others
_CLAMP = 6  # constraints of a clamp of one number, about
_MOST_TABLES = 16  # of a function by the numbers in a constant
_LONGEST = 1 << 14  # rows of a table of all integers of a tensor
_FACTOR = 24  # bits of a factor, above which it is rounded to the width of an activation
_FACTOR_BY_COLUMN = 48  # the same where columns differ in size, of which the smallest is to keep its steps
_APART, _JUMP = 1, 64  # units from 0 within which a number may round to 0; and how far a function may jump there
_FINEST = 1 << 24  # units from 0 that a value of a table may be
_PROBES, _BEYOND = 257, np.array([0, 0.07, 0.13, 0.29, 0.61, 1.3, 2.7, 5.9, 17, 64])  # of a range, and parts beyond it
_WILD = 16  # times what was seen of a function's values: how far a table of it may reach that has no pole
_SPREAD = 16  # times as far as a function varies, where few of a table's rows would tell its values apart
_STEEP = 1 / 10  # of how far it reaches in a range: how much one that is not steep changes in a clamp's farthest move
_STILL = 1 / 32  # of how far a function reaches in a range: by how much one may change that stays what it is


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
