"""Kernels compiled ahead of time: one packed cubin for each source and architecture, found by the source's digest.

A cubin made by a CUDA version runs with every driver of that major version and of later ones (NVIDIA, "CUDA
Compatibility", minor version and backward compatibility), so there is a folder for each major version it was made by:
`cuda13/<sha256 of the text>.sm_90.cubin.gz`. A changed source has another digest, and a file that was made for an
earlier text is never found. Each file ends in a checksum (CRC-32, gzip), so damage is noticed and never run.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Collection
from pathlib import Path

from zkgpu.errors import FormatError, ResourceError
from zkgpu.gpu.architectures import Architecture
from zkgpu.gpu.source import Source
from zkgpu.records import dataclass

ELF = b"\x7fELF"
FIRST_CUDA = 12  # the oldest major version that CuPy 14 supports


@dataclass(frozen=True)
class Cubins:
    """The cubins in a folder."""

    folder: Path

    @staticmethod
    def installed() -> Cubins:
        """Those of the package. A checkout has none until `python -m zkgpu.gpu.build` has made them."""
        return Cubins(Path(__file__).parents[1] / "cubins")

    def path(self, source: Source, architecture: Architecture, cuda: int) -> Path:
        """Where the cubin of a source is, made by this major version of CUDA."""
        return self.folder / f"cuda{cuda}" / file_name(source, architecture)

    def find(self, source: Source, architecture: Architecture, cuda: int) -> Path | None:
        """The cubin for a driver of this major version of CUDA; None when there is none."""
        paths = (self.path(source, architecture, version) for version in range(cuda, FIRST_CUDA - 1, -1))
        return next((path for path in paths if path.is_file()), None)

    def write(self, source: Source, architecture: Architecture, cuda: int, cubin: bytes) -> Path:
        """Keep a cubin; whoever reads meanwhile sees all of it or nothing. Raises ResourceError when it cannot."""
        path = self.path(source, architecture, cuda)
        unfinished = path.with_suffix(f".{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(gzip.compress(cubin, 9, mtime=0))
            unfinished.replace(path)
        except OSError as error:
            raise ResourceError(f"{path}: {error.strerror}: make the folder writable and room on its disk") from None
        return path

    def keep_only(self, names: Collection[str]) -> None:
        """Remove the files of other names, of all versions of CUDA."""
        for path in self.folder.glob("cuda*/*"):
            if path.name not in names:
                path.unlink()


def file_name(source: Source, architecture: Architecture) -> str:
    """What the cubin of a source is called."""
    return f"{hashlib.sha256(source.text.encode()).hexdigest()}.{architecture.name}.cubin.gz"


def read_cubin(path: Path) -> bytes:
    """The cubin in a file of `Cubins`. Raises FormatError when the file is damaged."""
    try:
        cubin = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"{path}: {error}: the file is damaged, install zkgpu again") from error
    if not cubin.startswith(ELF):
        raise FormatError(f"{path}: this is no cubin: the file is damaged, install zkgpu again")
    return cubin
