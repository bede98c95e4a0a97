"""From a float graph and its calibration to an integer model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import field

import numpy as np

from zkgpu.errors import FormatError
from zkgpu.records import dataclass
from zkgpu.stages import stage
from zkgpu.zkml import machines as vector_machines
from zkgpu.zkml import tabular
from zkgpu.zkml.calibrated import Calibration
from zkgpu.zkml.equalizing import equalized
from zkgpu.zkml.graph import ROWS, SELECT, SELECT_ELEMENTS, Array, Graph, Node, Unsupported, unsupported
from zkgpu.zkml.lowering import (
    activations,
    choices,
    division,
    linear,
    machines,
    overflow,
    places,
    pools,
    quantized,
    ramps,
    residual,
    resize,
    rows,
    shapes,
    shares,
    tables,
    trees,
)
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.lowering.scales import fitting_scale, is_apart
from zkgpu.zkml.lowering.settings import Settings
from zkgpu.zkml.operations import IntegerModel, in_layer
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.restated import DEQUANTIZE, QUANTIZE, SCATTER
from zkgpu.zkml.shares import LOGISTIC_SHARE
from zkgpu.zkml.trees import TREES, Forest, forests

_FARTHEST = 1 << 24  # units from 0 that an input may be
_FARTHEST_WHOLE = 1 << 52  # the same of numbers that the file has as integers, which are exact
_FARTHEST_COLUMN = 1 << 40  # those of a small model of tables, whose columns may differ that much in size
_SINGLE, _WIDEST = 25, 50  # bits of a threshold, and of an input, up to which trees are exact

Rule = Callable[[Builder, Node], Quantized]

RULES: Mapping[str, Rule] = {
    "Dense": linear.dense,
    "Conv": linear.convolution,
    "ConvTranspose": linear.transposed_convolution,
    "MatMul": linear.matmul,
    **dict.fromkeys(("Add", "Sub"), linear.add),
    "Mul": linear.multiply,
    "Div": division.divide,
    tabular.SHARE: division.share,
    tabular.MAGNITUDE: division.magnitude,
    tabular.UNIT: division.unit,
    LOGISTIC_SHARE: shares.logistic_share,
    **dict.fromkeys(("Sum", "Mean"), linear.total_of_many),
    **dict.fromkeys(("Max", "Min"), linear.extreme_of_many),
    "Neg": linear.negate,
    "Scale": linear.scale_and_offset,
    **dict.fromkeys(("ReduceMean", "ReduceSum"), linear.mean),
    **dict.fromkeys(("Resize", "Upsample"), resize.resize),
    "CumSum": linear.running_sums,
    "Concat": shapes.concatenate,
    "Pad": shapes.pad,
    QUANTIZE: quantized.quantize_linear,
    **dict.fromkeys((DEQUANTIZE, "DequantizeLinear"), quantized.dequantize_linear),
    "Relu": activations.relu,
    "LeakyRelu": activations.leaky_relu,
    "PRelu": activations.leaky_relu_by_channel,
    "Clip": activations.clip,
    "Function": ramps.named_function,
    **dict.fromkeys(("MaxPool", "GlobalMaxPool"), pools.max_pool),
    "ReduceMax": pools.reduce_max,
    **dict.fromkeys(("AveragePool", "GlobalAveragePool"), pools.average_pool),
    "ArgMax": rows.argmax,
    "TopK": rows.top_k,
    "Hardmax": choices.hardmax,
    "Names": tables.names,
    ROWS: choices.rows,
    SELECT: places.selected,
    SELECT_ELEMENTS: places.selected_elements,
    SCATTER: places.scatter,
    "OneHot": places.one_hot,
    **dict.fromkeys(("Less", "LessOrEqual", "Greater", "GreaterOrEqual"), choices.compare),
    "Equal": choices.equal,
    "Not": choices.negation,
    **dict.fromkeys(("And", "Or", "Xor"), choices.connect),
    "Where": choices.choose,
    TREES: trees.forest,
    vector_machines.PRODUCT: machines.product_with_itself,
    vector_machines.VOTES: machines.votes,
    "Softmax": rows.softmax,
    "Normalize": rows.normalize,
    "RootMeanSquare": rows.root_mean_square,
}


@dataclass(frozen=True)
class Quantization:
    """An integer model, and for each tensor of the float graph the integer tensor that stands for it.

    Attributes:
        scales: of the sums of each layer with weights, by its output in the float graph
        intervals: of the model's tensors
        finer: bits that the sums of layers with weights have below the unit of what becomes of them
    """

    model: IntegerModel
    tensors: Mapping[str, Quantized]
    scales: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict, repr=False)
    finer: Mapping[str, int] = field(default_factory=dict, repr=False)


def quantize(
    graph: Graph,
    calibration: Calibration,
    settings: Settings | None = None,
    scales: Mapping[str, float] | None = None,
) -> Quantization:
    """The integer model of a graph. Raises FormatError naming the layer that cannot be quantized.

    Args:
        scales: those of an earlier quantization, which the layers' sums are to have again
    """
    changed: set[str] = set()
    if settings is not None and settings.even:
        graph, calibration, changed = equalized(graph, calibration)
    builder = Builder(graph, calibration, settings or Settings(), scales=dict(scales or {}))
    with stage("quantize"), np.errstate(all="ignore"):  # what is not finite is refused where it becomes an integer
        for name, shape in graph.inputs.items():
            builder.tensors[name] = _input(builder, name, shape)
        for node in graph.nodes:
            builder.layer = node.name
            try:
                with in_layer(node.name):
                    _lower(builder, node)
            except (OverflowError, ZeroDivisionError) as error:
                raise FormatError(
                    f"layer '{node.name}': the sizes of its numbers lie too far apart: scale it"
                ) from error
        for name in graph.outputs:
            residual.even(builder, name)
        for name in set(graph.outputs) & set(graph.constants):
            builder.layer = name
            builder.tensors[name] = _constant_output(builder, graph.constants[name])
        return _finished(builder, changed)


def obstacles(graph: Graph, calibration: Calibration, settings: Settings | None = None) -> list[Unsupported]:
    """Every node that no rule takes, each of them taken for done. What is refused for its numbers is not among them."""
    builder, found = Builder(graph, calibration, settings or Settings()), list[Unsupported]()
    with stage("quantize"), np.errstate(all="ignore"):
        for name, shape in graph.inputs.items():
            builder.tensors[name] = _input(builder, name, shape)
        for node in graph.nodes:
            builder.layer = node.name
            try:
                _lower(builder, node)
            except Unsupported as error:
                found.append(error)
            except (FormatError, ArithmeticError):
                pass
            for name in node.outputs:
                if name not in builder.tensors and name in graph.shapes:
                    builder.tensors[name] = builder.declare(name, graph.shapes[name], 1.0, 0, 1)
    return found


def _finished(builder: Builder, changed: set[str]) -> Quantization:
    """Without the tensors that hold other numbers than those of the float graph."""
    outputs = builder.distinct([(name, builder.tensors[name]) for name in builder.graph.outputs])
    model = builder.model(outputs)
    renamed = {x.name: name for name, x in outputs}
    kept = {op.output for op in model.operations} | {tensor.name for tensor in model.inputs}
    tensors = {
        k: Quantized(renamed.get(x.name, x.name), x.scale, x.rows)
        for k, x in {**builder.uneven, **builder.tensors}.items()
    }
    return Quantization(
        model,
        {k: x for k, x in tensors.items() if x.name in kept and k not in changed | builder.hidden},
        builder.scales,
        {renamed.get(name, name): interval for name, interval in builder.intervals.items()},
        {renamed.get(name, name): bits for name, bits in builder.finer.items()},
    )


def _constant_output(builder: Builder, value: Array) -> Quantized:
    """Integers as they are, other numbers with a part in 2^15 of the largest."""
    largest = float(np.abs(value).max(initial=0))
    return builder.constant(value, 1.0 if value.dtype.kind in "iub" else largest / 2**15 or 1.0)


def _lower(builder: Builder, node: Node) -> None:
    if builder.settings.stream and residual.lowered(builder, node):
        pass
    elif node.operator in shapes.MOVES:
        shapes.move(builder, node)
    elif node.operator in RULES:
        builder.tensors[node.output] = RULES[node.operator](builder, node)
    else:
        builder.tensors[node.output] = tables.by_values(builder, node)
    for name in node.outputs:
        found, wanted = builder.uneven.get(name) or builder.tensors.get(name), builder.graph.shapes.get(name)
        if found is not None and builder.shape(found) != wanted:
            raise unsupported(node, f"its output '{name}' would have the shape {builder.shape(found)}, not {wanted}")
    overflow.require_no_overflow(builder, node)


def _input(builder: Builder, name: str, shape: tuple[int, ...]) -> Quantized:
    """Integers that fit the width as they are; other numbers at the scale that fills it.

    Places in a table may be any that it has. A range that lies far from 0 is taken as it is, so that its numbers have
    as many steps as others have.
    """
    low, high = builder.calibration.bounds(name)
    if not all(math.isfinite(v) for v in (low, high)):
        raise FormatError(f"input '{name}' was calibrated with values that are not finite")
    if builder.graph.types.get(name) == np.dtype(bool):
        return builder.declare(name, shape, 1.0, 0, 1)
    if name in builder.calibration.integral and name in (lengths := builder.graph.places()):
        return builder.declare(name, shape, 1.0, round(low), max(round(high), lengths[name] - 1))
    if name in builder.calibration.integral and builder.graph.is_integral(name):
        if max(high, -low) >= _FARTHEST_WHOLE:
            raise FormatError(f"input '{name}' holds integers of more than {_FARTHEST_WHOLE.bit_length() - 1} bits")
        return builder.declare(name, shape, 1.0, round(low), round(high))
    if name in (read := forests(builder.graph)):
        scale = _scale_for_trees(builder, name, read[name], max(high, -low))
        return builder.declare(name, shape, scale, math.floor(low / scale + 0.5), math.floor(high / scale + 0.5))
    if is_apart(*builder.calibration.seen(name)):
        low, high = builder.calibration.seen(name)
    scale = _input_scale(builder, name, low, high)
    return builder.declare(name, shape, scale, math.floor(low / scale + 0.5), math.floor(high / scale + 0.5))


def _scale_for_trees(builder: Builder, name: str, read: list[Forest], farthest: float) -> float:
    """A power of two that divides each threshold and its neighbors in single precision, so that tests are exact.

    Many tests of one number cost little more where it is wide. Thresholds far below the largest input get less.
    """
    if name in builder.calibration.integral and farthest < _FARTHEST:
        return 1.0
    thresholds = np.abs(np.concatenate([forest.thresholds for forest in read]))
    least = float(thresholds[thresholds > 0].min(initial=np.inf))
    finest = max(min(least, farthest) / 2**_SINGLE, farthest / 2**_WIDEST)
    return 2.0 ** math.floor(math.log2(finest)) if finest > 0 else 1.0


def _input_scale(builder: Builder, name: str, low: float, high: float) -> float:
    """1 for whole numbers that fit; else what gives 2^bits steps, to the smallest column where they go by column.

    Numbers with few decimals stay what they are where their unit is no finer than that; an input that the model itself
    makes integers of is taken in these.
    """
    given = quantized.scale_of_reader(builder.graph, name)
    if given:
        return given
    steps, farthest = 2 ** builder.bits(name) - 1, max(high, -low)
    columns = builder.calibration.columns.get(name, ()) if builder.settings.by_column else ()
    if name in builder.calibration.integral and (columns or high - low <= steps) and farthest < _FARTHEST:
        return 1.0
    unit = builder.calibration.units.get(name, 0.0)
    if not columns and not is_apart(low, high):
        return max(unit, fitting_scale(low, high, builder.bits(name)))
    reach = min((reach for reach in columns if reach > 0), default=high - low)
    return max(unit, reach / steps, farthest / (_FARTHEST_COLUMN if builder.settings.of_table else _FARTHEST)) or 1.0
