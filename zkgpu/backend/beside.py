"""Work of the CPU beside a backend: witnesses, checks of constraints, digests of files. It keeps to as many threads,
and its large arrays may lie in files."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from zkgpu.jit.memory import aligned_empty, give_back, large_in_files
from zkgpu.jit.threads import at_most, available_threads

__all__ = ["aligned_empty", "at_most", "available_threads", "beside", "give_back", "large_in_files"]


def beside(backend: Any) -> AbstractContextManager[None]:
    """While the block runs, what the calling thread does beside the backend uses no more CPU threads than that may."""
    return at_most(backend.host_threads)
