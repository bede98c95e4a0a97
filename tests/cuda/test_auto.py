"""The device "auto": a GPU that passes its test, else the CPU with the reason; a named GPU is never replaced."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cuda.cupy_double import Cupy
from tests.emulation.driver import EmulatedDriver
from zkgpu.backend import open_backend
from zkgpu.backend.auto import describe_gpu, gpu_problem
from zkgpu.backend.cpu import CpuBackend
from zkgpu.backend.cuda import CudaBackend
from zkgpu.cli.session import Session
from zkgpu.errors import ResourceError
from zkgpu.gpu import cupy_driver


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Every test finds out anew."""
    gpu_problem.cache_clear()
    yield
    gpu_problem.cache_clear()


@pytest.fixture
def without_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)


@pytest.fixture
def cupy(cupy: Cupy) -> Any:
    double: Any = cupy
    double.__spec__ = ModuleSpec("cupy", None)
    return double


@pytest.fixture
def gpu(cupy: Any, emulated: EmulatedDriver, monkeypatch: pytest.MonkeyPatch) -> EmulatedDriver:
    """A machine whose GPU is the emulated one."""
    monkeypatch.setattr(cupy_driver, "CupyDriver", lambda number=0: emulated)
    monkeypatch.setattr(emulated, "name", "cuda:0")
    monkeypatch.setattr(emulated, "description", "Emulated GPU", raising=False)
    return emulated


def test_without_cupy_auto_is_the_cpu_at_once_and_says_nothing(
    without_cupy: None, caplog: pytest.LogCaptureFixture
) -> None:
    def seconds() -> float:
        gpu_problem.cache_clear()
        began = time.thread_time()
        assert "CuPy is not installed" in str(gpu_problem())
        return time.thread_time() - began

    assert min(seconds() for _ in range(5)) < 0.01  # a collection of garbage may fall into one of them
    assert isinstance(open_backend(), CpuBackend)
    assert caplog.text == ""
    assert describe_gpu() == "none: CuPy is not installed: pip install 'zkgpu[cuda13]' (or cuda12)"


def test_without_cupy_auto_loads_nothing_of_the_gpu(without_cupy: None) -> None:
    code = "import sys; sys.modules['cupy'] = None; from zkgpu import open_backend; open_backend()"
    check = "assert not {'zkgpu.backend.cuda', 'zkgpu.gpu.driver', 'zkgpu.gpu.program'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", f"{code}; {check}"], check=True)


def test_a_gpu_that_works_is_taken_and_named_once(gpu: EmulatedDriver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "zkgpu")
    assert isinstance(open_backend("auto"), CudaBackend)
    assert isinstance(open_backend("auto"), CudaBackend)
    assert caplog.text.count("auto: computing on cuda:0") == 1
    assert describe_gpu() == "cuda:0: Emulated GPU"


@pytest.mark.parametrize(("level", "lines"), [("WARNING", 1), ("INFO", 0)])
def test_the_command_line_names_it_where_the_log_does_not(
    gpu: EmulatedDriver,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    level: str,
    lines: int,
) -> None:
    caplog.set_level(level, "zkgpu")
    monkeypatch.setattr(logging.getLogger("zkgpu"), "handlers", [])
    assert isinstance(Session().backend(), CudaBackend)
    assert capsys.readouterr().err.splitlines() == ["auto: computing on cuda:0"] * lines


def break_count(cupy: Any) -> None:
    def fail() -> int:
        raise cupy.cuda.runtime.CUDARuntimeError("the driver is too old\nfor this CuPy")

    cupy.cuda.runtime.getDeviceCount = fail


def break_compiler(cupy: Any) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("libnvrtc.so.13 is not there")

    cupy.RawModule = fail


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (break_count, "the driver is too old"),
        (break_compiler, "libnvrtc.so.13 is not there"),
        (lambda cupy: setattr(cupy, "cuda", SimpleNamespace()), "has no attribute"),
    ],
)
def test_a_gpu_that_does_not_work_is_left_with_the_reason(
    cupy: Any, break_it: Callable[[Any], None], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    break_it(cupy)
    assert isinstance(open_backend(), CpuBackend)
    assert isinstance(open_backend(), CpuBackend)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("auto: computing on the CPU, as the GPU does not work: ")
    assert reason in caplog.text
    assert reason in describe_gpu()
    assert "\n" not in describe_gpu()


def test_a_gpu_that_gives_wrong_results_is_not_taken(
    gpu: EmulatedDriver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    honest = gpu.read

    def read(memory: Any, offset: int, nbytes: int) -> Any:
        data = honest(memory, offset, nbytes)
        data[0] ^= 1
        return data

    monkeypatch.setattr(gpu, "read", read)
    assert isinstance(open_backend(), CpuBackend)
    assert "it gives wrong results" in caplog.text


def test_a_gpu_that_was_asked_for_is_never_replaced(cupy: Any) -> None:
    break_count(cupy)
    with pytest.raises(ResourceError, match="cuda:0: the driver is too old"):
        open_backend("cuda")
