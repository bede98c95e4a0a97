"""Compiles every kernel for every architecture ahead of time: `python -m zkgpu.gpu.build [sm_90 ..]`.

The cubins go beside the package's modules, where wheels take them from; needs NVRTC (`pip install 'zkgpu[gate]'`) and
neither driver nor GPU. Cubins of other sources are removed. `--check WHEEL` says instead whether a wheel holds all of
them. Without cubins everything works too: kernels are then compiled where they run.
"""

from __future__ import annotations

import argparse
import os
import sys
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from zkgpu.errors import UsageError, ZkgpuError
from zkgpu.gpu import catalogue, nvrtc
from zkgpu.gpu.architectures import ARCHITECTURES, BY_NAME, Architecture
from zkgpu.gpu.cubins import Cubins, file_name
from zkgpu.gpu.source import Source


def build(cubins: Cubins, architectures: Sequence[Architecture] = ARCHITECTURES) -> list[Path]:
    """Every cubin that is wanted, those that are missing compiled in threads; others are removed.

    Raises ResourceError when there is no compiler, or a source does not compile.
    """
    cuda, _ = nvrtc.version()

    def made(wanted: tuple[Source, Architecture]) -> Path:
        path = cubins.path(*wanted, cuda)
        return path if path.is_file() else cubins.write(*wanted, cuda, _cubin(*wanted))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        paths = list(pool.map(made, _pairs(architectures)))
    cubins.keep_only(_names())
    return paths


def missing(wheel: Path) -> list[str]:
    """The cubins that a wheel lacks, by the names they should have; those of one version of CUDA are enough."""
    with zipfile.ZipFile(wheel) as archive:
        held = {Path(name).name for name in archive.namelist() if "/cubins/" in name}
    return [name for name in _names() if name not in held]


def _pairs(architectures: Sequence[Architecture]) -> Iterator[tuple[Source, Architecture]]:
    return ((source, architecture) for source in catalogue.sources() for architecture in architectures)


def _names() -> list[str]:
    return [file_name(*pair) for pair in _pairs(ARCHITECTURES)]


def _cubin(source: Source, architecture: Architecture) -> bytes:
    print(f"{architecture.name}  {source.name}", file=sys.stderr, flush=True)
    return nvrtc.compiled(source, architecture.name)[0]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m zkgpu.gpu.build", description=str(__doc__).splitlines()[0])
    parser.add_argument("architectures", nargs="*", metavar="sm_XY", help="all that wheels hold, when none is named")
    parser.add_argument("--check", type=Path, metavar="WHEEL", help="say whether a wheel holds every cubin")
    chosen = parser.parse_args(arguments)
    try:
        print(_checked(chosen.check) if chosen.check else _built(chosen.architectures))
    except ZkgpuError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None


def _built(names: Sequence[str]) -> str:
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise UsageError(f"unknown architecture '{unknown[0]}': use {', '.join(BY_NAME)}")
    cubins = Cubins.installed()
    paths = build(cubins, [BY_NAME[name] for name in names] or ARCHITECTURES)
    return f"{len(paths)} cubins, {sum(path.stat().st_size for path in paths):,} bytes, in {cubins.folder}"


def _checked(wheel: Path) -> str:
    try:
        lacking = missing(wheel)
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"{wheel}: {error}: give a wheel") from error
    if lacking:
        raise UsageError(
            f"{wheel}: {len(lacking)} cubins are missing, the first {lacking[0]}: "
            "run `python -m zkgpu.gpu.build`, then `python -m build --wheel`"
        )
    return f"{wheel}: every cubin is there"


if __name__ == "__main__":
    main()
