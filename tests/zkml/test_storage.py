"""The file of a compiled model: read back whole, and refused in one line whatever is changed in it."""

from __future__ import annotations

import contextlib
import io
import json
import resource
import zipfile
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zkml.models import model, node, normal
from zkgpu.errors import FormatError, ResourceError
from zkgpu.formats.arrays import read_stored
from zkgpu.inference import compile_model
from zkgpu.zkml.limbs import WIDTHS
from zkgpu.zkml.operations import Linear
from zkgpu.zkml.ranges import analyze
from zkgpu.zkml.sizes import shape_after
from zkgpu.zkml.storage import dump, parse

SAMPLES = np.random.default_rng(1).normal(size=(10, 4, 6))


def compiled():
    nodes = [
        node("LayerNormalization", "x g b", "n"),
        node("MatMul", "n w", "z"),
        node("Tanh", "z", "t"),
        node("Softmax", "t", "s"),
        node("ReduceMax", "s", "out", axes=[-1], keepdims=0),
    ]
    weights = {"g": normal(6), "b": normal(6), "w": normal(6, 5)}
    return compile_model(model(nodes, {"x": (1, 4, 6)}, weights=weights), SAMPLES, limb=6)


onnxruntime = pytest.importorskip("onnxruntime")
STORED = dump(compiled())
X = compiled().quantized(SAMPLES[2])["x"]


def convolution():
    """The weights of a convolution do not lie in memory in the order of their indices."""
    nodes = [
        node("Conv", "x w b", "z", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", "z", "r"),
        node("Flatten", "r", "f"),
        node("MatMul", "f v", "out"),
    ]
    weights = {"w": normal(3, 2, 3, 3), "b": normal(3), "v": normal(48, 5)}
    samples = np.random.default_rng(2).normal(size=(10, 2, 4, 4))
    return compile_model(model(nodes, {"x": (1, 2, 4, 4)}, weights=weights), samples, weights="hashed"), samples


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_in_any_order_of_memory_are_read_back(order: str) -> None:
    first, samples = convolution()
    assert not all(op.weight.flags.c_contiguous for op in first.model.operations if isinstance(op, Linear))
    arrays = {"description": np.zeros(1, np.uint8), "a0": np.arange(24, dtype=np.int8).reshape(2, 3, 4, order=order)}
    file = io.BytesIO()
    np.savez(file, **arrays)
    assert np.array_equal(read_stored(file.getvalue(), "m")["a0"], arrays["a0"])
    read = parse(dump(first), "m")
    x = {"x": first.quantized(samples[2])["x"]}
    assert (read.run(x)["out"] == first.run(x)["out"]).all()
    assert read.weights_hash == first.weights_hash
    pairs = zip(read.model.operations, first.model.operations, strict=True)
    assert all(np.array_equal(a.weight, b.weight) for a, b in pairs if isinstance(a, Linear))


def rewritten(change, stored: bytes = STORED) -> bytes:
    """The file with its description changed."""
    source, out = zipfile.ZipFile(io.BytesIO(stored)), io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for info in source.infolist():
            data = source.read(info)
            if info.filename == "description.npy":
                description = json.loads(np.load(io.BytesIO(data)).tobytes())
                change(description)
                member = io.BytesIO()
                np.save(member, np.frombuffer(json.dumps(description).encode(), dtype=np.uint8))
                data = member.getvalue()
            archive.writestr(info.filename, data)
    return out.getvalue()


def test_where_the_patches_of_a_convolution_lie_is_read_back() -> None:
    """Of files that earlier programs wrote it is not known: their convolutions stay rows."""
    stored = dump(convolution()[0])
    layer = next(op for op in parse(stored, "m").model.operations if isinstance(op, Linear))
    assert layer.places.tolist() == list(range(16))
    assert layer.shifts.tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10] * 2
    older = rewritten(lambda d: [op.pop(name) for op in linear(d) for name in ("places", "shifts")], stored)
    assert all(op.places is op.shifts is None for op in parse(older, "m").model.operations if isinstance(op, Linear))


def linear(description):
    return [op for op in description["model"]["operations"] if op["kind"] == "Linear"]


@pytest.mark.parametrize(
    "change",
    [
        lambda op: op.update(places=op["shifts"]),  # some alike
        lambda op: op.update(shifts=op["places"]),  # not as many as columns
        lambda op: op.update(places=None),
        lambda op: op.update(shifts=5),
        lambda op: op.update(places=op["weight"]),
        lambda op: op.update(shifts=op["multiplier"]),
    ],
)
def test_patches_that_lie_nowhere_are_refused(change) -> None:
    data = rewritten(lambda d: change(linear(d)[0]), dump(convolution()[0]))
    with pytest.raises(FormatError):
        parse(data, "m")


def test_a_model_is_read_back_as_it_was() -> None:
    first, read = compiled(), parse(STORED, "m")
    x = {"x": first.quantized(SAMPLES[2])["x"]}
    assert (read.run(x)["out"] == first.run(x)["out"]).all()
    assert dump(read) == STORED == dump(first)
    assert read.circuit.r1cs.n_constraints == first.circuit.r1cs.n_constraints


def test_every_width_of_limbs_that_is_chosen_from_is_read_back() -> None:
    assert max(WIDTHS) >= 18
    for limb in WIDTHS:
        assert parse(rewritten(lambda d, limb=limb: d["model"].update(limb=limb)), "m").model.limb == limb


def operation(description, kind: str):
    return next(op for op in description["model"]["operations"] if op["kind"] == kind)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("model"),
        lambda d: d.update({"zkgpu model": 1}),
        lambda d: d["model"].update(limb=0),
        lambda d: d["model"].update(limb=True),
        lambda d: d["model"].update(limb=21),
        lambda d: d["model"]["operations"].pop(0),
        lambda d: operation(d, "Linear").update(kind="Matmul"),
        lambda d: operation(d, "Linear").update(weight={"array": "a999"}),
        lambda d: operation(d, "Linear").update(multiplier=operation(d, "Linear")["weight"]),
        lambda d: operation(d, "Linear").update(extra=1),
        lambda d: operation(d, "Requantize").update(shift=-1),
        lambda d: operation(d, "Requantize").update(shift=1 << 40),
        lambda d: operation(d, "Lookup").update(first=5),
        lambda d: operation(d, "Softmax").update(bits=0),
        lambda d: operation(d, "Normalize").update(epsilon=0),
        lambda d: operation(d, "Arrange").update(inputs=["nothing"]),
        lambda d: operation(d, "Arrange").update(output="x"),
        lambda d: d["model"]["inputs"][0].update(shape=[1, 4, 1 << 40]),
        lambda d: d["model"]["inputs"][0].update(scale=0),
        lambda d: d["model"]["inputs"][0].update(low=99, high=1),
        lambda d: d["model"]["outputs"][0].update(shape=[7]),
        lambda d: d["visibilities"].update(weights="shared"),
        lambda d: d.update(recipe=None),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(change) -> None:
    with pytest.raises(FormatError, match=r"^m\.npz: ") as error:
        parse(rewritten(change), "m.npz")
    assert "\n" not in str(error.value)


def huge_input(description) -> None:
    description["model"]["inputs"][0]["shape"] = [1 << 28]


def huge_product(description) -> None:
    """An input that fits, and what a layer makes of it that does not."""
    model = description["model"]
    weight = {"array": operation(description, "Linear")["weight"]["array"]}
    model["inputs"] = [{**model["inputs"][0], "shape": [1, 1 << 22, 6]}]
    model["operations"] = [
        {"kind": "Linear", "layer": "big", "inputs": ["x"], "output": "out", "weight": weight, **_parts(description)}
    ]


def _parts(description):
    return {key: operation(description, "Linear")[key] for key in ("multiplier", "bias")}


@pytest.mark.parametrize("change", [huge_input, huge_product])
def test_a_small_file_of_huge_tensors_is_refused_before_they_are_made(change) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ResourceError, match=r"^m\.npz: .*--memory"):
        parse(rewritten(change), "m.npz")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_memory_is_what_the_user_allows() -> None:
    with pytest.raises(ResourceError, match="--memory"):
        parse(STORED, "m.npz", memory=1 << 10)
    parse(STORED, "m.npz", memory=1 << 20)


def test_sizes_are_those_of_the_values() -> None:
    for stored in (compiled(), convolution()[0]):
        shapes = {tensor.name: tensor.shape for tensor in stored.model.inputs}
        values = analyze(stored.model)
        for op in stored.model.operations:
            shapes[op.output] = shape_after(op, [shapes[name] for name in op.inputs])
            assert shapes[op.output] == values[op.output].shape, op


def test_an_array_named_many_times_is_one_array() -> None:
    arrays = [op.weight for op in parse(STORED, "m").model.operations if isinstance(op, Linear)]
    again = rewritten(
        lambda d: d.update(reference=d["model"], visibilities={**d["visibilities"], "weights": "private"})
    )
    model = parse(again, "m")
    assert model.reference is not None
    twice = [op.weight for op in model.reference.operations if isinstance(op, Linear)]
    assert len(arrays) == len(twice)
    assert any(w is op.weight for op in model.model.operations if isinstance(op, Linear) for w in twice)


def test_a_second_network_beside_public_weights_is_refused() -> None:
    """The circuit would be that of one, and what is run, predicted and reported that of the other."""

    def two_faced(description) -> None:
        description["reference"] = json.loads(json.dumps(description["model"]))
        names = [operation(d, "Linear")["bias"]["array"] for d in (description, {"model": description["reference"]})]
        assert names[0] == names[1]

    with pytest.raises(FormatError, match="a second network beside one whose weights are public"):
        parse(rewritten(two_faced), "m.npz")


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(limb=m["limb"] + 1),
        lambda m: m["outputs"][0].update(scale=2 * m["outputs"][0]["scale"]),
        lambda m: m["inputs"][0].update(scale=2 * m["inputs"][0]["scale"]),
        lambda m: m["inputs"][0].update(low=m["inputs"][0]["low"] - 1),
        lambda m: m["outputs"].append({**m["outputs"][0], "name": next(o["output"] for o in m["operations"])}),
    ],
)
def test_weights_of_another_network_are_refused(change) -> None:
    """What a proof is read by, scales and the choice of outputs, is that of the network whose circuit it is."""

    def replaced(description) -> None:
        description["visibilities"]["weights"] = "private"
        description["reference"] = json.loads(json.dumps(description["model"]))
        change(description["model"])

    parse(rewritten(lambda d: d["visibilities"].update(weights="private")), "m.npz")
    with pytest.raises(FormatError):
        parse(rewritten(replaced), "m.npz")


def test_an_array_that_holds_more_than_64_bits_with_a_sign_is_refused() -> None:
    source, out = zipfile.ZipFile(io.BytesIO(STORED)), io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for info in source.infolist():
            data = source.read(info)
            if info.filename == "a0.npy":
                member = io.BytesIO()
                np.save(member, np.load(io.BytesIO(data)).astype(np.uint64))
                data = member.getvalue()
            archive.writestr(info.filename, data)
    with pytest.raises(FormatError, match=r"'a0\.npy' in it is not an array of integers"):
        parse(out.getvalue(), "m.npz")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(STORED) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_harmless(place: int, mask: int) -> None:
    data = bytearray(STORED)
    data[place] ^= mask
    with contextlib.suppress(FormatError):
        parse(bytes(data), "m.npz").run({"x": X})


@pytest.mark.parametrize("length", [0, 1, 22, 100, len(STORED) // 2, len(STORED) - 1])
def test_a_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(FormatError):
        parse(STORED[:length], "m.npz")


def test_an_array_that_says_to_be_longer_than_the_file_is_damage_and_no_want_of_memory() -> None:
    data = bytearray(STORED)
    size = data.rindex(b"PK\x01\x02") + 24  # of the last member of the archive's directory
    data[size + 2] = 0xFF
    with pytest.raises(FormatError, match=r"m\.npz"):
        parse(bytes(data), "m.npz")


def test_compressed_members_are_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("description.npy", b"\0" * 100_000)
    with pytest.raises(FormatError, match="compressed"):
        parse(out.getvalue(), "m.npz")


def test_the_network_of_the_demo_is_the_float_model_of_the_examples() -> None:
    stored = parse(files("zkgpu.demo").joinpath("digits_cnn.npz").read_bytes(), "digits_cnn.npz")
    images = np.random.default_rng(4).integers(0, 17, (8, 1, 1, 8, 8)).astype(np.float32)
    source = Path(__file__).parents[2] / "examples" / "models" / "digits_cnn.onnx"
    session = onnxruntime.InferenceSession(source.read_bytes(), providers=["CPUExecutionProvider"])
    shape = stored.model.inputs[0].shape
    for image in images:
        (expected,) = session.run(None, {"image": image})
        (scores,) = stored.predict(image.reshape(shape), clamp=True).values()
        assert np.corrcoef(scores.ravel(), expected.ravel())[0, 1] > 0.99
