"""What the CPU backend finds on this machine: instruction sets, and the compiled code that is kept for it."""

from __future__ import annotations

from zkgpu.jit.cache import CacheInfo, cache_info, clear_cache, kernel_folder
from zkgpu.jit.path import choose, supported

__all__ = ["CacheInfo", "cache_info", "clear_cache", "instruction_set", "instruction_sets", "needs_compiling"]


def instruction_sets() -> list[str]:
    """Names of those that this CPU has, the fastest first."""
    return [path.name for path in supported()]


def instruction_set() -> str:
    """The name of the one in use."""
    return choose().name


def needs_compiling() -> bool:
    """Whether no kernel was compiled yet, though there is a folder to keep them in."""
    folder = kernel_folder()
    return folder is not None and not any(folder.glob("*.nbc"))
