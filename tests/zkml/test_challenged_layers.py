"""Layers whose outputs are tested at a challenge: right answers pass, wrong ones anywhere do not, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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
from zkgpu.zkml.counting import NetworkTally, account_of, size_of
from zkgpu.zkml.layers import products
from zkgpu.zkml.layers.scores import Scores, field_products
from zkgpu.zkml.layers.unpacking import unpacked
from zkgpu.zkml.operations import Arrange, Combine, IntegerModel, Linear, Lookup, MatMul, Operation, Requantize
from zkgpu.zkml.visibility import Visibilities

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


@pytest.mark.parametrize("name", ["two rows", "groups"])
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
    "along a diagonal": lambda y: y + np.fliplr(np.eye(*y.shape[1:], dtype=int)) * ([1, -1] + [0] * (y.shape[2] - 2)),
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


def halved(name: str, output: str = "out") -> list[Operation]:
    return [Combine("half", (name,), output, (np.array(2),), np.array(1))]


def unpublished_of_unchecked(model: IntegerModel) -> CompiledCircuit:
    """Its circuit of inputs that nothing but the layer reads: a range check would have them committed."""
    from zkgpu.zkml.layers.network import Network

    circuit = Circuit()
    network = Network(circuit, model, PRIVATE)
    network.values |= {tensor.name: circuit.private(tensor.name, tensor.shape) for tensor in model.inputs}
    for operation in network.operations:
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
    layers = [dense("x", "a", 1, 4, 3), *halved("a", "b"), MatMul("two", ("b", "y"), "out")]
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


HEADS, WIDTH, STEPS = 2, 3, 4


def attention(packed: bool = False, joined: bool = False, **options: int) -> IntegerModel:
    """Scores of two heads, and what a third layer of the same input gives, all of it from one packed layer or not.

    Args:
        joined: with a layer that reads the heads side by side
    """
    size, layers = HEADS * WIDTH, list[Operation]()
    if packed:
        layers.append(dense("x", "qkv", 1, 5, 3 * size, **options))
    else:
        layers += [dense("x", name, 1, 5, size, **options) for name in "qkv"]
    places = np.arange(STEPS * size).reshape(STEPS, HEADS, WIDTH)
    for i, (name, axes) in enumerate({"q": (1, 0, 2), "k": (1, 2, 0), "v": (1, 0, 2)}.items()):
        own = places % size + places // size * 3 * size + i * size if packed else places
        layers.append(Arrange("heads", ("qkv" if packed else name,), f"{name} of heads", own.transpose(axes)))
    layers += [
        MatMul("scores", ("q of heads", "k of heads"), "s"),
        Requantize("round", ("s",), "weights", 6, -9, 9),
        MatMul("mixed", ("weights", "v of heads"), "out"),
    ]
    if joined:
        mixed = replace(layers.pop(), output="mixed")
        own = np.arange(STEPS * size).reshape(HEADS, STEPS, WIDTH).swapaxes(0, 1).reshape(1, STEPS, size)
        scale = Combine("scale", ("joined",), "scaled", (np.array(3),), np.array(0))
        layers += [
            mixed,
            Arrange("join", ("mixed",), "joined", own),
            scale,
            dense("scaled", "out", 1, size, 5, **options),
        ]
    return model_of(layers, x=((1, STEPS, 5), -8, 7))


ATTENTION: dict[str, Callable[[], IntegerModel]] = {
    "three layers": attention,
    "packed": lambda: attention(packed=True),
    "no bias, one scale": lambda: attention(packed=True, bias=False, multipliers=1),
    "joined": lambda: attention(joined=True),
    "joined, no bias": lambda: attention(joined=True, packed=True, bias=False),
}


@pytest.fixture
def scored(tested: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores are written without their factors, however small they are."""
    monkeypatch.setattr(Scores, "constraints_otherwise", 1 << 30)


@pytest.mark.parametrize("name", ATTENTION)
def test_scores_without_their_factors_are_right_counted_and_pinned(scored: None, name: str) -> None:
    model = ATTENTION[name]()
    last = "mixture" if name.startswith("joined") else "tensors"
    assert {layer.way for layer in account_of(model, PRIVATE).layers} == {"challenged", "scores", last}
    values = {"x": draw.integers(-8, 8, (1, STEPS, 5))}
    assert_same_as_semantics(model, values)
    assert_same(*sizes(model, PRIVATE))
    assert_every_wire_is_pinned(unpublished(model), values)


def test_a_sketch_leaves_them_out(scored: None) -> None:
    """It is compared with those of other limbs only, and builds nothing either."""
    tally = NetworkTally(model := attention(joined=True), PRIVATE, sketched=True)
    for tensor in model.inputs:
        tally.declare(tensor)
    for operation in tally.plan.model.operations:
        tally.write(operation)
    assert 0 < tally.constraints < size_of(model, PRIVATE).constraints


def test_scores_have_one_witness(scored: None) -> None:
    assert_one_witness(compiled(attention(joined=True)), {"x": draw.integers(-8, 8, (1, STEPS, 5))}, tries=60)


@pytest.mark.parametrize("lie", LIES)
def test_no_score_can_be_another(scored: None, lie: str) -> None:
    """All factors are equal, but for the biases of the left one's columns."""
    x, ones = np.arange(20).reshape(1, 5, 4) % 7, np.ones((1, 3), dtype=np.int64)
    q, k = (
        Linear("dense", ("x",), name, np.ones((1, 4, 3), int), ones, bias * ones) for name, bias in (("q", 2), ("k", 0))
    )
    turned = Arrange("turn", ("k",), "turned", np.arange(15).reshape(1, 5, 3).swapaxes(1, 2))
    model = model_of([q, k, turned, MatMul("m", ("q", "turned"), "out")], x=((1, 5, 4), -8, 7))
    honest = semantics.run(model, {"x": x})["out"]
    forged = LIES[lie](honest) if "channel" not in lie else honest + np.array([[[0, 1, -1, 0, 0]]])
    assert (forged != honest).any()
    assert_forgery_fails(unpublished(model), {"x": x}, {"m/scores": lambda *_: forged})


@pytest.mark.parametrize(("side", "label"), [(0, "left"), (1, "right")])
@pytest.mark.parametrize("column", range(2))
def test_no_weighted_factor_can_be_another(scored: None, side: int, label: str, column: int) -> None:
    model = model_of(
        [dense("x", "q", 1, 3, 2), dense("y", "k", 1, 3, 2), turned(), MatMul("m", ("q", "t"), "out")],
        x=((1, 4, 3), -8, 7),
        y=((1, 5, 3), -8, 7),
    )
    layer = next(op for op in model.operations if op.output == "qk"[side])
    given = {"x": draw.integers(-8, 8, (1, 4, 3)), "y": draw.integers(-8, 8, (1, 5, 3))}

    def forged(x: np.ndarray, one: object) -> np.ndarray:
        found = x @ layer.weight[0].astype(object) + one * layer.bias[0]
        found[column] += 1
        return found

    assert_forgery_fails(unpublished(model), given, {f"m/{label}": forged})


def turned() -> Arrange:
    return Arrange("turn", ("k",), "t", np.arange(10).reshape(1, 5, 2).swapaxes(1, 2))


OTHERS: dict[str, Callable[[list[Operation]], None]] = {
    "the layer is read elsewhere": lambda ops: ops.append(Requantize("r", ("q",), "again", 2)),
    "rows in another order": lambda ops: ops.__setitem__(
        2, Arrange("turn", ("k",), "t", np.arange(10).reshape(1, 5, 2)[:, ::-1].swapaxes(1, 2))
    ),
    "an entry left out": lambda ops: ops.__setitem__(
        2, Arrange("turn", ("k",), "t", np.array([*range(9), -1]).reshape(1, 5, 2).swapaxes(1, 2))
    ),
    "a column of another row": lambda ops: ops.__setitem__(
        2, Arrange("turn", ("k",), "t", np.array([0, 3, 2, 1, *range(4, 10)]).reshape(1, 5, 2).swapaxes(1, 2))
    ),
    "rounded between": lambda ops: ops.__setitem__(
        slice(2, 3), [Requantize("r", ("k",), "k2", 1), Arrange("turn", ("k2",), "t", turned().positions)]
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_products_of_anything_else_are_written_as_before(scored: None, name: str) -> None:
    operations: list[Operation] = [dense("x", "q", 1, 3, 2), dense("y", "k", 1, 3, 2), turned()]
    operations.append(MatMul("m", ("q", "t"), "out"))
    OTHERS[name](operations)
    model = model_of(operations, x=((1, 4, 3), -8, 7), y=((1, 5, 3), -8, 7))
    assert "scores" not in {layer.way for layer in account_of(model, PRIVATE).layers}
    assert_same_as_semantics(model, {"x": draw.integers(-8, 8, (1, 4, 3)), "y": draw.integers(-8, 8, (1, 5, 3))})


def test_scores_are_written_so_where_that_takes_less(tested: None) -> None:
    """Of heads of attention; not of one column of a wide layer's."""
    model = model_of(
        [dense("x", "q", 1, 2, 2), dense("y", "k", 1, 2, 2), turned(), MatMul("m", ("q", "t"), "out")],
        x=((1, 4, 2), -8, 7),
        y=((1, 5, 2), -8, 7),
    )
    assert account_of(model, PRIVATE).layers[-1].way == "scores"
    wide = model_of(
        [dense("x", "q", 1, 30, 2), dense("y", "k", 1, 30, 2), turned(), MatMul("m", ("q", "t"), "out")],
        x=((1, 4, 30), -8, 7),
        y=((1, 5, 30), -8, 7),
    )
    assert account_of(wide, PRIVATE).layers[-1].way == "tensors"


def test_a_packed_layer_is_one_for_each_set_of_columns_that_is_read_together() -> None:
    packed = attention(packed=True)
    layers = [op for op in unpacked(packed).operations if isinstance(op, Linear)]
    assert [op.weight.shape for op in layers] == [(1, 5, HEADS * WIDTH)] * 3
    x = {"x": draw.integers(-8, 8, (1, STEPS, 5))}
    assert (semantics.run(packed, x)["out"] == semantics.run(unpacked(packed), x)["out"]).all()


def mixing(*between: Operation) -> IntegerModel:
    """A product of two tensors of one column of four rows and two heads, and a layer that reads it as columns."""
    own = np.arange(12).reshape(2, 2, 3).swapaxes(0, 1).reshape(1, 2, 6)
    joined = between or (Arrange("join", ("m",), "joined", own),)
    layers = [MatMul("mixed", ("x", "y"), "m"), *joined, dense("joined", "out", 1, 6, 5)]
    return model_of(layers, x=((2, 2, 4), -8, 7), y=((2, 4, 3), -8, 7))


@pytest.mark.parametrize("lie", [lie for lie in LIES if "channel" not in lie and "diagonal" not in lie])
def test_no_output_of_an_unwritten_product_can_be_another(tested: None, lie: str) -> None:
    model = mixing()
    given = {"x": draw.integers(-8, 8, (2, 2, 4)), "y": draw.integers(-8, 8, (2, 4, 3))}
    (layer,) = (op for op in model.operations if isinstance(op, Linear))
    values = semantics.run(model, given)
    honest = values["joined"] @ layer.weight[0] + layer.bias[:, None]
    forged = LIES[lie](honest)
    assert (forged != honest).any()
    assert_forgery_fails(unpublished(model), given, {"dense/sums": lambda *_: forged})


JOIN = np.arange(12).reshape(2, 2, 3).swapaxes(0, 1).reshape(1, 2, 6)
BETWEEN: dict[str, list[Operation]] = {
    "an offset": [Combine("c", ("m",), "c", (np.array(2),), np.array(1)), Arrange("join", ("c",), "joined", JOIN)],
    "a factor each": [
        Combine("c", ("m",), "c", (np.arange(1, 4),), np.array(0)),
        Arrange("join", ("c",), "joined", JOIN),
    ],
    "rounding": [Requantize("c", ("m",), "c", 1), Arrange("join", ("c",), "joined", JOIN)],
    "rows in another order": [Arrange("join", ("m",), "joined", JOIN[:, ::-1])],
    "a column of another row": [Arrange("join", ("m",), "joined", np.where(JOIN == 3, 0, JOIN))],
    "nothing at a place": [Arrange("join", ("m",), "joined", np.where(JOIN == 3, -1, JOIN))],
}


def test_the_second_factor_of_an_unwritten_product_is_committed(tested: None, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = Circuit.commit
    assert unpublished_of_unchecked(mixing()).r1cs.rounds[0].n_committed == 1 + 16 + 24 + 10
    monkeypatch.setattr(Circuit, "commit", lambda c, x, label=None: None if label == "mixed" else commit(c, x, label))
    with pytest.raises(UsageError, match=r"private input 'y'.*could choose after it"):
        unpublished_of_unchecked(mixing())


def test_a_product_that_something_else_reads_is_written(tested: None) -> None:
    model = mixing(Requantize("else", ("m",), "else", 2), Arrange("join", ("m",), "joined", JOIN))
    assert account_of(model, PRIVATE).layers[-1].way == "challenged"


@pytest.mark.parametrize("name", BETWEEN)
def test_a_product_with_anything_between_is_written(tested: None, name: str) -> None:
    model = mixing(*BETWEEN[name])
    assert account_of(model, PRIVATE).layers[-1].way == "challenged"
    assert account_of(mixing(), PRIVATE).layers[-1].way == "mixture"
    assert_same_as_semantics(model, {"x": draw.integers(-8, 8, (2, 2, 4)), "y": draw.integers(-8, 8, (2, 4, 3))})


@pytest.mark.parametrize(("columns", "widths"), [((5, 6, 17), [18]), ((4, 7), [6, 12]), ((3, 4), [6, 6, 6])], ids=str)
def test_columns_that_something_reads_together_stay_in_one_layer(columns: tuple[int, ...], widths: list[int]) -> None:
    packed = attention(packed=True)
    more = [Arrange("more", ("qkv",), "more", np.array([18 + c for c in columns])), *halved("more")]
    mixed = replace(packed.operations[-1], output="mixed")
    model = model_of([*packed.operations[:-1], mixed, *more], x=((1, STEPS, 5), -8, 7))
    layers = [op for op in unpacked(model).operations if isinstance(op, Linear)]
    assert sorted(op.weight.shape[2] for op in layers) == widths
    x = {"x": draw.integers(-8, 8, (1, STEPS, 5))}
    assert (semantics.run(model, x)["out"] == semantics.run(unpacked(model), x)["out"]).all()


def test_weights_beyond_what_floats_add_exactly_are_multiplied_as_integers() -> None:
    for bits in (4, 20, 45, 70):
        weight = np.array([[int(v) << bits for v in row] for row in draw.integers(-9, 10, (6, 4))], dtype=object)
        x = np.array([int(v) ** 5 % Fr.modulus for v in draw.integers(1, 1 << 62, 6)], dtype=object)
        assert (field_products(x, weight if bits > 50 else weight.astype(np.int64), Fr.modulus) == x @ weight).all()
