"""Layers whose outputs are tested at a challenge: right answers pass, wrong ones anywhere do not, and what it costs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.circuits.mutation import assert_every_wire_is_pinned, assert_forgery_fails
from tests.zkml.networks import assert_same_as_semantics, compiled, model_of, unpublished
from tests.zkml.test_counting import assert_same, sizes
from tests.zkml.test_layers_have_one_witness import assert_one_witness
from zkgpu.circuits import Circuit, CompiledCircuit
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UnsatisfiedError, UsageError
from zkgpu.zkml import semantics
from zkgpu.zkml.counting import account_of
from zkgpu.zkml.layers import products
from zkgpu.zkml.layers.network import Visibilities
from zkgpu.zkml.operations import Arrange, Combine, IntegerModel, Linear, Lookup, MatMul, Operation, Requantize

draw = np.random.default_rng(8)
PRIVATE = Visibilities(inputs={"x": "private"})


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers of several rows are tested, however small they are."""
    monkeypatch.setattr(products, "_challenged", lambda readers, shape: {r.output for r in readers if shape[1] > 1})


def dense(source: str, output: str, groups: int, k: int, n: int, multipliers: int = 3, bias: bool = True) -> Linear:
    weight, multiplier = draw.integers(-9, 10, (groups, k, n)), draw.integers(1, multipliers + 1, (groups, n))
    return Linear("dense", (source,), output, weight, multiplier, draw.integers(-9, 10, (groups, n)) * bias)


def one_layer(shape: tuple[int, int, int] = (1, 5, 4), n: int = 3, **options: int) -> IntegerModel:
    return model_of(dense("x", "out", shape[0], shape[2], n, **options), x=(shape, -8, 7))


def of_one_input() -> IntegerModel:
    """Three layers that read the same entries, one of them by an arrangement of its own, and a fourth other ones."""
    places = np.arange(20).reshape(1, 5, 4)
    layers: list[Operation] = [
        dense("x", "a", 1, 4, 3),
        dense("x", "b", 1, 4, 3, multipliers=1),
        Arrange("same", ("x",), "again", places),
        dense("again", "c", 1, 4, 3),
        Arrange("other", ("x",), "turned", places[:, ::-1]),
        dense("turned", "d", 1, 4, 3),
        Requantize("round", ("b",), "rounded", 3, -20, 20),
        Combine("sum", ("a", "rounded", "c", "d"), "out", (np.array(1),) * 4, np.array(0)),
    ]
    return model_of(layers, x=((1, 5, 4), -8, 7))


MODELS: dict[str, Callable[[], IntegerModel]] = {
    "one": one_layer,
    "two rows": lambda: one_layer((1, 2, 3), 4),
    "groups": lambda: one_layer((2, 3, 2), 2),
    "one by one": lambda: one_layer((1, 4, 1), 1),
    "no bias": lambda: one_layer((1, 3, 2), 2, bias=False),
    "one scale": lambda: one_layer((1, 3, 2), 2, multipliers=1),
    "of one input": of_one_input,
}


@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_those_of_the_semantics(tested: None, name: str) -> None:
    model = MODELS[name]()
    for _ in range(3):
        assert_same_as_semantics(model, {"x": draw.integers(-8, 8, model.inputs[0].shape)})


@pytest.mark.parametrize("name", MODELS)
def test_wires_are_counted_exactly(tested: None, name: str) -> None:
    assert_same(*sizes(MODELS[name](), PRIVATE))


@pytest.mark.parametrize("name", MODELS)
def test_every_wire_is_pinned_by_the_layers_alone(tested: None, name: str) -> None:
    model = MODELS[name]()
    assert_every_wire_is_pinned(unpublished(model), {"x": draw.integers(-8, 8, model.inputs[0].shape)})


@pytest.mark.parametrize("name", ["one", "groups"])
def test_there_is_one_witness(tested: None, name: str) -> None:
    model = MODELS[name]()
    assert_one_witness(compiled(model), {"x": draw.integers(-8, 8, model.inputs[0].shape)})


LIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "first": lambda y: y + (np.arange(y.size).reshape(y.shape) == 0),
    "in the middle": lambda y: y - (np.arange(y.size).reshape(y.shape) == y.size // 2),
    "last": lambda y: y + 5 * (np.arange(y.size).reshape(y.shape) == y.size - 1),
    "all": lambda y: y + 1,
    "channels swapped": lambda y: y[..., ::-1],
    "rows swapped": lambda y: y[:, ::-1],
    "moved from a row to the next": lambda y: y + np.array([1, -1, *[0] * (y.shape[1] - 2)])[:, None],
    "moved from a channel to the next": lambda y: y + np.array([1, -1, 0]),
    "beyond all ranges": lambda y: y.astype(object) + (Fr.modulus // 2),
}


@pytest.mark.parametrize("lie", LIES)
def test_no_output_can_be_another(tested: None, lie: str) -> None:
    """With weights that are all one, so that all channels are equal but for their biases, and all columns count."""
    weight = np.ones((1, 4, 3), dtype=np.int64)
    layer = Linear("dense", ("x",), "out", weight, np.ones((1, 3), int), np.array([[0, 3, -2]]))
    x = np.arange(20).reshape(1, 5, 4) % 7
    honest = semantics.apply(layer, [x])
    forged = LIES[lie](honest)
    assert (forged != honest).any()
    model = model_of(layer, x=((1, 5, 4), -8, 7))
    assert_forgery_fails(unpublished(model), {"x": x}, {"dense/sums": lambda _: forged})


@pytest.mark.parametrize("value", [8, -9, 1 << 40])
def test_an_input_out_of_range_is_refused(tested: None, value: int) -> None:
    x = np.zeros((1, 5, 4), dtype=np.int64)
    x[0, 2, 1] = value
    with pytest.raises(UnsatisfiedError):
        compiled(one_layer()).witness({"x": x})


@pytest.mark.parametrize("left_out", ["inputs", "sums"])
def test_what_the_challenge_tests_is_committed(tested: None, monkeypatch: pytest.MonkeyPatch, left_out: str) -> None:
    """Without it the circuit does not compile: the values could be chosen after the challenge."""
    commit = Circuit.commit
    monkeypatch.setattr(Circuit, "commit", lambda c, x, label=None: None if label == left_out else commit(c, x, label))
    model = model_of(
        [Arrange("pad", ("x",), "p", np.arange(20).reshape(1, 5, 4)), dense("p", "y", 1, 4, 3), *halved("y")],
        x=((1, 5, 4), -8, 7),
    )
    with pytest.raises(UsageError, match="could choose after it"):
        unpublished_of_unchecked(model)


def halved(name: str) -> list[Operation]:
    return [Combine("half", (name,), "out", (np.array(2),), np.array(1))]


def unpublished_of_unchecked(model: IntegerModel) -> CompiledCircuit:
    """Its circuit of inputs that nothing but the layer reads: a range check would have them committed."""
    from zkgpu.zkml.layers.network import Network

    circuit = Circuit()
    network = Network(circuit, model, PRIVATE)
    network.values["x"] = circuit.private("x", model.inputs[0].shape)
    for operation in model.operations:
        network.write(operation)
    return circuit.compile()


def counted(model: IntegerModel) -> tuple[int, int]:
    """Constraints of the layers, and entries."""
    r1cs = unpublished_of_unchecked(model).r1cs
    return r1cs.n_constraints, sum(len(side.indices) for side in (r1cs.a, r1cs.b, r1cs.c))


def test_each_weight_is_one_entry_and_each_value_one_constraint(tested: None) -> None:
    constraints, entries = counted(one_layer((1, 16, 20), 30))
    powers, sum_of_powers, mask = 14, 1, 1
    assert constraints == 15 * (20 + 30) + powers + sum_of_powers + mask
    assert 20 * 30 * 0.9 < entries < 20 * 30 + 5 * 15 * 50


def test_layers_that_read_the_same_entries_share_their_sums(tested: None) -> None:
    """Four readers, one of them of other entries: two evaluations of (5, 4), four of (5, 3)."""
    model = of_one_input()
    layers = IntegerModel(
        model.inputs, (), tuple(op for op in model.operations if op.output not in ("rounded", "out")), 4
    )
    assert counted(layers)[0] == 4 * (2 * 4 + 4 * 3) + 3 + 1 + 1


def test_a_layer_is_tested_where_that_is_cheaper() -> None:
    """By what all layers of one input take together."""
    wide = {name: (1, 16, 64) for name in ("x",)} | {f"y{i}": (1, 16, 512) for i in range(3)}
    layers = [dense("x", f"y{i}", 1, 64, 512) for i in range(3)]

    def ways(count: int, shapes: dict[str, tuple[int, ...]]) -> list[str]:
        model = IntegerModel((), (), tuple(layers[:count]), 4)
        return [p.way for p in products.products_of(model, shapes, (), public=True).values()]

    assert ways(3, wide) == ["challenged"] * 3
    assert ways(3, {name: (1, 1, *shape[2:]) for name, shape in wide.items()}) == ["exact"] * 3
    assert ways(1, {name: (1, 8, *shape[2:]) for name, shape in wide.items()}) == ["exact"]  # below 2^18 entries
    model = IntegerModel((), (), tuple(layers), 4)
    assert {p.way for p in products.products_of(model, wide, (), public=False).values()} == {"private"}


def test_the_account_says_how_each_product_is_written_and_what_the_challenges_risk(tested: None) -> None:
    layers = [dense("x", "a", 1, 4, 3), Requantize("round", ("a",), "b", 3, -20, 20), MatMul("two", ("b", "y"), "out")]
    account = account_of(model_of(layers, x=((1, 5, 4), -8, 7), y=((1, 3, 4), -8, 7)), PRIVATE)
    assert [(layer.layer, layer.way) for layer in account.layers] == [("dense", "challenged"), ("two", "tensors")]
    assert account.layers[0].constraints == 4 * (4 + 3) + 3 + 1  # with three powers of the challenge and their sum
    assert account.layers[1].constraints == min(5 * 3 + 8 * 3, 3 * 4 + 7 * 4)
    bits, degree = account.error_bits, account.size.degree
    assert account.lines[-1] == f"tests at challenges of degree {degree:,} in all: error below 2^-{bits}"
    assert degree << bits <= Fr.modulus < degree << bits + 1


def test_the_degree_is_of_all_that_is_tested(tested: None) -> None:
    """The layer's five rows; the digest of 15 values; no range checks where inputs and outputs are public."""
    public = account_of(one_layer(), Visibilities())
    assert public.size.degree == (5 - 1) + (5 * 4 + 5 * 3 - 1)
    table = model_of(Lookup("table", ("x",), "out", np.arange(16) ** 2, -8), x=((6,), -8, 7))
    assert account_of(table, Visibilities()).size.degree == (6 + 16) + (6 + 6 - 1)


def test_exact_rows_are_counted_where_they_are_read() -> None:
    account = account_of(one_layer(bias=False), Visibilities())
    (layer,) = account.layers
    (weights,) = (op.weight for op in one_layer(bias=False).operations if isinstance(op, Linear))
    assert (layer.way, layer.constraints) == ("exact", 0)
    assert 0 < layer.entries <= 5 * weights.size
