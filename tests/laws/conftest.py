"""Every law runs over every backend: over all instruction sets of the CPU, and on a GPU that is emulated."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.devices import gpu
from tests.emulation.driver import EmulatedDriver, missing
from zkgpu.backend import Backend, open_backend
from zkgpu.backend.cuda import CudaBackend
from zkgpu.curves.bn254 import BN254, G2
from zkgpu.jit.isa import supported

DEVICES = ["reference", *(f"cpu-{isa.name}" for isa in supported()), "emulated", *gpu()]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On the instruction set of fused multiply-adds the kernels of G2 take longest to compile: nightly."""
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if parameters.get("backend") == "cpu-fma" and parameters.get("group") is G2:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def emulated() -> Iterator[CudaBackend]:
    """A small tile makes transforms of a few values take several passes."""
    if missing():
        pytest.skip(str(missing()))
    driver = EmulatedDriver()
    yield CudaBackend(driver, BN254, log_tile=4)
    driver.close()


@pytest.fixture(params=DEVICES)
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "emulated":
        emulated: Backend = request.getfixturevalue("emulated")
        return emulated
    device, _, instructions = request.param.partition("-")
    return open_backend(device, threads=2, instructions=instructions or None)
