"""What calibration has seen of the tensors of a float model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from zkgpu.errors import UsageError
from zkgpu.records import dataclass
from zkgpu.zkml.streams import Places


@dataclass(frozen=True)
class Calibration:
    """The smallest and largest value of each tensor, over all samples, and which inputs held integers only.

    Attributes:
        columns: of each input that is one row, and of what is made of it column by column before a layer with weights:
            how far the values of each column reach, 0 for one that is always 0
        channels: of these, and of tensors between layers with weights: the smallest and the largest values of each
            column or channel
        places: of tensors of a residual stream, and of what is computed of it: what they are at each position
        units: of each input whose numbers all have a few decimals: the power of ten that they are multiples of
    """

    low: Mapping[str, float]
    high: Mapping[str, float]
    integral: frozenset[str]
    columns: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    channels: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = field(default_factory=dict)
    places: Mapping[str, Places] = field(default_factory=dict)
    units: Mapping[str, float] = field(default_factory=dict)

    def bounds(self, name: str) -> tuple[float, float]:
        """(low, high), widened to hold 0. Raises UsageError for a tensor that was not seen."""
        low, high = self.seen(name)
        return min(low, 0.0), max(high, 0.0)

    def seen(self, name: str) -> tuple[float, float]:
        """(low, high) as they were. Raises UsageError for a tensor that was not seen."""
        if name not in self.low:
            raise UsageError(f"tensor '{name}' was not calibrated")
        return self.low[name], self.high[name]
