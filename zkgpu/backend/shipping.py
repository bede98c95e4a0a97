"""Kernels compiled ahead of time for a release: those that a process has met, for every level of a processor."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from zkgpu.curves import kept
from zkgpu.jit import cache, kernel
from zkgpu.jit.isa import LEVELS, supported
from zkgpu.jit.signature import Kind
from zkgpu.jit.target import FEATURES_VARIABLE, LINUX, Target, host_targets

__all__ = ["build", "clear", "environment_of", "exist", "instructions_of", "is_kernel", "levels"]


def levels() -> list[str]:
    """Names of the levels whose code this process can run."""
    return [target.name for target in host_targets() if target in LINUX]


def exist() -> bool:
    """Whether anything was built."""
    return cache.SHIPPED.exists()


def clear() -> None:
    """Removes all that was built."""
    shutil.rmtree(cache.SHIPPED, ignore_errors=True)


def instructions_of(level: str) -> str:
    """The instruction set whose kernels a level is for."""
    return next((name for name, needed in LEVELS.items() if needed == level), "portable")


def environment_of(level: str) -> dict[str, str]:
    """The variables of a process for which this CPU is of the level, and no better: it compiles for that."""
    (features,) = (target.features for target in LINUX if target.name == level)
    return {**os.environ, FEATURES_VARIABLE: ",".join(f"+{feature}" for feature in features)}


def build(only: Collection[str] | None = None) -> list[Path]:
    """Files of all kernels that this process has met, on the instruction set of each level, or of these alone; and of
    the schedules that it has run.

    Levels whose instruction set this process lacks are left out: their kernels cannot be met here.
    """
    able, wanted_levels = {isa.name for isa in supported()}, [t for t in LINUX if only is None or t.name in only]
    targets = [target for target in wanted_levels if instructions_of(target.name) in able]
    kernels = [path for target in targets for wanted in kernel.known for path in _written(wanted, target)]
    return [*kernels, *(path for folder in sorted({path.parent for path in kernels}) for path in _schedules(folder))]


def is_kernel(path: Path) -> bool:
    """Whether a file that was built is one, and not a schedule."""
    return path.suffix == cache.SUFFIX


def _schedules(folder: Path) -> list[Path]:
    """Written beside the kernels, the same for all."""
    paths = []
    for name, bound in kept.met.items():
        paths.append(folder / kept.file_of(name))
        paths[-1].write_bytes(cache.sealed(paths[-1].name, kept.packed(bound)))
    return paths


def _written(wanted: kernel.Kernel, target: Target) -> list[Path]:
    if wanted.isa is not None and wanted.isa.name != instructions_of(target.name):
        return []
    folder, paths = cache.shipped_folder(target), []
    folder.mkdir(parents=True, exist_ok=True)
    for kinds in wanted.met():
        path = folder / cache.file_of(wanted.__name__, kinds)
        path.write_bytes(cache.sealed(path.name, _code(wanted, kinds, target)))
        paths.append(path)
    return paths


def _code(wanted: kernel.Kernel, kinds: tuple[Kind, ...], target: Target) -> bytes:
    """Of a kernel for a target: as the cache has it, where it is the one that this process compiles for."""
    kept = cache.kept(wanted.__name__, kinds) if target == host_targets()[0] else None
    return kept or cache.packed(wanted.compiled(kinds, target), wanted.__name__, target)
