"""How far the integers are from the floats: by output, by layer, and in the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import UsageError
from zkgpu.stages import stage
from zkgpu.zkml import semantics
from zkgpu.zkml.calibration import FloatModel, Samples, sample
from zkgpu.zkml.operations import IntegerModel, Tensor
from zkgpu.zkml.quantise import Quantisation

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OutputAccuracy:
    """One output over all samples.

    agreement   share of rows whose largest entry is at the same place in both
    error       root of the mean squared difference, over that of the float values
    """

    name: str
    agreement: float
    error: float


@dataclass(frozen=True)
class Accuracy:
    """The accuracy report.

    samples       how many were compared
    outputs       one record for each output
    worst_layer   the tensor with the largest error relative to its size, and that error
    layers        that error for each tensor of the float model
    """

    samples: int
    outputs: tuple[OutputAccuracy, ...]
    worst_layer: tuple[str, float]
    layers: Mapping[str, float]


def measure(quantisation: Quantisation, model: FloatModel, samples: Samples) -> Accuracy:
    """Float and integer model side by side on every sample; entries out of range are brought to its end."""
    ends = tuple(tensor.name for tensor in quantisation.model.outputs)
    shared = [name for name in model.tensors if name in quantisation.tensors]
    squares = {name: np.zeros(2) for name in shared}
    agreed: dict[str, list[float]] = {name: [] for name in ends}
    count = len(next(iter(samples.values())))
    with stage("measure accuracy"):
        for i in range(count):
            given = sample(samples, i)
            floats = model.run(given)
            integers = semantics.run(quantisation.model, to_integers(quantisation.model, given, clamp=True))
            for name in shared:
                real = _real(quantisation, integers, name)
                squares[name] += [((real - floats[name]) ** 2).sum(), (floats[name] ** 2).sum()]
                if name in agreed:
                    agreed[name].append(_agreement(real, floats[name]))
    errors = {name: float(np.sqrt(e / s)) if s > 0 else float(np.sqrt(e)) for name, (e, s) in squares.items()}
    outputs = tuple(OutputAccuracy(n, float(np.mean(agreed[n])), errors[n]) for n in ends if n in errors)
    worst = max(errors, key=lambda name: errors[name])
    return Accuracy(count, outputs, (worst, errors[worst]), errors)


def _real(quantisation: Quantisation, integers: Mapping[str, Any], name: str) -> Floats:
    tensor = quantisation.tensors[name]
    value = np.asarray(integers[tensor.name], dtype=np.float64)
    return value * tensor.scale


def _agreement(x: Floats, y: Floats) -> float:
    if y.ndim == 0 or y.shape[-1] == 1:
        return float(np.mean(np.rint(x) == np.rint(y)))
    return float(np.mean(np.argmax(x, axis=-1) == np.argmax(y, axis=-1)))


def to_integers(model: IntegerModel, inputs: Samples, *, clamp: bool = False) -> dict[str, NDArray[np.int64]]:
    """The integers that stand for real inputs of one sample.

    clamp   bring entries out of range to its end; else they raise UsageError naming the input and the index
    """
    found = {}
    for tensor in model.inputs:
        if tensor.name not in inputs:
            raise UsageError(f"missing input '{tensor.name}'")
        integers = np.floor(_numbers(tensor, np.asarray(inputs[tensor.name])) / tensor.scale + 0.5)
        if clamp:
            integers = np.clip(integers, tensor.low, tensor.high)
        _refuse_out_of_range(tensor, integers)
        found[tensor.name] = integers.astype(np.int64)
    return found


def _numbers(tensor: Tensor, value: NDArray[Any]) -> Floats:
    """The value in the tensor's shape. Raises UsageError unless it holds that many finite real numbers."""
    if value.dtype.kind not in "fiub" or value.size != np.prod(tensor.shape, dtype=int):
        raise UsageError(
            f"input '{tensor.name}' must hold numbers of shape {tensor.shape}, not {value.dtype} of shape {value.shape}"
        )
    real = value.astype(np.float64).reshape(tensor.shape)
    for at in np.argwhere(~np.isfinite(real))[:1]:
        found = f"it is {real[tuple(at)]}"
        raise UsageError(f"input '{tensor.name}' at index {at.tolist()} is not a finite number", values=found)
    return real


def _refuse_out_of_range(tensor: Tensor, integers: Floats) -> None:
    outside = np.argwhere((integers < tensor.low) | (integers > tensor.high))
    if outside.size:
        at = tuple(int(i) for i in outside[0])
        raise UsageError(
            f"input '{tensor.name}' at index {list(at)} is outside of "
            f"[{tensor.low * tensor.scale:g}, {tensor.high * tensor.scale:g}], the range it was calibrated for",
            values=f"it is {integers[at] * tensor.scale:g}",
        )
