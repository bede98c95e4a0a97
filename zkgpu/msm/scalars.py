"""Scalars to signed digits: balanced, ordered by length, window by window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.field import LIMB_BITS, Limbs
from zkgpu.jit.kernel import kernel, on_stack, subroutine
from zkgpu.jit.threads import parallel, ranges
from zkgpu.msm.plan import balanced_bits, bias, window_sizes
from zkgpu.records import dataclass

BLOCK = 512  # scalars whose words are kept in cache while their digits are cut
THREAD_GRAIN = 1 << 13  # fewer scalars than this are not worth another thread
TOO_LONG = 255
ONE, ZERO = np.uint64(1), np.uint64(0)


@dataclass(frozen=True)
class Balanced:
    """n scalars k and the length of min(k, order - k) of each.

    Attributes:
        limbs: (n, words) uint64, C-contiguous, canonical
        order: (2, words) uint64: the limbs of the group's order, and of half of it, rounded down
        lengths: (m,) uint8, bits of the magnitude of each scalar that was selected
        histogram: number of them of each length
        rows: (m,) the rows of `limbs` that were selected; None for all
    """

    limbs: Limbs = field(repr=False)
    order: Limbs
    lengths: NDArray[np.uint8] = field(repr=False)
    histogram: list[int] = field(repr=False)
    rows: NDArray[np.int32] | None = field(default=None, repr=False)

    def select(self, rows: NDArray[np.int32] | None) -> Balanced:
        """Those of the scalars alone, sharing the memory of all."""
        if rows is None:
            return self
        lengths = self.lengths[rows]
        return replace(self, lengths=lengths, histogram=histogram_of(lengths), rows=rows)


@dataclass(frozen=True)
class Digits:
    """Signed digits of the selected scalars that are not zero, the longest scalars first.

    Attributes:
        values: (windows, m) int16; row w is meaningful up to sizes[w]
        index: (m,) int32: which of the selected scalars each column belongs to
        sizes: for each window, the number of scalars that reach it, never increasing
    """

    values: NDArray[np.int16] = field(repr=False)
    index: NDArray[np.int32] = field(repr=False)
    sizes: list[int] = field(repr=False)


def balanced(limbs: Limbs, order: int, threads: int = 1) -> Balanced:
    """The scalars with their lengths. Raises UsageError when one is not below the order."""
    limbs = np.require(limbs, np.uint64, ["C", "W"])  # a read-only array would be a second type to compile for
    words = -(-order.bit_length() // LIMB_BITS)
    if limbs.ndim != 2 or limbs.shape[1] != words:
        raise LengthError(f"scalars have shape {limbs.shape}: give an (n, {words}) array of 64-bit limbs")
    if balanced_bits(order) >= TOO_LONG:
        raise UsageError(f"there are no sums for groups of an order of {order.bit_length()} bits: use `reference`")
    order_limbs = np.stack([_words(order, words), _words(order // 2, words)])
    lengths = np.empty(len(limbs), np.uint8)
    parts = _parts_for(len(limbs), threads)
    parallel([partial(measure(words), limbs[a:b], order_limbs, lengths[a:b]) for a, b in parts], threads)
    histogram = histogram_of(lengths)
    if any(histogram[balanced_bits(order) + 1 :]):
        at = int(np.argmax(lengths > balanced_bits(order)))
        raise UsageError(f"scalar {at} is not below the group's order: reduce it first")
    return Balanced(limbs, order_limbs, lengths, histogram)


def histogram_of(lengths: NDArray[np.uint8]) -> list[int]:
    """The number of scalars of each length."""
    counts: list[int] = np.bincount(lengths, minlength=TOO_LONG + 1).tolist()
    return counts


def _parts_for(n: int, threads: int) -> list[tuple[int, int]]:
    """Ranges of scalars for threads."""
    return ranges(n, min(threads, 1 + n // THREAD_GRAIN), BLOCK)


def digits(scalars: Balanced, width: int, threads: int) -> Digits:
    """The digits of base 2^width, in windows as many as the longest scalar needs."""
    sizes = window_sizes(scalars.histogram, width)
    index = np.empty(sizes[0] if sizes else 0, np.int32)
    order_by_windows()(scalars.lengths, width, np.array([*sizes, 0], np.int64), index)
    rows = index if scalars.rows is None else scalars.rows[index]
    values = _cut(scalars, rows, sizes, width, threads)
    return Digits(values, index, sizes)


def digits_in_order(scalars: Balanced, width: int, windows: int, threads: int) -> NDArray[np.int16]:
    """(windows, n) int16: the digits of all scalars, in their order."""
    n = len(scalars.limbs)
    return _cut(scalars, np.arange(n, dtype=np.int32), [n] * windows, width, threads)


def _cut(
    scalars: Balanced, rows: NDArray[np.int32], sizes: Sequence[int], width: int, threads: int
) -> NDArray[np.int16]:
    """The digits of these rows of limbs."""
    values = np.empty((len(sizes), len(rows)), np.int16)
    bias_words = _words(bias(width, len(sizes)), scalars.limbs.shape[1] + 1)
    reach = np.array(sizes, np.int64)
    arguments = (scalars.limbs, scalars.order, rows, width, bias_words, reach, values)
    parts = _parts_for(len(rows), threads)
    parallel([partial(cut_digits(scalars.limbs.shape[1]), *arguments, begin, end) for begin, end in parts], threads)
    return values


def _words(value: int, count: int) -> Limbs:
    return np.array([(value >> (64 * j)) & (2**64 - 1) for j in range(count)], np.uint64)


def exceeds(limbs: Any, i: int, bound: Any, words: int) -> bool:
    """Whether the scalar limbs[i] is larger than the bound: mostly the highest words decide."""
    for j in range(words - 1, -1, -1):
        if limbs[i, j] != bound[j]:
            return bool(limbs[i, j] > bound[j])
    return False


def bit_length(word: Any) -> int:
    """Bits of a 64-bit word, by halving."""
    bits = 0
    for step in (32, 16, 8, 4, 2, 1):
        if word >> np.uint64(step):
            word >>= np.uint64(step)
            bits += step
    return bits + (1 if word else 0)


@kernel
def measure(words: int) -> Any:
    """measure(limbs, order, lengths): the bits of every magnitude, at most TOO_LONG.

    The magnitude of k is k or order - k, whichever is smaller; so it is too long for k of the order or more.
    """
    larger, bits_of = subroutine(exceeds), subroutine(bit_length)

    def run(limbs: Any, order: Any, lengths: Any) -> None:
        for i in range(len(limbs)):
            flip, highest, at, borrow = larger(limbs, i, order[1], words), ZERO, 0, ZERO
            for j in range(words):
                word = limbs[i, j]
                if flip:
                    less = order[0, j] - word
                    lent = (order[0, j] < word) or (less < borrow)
                    word, borrow = less - borrow, ONE if lent else ZERO
                if word:
                    highest, at = word, j
            bits = 64 * at + bits_of(highest)
            equals_order = flip and bits == 0
            lengths[i] = TOO_LONG if equals_order else min(bits, TOO_LONG)

    return run


@kernel
def order_by_windows() -> Any:
    """order(lengths, width, sizes, index): the scalars that are not zero by falling number of windows, stably.

    sizes[w] scalars reach window w, so those with exactly k windows begin at sizes[k]. sizes is overwritten.
    """

    def run(lengths: Any, width: int, sizes: Any, index: Any) -> None:
        for i in range(len(lengths)):
            if lengths[i]:
                windows = (lengths[i] + width) // width
                index[sizes[windows]] = i
                sizes[windows] += 1

    return run


@kernel
def cut_digits(words: int) -> Any:
    """cut(limbs, order, index, width, bias, sizes, values, begin, end): digits of the scalars index[begin:end]."""
    larger = subroutine(exceeds)
    words_of_block, signs_of_block = on_stack((words + 2, BLOCK), np.uint64), on_stack((BLOCK,), np.int64)

    def run(
        limbs: Any, order: Any, index: Any, width: int, bias: Any, sizes: Any, values: Any, begin: int, end: int
    ) -> None:
        biased, sign = words_of_block(), signs_of_block()
        biased[words + 1] = 0
        mask, middle = (ONE << np.uint64(width)) - ONE, (1 << (width - 1)) - 1
        for first in range(begin, end, BLOCK):
            count = min(BLOCK, end - first)
            for i in range(count):
                row = index[first + i]
                flip = larger(limbs, row, order[1], words)
                sign[i] = -1 if flip else 1
                carry = borrow = ZERO
                for j in range(words):
                    word = limbs[row, j]
                    if flip:
                        less = order[0, j] - word
                        lent = (order[0, j] < word) or (less < borrow)
                        word, borrow = less - borrow, ONE if lent else ZERO
                    total = word + carry
                    carry = ONE if total < word else ZERO
                    biased[j, i] = total + bias[j]
                    carry |= ONE if biased[j, i] < total else ZERO
                biased[words, i] = bias[words] + carry
            for w in range(len(sizes)):
                if sizes[w] <= first:
                    break
                word, shift = (w * width) >> 6, np.uint64((w * width) & 63)
                rest = (np.uint64(64) - shift) & np.uint64(63)
                crosses = mask if shift + np.uint64(width) > np.uint64(64) else ZERO
                for i in range(count):
                    bits = (biased[word, i] >> shift) | ((biased[word + 1, i] << rest) & crosses)
                    values[w, first + i] = sign[i] * (np.int64(bits & mask) - middle)

    return run
