"""NVIDIA's run-time compiler, called without a driver or a GPU: what a source becomes on an architecture.

For making cubins, and for the tests that look at them; a device's own compilations go through CuPy. The library comes
from the packages nvidia-cuda-nvrtc and nvidia-cuda-nvrtc-cu12, or from where the system's loader finds it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from zkgpu.errors import ResourceError
from zkgpu.extras import hint
from zkgpu.gpu.source import Source

OPTIONS = ("--std=c++17",)  # those of every compilation of a kernel
INSTALLED = ("libnvrtc.so.13", "libnvrtc.so.12")


def compiled(source: Source, architecture: str, *options: str) -> tuple[bytes, str]:
    """(cubin, the compiler's log) for an architecture such as "sm_90". Threads may compile side by side.

    Raises ResourceError when there is no compiler, or the source does not compile.
    """
    return _compiled("CUBIN", source, architecture, options)


def ptx_of(source: Source, architecture: str) -> str:
    """What the assembler is given, for an architecture such as "compute_90". Raises as `compiled`."""
    return _compiled("PTX", source, architecture)[0].decode().rstrip("\0")


def _compiled(form: str, source: Source, architecture: str, options: Sequence[str] = ()) -> tuple[bytes, str]:
    """(the source in a form that NVRTC has a function for, the compiler's log)."""
    nvrtc, program = _library(), ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.text.encode(), source.name.encode(), 0, None, None)
    try:
        chosen = [o.encode() for o in (f"--gpu-architecture={architecture}", *OPTIONS, *options)]
        failed = nvrtc.nvrtcCompileProgram(program, len(chosen), (ctypes.c_char_p * len(chosen))(*chosen))
        log = _result(nvrtc, "ProgramLog", program).decode(errors="replace").rstrip("\0")
        if failed:
            first = next((line for line in log.splitlines() if "error" in line), "no reason given")
            raise ResourceError(f"{source.name} does not compile for {architecture}: {first}")
        return _result(nvrtc, form, program), log
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def version() -> tuple[int, int]:
    """The compiler's major and minor version, those of CUDA. Raises ResourceError when there is no compiler."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def package_folders() -> list[Path]:
    """Where the packages of NVIDIA keep their files."""
    spec = importlib.util.find_spec("nvidia")
    places = list(spec.submodule_search_locations or []) if spec else []
    return [folder for place in places for folder in Path(place).iterdir() if folder.is_dir()]


def _result(nvrtc: ctypes.CDLL, what: str, program: ctypes.c_void_p) -> bytes:
    size = ctypes.c_size_t()
    getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, f"nvrtcGet{what}")(program, buffer)
    return buffer.raw


@lru_cache
def _library() -> ctypes.CDLL:
    for name in _candidates():
        try:
            return _loaded(name)
        except OSError:
            continue
    raise ResourceError(f"NVRTC is not installed: {hint('gate')}")


def _loaded(name: str) -> ctypes.CDLL:
    """The library of a path or, in the system's folders, of a name."""
    if Path(name).is_absolute():
        for builtins in Path(name).parent.glob("libnvrtc-builtins.so.*"):
            ctypes.CDLL(str(builtins))  # which NVRTC 13.0 looks for in the system's folders, not in its own
    return ctypes.CDLL(name)


def _candidates() -> Iterator[str]:
    """The newest of the packages first, then what the system has."""

    def number(path: Path) -> Any:
        return [int(part) for part in re.findall(r"\d+", path.name)]

    packaged = [path for folder in package_folders() for path in folder.glob("lib/libnvrtc.so.*")]
    yield from (str(path) for path in sorted(packaged, key=number, reverse=True))
    yield from INSTALLED
