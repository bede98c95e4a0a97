"""Models that have no room here are refused before work starts, with the sizes; a disk that fills up leaves nothing."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.cli.test_zkml_refusals import PIXELS, dense, done
from tests.zkml.models import onnx
from zkgpu.backend import open_backend
from zkgpu.evm import gas
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.inference import CompiledModel, Folder
from zkgpu.provers import room
from zkgpu.systems.files import write_key
from zkgpu.systems.registry import NAMES, system
from zkgpu.zkml.tally import Size

HEADERS = 4096  # bytes of a key that do not grow with its circuit


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, samples, and what `compile` made of them in `built`."""
    folder = tmp_path_factory.mktemp("room")
    onnx.save(dense(), folder / "m.onnx")
    np.save(folder / "m.npy", PIXELS)
    done("zkml", "compile", folder / "m.onnx", "--calibrate", folder / "m.npy", "-o", folder / "built")
    return folder


def commands(model: Path, folder: Path) -> dict[str, tuple[object, ...]]:
    shutil.copytree(model / "built", folder / "built")
    source = (model / "m.onnx", "--calibrate", model / "m.npy")
    return {
        "estimate": ("zkml", "estimate", *source),
        "compile": ("zkml", "compile", *source, "-o", folder / "new" / "build"),
        "setup": ("zkml", "setup", folder / "built", "--unsafe"),
    }


def refused(command: Any, model: Path, tmp_path: Path, name: str, *texts: str) -> None:
    arguments = commands(model, tmp_path)[name]
    before = sorted(tmp_path.rglob("*"))
    line = command(*arguments).error(5)
    assert all(text in line for text in texts), line
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["estimate", "compile", "setup"])
def test_a_circuit_beyond_the_largest_domain(
    model: Path, tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    account = SimpleNamespace(size=Size(300_000_000, 400_000_000, 10**9, 3, ()))
    monkeypatch.setattr(CompiledModel, "account", property(lambda _: account))
    refused(command, model, tmp_path, name, "300000000 constraints", "2^27")


@pytest.mark.parametrize("limit", ["MOST_GAS", "MOST_CALLDATA"])
@pytest.mark.parametrize("name", ["estimate", "compile"])
def test_values_that_no_transaction_holds(
    model: Path, tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch, name: str, limit: str
) -> None:
    arguments = commands(model, tmp_path)[name]
    quiet = command(*arguments, "--json")
    costs = quiet.json["costs"]
    assert "no transaction" not in quiet.err
    monkeypatch.setattr(gas, limit, costs["gas" if limit == "MOST_GAS" else "calldata"] - 1)
    warned = command(*arguments)
    assert warned.code == 0
    assert f"{costs['calldata']:,} bytes, where nodes pass on" in warned.err
    assert f"about {costs['gas']:,} gas of" in warned.err
    assert "--hashed 'out' publishes a hash in place of 3 values" in warned.err


@pytest.mark.parametrize("name", ["estimate", "compile", "setup"])
def test_a_circuit_that_memory_does_not_hold(
    model: Path, tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(room, "memory_of_this_process", lambda: 30 << 20)
    refused(command, model, tmp_path, name, "MiB of memory, and this process may have 30.0 MiB: take")


@pytest.mark.parametrize("name", ["compile", "setup"])
def test_a_key_that_the_disk_does_not_hold(
    model: Path, tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 10))
    refused(command, model, tmp_path, name, "key.zkey", "would take about", "the disk has 1.0 KiB left: make room")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_while_a_key_is_written(
    model: Path, tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_key = Folder.write_key

    def with_little_room(*arguments: Any) -> None:
        with files_of_at_most(1 << 14):
            write_key(*arguments)

    monkeypatch.setattr(Folder, "write_key", with_little_room)
    refused(command, model, tmp_path, "setup", "cannot be written", "File too large")


def test_the_least_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "max").write_text("max\n")
    (tmp_path / "limit").write_text("123456\n")
    monkeypatch.setattr(room, "_CGROUPS", (tmp_path / "max", tmp_path / "none"))
    assert (room.memory_of_this_process() or 0) > 1 << 28
    monkeypatch.setattr(room, "_CGROUPS", (tmp_path / "max", tmp_path / "limit"))
    assert room.memory_of_this_process() == 123456


def plain(samples: Path, folder: Path, protocol: str) -> tuple[object, ...]:
    return ("setup", samples / "range" / "range.r1cs", folder / "key.zkey", "--unsafe", "--protocol", protocol)


@pytest.mark.parametrize("protocol", NAMES)
def test_a_plain_setup_that_memory_or_disk_does_not_hold(
    samples: Path, tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 10))
    line = command(*plain(samples, tmp_path, protocol)).error(5)
    assert "key.zkey: it would take about" in line
    monkeypatch.setattr(room, "memory_of_this_process", lambda: 1 << 10)
    line = command(*plain(samples, tmp_path, protocol)).error(5)
    assert "constraints take about" in line
    assert "may have 1.0 KiB" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("protocol", NAMES)
def test_the_disk_that_a_key_takes_is_known_before_it_is_made(samples: Path, tmp_path: Path, protocol: str) -> None:
    r1cs = read_r1cs(samples / "range" / "range.r1cs")
    write_key(tmp_path / "key.zkey", system(protocol).unsafe_setup(r1cs, open_backend("cpu", threads=1)))
    size = (tmp_path / "key.zkey").stat().st_size
    disk = system(protocol).setup_room(r1cs).disk
    assert disk <= size <= 1.01 * disk + HEADERS
