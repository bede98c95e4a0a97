"""Which convolutions are checked at a challenge: what that takes, beside rows of their own or the test of products."""

from __future__ import annotations

from collections.abc import Collection

from zkgpu.zkml.layers.convolution import Index, Patches, patches_of
from zkgpu.zkml.layers.matrices import Integers, tested, works_in_pairs
from zkgpu.zkml.layers.products import LONG, Cost, exact_cost
from zkgpu.zkml.operations import Arrange, IntegerModel, Linear


def cost_of(patches: Patches, weight: Integers, *, public: bool) -> Cost:
    """What a convolution with weights (g, k, n) takes, its input being wires, with powers that no other layer has."""
    (groups, m, k), n = patches.shape, weight.shape[2]
    ends, products = groups * n, 0 if public else groups * (k + 1) * n
    weights = int((weight != 0).sum()) if public else 0
    entries = patches.sources.size + patches.terms_of_sums + 3 * ends * m + weights + 4 * products + m + ends
    constraints = patches.constraints + ends * m + products + patches.degree
    return Cost(constraints, ends * m, entries)


def cost_of_test(weight: Integers, m: int) -> Cost:
    """What `private_linear` takes that knows of no places."""
    groups, k, n = weight.shape
    return Cost(groups * min(tested(m, k, n), m * k * n), groups * m * n, 4 * groups * tested(m, k, n))


def evaluated(model: IntegerModel, *, public: bool) -> dict[str, Patches]:
    """Those layers, by their output, that are proven by `convolution`: by it they take less."""
    arranged = {op.output: op for op in model.operations if isinstance(op, Arrange)}
    found = {}
    for op in model.operations:
        if isinstance(op, Linear) and op.places is not None and op.inputs[0] in arranged:
            patches = _if_it_takes_less(op, arranged[op.inputs[0]].positions, public)
            found.update({} if patches is None else {op.output: patches})
    return found


def _if_it_takes_less(operation: Linear, positions: Index, public: bool) -> Patches | None:
    weight, m = operation.weight, positions.shape[1]
    if int((weight != 0).sum()) * m <= LONG if public else works_in_pairs(m, *weight.shape[1:]):
        return None
    patches = patches_of(positions, operation.places, operation.shifts)
    other = exact_cost(operation, m) if public else cost_of_test(weight, m)
    is_less = patches is not None and m > 1 and cost_of(patches, weight, public=public).total < other.total
    return patches if is_less else None


def read_by_them_only(model: IntegerModel, layers: Collection[str]) -> set[str]:
    """The arrangements that only such layers read, who take their input itself."""
    arranged = {op.output for op in model.operations if isinstance(op, Arrange)}
    shown = {tensor.name for tensor in model.outputs}
    elsewhere = {name for op in model.operations if op.output not in layers for name in op.inputs}
    patches = {name for op in model.operations if op.output in layers for name in op.inputs}
    return (patches & arranged) - elsewhere - shown
