"""Work of the CPU beside a backend: witnesses, checks of constraints, digests of files. It keeps to as many threads."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from zkgpu.jit.threads import at_most

__all__ = ["at_most", "beside"]


def beside(backend: Any) -> AbstractContextManager[None]:
    """While the block runs, what the calling thread does beside the backend uses no more CPU threads than that may."""
    return at_most(backend.host_threads)
