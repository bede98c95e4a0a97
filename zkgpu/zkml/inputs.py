"""Real inputs of a sample as the integers that stand for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import InputError
from zkgpu.zkml.operations import IntegerModel, Tensor
from zkgpu.zkml.samples import Samples

Floats = NDArray[np.float64]

_WHOLE = 1e-6  # how far a whole number may be from an integer


def to_integers(model: IntegerModel, inputs: Samples, *, clamp: bool = False) -> dict[str, NDArray[np.int64]]:
    """The integers that stand for real inputs of one sample.

    Args:
        clamp: bring entries out of range to its end, and round those of an input that was calibrated with whole
            numbers; else they raise InputError naming the input and the index
    """
    found = {}
    for tensor in model.inputs:
        real = _given(tensor, inputs)
        integers = _rounded(tensor, real)
        if clamp:
            integers = np.clip(integers, tensor.low, tensor.high)
        else:
            _refuse_fractions(tensor, real)
        _refuse_out_of_range(tensor, integers)
        found[tensor.name] = integers.astype(np.int64)
    return found


def count_moved(model: IntegerModel, inputs: Samples) -> dict[str, int]:
    """How many entries of each input `to_integers` refuses unless it clamps them; without inputs that have none."""
    found = {}
    for tensor in model.inputs:
        real = _given(tensor, inputs)
        integers = _rounded(tensor, real)
        found[tensor.name] = int(((integers < tensor.low) | (integers > tensor.high) | _fractions(tensor, real)).sum())
    return {name: count for name, count in found.items() if count}


def _rounded(tensor: Tensor, real: Floats) -> Floats:
    """Half-way values up; what is beyond all floats is infinite, and out of range."""
    with np.errstate(over="ignore"):
        found: Floats = np.floor(real / tensor.scale + 0.5)
    return found


def _given(tensor: Tensor, inputs: Samples) -> Floats:
    if tensor.name not in inputs:
        raise InputError(f"missing input '{tensor.name}': the data hold nothing under that name")
    return _numbers(tensor, np.asarray(inputs[tensor.name]))


def _fractions(tensor: Tensor, real: Floats) -> NDArray[np.bool_]:
    """Where an input whose integers stand for themselves has other numbers."""
    found: NDArray[np.bool_] = (np.abs(real - np.rint(real)) > _WHOLE) & (tensor.scale == 1.0)
    return found


def _refuse_fractions(tensor: Tensor, real: Floats) -> None:
    for at in np.argwhere(_fractions(tensor, real))[:1]:
        raise InputError(
            f"input '{tensor.name}' at index {at.tolist()} is no whole number, as all were that it was calibrated "
            "with: calibrate with numbers like this one",
            values=f"it is {real[tuple(at)]:g}",
        )


def _numbers(tensor: Tensor, value: NDArray[Any]) -> Floats:
    """The value in the tensor's shape. Raises InputError unless it holds that many finite real numbers."""
    if value.dtype.kind not in "fiub" or value.size != np.prod(tensor.shape, dtype=int):
        raise InputError(
            f"input '{tensor.name}' must hold numbers of shape {tensor.shape}, not {value.dtype} of shape {value.shape}"
        )
    real = value.astype(np.float64).reshape(tensor.shape)
    for at in np.argwhere(~np.isfinite(real))[:1]:
        found = f"it is {real[tuple(at)]}"
        raise InputError(f"input '{tensor.name}' at index {at.tolist()} is not a finite number", values=found)
    return real


def _refuse_out_of_range(tensor: Tensor, integers: Floats) -> None:
    outside = np.argwhere((integers < tensor.low) | (integers > tensor.high))
    if outside.size:
        at = tuple(int(i) for i in outside[0])
        raise InputError(
            f"input '{tensor.name}' at index {list(at)} is outside of "
            f"[{tensor.low * tensor.scale:g}, {tensor.high * tensor.scale:g}], the range it was calibrated for",
            values=f"it is {integers[at] * tensor.scale:g}",
        )
