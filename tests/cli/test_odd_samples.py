"""Samples and options that make no sense: one line that says what and where, and the exit code of a bad argument."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx
from zkgpu.cli.program import main

GOOD = normal(40, 4)


def with_number(number: float) -> np.ndarray:
    samples = GOOD.copy()
    samples[3, 2] = number
    return samples


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("odd")
    proto = model([node("Gemm", "x w", "h"), node("Relu", "h", "out")], {"x": ("N", 4)}, weights={"w": normal(4, 3)})
    onnx.save(proto, path / "m.onnx")
    np.save(path / "good.npy", GOOD)
    (path / "text.onnx").write_text("hello world")
    return path


def refused(capsys, *arguments: object) -> tuple[int, str]:
    """The exit code, and the one line that is told."""
    with pytest.raises(SystemExit) as stopped:
        main(["zkml", *map(str, arguments)])
    (line,) = capsys.readouterr().err.strip().splitlines()
    return int(stopped.value.code or 0), line


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        (with_number(np.nan), "no finite number in sample 3 at index [2]"),
        (with_number(np.inf), "no finite number in sample 3 at index [2]"),
        (with_number(1e39), "takes float32, but its data hold numbers too large for it"),
        (GOOD[:0], "have the shape (0, 4), without a sample"),
        (GOOD + 0j, "are complex128, and not real numbers"),
        (GOOD.astype(str), "and not real numbers"),
        (np.float32(3), "have the shape (), without a sample"),
    ],
)
def test_arrays_that_are_no_samples(samples: np.ndarray, told: str, folder: Path, tmp_path: Path, capsys) -> None:
    np.save(tmp_path / "x.npy", samples)
    given = ["compile", folder / "m.onnx", "--calibrate", tmp_path / "x.npy", "-o", tmp_path / "build"]
    code, line = refused(capsys, *given)
    assert code == 3
    assert line.startswith(f"error: {tmp_path / 'x.npy'}: ")
    assert told in line
    assert not (tmp_path / "build").exists()


def empty_archive() -> bytes:
    out = io.BytesIO()
    zipfile.ZipFile(out, "w").close()
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "code", "told"),
    [
        ("x.json", b'{"y": [[1, 2, 3, 4]]}', 3, "it holds y, but the model has the inputs x"),
        ("x.npz", empty_archive(), 3, "the data holds nothing for input 'x'; it has nothing"),
        ("x.npy", b"\x80\x04\x95pickled", 3, "byte 0 is not UTF-8, nor is it an array of NumPy"),
    ],
)
def test_files_that_hold_something_else(
    name: str, content: bytes, code: int, told: str, folder: Path, tmp_path: Path, capsys
) -> None:
    (tmp_path / name).write_bytes(content)
    given = ["compile", folder / "m.onnx", "--calibrate", tmp_path / name, "-o", tmp_path / "build"]
    found, line = refused(capsys, *given)
    assert found == code
    assert told in line


def test_a_tensor_is_private_or_hashed(folder: Path, tmp_path: Path, capsys) -> None:
    given = ["compile", folder / "m.onnx", "--calibrate", folder / "good.npy", "-o", tmp_path / "build"]
    assert refused(capsys, *given, "--private", "x", "--hashed", "x") == (
        2,
        "error: --private x and --hashed x: give one of them",
    )


def test_a_file_that_is_no_model_is_named(folder: Path, capsys) -> None:
    code, line = refused(capsys, "check", folder / "text.onnx")
    assert code == 3
    assert line.endswith("text.onnx: not an ONNX model: its bytes do not parse: export it again")
