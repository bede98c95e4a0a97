"""Rows behind a norm are no longer than they can be: what layers with weights reach behind them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.zkml.networks import assert_same_as_semantics, model_of
from zkgpu.zkml import ranges, row_norms, semantics
from zkgpu.zkml.operations import (
    Arrange,
    Combine,
    IntegerModel,
    Linear,
    Multiply,
    Normalize,
    Operation,
    Requantize,
    Rescale,
    RootMeanSquare,
)

draw = np.random.default_rng(3)
ROWS, WIDTH, OUTPUTS = 3, 16, 6
BITS = 14
PLACES = np.arange(ROWS * WIDTH).reshape(1, ROWS, WIDTH)


def layer(source: str, k: int = WIDTH, bias: bool = True) -> Linear:
    weight = draw.integers(-60, 61, (1, k, OUTPUTS))
    multiplier = draw.integers(1, 4, (1, OUTPUTS))
    return Linear("dense", (source,), "out", weight, multiplier, draw.integers(-99, 99, (1, OUTPUTS)) * bias)


def behind(*between: Operation, k: int = WIDTH, kind: Any = Normalize) -> IntegerModel:
    """A layer behind a norm and what lies between them, each of which reads what was before."""
    steps: list[Operation] = [kind("norm", ("x",), "0", BITS, 5)]
    for i, operation in enumerate(between):
        steps.append(type(operation)(**{**vars_of(operation), "inputs": (f"{i}",), "output": f"{i + 1}"}))
    return model_of([*steps, layer(f"{len(between)}", k)], x=((1, ROWS, WIDTH), -500, 500))


def vars_of(operation: Operation) -> dict[str, Any]:
    return {name: getattr(operation, name) for name in operation.__dataclass_fields__}


def gained(offset: int = 0) -> Combine:
    factors = draw.integers(-20, 21, WIDTH)
    return Combine("gain", ("",), "", (factors,), draw.integers(-offset, offset + 1, WIDTH))


def rounded(low: int | None = None, high: int | None = None, shift: int = 11) -> Requantize:
    return Requantize("round", ("",), "", shift, low, high)


BETWEEN: dict[str, tuple[Operation, ...]] = {
    "nothing": (),
    "gains and offsets": (gained(9000),),
    "rounded": (rounded(),),
    "clamped": (gained(30), rounded(-90, 80)),
    "rescaled": (Rescale("round", ("",), "", 10, -(1 << 17), (1 << 17) - 1), gained()),
    "turned": (Arrange("turn", ("",), "", PLACES[..., ::-1]), rounded(-12, 12)),
    "columns": (Arrange("some", ("",), "", np.where(np.arange(WIDTH) % 3, PLACES, -1)), gained(100)),
}


def longest(model: IntegerModel, i: int, o: int) -> np.ndarray:
    """Inputs whose row i is along channel o's weights, as what lies between has them: the farthest that there is."""
    norms = ranges.analyze(model)[model.operations[-1].inputs[0]].norms
    assert norms is not None
    wanted = np.zeros(ROWS * WIDTH)
    weight = model.operations[-1].weight[0, :, o]  # type: ignore[attr-defined]
    entries, gain = norms.entries[0, i], norms.gain[0, i]
    wanted[entries[entries >= 0]] = (weight * gain)[entries >= 0]
    x: np.ndarray = np.rint(450 * wanted / np.abs(wanted).max()).astype(np.int64)
    return x.reshape(1, ROWS, WIDTH)


@pytest.mark.parametrize("kind", [Normalize, RootMeanSquare])
@pytest.mark.parametrize("name", BETWEEN)
def test_no_sum_is_beyond_its_ends_and_the_farthest_come_near(name: str, kind: Any) -> None:
    model = behind(*BETWEEN[name], kind=kind)
    interval, loose = (ranges.analyze(model, margin=margin)["out"] for margin in (False, True))
    assert interval.magnitude < loose.magnitude / 2
    share = 0.0
    for o in range(OUTPUTS):
        for sign in (1, -1):
            x = sign * longest(model, 1, o)
            found = semantics.run(model, {"x": x})["out"]
            assert (interval.low <= found).all()
            assert (found <= interval.high).all()
            end = interval.high[0, 1, o] if sign > 0 else interval.low[0, 1, o]
            share = max(share, found[0, 1, o] / end)
    assert share > (0.4 if name in ("clamped", "turned") else 0.7)
    assert_same_as_semantics(model, {"x": longest(model, 1, 0)})


UNKNOWN: dict[str, tuple[Operation, ...]] = {
    "an entry twice": (Arrange("twice", ("",), "", np.where(np.arange(WIDTH) == 3, PLACES[..., 4:5], PLACES)),),
    "entries of several rows": (Arrange("mix", ("",), "", PLACES.reshape(1, WIDTH, ROWS).swapaxes(1, 2)),),
    "clamped beside an offset": (Combine("move", ("",), "", (np.array(1),), np.array(1 << 14)), rounded(-5, 5)),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_of_other_rows_nothing_is_known(name: str) -> None:
    model = behind(*UNKNOWN[name])
    last = model.operations[-1]
    norms = ranges.analyze(model)[last.inputs[0]].norms
    assert isinstance(last, Linear)
    assert norms is None or row_norms.ends_of_sums(last, norms) is None


def test_other_weights_may_reach_as_far_as_entries_do() -> None:
    """Where the prover gives them, a margin is left beyond the ends of the model's own."""
    model = behind(rounded())
    last, wide = model.operations[-1], ranges.analyze(model, margin=True)
    assert isinstance(last, Linear)
    assert wide[last.inputs[0]].norms is None
    reach = wide[last.inputs[0]].high[0] @ np.abs(last.weight[0]) * last.multiplier
    assert (wide["out"].high[0] > reach).all()


def test_a_product_of_two_norms_is_no_such_row() -> None:
    square = [Normalize("norm", ("x",), "n", BITS, 5), Multiply("square", ("n", "n"), "s"), layer("s")]
    assert ranges.analyze(model_of(square, x=((1, ROWS, WIDTH), -500, 500)))["s"].norms is None


def test_rows_of_two_norms_in_one_tensor_are_told_apart() -> None:
    both = Arrange("join", ("n", "r"), "b", np.arange(2 * ROWS * WIDTH).reshape(1, 2 * ROWS, WIDTH))
    steps = [Normalize("a", ("x",), "n", BITS, 5), RootMeanSquare("b", ("x",), "r", BITS + 3, 5), both, layer("b")]
    model = model_of(steps, x=((1, ROWS, WIDTH), -500, 500))
    interval, found = ranges.analyze(model)["out"], semantics.run(model, {"x": draw.integers(-500, 501, (1, 3, WIDTH))})
    reach = np.maximum(-interval.low, interval.high)[0].max(axis=1)
    assert (reach[ROWS:] > 4 * reach[:ROWS]).all()
    assert (interval.low <= found["out"]).all()
    assert (found["out"] <= interval.high).all()
    assert_same_as_semantics(model, {"x": draw.integers(-500, 501, (1, ROWS, WIDTH))})
