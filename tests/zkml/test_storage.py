"""The file of a compiled model: read back whole, and refused in one line whatever is changed in it."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zkml.models import model, node, normal
from zkgpu.errors import FormatError
from zkgpu.zkml.compiled import compile_model
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


STORED = dump(compiled())
X = compiled().quantised(SAMPLES[2])["x"]


def rewritten(change) -> bytes:
    """The file with its description changed."""
    source, out = zipfile.ZipFile(io.BytesIO(STORED)), io.BytesIO()
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


def test_a_model_is_read_back_as_it_was() -> None:
    first, read = compiled(), parse(STORED, "m")
    x = {"x": first.quantised(SAMPLES[2])["x"]}
    assert (read.run(x)["out"] == first.run(x)["out"]).all()
    assert dump(read) == STORED == dump(first)
    assert read.circuit.r1cs.n_constraints == first.circuit.r1cs.n_constraints


def operation(description, kind: str):
    return next(op for op in description["model"]["operations"] if op["kind"] == kind)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("model"),
        lambda d: d.update({"zkgpu model": 2}),
        lambda d: d["model"].update(limb=0),
        lambda d: d["model"].update(limb=True),
        lambda d: d["model"]["operations"].pop(0),
        lambda d: operation(d, "Linear").update(kind="Matmul"),
        lambda d: operation(d, "Linear").update(weight={"array": "a999"}),
        lambda d: operation(d, "Linear").update(multiplier=operation(d, "Linear")["weight"]),
        lambda d: operation(d, "Linear").update(extra=1),
        lambda d: operation(d, "Requantise").update(shift=-1),
        lambda d: operation(d, "Requantise").update(shift=1 << 40),
        lambda d: operation(d, "Lookup").update(first=5),
        lambda d: operation(d, "Softmax").update(bits=0),
        lambda d: operation(d, "Normalise").update(epsilon=0),
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


def test_compressed_members_are_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("description.npy", b"\0" * 100_000)
    with pytest.raises(FormatError, match="compressed"):
        parse(out.getvalue(), "m.npz")
