"""Kernels compiled ahead of time: which are made, how they are found, and what happens where there are none."""

from __future__ import annotations

import ast
import logging
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cuda.cupy_double import Cupy, Device, Failure, RawModule
from tests.cuda.expressions import record, sites
from tests.emulation.driver import EmulatedDriver
from zkgpu.backend.cuda import CudaBackend
from zkgpu.cli.machine import self_test
from zkgpu.curves.bn254 import BN254
from zkgpu.errors import FormatError, ResourceError, UsageError
from zkgpu.gpu import build, catalogue, nvrtc
from zkgpu.gpu.architectures import ARCHITECTURES, BY_NAME, runs_on
from zkgpu.gpu.cubins import ELF, Cubins, file_name, read_cubin
from zkgpu.gpu.cupy_driver import CupyDriver
from zkgpu.gpu.source import Source, folder

SM_90 = BY_NAME["sm_90"]
CUBIN = ELF + b"code"
SORT = catalogue.scalar_source(BN254, "sort.cu")


# what is compiled ahead of time


@pytest.mark.slow
def test_the_kept_expressions_are_those_that_provers_setups_and_self_tests_trace() -> None:
    found = record()
    assert found.sites == sites()
    assert found.texts == set(catalogue.expressions_known()), "run `python -m tests.cuda.expressions`"


def test_a_device_asks_for_no_module_that_is_not_in_the_catalogue(
    emulated: EmulatedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: set[Source] = set()
    compile_now: Callable[[Source], Any] = emulated.compile
    monkeypatch.setattr(emulated, "compile", lambda source: compiled.add(source) or compile_now(source))
    self_test(CudaBackend(emulated, BN254, log_tile=4))
    assert len(compiled) >= 9
    assert compiled <= set(catalogue.sources())


def test_every_file_of_kernels_is_in_the_catalogue() -> None:
    names = " ".join(source.name for source in catalogue.sources())
    assert {path.name for path in folder().glob("*.cu") if path.name not in names} == set()


def test_no_other_file_of_the_package_makes_a_source_of_its_own() -> None:
    """Only elements.py and catalogue.py compose texts; matmul.py takes the one file that is for no curve."""
    package, makers = Path(catalogue.__file__).parents[1], set()
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text())
        imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
        if any(node.module == "zkgpu.gpu.source" and "load" in [a.name for a in node.names] for node in imports):
            makers.add(path.name)
    assert makers == {"elements.py", "catalogue.py", "matmul.py"}


# which code runs where


@pytest.mark.parametrize(
    ("capability", "name"),
    [
        ((8, 0), "sm_80"),
        ((8, 6), "sm_80"),
        ((8, 9), "sm_89"),
        ((9, 0), "sm_90"),
        ((10, 0), "sm_100"),
        ((10, 3), "sm_100"),
        ((12, 1), "sm_120"),
        ((7, 5), None),  # another major version
        ((8, 7), None),  # Tegra
        ((11, 0), None),
        ((13, 0), None),
    ],
)
def test_code_runs_on_its_major_version_from_its_minor_version_on(capability: Any, name: str | None) -> None:
    found = runs_on(*capability)
    assert (found.name if found else None) == name


def test_registers_threads_and_shared_memory_bound_the_blocks_of_a_multiprocessor() -> None:
    assert SM_90.resident_blocks(128, 128, 0) == 4
    assert SM_90.resident_blocks(128, 129, 0) == 3
    assert SM_90.resident_blocks(128, 8, 0) == 16
    assert SM_90.resident_blocks(32, 8, 0) == 32
    assert BY_NAME["sm_89"].resident_blocks(128, 8, 48 << 10) == 2


# cubins on disk


def test_a_cubin_is_found_by_its_text_architecture_and_version_of_cuda(cubins: Cubins) -> None:
    path = cubins.write(SORT, SM_90, 13, CUBIN)
    assert read_cubin(path) == CUBIN
    assert cubins.find(SORT, SM_90, 13) == cubins.find(SORT, SM_90, 14) == path
    assert cubins.find(SORT, SM_90, 12) is None, "a driver does not run what a later major version made"
    assert cubins.find(SORT, BY_NAME["sm_80"], 13) is None
    assert cubins.find(Source(SORT.name, SORT.text + " "), SM_90, 13) is None


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "other"])
def test_a_damaged_cubin_is_refused_in_one_line(cubins: Cubins, damage: str) -> None:
    path = cubins.write(SORT, SM_90, 13, CUBIN * 50)
    packed = path.read_bytes()
    changed = bytes([*packed[:20], packed[20] ^ 1, *packed[21:]])
    path.write_bytes({"cut": packed[:-9], "changed": changed, "empty": b"", "other": CUBIN}[damage])
    with pytest.raises(FormatError, match=r"sm_90.cubin.gz: .*: the file is damaged, install zkgpu again") as caught:
        read_cubin(path)
    assert "\n" not in str(caught.value)


# on a device


def test_a_device_loads_cubins_and_compiles_nothing(cupy: Cupy, cubins: Cubins) -> None:
    for source in catalogue.sources():
        cubins.write(source, SM_90, 13, CUBIN + source.name.encode())
    driver = CupyDriver()
    for source in catalogue.sources():
        driver.launch(driver.compile(source), "f", (1, 1, 1), (1, 1, 1), 0, [])
    assert cupy.loaded == [CUBIN + source.name.encode() for source in catalogue.sources()]
    assert cupy.compiled == []


def test_a_device_that_runs_no_cubin_compiles(cupy: Cupy, cubins: Cubins, monkeypatch: pytest.MonkeyPatch) -> None:
    cubins.write(SORT, SM_90, 13, CUBIN)
    cupy.driver_version = 12090
    CupyDriver().compile(SORT)
    cupy.driver_version = 13000
    monkeypatch.setattr(Device, "compute_capability", "75")
    CupyDriver().compile(SORT)
    assert cupy.loaded == []
    assert cupy.compiled.count(SORT.text) == 2


@pytest.mark.parametrize("harm", ["damaged", "refused"])
def test_cubins_of_no_use_are_compiled_instead_with_one_warning(
    cupy: Cupy, cubins: Cubins, caplog: pytest.LogCaptureFixture, harm: str
) -> None:
    other = catalogue.scalar_source(BN254, "ntt.cu")
    for source in (SORT, other):
        path = cubins.write(source, SM_90, 13, CUBIN)
        if harm == "damaged":
            path.write_bytes(path.read_bytes()[:-9])
    cupy.refuses = Failure("CUDA_ERROR_INVALID_IMAGE: device kernel image is invalid")
    driver = CupyDriver()
    with caplog.at_level(logging.WARNING):
        for source in (SORT, other):
            driver.compile(source)
    assert {SORT.text, other.text} <= set(cupy.compiled)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "cuda:0: kernels are compiled here, which takes longer: " in caplog.text
    assert ("the file is damaged" if harm == "damaged" else "kernel image is invalid") in caplog.text


def test_a_device_without_memory_for_a_cubin_says_so(cupy: Cupy, cubins: Cubins) -> None:
    cubins.write(SORT, SM_90, 13, CUBIN)
    cupy.refuses = Failure("CUDA_ERROR_OUT_OF_MEMORY: out of memory")
    with pytest.raises(ResourceError, match="no memory for what CUDA itself needs"):
        CupyDriver().compile(SORT)


def test_without_cubin_and_compiler_the_error_says_what_to_install(cupy: Cupy, cubins: Cubins) -> None:
    cupy.lacks = RuntimeError("Failed to find CUDA headers.\nPlease install them")
    wanted = r"cuda:0: bn254_sort.cu: there is no cubin for it, .*: Failed to find CUDA headers.: pip .*zkgpu\[cuda13\]"
    with pytest.raises(ResourceError, match=wanted) as caught:
        CupyDriver().compile(SORT)
    assert "\n" not in str(caught.value)


def test_without_cubins_modules_compile_side_by_side(
    cupy: Cupy, cubins: Cubins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    met, compiled = threading.Barrier(2, timeout=30), RawModule.module.fget

    def module(raw: RawModule) -> Any:
        if raw.cupy is cupy:  # and not of another test, whose threads have not ended
            met.wait()
        return compiled(raw)

    monkeypatch.setattr(RawModule, "module", property(module))
    monkeypatch.setattr(catalogue, "sources", lambda: (SORT, catalogue.scalar_source(BN254, "ntt.cu")))
    driver = CupyDriver()
    for source in catalogue.sources():
        driver.compile(source)
    assert sorted(cupy.compiled) == sorted(source.text for source in catalogue.sources())


def test_a_compilation_that_failed_is_tried_again(cupy: Cupy, cubins: Cubins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "sources", lambda: (SORT,))
    driver, cupy.lacks = CupyDriver(), Failure("CUDA_ERROR_OUT_OF_MEMORY: out of memory")
    with pytest.raises(ResourceError, match="no memory"):
        driver.compile(SORT)
    cupy.lacks = None
    driver.compile(SORT)
    assert cupy.compiled == [SORT.text]


# making them


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """A compiler that writes names; what it was given."""
    given: list[tuple[str, str]] = []

    def compiled(source: Source, architecture: str) -> tuple[bytes, str]:
        given.append((source.name, architecture))
        return CUBIN + f"{source.name} {architecture}".encode(), ""

    monkeypatch.setattr(nvrtc, "compiled", compiled)
    monkeypatch.setattr(nvrtc, "version", lambda: (13, 0))
    return given


def test_the_build_makes_every_module_for_every_architecture_once(compiler: list, cubins: Cubins) -> None:
    stale = cubins.write(Source("old.cu", "earlier text"), SM_90, 13, CUBIN)
    paths = build.build(cubins)
    assert len(set(paths)) == len(compiler) == len(catalogue.sources()) * len(ARCHITECTURES)
    assert sorted(cubins.folder.rglob("*.gz")) == sorted(paths), "and removes what is of no source"
    assert not stale.exists()
    found = cubins.find(SORT, SM_90, 13)
    assert found is not None
    assert read_cubin(found) == CUBIN + b"bn254_sort.cu sm_90"
    build.build(cubins)
    assert len(compiler) == len(paths), "what is there is not compiled again"


def test_one_architecture_can_be_built_and_unknown_ones_are_refused(
    compiler: list, cubins: Cubins, capsys: pytest.CaptureFixture[str]
) -> None:
    build.main(["sm_90"])
    assert {architecture for _, architecture in compiler} == {"sm_90"}
    with pytest.raises(SystemExit) as stopped:
        build.main(["sm_91"])
    assert stopped.value.code == UsageError.exit_code
    assert "error: unknown architecture 'sm_91': use sm_80, " in capsys.readouterr().err


def test_a_wheel_without_all_cubins_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheel = tmp_path / "zkgpu-1-py3-none-any.whl"
    names = [file_name(source, a) for source in catalogue.sources() for a in ARCHITECTURES]
    for held in (names, names[1:]):
        with zipfile.ZipFile(wheel, "w") as archive:
            for name in held:
                archive.writestr(f"zkgpu/cubins/cuda13/{name}", b"")
        assert build.missing(wheel) == names[: len(names) - len(held)]
    with pytest.raises(SystemExit) as stopped:
        build.main(["--check", str(wheel)])
    assert stopped.value.code == UsageError.exit_code
    assert "1 cubins are missing" in capsys.readouterr().err
