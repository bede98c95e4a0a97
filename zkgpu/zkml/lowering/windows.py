"""Sliding windows over images and rows: where convolutions and pools read, as arrays of positions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from zkgpu.records import dataclass
from zkgpu.zkml.graph import Node, Shape, unsupported
from zkgpu.zkml.operations import Integers

_BEYOND = -2  # a place behind the padding, where the last window of a pool with ceil_mode reaches


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows of one node over a tensor of shape (batch, channels, *space).

    Attributes:
        places: (batch * channels, windows, entries of a window): positions in the tensor, -1 in the padding
        sizes: (windows,): how many entries of a window lie in the tensor or in its padding
        count_of_axes, shifts_of_axes: windows along each axis, and the shift of each entry of a window along it
        places_of_axes: along each axis (windows, entries): positions along it, -1 outside of the tensor
    """

    places: Integers
    batch: int
    sizes: Integers
    count_of_axes: Shape
    shifts_of_axes: tuple[Integers, ...]
    places_of_axes: tuple[Integers, ...]

    @property
    def count(self) -> int:
        count: int = self.places.shape[1]
        return count

    @classmethod
    def of(cls, node: Node, shape: Shape, kernel: Sequence[int], count: Shape) -> Windows:
        """The windows over a tensor of that shape, `count` of them along each axis of its space."""
        space = shape[2:]
        strides, dilations = (_numbers(node, key, len(space)) for key in ("strides", "dilations"))
        begin, end = _padding(node, space, kernel, strides, dilations)
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        needed = [(n - 1) * s + r for n, s, r in zip(count, strides, reach, strict=True)]
        lengths = [b + n + e for b, n, e in zip(begin, space, end, strict=True)]
        if any(n > m + s - 1 for n, m, s in zip(needed, lengths, strides, strict=True)):
            raise unsupported(node, f"windows of {tuple(reach)} over {tuple(lengths)} give no shape {tuple(count)}")
        padded = _padded(np.arange(math.prod(shape)).reshape(-1, *space), zip(begin, end, strict=True), -1)
        beyond = [(0, max(0, n - m)) for n, m in zip(needed, lengths, strict=True)]
        padded = _padded(padded, beyond, _BEYOND)
        axes: Any = tuple(range(1, padded.ndim))  # the types of NumPy 2.2 have one axis only
        view = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=axes)
        steps = tuple(slice(0, (n - 1) * s + 1, s) for n, s in zip(count, strides, strict=True))
        inside = tuple(slice(None, None, d) for d in dilations)
        key = (slice(None), *steps, *inside)
        chosen = view[key]
        places = chosen.reshape(len(chosen), math.prod(count), -1)
        shifts = tuple(np.arange(k) * d // s for k, d, s in zip(kernel, dilations, strides, strict=True))
        sizes = (places[0] != _BEYOND).sum(axis=-1)
        along = zip(count, strides, kernel, dilations, begin, space, strict=True)
        own = tuple(_along_axis(*sizes_of_axis) for sizes_of_axis in along)
        return cls(np.maximum(places, -1), shape[0], sizes, tuple(count), shifts, own)

    def patches(self, groups: int) -> Integers:
        """(groups, batch * windows, channels of a group * entries): the rows a convolution's product reads."""
        images, count, entries = self.places.shape
        grouped = self.places.reshape(self.batch, groups, images // self.batch // groups, count, entries)
        rows: Integers = grouped.transpose(1, 0, 3, 2, 4).reshape(groups, self.batch * count, -1)
        return rows

    def walk(self, channels: int) -> Walk | None:
        """Those of `patches`, for so many channels of a group."""
        return walk(self.batch, self.count_of_axes, self.shifts_of_axes, channels)


Walk = tuple[Integers, Integers]  # places and shifts, see operations.Linear


def walk(batch: int, count: Shape | None, shifts: Sequence[Integers], channels: int) -> Walk | None:
    """Places of windows, image by image, and shifts of their entries, channel by channel; None where none overlap.

    Along an axis with stride s and dilation d, window o reads in tap t what lies at s o + t d in the padded image: at
    o + floor(t d / s) among those that leave the same rest modulo s. So what a place in the image is given, o +
    floor(t d / s), is the same by whichever window it is read; and a stride takes no places that it does not keep.
    """
    if count is None or not any(along.any() for along in shifts):
        return None
    place, shift = np.arange(batch), np.zeros(1, dtype=np.int64)
    for n, along in zip(count, shifts, strict=True):
        place = (place[:, None] * n + np.arange(n)).ravel()
        shift = (shift[:, None] * n + along).ravel()
    return place, np.tile(shift, channels)


def _along_axis(count: int, stride: int, kernel: int, dilation: int, begin: int, n: int) -> Integers:
    """(count, kernel): what windows read along one axis of n entries, -1 outside of it."""
    places = np.arange(count)[:, None] * stride - begin + np.arange(kernel) * dilation
    return np.where((places >= 0) & (places < n), places, -1)


def _padded(images: Integers, widths: Iterable[tuple[int, int]], mark: int) -> Integers:
    """Images with marks around them."""
    return np.pad(images, [(0, 0), *widths], constant_values=mark)


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
        if node.operator != "Conv" and max(dilations) > 1:
            raise unsupported(node, f"auto_pad = {mode!r} with dilations is not supported")
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


# transposed convolutions


@dataclass(frozen=True, eq=False)
class Phase:
    """The places of an output that lie alike between those of the input, and the taps of a kernel that reach them.

    Along an axis with stride s and dilation d, tap t of a transposed convolution carries entry i of the input to place
    i s + t d - p of the output, for a padding p: to places o with o + p = t d modulo s. So a transposed convolution is
    one convolution of stride 1 a phase, each with the taps of its own.

    Attributes:
        places: (places, taps): positions in one image of the input, -1 outside of it
        outputs: (places,): positions in one image of the output
        taps: (taps,): positions in the kernel
        count_of_axes, shifts_of_axes: as of Windows; None where a place reads nothing
    """

    places: Integers
    outputs: Integers
    taps: Integers
    count_of_axes: Shape | None
    shifts_of_axes: tuple[Integers, ...]

    def walk(self, batch: int, channels: int) -> Walk | None:
        """As of Windows, for so many images and channels of a group."""
        return walk(batch, self.count_of_axes, self.shifts_of_axes, channels)


def phases(node: Node, space: Shape, kernel: Sequence[int], out: Shape) -> list[Phase]:
    """Those of a ConvTranspose over a tensor of that space, which give each place of the output once."""
    strides, dilations = (_numbers(node, key, len(space)) for key in ("strides", "dilations"))
    begin = _transposed_padding(node, space, kernel, strides, dilations, out)
    axes = [_axis_phases(*sizes) for sizes in zip(space, kernel, out, strides, dilations, begin, strict=True)]
    found = [_joint(parts, space, kernel, out) for parts in itertools.product(*axes)]
    reached, idle = [p for p in found if p.taps.size], [p.outputs for p in found if not p.taps.size]
    if not reached:
        raise unsupported(node, "no entry of its input goes into its output")
    if idle:  # where nothing but the bias is, a convolution reads nothing
        first, alone = reached[0], np.concatenate(idle)
        nothing = np.full((len(alone), first.taps.size), -1)
        outputs = np.concatenate([first.outputs, alone])
        reached[0] = Phase(np.concatenate([first.places, nothing]), outputs, first.taps, None, ())
    return reached


def _axis_phases(
    n: int, kernel: int, out: int, stride: int, dilation: int, begin: int
) -> list[tuple[Integers, Integers, Integers, Integers]]:
    """(places, outputs, taps, shifts of the taps) of each phase along one axis that has outputs."""
    found = []
    for residue in range(stride):
        outputs = np.array([o for o in range(out) if (o + begin) % stride == residue], dtype=np.int64)
        taps = np.array([t for t in range(kernel) if t * dilation % stride == residue], dtype=np.int64)
        places = (outputs[:, None] + begin - taps * dilation) // stride
        if outputs.size:
            shifts = places[0] - places[0, -1:]  # later taps read earlier entries
            found.append((np.where((places >= 0) & (places < n), places, -1), outputs, taps, shifts))
    return found


def _joint(
    parts: Sequence[tuple[Integers, Integers, Integers, Integers]], space: Shape, kernel: Sequence[int], out: Shape
) -> Phase:
    """A phase of all axes from one of each."""
    count, shifts = tuple(len(at) for _, at, _, _ in parts), tuple(own for *_, own in parts)
    places, outputs, taps = np.zeros((1, 1), dtype=np.int64), np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    for (inside, at, chosen, _), n, k, m in zip(parts, space, kernel, out, strict=True):
        both = places[:, None, :, None] * n + inside[None, :, None, :]
        both = np.where((places[:, None, :, None] < 0) | (inside[None, :, None, :] < 0), -1, both)
        places = both.reshape(len(places) * len(inside), -1)
        outputs, taps = (outputs[:, None] * m + at).ravel(), (taps[:, None] * k + chosen).ravel()
    return Phase(places, outputs, taps, count, shifts)


def _transposed_padding(
    node: Node, space: Shape, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], out: Shape
) -> tuple[int, ...]:
    """Padding before each axis: given, or such that the output has the shape that is asked for."""
    mode, wanted = node.attributes.get("auto_pad", "NOTSET"), node.attributes.get("output_shape")
    more = node.attributes.get("output_padding") or (0,) * len(space)
    if mode == "VALID" and not wanted:
        return (0,) * len(space)
    if mode == "NOTSET" and not wanted:
        pads = tuple(int(p) for p in node.attributes.get("pads") or (0,) * (2 * len(space)))
        if any(p < 0 for p in pads):
            raise unsupported(node, "negative padding is not supported")
        return pads[: len(space)]
    whole = [
        (n - 1) * s + int(a) + (k - 1) * d + 1
        for n, k, s, d, a in zip(space, kernel, strides, dilations, more, strict=True)
    ]
    totals = [max(0, length - int(n)) for length, n in zip(whole, out, strict=True)]
    return tuple(t // 2 if mode == "SAME_UPPER" else t - t // 2 for t in totals)
