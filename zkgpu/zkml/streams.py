"""The residual stream of a transformer: found by its shape in the graph, and what calibration saw in it.

A stream is a long chain of sums, each of which adds something to the sum before it and is read by a normalization. Its
values grow from sum to sum; and in trained language models they are thousands of times larger at the first position
than at others (Sun et al., "Massive Activations in Large Language Models", arXiv 2402.17762). Nothing here goes by
names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import FormatError
from zkgpu.records import dataclass
from zkgpu.zkml.graph import Graph, Node

NORMS = ("Normalize", "RootMeanSquare")
_FEWEST = 3  # sums in a row that make a stream

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Places:
    """What a tensor was seen to be at each place along its last axis but one.

    Attributes:
        low, high: the smallest and the largest value at each place
        rms: the root of the mean square at each place
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    rms: tuple[float, ...]

    @property
    def reaches(self) -> Floats:
        """The largest magnitude at each place."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @property
    def ratios(self) -> Floats:
        """How many times the root of the mean square that is."""
        return self.reaches / np.where(np.array(self.rms) > 0, self.rms, 1.0)

    @property
    def reach(self) -> tuple[float, float]:
        """The largest magnitude at the first place, and at all others, which are the first where it is alone."""
        far = self.reaches
        return float(far[0]), float(far[1:].max(initial=0.0)) if far.size > 1 else float(far[0])


class Watched:
    """The places of some tensors over samples."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self._seen: dict[str, tuple[Floats, Floats, Floats, int]] = {}

    def add(self, values: Mapping[str, NDArray[np.generic]]) -> None:
        """The tensors of one sample."""
        for name in self.names:
            if name in values:
                self._add(name, np.asarray(values[name], dtype=np.float64))

    def _add(self, name: str, value: Floats) -> None:
        rows = np.moveaxis(value, -2, 0).reshape(value.shape[-2], -1)
        low, high, squares = rows.min(axis=1), rows.max(axis=1), (rows**2).mean(axis=1)
        if name in self._seen:
            before = self._seen[name]
            low, high, squares = np.minimum(low, before[0]), np.maximum(high, before[1]), squares + before[2]
        self._seen[name] = low, high, squares, self._seen[name][3] + 1 if name in self._seen else 1

    @property
    def places(self) -> dict[str, Places]:
        return {
            name: Places(tuple(low.tolist()), tuple(high.tolist()), tuple(np.sqrt(squares / count).tolist()))
            for name, (low, high, squares, count) in self._seen.items()
        }


def stream(graph: Graph) -> tuple[str, ...]:
    """The tensors of the longest residual stream, from the first that a norm reads; none where no chain is long."""
    normed = {name for name in graph.shapes if _is_normed(graph, name)}
    longest: dict[str, tuple[str, ...]] = {}
    for node in graph.nodes:
        for name in _skipped(graph, node, normed):
            found = (*longest.get(name, (name,)), node.output)
            longest[node.output] = max(found, longest.get(node.output, ()), key=len)
    best = max(longest.values(), key=len, default=())
    return best if len(best) > _FEWEST else ()


def _skipped(graph: Graph, node: Node, normed: set[str]) -> list[str]:
    """What a sum of two tensors of one shape takes as it is: the one that a norm reads too."""
    if node.operator != "Add" or any(name in graph.constants for name in node.inputs):
        return []
    shapes = {graph.shapes.get(name, ()) for name in (*node.inputs, node.output)}
    is_stream = len(shapes) == 1 and len(graph.shapes[node.output]) > 1
    return [name for name in node.inputs if name in normed] if is_stream else []


def _is_normed(graph: Graph, name: str) -> bool:
    readers = graph.consumers().get(name, [])
    return any(
        reader.operator in NORMS or (is_same_shape(graph, reader) and _is_normed(graph, reader.output))
        for reader in readers
    )


def is_same_shape(graph: Graph, node: Node) -> bool:
    """Whether a node leaves a tensor as it is."""
    return node.operator == "Reshape" and graph.shapes[node.inputs[0]] == graph.shapes[node.output]


def watched(graph: Graph, members: tuple[str, ...]) -> tuple[str, ...]:
    """The tensors whose places count: the stream, and what dense layers beside it read."""
    if not members:
        return ()
    rows = graph.shapes[members[0]][:-1]
    read = [node.inputs[0] for node in graph.nodes if node.operator == "Dense"]
    return tuple(dict.fromkeys([*members, *(name for name in read if graph.shapes[name][:-1] == rows)]))


def require_first_position(graph: Graph, samples: Mapping[str, NDArray[np.generic]]) -> None:
    """Raises FormatError where positions are an input, and none of the samples begins with the first."""
    for name in graph.places():
        values = samples.get(name) if name in graph.inputs else None
        if values is None or values.dtype.kind not in "iu" or values.ndim < 2 or values.shape[-1] < 2:
            continue
        if (np.diff(values, axis=-1) == 1).all() and not (values[..., 0] == 0).any():
            raise FormatError(
                f"input '{name}' holds positions, and the calibration never saw the first, where activations of a "
                "language model are largest: calibrate with sequences that begin at position 0"
            )


def told(places: Mapping[str, Places]) -> dict[str, dict[str, list[float]]]:
    """By tensor: the largest magnitude at each position, and how many times the root of the mean square that is."""
    return {name: {"max": own.reaches.tolist(), "max_over_rms": own.ratios.tolist()} for name, own in places.items()}


def summary(places: Mapping[str, Places]) -> str:
    """One line: where values are largest, at the first position and at all others."""
    first, others = (max(places, key=lambda name: places[name].reach[at]) for at in (0, 1))
    ratios = [
        max(float(own.ratios[at].max(initial=0.0)) for own in places.values()) for at in (slice(1), slice(1, None))
    ]
    return (
        f"residual stream: up to {places[first].reach[0]:,.4g} at the first position ('{first}'), "
        f"{places[others].reach[1]:,.4g} at others ('{others}'); max / rms up to {ratios[0]:,.0f} and {ratios[1]:,.0f}"
    )
