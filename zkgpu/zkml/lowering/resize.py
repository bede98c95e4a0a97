"""Resize and Upsample: along each axis a constant number of entries times constant weights, at no constraint.

As in the ONNX specification (Resize, opset 19), in the single precision that onnxruntime finds places with: near the
middle between two entries it decides which of them is nearest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.records import dataclass
from zkgpu.zkml.graph import Array, Node, unsupported
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.operations import Integers

Places = NDArray[np.float32]

_BY_AXIS = 11  # the first opset with a choice of coordinates
_LARGEST_UNIT = 1 << 12  # of weights that are not multiples of a larger part
_SAME = 1e-5  # how far a weight may be from a multiple of such a part, and a place from another


@dataclass(frozen=True, eq=False)
class Taps:
    """What one axis of the output is made of.

    Attributes:
        places: (taps, length): entries of the input, -1 for none
        weights: (taps, length)
        offset: (length,): what is added
    """

    places: Integers
    weights: NDArray[np.float64]
    offset: NDArray[np.float64] | float = 0.0


@dataclass(frozen=True)
class _Axis:
    """One axis: its length before and after, how many times longer it gets, and the part of it that is looked at."""

    before: int
    after: int
    scale: float
    start: float = 0.0
    end: float = 1.0


def resize(builder: Builder, node: Node) -> Quantized:
    """Nothing changes where no length does, nor along an axis that gets once as long: so onnxruntime has it."""
    x = builder.tensors[node.inputs[0]]
    if builder.shape(x) == builder.graph.shapes[node.output]:
        return x
    if node.attributes.get("mode", "nearest") != "nearest":
        if builder.graph.is_integral(node.output):
            raise unsupported(node, "between integers it would round: cast to float first")
        x = builder.narrow(x, node.inputs[0])
    for axis, sizes in enumerate(_axes(builder, node)):
        if sizes.scale != 1:
            x = _along(builder, x, axis, _taps(node, sizes))
    return x


def _axes(builder: Builder, node: Node) -> list[_Axis]:
    graph = builder.graph
    before, after = graph.shapes[node.inputs[0]], graph.shapes[node.output]
    by_axis = node.opset >= _BY_AXIS
    roi, sizes = (graph.argument(node, i, "") for i in (1, 3)) if by_axis else (None, None)
    scales = graph.argument(node, 2 if by_axis else 1, "scales")
    axes = [int(axis) % len(before) for axis in node.attributes.get("axes") or range(len(before))]
    factors = np.ones(len(before), dtype=np.float32)
    if sizes is not None and sizes.size:
        factors[axes] = _of_sizes(node, np.array(before)[axes], np.ravel(sizes))
    else:
        factors[axes] = scales
    ends = np.array([[0.0] * len(before), [1.0] * len(before)], dtype=np.float32)
    if node.attributes.get("coordinate_transformation_mode") == _CROP and roi is not None:
        ends[:, axes] = np.reshape(roi, (2, -1))
    return [_Axis(*sizes) for sizes in zip(before, after, factors.tolist(), *ends.tolist(), strict=True)]


def _of_sizes(node: Node, before: Array, sizes: Array) -> Array:
    """How many times longer each axis gets, where lengths are asked for."""
    factors = sizes.astype(np.float32) / before.astype(np.float32)
    policy = node.attributes.get("keep_aspect_ratio_policy", "stretch")
    common = {"stretch": factors, "not_larger": factors.min(), "not_smaller": factors.max()}
    if policy not in common:
        raise unsupported(node, f"keep_aspect_ratio_policy = {policy!r} is not supported")
    return np.broadcast_to(common[policy], factors.shape)


def _along(builder: Builder, x: Quantized, axis: int, taps: Taps) -> Quantized:
    """Sums of weighted entries along one axis: nothing but moves where each is a single one."""
    shape = builder.shape(x)
    positions = np.arange(math.prod(shape)).reshape(shape)
    picked = [_pick(builder, x, positions, axis, places) for places in taps.places]
    if (taps.weights == 1).all() and not np.any(taps.offset):
        return picked[0]
    unit, weights = _as_integers(taps.weights)
    along = [-1 if a == axis else 1 for a in range(len(shape))]
    scale = x.scale / unit
    offset = np.broadcast_to(np.asarray(taps.offset) / scale, weights.shape[1:]).reshape(along)
    return builder.combine(picked, [row.reshape(along) for row in weights], scale, offset)


def _pick(builder: Builder, x: Quantized, positions: Integers, axis: int, places: Integers) -> Quantized:
    chosen = np.take(positions, np.maximum(places, 0), axis)
    outside = (places < 0).reshape([-1 if a == axis else 1 for a in range(positions.ndim)])
    return builder.arrange([x], np.where(outside, -1, chosen))


def _as_integers(weights: NDArray[np.float64]) -> tuple[int, Integers]:
    """(unit, integers): the weights times the least unit that makes them integers, or a power of two."""
    for unit in range(1, _LARGEST_UNIT):
        scaled = weights * unit
        if np.abs(scaled - np.rint(scaled)).max() <= _SAME * unit:
            return unit, np.rint(scaled).astype(np.int64)
    return _LARGEST_UNIT, np.rint(weights * _LARGEST_UNIT).astype(np.int64)


# what entries an output is made of


def _taps(node: Node, sizes: _Axis) -> Taps:
    mode = node.attributes.get("mode", "nearest")
    if mode not in _MODES:
        raise unsupported(node, f"mode = {mode!r} is not supported")
    places = _coordinates(node, sizes)
    taps = _MODES[mode](node, sizes, places)
    if node.attributes.get("coordinate_transformation_mode") == _CROP:
        if node.attributes.get("antialias", 0):
            raise unsupported(node, f"antialias with {_CROP} is not supported")
        outside = (places < 0) | (places > sizes.before - 1)
        value = float(node.attributes.get("extrapolation_value", 0.0))
        taps = Taps(np.where(outside, -1, taps.places), taps.weights, np.where(outside, value, 0.0))
    return taps


def _coordinates(node: Node, sizes: _Axis) -> Places:
    """Where each entry of the output lies between those of the input."""
    mode = node.attributes.get("coordinate_transformation_mode", "half_pixel")
    mode = mode if node.opset >= _BY_AXIS else "asymmetric"
    if mode not in _COORDINATES:
        raise unsupported(node, f"coordinate_transformation_mode = {mode!r} is not supported")
    found: Places = np.asarray(_COORDINATES[mode](np.arange(sizes.after, dtype=np.float32), sizes), dtype=np.float32)
    return found


def _half_pixel(x: Places, sizes: _Axis) -> Any:
    return (x + np.float32(0.5)) / np.float32(sizes.scale) - np.float32(0.5)


def _symmetric(x: Places, sizes: _Axis) -> Any:
    """As half_pixel, with the middle of both where the middle is, though the length was rounded."""
    adjustment = np.float32(sizes.after) / (np.float32(sizes.scale) * np.float32(sizes.before))
    offset = np.float32(sizes.before / 2) * (np.float32(1) - adjustment)
    return offset + (x + np.float32(0.5)) / np.float32(sizes.scale) - np.float32(0.5)


def _crop(x: Places, sizes: _Axis) -> Any:
    last = np.float32(sizes.before - 1)
    start, end = np.float32(sizes.start), np.float32(sizes.end)
    if sizes.after == 1:
        return np.full(1, np.float32(0.5) * (start + end) * last)
    return start * last + x * (end - start) * last / np.float32(sizes.after - 1)


def _align_corners(x: Places, sizes: _Axis) -> Any:
    return x * np.float32(sizes.before - 1) / np.float32(sizes.after - 1) if sizes.after > 1 else 0 * x


_CROP, _SYMMETRIC = "tf_crop_and_resize", "half_pixel_symmetric"
_COORDINATES: dict[str, Callable[[Places, _Axis], Any]] = {
    "half_pixel": _half_pixel,
    _SYMMETRIC: _symmetric,
    "pytorch_half_pixel": lambda x, sizes: _half_pixel(x, sizes) if sizes.after > 1 else 0 * x,
    "align_corners": _align_corners,
    "asymmetric": lambda x, sizes: x / np.float32(sizes.scale),
    "tf_half_pixel_for_nn": lambda x, sizes: (x + np.float32(0.5)) / np.float32(sizes.scale),
    _CROP: _crop,
}


def _nearest(node: Node, sizes: _Axis, places: Places) -> Taps:
    mode = node.attributes.get("nearest_mode", "round_prefer_floor")
    if node.opset < _BY_AXIS:
        mode = "ceil" if sizes.scale < 1 else "floor"
    if mode not in _ROUNDINGS:
        raise unsupported(node, f"nearest_mode = {mode!r} is not supported")
    if node.attributes.get("coordinate_transformation_mode") == _SYMMETRIC and _is_close(mode, places):
        raise unsupported(node, f"with {_SYMMETRIC} a place lies in the middle of two, as far as it can be seen")
    nearest = np.clip(_ROUNDINGS[mode](places), 0, sizes.before - 1).astype(np.int64)
    return Taps(nearest[None], np.ones((1, sizes.after)))


def _is_close(mode: str, places: Places) -> bool:
    """Whether the nearest entry of some place is a matter of how the place was rounded."""
    nudged = (_ROUNDINGS[mode](places + np.float32(way)) for way in (-_SAME, _SAME))
    return not np.array_equal(*nudged)


_ROUNDINGS: dict[str, Callable[[Places], Any]] = {
    "round_prefer_floor": lambda x: np.ceil(x - np.float32(0.5)),
    "round_prefer_ceil": lambda x: np.floor(x + np.float32(0.5)),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _interpolated(node: Node, sizes: _Axis, places: Places) -> Taps:
    """Neighbors weighed by their distance, the entries at the ends repeated beyond them unless those are left out.

    With antialias an axis that gets shorter has a kernel as much wider.
    """
    support, kernel = _KERNELS[node.attributes["mode"]]
    factor = min(sizes.scale, 1.0) if node.attributes.get("antialias", 0) else 1.0
    reach, middle = math.ceil(support / factor), places.astype(np.float64)
    chosen = np.floor(middle).astype(np.int64) + np.arange(1 - reach, reach + 1)[:, None]
    weights = kernel(np.abs(chosen - middle) * factor, float(node.attributes.get("cubic_coeff_a", -0.75)))
    if node.attributes.get("exclude_outside", 0):
        weights = np.where((chosen >= 0) & (chosen < sizes.before), weights, 0)
    return Taps(np.clip(chosen, 0, sizes.before - 1), weights / weights.sum(axis=0))


def _linear(distance: Array, _: float) -> Array:
    weights: Array = np.maximum(1 - distance, 0)
    return weights


def _cubic(distance: Array, a: float) -> Array:
    """Keys, "Cubic Convolution Interpolation for Digital Image Processing", IEEE ASSP-29, 1981, eq. 4 and 8."""
    near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    weights: Array = np.where(distance <= 1, near, np.where(distance < 2, far, 0))
    return weights


_KERNELS: dict[str, tuple[int, Callable[[Array, float], Array]]] = {"linear": (1, _linear), "cubic": (2, _cubic)}
_MODES: dict[str, Callable[[Node, _Axis, Places], Taps]] = {
    "nearest": _nearest,
    **dict.fromkeys(_KERNELS, _interpolated),
}
