"""What this process may take of the machine."""

from __future__ import annotations

from zkgpu.errors import ResourceError

MOST_THREADS = 1024
LEAST_ADDRESSES = 768 << 20  # with which a first proof, which compiles every kernel, comes about


def require_threads(threads: int) -> None:
    """Raises ResourceError for more threads than a process should try to start."""
    if threads > MOST_THREADS:
        raise ResourceError(f"--threads {threads:,}: at most {MOST_THREADS:,} are started: leave it out for all cores")


def require_addresses() -> None:
    """Raises ResourceError where the process may map so little (ulimit -v) that LLVM or OpenBLAS would end it."""
    try:
        import resource
    except ImportError:
        return
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if allowed != resource.RLIM_INFINITY and allowed < LEAST_ADDRESSES:
        raise ResourceError(
            f"this process may map {allowed >> 20:,} MiB of memory (ulimit -v): allow it {LEAST_ADDRESSES >> 20:,}"
        )
