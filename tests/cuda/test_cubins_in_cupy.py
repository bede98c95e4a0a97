"""Every module and a launch, through the real CuPy up to calls of CUDA's driver, which a stub takes: no GPU is used.

Run where the extra cuda13 is installed and `python -m zkgpu.gpu.build` has made the cubins, as .ci/release does.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zkgpu.curves.bn254 import BN254
from zkgpu.gpu import catalogue
from zkgpu.gpu.architectures import ARCHITECTURES
from zkgpu.gpu.cubins import Cubins
from zkgpu.gpu.elements import scalar_source

STUB = """
#include <cstring>
// loads what begins as an ELF file for CUDA (machine 190), and finds every function
extern "C" int cuModuleLoadData(void** module, const unsigned char* image) {
    *module = (void*)image;
    return memcmp(image, "\\x7f" "ELF", 4) == 0 && image[18] == 190 ? 0 : 200;
}
extern "C" int cuModuleGetFunction(void** function, void* module, const char*) { *function = module; return 0; }
extern "C" int cuCtxGetCurrent(void** context) { *context = (void*)1; return 0; }
// the launch of a kernel(uint64_t* out, uint64_t, uint32_t): writes what it is given to out
extern "C" int cuLaunchKernel(
    void* function, unsigned x, unsigned y, unsigned z, unsigned a, unsigned b, unsigned c, unsigned shared,
    void* stream, void** arguments, void** extra
) {
    unsigned long long* out = *(unsigned long long**)arguments[0];
    const unsigned long long seen[] = {x, y, z, a, b, c, shared, (unsigned long long)stream,
                                       *(unsigned long long*)arguments[1], *(unsigned*)arguments[2]};
    memcpy(out, seen, sizeof seen);
    return extra == nullptr ? 0 : 1;
}
"""

# cudart, inside CuPy, needs all of a driver; these are its calls on the way to the stub
STUBBED = """
import sys
import cupy
import numpy as np
from pathlib import Path
from types import SimpleNamespace
from zkgpu.gpu import catalogue
from zkgpu.gpu.cupy_driver import CupyDriver

class Loaded(cupy.cuda.function.Module):
    def load(self, cubin):
        self.cubin, self.handle = cubin, cupy.cuda.driver.moduleLoadData(cubin)

    def get_function(self, name):
        assert f".text.{name}".encode() in self.cubin, name
        return SimpleNamespace(ptr=cupy.cuda.driver.moduleGetFunction(self.handle, name))

class Context:
    ptr = 77
    def __init__(self, *_, **__): ...
    def __enter__(self): ...
    def __exit__(self, *_): ...

runtime, cuda = cupy.cuda.runtime, cupy.cuda
runtime.getDeviceCount, runtime.driverGetVersion = lambda: 1, lambda: 13000
cuda.Device, cuda.Stream, cuda.Module = Context, Context, Loaded
Context.compute_capability = sys.argv[1]
"""

LOADED = """
driver = CupyDriver()
for source in catalogue.sources():
    module = driver.compile(source)
    for name in source.signatures():
        module.kernel(name, 0)
seen = np.zeros(10, np.uint64)
arguments = [seen.ctypes.data, (1 << 64) - 2, (1 << 32) - 3]
driver.launch(module, name, (1, 2, 3), (4, 5, 6), 7, arguments)
assert seen.tolist() == [1, 2, 3, 4, 5, 6, 7, 77, *arguments[1:]], seen
assert not [line for line in Path("/proc/self/maps").read_text().splitlines() if "libnvrtc" in line]
print(len(catalogue.sources()), "modules loaded, one kernel launched")
"""

# CuPy remembers modules and architectures by device, for which it asks the driver
COMPILED = """
from cupy._core import core
from cupy.cuda import compiler, function
from zkgpu.gpu.cubins import Cubins

class RawModule:
    def __init__(self, code, options, backend):
        self.module = core.compile_with_cache(code, options, prepend_cupy_headers=False, backend=backend)

cupy.RawModule, function.Module = RawModule, Loaded
compiler._get_arch = lambda: sys.argv[1]
compiler._get_arch_for_options_for_nvrtc = lambda arch: (f"-arch=sm_{arch}", "cubin")
Cubins.installed = staticmethod(lambda: Cubins(Path("nothing")))
source = next(source for source in catalogue.sources() if source.name == "bn254_sort.cu")
driver = CupyDriver()
driver._modules._has_begun = True  # the others are not wanted
module = driver.compile(source)
print(*sorted(name for name in source.signatures() if module.kernel(name, 0)))
"""


def lacking() -> str | None:
    """What keeps the test from running here; None when nothing does."""
    if importlib.util.find_spec("cupy") is None:
        return "CuPy is not installed"
    if shutil.which("g++") is None:
        return "the stub needs g++"
    paths = [Cubins.installed().find(s, a, 13) for s in catalogue.sources() for a in ARCHITECTURES]
    return None if all(paths) else "there are no cubins: python -m zkgpu.gpu.build"


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a libcuda.so.1."""
    place = tmp_path_factory.mktemp("stub")
    (place / "stub.cpp").write_text(STUB)
    subprocess.run(["g++", "-shared", "-fPIC", "-o", place / "libcuda.so.1", place / "stub.cpp"], check=True)
    return place


@pytest.mark.cupy
@pytest.mark.skipif(lacking() is not None, reason=str(lacking()))
@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.name)
def test_every_module_is_loaded_by_cupy_without_a_compiler(architecture: object, stub: Path) -> None:
    capability = str(architecture.name).removeprefix("sm_")  # type: ignore[attr-defined]
    assert printed(LOADED, capability, stub) == f"{len(catalogue.sources())} modules loaded, one kernel launched\n"


@pytest.mark.cupy
@pytest.mark.skipif(lacking() is not None, reason=str(lacking()))
def test_without_cubins_cupy_compiles_a_module_with_what_the_extra_brings(stub: Path, tmp_path: Path) -> None:
    """CuPy wants CUDA's headers for each source, whether or not it includes any."""
    kernels = printed(COMPILED, "90", stub, CUPY_CACHE_DIR=str(tmp_path)).split()
    assert kernels == sorted(scalar_source(BN254, "sort.cu").signatures())


def printed(program: str, capability: str, stub: Path, **more: str) -> str:
    """What a program prints in a process that finds the stub, and no toolkit by its environment."""
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    bare = {"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(stub), **path, **more}
    command = [sys.executable, "-W", "ignore", "-c", STUBBED + program, capability]
    done = subprocess.run(command, capture_output=True, text=True, env=bare)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
