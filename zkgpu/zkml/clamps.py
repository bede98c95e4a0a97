"""Values beyond what calibration saw, which a clamp brings to its end: how far it moves those of a run, by layer.

Those are clamps whose ends calibration has set: those of Relu and Clip are the float model's own, and one in front of a
table whose function stays what it is at the end changes nothing (lowering.tables). How far is told of all values of
a clamp together: the root of the sum of the squares of how far each is moved, as a share of the same of the values. So
one of ten thousand values that is a little too large is no matter, and the one value that decides an answer is. Where a
function that is read at them is steep, as exp is, they may be moved less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from zkgpu.records import dataclass
from zkgpu.zkml.operations import SEEN_HIGH, SEEN_LOW, STEEP, IntegerModel, Requantize
from zkgpu.zkml.semantics import Array, OutOfRange, round_half_up

FARTHEST, OF_STEEP = 1 / 16, 1 / 128  # how far the values of a layer may be moved, as a share
_NEAR = 16  # a part of a clamp's interval: how far beyond its end a value is far


@dataclass(frozen=True)
class Clamped:
    """What a clamp does to the values of a run.

    Attributes:
        count: how many it moves
        share: how far, all together
        index, value: of the one that is moved farthest
        far: how many lie far beyond the clamp's ends
    """

    operation: Requantize
    count: int
    share: float
    index: tuple[int, ...]
    value: int
    far: int

    @property
    def is_refused(self) -> bool:
        """Whether the answer is no longer the float model's."""
        return self.share > (OF_STEEP if self.operation.seen & STEEP else FARTHEST)

    def refusal(self) -> OutOfRange:
        low, high = self.operation.low, self.operation.high
        return OutOfRange(
            f"layer '{self.operation.layer}': the value at index {list(self.index)} is outside of [{_end(low)}, "
            f"{_end(high)}], the range that it was calibrated for, so far that a clamp would change the answer: "
            "calibrate with inputs like this one, or clamp it (--clamp)",
            values=f"it is {self.value}, and the layer's values would be moved by {self.share:.0%}",
        )


def _end(end: int | None) -> str:
    return ".." if end is None else str(end)


def limited(model: IntegerModel) -> tuple[Requantize, ...]:
    """The clamps that have an end which calibration has set."""
    return tuple(op for op in model.operations if isinstance(op, Requantize) and op.seen)


def clamped(operations: Sequence[Requantize], values: Mapping[str, Array]) -> list[Clamped]:
    """What is to be said of these clamps in a run: those that move a value far, or all of them together."""
    found = (_clamped(op, values[op.inputs[0]], values[op.output]) for op in operations)
    return [one for one in found if one is not None and (one.far or one.is_refused)]


def _clamped(operation: Requantize, x: Array, kept: Array) -> Clamped | None:
    """None where nothing is moved."""
    moved = round_half_up(x, operation.shift) - kept
    if not operation.seen & SEEN_LOW:
        moved = np.maximum(moved, 0)
    if not operation.seen & SEEN_HIGH:
        moved = np.minimum(moved, 0)
    if not moved.any():
        return None
    far = np.abs(moved)
    at = np.unravel_index(int(np.argmax(far)), far.shape)
    return Clamped(
        operation,
        int(np.count_nonzero(far)),
        _share(operation, moved.astype(np.float64), kept.astype(np.float64)),
        tuple(int(i) for i in at),
        int(kept[at]) + int(moved[at]),
        int((far > _near(operation)).sum()),
    )


def _near(operation: Requantize) -> int:
    """Units beyond an end that are not far."""
    if operation.low is None or operation.high is None:
        return 1
    return 1 + (operation.high - operation.low) // _NEAR


def _share(operation: Requantize, moved: Array, kept: Array) -> float:
    """How far values are moved, as a share of how far they lie from 0, or the end nearest to it. A unit is none."""
    least, most = (np.inf * sign if end is None else end for sign, end in ((-1, operation.low), (1, operation.high)))
    whole = np.linalg.norm(kept + moved - np.clip(0.0, least, most))
    return float(np.linalg.norm(np.maximum(np.abs(moved) - 1, 0)) / whole)
