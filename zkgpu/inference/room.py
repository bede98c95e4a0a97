"""Whether this machine has room for a model's circuit, asked before it is built: its domain, and memory."""

from __future__ import annotations

import os
from pathlib import Path

from zkgpu.curves import DEFAULT
from zkgpu.errors import ResourceError
from zkgpu.groth16.qap import domain_for
from zkgpu.inference.costs import Costs

_CGROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def require_room(costs: Costs) -> None:
    """Raises ResourceError, with the sizes, for a circuit beyond the largest domain, or that memory cannot hold.

    The key's file is another matter: it lies where the caller says.
    """
    domain_for(DEFAULT.scalar_field, costs.constraints, costs.public)
    most = memory_of_this_process()
    if most is not None and costs.memory > most:
        raise ResourceError(
            f"{costs.constraints:,} constraints take about {costs.memory / 2**30:,.1f} GiB of memory, and this process "
            f"may have {most / 2**30:,.1f}: take a smaller model, or a machine with more memory"
        )


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
