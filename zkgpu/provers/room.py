"""Whether this machine has room for a setup, asked before its work starts."""

from __future__ import annotations

import os
from pathlib import Path

from zkgpu.errors import ResourceError
from zkgpu.records import dataclass

_CGROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class Room:
    """What a setup takes, in bytes, about: of memory at its peak, and of disk for the key."""

    memory: int
    disk: int


def require_memory(constraints: int, size: int) -> None:
    """Raises ResourceError, with the sizes, where this process may never have that many bytes."""
    most = memory_of_this_process()
    if most is not None and size > most:
        raise ResourceError(
            f"{constraints:,} constraints take about {in_units(size)} of memory, and this process may have "
            f"{in_units(most)}: take a smaller circuit or model, or a machine with more memory"
        )


def in_units(size: int) -> str:
    """Bytes as people read them: 1.5 GiB, or those below in MiB or KiB."""
    name, unit = next(((n, u) for n, u in (("GiB", 1 << 30), ("MiB", 1 << 20)) if size >= u), ("KiB", 1 << 10))
    return f"{size / unit:,.1f} {name}"


def memory_of_this_process() -> int | None:
    """Bytes that the machine has, or that its control group or ulimit -v allows; None where nothing says."""
    found = [_physical(), _allowed_addresses(), *map(_written_in, _CGROUPS)]
    return min((size for size in found if size), default=None)


def _physical() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _allowed_addresses() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if allowed == resource.RLIM_INFINITY else allowed


def _written_in(path: Path) -> int | None:
    """The number that a control group's file holds; "max" is none."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
