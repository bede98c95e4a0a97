"""Every launch goes through one door: arguments are checked by name, number, type and device."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver
from zkgpu.curves.bn254 import BN254, Fr
from zkgpu.errors import ResourceError, ZkgpuError
from zkgpu.gpu.elements import number, scalar, scalar_source
from zkgpu.gpu.program import U32, Grid, Program, allocate, upload
from zkgpu.gpu.source import load


@pytest.fixture(scope="module")
def program(driver: EmulatedDriver) -> Program:
    return Program(driver, scalar_source(BN254, "vector.cu"))


def test_the_arguments_of_a_launch_are_checked(driver: EmulatedDriver, program: Program) -> None:
    numbers, scalars = allocate(driver, number(Fr), 4), allocate(driver, scalar(Fr), 4)
    right: dict[str, Any] = {"n": 4, "numbers": numbers, "out": scalars}
    program.launch("numbers_to_scalars", Grid.over(4), **right)
    program.launch("numbers_to_scalars", Grid.over(4), **{**right, "n": np.uint64(4)})
    for change, problem in [
        ({"n": 4.5}, "n is a uint32_t, not 4.5"),
        ({"n": np.int64(-1)}, "n is a uint32_t, not -1"),
        ({"n": -1}, "n is a uint32_t, not -1"),
        ({"n": 1 << 32}, "n is a uint32_t, not 4294967296"),
        ({"n": numbers}, "n is a uint32_t, not an array of Number"),
        ({"numbers": scalars}, "numbers is a Number array, not an array of Scalar"),
        ({"out": 5}, "out is a Scalar array, not a number"),
        ({"more": 5}, "takes n, numbers, out, not n, numbers, out, more"),
    ]:
        with pytest.raises(ZkgpuError, match=problem):
            program.launch("numbers_to_scalars", Grid.over(4), **{**right, **change})
    with pytest.raises(ZkgpuError, match="takes n, numbers, out, not n, numbers"):
        program.launch("numbers_to_scalars", Grid.over(4), n=4, numbers=numbers)
    with pytest.raises(ZkgpuError, match="blocks of 1 to 128 threads, not 256"):
        program.launch("numbers_to_scalars", Grid(1, 256), **right)


def test_an_array_of_another_device_is_refused(program: Program) -> None:
    other = EmulatedDriver()
    numbers, scalars = allocate(other, number(Fr), 4), allocate(other, scalar(Fr), 4)
    with pytest.raises(ZkgpuError, match="numbers is a Number array"):
        program.launch("numbers_to_scalars", Grid.over(4), n=4, numbers=numbers, out=scalars)
    other.close()


def test_parts_of_arrays_stay_inside_them(driver: EmulatedDriver) -> None:
    array = upload(driver, U32, np.arange(10, dtype=np.uint32))
    assert array.part(3, 7).part(1, 2).read(np.uint32).tolist() == [4]
    assert array.part(10, 10).read(np.uint32).size == 0
    for begin, end in [(-1, 3), (4, 3), (0, 11)]:
        with pytest.raises(ZkgpuError, match="of an array of 10"):
            array.part(begin, end)
    with pytest.raises(ZkgpuError, match="8 bytes for 10 elements"):
        array.write(np.zeros(2, np.uint32))


def test_a_source_is_whole_and_names_its_kernels() -> None:
    source = scalar_source(BN254, "ntt.cu")
    assert '#include "' not in source.text
    assert source.text.count("struct alignas(16) Fp {") == 1
    signature = source.signatures()["transform_pass"]
    assert signature.max_threads == 128
    assert [p.type for p in signature.parameters if p.is_pointer] == ["Scalar"] * 3


def test_a_missing_source_is_a_damaged_installation() -> None:
    with pytest.raises(ResourceError, match="install zkgpu again"):
        load("nothing.cu")


def test_importing_the_room_of_kernels_imports_no_cupy() -> None:
    code = "import sys, zkgpu.backend.cuda, zkgpu.gpu.program; assert 'cupy' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )


def test_the_order_of_threads_does_not_show(program: Program) -> None:
    results = set()
    for seed in (1, 2, 3):
        driver = EmulatedDriver(seed)
        own = Program(driver, scalar_source(BN254, "sort.cu"))
        values, totals = upload(driver, U32, np.arange(64, dtype=np.uint32)), allocate(driver, U32, 1)
        own.launch("scan_tiles", Grid(1, 64, 132 + 4 * 64), n=64, width=1, values=values, totals=totals)
        results.add((values.read(np.uint32).tobytes(), totals.read(np.uint32).tobytes()))
        driver.close()
    assert len(results) == 1
