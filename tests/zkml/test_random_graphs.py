"""Random graphs of every supported operator: what compiles is right against onnxruntime, and all else is refused.

ZKGPU_FUZZ_SEED and ZKGPU_FUZZ_GRAPHS set the seed and the size of the nightly run. A graph that fails is saved, whole
and made small, and can be drawn again by its seed and number.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from operator import add
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.zkml.graph_fuzz import BEYOND, RIGHT, ROUNDED, WRONG, Graph, Outcome, fuzz, judge, report, smaller
from tests.zkml.random_graphs import NOT_DRAWN, Sketch, generator
from zkgpu.zkml import restated
from zkgpu.zkml.functions import FUNCTIONS
from zkgpu.zkml.graph import Graph as FloatGraph
from zkgpu.zkml.graph import Node
from zkgpu.zkml.lowering import windows
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.quantize import RULES
from zkgpu.zkml.restated import CAST
from zkgpu.zkml.supported import OPERATORS

FEW, MANY = 200, 5000


def assert_none_is_wrong(seed: int, outcome: Outcome, folder: Path) -> None:
    assert not outcome.faults, report(seed, outcome, folder)
    print(f"\nseed {seed}: {dict(outcome.kinds)}; refused: {dict(outcome.refusals.most_common(5))}")
    assert outcome.kinds[RIGHT] > 0.9 * outcome.kinds.total()
    assert outcome.kinds[ROUNDED] < 0.03 * outcome.kinds.total()


@pytest.mark.filterwarnings("ignore")
def test_a_few_random_graphs_are_right_or_refused(tmp_path: Path) -> None:
    assert_none_is_wrong(1, fuzz(1, range(FEW)), tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_many_random_graphs_are_right_or_refused(tmp_path: Path) -> None:
    seed = int(os.environ.get("ZKGPU_FUZZ_SEED", secrets.randbelow(1 << 32)))
    outcome = fuzz(seed, range(int(os.environ.get("ZKGPU_FUZZ_GRAPHS", MANY))))
    assert_none_is_wrong(seed, outcome, tmp_path)
    assert {name for name in OPERATORS if name not in NOT_DRAWN} <= set(outcome.drawn), "some are never drawn"


@pytest.mark.slow
def test_every_operator_is_drawn() -> None:
    lacking = [name for name in OPERATORS if name not in NOT_DRAWN and generator(name) is None]
    assert not lacking, f"add generators for {lacking} to random_graphs.GENERATORS"


# faults put back


def softmax_of_any_opset_is_along_its_axis(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(restated.RULES, "Softmax", lambda graph, node: ([node], {}))


def no_axes_are_no_reduction(patch: pytest.MonkeyPatch) -> None:
    def first_only(graph: FloatGraph, node: object) -> list[int]:
        return original(graph, node)[:1]

    original = FloatGraph.reduced_axes
    patch.setattr(FloatGraph, "reduced_axes", first_only)


def a_slope_is_not_read(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(RULES, "LeakyRelu", RULES["Relu"])


def differences_are_sums(patch: pytest.MonkeyPatch) -> None:
    rule = RULES["Sub"]
    patch.setitem(RULES, "Sub", lambda builder, node: rule(builder, replace(node, operator="Add")))


def floors_round(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(FUNCTIONS, "Floor", np.rint)


def casts_round(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(FUNCTIONS, CAST, lambda x, **ends: np.rint(x))


def differences_are_the_other_way_round(patch: pytest.MonkeyPatch) -> None:
    rule = RULES["Sub"]
    patch.setitem(RULES, "Sub", lambda builder, node: rule(builder, replace(node, inputs=node.inputs[::-1])))


def softmax_is_along_the_first_axis(patch: pytest.MonkeyPatch) -> None:
    rule = RULES["Softmax"]
    patch.setitem(RULES, "Softmax", lambda builder, node: rule(builder, replace(node, attributes={"axis": 0})))


def sums_run_along_the_last_axis(patch: pytest.MonkeyPatch) -> None:
    rule = RULES["CumSum"]
    last = "last axis"

    def along_the_last(builder: Builder, node: Node) -> Quantized:
        builder.graph = replace(builder.graph, constants={**builder.graph.constants, last: np.array(-1)})
        return rule(builder, replace(node, inputs=(node.inputs[0], last)))

    patch.setitem(RULES, "CumSum", along_the_last)


def all_padding_is_at_the_end(patch: pytest.MonkeyPatch) -> None:
    def at_the_end(*given: object) -> tuple[tuple[int, ...], tuple[int, ...]]:
        before, after = original(*given)
        return (0,) * len(before), tuple(map(add, before, after))

    original = windows._padding
    patch.setattr(windows, "_padding", at_the_end)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("put_back", "operators"),
    [
        (floors_round, ["Floor"]),
        (casts_round, ["Cast"]),
        (differences_are_the_other_way_round, ["Sub"]),
        (all_padding_is_at_the_end, ["MaxPool"]),
        pytest.param(softmax_is_along_the_first_axis, ["Softmax"], marks=pytest.mark.slow),
        pytest.param(sums_run_along_the_last_axis, ["CumSum"], marks=pytest.mark.slow),
        (softmax_of_any_opset_is_along_its_axis, ["Softmax"]),
        (no_axes_are_no_reduction, ["ReduceMean", "ReduceMax"]),
        (a_slope_is_not_read, ["LeakyRelu"]),
        (differences_are_sums, ["Sub"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_fault_that_is_put_back_is_found(put_back, operators, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_back(monkeypatch)
    outcome = next(found for number in range(40) if (found := fuzz(5, [number], operators)).faults)
    ((number, graph, verdict),) = outcome.faults
    assert verdict.kind == WRONG
    small = smaller(graph, WRONG)
    assert len(small.model.graph.node) == 1
    assert small.model.graph.node[0].op_type in operators
    assert f"graph {number}" in report(5, outcome, tmp_path)
    assert len(list(tmp_path.glob("*.onnx"))) == 2


def test_what_rounding_does_is_no_fault() -> None:
    """A steep function of a difference of nearly equal numbers: as wrong as it must be, and no more."""
    sketch = sketch_of(normal(32, 1, 8))
    weight = np.random.default_rng(3).normal(size=(8, 8))
    near = [sketch.add("MatMul", "x0", sketch.constant(weight * factor)) for factor in (1.0, 1.0005)]
    last = sketch.add("Mul", sketch.add("Sub", *near), sketch.constant(2000.0))
    assert judge(Graph(sketch.finished([last]), sketch.data)).kind == ROUNDED


def sketch_of(data: np.ndarray, opset: int = 17) -> Sketch:
    sketch = Sketch(np.random.default_rng(1), opset)
    sketch.data, sketch.values = {"x0": data}, {"x0": list(data[:3])}
    return sketch


def normal(*shape: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_steps_are_those_of_the_samples_that_calibrate() -> None:
    """One of which is so large that all others lie within a few steps."""
    data = np.abs(normal(32, 2, 1, 2))
    data[0] = 8.0
    sketch = sketch_of(data)
    weights = [sketch.constant(normal(1, 2, 2, seed=i) / 4) for i in range(2)]
    last = sketch.add("RNN", sketch.add("Cosh", "x0"), *weights, hidden_size=2)
    verdict = judge(Graph(sketch.finished([last]), sketch.data))
    assert verdict.kind == ROUNDED, verdict


def test_what_a_clamp_does_to_a_fresh_sample_is_told_from_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    data = normal(32, 1, 4)
    data[-1] *= 50
    sketch = sketch_of(data)
    floors = Graph(sketch.finished([sketch.add("Floor", "x0")]), sketch.data)
    assert judge(floors).kind == BEYOND
    floors_round(monkeypatch)
    assert judge(floors).kind == WRONG
