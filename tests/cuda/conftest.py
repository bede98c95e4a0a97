"""One emulated device, and a GPU where there is one, for all tests of the kernels; and a double of CuPy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cuda.cupy_double import Cupy
from tests.devices import gpu
from tests.emulation.driver import EmulatedDriver, missing
from zkgpu.gpu.cubins import Cubins
from zkgpu.gpu.driver import Driver


@pytest.fixture(scope="session")
def emulated() -> Iterator[EmulatedDriver]:
    if missing():
        pytest.skip(str(missing()))
    device = EmulatedDriver()
    yield device
    device.close()


@pytest.fixture(scope="session", params=["emulated", *gpu()])
def driver(request: pytest.FixtureRequest) -> Driver:
    if request.param == "emulated":
        return request.getfixturevalue("emulated")
    from zkgpu.gpu.cupy_driver import CupyDriver

    return CupyDriver()


@pytest.fixture
def cubins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cubins:
    """What is installed: nothing yet."""
    installed = Cubins(tmp_path / "cubins")
    monkeypatch.setattr(Cubins, "installed", staticmethod(lambda: installed))
    return installed


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch, cubins: Cubins) -> Cupy:
    """A double of CuPy, for a package without cubins."""
    double = Cupy()
    monkeypatch.setitem(sys.modules, "cupy", double)  # type: ignore[arg-type]
    return double
