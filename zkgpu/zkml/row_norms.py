"""What is known of rows behind a norm beside the interval of each entry: how far they reach as vectors.

A row c R of a layer norm or an RMS norm, with R = floor(2^bits / sqrt(V)) and V at least the sum of the squares of c,
is no longer than 2^bits in the Euclidean norm, though each of its entries may be that large. A layer with weights w
behind it so reaches no farther than 2^bits |w|, by the inequality of Cauchy and Schwarz, where the ends of the entries
say 2^bits times the sum of the sizes of w, or five standard deviations times that where it is clamped.

What becomes of such a row entry by entry is written as

    value[i] = gain[i] z[i] + offset[i] + e[i]      with |z| <= bound and |e[i]| <= error[i]

Multiplying and adding constants keeps the form. Rounding adds half a unit to `error`. A clamp to an interval that
holds offset[i] moves a value towards it, which makes gain[i] z[i] + e[i] smaller and changes no sign: the form stays as
it is.

Floats with a relative margin: ends that are made of them are rounded outwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zkgpu.records import dataclass
from zkgpu.zkml.operations import Arrange, Combine, Linear, Normalize, Operation, Requantize, Rescale, RootMeanSquare

Floats = NDArray[np.float64]

_MARGIN = 1e-6  # of all that is computed in floats, relative
_MOST = 1 << 22  # entries beyond which nothing is kept
_PIECE = 1 << 22  # weights that are made floats at a time


@dataclass(frozen=True, eq=False)
class RowNorms:
    """The form above, of a tensor, entry by entry: arrays of its shape.

    Attributes:
        entries: which z each is of, numbered row by row; -1 for none, whose gain is 0
        bound, gain, offset, error: as above
        width: entries of a row
    """

    entries: NDArray[np.int64]
    bound: Floats
    gain: Floats
    offset: Floats
    error: Floats
    width: int


def after(operation: Operation, given: Sequence[RowNorms | None], shape: tuple[int, ...]) -> RowNorms | None:
    """What is known behind an operation; None where that is nothing.

    Args:
        given: of its inputs
        shape: of its output
    """
    if isinstance(operation, Normalize | RootMeanSquare):
        return _of_norm(shape, operation.bits)
    known = [x for x in given if x is not None]
    if not known or len(known) < len(given):
        return None
    if isinstance(operation, Arrange):
        return _arranged(operation, known)
    x = known[0]
    if len(known) > 1 or x.entries.shape != shape:
        return None
    if isinstance(operation, Combine):
        m, offset = operation.multipliers[0].astype(np.float64), operation.offset.astype(np.float64)
        return replace(x, gain=x.gain * m, offset=x.offset * m + offset, error=x.error * np.abs(m))
    return _rounded(operation, x) if isinstance(operation, Requantize | Rescale) else None


def _of_norm(shape: tuple[int, ...], bits: int) -> RowNorms | None:
    size = math.prod(shape)
    if not 0 < size <= _MOST:
        return None
    one, none = np.ones(shape), np.zeros(shape)
    return RowNorms(np.arange(size).reshape(shape), 2.0**bits * one, one, none, none, shape[-1])


def _arranged(operation: Arrange, known: Sequence[RowNorms]) -> RowNorms | None:
    if operation.positions.size > _MOST or len({x.width for x in known}) > 1:
        return None
    parts, start = [], 0
    for x in known:
        parts.append([np.where(x.entries < 0, -1, x.entries + start), x.bound, x.gain, x.offset, x.error])
        start += (int(x.entries.max(initial=0)) // x.width + 1) * x.width
    parts.append([np.full(1, -1), *np.zeros((4, 1))])
    flat = (np.concatenate([part.ravel() for part in of_all]) for of_all in zip(*parts, strict=True))
    entries, bound, gain, offset, error = (part[operation.positions] for part in flat)
    return RowNorms(entries, bound, gain, offset, error, known[0].width)


def _rounded(operation: Requantize | Rescale, x: RowNorms) -> RowNorms | None:
    unit = 2.0**operation.shift
    offset, error = x.offset / unit, x.error / unit + (0.5 if operation.shift else 0.0)
    ends = (operation.low, operation.high) if isinstance(operation, Requantize) else (None, None)
    is_inside = all(end is None or (sign * offset < sign * end).all() for end, sign in zip(ends, (-1, 1), strict=True))
    return replace(x, gain=x.gain / unit, offset=offset, error=error) if is_inside else None


def ends_of_sums(operation: Linear, x: RowNorms) -> tuple[Floats, Floats] | None:
    """(g, m, n) whole numbers between which x @ weight lies, for rows x of shape (g, m, k).

    None where a row has entries of several rows of a norm, or one of them twice: of these nothing is known.
    """
    if not _are_parts_of_rows(x):
        return None
    low, high = (np.empty((*x.entries.shape[:2], operation.weight.shape[2])) for _ in range(2))
    step = max(1, _PIECE // operation.weight[..., 0].size)
    for start in range(0, low.shape[2], step):
        piece = slice(start, start + step)
        low[..., piece], high[..., piece] = _ends(operation.weight[..., piece].astype(np.float64), x)
    return low, high


def _ends(weight: Floats, x: RowNorms) -> tuple[Floats, Floats]:
    sizes, bound = np.abs(weight), x.bound.max(axis=-1, keepdims=True)
    middle = x.offset @ weight
    reach = bound * np.sqrt((x.gain * x.gain) @ (weight * weight)) + x.error @ sizes
    reach = reach * (1 + _MARGIN) + _MARGIN * (np.abs(x.offset) @ sizes) + 1
    return np.floor(middle - reach), np.ceil(middle + reach)


def _are_parts_of_rows(x: RowNorms) -> bool:
    order = np.sort(x.entries, axis=-1)
    first = np.where(order < 0, order[..., -1:], order)[..., :1]
    is_one_row = (order < 0) | (order // x.width == first.min(axis=-1, keepdims=True) // x.width)
    is_once = (np.diff(order, axis=-1) > 0) | (order[..., 1:] < 0)
    return order.shape[-1] > 0 and bool(is_one_row.all() and is_once.all())
