"""The GPU that tests run over beside the emulated one, on machines that have one: `pytest -m gpu` runs these alone.

ZKGPU_TEST_POOL=0 gives every array memory of its own, so that compute-sanitizer sees where each one ends.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

import pytest

from zkgpu.backend import open_backend
from zkgpu.errors import ResourceError


@lru_cache
def no_gpu() -> str | None:
    """What keeps tests from a GPU; None when nothing does."""
    try:
        open_backend("cuda")
    except ResourceError as error:
        return str(error)
    if os.environ.get("ZKGPU_TEST_POOL") == "0":
        import cupy

        cupy.cuda.set_allocator(None)
    return None


def gpu() -> list[Any]:
    """The parameter "cuda", marked, where there is a GPU; else none."""
    return [] if no_gpu() else [pytest.param("cuda", marks=pytest.mark.gpu)]
