"""One emulated device for all tests of the kernels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.emulation.driver import EmulatedDriver, compiler


@pytest.fixture(scope="session")
def driver() -> Iterator[EmulatedDriver]:
    if compiler() is None:
        pytest.skip("the emulation needs g++")
    device = EmulatedDriver()
    yield device
    device.close()
