"""An emulated device that runs what NVIDIA's compiler makes of a source, in place of the source itself.

Between the emulation of the sources and a chip: of what can go wrong on the way it leaves out the assembler and the
chip. Needs the package nvidia-cuda-nvrtc (`pip install 'zkgpu[gate]'`) and g++.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from tests.emulation import driver as emulation
from tests.emulation.driver import EmulatedDriver, build
from tests.ptx.translate import cpp_of
from zkgpu.errors import ResourceError
from zkgpu.gpu import nvrtc
from zkgpu.gpu.source import Source

ARCHITECTURE = "compute_90"

# no registers have addresses, and overflow wraps as it does in PTX
FLAGS = ["-std=c++17", "-O1", "-fPIC", "-ftls-model=initial-exec", "-w", "-fwrapv", "-fsanitize=address"]
FLAGS += ["-fno-sanitize-recover=all", "-shared", "-include", str(emulation.HERE / "cuda_on_host.h")]


@lru_cache
def missing() -> str | None:
    """What keeps this layer from running here; None when nothing does."""
    try:
        nvrtc.version()
    except ResourceError as error:
        return str(error)
    return emulation.missing()


@lru_cache
def build_module(source: Source) -> Path:
    return build("ptx-" + source.name.replace(".", "-"), cpp_of(nvrtc.ptx_of(source, ARCHITECTURE)), FLAGS)


class PtxDriver(EmulatedDriver):
    """EmulatedDriver on the compiler's PTX."""

    def build_module(self, source: Source) -> Path:
        return build_module(source)
