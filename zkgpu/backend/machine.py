"""What the CPU backend finds on this machine: instruction sets, and the compiled code that is kept for it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from zkgpu.jit.cache import SUFFIX, CacheInfo, cache_info, clear_cache, folder_in_use, shipped_folders
from zkgpu.jit.isa import choose, supported

__all__ = [
    "CacheInfo",
    "available_memory",
    "cache_info",
    "clear_cache",
    "instruction_set",
    "instruction_sets",
    "kernels_at_hand",
    "kernels_in_use",
    "needs_compiling",
]

_AVAILABLE = re.compile(r"MemAvailable:\s+(\d+) kB")


def instruction_sets() -> list[str]:
    """Names of those that this CPU has, the fastest first."""
    return [path.name for path in supported()]


def instruction_set() -> str:
    """The name of the one in use."""
    return choose().name


def needs_compiling() -> bool:
    """Whether no kernel was shipped or compiled yet, though there is a folder to keep them in."""
    if shipped_folders():
        return False
    folder = folder_in_use()
    return folder is not None and not any(folder.glob(f"*{SUFFIX}"))


def kernels_at_hand() -> int:
    """How many kernels were shipped or are kept for this machine: none of them is compiled again."""
    folder = folder_in_use()
    return sum(map(_kernels, (*shipped_folders(), *([] if folder is None else [folder]))))


def _kernels(folder: Path) -> int:
    return sum(1 for _ in folder.glob(f"*{SUFFIX}"))


def kernels_in_use() -> str:
    """Where this process gets its compiled kernels from, in words."""
    folder = folder_in_use()
    shipped = [f"{_kernels(place)} shipped in {place}" for place in shipped_folders()]
    kept = [] if folder is None else [f"{_kernels(folder)} kept in {folder}"]
    return ", ".join([*shipped, *kept]) or "none are kept: there is no folder to keep them in"


def available_memory() -> int:
    """Bytes that this process may still take: of memory, and of addresses (ulimit -v); any number, without a figure."""
    return min(_unused_memory(), _unmapped_addresses())


def _unused_memory() -> int:
    try:
        found = _AVAILABLE.search(Path("/proc/meminfo").read_text())
    except OSError:
        return sys.maxsize
    return int(found[1]) << 10 if found else sys.maxsize


def _unmapped_addresses() -> int:
    try:
        import resource

        allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return sys.maxsize
    return sys.maxsize if allowed == resource.RLIM_INFINITY else max(0, allowed - mapped)
