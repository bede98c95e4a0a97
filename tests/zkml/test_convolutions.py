"""Convolutions checked at a challenge: their outputs are those of the semantics, others refused, and what they cost.

Shapes are small; the fixture has them checked whatever it costs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from tests.circuits.mutation import assert_every_wire_is_pinned, assert_forgery_fails
from tests.zkml.models import model as onnx_model
from tests.zkml.models import node, normal
from tests.zkml.networks import all_inputs, assert_same_as_semantics, compiled, model_of, proven_output, unpublished
from tests.zkml.test_counting import assert_same, sizes
from tests.zkml.test_layers_have_one_witness import assert_one_witness
from zkgpu.circuits import Circuit, concatenate
from zkgpu.circuits.gadgets.evaluations import powers
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UnsatisfiedError, UsageError
from zkgpu.inference import compile_model
from zkgpu.zkml import semantics
from zkgpu.zkml.graph import Node
from zkgpu.zkml.layers import evaluated
from zkgpu.zkml.layers.convolution import Patches, patches_of
from zkgpu.zkml.layers.network import build_circuit
from zkgpu.zkml.lowering.windows import Windows
from zkgpu.zkml.operations import Arrange, IntegerModel, Linear
from zkgpu.zkml.visibility import Visibilities

LOW, HIGH = -8, 7


@dataclass(frozen=True)
class Shape:
    """Of a convolution: channels in and out, and the attributes of its node."""

    space: tuple[int, ...]
    kernel: tuple[int, ...]
    channels: tuple[int, int] = (2, 2)
    batch: int = 1
    groups: int = 1
    stride: int = 1
    pad: int = 0
    dilation: int = 1

    @property
    def image(self) -> tuple[int, ...]:
        return (self.batch, self.channels[0], *self.space)

    @property
    def windows(self) -> Windows:
        n = len(self.space)
        attributes = {"strides": [self.stride] * n, "pads": [self.pad] * 2 * n, "dilations": [self.dilation] * n}
        reach = [(k - 1) * self.dilation + 1 for k in self.kernel]
        out = tuple((s + 2 * self.pad - r) // self.stride + 1 for s, r in zip(self.space, reach, strict=True))
        return Windows.of(Node("conv", "Conv", ("x",), ("out",), attributes), self.image, self.kernel, out)


SHAPES = {
    "valid": Shape((4, 4), (3, 3)),
    "padding": Shape((3, 4), (3, 3), pad=1),
    "more padding than image": Shape((2, 2), (3, 3), pad=2),
    "strides": Shape((5, 5), (3, 3), stride=2, pad=1),
    "strides along one axis": Shape((2, 7), (1, 3), stride=2),
    "dilation": Shape((5, 5), (2, 2), dilation=2, pad=1),
    "strides and dilation": Shape((7, 6), (3, 2), dilation=3, stride=2, pad=2),
    "groups": Shape((3, 3), (2, 2), channels=(4, 6), groups=2, pad=1),
    "two images": Shape((3, 3), (2, 2), batch=2, pad=1),
    "one axis": Shape((7,), (3,), pad=1),
    "three axes": Shape((3, 2, 3), (2, 2, 2), pad=1),
    "one channel": Shape((4, 4), (3, 3), channels=(1, 1), pad=1),
}
draw = np.random.default_rng(15)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions whose patches overlap are checked at a challenge, however small they are."""
    monkeypatch.setattr(
        evaluated, "_if_it_takes_less", lambda op, positions, public: patches_of(positions, op.places, op.shifts)
    )


def layer_of(shape: Shape) -> tuple[Arrange, Linear]:
    groups, (fan_in, fan_out) = shape.groups, shape.channels
    positions, (places, shifts) = shape.windows.patches(groups), shape.windows.walk(fan_in // groups)
    ends = groups, fan_out // groups
    weight = draw.integers(-9, 10, (groups, positions.shape[2], ends[1]))
    bias, multiplier = draw.integers(-9, 10, ends), draw.integers(1, 4, ends)
    conv = Linear("conv", ("patches",), "out", weight, multiplier, bias, places, shifts)
    return Arrange("conv", ("x",), "patches", positions), conv


def network(shape: Shape) -> IntegerModel:
    return model_of(layer_of(shape), x=(shape.image, LOW, HIGH))


def image(shape: Shape) -> np.ndarray:
    return draw.integers(LOW, HIGH + 1, shape.image)


def patches(model: IntegerModel) -> Patches:
    (found,) = evaluated.evaluated(model, public=True).values()
    return found


WEIGHTS = [(name, weights) for name in SHAPES for weights in ("public", "private")]


@pytest.mark.parametrize(("name", "weights"), [*WEIGHTS, ("padding", "hashed")])
def test_outputs_are_those_of_the_semantics(checked: None, name: str, weights: str) -> None:
    model = network(SHAPES[name])
    assert evaluated.evaluated(model, public=weights == "public")
    assert_same_as_semantics(model, {"x": image(SHAPES[name])}, weights)


@pytest.mark.parametrize(("name", "weights"), [*WEIGHTS, ("groups", "hashed")])
def test_wires_are_counted_exactly(checked: None, name: str, weights: Any) -> None:
    assert_same(*sizes(network(SHAPES[name]), Visibilities(weights, inputs={"x": "private"})))


@pytest.mark.parametrize("name", ["padding", "strides", "dilation", "groups"])
def test_every_wire_is_pinned_by_the_layer_alone(checked: None, name: str) -> None:
    assert_every_wire_is_pinned(unpublished(network(SHAPES[name])), {"x": image(SHAPES[name])})


@pytest.mark.parametrize("name", ["padding", "strides", "groups"])
def test_there_is_one_witness(checked: None, name: str) -> None:
    assert_one_witness(compiled(network(SHAPES[name])), {"x": image(SHAPES[name])}, tries=60)


# lies


def _with_padding_read(operation: Arrange, places: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Positions that have, in the padding, an entry of the same place: rows of an image that run into each other."""
    positions = operation.positions.copy()
    at = places[:, None] + shifts
    known = {place: position for place, position in zip(at.ravel(), positions[0].ravel(), strict=True) if position >= 0}
    positions[0] = np.where(positions[0] < 0, np.vectorize(lambda p: known.get(p, -1))(at), positions[0])
    return positions


def _rows_run_on(arranged: Arrange, conv: Linear, x: np.ndarray) -> np.ndarray:
    positions = _with_padding_read(arranged, conv.places, conv.shifts)
    return _sums(replace(arranged, positions=positions), conv, x)


def _sums(arranged: Arrange, conv: Linear, x: np.ndarray) -> np.ndarray:
    """Before they are multiplied."""
    ones = np.ones_like(conv.multiplier)
    return semantics.apply(replace(conv, multiplier=ones), [semantics.apply(arranged, [x])])


def _one_entry(at: int, by: int = 1) -> Callable[..., np.ndarray]:
    def lie(arranged: Arrange, conv: Linear, x: np.ndarray) -> np.ndarray:
        y = _sums(arranged, conv, x)
        y.flat[at] += by
        return y

    return lie


def _of_other_weights(change: Callable[[np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda arranged, conv, x: _sums(arranged, replace(conv, weight=change(conv.weight)), x)


LIES: dict[str, Callable[..., np.ndarray]] = {
    "the first entry": _one_entry(0),
    "the last entry": _one_entry(-1, -5),
    "an entry at the border": _one_entry(3),
    "an entry inside": _one_entry(12),
    "by the modulus's half": lambda *layer: _sums(*layer).astype(object) + Fr.modulus // 2,
    "a shifted kernel": _of_other_weights(lambda w: np.roll(w, 1, axis=1)),
    "input channels swapped": _of_other_weights(lambda w: np.roll(w, w.shape[1] // 2, axis=1)),
    "output channels swapped": lambda *layer: _sums(*layer)[..., ::-1],
    "rows swapped": lambda *layer: _sums(*layer)[:, ::-1],
    "moved to the next place": lambda *layer: _sums(*layer) + np.array([1, -1, *[0] * 13])[:, None],
    "rows that run on": _rows_run_on,
    "a kernel that is turned": _of_other_weights(lambda w: w.reshape(2, 9, -1)[:, ::-1].reshape(w.shape)),
    "no bias": lambda arranged, conv, x: _sums(arranged, replace(conv, bias=np.zeros_like(conv.bias)), x),
}


@pytest.mark.parametrize("weights", ["public", "private", "hashed"])
@pytest.mark.parametrize("lie", LIES)
def test_no_output_can_be_another(checked: None, lie: str, weights: str) -> None:
    shape = Shape((5, 3), (3, 3), pad=1)
    model, x = network(shape), image(shape)
    arranged, conv = model.operations
    forged = LIES[lie](arranged, conv, x)
    assert (forged != _sums(arranged, conv, x)).any()
    if weights != "public":
        forged = forged * conv.multiplier[:, None, :]
    given = all_inputs(model, {"x": x}, weights)
    assert_forgery_fails(unpublished(model, weights), given, {"conv/convolution/sums": lambda *_: forged})


@pytest.mark.parametrize("factors", [(1, 1), (0, 0), (3, 2), (2, 4), (-2, 3)])
def test_hashed_multipliers_are_those_of_their_channels(checked: None, factors: tuple[int, int]) -> None:
    shape = Shape((5, 3), (3, 3), pad=1)
    model, x = network(shape), image(shape)
    arranged, conv = model.operations
    conv = replace(conv, multiplier=np.array([[2, 3]]))
    model = replace(model, operations=(arranged, conv))
    forged = _sums(arranged, conv, x) * np.array(factors)
    given = all_inputs(model, {"x": x}, "hashed")
    assert_forgery_fails(unpublished(model, "hashed"), given, {"conv/convolution/sums": lambda *_: forged})


@pytest.mark.parametrize("name", ["padding", "groups"])
def test_every_wire_beside_hashed_weights_is_pinned(checked: None, name: str) -> None:
    model = network(SHAPES[name])
    given = all_inputs(model, {"x": image(SHAPES[name])}, "hashed")
    assert_every_wire_is_pinned(unpublished(model, "hashed"), given)


OTHERS = [(name, lie) for name in SHAPES for lie in ("the last entry", "a shifted kernel")]
OTHERS += [(name, "rows that run on") for name in ("strides", "dilation", "one channel")]


@pytest.mark.parametrize(("name", "lie"), OTHERS)
def test_nor_where_windows_lie_otherwise(checked: None, name: str, lie: str) -> None:
    model, x = network(SHAPES[name]), image(SHAPES[name])
    forged = LIES[lie](*model.operations, x)
    assert (forged != _sums(*model.operations, x)).any()
    assert_forgery_fails(unpublished(model), {"x": x}, {"conv/convolution/sums": lambda *_: forged})


def test_padding_is_no_entry(checked: None) -> None:
    """The output of an image that a prover would go on with beyond its border."""
    shape = Shape((3, 3), (3, 3), pad=1)
    model, x = network(shape), image(shape)
    arranged, conv = model.operations
    beyond = semantics.apply(arranged, [x])
    beyond[arranged.positions < 0] = 3
    forged = semantics.apply(replace(conv, multiplier=np.ones_like(conv.multiplier)), [beyond])
    assert_forgery_fails(unpublished(model), {"x": x}, {"conv/convolution/sums": lambda *_: forged})


@pytest.mark.parametrize("value", [HIGH + 1, LOW - 1, 1 << 40])
def test_an_input_out_of_range_is_refused(checked: None, value: int) -> None:
    x = np.zeros(SHAPES["padding"].image, dtype=np.int64)
    x[0, 1, 1, 2] = value
    with pytest.raises(UnsatisfiedError):
        compiled(network(SHAPES["padding"])).witness({"x": x})


@pytest.mark.parametrize("left_out", ["inputs", "outputs", "weights", "biases"])
def test_what_meets_the_challenge_is_committed(checked: None, monkeypatch: pytest.MonkeyPatch, left_out: str) -> None:
    """Else the circuit does not compile: a prover could fit the values to the challenge."""
    commit = Circuit.commit
    monkeypatch.setattr(Circuit, "commit", lambda c, x, label=None: None if label == left_out else commit(c, x, label))
    model = network(SHAPES["padding"])
    circuit = Circuit()
    x = circuit.private("x", SHAPES["padding"].image)
    weights = "public" if left_out in ("inputs", "outputs") else "private"
    with pytest.raises(UsageError, match="could choose after it"):
        _written(circuit, model, x, weights).compile()


def _written(circuit: Circuit, model: IntegerModel, x: Any, weights: str) -> Circuit:
    """With inputs that no range check has committed."""
    from zkgpu.zkml.layers.network import Network

    net = Network(circuit, model, Visibilities(weights, inputs={"x": "private"}))
    net.values["x"] = x
    for operation in model.operations:
        net.write(operation)
    return circuit


def test_places_that_are_alike_are_no_places() -> None:
    """Outputs at one place would be told apart by nothing, not even where both read nothing but padding."""
    arranged, conv = layer_of(SHAPES["more padding than image"])
    assert patches_of(arranged.positions, conv.places, conv.shifts) is not None
    corners = np.flatnonzero((arranged.positions[0] < 0).sum(axis=1) >= arranged.positions.shape[2] - 2)
    alike = conv.places.copy()
    alike[corners[1]] = alike[corners[0]]
    positions = arranged.positions.copy()
    positions[:, corners] = -1
    assert patches_of(positions, conv.places, conv.shifts) is not None
    assert patches_of(positions, alike, conv.shifts) is None
    assert patches_of(positions, conv.places - 1, conv.shifts) is None
    assert patches_of(positions, conv.places[1:], conv.shifts) is None


# what they cost


def test_constraints_have_the_names_that_are_written_of_them(checked: None) -> None:
    compiled_layer = unpublished(network(SHAPES["padding"]))
    names = {label.removeprefix("conv/convolution/") for _, label in compiled_layer.r1cs.labels}
    assert {"products", "sums", "columns", "channels", "powers"} <= names


@pytest.mark.parametrize("name", SHAPES)
def test_each_column_is_the_weighed_sum_of_its_entries(name: str) -> None:
    """V_j = sum_i X_ij u_i, by the definition."""
    from zkgpu.zkml.layers.convolution import columns_at

    arranged, conv = layer_of(SHAPES[name])
    found = patches_of(arranged.positions, conv.places, conv.shifts)
    circuit = Circuit()
    x = circuit.private("x", SHAPES[name].image)
    circuit.commit(x)
    circuit.materialize(x + 1)  # entries that a stride leaves out are in a constraint as well
    point = powers(circuit, found.degree + 1)
    columns = columns_at(x.ravel()[found.sources], found, point)
    flat = concatenate([x.ravel(), circuit.constant([0])])
    rows = flat[arranged.positions].transpose((0, 2, 1))
    weighed = (rows * point[found.places + found.top]).sum(axis=-1)
    circuit.assert_equal(columns, weighed, label="by definition")
    circuit.compile().witness({"x": image(SHAPES[name])})


def test_no_place_is_paid_that_is_not_kept() -> None:
    """Of 16 x 16 with 8 channels in and out: entries once, outputs once, columns once, and as many powers as places."""
    shape = Shape((16, 16), (3, 3), channels=(8, 8), pad=1)
    arranged, conv = layer_of(shape)
    found = patches_of(arranged.positions, conv.places, conv.shifts)
    entries, columns = 8 * 256, 9 * 8
    assert found.constraints == entries + columns
    assert found.degree == 16 * 16 + 2 * 16 + 2
    strided = patches_of(*_parts(replace(shape, stride=2)))
    assert strided.sources.size == entries
    assert strided.degree == 8 * 8 + 8 + 1


def _parts(shape: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    arranged, conv = layer_of(shape)
    return arranged.positions, conv.places, conv.shifts


def test_weights_are_entries_once_and_by_their_own_bits() -> None:
    shape = Shape((32, 32), (3, 3), channels=(8, 64), pad=1)
    model = network(shape)
    assert list(evaluated.evaluated(model, public=True)) == ["out"]
    r1cs = build_circuit(model, Visibilities(inputs={"x": "private"})).compile().r1cs
    entries = sum(len(side.indices) for side in (r1cs.a, r1cs.b, r1cs.c))
    exact = replace(model, operations=(model.operations[0], replace(model.operations[1], places=None, shifts=None)))
    rows = int((model.operations[1].weight != 0).sum()) * 32 * 32
    assert entries < rows / 5
    assert evaluated.evaluated(exact, public=True) == {}


def test_small_and_depthwise_ones_are_rows_of_their_own() -> None:
    assert evaluated.evaluated(network(SHAPES["padding"]), public=True) == {}
    depthwise = network(Shape((48, 48), (3, 3), channels=(24, 24), groups=24, pad=1))
    assert evaluated.evaluated(depthwise, public=True) == {}


def test_private_weights_take_fewer_constraints_than_the_test_of_patches() -> None:
    """Which has a product for each entry of a patch."""
    shape = Shape((8, 8), (3, 3), channels=(4, 8), pad=1)
    model = network(shape)
    counted, _ = sizes(model, visibilities := Visibilities("private", inputs={"x": "private"}))
    before = replace(model, operations=(model.operations[0], replace(model.operations[1], places=None, shifts=None)))
    patched, _ = sizes(before, visibilities)
    saved = 8 * 4 * 64 - 8 * 8  # of nine products an entry eight, but those at the border are none
    assert counted.constraints < patched.constraints - saved / 2
    assert_same_as_semantics(model, {"x": image(shape)}, "private")


# from ONNX


def _of_onnx(stride: int, pad: int, dilation: int, groups: int) -> Any:
    attributes = {"strides": [stride] * 2, "pads": [pad] * 4, "dilations": [dilation] * 2, "group": groups}
    nodes = [
        node("Conv", "x w b", "c", **attributes),
        node("Relu", "c", "r"),
        node("ConvTranspose", "r t", "out", strides=[2, 2], pads=[1, 0, 1, 1], output_padding=[1, 0]),
    ]
    weights = {"w": normal(4, 4 // groups, 3, 3), "b": normal(4), "t": normal(4, 2, 3, 3)}
    return onnx_model(nodes, {"x": [1, 4, 7, 6]}, weights=weights)


@pytest.mark.parametrize("attributes", [(1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 2, 2), (3, 2, 1, 1)])
def test_convolutions_of_files_are_checked_so(checked: None, attributes: tuple[int, int, int, int]) -> None:
    """The kernel where its windows overlap, and each phase of the transposed one of more than one tap along an axis."""
    samples = normal(6, 4, 7, 6)
    network = compile_model(_of_onnx(*attributes), samples, limb=8, allow_error=9)
    convolutions = evaluated.evaluated(network.model, public=True)
    assert len(convolutions) == (attributes[0] < 3) + 3
    x = network.quantized(samples[0])
    assert (proven_output(network.circuit, network.circuit_inputs(x)) == network.run(x)["out"]).all()
