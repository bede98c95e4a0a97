"""Random graphs of every supported operator: what compiles is right against onnxruntime, and all else is refused.

ZKGPU_FUZZ_SEED and ZKGPU_FUZZ_GRAPHS set the seed and the size of the nightly run. A graph that fails is saved, whole
and made small, and can be drawn again by its seed and number.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.zkml.graph_fuzz import RIGHT, ROUNDED, WRONG, Graph, Outcome, fuzz, judge, report, smaller
from tests.zkml.random_graphs import NOT_DRAWN, Sketch, generator
from zkgpu.zkml import restated
from zkgpu.zkml.graph import Graph as FloatGraph
from zkgpu.zkml.quantize import RULES
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


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("put_back", "operators"),
    [
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
    sketch = Sketch(np.random.default_rng(1), 17)
    data = np.random.default_rng(2).normal(size=(32, 1, 8)).astype(np.float32)
    sketch.data, sketch.values = {"x0": data}, {"x0": list(data[:3])}
    weight = np.random.default_rng(3).normal(size=(8, 8))
    near = [sketch.add("MatMul", "x0", sketch.constant(weight * factor)) for factor in (1.0, 1.0005)]
    last = sketch.add("Mul", sketch.add("Sub", *near), sketch.constant(2000.0))
    assert judge(Graph(sketch.finished([last]), sketch.data)).kind == ROUNDED
