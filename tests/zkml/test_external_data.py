"""Weights in a file beside the model's are read from there, and from nowhere else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx
from zkgpu.errors import FormatError, ResourceError, UsageError
from zkgpu.inference import check, compile_model
from zkgpu.zkml import external_data
from zkgpu.zkml.onnx_model import OnnxModel

SAMPLES = normal(40, 6)
WEIGHT = normal(6, 40)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """models/m.onnx with models/m.onnx.data, and secret.bin outside."""
    inner = tmp_path / "models"
    inner.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(10_000))
    big = model([node("Gemm", "x w", "out")], {"x": ("N", 6)}, weights={"w": WEIGHT})
    onnx.save(big, inner / "m.onnx", save_as_external_data=True, location="m.onnx.data", size_threshold=100)
    return inner


def altered(folder: Path, **entries: str) -> Path:
    """The model with other words about where its weights lie."""
    proto = onnx.load(folder / "m.onnx", load_external_data=False)
    (tensor,) = proto.graph.initializer
    known = {entry.key: entry.value for entry in tensor.external_data} | entries
    del tensor.external_data[:]
    for key, value in known.items():
        tensor.external_data.add(key=key, value=value)
    (folder / "m.onnx").write_bytes(proto.SerializeToString())
    return folder / "m.onnx"


def test_weights_beside_the_file_are_as_good_as_those_in_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = model([node("Gemm", "x w", "out")], {"x": ("N", 6)}, weights={"w": WEIGHT})
    wanted = compile_model(inside, SAMPLES, limb=6).predict(SAMPLES[:3])["out"]
    assert np.array_equal(compile_model(folder / "m.onnx", SAMPLES, limb=6).predict(SAMPLES[:3])["out"], wanted)
    monkeypatch.chdir(folder)
    assert check("m.onnx").is_supported
    assert compile_model("m.onnx", SAMPLES, limb=6, weights="private").with_weights("m.onnx")


def test_of_bytes_and_messages_nobody_knows_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for source in ((folder / "m.onnx").read_bytes(), onnx.load(folder / "m.onnx", load_external_data=False)):
        with pytest.raises(FormatError, match="weights 'w' lie outside of the model: give the path of its file"):
            OnnxModel.read(source)


def elsewhere(folder: Path) -> dict[str, str]:
    os.symlink(folder.parent / "secret.bin", folder / "link")
    (folder / "inner").mkdir()
    (folder / "inner" / "w").write_bytes(bytes(10_000))
    return {
        "above": "../secret.bin",
        "above, by a detour": "inner/../../secret.bin",
        "absolute": str(folder.parent / "secret.bin"),
        "absolute, inside": str(folder / "m.onnx.data"),
        "a link out": "link",
        "a folder further in": "inner/w",
        "a backslash": "..\\secret.bin",
        "nothing": "",
        "the folder": ".",
        "the one above": "..",
    }


def test_a_place_outside_of_the_folder_is_refused(folder: Path) -> None:
    for what, location in elsewhere(folder).items():
        path = altered(folder, location=location)
        with pytest.raises(FormatError, match=r"weights 'w' lie in .*not in the model's own folder"):
            pytest.fail(f"{what}: {OnnxModel.read(path)}")


def test_a_link_inside_of_the_folder_leads_nowhere_else(folder: Path) -> None:
    os.symlink("m.onnx.data", folder / "link")
    assert OnnxModel.read(altered(folder, location="./link"))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"offset": "1"}, "end at byte 961 of m.onnx.data, which has 960"),
        ({"offset": "-4"}, "the offset '-4', which is no number"),
        ({"offset": "1e3"}, "the offset '1e3', which is no number"),
        ({"length": "12"}, "take 960 bytes, not the length given"),
        ({"length": "99999999999"}, "take 960 bytes, not the length given"),
    ],
)
def test_sizes_are_those_of_the_shape_and_the_file(folder: Path, entries: dict[str, str], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        OnnxModel.read(altered(folder, **entries))


def test_a_missing_file_and_a_pipe_are_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="gone"):
        OnnxModel.read(altered(folder, location="gone"))
    os.mkfifo(folder / "pipe")
    with pytest.raises(UsageError, match="pipe"):
        OnnxModel.read(altered(folder, location="pipe"))


def test_many_weights_that_share_bytes_do_not_grow_beyond_the_limit(folder: Path, monkeypatch: Any) -> None:
    proto = onnx.load(folder / "m.onnx", load_external_data=False)
    for i in range(5):
        proto.graph.initializer.add().CopyFrom(proto.graph.initializer[0])
        proto.graph.initializer[-1].name = f"w{i}"
    (folder / "m.onnx").write_bytes(proto.SerializeToString())
    monkeypatch.setattr(external_data, "MOST", 4000)
    with pytest.raises(ResourceError, match="weights 'w3' and those before take more than 4,000 bytes"):
        OnnxModel.read(folder / "m.onnx")
