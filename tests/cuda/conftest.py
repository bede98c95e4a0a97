"""One emulated device, and a GPU where there is one, for all tests of the kernels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.devices import gpu
from tests.emulation.driver import EmulatedDriver, missing
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
