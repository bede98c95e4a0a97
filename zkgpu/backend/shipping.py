"""Kernels compiled ahead of time for a release: those that a process has met, for every level of a processor."""

from __future__ import annotations

import shutil
from pathlib import Path

from zkgpu.jit import cache, kernel
from zkgpu.jit.isa import LEVELS, supported
from zkgpu.jit.target import LINUX, Target

__all__ = ["build"]


def build() -> list[Path]:
    """Files of all kernels that this process has met, on the instruction set of each level; what was there is removed.

    Levels whose instruction set this CPU lacks are left out: their kernels cannot be met here.
    """
    shutil.rmtree(cache.SHIPPED, ignore_errors=True)
    return [path for target in _targets() for wanted in kernel.known for path in _written(wanted, target)]


def _targets() -> list[Target]:
    able = {isa.name for isa in supported()}
    return [target for target in LINUX if _instructions_of(target) in able]


def _instructions_of(target: Target) -> str:
    """The instruction set whose kernels a level is for."""
    return next((name for name, level in LEVELS.items() if level == target.name), "portable")


def _written(wanted: kernel.Kernel, target: Target) -> list[Path]:
    if wanted.isa is not None and wanted.isa.name != _instructions_of(target):
        return []
    folder, paths = cache.shipped_folder(target), []
    folder.mkdir(parents=True, exist_ok=True)
    for kinds in wanted.met():
        path = folder / cache.file_of(wanted.__name__, kinds)
        payload = cache.packed(wanted.compiled(kinds, target), wanted.__name__, target)
        path.write_bytes(cache.sealed(path.name, payload))
        paths.append(path)
    return paths
