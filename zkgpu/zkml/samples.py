"""Samples as callers give them: arrays, by name or not, tables of pandas, or files; one sample or several."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import InputError
from zkgpu.formats.samples import Shapes, by_column, read_samples
from zkgpu.zkml.operations import Tensor

Samples = Mapping[str, NDArray[Any]]
_GOLDEN = 0.6180339887498949  # multiples of it, less their whole part, are spread evenly over [0, 1)


def loaded(data: Any, inputs: Shapes, *, only: bool = False, memory: int | None = None) -> Any:
    """The data: read where they are a path, by column where they are a table of pandas.

    Args:
        inputs, only, memory: as of `formats.samples.read_samples`, as which it raises
    """
    if isinstance(data, str | Path):
        return read_samples(os.fspath(data), inputs, only=only, memory=memory)
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):
        table = data.to_numpy()
        return table if len(inputs) == 1 else by_column([str(name) for name in data.columns], table, inputs)
    return {name: _plain(value) for name, value in data.items()} if isinstance(data, Mapping) else _plain(data)


def _plain(value: Any) -> Any:
    """A tensor of PyTorch without what its gradient is computed by, which NumPy does not take."""
    return value.detach() if hasattr(value, "detach") else value


def made_up(shape: Sequence[int], kind: np.dtype[Any]) -> NDArray[Any]:
    """Numbers in [-2, 2); integers and truths are 0 or 1."""
    spread = (np.arange(math.prod(shape)) * _GOLDEN % 1).reshape(shape)
    return np.rint(spread) if kind.kind in "iub" else 4 * spread - 2


def as_samples(inputs: Sequence[str], data: Any) -> dict[str, NDArray[Any]]:
    """Sample inputs by name, each with a first axis that counts samples.

    Args:
        data: an array when the model has one input, else a mapping of names to arrays

    Raises InputError for names that do not fit, empty data, or values that are not finite numbers.
    """
    if not isinstance(data, Mapping):
        if len(inputs) != 1:
            raise InputError(f"the model has inputs {', '.join(inputs)}: give data for each, by name")
        data = {inputs[0]: data}
    missing = [name for name in inputs if name not in data]
    if missing:
        raise InputError(f"the data holds nothing for input '{missing[0]}'; it has {', '.join(data) or 'nothing'}")
    samples = {name: np.asarray(data[name]) for name in inputs}
    for name, array in samples.items():
        _require_numbers(name, array)
    if len({array.shape[0] for array in samples.values()}) != 1:
        raise InputError("the inputs have different numbers of samples")
    return samples


def _require_numbers(name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind not in "fiub":
        raise InputError(f"data for input '{name}' are {array.dtype}, and not real numbers: give floats or integers")
    if array.ndim < 1 or array.shape[0] == 0:
        raise InputError(f"data for input '{name}' have the shape {array.shape}, without a sample: give one at least")
    for at in np.argwhere(~np.isfinite(array))[:1].tolist():
        raise InputError(
            f"data for input '{name}' are no finite number in sample {at[0]} at index {at[1:]}: leave that sample out"
        )


def shapes_of(samples: Samples, axes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The shape of each input for one sample; one with as many axes as its samples have together begins with the batch.

    Raises InputError for samples that lack the axis that counts them.

    Args:
        axes: how many each input has in the model
    """
    for name, array in samples.items():
        if array.ndim == axes[name] - 1:
            raise InputError(
                f"data for input '{name}' have the shape {array.shape}, but the input has {axes[name]} axes: even one "
                "sample needs an axis in front, array[numpy.newaxis]"
            )
    return {n: array.shape[1:] if array.ndim > axes[n] else (1, *array.shape[1:]) for n, array in samples.items()}


def sample(samples: Samples, index: int) -> dict[str, NDArray[Any]]:
    """One sample, with a batch axis of one."""
    return {name: array[index : index + 1] for name, array in samples.items()}


def each(inputs: Sequence[Tensor], given: Samples) -> list[dict[str, NDArray[Any]]] | None:
    """The samples of a batch along axis 0; None where it is one sample, as it is where its size is that of the inputs.

    Raises InputError where inputs have different numbers of samples, or none.
    """
    arrays = {tensor.name: np.asarray(given[tensor.name]) for tensor in inputs if tensor.name in given}
    counts = {t.name: _count(arrays[t.name], math.prod(t.shape)) for t in inputs if t.name in arrays}
    if set(counts.values()) <= {None}:
        return None
    if len(set(counts.values())) > 1:
        numbers = ", ".join(f"'{name}' {1 if count is None else count}" for name, count in counts.items())
        raise InputError(f"the inputs have different numbers of samples: {numbers}")
    count = next(iter(counts.values()))
    if not count:
        raise InputError("a batch without samples: give one at least")
    return [{name: array[i] for name, array in arrays.items()} for i in range(count)]


def _count(array: NDArray[Any], size: int) -> int | None:
    """How many samples a batch has; None for one sample, and for what is neither."""
    if array.size == size or array.ndim == 0 or math.prod(array.shape[1:]) != size:
        return None
    return len(array)
