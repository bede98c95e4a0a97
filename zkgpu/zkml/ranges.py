"""Interval analysis: what integers each entry of each tensor can hold, for every input in range.

What a circuit could not separate from another number is refused here, when a model is compiled, by its layer: a tensor
too wide for the field, an index that could leave its table, an integer of the model itself too large to compute with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves import DEFAULT
from zkgpu.errors import FormatError
from zkgpu.records import dataclass
from zkgpu.zkml import row_norms, semantics
from zkgpu.zkml.operations import (
    LARGEST,
    ArgMax,
    Arrange,
    Combine,
    Divide,
    IntegerModel,
    Linear,
    Lookup,
    MatMul,
    Maximum,
    Multiply,
    Normalize,
    Operation,
    Requantize,
    Rescale,
    RootMeanSquare,
    Rows,
    Shape,
    Softmax,
    Steps,
    Tensor,
    TopK,
    Total,
)
from zkgpu.zkml.row_norms import RowNorms

Array = NDArray[Any]

_WORD = 2.0**62

_SPARE = 4  # bits for the sums that a layer makes of a tensor's values, beside the limbs its checks may be loose by


@dataclass(frozen=True, eq=False)
class Interval:
    """low <= value <= high, entry by entry: int64 arrays, or of Python integers when wider, of the tensor's shape.

    Attributes:
        beyond: the magnitude that values may have with other weights, where it is more than that of low and high
        norms: what is known of rows as vectors, behind a norm
    """

    low: Array = field(repr=False)
    high: Array = field(repr=False)
    beyond: int = 0
    norms: RowNorms | None = field(default=None, repr=False)

    @property
    def shape(self) -> Shape:
        return self.low.shape

    @property
    def least(self) -> int:
        return int(self.low.min(initial=0)) if self.low.size == 0 else int(self.low.min())

    @property
    def greatest(self) -> int:
        return int(self.high.max(initial=0)) if self.high.size == 0 else int(self.high.max())

    @property
    def magnitude(self) -> int:
        return max(abs(self.least), abs(self.greatest))

    @property
    def bits(self) -> int:
        """Bits of the largest magnitude."""
        return self.magnitude.bit_length()

    @property
    def reach(self) -> int:
        """The magnitude that no value exceeds, whatever weights the prover gives."""
        return max(self.magnitude, self.beyond)

    @property
    def reach_bits(self) -> int:
        return self.reach.bit_length()

    def map(self, function: Callable[[Array], Array]) -> Interval:
        """The image under a function that preserves order."""
        return Interval(function(self.low), function(self.high))


def analyze(model: IntegerModel, *, margin: bool = False) -> dict[str, Interval]:
    """The interval of every tensor. Raises FormatError naming the layer whose values could leave their bounds.

    Args:
        margin: widen what layers with weights give to a power of two and a bit more, so that other weights will fit
    """
    found = {tensor.name: of_input(tensor, model.limb) for tensor in model.inputs}
    for operation in model.operations:
        interval = after(operation, [found[name] for name in operation.inputs], model.limb, tight=not margin)
        if margin and isinstance(operation, Linear):
            interval = _within_field(operation.layer, _widened(interval), model.limb)
        found[operation.output] = interval
    return found


def with_reach(
    model: IntegerModel, enforced: Mapping[str, Interval], largest: Callable[[Linear, Interval], int]
) -> dict[str, Interval]:
    """The intervals with what values reach for other weights than the model's. Raises FormatError as `analyze`.

    Args:
        enforced: the intervals that the circuit keeps rounded and looked-up values to, up to whole limbs
        largest: the magnitude that no output of a layer with weights exceeds, for inputs in an interval
    """
    found = {tensor.name: of_input(tensor, model.limb) for tensor in model.inputs}
    for operation in model.operations:
        inputs, own = [found[name] for name in operation.inputs], enforced[operation.output]
        if isinstance(operation, Requantize | Rescale | Lookup | Softmax | Normalize | RootMeanSquare | Divide):
            bound = _largest_kept(operation, enforced, model.limb)
        elif isinstance(operation, Linear):
            bound = largest(operation, *inputs)
        else:
            found[operation.output] = after(operation, inputs, model.limb, tight=False)
            continue
        found[operation.output] = _within_field(operation.layer, _symmetric(own.shape, bound), model.limb)
    return {name: replace(own, beyond=found[name].magnitude) for name, own in enforced.items()}


def _largest_kept(operation: Operation, enforced: Mapping[str, Interval], limb: int) -> int:
    """The magnitude that range checks, up to whole limbs, and tables let an output have.

    A clamp at one end alone lets through as much on the other side of it as on its own (`layers.rounding.clamped`),
    however little of what is rounded is expected there.
    """
    largest = enforced[operation.output].magnitude
    if isinstance(operation, Requantize) and (operation.low is None) != (operation.high is None):
        x = enforced[operation.inputs[0]]
        largest = max(largest, x.map(lambda v: semantics.round_half_up(v, operation.shift)).magnitude)
    return largest + (largest << limb + 1)


def _widened(interval: Interval) -> Interval:
    return _symmetric(interval.shape, (1 << interval.bits + 1) - 1)


def _symmetric(shape: Shape, bound: int) -> Interval:
    high = semantics.narrowed(np.full(shape, bound, dtype=object))
    return Interval(-high - 1, high)


def of_input(tensor: Tensor, limb: int) -> Interval:
    """The interval of an input. Raises FormatError as `after`."""
    low, high = (semantics.narrowed(np.full(tensor.shape, end, dtype=object)) for end in (tensor.low, tensor.high))
    return _within_field(tensor.name, Interval(low, high), limb)


def after(operation: Operation, inputs: Sequence[Interval], limb: int, *, tight: bool = True) -> Interval:
    """The interval of an operation's output.

    Args:
        tight: whether what is known of rows behind a norm is followed (row_norms): not where weights are to be others

    Raises FormatError when it is too wide for a circuit with limbs of that width, or an integer of the operation is.
    """
    _require_integers_in_range(operation)
    found = _RULES[type(operation)](operation, *inputs)
    if tight:
        found = replace(found, norms=row_norms.after(operation, [x.norms for x in inputs], found.shape))
    return _within_field(operation.layer, found, limb)


def _require_integers_in_range(operation: Operation) -> None:
    """Raises FormatError for an integer of the operation whose magnitude is beyond LARGEST."""
    for name, largest in operation.magnitudes.items():
        most = LARGEST.get(name, LARGEST["other"])
        if largest > most:
            size = f"above {most}" if most < 1 << 20 else f"of more than {most.bit_length()} bits"
            raise FormatError(
                f"layer '{operation.layer}': its {name} holds an integer {size}: the sizes of its "
                "numbers lie too far apart, scale its weights"
            )


def _within_field(layer: str, found: Interval, limb: int) -> Interval:
    """The interval. Raises FormatError unless range checks of what reads it, loose by a limb, fit the field."""
    most = DEFAULT.scalar_field.bits - 2 * limb - _SPARE
    if found.bits > most:
        raise FormatError(
            f"layer '{layer}': a value could need {found.bits} bits and wrap around the field, with limbs of "
            f"{limb} bits it may have {most}: calibrate with data of the right size, or quantize to fewer bits"
        )
    return found


def _arrange(operation: Arrange, *inputs: Interval) -> Interval:
    low = semantics.apply(operation, [x.low for x in inputs])
    high = semantics.apply(operation, [x.high for x in inputs])
    return Interval(low, high)


def _linear(operation: Linear, x: Interval) -> Interval:
    """With ends m - r and m + r of the inputs, those of the sums are m W - r |W| and m W + r |W|: here twice these."""
    rows, like = _unlike(x, 1)
    low, high = x.low[:, rows], x.high[:, rows]
    weight, largest = operation.weight, operation.magnitudes["weight"]
    sizes = np.abs(weight, dtype=np.int64 if largest >> 31 else np.int32)
    middle = semantics.matrix_product(semantics.added(low, high), weight, largest)
    reach = semantics.matrix_product(semantics.added(high, -low), sizes, largest)
    ends = Interval(semantics.added(middle, -reach), semantics.added(middle, reach)).map(lambda v: (v >> 1)[:, like])
    ends = _tightened(ends, None if x.norms is None else row_norms.ends_of_sums(operation, x.norms))
    sums = ends.map(lambda v: semantics.added(v, operation.bias[:, None, :]))
    return sums.map(lambda v: semantics.product(v, operation.multiplier[:, None, :]))


def _tightened(x: Interval, ends: tuple[Array, Array] | None) -> Interval:
    """Where it reaches beyond other ends, cut off there. What no machine word holds is left as it is."""
    if ends is None or x.low.dtype == object or x.high.dtype == object:
        return x
    low, high = (np.clip(end, -_WORD, _WORD).astype(np.int64) for end in ends)
    return Interval(np.maximum(x.low, low), np.minimum(x.high, high))


def _unlike(x: Interval, axis: int) -> tuple[list[int], list[int]]:
    """Along an axis, which entries have other ends than all before them, and for each entry which of these it is like.

    Places of a sequence, and patches of an image, mostly are of a few kinds.
    """
    low, high = (np.moveaxis(end, axis, 0) for end in _ends(x))
    found: dict[tuple[bytes, bytes], int] = {}
    like = [found.setdefault((a.tobytes(), b.tobytes()), len(found)) for a, b in zip(low, high, strict=True)]
    return np.unique(like, return_index=True)[1].tolist(), like


def _combine(operation: Combine, *inputs: Interval) -> Interval:
    ends = [_times(x, Interval(m, m)) for x, m in zip(inputs, operation.multipliers, strict=True)]
    low = semantics.added(operation.offset, *(e.low for e in ends))
    high = semantics.added(operation.offset, *(e.high for e in ends))
    return Interval(low, high)


def _times(x: Interval, y: Interval) -> Interval:
    """The entrywise product, broadcast: its extremes lie at ends of the factors."""
    corners = np.stack(np.broadcast_arrays(*(semantics.product(a, b) for a in _ends(x) for b in _ends(y))))
    return Interval(corners.min(axis=0), corners.max(axis=0))


def _ends(x: Interval) -> tuple[Array, Array]:
    return x.low, x.high


def _matmul(operation: MatMul, x: Interval, y: Interval) -> Interval:
    (rows, like_rows), (columns, like_columns) = _unlike(x, -2), _unlike(y, -1)
    terms = _times(x.map(lambda v: v[..., rows, :, None]), y.map(lambda v: v[..., None, :, columns]))
    sums = terms.map(lambda v: semantics.total(np.moveaxis(v, -2, -1)))
    return sums.map(lambda v: v[..., like_rows, :][..., like_columns])


def _requantize(operation: Requantize, x: Interval) -> Interval:
    if operation.low is not None and operation.high is not None and operation.low > operation.high:
        raise FormatError(f"layer '{operation.layer}': clamps to an empty interval, from above {operation.high}")
    return x.map(lambda v: semantics.apply(operation, [v]))


def _rescale(operation: Rescale, x: Interval) -> Interval:
    """The ends that the circuit keeps values to, whatever x may be."""
    if operation.low > operation.high:
        raise FormatError(f"layer '{operation.layer}': no value lies from {operation.low} to {operation.high}")
    return Interval(np.full(x.shape, operation.low), np.full(x.shape, operation.high))


def _lookup(operation: Lookup, x: Interval) -> Interval:
    last = operation.first + len(operation.table) - 1
    if x.least < operation.first or x.greatest > last:
        raise FormatError(
            f"layer '{operation.layer}': a value could leave the table of [{operation.first}, {last}]",
            values=f"they are from {x.least} to {x.greatest}",
        )
    least, greatest = int(operation.table.min()), int(operation.table.max())
    return Interval(np.full(x.shape, least), np.full(x.shape, greatest))


def _rows(operation: Rows, x: Interval) -> Interval:
    """Places outside of the table are refused when it is read: by the semantics, and by the circuit's lookup."""
    ends = (end.astype(np.int64) for end in (operation.table.min(axis=0), operation.table.max(axis=0)))
    low, high = (np.broadcast_to(end, (*x.shape, end.size)) for end in ends)
    return Interval(low, high)


def _steps(operation: Steps, x: Interval) -> Interval:
    if operation.places.max() >= x.shape[-1]:
        raise FormatError(f"layer '{operation.layer}' compares beyond its input")
    shape = *x.shape[:-1], operation.places.size
    return Interval(np.zeros(shape, dtype=np.int64), np.ones(shape, dtype=np.int64))


def _argmax(operation: ArgMax, x: Interval) -> Interval:
    shape = x.shape[:-1]
    return Interval(np.zeros(shape, dtype=np.int64), np.full(shape, x.shape[-1] - 1))


def _top_k(operation: TopK, x: Interval) -> Interval:
    n, count = x.shape[-1], operation.count
    if not 0 < count <= n:
        raise FormatError(f"layer '{operation.layer}' takes the largest {count} of {n} entries")
    ends = [np.sort(end, axis=-1)[..., ::-1][..., :count] for end in _ends(x)]
    low, high = (np.concatenate([end, np.full(end.shape, p)], axis=-1) for end, p in zip(ends, (0, n - 1), strict=True))
    return Interval(low, high)


def _softmax(operation: Softmax, x: Interval) -> Interval:
    # R <= 2^bits / e, since the sum holds e itself
    return Interval(np.zeros(x.shape, dtype=np.int64), np.full(x.shape, 1 << operation.bits))


def _normalize(operation: Normalize | RootMeanSquare, x: Interval) -> Interval:
    # |c| or |x| <= sqrt(V) and R <= 2^bits / sqrt(V)
    bound = np.full(x.shape, 1 << operation.bits)
    return Interval(-bound, bound)


def _divide(operation: Divide, x: Interval, y: Interval) -> Interval:
    """Quotients beyond the bound are refused by the semantics, and by the circuit's range check up to whole limbs."""
    bound = min(operation.most, x.magnitude << operation.shift)
    return Interval(np.full(x.shape, -bound if x.least < 0 else 0), np.full(x.shape, bound))


_RULES: dict[type[Operation], Callable[..., Interval]] = {
    Arrange: _arrange,
    Linear: _linear,
    Combine: _combine,
    Total: lambda _, x: x.map(semantics.total),
    Multiply: lambda _, x, y: _times(x, y),
    MatMul: _matmul,
    Requantize: _requantize,
    Rescale: _rescale,
    Lookup: _lookup,
    Rows: _rows,
    Steps: _steps,
    Maximum: lambda _, x: x.map(lambda v: v.max(axis=-1)),
    ArgMax: _argmax,
    TopK: _top_k,
    Softmax: _softmax,
    Normalize: _normalize,
    RootMeanSquare: _normalize,
    Divide: _divide,
}
