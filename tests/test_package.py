"""What a user meets first: an import that is quick and light, and public names that exist."""

from __future__ import annotations

import json
import subprocess
import sys

import zkgpu

PROBE = """
import json, sys, time
start = time.process_time()  # what else this machine does is no matter
import zkgpu
print(json.dumps({"seconds": time.process_time() - start, "modules": sorted(sys.modules)}))
"""


def probe() -> dict:
    return json.loads(subprocess.run([sys.executable, "-c", PROBE], capture_output=True, check=True, text=True).stdout)


def test_importing_zkgpu_brings_in_no_compiler_and_no_gpu_library() -> None:
    assert not {"numba", "llvmlite", "cupy", "wasmtime", "onnx", "py_ecc"} & set(probe()["modules"])


def test_importing_zkgpu_takes_less_than_a_fifth_of_a_second() -> None:
    assert min(probe()["seconds"] for _ in range(3)) < 0.2


def test_every_public_name_can_be_reached() -> None:
    for name in zkgpu.__all__:
        assert getattr(zkgpu, name) is not None
    assert set(zkgpu.__all__) <= set(dir(zkgpu))
