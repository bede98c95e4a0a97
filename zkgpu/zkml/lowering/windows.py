"""Sliding windows over images and rows: where convolutions and pools read, as arrays of positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zkgpu.zkml.graph import Node, Shape, unsupported
from zkgpu.zkml.operations import Integers


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows of one node over a tensor of shape (batch, channels, *space).

    Attributes:
        places: (batch * channels, windows, entries of a window): positions in the tensor, -1 in the padding
    """

    places: Integers
    batch: int

    @property
    def count(self) -> int:
        count: int = self.places.shape[1]
        return count

    @classmethod
    def of(cls, node: Node, shape: Shape, kernel: Sequence[int]) -> Windows:
        space = shape[2:]
        strides, dilations = (_numbers(node, key, len(space)) for key in ("strides", "dilations"))
        begin, end = _padding(node, space, kernel, strides, dilations)
        padded = np.pad(
            np.arange(math.prod(shape)).reshape(-1, *space),
            [(0, 0), *zip(begin, end, strict=True)],
            constant_values=-1,
        )
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        if any(r > n for r, n in zip(reach, padded.shape[1:], strict=True)):
            raise unsupported(node, f"a window of {tuple(reach)} does not fit into {padded.shape[1:]}")
        axes: Any = tuple(range(1, padded.ndim))  # the types of NumPy 2.2 know one axis only
        view = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=axes)
        steps = tuple(slice(None, None, s) for s in strides)
        inside = tuple(slice(None, None, d) for d in dilations)
        key = (slice(None), *steps, *inside)
        chosen = view[key]
        return cls(chosen.reshape(len(chosen), math.prod(chosen.shape[1 : 1 + len(space)]), -1), shape[0])

    def patches(self, groups: int) -> Integers:
        """(groups, batch * windows, channels of a group * entries): the rows a convolution's product reads."""
        images, count, entries = self.places.shape
        grouped = self.places.reshape(self.batch, groups, images // self.batch // groups, count, entries)
        rows: Integers = grouped.transpose(1, 0, 3, 2, 4).reshape(groups, self.batch * count, -1)
        return rows


def _numbers(node: Node, key: str, length: int) -> tuple[int, ...]:
    return tuple(int(v) for v in node.attributes.get(key) or (1,) * length)


def _padding(
    node: Node, space: Shape, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Padding before and after each axis. Raises FormatError for a negative one."""
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode == "VALID":
        return (0,) * len(space), (0,) * len(space)
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        totals = [
            max(0, (math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n)
            for n, k, s, d in zip(space, kernel, strides, dilations, strict=True)
        ]
        small, large = tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)
        return (small, large) if mode == "SAME_UPPER" else (large, small)
    pads = tuple(int(v) for v in node.attributes.get("pads") or (0,) * (2 * len(space)))
    if any(p < 0 for p in pads):
        raise unsupported(node, "negative padding is not supported")
    return pads[: len(space)], pads[len(space) :]
