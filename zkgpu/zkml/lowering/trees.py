"""Ensembles of trees: all tests of a feature at once, then one product a branch, and sums over the leaves.

A branch is reached (r) or not; with the answer t of its test, the higher child is reached where r t is 1, the lower one
where r - r t is. Roots are reached. So a tree of n branches takes n - 1 products, and what its leaves add is free.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zkgpu.zkml.graph import MOVING, Array, Node, unsupported
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.operations import Integers, Linear, Multiply, Steps
from zkgpu.zkml.trees import Forest, Level

_WIDEST, _OUTSIDE = 58, 2.0**60  # bits of a feature, as products have more; and a threshold that is beyond all of them
_LARGEST = (1 << 15) - 1  # of the integers that stand for what a leaf adds
_SAME = 1e-6  # of a unit: a threshold this close to an integer is it
_EXACT = {*MOVING, "Concat", "ReduceMean", "ReduceSum", "ReduceMax", "MaxPool", "GlobalMaxPool"}
_EXACT |= {"AveragePool", "GlobalAveragePool"}  # of which whole numbers make whole parts of 1


def forest(builder: Builder, node: Node) -> Quantized:
    """(rows, scores) of rows of features."""
    if builder.settings.open_weights:
        raise unsupported(node, "its thresholds are part of the circuit for all to see: compile it with public weights")
    found: Forest = node.attributes["forest"]
    x, shape = builder.tensors[node.inputs[0]], builder.graph.shapes[node.output]
    if not found.levels:
        return builder.constant(np.broadcast_to(found.base, shape), _unit(found))
    answers = _answers(builder, node, found, x)
    weights: list[Array] = []
    terms: list[Quantized] = []
    base, reached, both = found.base, None, answers
    for i, level in enumerate(found.levels):
        lower, higher = level.leaves
        reached = _reached(builder, level, reached, both) if i else None
        tests = _columns(builder, [answers], level.test)
        both = tests if reached is None else builder.add(Multiply, [reached, tests], 1.0)
        terms, weights = [*terms, both], [*weights, higher - lower]
        if reached is None:
            base = base + lower.sum(axis=0)
        else:
            terms, weights = [*terms, reached], [*weights, lower]
    return _sums(builder, terms, np.concatenate(weights), base, _unit(found), shape)


def _unit(found: Forest) -> float:
    """What an integer stands for: 1 where all leaves add whole numbers."""
    leaves = [found.base, *(level.leaves for level in found.levels)]
    if all((values == np.rint(values)).all() for values in leaves) and max(np.abs(v).max() for v in leaves) <= _LARGEST:
        return 1.0
    largest = max((float(np.abs(level.leaves).max()) for level in found.levels), default=0.0)
    return max(largest, float(np.abs(found.base).max()) / 2**10) / _LARGEST or 1.0


def _sums(
    builder: Builder, terms: list[Quantized], weights: Array, base: Array, unit: float, shape: tuple[int, ...]
) -> Quantized:
    width = sum(builder.shape(term)[1] for term in terms)
    row = _columns(builder, terms, np.arange(width))
    x = builder.reshape(row, (1, *builder.shape(row)))
    scores = weights.shape[1]
    integers, offset = builder.rounded(weights / unit)[None], builder.rounded(base / unit)[None]
    ones = np.ones((1, scores), dtype=np.int64)
    out = builder.add(Linear, [x], unit, weight=integers, multiplier=ones, bias=offset)
    return builder.reshape(out, shape)


def _columns(builder: Builder, tensors: list[Quantized], columns: Integers) -> Quantized:
    """Columns of tensors side by side, which have as many rows each."""
    rows = builder.shape(tensors[0])[0]
    starts = np.cumsum([0, *(builder.shape(x)[1] * rows for x in tensors)])
    places = [
        np.arange(builder.shape(x)[1] * rows).reshape(rows, -1) + start
        for x, start in zip(tensors, starts, strict=False)
    ]
    return builder.arrange(tensors, np.concatenate(places, axis=1)[:, columns])


def _reached(builder: Builder, level: Level, before: Quantized | None, both: Quantized) -> Quantized:
    """Which branches of a level are: by those of the level before, all where None, and where their test holds too."""
    sign = np.where(level.higher, 1, -1)
    taken = _columns(builder, [both], level.parent)
    if before is None:
        return builder.combine([taken], [sign], 1.0, 1 * ~level.higher)
    return builder.combine([_columns(builder, [before], level.parent), taken], [1 * ~level.higher, sign], 1.0)


def _answers(builder: Builder, node: Node, found: Forest, x: Quantized) -> Quantized:
    """(rows, tests): 1 where a test holds. x = t is x >= t less x > t."""
    if (beyond := builder.interval(x).bits - _WIDEST) > 0:
        x = builder.requantize(x, x.scale * 2.0**beyond)
    if found.equal.any() and x.scale != 1.0 and node.inputs[0] not in builder.graph.inputs:
        raise unsupported(node, "branches of modes BRANCH_EQ and BRANCH_NEQ take inputs of the model or whole numbers")
    above = replace(found, strict=found.strict | found.equal)
    is_exact = x == builder.tensors[node.inputs[0]] and _is_exact(builder, node.inputs[0])
    bounds = [_bounds(tests, x.scale, exact=is_exact) for tests in (found, above)]
    kinds = np.stack([np.tile(found.features, 2), np.concatenate(bounds)], axis=1)
    distinct, which = np.unique(kinds, axis=0, return_inverse=True)
    least, above_it = np.split(which.ravel(), 2)
    if not is_exact:
        _require_told_apart(node, found, least)
    steps = builder.add(Steps, [x], 1.0, places=distinct[:, 0], bounds=builder.rounded(distinct[:, 1]))
    holds = _columns(builder, [steps], least)
    if not found.equal.any():
        return holds
    return builder.combine([holds, _columns(builder, [steps], above_it)], [1, -1 * found.equal], 1.0)


def _is_exact(builder: Builder, name: str) -> bool:
    """Whether integers stand for themselves or for parts of 1 that are exact, as the means of whole numbers are."""
    if name in builder.graph.constants:
        return False
    x, node = builder.tensors[name], builder.graph.producers().get(name)
    if x.scale == 1.0 or node is None or node.operator not in _EXACT:
        return x.scale == 1.0
    sources = node.inputs if node.operator == "Concat" else node.inputs[:1]
    if not all(_is_exact(builder, source) for source in sources):
        return False
    parts = np.array([builder.tensors[source].scale for source in sources]) / x.scale
    return bool((np.abs(parts - np.rint(parts)) <= _SAME).all() and (parts > _SAME).all())


def _bounds(found: Forest, scale: float, *, exact: bool) -> Integers:
    """The least integer for which each test holds, of numbers that were rounded as the thresholds are here.

    Args:
        exact: whether no number lies between those that two integers next to each other stand for
    """
    units = np.clip(found.thresholds / scale, -_OUTSIDE, _OUTSIDE)
    if exact:
        units = np.where(np.abs(units - np.rint(units)) <= _SAME, np.rint(units), units)
        return np.where(found.strict, np.floor(units) + 1, np.ceil(units)).astype(np.int64)
    return np.floor(units + 0.5).astype(np.int64) + found.strict


def _require_told_apart(node: Node, found: Forest, which: Integers) -> None:
    """Raises FormatError where two tests of a feature by different numbers become one."""
    thresholds: dict[int, float] = {}
    for test, threshold, feature in zip(which.tolist(), found.thresholds, found.features, strict=True):
        if thresholds.setdefault(test, threshold) != threshold:
            raise unsupported(
                node,
                f"thresholds {thresholds[test]:g} and {threshold:g} of feature {feature} lie within one step of its "
                "input: scale the features to like sizes",
            )
