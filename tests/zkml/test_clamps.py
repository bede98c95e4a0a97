"""Values beyond what calibration saw are refused where a clamp moves a layer's numbers far, unless it is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from zkgpu.backend import open_backend
from zkgpu.errors import UsageError
from zkgpu.inference import CompiledModel, Prover, compile_model, unsafe_setup
from zkgpu.zkml import semantics
from zkgpu.zkml.clamps import FARTHEST, OF_STEEP, clamped, limited
from zkgpu.zkml.operations import SEEN, SEEN_HIGH, SEEN_LOW, STEEP, IntegerModel, Requantize, Tensor
from zkgpu.zkml.storage import dump, parse

LOGGER = "zkgpu.zkml.compiled"
FAR = np.full((1, 6), 2.0)


def compiled_to(nodes: list, weights: dict, held_out: np.ndarray = -FAR / 9, width: int = 2) -> CompiledModel:
    """Of sums of numbers up to 3 that are at most 1 in the calibration, but for those of one sample."""
    samples = np.clip(normal(64, 6), -3, 3)
    samples -= (samples.mean(axis=1) - np.linspace(-1, 1, 64) / 6)[:, None]
    samples[3] = held_out
    proto = model([node("MatMul", "x w", "h"), *nodes], {"x": ("N", 6)}, weights={"w": np.ones((6, width)), **weights})
    return compile_model(proto, samples, limb=6, allow_error=np.inf, bits=8)


@pytest.mark.parametrize(
    ("operator", "sign"), [("Sinh", 1), ("Sinh", -1), ("Floor", 1), ("Round", -1), ("Sin", 1), ("Softplus", 1)]
)
def test_a_value_far_beyond_a_table_is_refused_by_its_layer(operator: str, sign: int, caplog) -> None:
    compiled = compiled_to([node(operator, "h", "out")], {})
    with pytest.raises(UsageError, match=r"^layer '/out': the value at index \[0, 0\] is outside of \[.*--clamp\)$"):
        compiled.predict(sign * FAR, clamp=False)
    assert not caplog.messages
    compiled.predict(sign * FAR, clamp=True)
    assert caplog.messages[0].startswith("layer '/out': 2 of its values lie beyond what calibration saw, and are")
    assert {record.name for record in caplog.records} == {LOGGER}


def test_a_proof_of_such_a_value_is_made_only_where_it_is_asked_for() -> None:
    compiled = compiled_to([node("Sinh", "h", "out")], {}, width=1)
    backend = open_backend("cpu")
    prover = Prover(compiled, unsafe_setup(compiled, backend), backend)
    near, far = np.full((1, 6), 0.1), np.array([[2.0, 2, 2, -1, -1, -1]])
    with pytest.raises(UsageError, match=r"^sample 1: layer '/out': the value"):
        prover.prove(np.stack([near, far]))
    assert prover.prove(far, clamp=True)
    assert prover.prove(near)


@pytest.mark.parametrize("operator", ["Sigmoid", "Relu", "HardSigmoid", "Sign"])
def test_what_the_float_model_clamps_too_is_not_told(operator: str, caplog) -> None:
    compiled = compiled_to([node("Mul", "h k", "m"), node(operator, "m", "out")], {"k": np.array(9.0)})
    compiled.predict(-FAR, clamp=True)
    compiled.run(compiled.quantized(-FAR, clamp=True))
    assert not caplog.messages


def test_ends_of_a_clip_are_no_ends_of_the_calibration(caplog) -> None:
    compiled = compiled_to([node("Clip", "h lo hi", "out")], {"lo": np.array(-1.0), "hi": np.array(1.0)})
    found = compiled.run(compiled.quantized(FAR, clamp=True))["out"] * compiled.model.outputs[0].scale
    assert found == pytest.approx(1, abs=0.02)
    assert not caplog.messages


def test_an_index_that_a_still_function_shares_is_refused_for_the_other(caplog) -> None:
    """Both read one clamp; of the first alone nothing would be said."""
    nodes = [node("Sign", "h", "sign"), node("Sinh", "h", "sinh"), node("Add", "sign sinh", "out")]
    with pytest.raises(UsageError, match="is outside of"):
        compiled_to(nodes, {}).predict(FAR)


def test_one_of_many_values_that_is_a_little_too_large_is_told_only(caplog) -> None:
    x = np.sin(np.arange(4000.0))
    tensor = Tensor("x", (4000,), 1.0, -(1 << 20), 1 << 20)
    integers = np.rint(100 * x).astype(np.int64)
    integers[7] = 130
    found = of_run(Requantize("c", ("x",), "out", 0, -100, 100, SEEN), tensor, integers)
    assert (found.count, found.far, found.index, found.value, found.is_refused) == (1, 1, (7,), 130, False)
    assert found.share == pytest.approx(29 / np.sqrt(4000 * 5000), rel=0.05)


def test_the_report_counts_samples_with_such_values() -> None:
    assert compiled_to([node("Sinh", "h", "out")], {}).accuracy.clamped == 0
    compiled = compiled_to([node("Sinh", "h", "out")], {}, FAR)
    assert compiled.accuracy.clamped == 1
    assert any(
        line.startswith("1 of 16 samples have values in the network beyond") for line in compiled.accuracy.warnings
    )
    assert parse(dump(compiled), "model").accuracy.clamped == 1


def test_a_stored_model_refuses_the_same() -> None:
    stored = parse(dump(compiled_to([node("Sinh", "h", "out")], {})), "model")
    with pytest.raises(UsageError, match="layer '/out'"):
        stored.predict(FAR)


def of_run(operation: Requantize, tensor: Tensor, integers: np.ndarray):
    """What is said of a clamp, if anything."""
    network = IntegerModel((tensor,), (Tensor("out", tensor.shape, 1.0, -999, 999),), (operation,), 6)
    found = clamped(limited(network), semantics.run(network, {"x": integers}))
    return found[0] if found else None


X = Tensor("x", (1,), 1.0, -999, 999)


@pytest.mark.parametrize(("seen", "told"), [(0, []), (SEEN_LOW, [-40]), (SEEN_HIGH, [40]), (SEEN, [-40, 40])])
def test_only_ends_that_calibration_has_set_are_told(seen, told) -> None:
    clamp = Requantize("c", ("x",), "out", 0, -16, 16, seen)
    assert [x for x in (-40, 40) if of_run(clamp, X, np.array([x])) is not None] == told


@pytest.mark.parametrize(("operator", "seen"), [("Sinh", SEEN | STEEP), ("Exp", SEEN_HIGH | STEEP), ("Softsign", SEEN)])
def test_a_steep_function_allows_less(operator: str, seen: int) -> None:
    nodes = [node("Mul", "h k", "m"), node(operator, "m", "out")]
    (clamp,) = limited(compiled_to(nodes, {"k": np.array(3.0)}).model)
    assert clamp.seen == seen


@pytest.mark.parametrize(("seen", "share"), [(SEEN, FARTHEST), (SEEN | STEEP, OF_STEEP)])
def test_so_much_of_what_a_value_is_may_be_clamped(seen: int, share: float) -> None:
    clamp = Requantize("c", ("x",), "out", 0, -320, 320, seen)
    refused = [x for x in range(320, 380) if (found := of_run(clamp, X, np.array([x]))) and found.is_refused]
    least = next(x for x in range(320, 380) if (x - 320 - 1) / x > share)
    assert refused == list(range(least, 380))


@pytest.mark.parametrize(("low", "high", "value"), [(300, 340, 370), (-340, -300, -370), (300, 340, 270)])
def test_ranges_far_from_0_are_measured_from_their_nearest_end(low: int, high: int, value: int) -> None:
    found = of_run(Requantize("c", ("x",), "out", 0, low, high, SEEN), X, np.array([value]))
    assert found.is_refused


def test_gates_of_a_recurrent_layer_that_are_open_already_are_not_told(caplog) -> None:
    """They share tables, which with weights that are given end where calibration did."""
    draw = np.random.default_rng(1)
    given = {name: 6 * draw.normal(size=size) for name, size in (("w", (1, 12, 2)), ("r", (1, 12, 3)))}
    proto = model([node("LSTM", "x w r", "y out", hidden_size=3)], {"x": (3, 1, 2)}, weights=given)
    samples = draw.normal(size=(40, 3, 1, 2))
    samples = np.concatenate([samples, 2.5 * samples[:8]])
    options = {"weights": "private", "tensors": ["out"], "bits": 8, "allow_error": np.inf}
    compiled = compile_model(proto, samples[:40], limb=6, **options)
    for one in samples[40:]:
        compiled.run(compiled.quantized(np.clip(one, samples[:40].min(), samples[:40].max())))
    assert not caplog.messages


def test_values_that_no_64_bits_hold_are_told() -> None:
    operation = Requantize("layer", ("x",), "y", shift=8, low=-100, high=100, seen=SEEN)
    x = np.array([5 << 8, 1 << 90], dtype=object)
    (found,) = clamped([operation], {"x": x, "y": np.array([5, 100])})
    assert (found.value, found.index, found.count) == (1 << 82, (1,), 1)
    assert found.is_refused
