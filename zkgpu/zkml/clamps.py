"""Values far beyond what calibration saw, which a clamp brings to its end: how many a run has, by layer.

Those are clamps whose ends calibration has set: those of Relu and Clip are the float model's own. One in front of a
table that is constant at its end changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zkgpu.zkml.operations import SEEN_HIGH, SEEN_LOW, IntegerModel, Lookup, Operation, Requantize
from zkgpu.zkml.semantics import Array, round_half_up

_NEAR = 16  # a part of a clamp's interval: how far beyond it a value is far, and how far within a table has one value
_ONE_VALUE = 256  # a part of a table's reach that counts as none


@dataclass(frozen=True)
class Limits:
    """How far a layer's rounded values may go before a clamp changes what the float model says.

    Attributes:
        low, high: None where they may go anywhere
    """

    operation: Requantize
    low: int | None
    high: int | None

    def count(self, values: Mapping[str, Array]) -> int:
        """How many values went farther."""
        rounded = round_half_up(values[self.operation.inputs[0]], self.operation.shift)
        below = 0 if self.low is None else (rounded < self.low).sum()
        return int(below + (0 if self.high is None else (rounded > self.high).sum()))


def limits(model: IntegerModel) -> tuple[Limits, ...]:
    """Those of each clamp that has some."""
    shown, readers = {tensor.name for tensor in model.outputs}, dict[str, list[Operation]]()
    for operation in model.operations:
        for name in operation.inputs:
            readers.setdefault(name, []).append(operation)
    clamps = (op for op in model.operations if isinstance(op, Requantize) and op.seen)
    found = (_limits(op, [] if op.output in shown else readers.get(op.output, [])) for op in clamps)
    return tuple(one for one in found if one.low is not None or one.high is not None)


def _limits(operation: Requantize, readers: list[Operation]) -> Limits:
    """Somewhat beyond each end that calibration has set; none where only tables read the values, constant there."""
    low = operation.low if operation.seen & SEEN_LOW else None
    high = operation.high if operation.seen & SEEN_HIGH else None
    near = 1 if operation.low is None or operation.high is None else 1 + (operation.high - operation.low) // _NEAR
    if low is not None:
        low = None if _is_constant(readers, low, low + near) else low - near
    if high is not None:
        high = None if _is_constant(readers, high - near, high) else high + near
    return Limits(operation, low, high)


def _is_constant(readers: list[Operation], first: int, last: int) -> bool:
    """Whether the numbers from one to another are read, and by tables that have nearly one value for them."""
    return bool(readers) and all(isinstance(op, Lookup) and _has_one_value(op, first, last) for op in readers)


def _has_one_value(operation: Lookup, first: int, last: int) -> bool:
    values = operation.table[max(first - operation.first, 0) : max(last + 1 - operation.first, 0)]
    return not values.size or int(np.ptp(values)) <= max(1, int(np.ptp(operation.table)) // _ONE_VALUE)


def count_clamped(limits: Sequence[Limits], values: Mapping[str, Array]) -> dict[str, int]:
    """By layer, how many values of a run went beyond the limits."""
    found = Counter[str]()
    for one in limits:
        found[one.operation.layer] += one.count(values)
    return {layer: count for layer, count in found.items() if count}
