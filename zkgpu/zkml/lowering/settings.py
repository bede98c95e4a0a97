"""How fine the integers of a quantized model are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from zkgpu.records import dataclass


@dataclass(frozen=True)
class Settings:
    """How fine the integers are.

    Attributes:
        bits: width of activations and weights
        limb: requantizations drop a multiple of this many bits, the width of a looked-up limb
        table_bits: width of the index of a table
        open_weights: whether other weights will be proven in the same circuit: a table then takes all that its clamp
            lets by
        by_column: inputs of one row are as fine as their smallest column needs
        of_table: a small model of tables: its functions are tabled beyond what the calibration saw
        even: channels between layers with weights are brought to one size
        margin: how much farther than they were seen to reach tables go on either side, as a share
        stream: a transformer with a residual stream, whose tensors have widths by their part (lowering.residual)
        finer: width of those tensors that have another one, by the name that they have after Relu and pooling
        ramps: activations that end in straight lines follow them far beyond what the calibration saw (lowering.ramps)
    """

    bits: int = 8
    limb: int = 8
    table_bits: int = 8
    open_weights: bool = False
    by_column: bool = False
    of_table: bool = False
    even: bool = False
    margin: float = 0.0
    stream: bool = False
    finer: Mapping[str, int] = field(default_factory=dict)
    ramps: bool = False
