"""Every law runs over every backend, and over both instruction paths of the CPU."""

from __future__ import annotations

import pytest

from zkgpu.backend import Backend, open_backend
from zkgpu.jit.path import supported

DEVICES = ["reference", *(f"cpu-{path.name}" for path in supported())]


@pytest.fixture(params=DEVICES)
def backend(request: pytest.FixtureRequest) -> Backend:
    device, _, instructions = request.param.partition("-")
    return open_backend(device, threads=2, instructions=instructions or None)
