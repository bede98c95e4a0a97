"""Labels from the scores that probabilities are made of: what keeps the order of a row is left out before an ArgMax.

Softmax, logistic functions, division by the sum of a row and the like lead the largest entry to the largest one.
Scores have more steps than probabilities, which tables round, so that of two classes nearly alike the right one is
taken.

What makes one number of several, as the ends of a HardSigmoid do, or rounding, makes their places ties, of which the
first counts. At the ends of a range a clamp of the scores makes the same ones, so long as nothing else lies between.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.records import dataclass
from zkgpu.zkml.graph import Node
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.operations import Requantize
from zkgpu.zkml.shares import LOGISTIC_SHARE
from zkgpu.zkml.tabular import SHARE, UNIT

Singles = NDArray[np.float32]
Function = Callable[[Singles], Singles]

_PROBES = 1 << 12  # of a function, to see whether it rises or falls throughout
_HALVINGS = 60
_FEW = 1 << 16  # integers that are all probed


@dataclass(frozen=True)
class Behind:
    """A tensor whose rows have the same order as those of another, or the opposite one.

    Attributes:
        functions: those of its entries that lie between, of which the last comes first. Where they make one number of
            several, these lie at the ends of what it can hold
    """

    name: str
    falls: bool = False
    functions: tuple[Function, ...] = ()

    def values(self, x: Singles) -> Singles:
        for function in self.functions[::-1]:
            x = np.broadcast_to(np.asarray(function(x)), x.shape)
        return x


def scores(builder: Builder, name: str, axis: int) -> tuple[Quantized, str]:
    """What stands for a tensor of which only the order along an axis is wanted; and which tensor that is made from."""
    found = Behind(name)
    while (node := builder.graph.producers().get(found.name)) is not None:
        before = _before(builder, node, axis, found)
        if before is None:
            break
        found = before
    x = _within(builder, found)
    return (builder.combine([x], [-1], x.scale) if found.falls else x), found.name


def _before(builder: Builder, node: Node, axis: int, found: Behind) -> Behind | None:
    """One step back; None where a node may change the order."""
    if builder.graph.shapes.get(node.inputs[0]) != builder.graph.shapes[node.output]:
        return None
    if node.inputs[0] in builder.graph.constants:
        return None
    if node.operator == "Reshape":
        return Behind(node.inputs[0], found.falls, found.functions)
    if node.operator == "Function":
        return _of_function(builder, node, found)
    keeps = _keeps_order_of_rows(builder, node, axis) and _tells_apart(builder, found)
    functions = (_logistic,) if node.operator == LOGISTIC_SHARE else ()
    return Behind(node.inputs[0], found.falls, functions) if keeps else None


def _keeps_order_of_rows(builder: Builder, node: Node, axis: int) -> bool:
    """Whether what a node makes of an entry depends on the others of its row, which keep their order."""
    if node.operator in ("Softmax", UNIT):
        return int(node.attributes.get("axis", -1)) % len(builder.graph.shapes[node.output]) == axis
    if node.operator == LOGISTIC_SHARE:
        return axis == 1
    return node.operator in ("Add", "Sub", "Mul", "Div", SHARE) and _is_beside_one_a_row(builder, node, axis)


def _logistic(x: Singles) -> Singles:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)), dtype=x.dtype)


def _is_beside_one_a_row(builder: Builder, node: Node, axis: int) -> bool:
    """A sum with, or a product with a positive number, that is the same throughout each row along the axis."""
    graph, other = builder.graph, node.inputs[1]
    rank, own = len(graph.shapes[node.output]), graph.shapes[other]
    same = len(own) < rank - axis or own[axis - rank] == 1
    return same and (node.operator in ("Add", "Sub") or _is_positive(builder, node.operator, other))


def _is_positive(builder: Builder, operator: str, name: str) -> bool:
    """Whether no number of a tensor is below 0, and as a factor none was seen to be 0, of which all products are 0."""
    if name in builder.graph.constants:
        return bool((builder.graph.constants[name] > 0).all())
    if name not in builder.tensors or builder.interval(builder.tensors[name]).least < 0:
        return False
    return operator != "Mul" or builder.calibration.low.get(name, 0.0) > 0


def _of_function(builder: Builder, node: Node, found: Behind) -> Behind | None:
    """A function that rises, or falls, throughout; beyond its ends, as of a root below 0, no number of a model is."""
    function, name = node.attributes["function"], node.inputs[0]
    points = _points(builder, name).astype(np.float64)
    with np.errstate(all="ignore"):
        values = np.broadcast_to(np.asarray(function(points)), points.shape)
    inside = np.flatnonzero(np.isfinite(values))
    low, high = builder.calibration.low.get(name, points[0]), builder.calibration.high.get(name, points[-1])
    if not inside.size or points[inside[0]] > max(low, points[0]) or points[inside[-1]] < min(high, points[-1]):
        return None
    values = values[inside[0] : inside[-1] + 1]
    steps = np.diff(values)
    if not ((steps >= 0).all() or (steps <= 0).all()) or not steps.any():
        return None
    x, ends = builder.tensors[name], points[inside[[0, -1]]]
    if any(_is_flat_between(function, ends, x.scale, *part) for part in (ends, _seen(builder, name))):
        return None
    falls = bool(values[-1] < values[0])
    return Behind(node.inputs[0], found.falls != falls, (*found.functions, function))


def _is_flat_between(
    function: Callable[[Any], Any], ends: NDArray[np.float64], unit: float, low: float, high: float
) -> bool:
    """Whether neighbors from `low` to `high` have the same value, and none that numbers at the ends have.

    Args:
        unit: how far neighbors are from each other, or more where there are many
    """
    first, last = math.floor(low / unit), math.ceil(high / unit)
    step = max(1, (last - first) // _FEW)
    at = (float(first) + float(step) * np.arange((last - first) // step + 1)) * unit
    with np.errstate(all="ignore"):
        values, of_ends = (np.broadcast_to(np.asarray(function(x)), x.shape) for x in (at, ends))
        is_between = ~np.isin(values.astype(np.float32), of_ends.astype(np.float32))
    return bool((is_between[1:] & (np.diff(values) == 0)).any())


def _points(builder: Builder, name: str) -> Singles:
    """Numbers from the least to the largest that a tensor can hold, more of them where the calibration saw it."""
    ends = (_held(builder, name), _seen(builder, name))
    return np.unique(np.r_[tuple(np.linspace(*part, _PROBES) for part in ends)].astype(np.float32))


def _held(builder: Builder, name: str) -> tuple[float, float]:
    """The least and the largest number that a tensor can hold."""
    x = builder.tensors[name]
    return builder.interval(x).least * x.scale, builder.interval(x).greatest * x.scale


def _seen(builder: Builder, name: str) -> tuple[float, float]:
    """What the calibration saw of a tensor, widened to hold 0; all that it can hold where it saw nothing."""
    return builder.calibration.bounds(name) if name in builder.calibration.low else _held(builder, name)


def _within(builder: Builder, found: Behind) -> Quantized:
    """The scores, brought to where their functions still tell them apart in single precision, as the float model does.

    Unless all that were seen lie well within.
    """
    x = builder.tensors[found.name]
    if not found.functions or all(_lie_well_within(builder, found)):
        return x
    low, high = _where_told_apart(builder, found)
    return builder.add(Requantize, [x], x.scale, shift=0, low=low, high=max(low, high))


def _tells_apart(builder: Builder, found: Behind) -> bool:
    """Whether the functions behind a tensor tell apart all numbers that it can hold, or those that were seen by far."""
    if not found.functions:
        return True
    interval = builder.interval(builder.tensors[found.name])
    low, high = _where_told_apart(builder, found)
    is_low_well, is_high_well = _lie_well_within(builder, found)
    return (is_low_well or low <= interval.least) and (is_high_well or high >= interval.greatest)


def _lie_well_within(builder: Builder, found: Behind) -> tuple[bool, bool]:
    """Whether the least and the largest number that were seen lie far from where the functions make one of several."""
    low, high = (end * builder.tensors[found.name].scale for end in _where_told_apart(builder, found))
    least, most = _held(builder, found.name)
    least, most = builder.calibration.low.get(found.name, least), builder.calibration.high.get(found.name, most)
    return low < min(least, 2 * least), max(most, 2 * most) < high


def _where_told_apart(builder: Builder, found: Behind) -> tuple[int, int]:
    """The integers below which, and above which, the functions give the same value in single precision."""
    x = builder.tensors[found.name]
    least, greatest = builder.interval(x).least, builder.interval(x).greatest
    return _end(found, x.scale, least, greatest), _end(found, x.scale, greatest, least)


def _end(found: Behind, unit: float, end: int, other: int) -> int:
    """The last integer from an end of an interval on, towards another, with the value that there is at the end."""

    def value(number: int) -> float:
        with np.errstate(all="ignore"):
            return float(found.values(np.array([number * unit], np.float32)).astype(np.float32)[0])

    wanted = value(end)
    while abs(other - end) > 1:
        middle = (end + other) // 2
        end, other = (middle, other) if value(middle) == wanted else (end, middle)
    return end


def choice_of_two(builder: Builder, node: Node, axis: int) -> Quantized | None:
    """The place of the larger of two functions of one score, of which one falls as the other rises: where it is above
    the number at which they meet. None for other pairs."""
    graph = builder.graph
    pair = graph.producers().get(node.inputs[0])
    if pair is None or pair.operator != "Concat" or len(pair.inputs) != 2 or graph.shapes[node.inputs[0]][axis] != 2:
        return None
    parts = [graph.producers().get(name) for name in pair.inputs]
    functions = [part for part in parts if part is not None and part.operator == "Function"]
    if len(functions) != 2 or functions[0].inputs != functions[1].inputs or pair.attributes["axis"] % 2 != axis:
        return None
    (name,) = functions[0].inputs
    points = _points(builder, name).astype(np.float64)

    def ahead(x: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            second, first = (np.broadcast_to(f.attributes["function"](x), x.shape) for f in functions[::-1])
        return np.asarray(second - first)

    leads = ahead(points) > 0
    if not np.isfinite(ahead(points)).all() or (np.diff(leads.astype(int)) < 0).any() or leads[0] or not leads[-1]:
        return None
    low, high = points[np.argmax(leads) - 1], points[np.argmax(leads)]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if ahead(np.array([middle]))[0] > 0 else (middle, high)
    x = builder.tensors[name]
    distance = builder.combine([x], [1], x.scale, np.int64(-math.floor(low / x.scale)))
    return builder.add(Requantize, [distance], 1.0, shift=0, low=0, high=1)
