"""Generators of nodes whose inputs are particular: bits, places, attention, and nodes that hold graphs or sequences.

What a sequence is made of and taken from stands in a branch of an If, so that all tensors around it are arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from tests.zkml.random_graphs import Generator, Sketch

_ML = "ai.onnx.ml"
_LONGEST = 6  # axis that sequences are split along

# bits and counts


def whole(g: Sketch, x: str) -> str:
    """Small integers, none below 0."""
    return str(g.add("ArgMax", x, axis=g.axis(x), keepdims=1))


def in_floats(g: Sketch, x: str) -> str:
    return str(g.add("Cast", x, to=TensorProto.FLOAT))


def bitwise(operator: str) -> Generator:
    """Of integers, computed and constant."""

    def add(g: Sketch, x: str) -> str:
        places = whole(g, x)
        others = [] if operator == "BitwiseNot" else [g.constant(g.below(16), np.int64)]
        inputs = g.either(places, *others) if others else (places,)
        return in_floats(g, str(g.add(operator, *inputs)))

    return add


def shifted_bits(g: Sketch, x: str) -> str:
    places = g.add("Cast", whole(g, x), to=TensorProto.UINT8)
    direction = g.one_of(["LEFT", "RIGHT"])
    return in_floats(g, str(g.add("BitShift", places, g.constant(g.below(4), np.uint8), direction=direction)))


def times_its_size(g: Sketch, x: str) -> str:
    return str(g.add("Mul", x, in_floats(g, str(g.add("Size", x)))))


def beside_ones(g: Sketch, x: str) -> str:
    x = g.shaped(x, 2)
    return str(g.add("Add", x, g.add("EyeLike", x, **g.maybe(k=g.below(3) - 1))))


def quantized(g: Sketch, x: str) -> str:
    """In 8 bits and back, of all entries alike or by those of an axis."""
    g.require(g.rank(x) > 0)
    way = {"axis": g.axis(x)} if g.opset > 12 and not g.below(4) else {}
    reach = max(g.high(x), -g.low(x), 0.1)
    shape = (g.shape(x)[way["axis"]],) if way else ()
    steps = g.constant(reach / g.draws.uniform(60, 120, size=shape))
    zero = g.constant(np.full(shape, g.one_of([0, 100, 128])).astype(np.uint8))
    if g.below(2):
        zero = g.constant(np.full(shape, g.one_of([0, -5])).astype(np.int8))
    return str(g.add("DequantizeLinear", g.add("QuantizeLinear", x, steps, zero, **way), steps, zero, **way))


# entries moved


def cropped_and_padded(g: Sketch, x: str) -> str:
    g.require(g.rank(x) > 0)
    axes = sorted({g.axis(x) % g.rank(x) for _ in range(2)})
    return str(g.add("CenterCropPad", x, g.integers(*(1 + g.below(5) for _ in axes)), axes=axes))


def compressed(g: Sketch, x: str) -> str:
    axis = g.one_of([{}, {"axis": g.axis(x)}])
    length = g.shape(x)[axis["axis"]] if axis else int(np.prod(g.shape(x)))
    return str(g.add("Compress", x, g.constant(g.draws.integers(2, size=length).astype(bool)), **axis))


def reversed_parts(g: Sketch, x: str) -> str:
    g.require(g.rank(x) > 1)
    way = g.maybe(batch_axis=0, time_axis=1) if g.below(2) else {}
    way = way if len(way) in (0, 2) else {}
    batch, time = (way.get("batch_axis", 1), way.get("time_axis", 0))
    lengths = g.integers(*(1 + g.below(g.shape(x)[time]) for _ in range(g.shape(x)[batch])))
    return str(g.add("ReverseSequence", x, lengths, **way))


def scattered_elements(operator: str) -> Generator:
    """No two at one place, unless they are added up."""

    def add(g: Sketch, x: str) -> str:
        axis = g.axis(x)
        shape = list(g.shape(x))
        places = np.argsort(g.draws.random(shape), axis=axis)
        taken = places.take(range(1 + g.below(shape[axis])), axis)
        reduction = g.maybe(reduction=g.one_of(["add", "mul"])) if operator != "Scatter" and g.opset > 15 else {}
        return str(
            g.add(operator, x, g.integers_of(taken), g.constant(g.numbers(*taken.shape)), axis=axis, **reduction)
        )

    return add


def upsampled(g: Sketch, x: str) -> str:
    scales = g.constant(np.array([1, 1, g.one_of([1, 2]), g.one_of([1, 2, 3])], dtype=np.float32))
    return str(g.add("Upsample", g.shaped(x, 4), scales, **g.maybe(mode=g.one_of(["nearest", "linear"]))))


def side_by_side(g: Sketch, x: str) -> str:
    parts = [g.shaped(name, 2) for name in (x, g.one_of([x, g.tensor()]))]
    widths = [g.shape(part)[1] for part in parts]
    return str(g.add("FeatureVectorizer", *parts, domain=_ML, inputdimensions=widths))


# attention


def attention(g: Sketch, x: str) -> str:
    """Of a tensor with itself, as heads, or as rows of several heads."""
    if g.below(2):
        x = g.shaped(x, 4)
        heads = {}
    else:
        x = g.shaped(x, 3)
        heads = dict.fromkeys(("q_num_heads", "kv_num_heads"), g.one_of([n for n in (1, 2) if g.shape(x)[2] % n == 0]))
    others = g.maybe(is_causal=1, scale=0.5, softcap=2.0)
    return str(g.add("Attention", x, g.one_of([x, g.add("Neg", x)]), x, **heads, **others))


def rotated(g: Sketch, x: str) -> str:
    """By angles of each place, of pairs in a row or halves apart."""
    x = g.shaped(x, 4)
    x = g.add("Concat", x, x, axis=3) if g.shape(x)[3] % 2 else x
    batch, _, length, width = g.shape(x)
    angles = g.draws.uniform(-3, 3, size=(length, width // 2))
    caches = [g.constant(function(angles)) for function in (np.cos, np.sin)]
    places = g.integers_of(np.tile(np.arange(length)[::-1], (batch, 1)))
    return str(g.add("RotaryEmbedding", x, *caches, places, **g.maybe(interleaved=1)))


# trees of ai.onnx.ml 5


def trees(g: Sketch, x: str) -> str:
    """Each of one test and two leaves."""
    x, count = g.shaped(x, 2), 1 + g.below(3)
    leaves = 2 * count
    nodes = {
        "tree_roots": list(range(count)),
        "nodes_featureids": [g.below(g.shape(x)[1]) for _ in range(count)],
        "nodes_splits": g.tensor_of(g.draws.normal(size=count)),
        "nodes_modes": g.tensor_of(g.draws.integers(0, 4, size=count).astype(np.uint8)),
        "nodes_trueleafs": [1] * count,
        "nodes_falseleafs": [1] * count,
        "nodes_truenodeids": list(range(0, leaves, 2)),
        "nodes_falsenodeids": list(range(1, leaves, 2)),
        "leaf_targetids": [g.below(2) for _ in range(leaves)],
        "leaf_weights": g.tensor_of(g.draws.normal(size=leaves)),
    }
    return str(g.add("TreeEnsemble", x, domain=_ML, n_targets=2, aggregate_function=1, **nodes))


# graphs in nodes


def branches(g: Sketch, x: str, nodes: Sequence[Any], out: str) -> str:
    """An If of a constant: these nodes on one side, nothing done on the other."""
    end = helper.make_tensor_value_info(out, TensorProto.FLOAT, None)
    taken = helper.make_graph(list(nodes), "taken", [], [end])
    same = f"{out}_same"
    other = helper.make_graph(
        [helper.make_node("Identity", [x], [same])], "other", [], [helper.make_tensor_value_info(same, 1, None)]
    )
    first = bool(g.below(2))
    sides = {"then_branch": taken, "else_branch": other} if first else {"then_branch": other, "else_branch": taken}
    return str(g.add("If", g.constant(np.array(first)), **sides))


def names(g: Sketch, count: int) -> list[str]:
    """New ones, for what stands in a graph."""
    return [f"b{len(g.nodes)}_{i}" for i in range(count)]


def branched(g: Sketch, x: str) -> str:
    y, z = names(g, 2)
    first = helper.make_node(g.one_of(["Tanh", "Neg", "Sigmoid"]), [x], [y])
    return branches(g, x, [first, helper.make_node("Mul", [y, g.constant(g.draws.normal())], [z])], z)


def looped(g: Sketch, x: str) -> str:
    """As often as a constant says: what is carried on, and now and then what each turn leaves."""
    turn, go, state, still, made, left = names(g, 6)
    nodes = [
        helper.make_node("Identity", [go], [still]),
        helper.make_node(g.one_of(["Tanh", "Neg", "Abs"]), [state], [f"{made}_f"]),
        helper.make_node("Add", [f"{made}_f", g.constant(g.numbers(*g.shape(x)))], [made]),
        helper.make_node("Identity", [made], [left]),
    ]
    shape = g.shape(x)
    infos = [(turn, TensorProto.INT64, ()), (go, TensorProto.BOOL, ()), (state, TensorProto.FLOAT, shape)]
    ends = [(still, TensorProto.BOOL, ()), (made, TensorProto.FLOAT, shape), (left, TensorProto.FLOAT, shape)]
    body = helper.make_graph(nodes, "turn", *([helper.make_tensor_value_info(*i) for i in of] for of in (infos, ends)))
    turns = g.constant(np.array(1 + g.below(3)), np.int64)
    last, all_ = g.add("Loop", turns, g.constant(np.array(True)), x, outputs=2, body=body)
    return str(g.one_of([last, all_]))


def scanned(g: Sketch, x: str) -> str:
    """Rows one after another, and a state."""
    g.require(g.rank(x) > 1)
    row = g.shape(x)[1:]
    state, entry, made, left = names(g, 4)
    nodes = [
        helper.make_node("Mul", [state, g.constant(np.array(0.5))], [f"{made}_h"]),
        helper.make_node(g.one_of(["Add", "Sub"]), [f"{made}_h", entry], [made]),
        helper.make_node("Tanh", [made], [left]),
    ]
    infos, ends = (
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, row) for n in of] for of in ((state, entry), (made, left))
    )
    body = helper.make_graph(nodes, "row", infos, ends)
    start = g.constant(np.zeros(row))
    way = {**g.maybe(scan_input_directions=[1], scan_output_directions=[1])}
    last, all_ = g.add("Scan", start, x, outputs=2, body=body, num_scan_inputs=1, **way)
    return str(g.one_of([last, all_]))


# sequences


def split_and_joined(g: Sketch, x: str) -> str:
    """Pieces of a tensor without one and with the first once more, side by side again or along an axis of their own."""
    axis = g.axis(x) % g.rank(x)
    length = g.shape(x)[axis]
    g.require(1 < length <= _LONGEST)
    pieces, fewer, more, out = names(g, 4)
    kept = g.below(2)
    where = [0] if kept else 0, g.below(length), g.below(length)
    first, left_out, place = (g.constant(np.array(at), np.int64) for at in where)
    nodes = [
        helper.make_node("SplitToSequence", [x], [pieces], axis=axis, keepdims=kept),
        helper.make_node("SequenceErase", [pieces, left_out], [fewer]),
        helper.make_node("Gather", [x, first], [f"{out}_p"], axis=axis),
        helper.make_node("SequenceInsert", [fewer, f"{out}_p", place], [more]),
        helper.make_node("ConcatFromSequence", [more], [out], axis=axis, new_axis=1 - kept),
    ]
    return branches(g, x, nodes, out)


def taken_from_several(g: Sketch, x: str) -> str:
    """One of the tensors of a sequence, times how many they are."""
    some, more, count, real, one, out = names(g, 6)
    start = g.one_of(
        [
            helper.make_node("SequenceConstruct", [x, x], [some]),
            helper.make_node("SequenceEmpty", [], [some], dtype=TensorProto.FLOAT),
        ]
    )
    place = g.constant(np.array(g.one_of([0, -1])), np.int64)
    nodes = [
        start,
        helper.make_node("Neg", [x], [f"{out}_n"]),
        helper.make_node("SequenceInsert", [some, f"{out}_n"], [more]),
        helper.make_node("SequenceLength", [more], [count]),
        helper.make_node("Cast", [count], [real], to=TensorProto.FLOAT),
        helper.make_node("SequenceAt", [more, place], [one]),
        helper.make_node("Mul", [one, real], [out]),
    ]
    return branches(g, x, nodes, out)


def any_of(*generators: Generator) -> Generator:
    return lambda g, x: g.one_of(generators)(g, x)


_SEQUENCES = any_of(split_and_joined, taken_from_several)
PARTICULAR: dict[str, Callable[[Sketch, str], Any]] = {
    **{name: bitwise(name) for name in ("BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor")},
    **{name: scattered_elements(name) for name in ("Scatter", "ScatterElements")},
    **dict.fromkeys(("ConcatFromSequence", "SequenceErase", "SplitToSequence"), split_and_joined),
    **dict.fromkeys(("SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceLength"), taken_from_several),
    "SequenceInsert": _SEQUENCES,
    "Attention": attention,
    "BitShift": shifted_bits,
    "CenterCropPad": cropped_and_padded,
    "Compress": compressed,
    "EyeLike": beside_ones,
    "FeatureVectorizer": side_by_side,
    **dict.fromkeys(("DequantizeLinear", "QuantizeLinear"), quantized),
    "If": branched,
    "Loop": looped,
    "ReverseSequence": reversed_parts,
    "RotaryEmbedding": rotated,
    "Scan": scanned,
    "Size": times_its_size,
    "TreeEnsemble": trees,
    "Upsample": upsampled,
}
