"""How the operations of a network are written: what is chosen for all of them together, before any is.

The circuit (`layers.network`) and its size (`zkml.counting`) follow one plan, so that both say the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from zkgpu.records import dataclass
from zkgpu.zkml.layers.clamp_tables import ClampTable, clamp_tables
from zkgpu.zkml.layers.convolution import Patches
from zkgpu.zkml.layers.evaluated import evaluated, read_by_them_only
from zkgpu.zkml.layers.long_sums import rounded_at_once
from zkgpu.zkml.layers.mixtures import Mixture, mixtures_of
from zkgpu.zkml.layers.packing import weighings_of
from zkgpu.zkml.layers.products import Product, products_of
from zkgpu.zkml.layers.scores import Scores, scores_of
from zkgpu.zkml.layers.turned import Turned, kept_for, turned_of
from zkgpu.zkml.layers.unpacking import unpacked
from zkgpu.zkml.layers.weighing import Weighing
from zkgpu.zkml.layers.weighted_lookups import WeightedLookup, later_of, weighed_otherwise, weighted_lookups
from zkgpu.zkml.layers.weights import largest_sum
from zkgpu.zkml.operations import Arrange, IntegerModel, Lookup, Operation, Requantize, Rescale
from zkgpu.zkml.ranges import Interval, analyze, with_reach
from zkgpu.zkml.visibility import Visibilities


@dataclass(frozen=True, eq=False)
class Plan:
    """What is written, and how. Mappings are by the name of an operation's output.

    Attributes:
        model: the operations to write, in order: the model's, or what says the same (layers.unpacking)
        intervals: what each tensor can hold
        arranged: the arrangements
        evaluated: layers with weights that are proven by `convolution`
        products: how each layer with weights is written
        scores, turned, mixtures: products of two tensors that are tested with layers before or behind them
        kept: layers whose test shares its products with such a product
        unwritten: tensors that nothing needs as wires
        fused: roundings that are a part of the lookup which reads them
        rounded_at_once: layers whose sums one rounding reads, so that they need no wires
        weighings: how rows of layers that are tested at a challenge are weighed, where not by its powers
        weighted_lookups: lookups whose products weigh what layers read
        clamps: roundings that are lookups
    """

    model: IntegerModel
    intervals: Mapping[str, Interval]
    arranged: Mapping[str, Arrange]
    evaluated: Mapping[str, Patches]
    products: Mapping[str, Product]
    scores: Mapping[str, Scores]
    turned: Mapping[str, Turned]
    mixtures: Mapping[str, Mixture]
    kept: frozenset[str]
    unwritten: frozenset[str]
    fused: Mapping[str, Requantize | Rescale]
    rounded_at_once: frozenset[str]
    weighings: Mapping[str, Weighing]
    weighted_lookups: Mapping[str, WeightedLookup]
    clamps: Mapping[str, ClampTable]


def plan_of(
    model: IntegerModel,
    visibilities: Visibilities,
    *,
    sketched: bool = False,
    intervals: Mapping[str, Interval] | None = None,
) -> Plan:
    """How the circuit of a model is written.

    Args:
        sketched: leave out what takes long to find and changes little: convolutions, rows side by side and lookups that
            weigh, so that models can be compared
        intervals: of the tensors, where they are known
    """
    given = visibilities.weights_are_given
    taken_apart = model if given else unpacked(model)
    intervals, model = intervals if taken_apart is model else None, taken_apart
    intervals = analyze(model, margin=given) if intervals is None else intervals
    if visibilities.weights == "hashed":
        intervals = with_reach(model, intervals, largest_sum)
    shapes = {name: interval.shape for name, interval in intervals.items()}
    by_patches: Mapping[str, Patches] = {} if sketched else evaluated(model, public=not given)
    products = products_of(model, shapes, by_patches, public=not given)
    scores = scores_of(model, shapes, products)
    mixtures = mixtures_of(model, shapes, products, scores)
    unwritten = {name for found in scores.values() for name in found.unwritten}
    unwritten |= {name for mixture in mixtures.values() for name in mixture.unwritten}
    turned = turned_of(model, shapes, products, {*scores, *unwritten})
    fused, kept = _rounded_only_for_tables(model), kept_for(turned)
    weighings: Mapping[str, Weighing] = {}
    lookups: Mapping[str, WeightedLookup] = {}
    if not sketched:
        weighings = weighings_of(model, intervals, products, mixtures, kept, fused)
        others = weighed_otherwise(model, products, scores, mixtures, kept)
        lookups = weighted_lookups(model, intervals, products, weighings, fused, others)
    return Plan(
        model=model,
        intervals=intervals,
        arranged={op.output: op for op in model.operations if isinstance(op, Arrange)},
        evaluated=by_patches,
        products=products,
        scores=scores,
        turned=turned,
        mixtures=mixtures,
        kept=kept,
        unwritten=frozenset(unwritten | read_by_them_only(model, by_patches)),
        fused=fused,
        rounded_at_once=rounded_at_once(model, products),
        weighings={**weighings, **later_of(lookups)},
        weighted_lookups=lookups,
        clamps=clamp_tables(model, intervals, fused, given),
    )


def _rounded_only_for_tables(model: IntegerModel) -> dict[str, Requantize | Rescale]:
    """Requantizations read by one table and nothing else, whose clamp, or range, is that table's range."""
    readers: dict[str, list[Operation]] = {}
    for operation in model.operations:
        for name in operation.inputs:
            readers.setdefault(name, []).append(operation)
    outputs = {tensor.name for tensor in model.outputs}
    return {
        op.output: op
        for op in model.operations
        if isinstance(op, Requantize | Rescale)
        and op.output not in outputs
        and len(readers.get(op.output, [])) == 1
        and _ends_agree(op, readers[op.output][0])
    }


def _ends_agree(rounding: Requantize | Rescale, reader: Operation) -> bool:
    if not isinstance(reader, Lookup):
        return False
    last = reader.first + len(reader.table) - 1
    if isinstance(rounding, Rescale):  # beyond which nothing is clamped: the table refuses it
        return (rounding.low, rounding.high) == (reader.first, last)
    return rounding.low in (None, reader.first) and rounding.high in (None, last)
