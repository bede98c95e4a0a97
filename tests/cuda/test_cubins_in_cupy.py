"""Every module and a launch, through the real CuPy up to calls of CUDA's driver, which a stub takes: no GPU is used.

Run where CuPy is installed and `python -m zkgpu.gpu.build` has made the cubins, as .ci/release does.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zkgpu.gpu import catalogue
from zkgpu.gpu.architectures import ARCHITECTURES
from zkgpu.gpu.cubins import Cubins

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
PROGRAM = """
import sys
import cupy
import numpy as np
from pathlib import Path
from types import SimpleNamespace
from zkgpu.gpu import catalogue
from zkgpu.gpu.cupy_driver import CupyDriver

class Loaded:
    def load(self, cubin):
        self.cubin, self.ptr = cubin, cupy.cuda.driver.moduleLoadData(cubin)

    def get_function(self, name):
        assert f".text.{name}".encode() in self.cubin, name
        return SimpleNamespace(ptr=cupy.cuda.driver.moduleGetFunction(self.ptr, name))

class Context:
    ptr = 77
    def __init__(self, *_, **__): ...
    def __enter__(self): ...
    def __exit__(self, *_): ...

runtime, cuda = cupy.cuda.runtime, cupy.cuda
runtime.getDeviceCount, runtime.driverGetVersion = lambda: 1, lambda: 13000
cuda.Device, cuda.Stream, cuda.Module = Context, Context, Loaded
Context.compute_capability = sys.argv[1]
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
    bare = {"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(stub), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, capability]
    done = subprocess.run(command, capture_output=True, text=True, env=bare)
    assert done.stdout == f"{len(catalogue.sources())} modules loaded, one kernel launched\n", done.stderr
    assert done.stderr == ""
