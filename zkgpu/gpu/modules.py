"""Modules of kernels on one GPU: cubins that were made ahead of time, or else what CuPy makes of their sources.

A cubin needs the driver alone. Compiling needs NVRTC and CUDA's headers, which CuPy looks for whether or not a source
includes any. CuPy keeps what it compiled in a cache of its own (CUPY_CACHE_DIR), by source, options, architecture and
NVRTC's version; entries are checked by digest and replaced at once, so processes may share it.
"""

from __future__ import annotations

import logging
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from zkgpu.errors import FormatError, ResourceError
from zkgpu.extras import hint
from zkgpu.gpu import catalogue
from zkgpu.gpu.architectures import DEFAULT_SHARED, runs_on
from zkgpu.gpu.cubins import Cubins, read_cubin
from zkgpu.gpu.nvrtc import OPTIONS
from zkgpu.gpu.source import Source

log = logging.getLogger(__name__)

THREADS = 8  # most compilations at a time
INSTALL = f"{hint('cuda13')}, or use --device cpu"


class Module:
    """A loaded module; its kernels are looked up once."""

    def __init__(self, cupy: Any, loaded: Any):
        self._driver, self._loaded = cupy.cuda.driver, loaded
        self._kernels: dict[str, tuple[int, int]] = {}

    def kernel(self, name: str, shared: int) -> int:
        """CUDA's handle of a kernel that may be launched with so many bytes of shared memory."""
        if name not in self._kernels:
            self._kernels[name] = self._loaded.get_function(name).ptr, DEFAULT_SHARED
        handle, allowed = self._kernels[name]
        if shared > allowed:
            attribute = self._driver.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            self._driver.funcSetAttribute(handle, attribute, shared)
            self._kernels[name] = handle, shared
        return handle


class Modules:
    """The modules of one GPU.

    Args:
        capability: (major, minor), the device's compute capability
        cuda: the major version of CUDA that its driver is of
    """

    def __init__(self, cupy: Any, device: Any, name: str, capability: tuple[int, int], cuda: int):
        self._cupy, self._device, self.name, self._cuda = cupy, device, name, cuda
        self._architecture, self._cubins = runs_on(*capability), Cubins.installed()
        self._compilations: dict[Source, Future[Any]] = {}
        self._has_begun = self._has_warned = False

    def load(self, source: Source) -> Module:
        """The module of a source. Raises ResourceError when it has no cubin and does not compile."""
        loaded = self._from_cubin(source)
        return Module(self._cupy, self._compiled(source) if loaded is None else loaded)

    # cubins

    def _path(self, source: Source) -> Path | None:
        if self._architecture is None:
            return None
        return self._cubins.find(source, self._architecture, self._cuda)

    def _from_cubin(self, source: Source) -> Any:
        """What the driver loaded; None when there is no cubin, or it is of no use: then a warning says so, once."""
        path, module = self._path(source), self._cupy.cuda.Module()
        if path is None:
            return None
        try:
            module.load(read_cubin(path))
        except FormatError as error:
            self._warn(str(error))
        except self._cupy.cuda.driver.CUDADriverError as error:
            if "out of memory" in str(error):
                raise
            self._warn(f"{path} does not load: {error}")
        else:
            return module
        return None

    def _warn(self, problem: str) -> None:
        if not self._has_warned:
            log.warning("%s: kernels are compiled here, which takes longer: %s", self.name, problem)
        self._has_warned = True

    # compilation

    def _compiled(self, source: Source) -> Any:
        """What CuPy makes of a source.

        The first such source of the catalogue begins the compilation of all others there without cubins, in threads:
        a first proof needs nearly all of them, and NVRTC lets threads compile side by side.
        """
        if not self._has_begun and source in catalogue.sources():
            self._begin(source)
        compilation = self._compilations.pop(source, None)
        return self._compile(source) if compilation is None else compilation.result()

    def _begin(self, first: Source) -> None:
        others = [s for s in catalogue.sources() if s != first and self._path(s) is None]
        pool = ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1), thread_name_prefix="zkgpu-nvrtc")
        self._compilations = {s: pool.submit(self._compile, s) for s in (first, *others)}
        self._has_begun = True
        pool.shutdown(wait=False)

    def _compile(self, source: Source) -> Any:
        cupy = self._cupy
        try:
            with self._device:
                return cupy.RawModule(code=source.text, options=OPTIONS, backend="nvrtc").module
        except cupy.cuda.compiler.CompileException as error:
            raise ResourceError(f"{self.name}: {source.name} does not compile: {_first_line(error)}") from error
        except (cupy.cuda.runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError):
            raise
        # CuPy finds NVRTC and CUDA's headers when it first needs them, and says in some way of its own when they lack
        except (RuntimeError, ImportError) as error:
            why = f"there is no cubin for it, and it does not compile: {_first_line(error)}"
            raise ResourceError(f"{self.name}: {source.name}: {why}: {INSTALL}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
