"""Widths and scales that float tensors are to have: by what calibration saw of them, and what was asked for."""

from __future__ import annotations

import math
from dataclasses import field
from functools import cached_property

from zkgpu.records import dataclass
from zkgpu.zkml import streams
from zkgpu.zkml.calibrated import Calibration
from zkgpu.zkml.graph import MOVING, ROWS, Graph, unsupported
from zkgpu.zkml.lowering.common_grids import Grid, Reader, behavior, grids_of
from zkgpu.zkml.lowering.settings import Settings
from zkgpu.zkml.restated import QUANTIZE
from zkgpu.zkml.tabular import SHARE, UNIT

WIDE = 32  # bits up to which a linear operation takes its input as it is, without a requantization before it
WIDEST_TABLE = 12  # bits of the index of a table, as many constraints as it has rows
PLAIN = 8  # bits of weights and activations, above which sums are finer too
_STREAM_WEIGHTS = 10  # bits of the weights of a transformer with a residual stream
_ROOM = 16  # bits of room that a tensor is left which is rounded as little as need be
_NORMAL_REACH = 5.0  # standard deviations that a normalized tensor is taken to reach
_PASSING = ("Relu", "MaxPool", "GlobalMaxPool", "Clip", "LeakyRelu", "Flatten", "Reshape", "Squeeze")


@dataclass
class Scales:
    """What tensors of the float graph become, before a rule looks at what was made of their inputs."""

    graph: Graph
    calibration: Calibration
    settings: Settings
    _spans: dict[str, tuple[float, float, int]] = field(default_factory=dict)

    @cached_property
    def stream(self) -> frozenset[str]:
        """The tensors of the residual stream; none where they are integers like others."""
        return frozenset(streams.stream(self.graph) if self.settings.stream else ())

    @cached_property
    def grids(self) -> dict[str, Grid]:
        """By tensor of a stream that a function reads: what its table shares with those of other layers."""
        found: dict[bytes, list[Reader]] = {}
        for node in self.graph.nodes if self.settings.stream and not self.settings.open_weights else ():
            (name, *_), square = node.inputs or ("",), node.attributes.get("square")
            if node.operator == "Function" and not square and self.graph.sole_consumer(name) is node:
                found.setdefault(behavior(node), []).append(Reader(name, *self.span(name), self._own_table_scale(name)))
        return {name: grid for readers in found.values() for name, grid in grids_of(readers).items()}

    # widths

    def bits(self, name: str) -> int:
        """The width of a float tensor, and mostly of the weights that make it."""
        finer = self.settings.finer
        return finer.get(end_of(self.graph, name), self.settings.bits) if finer else self.settings.bits

    def weight_bits(self, name: str) -> int:
        """The width of the weights that make a float tensor."""
        return _STREAM_WEIGHTS if self.settings.stream else self.bits(name)

    @property
    def units_of_offsets(self) -> int:
        """Parts of a unit that constants are added in: a quarter of the steps that a tensor has."""
        return 1 << max(self.settings.bits, *self.settings.finer.values(), 2) - 2

    def table_bits(self, name: str) -> int:
        """The width of the index of a table that reads a float tensor."""
        return min(self.settings.table_bits + self.bits(name) - self.settings.bits, WIDEST_TABLE)

    @property
    def wide(self) -> int:
        """Bits up to which an operation takes its input as it is: twice as many where more bits were asked for."""
        return WIDE if self.settings.bits <= PLAIN else 2 * WIDE

    def spare(self, bits: int) -> float:
        """How much finer than an activation a tensor of so many bits may be, where more than usual were asked for."""
        return 2.0 ** max(0, bits - _ROOM - self.settings.bits) if self.settings.bits > PLAIN else 1.0

    # scales

    def nominal(self, name: str) -> float:
        """The scale at which a float tensor just fills its bits, measured where its Relu and pooling end.

        Where they leave nothing, as behind a Relu that never is above 0, it is measured before them. What the model
        itself makes integers of has their scale.
        """
        here, name = name, end_of(self.graph, name)
        if self.bounds(name) == (0.0, 0.0):
            return self.nominal_here(here)
        reader = self.graph.sole_consumer(name)
        if reader is not None and reader.operator == "Function":
            return self.table_scale(name)
        if reader is not None and reader.operator == QUANTIZE:
            return float(reader.attributes["scale"])
        return self.nominal_here(name)

    def bounds(self, name: str) -> tuple[float, float]:
        """The calibrated bounds of a float tensor; for one that only a rewrite made, those it follows from."""
        producer, constants = self.graph.producers().get(name), self.graph.constants
        if name in constants:
            value = constants[name]
            return min(float(value.min(initial=0)), 0.0), max(float(value.max(initial=0)), 0.0)
        if name in self.calibration.low or producer is None:
            return self.calibration.bounds(name)
        if producer.operator == "ArgMax":
            return 0.0, float(self.graph.shapes[producer.inputs[0]][int(producer.attributes.get("axis", 0))] - 1)
        if producer.operator in ("Normalize", "RootMeanSquare"):
            return -_NORMAL_REACH, _NORMAL_REACH
        if producer.operator in (SHARE, UNIT):
            return -1.0, 1.0
        if producer.operator not in MOVING and (producer.operator != ROWS or producer.inputs[0] not in constants):
            raise unsupported(producer, f"nothing tells how large the numbers of '{name}' are")
        return self.bounds(producer.inputs[0])

    def span(self, name: str) -> tuple[float, float]:
        """The calibrated bounds, with a margin, widened to hold 0 unless that would more than double their distance.

        Those that are not widened to hold it get a sixteenth more on each side at least.
        """
        low, high = self.calibration.seen(name) if name in self.calibration.low else self.bounds(name)
        if is_apart(low, high):
            return _with_margin(low, high, max(self.settings.margin, 1 / 16))
        low, high = _with_margin(low, high, self.settings.margin)
        return min(low, 0.0), max(high, 0.0)

    def table_scale(self, name: str) -> float:
        """The scale at which a tensor's calibrated range fills the index of a table, or one that others have too."""
        return self.grids[name].scale if name in self.grids else self._own_table_scale(name)

    def _own_table_scale(self, name: str) -> float:
        low, high = self.span(name)
        return (high - low) / (2 ** self.table_bits(name) - 1) or self.nominal_here(name)

    def nominal_here(self, name: str) -> float:
        """The scale at which a float tensor's own range fills its bits; of what it reads, where it is always 0."""
        bits = self.bits(name)
        while self.bounds(name) == (0.0, 0.0) and (source := self._source(name)) is not None:
            name = source
        low, high = self.bounds(name)
        return fitting_scale(low, high, bits)

    def _source(self, name: str) -> str | None:
        """The tensor that a tensor is computed from, unless that is a constant."""
        producer = self.graph.producers().get(name)
        return None if producer is None or producer.inputs[0] in self.graph.constants else producer.inputs[0]

    def whole_limbs(self, bits: float) -> int:
        """The least multiple of a limb's width that is not below `bits`."""
        return max(0, math.ceil(bits / self.settings.limb - 1e-9)) * self.settings.limb

    def span_of_alike(self, name: str) -> tuple[float, float, int]:
        """(low, high) of all tensors that are alike with one, and how many entries they have together."""
        part = self.graph.alike[name]
        if part not in self._spans:
            members = self.graph.members(name)
            lows, highs = zip(*(self.span(member) for member in members), strict=True)
            entries = sum(math.prod(self.graph.shapes[member]) for member in members)
            self._spans[part] = min(lows), max(highs), entries
        return self._spans[part]


def end_of(graph: Graph, name: str) -> str:
    """The tensor that a tensor becomes after Relu, pooling and the like, which share its scale."""
    while (reader := graph.sole_consumer(name)) is not None and reader.operator in _PASSING:
        name = reader.output
    return name


def is_apart(low: float, high: float) -> bool:
    """Whether an interval lies farther from 0 than it is long."""
    return 0 < high - low < max(low, -high)


def _with_margin(low: float, high: float, share: float) -> tuple[float, float]:
    """Farther apart, but not across 0."""
    more = (high - low) * share
    return (max(low - more, 0.0) if low >= 0 else low - more), (min(high + more, 0.0) if high <= 0 else high + more)


def fitting_scale(low: float, high: float, bits: int) -> float:
    """The scale at which [low, high], which holds 0, takes 2^bits integers."""
    reach = (high - low) / (2**bits - 1) if low >= 0 or high <= 0 else max(high, -low) / (2 ** (bits - 1) - 1)
    return reach if reach > 0 else 1.0
