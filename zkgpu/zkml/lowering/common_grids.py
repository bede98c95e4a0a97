"""One grid for what equal functions of several layers read, so that one table serves all of them.

A table is its keys and values, each in a unit: layers whose indices and values have the same units, over one range,
have the same table, whose rows a circuit pays once. The unit of a grid is the finest that any of its layers wants, and
the table's range the longest, so that none of them loses a step. Which layers have a grid in common is weighed by rows:
of layers that reach about as far as each other one table is little longer than that of one of them, and of others it is
longer than all of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from zkgpu.records import dataclass
from zkgpu.zkml.graph import Array, Node

SPREAD = 2  # bits between the finest and the coarsest unit that layers of one grid want
_PROBES = np.linspace(-8, 8, 65)


@dataclass(frozen=True)
class Reader:
    """A tensor that a function reads, its range, and the unit that its own table would have."""

    name: str
    low: float
    high: float
    scale: float


@dataclass(frozen=True)
class Grid:
    """What the layers of one table have in common.

    Attributes:
        scale: what a step of the index stands for
        spans: the calibrated range of each layer
    """

    scale: float
    spans: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, readers: Sequence[Reader]) -> Grid:
        return cls(min(r.scale for r in readers), tuple((r.low, r.high) for r in readers))

    @property
    def span(self) -> tuple[float, float]:
        """The range that holds all of them."""
        return min(low for low, _ in self.spans), max(high for _, high in self.spans)

    @property
    def rows(self) -> float:
        """Of its table, but for a factor that all have."""
        low, high = self.span
        return (high - low) / self.scale


def behavior(node: Node) -> bytes:
    """Equal for functions that give the same at some points: those of one kind, whatever they are called."""
    with np.errstate(all="ignore"):
        found = np.asarray(node.attributes["function"](_PROBES), dtype=np.float64)
    values: Array = np.broadcast_to(found, _PROBES.shape)
    return values.tobytes()


def grids_of(readers: Iterable[Reader]) -> dict[str, Grid]:
    """By tensor, the grids of equal functions whose tables have the fewest rows together.

    Grids are of readers that are next to each other by their units: that of the first is the finest.
    """
    order = sorted(readers, key=lambda reader: reader.scale)
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]  # rows of the first so many, and where their grids end
    for end in range(1, len(order) + 1):
        starts = [s for s in range(end) if order[end - 1].scale <= order[s].scale * 2**SPREAD]
        best.append(min((best[s][0] + Grid.of(order[s:end]).rows, (*best[s][1], end)) for s in starts))
    found, start = dict[str, Grid](), 0
    for end in best[-1][1]:
        found |= dict.fromkeys((reader.name for reader in order[start:end]), Grid.of(order[start:end]))
        start = end
    return found
