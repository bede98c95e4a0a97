"""Private weights that a public hash names: the hash is the one Python computes, and stands for one set of weights."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.circuits.mutation import assert_every_wire_is_pinned
from tests.zkml.networks import all_inputs, assert_same_as_semantics, compiled, model_of, unpublished
from zkgpu.circuits import Circuit, CompiledCircuit
from zkgpu.circuits.gadgets.poseidon import poseidon_hash
from zkgpu.circuits.numbers import nearest_zero
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import FormatError, UnsatisfiedError, UsageError
from zkgpu.zkml.layers.hashing import Ranged, hash_of_values, hash_of_wires
from zkgpu.zkml.layers.matrices import works_in_pairs
from zkgpu.zkml.layers.network import build_circuit
from zkgpu.zkml.layers.weights import hashed_parts
from zkgpu.zkml.operations import ArgMax, Combine, IntegerModel, Linear, Multiply, Normalize, Requantize, Tensor
from zkgpu.zkml.ranges import analyze
from zkgpu.zkml.visibility import WEIGHTS_HASH, Visibilities, hash_names, require_names

rng = np.random.default_rng(7)
R = Fr.modulus


def layer(groups: int, k: int, n: int) -> Linear:
    weight = rng.integers(-127, 128, (groups, k, n))
    return Linear("dense", ("x",), "out", weight, rng.integers(1, 9, (groups, n)), rng.integers(-900, 900, (groups, n)))


@cache
def network(groups: int, m: int, k: int, n: int) -> IntegerModel:
    return model_of(layer(groups, k, n), x=((groups, m, k), -128, 127))


@cache
def hashed_circuit(*shape: int) -> CompiledCircuit:
    return compiled(network(*shape), "hashed")


SHAPES = {"pairs": (1, 1, 6, 3), "tested": (1, 6, 5, 4), "scaled weights": (2, 7, 3, 2), "plain": (1, 1, 1, 2)}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_layers_with_hashed_weights_agree(shape: tuple[int, int, int, int]) -> None:
    model = network(*shape)
    for x in (rng.integers(-128, 128, shape[:3]), np.full(shape[:3], -128)):
        assert_same_as_semantics(model, {"x": x}, "hashed", hashed_circuit(*shape))


def test_the_shapes_above_take_every_way_of_multiplying() -> None:
    assert [works_in_pairs(m, k, n) for _, m, k, n in SHAPES.values()] == [True, False, False, False]
    assert [m > k for _, m, k, _ in SHAPES.values()] == [False, True, True, False]


def hash_of(model: IntegerModel, m: int, **changed: np.ndarray) -> int:
    (operation,) = model.operations
    parts = hashed_parts(operation, m)
    return hash_of_values([replace(part, values=changed.get(name, part.values)) for name, part in parts.items()])


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_proof_shows_the_hash_that_python_computes(shape: tuple[int, int, int, int]) -> None:
    model = network(*shape)
    given = all_inputs(model, {"x": rng.integers(-128, 128, shape[:3])}, "hashed")
    circuit = hashed_circuit(*shape)
    assert int(circuit.value(WEIGHTS_HASH, circuit.witness(given))) == hash_of(model, shape[1])


def test_a_hash_is_the_poseidon_chain_of_its_description() -> None:
    values = np.array([-2, 1, 0, 3])
    packed = sum((int(v) + 2) << 3 * i for i, v in enumerate(values))
    start = poseidon_hash([poseidon_hash([2, 4, R - 2, 3]), 1, 3, 3])
    assert hash_of_values([Ranged(values, -2, 5), Ranged(np.array([9]), 3, 9)]) == poseidon_hash(
        [start, packed, 6, *[0] * 13]
    )
    long = np.arange(16 * 31) % 256
    elements = [sum(int(v) << 8 * i for i, v in enumerate(long[j : j + 31])) for j in range(0, long.size, 31)]
    first = poseidon_hash([poseidon_hash([1, long.size, 0, 8]), *elements[:15]])
    assert hash_of_values([Ranged(long, 0, 255)]) == poseidon_hash([first, elements[15], *[0] * 14])


def test_equal_bits_in_another_form_have_another_hash() -> None:
    """Two tensors of the same packed bits: one of values from 0, one of values from -128, or two bytes for one word."""
    zeros = np.zeros(2, dtype=np.int64)
    forms = [
        [Ranged(zeros, 0, 255)],
        [Ranged(zeros - 128, -128, 127)],
        [Ranged(zeros, 0, 127)],
        [Ranged(zeros, 0, 65535)],
        [Ranged(zeros[:1], 0, 255)] * 2,
        [Ranged(zeros[:1], 0, 65535)],
        [Ranged(zeros[:1], 0, 255), Ranged(zeros[:1], 0, 65535)],
        [Ranged(zeros[:1], 0, 65535), Ranged(zeros[:1], 0, 255)],
    ]
    assert len({hash_of_values(form) for form in forms}) == len(forms)


@settings(max_examples=4, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 70), st.integers(1, 90)), min_size=1, max_size=3))
def test_circuits_and_python_hash_alike(shapes) -> None:
    tensors = [Ranged(rng.integers(0, 1 << min(bits, 62), n), 0, (1 << bits) - 1) for bits, n in shapes]
    circuit = Circuit()
    wires = [circuit.private(f"x{i}", t.values.shape) for i, t in enumerate(tensors)]
    circuit.output("hash", hash_of_wires([replace(t, values=w) for t, w in zip(tensors, wires, strict=True)]))
    done = circuit.compile()
    assignment = done.witness({f"x{i}": t.values for i, t in enumerate(tensors)})
    assert int(done.value("hash", assignment)) == hash_of_values(tensors)


def test_fifteen_field_elements_cost_as_many_constraints_as_the_description_says() -> None:
    circuit = Circuit()
    circuit.output("hash", hash_of_wires([Ranged(circuit.private("x", 15 * 31), 0, 255)]))
    assert circuit.compile().r1cs.n_constraints == 609 + 1


# one hash, one set of weights

SMALL = network(1, 1, 4, 2)
GIVEN = all_inputs(SMALL, {"x": np.array([[[5, -3, 100, 7]]])}, "hashed")


@pytest.mark.parametrize("part", ["weight", "multiplier", "bias"])
def test_every_integer_of_a_layer_changes_the_hash(part: str) -> None:
    known = {hash_of(SMALL, 1)}
    for i in range(GIVEN[f"out.{part}"].size):
        changed = GIVEN[f"out.{part}"].copy()
        changed.ravel()[i] ^= 1
        known.add(hash_of(SMALL, 1, **{part: changed}))
    assert len(known) == 1 + GIVEN[f"out.{part}"].size


@pytest.mark.parametrize("part", ["weight", "multiplier", "bias"])
def test_integers_that_pack_to_the_same_element_are_refused(part: str) -> None:
    """One value beyond its bits, and its neighbor less for it: the sum that is hashed would be the same."""
    ((_, limits),) = [(n, p) for n, p in hashed_parts(SMALL.operations[0], 1).items() if n == part]
    size = limits.high - limits.low + 1
    for carry in (1, -1):
        changed = GIVEN[f"out.{part}"].astype(object).copy()
        flat = changed.reshape(-1)
        flat[0], flat[1] = flat[0] + carry * size, flat[1] - carry
        packed = [hash_of_values([replace(limits, values=v)]) for v in (changed, GIVEN[f"out.{part}"])]
        assert packed[0] == packed[1]
        with pytest.raises(UnsatisfiedError, match="dense"):
            hashed_circuit(1, 1, 4, 2).witness({**GIVEN, f"out.{part}": changed})


@pytest.mark.parametrize("part", ["weight", "multiplier", "bias"])
def test_field_elements_that_are_no_small_integers_are_refused(part: str) -> None:
    for value in (pow(2, -1, R), R - (1 << 40)):
        changed = GIVEN[f"out.{part}"].astype(object).copy()
        changed.reshape(-1)[0] = value
        with pytest.raises(UnsatisfiedError):
            hashed_circuit(1, 1, 4, 2).witness({**GIVEN, f"out.{part}": changed})


@pytest.mark.parametrize("shape", [(1, 1, 4, 2), (1, 3, 2, 2)])
def test_every_wire_of_hashed_weights_is_pinned(shape: tuple[int, int, int, int]) -> None:
    model = network(*shape)
    given = all_inputs(model, {"x": rng.integers(-128, 128, shape[:3])}, "hashed")
    assert_every_wire_is_pinned(hashed_circuit(*shape), given)


# which circuits


def test_other_weights_must_fit_the_ranges_of_the_circuit() -> None:
    mine = layer(1, 4, 2)
    for wrong in (
        replace(mine, weight=mine.weight * 2),
        replace(mine, multiplier=mine.multiplier * 64),
        replace(mine, bias=mine.bias << 20),
    ):
        with pytest.raises(UsageError, match=r"layer 'dense': a (weight|multiplier|bias) lies outside"):
            hashed_parts(wrong, 1, mine)


def test_a_circuit_whose_sums_could_wrap_for_some_weights_is_refused() -> None:
    dense = replace(layer(1, 4, 2), multiplier=np.array([[8, 3]]))
    last = replace(dense, output="y")
    for operations, widest in (
        ([dense], 1 << 239),
        ([last, Multiply("m", ("y", "y"), "out")], 1 << 112),
        ([last, ArgMax("a", ("y",), "out")], 1 << 236),
        ([last, Normalize("n", ("y",), "out", 60, 1)], 1 << 48),
    ):
        unpublished(model_of(operations, x=((1, 1, 4), -(1 << 20), 1 << 20)), "hashed")
        with pytest.raises(FormatError, match="bits"):
            unpublished(model_of(operations, x=((1, 1, 4), -widest, widest)), "hashed")


def largest_denominator(numerator: int, most: int) -> int:
    """Of the convergents of numerator / R, up to `most`: times the numerator it is near a multiple of R."""
    a, b, before, last = numerator % R, R, 1, 0
    while (following := a // b * last + before) <= most:
        a, b, before, last = b, a % b, last, following
    return last


@pytest.mark.parametrize("sign", [1, -1], ids=["from below", "from above"])
def test_a_clamp_at_one_end_wraps_for_no_weights(sign: int) -> None:
    """Of sums that the model's own weights leave on its far side; other weights of these ranges do not."""
    largest, ends = 4095, {"low": 0} if sign > 0 else {"high": 0}

    def network(powers: int) -> IntegerModel:
        own = Linear("dense", ("x",), "sums", np.array([[[255]]]), np.array([[1]]), np.array([[0]]))
        less = Combine("less", ("sums",), "less", (np.array(1),), np.array(sign * (3 - largest)))
        squares = [Multiply("square", (f"y{i}",) * 2, f"y{i + 1}") for i in range(powers)]
        last = [Multiply("factor", (f"y{powers}", "factor"), "z"), Requantize("out", ("z",), "out", 196)]
        clamp = Requantize("clamp", ("less",), "y0", 0, **ends)
        scale = ((1, 1, 1), 0, (1 << 61) - 1)
        return model_of([own, less, clamp, *squares, *last], x=((1, 1, 1), -8, 7), factor=scale)

    compiled(network(1), "hashed")
    model = network(4)
    assert analyze(model, margin=True)["less"].magnitude == 2 * largest - 3 + (sign > 0)
    reached = 7 * (7 * sign * 255) - sign * (largest - 3)  # by a multiplier and an input of 7
    factor = largest_denominator(reached**16, 1 << 61)
    assert 0 < factor < 1 << 61
    assert abs(nearest_zero(reached**16 * factor, R)) < 1 << 195 < reached**16 * factor
    with pytest.raises(FormatError, match=r"layer 'factor': .* wrap around the field|layer 'square'"):
        compiled(model, "hashed")


def test_an_output_too_wide_to_be_shown_is_refused() -> None:
    model = model_of(layer(1, 4, 2), x=((1, 1, 4), -(1 << 120), 1 << 120))
    with pytest.raises(FormatError, match=r"an output of 1\d\d bits"):
        compiled(model, "private")


def test_a_model_without_weights_has_none_to_hash() -> None:
    with pytest.raises(UsageError, match="no weights to hash"):
        compiled(model_of(ArgMax("a", ("x",), "out"), x=((1, 4), -8, 7)), "hashed")


def test_public_inputs_are_named_in_their_order() -> None:
    visibilities = Visibilities("hashed", {"x": "hashed"}, {"out": "hashed"})
    assert hash_names(SMALL, visibilities) == ("x.hash", "weights.hash", "out.hash")
    assert hash_names(SMALL, Visibilities("private")) == ()


@pytest.mark.parametrize("name", ["weights", "weights.hash", "out.hash", "out.weight", "out.bias", "out"])
def test_no_tensor_is_taken_for_the_hash_of_another_or_of_the_weights(name: str) -> None:
    dense = replace(layer(1, 4, 2), inputs=(name,))
    inputs = (Tensor(name, (1, 1, 4), 1.0, -8, 7),)
    clashing = IntegerModel(inputs, (Tensor("out", (1, 1, 2), 1.0, -1, 1),), (dense,), 4)
    for shown in ("hashed", "public"):
        visibilities = Visibilities("hashed", {name: shown}, {"out": "hashed"})
        if (name, shown) == ("weights", "public"):
            require_names(clashing, visibilities)
        else:
            with pytest.raises(UsageError, match=r"would be called '(weights|out)\S*': rename one"):
                build_circuit(clashing, visibilities)


def test_an_output_shown_by_its_hash_keeps_to_the_range_that_is_packed() -> None:
    """With private weights nothing else bounds it: two outputs could share a hash."""
    weight = np.array([[[100, 1], [100, 1]]])
    layer = Linear("dense", ("x",), "out", weight, np.ones((1, 2), int), np.zeros((1, 2), int))
    model = model_of(layer, x=((1, 3, 2), -8, 7))
    visibilities = Visibilities("private", {"x": "private"}, {"out": "hashed"})
    circuit = build_circuit(model, visibilities).compile()
    given = all_inputs(model, {"x": np.full((1, 3, 2), 7)}, "private")
    circuit.witness(given)
    for wide in (1 << 16, 1 << 40, pow(3, -1, R)):
        with pytest.raises(UnsatisfiedError):
            circuit.witness({**given, "out.bias": [[wide, 0]]})
