"""Rows at computed places, comparisons and choices: as onnxruntime has them, and nothing else as a proof has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.circuits.mutation import assert_forgery_fails
from tests.zkml.models import model, node, normal, onnx
from tests.zkml.networks import all_inputs, assert_same_as_semantics, model_of, proven_output, unpublished
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import FormatError, UnsatisfiedError, UsageError
from zkgpu.inference import CompiledModel, compile_model
from zkgpu.zkml.operations import Rows

draw = np.random.default_rng(8)


def of_integers(proto: Any, kind: int = onnx.TensorProto.INT64) -> Any:
    for info in proto.graph.input:
        info.type.tensor_type.elem_type = kind
    del proto.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(proto)


def floats_of(proto: Any, sample: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["out"], sample)
    return found


def proven(compiled: CompiledModel, sample: dict[str, np.ndarray]) -> np.ndarray:
    """The output as the circuit publishes it, in real numbers."""
    (out,) = compiled.model.outputs
    integers = compiled.quantized(sample)
    return np.asarray(proven_output(compiled.circuit, compiled.circuit_inputs(integers)), dtype=float) * out.scale


def assert_near(found: np.ndarray, wanted: np.ndarray, most: float = 0.03) -> None:
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= most * max(np.abs(wanted).max(), 1e-9)


def bag_of_words(length: int = 40) -> Any:
    nodes = [
        node("Gather", "table x", "e"),
        node("Relu", "e", "r"),
        node("ReduceMean", "r", "m", axes=[1], keepdims=0),
        node("Gemm", "m w", "out"),
    ]
    return of_integers(model(nodes, {"x": (1, 5)}, weights={"table": normal(length, 8), "w": normal(8, 3)}))


TOKENS = {"x": draw.integers(0, 30, (40, 5))}


@pytest.mark.parametrize("weights", ["public", "private", "hashed"])
def test_an_embedding_gives_the_row_of_any_word(weights: str) -> None:
    compiled = compile_model(bag_of_words(), TOKENS, limb=6, weights=weights)
    for words in ([0, 1, 2, 3, 4], [39, 39, 0, 31, 5]):  # of words 30 to 39 the calibration has seen none
        sample = {"x": np.array([words])}
        assert_near(proven(compiled, sample), floats_of(bag_of_words(), sample))
    for beyond in (40, -1):
        with pytest.raises(UsageError, match=r"'x' at index \[0, 1\] is outside"):
            compiled.predict({"x": np.array([[0, beyond, 2, 3, 4]])})


def test_private_weights_leave_no_embedding_in_the_circuit() -> None:
    """Other tables are proven under the same key, so that the circuit cannot hold the first one."""
    compiled = compile_model(bag_of_words(), TOKENS, limb=6, weights="private")
    assert not any(isinstance(operation, Rows) for operation in compiled.model.operations)
    assert any(isinstance(op, Rows) for op in compile_model(bag_of_words(), TOKENS, limb=6).model.operations)


def test_places_may_be_computed_and_along_any_axis() -> None:
    nodes = [node("ArgMax", "x", "i", axis=1, keepdims=0), node("Gather", "t i", "out", axis=1)]
    proto = model(nodes, {"x": (1, 6, 2)}, weights={"t": normal(3, 6, 4)})
    compiled = compile_model(proto, draw.normal(size=(40, 6, 2)), limb=6)
    for sample in draw.normal(size=(3, 1, 6, 2)).astype(np.float32):
        assert_near(proven(compiled, {"x": sample}), floats_of(proto, {"x": sample}))


def test_negative_places_count_from_the_end() -> None:
    proto = of_integers(model([node("Gather", "t x", "out")], {"x": (1, 4)}, weights={"t": normal(7, 2)}))
    compiled = compile_model(proto, draw.integers(-7, 7, (40, 4)), limb=6)
    sample = {"x": np.array([[-7, -1, 0, 6]])}
    assert_near(proven(compiled, sample), floats_of(proto, sample))


def two_tables() -> Any:
    nodes = [
        node("Split", "x n", "a b", axis=1),
        node("Gather", "t a", "c"),
        node("Gather", "u b", "d"),
        node("Add", "c d", "out"),
    ]
    weights = {"n": np.array([1, 1]), "t": normal(4, 3), "u": normal(20, 3)}
    return of_integers(model(nodes, {"x": (1, 2)}, weights=weights))


def test_a_place_beyond_the_shorter_of_two_tables_is_refused_by_its_layer() -> None:
    samples = np.stack([draw.integers(0, 4, 40), draw.integers(0, 20, 40)], axis=1)
    compiled = compile_model(two_tables(), samples, limb=6)
    sample = {"x": np.array([[3, 19]])}
    assert_near(proven(compiled, sample), floats_of(two_tables(), sample))
    with pytest.raises(UsageError, match=r"layer '/c': the place at index \[0, 0\] is no row of its table.* 0 to 3"):
        compiled.predict({"x": np.array([[4, 0]])})


def test_places_may_be_computed_or_cast_from_floats() -> None:
    nodes = [node("Mul", "x h", "m"), node("Gather", "t m", "out")]
    proto = of_integers(model(nodes, {"x": (1, 2)}, weights={"t": normal(9, 2), "h": np.array([2, 3])}))
    compiled = compile_model(proto, draw.integers(0, 3, (40, 2)), limb=6)
    assert_near(proven(compiled, {"x": np.array([[1, 2]])}), floats_of(proto, {"x": np.array([[1, 2]])}))
    nodes = [node("Cast", "x", "i", to=7), node("Gather", "t i", "out")]
    proto = model(nodes, {"x": (1, 2)}, weights={"t": normal(4, 2)})
    compiled = compile_model(proto, draw.integers(0, 4, (40, 2)), limb=6)
    assert_near(proven(compiled, {"x": np.array([[3, 1]])}), floats_of(proto, {"x": np.array([[3, 1]], np.float32)}))


ROWS = Rows("e", ("x",), "out", np.array([[5, 6], [7, 8], [5, 8]]), 0)


@pytest.mark.parametrize("row", [(7, 8), (5, 8), (5, 7), (6, 5), (0, 0)])
def test_a_row_of_another_place_or_of_none_is_refused(row: tuple[int, int]) -> None:
    circuit = unpublished(model_of(ROWS, x=((1,), 0, 2)))
    (label,) = (step.label for step in circuit._steps if getattr(step, "label", "").endswith("row of a table"))
    lie = {label: lambda *_: np.array([[v % Fr.modulus for v in row]], dtype=object)}
    assert_forgery_fails(circuit, {"x": np.array([0])}, lie)


@pytest.mark.parametrize("place", [-1, 3, 100])
def test_the_circuit_itself_refuses_a_place_outside_of_the_table(place: int) -> None:
    with pytest.raises(UnsatisfiedError, match="is no row of table"):
        unpublished(model_of(ROWS, x=((1,), -128, 127))).witness({"x": np.array([place])})


def test_every_place_of_a_table_gives_its_row() -> None:
    table = draw.integers(-99, 100, (256, 4))
    operation = Rows("e", ("x",), "out", table, -128)
    model_ = model_of(operation, x=((256,), -128, 127))
    assert_same_as_semantics(model_, {"x": np.arange(-128, 128)})
    assert unpublished(model_).r1cs.n_constraints <= 256 * 5 + 256 + 4 + 256 * 8
    assert all_inputs(model_, {"x": np.arange(-128, 128)})


PAIR = {"x": (1, 4, 5), "y": (1, 1, 5)}


def pair(operator: str, *names: str, integers: bool = True) -> Any:
    """The operator on two tensors, one of which may be a constant of the name c."""
    weights = {"c": np.array([0, 3, -2, 1, 9]) if integers else np.array([0.0, 0.5, -1.5, 0.25, 9.0])}
    proto = model([node(operator, " ".join(names), "out")], {n: PAIR[n] for n in names if n in PAIR}, weights=weights)
    return typed(of_integers(proto) if integers else proto, onnx.TensorProto.BOOL)


def typed(proto: Any, kind: int) -> Any:
    """With an output of that type."""
    proto.graph.output[0].type.tensor_type.elem_type = kind
    return proto


def wholes(proto: Any, count: int = 40, reach: int = 5) -> dict[str, np.ndarray]:
    shapes = {i.name: [dim.dim_value for dim in i.type.tensor_type.shape.dim] for i in proto.graph.input}
    return {name: draw.integers(-reach, reach + 1, (count, *shape[1:])) for name, shape in shapes.items()}


COMPARISONS = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal")


@pytest.mark.parametrize("operator", COMPARISONS)
@pytest.mark.parametrize("names", [("x", "y"), ("x", "c"), ("c", "x"), ("x", "x")])
def test_a_comparison_of_integers_is_exact(operator: str, names: tuple[str, str]) -> None:
    proto = pair(operator, *names)
    samples = wholes(proto)
    compiled = compile_model(proto, samples, limb=6)
    for i in range(3):
        sample = {name: array[i : i + 1] for name, array in samples.items()}
        assert (proven(compiled, sample) == floats_of(proto, sample)).all()


@pytest.mark.parametrize("operator", COMPARISONS[:-1])
@pytest.mark.parametrize("names", [("x", "y"), ("x", "c"), ("c", "x")])
def test_a_comparison_of_fractions_differs_only_where_they_are_nearly_equal(operator: str, names) -> None:
    proto = pair(operator, *names, integers=False)
    samples = {n: draw.normal(size=(60, *PAIR[n][1:])) for n in names if n in PAIR}
    compiled = compile_model(proto, samples, limb=6)
    other = {n: draw.normal(size=(1, *PAIR[n][1:])).clip(-2, 2).astype(np.float32) for n in samples}
    values = [other[n] if n in other else np.array([0.0, 0.5, -1.5, 0.25, 9.0]) for n in names]
    clear = np.abs(values[0] - values[1]) > 0.03
    assert clear.mean() > 0.8
    assert (proven(compiled, other) == floats_of(proto, other))[np.broadcast_to(clear, (1, 4, 5))].all()


def test_fractions_are_not_compared_for_equality() -> None:
    proto = pair("Equal", "x", "y", integers=False)
    with pytest.raises(FormatError, match=r"'/out'.*what it compares is not known to be whole numbers"):
        compile_model(proto, {n: draw.normal(size=(40, *shape[1:])) for n, shape in PAIR.items()})


def test_products_of_whole_numbers_are_compared_for_equality() -> None:
    proto = of_integers(model([node("Mul", "x h", "m"), node("Equal", "m c", "out")], {"x": (1, 3)}, weights=SIXTH))
    compiled = compile_model(typed(proto, onnx.TensorProto.BOOL), draw.integers(-9, 10, (40, 3)), limb=6)
    assert proven(compiled, {"x": np.array([[1, 6, 4]])}).tolist() == [[1, 1, 0]]


SIXTH = {"h": np.array([6, 1, 2]), "c": np.array(6)}


def test_a_rare_number_is_found_among_many() -> None:
    """A table of 256 rounded numbers would have no place for it, and samples show it too seldom to be seen."""
    weights = {"c": np.array(777), "a": np.array(1.0), "b": np.array(-1.0)}
    proto = of_integers(
        model([node("Equal", "x c", "e"), node("Where", "e a b", "out")], {"x": (1, 3)}, weights=weights)
    )
    typed(proto, onnx.TensorProto.FLOAT)
    compiled = compile_model(proto, np.append(draw.integers(0, 700, (39, 3)), [[0, 5, 1000]], axis=0), limb=6)
    assert proven(compiled, {"x": np.array([[777, 776, 778]])}).tolist() == [[1, -1, -1]]


TRUTHS = {
    "And": "a b",
    "Or": "a b",
    "Xor": "a b",
    "Not": "a",
    "And of a constant": "a t",
    "Or of a constant": "t a",
    "Xor of a constant": "a t",
}


@pytest.mark.parametrize("name", TRUTHS)
def test_a_connective_is_right_for_all_truths(name: str) -> None:
    names = [n for n in TRUTHS[name].split() if n != "t"]
    proto = model(
        [node(name.split()[0], TRUTHS[name], "out")],
        {n: (1, 4) for n in names},
        weights={"t": np.array([[True, True, False, False]])},
    )
    proto = typed(of_integers(proto, onnx.TensorProto.BOOL), onnx.TensorProto.BOOL)
    given = {"a": np.array([[0, 1, 0, 1]], dtype=bool), "b": np.array([[0, 0, 1, 1]], dtype=bool)}
    sample = {n: given[n] for n in names}
    compiled = compile_model(proto, {n: np.repeat(v[:, ::-1], 40, axis=0) for n, v in sample.items()}, limb=6)
    assert (proven(compiled, sample) == floats_of(proto, sample)).all()


def where(condition: str, x: str, y: str) -> Any:
    nodes = [node("Greater", "a b", "g"), node("Where", f"{condition} {x} {y}", "out")]
    weights = {
        "t": np.array([[True, False, True, False, True]]),
        "k": np.array([[0.5], [-1.0], [2.0]]),
        "i": np.array(3.0),
    }
    return model(nodes, {"a": (1, 3, 5), "b": (1, 3, 5), "c": (1, 1, 5)}, weights=weights)


@pytest.mark.parametrize(
    ("condition", "x", "y"),
    [("g", "a", "b"), ("g", "a", "c"), ("g", "c", "k"), ("g", "k", "i"), ("t", "a", "c"), ("t", "k", "b")],
)
def test_a_choice_takes_the_one_or_the_other(condition: str, x: str, y: str) -> None:
    proto = where(condition, x, y)
    samples = {n: draw.normal(size=(48, *s)) for n, s in {"a": (3, 5), "b": (3, 5), "c": (1, 5)}.items()}
    used = {i.name: samples[i.name] for i in proto.graph.input}
    compiled = compile_model(proto, used, limb=6)
    sample = {name: array[:1].astype(np.float32) for name, array in used.items()}
    wanted, clear = floats_of(proto, sample), np.abs(sample["a"] - sample["b"]) > 0.05
    assert_near(np.where(clear, proven(compiled, sample), wanted), wanted)
    assert clear.mean() > 0.8


def causal(weights: dict[str, np.ndarray], masks: list[Any]) -> Any:
    nodes = [node("MatMul", "x w", "s"), *masks, node("Softmax", "masked", "p", axis=-1), node("MatMul", "p x", "out")]
    return model(nodes, {"x": (1, 5, 5)}, weights={"w": normal(5, 5), **weights})


def test_a_constant_mask_of_attention_costs_nothing() -> None:
    keep = {"keep": np.tril(np.ones((5, 5), dtype=bool)), "least": np.array(-np.inf)}
    samples = draw.normal(size=(40, 5, 5))
    masked, added = (
        compile_model(proto, samples, limb=6)
        for proto in (
            causal(keep, [node("Where", "keep s least", "masked")]),
            causal({"m": np.triu(np.full((5, 5), -1e9), 1)}, [node("Add", "s m", "masked")]),
        )
    )
    sample = {"x": samples[:1].astype(np.float32)}
    assert_near(proven(masked, sample), floats_of(causal(keep, [node("Where", "keep s least", "masked")]), sample))
    assert masked.circuit.r1cs.n_constraints <= added.circuit.r1cs.n_constraints


def test_a_choice_by_a_function_of_one_tensor_is_one_table() -> None:
    nodes = [node("Greater", "x z", "g"), node("Mul", "x h", "m"), node("Where", "g x m", "out")]
    proto = model(nodes, {"x": (1, 40)}, weights={"z": np.array(0.0), "h": np.array(0.3)})
    compiled = compile_model(proto, draw.normal(size=(40, 40)), limb=6, bits=8)
    assert [type(operation).__name__ for operation in compiled.model.operations] == ["Lookup"]


@pytest.mark.parametrize("operator", ["Sign", "Floor", "Ceil", "Round"])
def test_steps_are_tables(operator: str) -> None:
    proto = model([node("Mul", "x k", "m"), node(operator, "m", "out")], {"x": (1, 6)}, weights={"k": np.array(0.5)})
    samples = draw.integers(-9, 10, (40, 6)).astype(np.float32)
    compiled = compile_model(proto, samples, limb=6)
    assert (proven(compiled, {"x": samples[:1]}) == floats_of(proto, {"x": samples[:1]})).all()


@pytest.mark.parametrize("slope", [np.array([0.25]), np.array([[0.1], [-0.5], [1.0], [1.5]])])
def test_a_slope_for_each_channel(slope: np.ndarray) -> None:
    nodes = [node("MatMul", "x w", "s"), node("PRelu", "s a", "out")]
    proto = model(nodes, {"x": (1, 4, 6)}, weights={"w": normal(6, 6), "a": slope})
    samples = draw.normal(size=(40, 4, 6)).astype(np.float32)
    compiled = compile_model(proto, samples, limb=6)
    assert_near(proven(compiled, {"x": samples[:1]}), floats_of(proto, {"x": samples[:1]}))


def test_a_cast_to_a_truth_is_one() -> None:
    proto = model([node("Cast", "x", "t", to=9), node("Not", "t", "out")], {"x": (1, 6)})
    typed(proto, onnx.TensorProto.BOOL)
    samples = draw.integers(-1, 2, (40, 6)).astype(np.float32)
    compiled = compile_model(proto, samples, limb=6)
    assert (proven(compiled, {"x": samples[:1]}) == floats_of(proto, {"x": samples[:1]})).all()


def test_connectives_of_connectives() -> None:
    nodes = [
        node("Or", "a b", "c"),
        node("Not", "c", "d"),
        node("Xor", "c b", "e"),
        node("And", "c e", "f"),
        node("Or", "f d", "out"),
    ]
    proto = typed(of_integers(model(nodes, {"a": (1, 4), "b": (1, 4)}), onnx.TensorProto.BOOL), onnx.TensorProto.BOOL)
    sample = {"a": np.array([[0, 1, 0, 1]], dtype=bool), "b": np.array([[0, 0, 1, 1]], dtype=bool)}
    compiled = compile_model(proto, {n: np.repeat(v, 40, axis=0) for n, v in sample.items()}, limb=6)
    assert (proven(compiled, sample) == floats_of(proto, sample)).all()


def test_a_choice_of_integers_is_exact_and_may_be_a_place() -> None:
    nodes = [node("Where", "keep x pad", "w"), node("Gather", "t w", "out")]
    weights = {"keep": np.array([[True, False, True]]), "pad": np.array(100), "t": normal(300, 2)}
    proto = typed(of_integers(model(nodes, {"x": (1, 3)}, weights=weights)), onnx.TensorProto.FLOAT)
    compiled = compile_model(proto, draw.integers(0, 300, (40, 3)), limb=6)
    sample = {"x": np.array([[299, 5, 0]])}
    assert_near(proven(compiled, sample), floats_of(proto, sample))


def test_a_single_place() -> None:
    nodes = [node("ArgMax", "x", "i", axis=0, keepdims=0), node("Gather", "t i", "out")]
    proto = model(nodes, {"x": (6,)}, weights={"t": normal(6, 3)})
    values = draw.normal(size=(40, 6)).astype(np.float32)
    compiled = compile_model(proto, values, limb=6)
    assert_near(proven(compiled, {"x": values[:1]}), floats_of(proto, {"x": values[0]}))


@pytest.mark.parametrize("names", ["g x least", "g zero least", "keep x least"])
def test_a_number_far_below_is_a_mask_for_a_softmax_alone_and_itself_elsewhere(names: str) -> None:
    weights = {"z": np.array(0.5), "zero": np.array(0.0), "keep": np.array([[True] * 5 + [False]])}
    nodes = [node("Greater", "b z", "g"), node("Where", names, "out")]
    samples = {name: draw.uniform(-4, 4, (40, 6)).astype(np.float32) for name in ("x", "b")}
    protos = [
        model(nodes, {"x": (1, 6), "b": (1, 6)}, weights={**weights, "least": np.array(least)})
        for least in (-90000.0, -np.inf)
    ]
    used = {info.name: samples[info.name] for info in protos[0].graph.input}
    compiled, sample = compile_model(protos[0], used, limb=6), {n: v[:1] for n, v in samples.items()}
    assert_near(proven(compiled, sample), floats_of(protos[0], sample), 0.0001)
    with pytest.raises(FormatError, match="layer '/out'"):
        compile_model(protos[1], used, limb=6, allow_error=1)


@pytest.mark.parametrize("names", ["x least", "least x"])
def test_a_number_far_below_that_is_added_is_a_mask_for_a_softmax_alone(names: str) -> None:
    proto = model([node("Add", names, "out")], {"x": (1, 6)}, weights={"least": np.array(-20000.0)})
    values = draw.uniform(19990, 20010, (40, 6)).astype(np.float32)
    compiled = compile_model(proto, values, limb=6, allow_error=1)
    assert_near(proven(compiled, {"x": values[:1]}), floats_of(proto, {"x": values[:1]}))


def test_the_place_of_the_only_one_of_a_constant_with_more_axes_and_an_input() -> None:
    """What is before the sum, and has its shape, is the constant, and no scores."""
    nodes = [node("Add", "c x", "s"), node("ArgMax", "s", "out", axis=0, keepdims=0)]
    proto = model(nodes, {"x": (1, 1)}, weights={"c": np.full((1, 1, 1), 0.5)})
    compiled = compile_model(proto, np.random.default_rng(5).normal(size=(40, 1, 1)), limb=6)
    assert compiled.predict(np.full((1, 1), 0.1))["out"].tolist() == [[0.0]]
