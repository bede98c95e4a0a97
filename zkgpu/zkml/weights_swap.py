"""Whether another network fits the circuit of a first one that leaves its weights to the prover."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from zkgpu.errors import UsageError
from zkgpu.zkml.operations import IntegerModel, Linear, Operation, Requantize, Rescale, Tensor
from zkgpu.zkml.ranges import analyze

_WEIGHTS = {"weight", "multiplier", "bias"}


def require_same_architecture(model: IntegerModel, other: IntegerModel) -> None:
    """Raises UsageError naming the first layer that differs in more than its weights, or whose sums do not fit.

    All else is the same: inputs and outputs with their names, shapes, scales and ranges, and the width of limbs.
    """
    for mine, its in zip(model.operations, other.operations, strict=False):
        if type(mine) is type(its) and _same(mine, its):
            continue
        if isinstance(mine, Requantize | Rescale) or isinstance(
            its, Requantize | Rescale
        ):  # as far as sums reach, they are rounded
            raise UsageError(
                f"layer '{its.layer}': these weights give sums of another size than the circuit was made for: compile "
                "the model on its own"
            )
        raise UsageError(f"layer '{its.layer}' of the other model differs in more than weights: compile it on its own")
    if (
        len(model.operations) != len(other.operations)
        or (model.inputs, model.limb) != (other.inputs, other.limb)
        or [_shown(tensor) for tensor in model.outputs] != [_shown(tensor) for tensor in other.outputs]
    ):
        raise UsageError("the other model has another architecture: compile it on its own")
    _require_room(model, other)


def _shown(tensor: Tensor) -> Tensor:
    """What a verifier is given of an output: its range follows from the weights, and is not."""
    return replace(tensor, low=0, high=0)


def _same(mine: Operation, its: Operation) -> bool:
    skipped = _WEIGHTS if isinstance(mine, Linear) else set()
    if isinstance(mine, Linear) and any(getattr(mine, n).shape != getattr(its, n).shape for n in _WEIGHTS):
        return False
    return all(_equal(getattr(mine, f.name), getattr(its, f.name)) for f in fields(mine) if f.name not in skipped)


def _equal(x: Any, y: Any) -> bool:
    if isinstance(x, tuple):
        return len(x) == len(y) and all(_equal(a, b) for a, b in zip(x, y, strict=True))
    return bool(np.array_equal(x, y))


def _require_room(model: IntegerModel, other: IntegerModel) -> None:
    """Each sum of the other model must lie in the interval that the circuit was made for."""
    room, needed = analyze(model, margin=True), analyze(other)
    for operation in other.operations:
        its, mine = needed[operation.output], room[operation.output]
        if its.least < mine.least or its.greatest > mine.greatest:
            raise UsageError(
                f"layer '{operation.layer}': these weights give values up to {its.bits} bits, the circuit holds "
                f"{mine.bits}: compile the model on its own"
            )
