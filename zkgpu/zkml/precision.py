"""Which tensors get more bits, where integers of one width stay too far from the floats.

How far each tensor alone leads the outputs astray is measured with all others fine. Errors of independent roundings add
up by their squares, and a bit more halves one: so bits go, one at a time, to where they take most off for what they
cost, until the sum is small enough. (Mixed precision by sensitivity: Dong et al., "HAWQ", arXiv 1905.03696.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from zkgpu.errors import FormatError
from zkgpu.zkml import semantics
from zkgpu.zkml.calibrated import Calibration
from zkgpu.zkml.calibration import FloatModel
from zkgpu.zkml.comparing import of_usual_size
from zkgpu.zkml.graph import Graph
from zkgpu.zkml.inputs import to_integers
from zkgpu.zkml.lowering.scales import WIDEST_TABLE, end_of
from zkgpu.zkml.lowering.settings import Settings
from zkgpu.zkml.quantize import quantize
from zkgpu.zkml.samples import Samples, sample

MOST_BITS = 16
_FINE = 4  # bits more that leave little of an error
_AIMS = (0.01, 0.005, 0.0025, 0.001)  # errors, one after the other, since roundings are not quite independent
_GROUPS, _SAMPLES = 24, 8  # tensors that are tried on their own, and what they are tried with
_WORK = 1 << 24  # entries that all trials together compute, where they can be fewer

ErrorOf = Callable[[Settings], float]
Cost = Callable[[int], float]  # of one more bit than these


def finer(
    graph: Graph, bounds: Calibration, settings: Settings, model: FloatModel, samples: Samples
) -> Iterator[Settings]:
    """Settings with more and more bits for some tensors; none where no bits would help."""
    usual = np.flatnonzero(of_usual_size(samples))
    groups, count = _groups_and_samples(graph, len(usual))
    error_of = _measuring(graph, bounds, model, [sample(samples, i) for i in usual[:count]])
    if error_of is None:
        yield from (replace(settings, bits=b) for b in range(settings.bits + 2, MOST_BITS + 1, 2))
        return
    squares = _squares(settings, groups, error_of)
    costs = [_cost(graph, group) for group in groups]
    for aim in _AIMS:
        bits = _shared_out(squares, costs, settings.bits, aim)
        chosen = {n: b for group, b in zip(groups, bits, strict=True) for n in group if b > settings.bits}
        if chosen:
            yield replace(settings, finer=chosen)


def _squares(settings: Settings, groups: Sequence[Sequence[str]], error_of: ErrorOf) -> list[float]:
    """The square of the error that each group brings in at the usual width."""

    def error_with(coarse: Sequence[str]) -> float:
        names = {name for group in groups for name in group} - set(coarse)
        return error_of(replace(settings, finer=dict.fromkeys(names, settings.bits + _FINE)))

    least = error_with([]) ** 2
    return [max(error_with(group) ** 2 - least, 0.0) for group in groups]


def _shared_out(squares: Sequence[float], costs: Sequence[Cost], bits: int, aim: float) -> list[int]:
    """The bits of each group."""
    found, left = [bits] * len(squares), list(squares)
    while sum(left) > aim**2 * (1 + 1e-9):
        worth = [s / cost(b) if b < MOST_BITS else 0.0 for s, b, cost in zip(left, found, costs, strict=True)]
        best = int(np.argmax(worth))
        if worth[best] == 0.0:
            break
        found[best] += 1
        left[best] /= 4
    return found


def _cost(graph: Graph, group: Sequence[str]) -> Cost:
    """Constraints, by a rough measure: a bit an entry, and as many as the rows of a table that reads a tensor."""
    entries = sum(math.prod(graph.shapes[name]) for name in group)
    readers = [graph.sole_consumer(name) for name in group]
    tables = sum(reader is not None and reader.operator == "Function" for reader in readers)

    def cost(bits: int) -> float:
        return math.inf if tables and bits >= WIDEST_TABLE else entries + tables * 2.0**bits

    return cost


def _groups_and_samples(graph: Graph, most: int) -> tuple[list[list[str]], int]:
    """The tensors that have widths of their own, neighbors together where they are many; and a number of samples."""
    names = [*graph.inputs, *(name for node in graph.nodes for name in node.outputs if name in graph.shapes)]
    ends = list(dict.fromkeys(end_of(graph, name) for name in names))
    runs = max(1, _WORK // max(1, sum(math.prod(graph.shapes[name]) for name in ends)))
    count = min(_GROUPS, len(ends), max(1, runs // 2))
    size = math.ceil(len(ends) / count)
    return [ends[i : i + size] for i in range(0, len(ends), size)], min(_SAMPLES, most, max(1, runs // count))


def _measuring(
    graph: Graph, bounds: Calibration, model: FloatModel, samples: Sequence[Mapping[str, np.ndarray]]
) -> ErrorOf | None:
    """The largest error of an output, as a share of its size; None where all outputs are classes, of which none is."""
    ends = [name for name in graph.outputs if name not in graph.class_tensors() and name in model.tensors]
    wanted = [{name: floats[name] for name in ends} for floats in map(model.run, samples)]

    def error_of(settings: Settings) -> float:
        try:
            found = quantize(graph, bounds, settings)
        except FormatError:
            return math.inf
        scales = {tensor.name: tensor.scale for tensor in found.model.outputs}
        squares = np.zeros((2, len(ends)))
        for given, floats in zip(samples, wanted, strict=True):
            values = semantics.run(found.model, to_integers(found.model, given, clamp=True))
            for i, name in enumerate(ends):
                real = np.asarray(values[name], dtype=np.float64) * scales[name]
                squares[:, i] += ((real - floats[name]) ** 2).sum(), (floats[name] ** 2).sum()
        return float(np.sqrt(squares[0] / np.where(squares[1] > 0, squares[1], 1.0)).max())

    return error_of if ends else None
