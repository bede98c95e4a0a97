"""Compiles every kernel of the CPU for a release: `python -m zkgpu.cli.kernels`.

They go beside the package's modules, where wheels take them from: for x86-64 with AVX-512 IFMA, with FMA, and without
both, and for aarch64. Run it on a CPU that has all of x86-64's instruction sets, for whatever a command needs is run to
see which kernels there are, each level in a process of its own; those of aarch64 are the portable ones, compiled for
it. `--check WHEEL` says instead whether a wheel holds them. Without them everything works too: kernels are then
compiled where they run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from zkgpu.backend import open_backend
from zkgpu.backend.shipping import build, clear, environment_of, instructions_of, is_kernel, levels
from zkgpu.cli.warm import warm
from zkgpu.errors import UsageError, ZkgpuError

LEVELS = ("x86-64-ifma", "x86-64-fma", "x86-64", "aarch64")
BESIDE = {"x86-64": ("x86-64", "aarch64")}  # levels of the same kernels, built by one process


def main(arguments: Sequence[str] | None = None) -> None:
    """Build or check, and exit with 0 when it is all there."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["--level"] and len(given) == 2:
            _build_level(given[1])
        else:
            print(_checked(Path(given[1])) if given[:1] == ["--check"] and len(given) == 2 else _built())
    except ZkgpuError as error:
        sys.exit(f"error: {error}")


def _built() -> str:
    clear()
    able = levels()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        built = [path for paths in pool.map(_built_level, able) for path in paths]
    lacking = [level for level in LEVELS if not any(path.parent.name.endswith(f"-{level}") for path in built)]
    without = f"; this CPU cannot run {', '.join(lacking)}" if lacking else ""
    kernels = sum(is_kernel(path) for path in built)
    return f"{kernels} kernels, {sum(path.stat().st_size for path in built):,} bytes{without}"


def _built_level(level: str) -> list[Path]:
    """The files that a process of the level built. Raises ZkgpuError with what it said when it could not."""
    print(f"running every kernel of {instructions_of(level)}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "zkgpu.cli.kernels", "--level", level]
    done = subprocess.run(command, env=environment_of(level), capture_output=True, text=True, check=False)  # noqa: S603 - ourselves
    if done.returncode:
        raise ZkgpuError(f"{level}: {done.stderr.strip()}")
    return [Path(line) for line in done.stdout.splitlines()]


def _build_level(level: str) -> None:
    """Says which files it made, one a line."""
    warm(open_backend("cpu", instructions=instructions_of(level)))
    for path in build(BESIDE.get(level, (level,))):
        print(path)


def _checked(wheel: Path) -> str:
    try:
        with zipfile.ZipFile(wheel) as archive:
            folders = {Path(name).parent.name for name in archive.namelist() if "zkgpu/kernels/" in name}
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"{wheel}: {error}: give a wheel") from error
    lacking = [level for level in LEVELS if not any(folder[25:] == level for folder in folders)]
    if lacking:
        raise UsageError(
            f"{wheel}: no kernels for {', '.join(lacking)}: run `python -m zkgpu.cli.kernels`, then "
            "`python -m build --wheel`"
        )
    return f"{wheel}: kernels of every level are there"


if __name__ == "__main__":
    main()
