"""Labels from the scores that probabilities are made of: what keeps the order of a row is left out before an ArgMax.

Softmax, logistic functions, division by the sum of a row and the like lead the largest entry to the largest one.
Scores have more steps than probabilities, which tables round, so that of two classes nearly alike the right one is
taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable

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


@dataclass(frozen=True)
class Behind:
    """A tensor whose rows have the same order as those of another, or the opposite one.

    Attributes:
        functions: those of its entries that lie between, of which the last comes first
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
    if builder.graph.shapes.get(node.inputs[0]) != (shape := builder.graph.shapes[node.output]):
        return None
    if node.inputs[0] in builder.graph.constants:
        return None
    if node.operator in ("Softmax", UNIT) and int(node.attributes.get("axis", -1)) % len(shape) == axis:
        return Behind(node.inputs[0], found.falls, found.functions)
    if node.operator == "Reshape":
        return Behind(node.inputs[0], found.falls, found.functions)
    if node.operator == LOGISTIC_SHARE and axis == 1:
        return Behind(node.inputs[0], found.falls, (*found.functions, _logistic))
    if node.operator in ("Add", "Sub", "Mul", "Div", SHARE):
        return _beside_one_a_row(builder, node, axis, found)
    return _of_function(builder, node, found) if node.operator == "Function" else None


def _logistic(x: Singles) -> Singles:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)), dtype=x.dtype)


def _beside_one_a_row(builder: Builder, node: Node, axis: int, found: Behind) -> Behind | None:
    """A sum with, or a product with a positive number, that is the same throughout each row along the axis."""
    graph, other = builder.graph, node.inputs[1]
    rank, own = len(graph.shapes[node.output]), graph.shapes[other]
    same = len(own) < rank - axis or own[axis - rank] == 1
    if not same or (node.operator not in ("Add", "Sub") and not _is_positive(builder, other)):
        return None
    return Behind(node.inputs[0], found.falls, found.functions)


def _is_positive(builder: Builder, name: str) -> bool:
    """Whether no number of a tensor is below 0."""
    if name in builder.graph.constants:
        return bool((builder.graph.constants[name] > 0).all())
    return name in builder.tensors and builder.interval(builder.tensors[name]).least >= 0


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
    if not ((steps >= 0).all() or (steps <= 0).all()):
        return None
    falls = bool(values[-1] < values[0])
    return Behind(node.inputs[0], found.falls != falls, (*found.functions, function))


def _points(builder: Builder, name: str) -> Singles:
    """Numbers from the least to the largest that a tensor can hold, more of them where the calibration saw it."""
    x = builder.tensors[name]
    low, high = builder.interval(x).least * x.scale, builder.interval(x).greatest * x.scale
    seen = builder.calibration.bounds(name) if name in builder.calibration.low else (low, high)
    return np.unique(np.r_[np.linspace(low, high, _PROBES), np.linspace(*seen, _PROBES)].astype(np.float32))


def _within(builder: Builder, found: Behind) -> Quantized:
    """The scores, brought to where their functions still tell them apart in single precision, as the float model does.

    Unless all that were seen lie well within.
    """
    x = builder.tensors[found.name]
    if not found.functions:
        return x
    low, high = (builder.interval(x).least * x.scale, builder.interval(x).greatest * x.scale)
    ends = _where_told_apart(found, low, high)
    seen = builder.calibration.low.get(found.name, low), builder.calibration.high.get(found.name, high)
    if ends[0] < 2 * seen[0] and 2 * seen[1] < ends[1]:
        return x
    return builder.add(
        Requantize, [x], x.scale, shift=0, low=math.floor(ends[0] / x.scale), high=math.ceil(ends[1] / x.scale)
    )


def _where_told_apart(found: Behind, low: float, high: float) -> tuple[float, float]:
    """The part of an interval below which, and above which, the functions give the same value in single precision."""
    with np.errstate(all="ignore"):
        first, last = (found.values(np.array([end], np.float32))[0] for end in (low, high))
        return _end(found, low, high, first), _end(found, high, low, last)


def _end(found: Behind, end: float, other: float, value: np.float32) -> float:
    """The last number from an end of an interval on, towards another, with the value that there is at the end."""
    for _ in range(_HALVINGS):
        middle = (end + other) / 2
        is_same = found.values(np.array([middle], np.float32))[0] == value
        end, other = (middle, other) if is_same else (end, middle)
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
