"""Numbers near the size of the field: refused by the layer's name, or separated from those a turn around it away."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.circuits.mutation import assert_forgery_fails
from tests.zkml.models import model, node
from tests.zkml.networks import all_inputs, assert_same_as_semantics, compiled, model_of, unpublished
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import FormatError
from zkgpu.inference import compile_model
from zkgpu.zkml.operations import (
    ArgMax,
    Linear,
    Lookup,
    Maximum,
    Normalize,
    Operation,
    Requantize,
    RootMeanSquare,
    Softmax,
    Steps,
)

R = Fr.modulus
EXP = np.array([20, 12, 7, 4, 2, 1])
ROUNDED = "round/rounded"


def a_turn_away(value: int, shift: int) -> list[int]:
    """Answers q for which 2^shift q lies just beyond the modulus, up or down, from where it should."""
    return [value + sign * (-(-R // (1 << shift)) + d) for sign in (1, -1) for d in (-1, 0, 1)]


def constantly(value: int) -> Callable:
    return lambda *_: np.array([value % R], dtype=object)


@pytest.mark.parametrize("limb", [4, 8, 12])
@pytest.mark.parametrize("bits", [200, 218, 221, 222, 225, 226, 229, 230, 233, 234, 235, 241, 242, 243, 250, 251])
@pytest.mark.parametrize("shift", [1, 40, 200, 230])
def test_a_rounded_value_has_no_second_answer_a_turn_around_the_field_away(limb: int, bits: int, shift: int) -> None:
    x = (1 << bits) - 12345
    try:
        network = model_of(Requantize("round", ("x",), "out", shift), limb, x=((1,), -(1 << bits) + 1, (1 << bits) - 1))
        circuit = unpublished(network)
    except FormatError as error:
        assert ("bits and wrap around the field" in str(error), bits > 200) == (True, True)  # noqa: PT017
        return
    q = (x + (1 << shift - 1)) >> shift
    circuit.witness({"x": [x]})
    for other in [*a_turn_away(q, shift), q + pow(1 << shift, -1, R), q - pow(1 << shift, -1, R)]:
        assert_forgery_fails(circuit, {"x": [x]}, {ROUNDED: constantly(other)})


@pytest.mark.parametrize("limb", [1, 4, 12, 16])
def test_tensors_that_leave_no_room_for_loose_checks_are_refused_by_their_layer(limb: int) -> None:
    most = Fr.bits - 2 * limb - 4
    for bits in (most, most + 1, most + 8, 252, 253):
        double = Linear("double", ("x",), "y", np.array([[[2]]]), np.array([[1]]), np.array([[0]]))
        operations: list[Operation] = [double, Requantize("round", ("y",), "out", 8)]
        reach = (1 << bits - 1) - 1
        if bits <= most:
            model_of(operations, limb, x=((1, 1, 1), -reach, reach))
        else:
            message = rf"layer '(double|x)': a value could need 2\d\d bits .* it may have {most}"
            with pytest.raises(FormatError, match=message):
                model_of(operations, limb, x=((1, 1, 1), -reach, reach))


@pytest.mark.parametrize("limb", [4, 12])
@pytest.mark.parametrize(
    "operation",
    [
        Requantize("wide", ("x",), "out", 240),
        Requantize("wide", ("x",), "out", 250, 0),
        Requantize("wide", ("x",), "out", 250, -3, 3),
        Requantize("wide", ("x",), "out", 3, 0, (1 << 61)),
        Maximum("wide", ("x",), "out"),
        ArgMax("wide", ("x",), "out"),
        Softmax("wide", ("x",), "out", 240, EXP, 60),
        Softmax("wide", ("x",), "out", 0, np.array([1 << 61, 1]), 120),
        Normalize("wide", ("x",), "out", 110, 1),
        RootMeanSquare("wide", ("x",), "out", 110, 1),
        Steps("wide", ("x",), "out", np.array([0, 0, 1]), np.array([-5, 1 << 60, 7])),
    ],
    ids=str,
)
def test_every_layer_keeps_its_numbers_apart_or_is_refused_by_name(operation: Operation, limb: int) -> None:
    """Loose checks of any of its numbers could let a second answer through: each layer says how wide it gets."""
    accepted = []
    for bits in range(2, Fr.bits - 2 * limb - 3, 8):
        reach = (1 << bits) - 1
        network = model_of(operation, limb, x=((1, 2), -reach, reach))
        try:
            circuit = unpublished(network)
        except FormatError as error:
            assert "layer 'wide': " in str(error)  # noqa: PT017
            continue
        accepted.append(bits)
        honest = {"x": np.array([[reach, -reach]], dtype=object)}
        circuit.witness(honest)
    assert accepted == list(range(2, 2 + 8 * len(accepted), 8)), "what is refused is the wide end"


def test_a_long_chain_of_scalings_is_refused_by_the_layer_where_it_gets_too_wide() -> None:
    """Each multiplication by constants near one adds bits, and the floats agree all the way."""
    rng = np.random.default_rng(5)
    count = 40
    nodes = [node("Mul", f"{'x' if i == 0 else f'h{i}'} w{i}", f"h{i + 1}") for i in range(count)]
    nodes.append(node("Relu", f"h{count}", "out"))
    weights = {f"w{i}": rng.uniform(0.98, 1.02, 6) for i in range(count)}
    chain = model(nodes, {"x": (1, 6)}, weights=weights)
    with pytest.raises(FormatError, match=r"layer '/h\d\d': a value could need 2\d\d bits"):
        compile_model(chain, rng.normal(size=(20, 6)))
    short = model([*nodes[:8], node("Relu", "h8", "out")], {"x": (1, 6)}, weights=weights)
    assert compile_model(short, rng.normal(size=(20, 6))).circuit.r1cs.n_constraints


# integers of the model itself


def test_multipliers_are_taken_in_without_overflow() -> None:
    """weight x multiplier and bias x multiplier are beyond 63 bits here."""
    weight = np.array([[[3, -5], [1 << 40, 7]]])
    multiplier, bias = np.array([[1 << 30, (1 << 61) + 1]]), np.array([[-(1 << 50), (1 << 61) - 1]])
    shift = 100
    dense = Linear("dense", ("x",), "y", weight, multiplier, bias)
    network = model_of([dense, Requantize("round", ("y",), "out", shift)], x=((1, 1, 2), -128, 127))
    for x in ([[[127, -128]]], [[[-1, 1]]]):
        for weights in ("public", "private", "hashed"):
            assert_same_as_semantics(network, {"x": np.array(x)}, weights)


def test_a_dead_layer_with_a_bias_gives_the_class_that_the_floats_give() -> None:
    """Weights of 7e-16 give units so fine that the bias in them takes 60 bits, and more with its multiplier."""
    weights = {"w": np.full((4, 3), 7e-16), "b": np.array([0.1, 1.0, -1.0])}
    weights["w"][:, 0] = 0.01 * np.array([7e-16] * 4)
    dead = model([node("MatMul", "x w", "z"), node("Add", "z b", "out")], {"x": (1, 4)}, weights=weights)
    samples = np.random.default_rng(3).normal(size=(20, 4))
    try:
        network = compile_model(dead, samples)
    except FormatError as error:
        assert "layer '/z'" in str(error)  # noqa: PT017
        return
    given = {"x": network.quantized(samples[3])["x"]}
    shown = network.circuit.witness(network.circuit_inputs(given))
    proven = network.circuit.r1cs.rounds[0].unpack(network.circuit.packed(shown))["out"]
    assert np.argmax(proven) == np.argmax(network.predict(samples[3])["out"]) == 1


@pytest.mark.parametrize("value", [1 << 62, -(1 << 62), (1 << 63) - 1, -(1 << 63)])
@pytest.mark.parametrize("part", ["weight", "multiplier", "bias", "table", "low"])
def test_integers_of_63_bits_are_refused_by_their_layer(part: str, value: int) -> None:
    arrays = {"weight": np.ones((1, 1, 1), int), "multiplier": np.ones((1, 1), int), "bias": np.zeros((1, 1), int)}
    if part in arrays:
        arrays[part] = np.full_like(arrays[part], value)
        operation: Operation = Linear("large", ("x",), "out", **arrays)
    elif part == "table":
        operation = Lookup("large", ("x",), "out", np.array([0, value]), 0)
    else:
        operation = Requantize("large", ("x",), "out", 1, value)
    with pytest.raises(FormatError, match=f"layer 'large': its {part} holds an integer of more than 62 bits"):
        model_of(operation, x=((1, 1, 1), 0, 1))


@pytest.mark.parametrize("tiny", [1e-19, 1e-30, 1e-38])
def test_weights_that_are_nothing_beside_their_biases_round_to_nothing(tiny: float) -> None:
    weights = {"w": np.full((4, 3), tiny), "b": np.array([0.1, 1.0, -1.0])}
    dense = model([node("Gemm", "x w b", "out")], {"x": (1, 4)}, weights=weights)
    samples = np.random.default_rng(3).normal(size=(20, 4))
    network = compile_model(dense, samples)
    assert network.predict(samples[3])["out"] == pytest.approx(weights["b"][None], rel=1e-3)
    circuit, integers = network.circuit, network.quantized(samples[3])
    shown = circuit.r1cs.rounds[0].unpack(circuit.packed(circuit.witness(network.circuit_inputs(integers))))["out"]
    assert (np.asarray(shown) == network.run(integers)["out"]).all()


def test_a_sum_with_a_constant_of_another_size_is_refused_by_its_layer() -> None:
    far = model([node("Mul", "x t", "s"), node("Add", "s b", "out")], {"x": (1, 4)}, weights={"t": 1e-30, "b": 1.0})
    with pytest.raises(FormatError, match=r"layer '/out': .*far apart"):
        compile_model(far, np.random.default_rng(3).normal(size=(20, 4)))


# clamps


@pytest.mark.parametrize(
    ("low", "high"), [(-4, -2), (None, -2), (-9, -9), (200, None), (200, 300), (0, 0), (17, 900), (-900, 15)]
)
@pytest.mark.parametrize("shift", [0, 3])
def test_a_clamp_beside_its_values_leaves_one_and_is_proven(low: int | None, high: int | None, shift: int) -> None:
    """All values lie from 16 to 127, or from 2 to 16."""
    network = model_of(Requantize("clamp", ("x",), "out", shift, low, high), x=((3,), 16, 127))
    for x in ([16, 17, 127], [16, 16, 16], [127, 64, 60]):
        assert_same_as_semantics(network, {"x": np.array(x)})


def test_a_clamp_to_an_empty_interval_is_refused() -> None:
    with pytest.raises(FormatError, match="layer 'clamp': clamps to an empty interval"):
        model_of(Requantize("clamp", ("x",), "out", 0, 5, 4), x=((3,), 0, 9))


def test_an_upper_bound_below_the_lower_one_wins_as_in_onnx() -> None:
    clip = model([node("Clip", "x a b", "out")], {"x": (1, 4)}, weights={"a": np.float32(0.5), "b": np.float32(-0.25)})
    samples = np.random.default_rng(3).normal(size=(20, 4))
    network = compile_model(clip, samples)
    assert np.allclose(network.predict(samples[0])["out"], -0.25, atol=0.02)
    given = all_inputs(network.model, {"x": network.quantized(samples[0])["x"]})
    compiled(network.model).witness(given)
