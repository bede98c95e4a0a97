"""What NVIDIA's run-time compiler hands to its assembler: the PTX of a source, made without a driver or a GPU.

Needs the package nvidia-cuda-nvrtc: `pip install 'zkgpu[gate]'`.
"""

from __future__ import annotations

import ctypes
import importlib.util
from functools import lru_cache
from pathlib import Path

from zkgpu.gpu.source import Source

OPTIONS = ("--gpu-architecture=compute_90", "--std=c++17")


class NoCompiler(Exception):
    """NVRTC is not installed."""


@lru_cache
def library() -> ctypes.CDLL:
    spec = importlib.util.find_spec("nvidia")
    places = list(spec.submodule_search_locations or []) if spec else []
    found = sorted(str(path) for place in places for path in Path(place).glob("*/lib/libnvrtc.so.*"))
    if not found:
        raise NoCompiler("NVRTC is not installed: pip install 'zkgpu[gate]'")
    return ctypes.CDLL(found[-1])


def ptx_of(source: Source) -> str:
    """Raises RuntimeError with the compiler's log when it does not compile."""
    nvrtc, program = library(), ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.text.encode(), source.name.encode(), 0, None, None)
    try:
        options = (ctypes.c_char_p * len(OPTIONS))(*(option.encode() for option in OPTIONS))
        if nvrtc.nvrtcCompileProgram(program, len(OPTIONS), options):
            raise RuntimeError(f"{source.name}: {_result('ProgramLog', program)}")
        return _result("PTX", program)
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _result(what: str, program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    getattr(library(), f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    getattr(library(), f"nvrtcGet{what}")(program, buffer)
    return buffer.value.decode(errors="replace")
