"""The choice between instruction sets, made before anything is compiled."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import zkgpu
from zkgpu.errors import ResourceError, UsageError
from zkgpu.jit import isa


def test_the_portable_path_is_always_there():
    assert isa.PORTABLE in isa.supported()
    assert isa.choose("portable") is isa.PORTABLE


def test_the_environment_decides_when_the_caller_does_not(monkeypatch):
    monkeypatch.setenv(isa.ENVIRONMENT_VARIABLE, "portable")
    assert isa.choose() is isa.PORTABLE
    monkeypatch.delenv(isa.ENVIRONMENT_VARIABLE)
    assert isa.choose() is isa.supported()[0]


def test_an_unknown_path_is_refused(monkeypatch):
    with pytest.raises(UsageError, match="avx9"):
        isa.choose("avx9")
    monkeypatch.setenv(isa.ENVIRONMENT_VARIABLE, "fastest")
    with pytest.raises(UsageError, match="ZKGPU_CPU_PATH"):
        isa.choose()


def test_a_path_the_cpu_lacks_is_refused(monkeypatch):
    monkeypatch.setattr(isa, "supported", lambda: (isa.PORTABLE,))
    with pytest.raises(ResourceError, match="IFMA"):
        isa.choose("ifma")


def run_python(program, **environment):
    variables = {**os.environ, "PYTHONPATH": str(Path(zkgpu.__file__).parents[1]), **environment}
    return subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True
    ).stdout


def test_the_features_that_are_told_take_the_place_of_the_cpus():
    program = "from zkgpu.jit.isa import supported; print([p.name for p in supported()])"
    assert run_python(program, NUMBA_CPU_FEATURES="+sse2").strip() == "['portable']"


def test_a_cpu_with_avx2_has_the_path_of_fused_multiply_adds():
    program = "from zkgpu.jit.isa import supported; print([p.name for p in supported()])"
    found = run_python(program, NUMBA_CPU_FEATURES="+avx,+avx2,+bmi,+bmi2,+fma,+lzcnt,+popcnt,+sse4.2")
    assert found.strip() == "['fma', 'portable']"


def test_importing_the_room_imports_no_compiler():
    program = """
import sys, zkgpu, zkgpu.jit.isa, zkgpu.jit.kernel, zkgpu.jit.cache, zkgpu.jit.element, zkgpu.jit.threads
print([m for m in ("numba", "llvmlite") if m in sys.modules])
"""
    assert run_python(program).strip() == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="levels are those of Linux")
@pytest.mark.parametrize(("machine", "level"), [("x86_64", "x86-64"), ("aarch64", "aarch64")])
def test_what_a_machine_runs_is_known_without_a_compiler(machine, level):
    program = f"""
import platform, sys
platform.machine = lambda: {machine!r}
from zkgpu.jit.isa import supported
from zkgpu.jit.target import host_targets
print(supported()[-1].name, host_targets()[-1].name, *(m for m in ("numba", "llvmlite") if m in sys.modules))
"""
    assert run_python(program).strip() == f"portable {level}"
