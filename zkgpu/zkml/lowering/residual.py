"""Transformers with a residual stream: widths that survive a language model, and scales of the first position's own.

Widths of 8 bits do not: a residual has a few values thousands of times larger than the others, most of them at the
first position, which depends on the first token alone (Sun et al., "Massive Activations in Large Language Models",
arXiv 2402.17762; Dettmers et al., "LLM.int8()", arXiv 2208.07339). So here

    weights have 10 bits, by output channel; what norms give 14; what the second layer of a feed-forward part reads 16;
    the sum is rounded, never an addend: x' = round((m x + n y) / 2^b), where the grid of x' may be coarser or finer;
    the first position has a scale of its own, a power of two times that of the others: both are constants;
    queries, keys, values and what attention gives are not rounded;
    what leaves its range, which has bits to spare, is refused (operations.Rescale), and not clamped.

What these rules make lies in `Builder.uneven`, whose rows may have scales of their own. What needs one scale for all
gets it by exact multiplication with powers of two (`even`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from zkgpu.zkml.graph import Array, Graph, Node
from zkgpu.zkml.lowering import linear, tables
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.lowering.common_grids import SPREAD, Grid
from zkgpu.zkml.lowering.scales import fitting_scale
from zkgpu.zkml.lowering.shapes import MOVES
from zkgpu.zkml.operations import Linear, Lookup, Multiply, Requantize, Rescale, RootMeanSquare, Total
from zkgpu.zkml.streams import NORMS, is_same_shape

RESIDUAL_BITS, HIDDEN_BITS, NORMAL_BITS = 16, 16, 14
RANGE_BITS = 18  # of the range checks of all of these: what is above their own width is to spare
_ROOT_BITS = 11  # of the inverse root of a row that has the largest mean square seen
_FEWEST_GAIN_BITS, _MOST_GAIN_BITS = 3, 10  # of the largest factor of a norm's channels, as an integer
_LONGEST = 40  # bits of a multiplier
_LONGEST_SHARE = 60  # bits below 1 of the share of one entry in a mean
_SAME = 2.0**-12  # how near to its factor a multiplier must be
_FARTHEST = 24  # bits between the scale of the first position and of others
_BEYOND = 2.0  # times the calibrated range that a table of a function takes
_TURNING = {*MOVES, "Add", "Concat", "Mul", "Neg", "Sub"}  # of a tensor's entries by angles, and moves
_TURN_BITS = 12  # of the cosines and sines of these angles
_ON_THE_WAY = {*MOVES, "Scale", "Mul"}  # from what was computed to a dense layer


def lowered(builder: Builder, node: Node) -> bool:
    """Writes a node by the rules of this module, where one fits; else has all that it reads at one scale."""
    rule = _rule(builder, node)
    if rule is None:
        for name in node.inputs:
            even(builder, name)
        return False
    builder.uneven[node.output] = rule(builder, node)
    return True


def even(builder: Builder, name: str) -> None:
    """Brings a tensor whose rows may have several scales to the finest of them, exactly."""
    x = builder.uneven.get(name)
    if x is not None and name not in builder.tensors:
        builder.tensors[name] = _evened(builder, x)


def _evened(builder: Builder, x: Quantized) -> Quantized:
    if x.rows is None:
        return x
    least = int(x.rows.min())
    return builder.combine([x], [1 << (x.rows - least)], x.scale * 2.0**least)


def _rule(builder: Builder, node: Node) -> Callable[[Builder, Node], Quantized] | None:
    graph, first = builder.graph, node.inputs[0] if node.inputs else ""
    if node.operator in NORMS and (first in builder.stream or first in builder.uneven):
        return _norm
    if node.operator == "Dense":
        return _dense
    if node.operator == "Add" and node.output in builder.stream and not set(node.inputs) & set(graph.constants):
        return _sum
    if node.operator == "Function" and not node.attributes.get("square") and _source(graph, first) == "Dense":
        return _function
    computed = [name for name in node.inputs if name not in graph.constants]
    if node.operator == "Mul" and len(computed) == 2 and any(_read(builder, n).rows is not None for n in computed):
        return _product
    if node.operator == "Mul" and len(computed) == 1 and _is_turned(builder, node, computed[0]):
        return _turned
    if len(computed) != 1 or computed[0] not in builder.uneven:
        return None
    if is_same_shape(graph, node):
        return lambda builder, node: builder.uneven[node.inputs[0]]
    return _gained if node.operator in ("Scale", "Mul") else None


def _read(builder: Builder, name: str) -> Quantized:
    return builder.uneven.get(name) or builder.tensors[name]


def _source(graph: Graph, name: str) -> str:
    """The operator that computed a tensor, before it was moved and multiplied by constants; "" for an input."""
    node = graph.producers().get(name)
    if node is None:
        return ""
    computed = [n for n in node.inputs if n and n not in graph.constants]
    return _source(graph, computed[0]) if node.operator in _ON_THE_WAY and len(computed) == 1 else node.operator


# scales by position


def _wanted(builder: Builder, name: str, bits: int) -> tuple[float, Array | None]:
    """The scale at which a tensor fills its bits, and by how many more bits that of each row is coarser."""
    places, top = builder.calibration.places.get(name), 2 ** (bits - 1) - 1
    beyond = float(np.abs(builder.left_out.get(name, 0.0)).max())  # it may reach so much farther than what was seen
    if places is None:
        low, high = builder.bounds(name)
        return fitting_scale(min(low, -high) - beyond, max(high, -low) + beyond, bits), None
    first, others = (reach and reach + beyond for reach in places.reach)
    scale = (others or first or 1.0) / top
    rows = np.zeros((len(places.low), 1), dtype=np.int64)
    if first > 0:
        rows[0] = np.clip(math.ceil(math.log2(first / top / scale) - 1e-9), -_FARTHEST, _FARTHEST)
    return scale, rows if rows.any() else None


def _less(mine: Array | None, its: Array | None) -> Array:
    """The difference of the exponents of rows."""
    return np.asarray((0 if mine is None else mine) - (0 if its is None else its))


def _rounded(builder: Builder, x: Quantized, name: str, bits: int) -> Quantized:
    """x in so many bits, at scales near those that fit what was seen of a float tensor."""
    key = ("rows", x.name, name, bits)
    if key not in builder.rounded_rows:
        scale, rows = _wanted(builder, name, bits)
        more = _less(x.rows, rows)
        least = int(more.min())
        factor, shift = builder.rounding(Quantized(x.name, x.scale * 2.0**least), scale)
        multiplier = factor << (more - least)
        unit = x.scale * 2.0**least / factor
        product = x if (multiplier == 1).all() else builder.combine([x], [multiplier], unit)
        builder.rounded_rows[key] = _in_range(builder, product, unit * 2.0**shift, shift, rows)
    return builder.rounded_rows[key]


def _in_range(builder: Builder, x: Quantized, scale: float, shift: int, rows: Array | None) -> Quantized:
    end = 1 << RANGE_BITS - 1
    found = builder.add(Rescale, [x], scale, shift=shift, low=-end, high=end - 1)
    return Quantized(found.name, found.scale, rows)


# rules


def _sum(builder: Builder, node: Node) -> Quantized:
    """round((m x + n y) / 2^b) of the stream and what is added to it; m and n are constants, a row each."""
    scale, rows = _wanted(builder, node.output, RESIDUAL_BITS)
    parts = [_read(builder, name) for name in node.inputs]
    ratios = [x.scale / scale * 2.0 ** _less(x.rows, rows) for x in parts]
    shift = builder.whole_limbs(max(0.0, -math.log2(min(float(r.min()) for r in ratios))))
    while not all((np.abs(np.rint(r * 2.0**shift) / (r * 2.0**shift) - 1) <= _SAME).all() for r in ratios):
        shift += builder.settings.limb
    factors = [np.rint(r * 2.0**shift) for r in ratios]
    terms = [_less_multiplied(builder, x, factor) for x, factor in zip(parts, factors, strict=True)]
    total = builder.combine([x for x, _ in terms], [factor for _, factor in terms], scale / 2.0**shift)
    return _in_range(builder, total, scale, shift, rows)


def _less_multiplied(builder: Builder, x: Quantized, factor: Array) -> tuple[Quantized, Array]:
    """x times a power of two, where a multiplier would be longer than an operation holds, and the multiplier left."""
    more = max(0, math.frexp(float(factor.max()))[1] - _LONGEST)
    return (builder.combine([x], [1 << more], 1.0) if more else x), factor / 2.0**more


def _norm(builder: Builder, node: Node) -> Quantized:
    """The first row and the others each by an inverse root as fine as they need; a row's own scale falls out.

    The mean is taken off rounded to a unit of the row, of which it has thousands: n x less the sum of a row would be
    longer than x by the bits of n, and all of them would be dropped again behind the root.
    """
    x, name = _read(builder, node.inputs[0]), node.inputs[0]
    shape = builder.shape(x)
    places, n = builder.calibration.places.get(name), shape[-1]
    positions = np.arange(math.prod(shape)).reshape(-1, n)
    parts, bits = [], []
    for chosen, at in _groups(shape):
        own = x.scale * 2.0 ** (0 if x.rows is None else int(x.rows[at, 0]))
        reach = (
            max(map(abs, builder.bounds(name))) if places is None else max(places.rms[at:] if at else places.rms[:1])
        )
        length = max(2.0, reach / own * math.sqrt(n))
        bits.append(math.ceil(math.log2(length)) + _ROOT_BITS)
        epsilon = max(1, round(node.attributes["epsilon"] * n / own**2))
        rows = builder.arrange([x], positions[chosen])
        rows = _less_mean(builder, rows) if node.operator == "Normalize" else rows
        parts.append(builder.add(RootMeanSquare, [rows], 1.0, bits=bits[-1], epsilon=epsilon))
    order = np.concatenate([np.ravel(positions[chosen]) for chosen, _ in _groups(shape)])
    found = builder.arrange(parts, np.argsort(order, kind="stable").reshape(shape))
    exponents = None if len(set(bits)) == 1 else np.array([bits[-1] - bits[0], *[0] * (shape[-2] - 1)])[:, None]
    return Quantized(found.name, math.sqrt(n) / 2.0 ** bits[-1], exponents)


def _less_mean(builder: Builder, rows: Quantized) -> Quantized:
    """Rows less their mean, which is rounded to a unit: the sum times 2^s / n, less s bits."""
    (count, n), reach = builder.shape(rows), builder.interval(rows).bits
    limb = builder.settings.limb
    shift = min(builder.whole_limbs(reach + n.bit_length() + 2), _LONGEST_SHARE // limb * limb)
    total = builder.add(Total, [rows], 1.0)
    mean = builder.add(Requantize, [builder.combine([total], [round(2**shift / n)], 1.0)], 1.0, shift=shift)
    repeated = builder.arrange([mean], np.repeat(np.arange(count), n).reshape(count, n))
    return builder.combine([rows, repeated], [1, -1], 1.0)


def _groups(shape: tuple[int, ...]) -> list[tuple[Array, int]]:
    """Which rows are at the first position, and which at others; and the first position of each."""
    position = np.arange(math.prod(shape[:-1])) % shape[-2]
    return [(np.flatnonzero(position == 0), 0), (np.flatnonzero(position > 0), 1)][: min(shape[-2], 2)]


def _gained(builder: Builder, node: Node) -> Quantized:
    """Rows times constants, plus constants."""
    constants = builder.graph.constants
    (name,) = (name for name in node.inputs if name not in constants)
    factor, *rest = (constants[n].astype(np.float64) for n in node.inputs if n in constants)
    offset, x = rest[0] if rest else np.zeros(1), builder.uneven[name]
    keeps_shape = builder.shape(x) == builder.graph.shapes[node.output]
    if keeps_shape and not offset.any() and factor.size == 1 and float(np.ravel(factor)[0]) > 0:
        return Quantized(x.name, x.scale * float(np.ravel(factor)[0]), x.rows)
    n = builder.shape(x)[-1]
    is_of_channels = all(array.size == 1 or array.shape[-1:] == (array.size,) == (n,) for array in (factor, offset))
    if keeps_shape and is_of_channels and _source(builder.graph, name) in NORMS and _are_dense(builder, node):
        return _shared_out(builder, node, x, *(np.broadcast_to(array.ravel(), n) for array in (factor, offset)))
    rows = 0 if x.rows is None else x.rows
    largest = float(np.abs(factor).max()) or 1.0
    top = linear.units(builder, factor)
    scale = x.scale * largest / top
    found = builder.combine([x], [factor / largest * top], scale, offset / (scale * 2.0**rows) if offset.any() else 0)
    return Quantized(found.name, found.scale, x.rows)


def _are_dense(builder: Builder, node: Node) -> bool:
    """Whether nothing but dense layers, whose weights the circuit has, reads what a node gives."""
    readers = builder.graph.consumers().get(node.output, [])
    is_seen = node.output in builder.graph.outputs or builder.settings.open_weights
    return not is_seen and all(reader.operator == "Dense" for reader in readers)


def _shared_out(builder: Builder, node: Node, x: Quantized, factor: Array, offset: Array) -> Quantized:
    """Rows times small integers; what is left of the factors of the channels goes into the weights that follow.

    So few bits are dropped behind it as leave one limb less, and no factor is rounded. The offsets of the channels go
    into the biases that follow.
    """
    builder.left_out[node.output] = offset
    largest = float(np.abs(factor).max()) or 1.0
    scale, rows = _wanted(builder, node.output, NORMAL_BITS)
    dropped = math.log2(scale / (x.scale * largest)) - float(_less(x.rows, rows).min())
    top = 2.0 ** np.clip(builder.whole_limbs(dropped + _FEWEST_GAIN_BITS) - dropped, _FEWEST_GAIN_BITS, _MOST_GAIN_BITS)
    small = np.maximum(np.rint(np.abs(factor) / largest * top), 1) * np.sign(factor)
    builder.gains[node.output] = factor / (np.where(small == 0, 1, small) * (largest / top))
    builder.hidden.add(node.output)
    return Quantized(builder.combine([x], [small], 1.0).name, x.scale * largest / top, x.rows)


def _is_turned(builder: Builder, node: Node, name: str) -> bool:
    """Whether a node multiplies by cosines or sines what only products of two tensors read: as rotary embeddings do."""
    graph, factors = builder.graph, next(builder.graph.constants[n] for n in node.inputs if n != name)
    is_of_shape = graph.shapes[name] == graph.shapes[node.output]
    return bool(factors.size > 1 and np.abs(factors).max() <= 1) and is_of_shape and _is_of_products(graph, name)


def _turned(builder: Builder, node: Node) -> Quantized:
    """Entries times numbers up to 1, all of them in one unit, so that what they make can be added as it is."""
    (name,) = (n for n in node.inputs if n not in builder.graph.constants)
    factors = next(builder.graph.constants[n] for n in node.inputs if n != name)
    even(builder, name)
    x = builder.tensors[name]
    return builder.combine([x], [factors.astype(np.float64) * 2.0**_TURN_BITS], x.scale / 2.0**_TURN_BITS)


def _product(builder: Builder, node: Node) -> Quantized:
    """Of two tensors, row by row at the product of their scales."""
    x, y = (_read(builder, name) for name in node.inputs)
    found = builder.add(Multiply, [x, y], x.scale * y.scale)
    rows = [v.rows for v in (x, y) if v.rows is not None]
    return Quantized(found.name, found.scale, sum(rows[1:], rows[0]))


def _dense(builder: Builder, node: Node) -> Quantized:
    weight, bias = (np.asarray(builder.graph.constants[n], dtype=np.float64) for n in node.inputs[1:3])
    if node.inputs[0] in builder.gains:
        bias = bias + builder.left_out[node.inputs[0]] @ weight
        weight = weight * builder.gains[node.inputs[0]][:, None]
    x, given = _fed(builder, node), builder.settings.open_weights
    if given and x.rows is not None:  # a bias that the prover gives is one for all rows
        x = _evened(builder, x)
    shape, n = builder.shape(x), weight.shape[1]
    rows = builder.reshape(Quantized(x.name, x.scale), (1, math.prod(shape[:-1]), shape[-1]))
    target, is_rounded = _sum_target(builder, node, x.rows), not _is_of_products(builder.graph, node.output)
    per_channel, scale = linear.sum_scale(builder, node, x, weight[None], target, is_rounded=is_rounded)
    multiplier = builder.rounded(np.maximum(1, np.ceil(per_channel / scale - 1e-9)))
    units = multiplier * scale
    is_own = given or (x.rows is None and np.abs(bias / units).max() < 2.0**_LONGEST)
    integers = builder.weights(weight[None] * (x.scale / units[:, None, :]))
    offset = builder.rounded(bias[None] / units if is_own else np.zeros((1, n)))
    out = builder.add(Linear, [rows], scale, weight=integers, multiplier=multiplier, bias=offset)
    out = Quantized(builder.reshape(out, (*shape[:-1], n)).name, scale, x.rows)
    return out if is_own or not bias.any() else _biased(builder, out, bias)


def _biased(builder: Builder, x: Quantized, bias: Array) -> Quantized:
    """x and a bias, which is a multiple of more than a unit of x where that is very small."""
    offset = bias / (x.scale * 2.0 ** (0 if x.rows is None else x.rows))
    more = max(0, math.frexp(float(np.abs(offset).max()))[1] - _LONGEST)
    constant = builder.constant(np.rint(np.broadcast_to(offset / 2.0**more, builder.shape(x))), 1.0)
    found = builder.combine([x, constant], [1, 1 << more], x.scale)
    return Quantized(found.name, x.scale, x.rows)


def _is_of_products(graph: Graph, name: str) -> bool:
    """Whether nothing but products of two tensors, or the place of the largest, read one, moved or turned or not."""
    readers = graph.consumers().get(name, [])
    return name not in graph.outputs and bool(readers) and all(_leads_to_products(graph, r) for r in readers)


def _leads_to_products(graph: Graph, node: Node) -> bool:
    """Whether a node is such a product or place, or moves and turns what only such nodes read."""
    is_product = node.operator in ("MatMul", "Mul") and not set(node.inputs) & set(graph.constants)
    if is_product or node.operator == "ArgMax":
        return True
    read = (output for output in node.outputs if output in graph.consumers())
    return node.operator in _TURNING and all(_is_of_products(graph, output) for output in read)


def _sum_target(builder: Builder, node: Node, rows: Array | None) -> float | None:
    """The scale that a layer's sums reach by dropping whole limbs, where the stream's next sum reads them."""
    reader = builder.graph.sole_consumer(node.output)
    while reader is not None and is_same_shape(builder.graph, reader):
        reader = builder.graph.sole_consumer(reader.output)
    if reader is None or reader.operator != "Add" or reader.output not in builder.stream:
        return None
    scale, wanted = _wanted(builder, reader.output, RESIDUAL_BITS)
    return float(scale * 2.0 ** int(_less(wanted, rows).max()))


def _fed(builder: Builder, node: Node) -> Quantized:
    """What a dense layer reads: rounded, but for what attention gives, and what has few bits already."""
    name = node.inputs[0]
    x, source = _read(builder, name), _source(builder.graph, name)
    most = RANGE_BITS + SPREAD * (source == "Function")  # in units of the finest of several layers
    if builder.interval(x).bits < most or source == "MatMul":
        return x
    if source == "Mul" and _is_read_by_sum(builder, node, x):
        return x
    if source in NORMS or name in builder.calibration.places:
        return _rounded(builder, x, name, NORMAL_BITS if source in NORMS else HIDDEN_BITS)
    even(builder, name)
    return builder.narrow(builder.tensors[name], name, linear.WIDEST)


def _is_read_by_sum(builder: Builder, node: Node, x: Quantized) -> bool:
    """Whether a dense layer's products of two tensors are better dropped bits of behind it, by the stream's next sum.

    A limb of each of its outputs more for each limb that is not dropped of an input, and no range check of the input.
    """
    name = node.inputs[0]
    if builder.graph.sole_consumer(name) is None or _sum_target(builder, node, x.rows) is None:
        return False
    _, shift = builder.rounding(x, _wanted(builder, name, HIDDEN_BITS)[0])
    limbs = shift // builder.settings.limb
    outputs, inputs = (builder.graph.shapes[n][-1] for n in (node.output, name))
    return limbs * outputs < (limbs + 1) * inputs


def _function(builder: Builder, node: Node) -> Quantized:
    """A table over twice the calibrated range, beyond which a value is refused; as elsewhere where it is not finite.

    Layers of one grid have the same range and units, hence the same table.
    """
    name = node.inputs[0]
    even(builder, name)
    x, evaluate = builder.tensors[name], node.attributes["function"]
    grid = builder.grids.get(name) or Grid(builder.table_scale(name), (builder.span(name),))
    factor, shift = builder.rounding(x, grid.scale)
    unit = x.scale / factor
    reached = unit * 2.0**shift
    (first, values), *parts = (_values(evaluate, span, reached) for span in (grid.span, *grid.spans))
    if not np.isfinite(values).all() or builder.interval(x).bits <= builder.table_bits(name):
        return tables.named_function(builder, node)
    step = min(_step(part) for _, part in parts)
    product = x if factor == 1 else builder.combine([x], [factor], unit)
    last = first + len(values) - 1
    index = builder.add(Rescale, [product], reached, shift=shift, low=first, high=last)
    return builder.add(Lookup, [index], step, table=builder.rounded(values / step), first=first)


def _values(evaluate: Callable[[Array], Array], span: tuple[float, float], scale: float) -> tuple[int, Array]:
    """The first of the integers over twice the calibrated range, and the function at them."""
    first, last = math.floor(_BEYOND * span[0] / scale), math.ceil(_BEYOND * span[1] / scale)
    return first, np.asarray(evaluate(np.arange(first, last + 1) * scale), dtype=np.float64)


def _step(values: Array) -> float:
    return max(float(np.ptp(values)), float(np.abs(values).max())) / (_BEYOND * (2**HIDDEN_BITS - 1)) or 1.0
