"""One emulated device for all tests of the kernels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.emulation.driver import EmulatedDriver, missing


@pytest.fixture(scope="session")
def driver() -> Iterator[EmulatedDriver]:
    if missing():
        pytest.skip(str(missing()))
    device = EmulatedDriver()
    yield device
    device.close()
