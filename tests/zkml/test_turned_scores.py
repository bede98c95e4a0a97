"""Scores of queries and keys that are turned, as rotary embeddings do: right, counted, and no other ones pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.circuits.mutation import assert_every_wire_is_pinned, assert_forgery_fails
from tests.zkml import test_challenged_layers as challenged
from tests.zkml.networks import assert_same_as_semantics, compiled, model_of, unpublished
from tests.zkml.test_challenged_layers import LIES, PRIVATE, dense, halved, unpublished_of_unchecked
from tests.zkml.test_counting import assert_same, sizes
from tests.zkml.test_layers_have_one_witness import assert_one_witness
from tests.zkml.test_stored_circuits import assert_kept
from zkgpu.circuits import Circuit
from zkgpu.errors import UsageError
from zkgpu.zkml import semantics
from zkgpu.zkml.counting import account_of
from zkgpu.zkml.layers.turned import Turned
from zkgpu.zkml.operations import Arrange, Combine, IntegerModel, Linear, MatMul, Operation, Requantize

tested = challenged.tested  # fixture
STEPS, HEADS, SIZE = 4, 2, 2
draw = np.random.default_rng(5)
COSINES, SINES = (draw.integers(-9, 10, (STEPS, SIZE)) for _ in range(2))


@pytest.fixture
def turns(tested: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such scores are written so, however small they are."""
    monkeypatch.setattr(Turned, "constraints_otherwise", 1 << 30)


def rotated(name: str, heads: int) -> list[Operation]:
    """Heads (heads, steps, size) of a layer's output: x cos + (-second half, first half) sin."""
    places = np.arange(STEPS * heads * SIZE).reshape(STEPS, heads, SIZE).swapaxes(0, 1)
    halves = np.arange(2 * heads * STEPS).reshape(2, heads, STEPS, 1)
    zero = np.array(0)
    return [
        Arrange("heads", (name,), f"{name} of heads", places),
        Arrange("first", (name,), f"{name}1", places[..., :1]),
        Arrange("second", (name,), f"{name}2", places[..., 1:]),
        Combine("opposite", (f"{name}2",), f"-{name}2", (np.array(-1),), zero),
        Arrange("swap", (f"-{name}2", f"{name}1"), f"{name} swapped", np.concatenate(list(halves), axis=-1)),
        Combine("cos", (f"{name} of heads",), f"{name} cos", (COSINES,), zero),
        Combine("sin", (f"{name} swapped",), f"{name} sin", (SINES,), zero),
        Combine("turn", (f"{name} cos", f"{name} sin"), f"{name} turned", (np.array(1), np.array(1)), zero),
    ]


def layers_of(*, shared: bool = True, output: str = "out", **options: Any) -> list[Operation]:
    """Products of turned queries and keys, of which both heads share one or have one each."""
    keys = 1 if shared else HEADS
    found: list[Operation] = [
        replace(dense("x", "q", 1, 3, HEADS * SIZE, **options), layer="q"),
        replace(dense("x", "k", 1, 3, keys * SIZE, **options), layer="k"),
        *rotated("q", HEADS),
        *rotated("k", keys),
    ]
    own = np.arange(keys * STEPS * SIZE).reshape(keys, STEPS, SIZE).swapaxes(1, 2)
    found.append(Arrange("repeat", ("k turned",), "k repeated", np.broadcast_to(own, (HEADS, SIZE, STEPS))))
    return [*found, MatMul("m", ("q turned", "k repeated"), output)]


def model_with(operations: list[Operation]) -> IntegerModel:
    return model_of(operations, x=((1, STEPS, 3), -8, 7))


def scores(**options: Any) -> IntegerModel:
    return model_with(layers_of(**options))


def read_elsewhere() -> IntegerModel:
    """Another product is made of the queries, and they are rounded too."""
    more: list[Operation] = [
        Arrange("again", ("q cos",), "q again", np.arange(16).reshape(HEADS, STEPS, SIZE)),
        MatMul("m2", ("q again", "k repeated"), "s2"),
        Requantize("r", ("q turned",), "r", 2),
        Arrange("join", ("s", "s2", "r"), "out", np.arange(2 * HEADS * STEPS**2 + 16)),
    ]
    return model_with([*layers_of(output="s"), *more])


MODELS: dict[str, Callable[[], IntegerModel]] = {
    "shared keys": scores,
    "keys of each head": lambda: scores(shared=False),
    "no bias, one scale": lambda: scores(bias=False, multipliers=1),
    "read elsewhere": read_elsewhere,
}


@pytest.mark.parametrize("name", MODELS)
def test_turned_scores_are_right_counted_and_pinned(turns: None, name: str) -> None:
    model = MODELS[name]()
    assert [layer.way for layer in account_of(model, PRIVATE).layers][:3] == ["challenged", "challenged", "scores"]
    values = {"x": draw.integers(-8, 8, (1, STEPS, 3))}
    assert_same_as_semantics(model, values)
    assert_same(*sizes(model, PRIVATE))
    assert_every_wire_is_pinned(unpublished(model), values)


def test_they_come_back_from_a_file_and_have_one_witness(turns: None) -> None:
    values: dict[str, Any] = {"x": draw.integers(-8, 8, (1, STEPS, 3))}
    assert_kept(scores(), values)
    assert_one_witness(compiled(scores()), values, tries=40)


@pytest.mark.parametrize("lie", LIES)
def test_no_turned_score_can_be_another(turns: None, lie: str) -> None:
    model, x = scores(), draw.integers(-8, 8, (1, STEPS, 3))
    honest = semantics.run(model, {"x": x})["out"]
    forged = LIES[lie](honest) if lie != "moved from a channel to the next" else honest + np.array([0, 1, -1, 0])
    assert (forged != honest).any()
    assert_forgery_fails(unpublished(model), {"x": x}, {"m/scores": lambda *_: forged})


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("row", [0, 2])
def test_no_query_or_key_can_be_another_with_the_scores_that_it_would_have(turns: None, side: int, row: int) -> None:
    """The scores agree with the forged sums: it is the layer's own test that fails."""
    model, x = scores(multipliers=1), draw.integers(-8, 8, (1, STEPS, 3))
    layer = model.operations[side]
    assert isinstance(layer, Linear)
    values = semantics.run(model, {"x": x})
    values[layer.output][0, row, 1] += 1
    for operation in model.operations[2:]:
        values[operation.output] = semantics.apply(operation, [values[name] for name in operation.inputs])
    lies = {f"{layer.layer}/sums": values[layer.output], "m/scores": values["out"]}
    assert_forgery_fails(unpublished(model), {"x": x}, {name: lambda *_, v=v: v for name, v in lies.items()})


@pytest.mark.parametrize("left_out", ["scores", "sums"])
def test_what_the_test_of_scores_reads_is_committed(
    turns: None, monkeypatch: pytest.MonkeyPatch, left_out: str
) -> None:
    commit = Circuit.commit
    monkeypatch.setattr(Circuit, "commit", lambda c, x, label=None: None if label == left_out else commit(c, x, label))
    with pytest.raises(UsageError, match="could choose after it"):
        unpublished_of_unchecked(model_with([*layers_of(output="s"), *halved("s")]))


OTHERS: dict[str, Callable[[list[Operation]], None]] = {
    "an entry of another row": lambda ops: _rearranged(ops, "q of heads", lambda p: np.where(p == 0, p[0, 1, 0], p)),
    "rows in another order": lambda ops: _rearranged(ops, "k of heads", lambda p: p[:, ::-1]),
    "an offset": lambda ops: _offset(ops, "q turned"),
    "of one layer": lambda ops: _rearranged(ops, "k of heads", lambda p: p, source="q"),
    "of an input that is constant": lambda ops: _constant(ops, "k"),
}


def _at(operations: list[Operation], output: str) -> int:
    return next(i for i, op in enumerate(operations) if op.output == output)


def _rearranged(operations: list[Operation], output: str, change: Callable[[Any], Any], source: str = "") -> None:
    i = _at(operations, output)
    was = operations[i]
    assert isinstance(was, Arrange)
    operations[i] = replace(was, inputs=(source or was.inputs[0],), positions=change(was.positions))


def _offset(operations: list[Operation], output: str) -> None:
    i = _at(operations, output)
    operations[i] = replace(operations[i], offset=np.array(3))  # type: ignore[call-arg]


def _constant(operations: list[Operation], output: str) -> None:
    operations.insert(0, Combine("constant", ("x",), "c", (np.array(0),), draw.integers(-8, 8, (1, STEPS, 3))))
    i = _at(operations, output)
    operations[i] = replace(operations[i], inputs=("c",))


@pytest.mark.parametrize("name", OTHERS)
def test_products_of_anything_else_are_written_as_before(turns: None, name: str) -> None:
    OTHERS[name](operations := layers_of())
    model = model_with(operations)
    assert "scores" not in {layer.way for layer in account_of(model, PRIVATE).layers}
    assert_same_as_semantics(model, {"x": draw.integers(-8, 8, (1, STEPS, 3))})
    assert_same(*sizes(model, PRIVATE))


def test_they_are_written_so_where_that_takes_less(tested: None) -> None:
    """Not where keys are few columns of a layer with many."""
    assert account_of(scores(), PRIVATE).layers[2].way == "scores"
    operations = layers_of()
    wide = dense("x", "k", 1, 3, 200)
    picked = Arrange("pick", ("k",), "k picked", np.arange(STEPS)[:, None] * 200 + np.arange(SIZE))
    operations[1:2] = [wide, picked]
    for output in ("k of heads", "k1", "k2"):
        _rearranged(operations, output, lambda p: p, source="k picked")
    assert account_of(model_with(operations), PRIVATE).layers[2].way == "tensors"
