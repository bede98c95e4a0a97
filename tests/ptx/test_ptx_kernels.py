"""What NVIDIA's compiler makes of the kernels computes what the sources say, and reads and writes where it may."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from operator import add, mul, sub
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver, EmulationError
from tests.ptx.driver import ARCHITECTURE, PtxDriver, missing
from tests.ptx.translate import UnknownPtx, cpp_of
from zkgpu.backend.cuda import CudaBackend
from zkgpu.curves.bn254 import BN254, G1, G2, Fr
from zkgpu.curves.points import Group
from zkgpu.errors import ZkgpuError
from zkgpu.gpu import nvrtc
from zkgpu.gpu.catalogue import expression_source, expressions_known
from zkgpu.gpu.elements import scalar, scalar_source
from zkgpu.gpu.program import U32, Grid, Program, Programs, allocate, upload
from zkgpu.gpu.source import Source, load
from zkgpu.msm import cuda_lists
from zkgpu.msm.cuda_lists import WorkLists
from zkgpu.ntt import cuda as transforms

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))
BENCHES = Path(__file__).parents[2] / "bench"
groups = pytest.mark.parametrize("group", [G1, G2], ids=["G1", "G2"])


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHES))
    from gpu_run import checks

    return checks


@pytest.fixture(scope="module")
def driver() -> Iterator[PtxDriver]:
    device = PtxDriver()
    yield device
    device.close()


@pytest.mark.parametrize("n", [1, 33])
def test_vectors_are_computed_as_on_integers(checks: Any, driver: PtxDriver, n: int) -> None:
    checks.require_vectors(CudaBackend(driver, BN254), n)


@pytest.mark.parametrize("n", [300, 2000])
@pytest.mark.parametrize(("bits", "largest"), [([9], 300), ([1, 12], 5000), ([3, 6, 4], 5000)], ids=str)
def test_keys_are_sorted(
    driver: PtxDriver, n: int, bits: list[int], largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_lists, "levels", lambda n, largest: bits)
    keys = np.random.default_rng(1).integers(0, largest, n).astype(np.uint32)
    keys[:: n // 250] = 7
    lists = WorkLists(Programs(driver), BN254)
    places = upload(driver, U32, np.arange(n, dtype=np.uint32))
    values, starts = lists.sort(upload(driver, U32, keys), places, largest)
    assert keys[values.read(np.uint32)].tolist() == sorted(keys.tolist())
    assert starts.read(np.uint32).tolist() == np.searchsorted(np.sort(keys), np.arange(largest + 1)).tolist()


def test_products_of_bytes_are_exact(checks: Any, driver: PtxDriver) -> None:
    checks.require_byte_products(driver, 70, 33, 65)


@pytest.mark.slow
@pytest.mark.parametrize(("log_size", "offset"), [(1, 1), (5, 7), (9, 7)])
def test_transforms_in_several_passes_evaluate(checks: Any, driver: PtxDriver, log_size: int, offset: int) -> None:
    checks.require_transform(CudaBackend(driver, BN254, log_tile=4), log_size, offset)


@pytest.mark.slow
@pytest.mark.parametrize(("log_size", "offset"), [(2, 1), (9, 7)])
def test_transforms_that_put_their_roots_together_evaluate(
    checks: Any, driver: PtxDriver, log_size: int, offset: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transforms, "ROOTS_SHARE", 1 << 60)  # no memory is enough for a whole table
    checks.require_transform(CudaBackend(driver, BN254, log_tile=4), log_size, offset)


OPERATIONS: dict[str, Callable[..., int]] = {"add": add, "sub": sub, "mul": mul, "square": lambda x: x * x}


def computed(text: str, values: dict[str, int]) -> int:
    """What the statements of a traced kernel say, on integers; `values` by name."""
    for target, source in re.findall(r"(t\d+|out\[i\]) = (.*);", text):
        call = re.fullmatch(r"(\w+)\((.*)\)", source)
        operands = [values[name] for name in (call[2] if call else source).split(", ")]
        values[target] = OPERATIONS[call[1]](*operands) % Fr.modulus if call else operands[0]
    return values["out[i]"]


@pytest.mark.slow
@pytest.mark.parametrize("text", expressions_known(), ids=lambda text: expression_source(BN254, text).name)
def test_expressions_of_provers_are_computed_as_on_integers(driver: PtxDriver, text: str) -> None:
    source, backend, n = expression_source(BN254, text), CudaBackend(driver, BN254), 33
    names = [p.name for p in source.signatures()["pointwise"].parameters if p.is_pointer and p.name != "out"]
    draws = random.Random(text)
    drawn = {name: [draws.choice([0, Fr.modulus - 1, draws.randrange(Fr.modulus)]) for _ in range(n)] for name in names}
    out = allocate(driver, scalar(Fr), n)
    vectors = {name: backend.vector(Fr.to_limbs(values)) for name, values in drawn.items()}
    Program(driver, source).launch("pointwise", Grid.over(n), n=n, **vectors, out=out)
    constants = {f"constants[{k}]": value for k, value in enumerate(drawn["constants"])}
    inputs = [{f"{name}[i]": drawn[name][i] for name in names if name != "constants"} for i in range(n)]
    assert Fr.from_limbs(backend.limbs(out)) == [computed(text, constants | of_entry) for of_entry in inputs]


@pytest.mark.slow
@groups
@pytest.mark.parametrize("kind", ["random", "same", "bits"])
def test_sums_with_tables_are_right(checks: Any, driver: PtxDriver, group: Group, kind: str) -> None:
    checks.require_sum(CudaBackend(driver, BN254, tables=True), group, 150, kind)


@pytest.mark.slow
@groups
def test_sums_without_tables_are_right(checks: Any, driver: PtxDriver, group: Group) -> None:
    checks.require_sum(CudaBackend(driver, BN254, tables=False), group, 40)


@pytest.mark.slow
@groups
def test_points_are_scaled_and_judged(checks: Any, driver: PtxDriver, group: Group) -> None:
    checks.require_points(CudaBackend(driver, BN254), group, 12)


# ---- faults that only this layer sees


class Sabotaged(EmulatedDriver):
    """A device whose compiler is given another line in one source."""

    def __init__(self, name: str, right: str, wrong: str):
        super().__init__()
        self._fault = name, right, wrong

    def build_module(self, source: Source) -> Path:
        name, right, wrong = self._fault
        if source.name.endswith(name):
            assert right in source.text, "the line to sabotage is gone"
            source = Source(source.name, source.text.replace(right, wrong, 1))
        return super().build_module(source)


class SabotagedPtx(Sabotaged, PtxDriver):
    """The same, of what NVIDIA's compiler is given."""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('ZK_PTX3(madc_hi_cc, "madc.hi.cc.u32")', 'ZK_PTX3(madc_hi_cc, "mad.hi.cc.u32")'),
        ('ZK_PTX2(addc_cc, "addc.cc.u32")', 'ZK_PTX2(addc_cc, "add.cc.u32")'),
        ('ZK_PTX2(subc, "subc.u32")', 'ZK_PTX2(subc, "sub.u32")'),
    ],
    ids=["madc.hi", "addc", "subc"],
)
def test_a_broken_carry_chain_is_found_where_the_emulated_source_is_right(checks: Any, right: str, wrong: str) -> None:
    """The emulation of sources has carries of its own: it cannot see what the PTX says."""
    plain, driver = Sabotaged("vector.cu", right, wrong), SabotagedPtx("vector.cu", right, wrong)
    checks.require_vectors(CudaBackend(plain, BN254), 33)
    with pytest.raises(checks.WrongResult):
        checks.require_vectors(CudaBackend(driver, BN254), 33)
    plain.close()
    driver.close()


MISPLACED = """
ZK_KERNEL(32) copy_wide(uint32_t shift, const uint32_t* in, uint32_t* out) {
    uint32_t at = 4 * thread_index() + shift;
    reinterpret_cast<uint4*>(out + at)[0] = reinterpret_cast<const uint4*>(in + at)[0];
}
"""


@pytest.mark.parametrize("shift", [1, 2])
def test_a_misaligned_vector_access_is_found(shift: int) -> None:
    driver = PtxDriver()
    program = Program(driver, load("grid.cuh", MISPLACED, name="misplaced.cu"))
    a, b = allocate(driver, U32, 256), allocate(driver, U32, 256)
    program.launch("copy_wide", Grid(1, 32), shift=0, **{"in": a}, out=b)
    driver.synchronize()
    program.launch("copy_wide", Grid(1, 32), shift=shift, **{"in": a}, out=b)
    with pytest.raises(EmulationError, match=r"misaligned address \w+: ld.global.*v4"):
        driver.synchronize()
    driver.close()


def test_a_misaligned_access_that_a_kernel_makes_by_itself_is_found(checks: Any) -> None:
    """Four bytes off in shared memory: products of bytes are read sixteen at a time."""
    right = "shared_memory<uint32_t>()"
    driver = SabotagedPtx("matmul.cu", right, f"{right} + 1")
    with pytest.raises(EmulationError, match="misaligned address"):
        checks.require_byte_products(driver, 70, 33, 65)
    driver.close()


def test_an_access_behind_an_array_is_found(driver: PtxDriver) -> None:
    own = PtxDriver()
    program = Program(own, load("grid.cuh", MISPLACED, name="misplaced.cu"))
    a, b = allocate(own, U32, 64), allocate(own, U32, 64)
    program.launch("copy_wide", Grid(1, 32), shift=0, **{"in": a}, out=b)
    with pytest.raises(ZkgpuError, match="heap-buffer-overflow"):
        own.synchronize()
    own.close()


CALLED = """
struct Wide { uint64_t low, high; };
__device__ __noinline__ Wide twice_of(Wide x) { return {2 * x.low, 2 * x.high + (x.low >> 63)}; }
ZK_KERNEL(32) double_wide(const uint64_t* in, uint64_t* out) {
    uint32_t i = 2 * thread_index();
    Wide y = twice_of(twice_of({in[i], in[i + 1]}));
    out[i] = y.low;
    out[i + 1] = y.high;
}
"""


def test_functions_that_are_not_inlined_are_called(driver: PtxDriver) -> None:
    from zkgpu.gpu.program import U64

    program = Program(driver, load("grid.cuh", CALLED, name="called.cu"))
    words = np.random.default_rng(1).integers(0, 1 << 62, 64, dtype=np.uint64)
    out = allocate(driver, U64, 64)
    program.launch("double_wide", Grid(1, 32), **{"in": upload(driver, U64, words)}, out=out)
    found = out.read(np.uint64)
    for i in range(0, 64, 2):
        x = int(words[i]) | int(words[i + 1]) << 64
        assert int(found[i]) | int(found[i + 1]) << 64 == 4 * x % (1 << 128)


@pytest.mark.parametrize("text", ["frob.u32 %r1, %r2;", "ld.local.u32 %r1, [%rd1];", "add.cc.u64 %rd1, %rd2, %rd3;"])
def test_what_has_no_rule_is_an_error_and_no_guess(text: str) -> None:
    with pytest.raises(UnknownPtx):
        cpp_of(f".visible .entry k(\n)\n{{\n\t{text}\n\tret;\n}}\n")


def test_every_entry_of_a_source_is_translated() -> None:
    source = scalar_source(BN254, "sort.cu")
    text = cpp_of(nvrtc.ptx_of(source, ARCHITECTURE))
    assert set(re.findall(r"zk_start_(\w+)\(", text)) == set(source.signatures())


def test_forms_of_the_field_are_those_of_integers(driver: PtxDriver) -> None:
    edges = [0, 1, 2, Fr.modulus - 1, 1 << 253, (1 << 64) - 1, 1 << 128]
    backend = CudaBackend(driver, BN254)
    vector = backend.vector(Fr.to_limbs(edges))
    found = backend.pointwise(lambda x: (x - 1) * (x + 5) - x * x, vector)
    assert Fr.from_limbs(backend.limbs(found)) == [(4 * x - 5) % Fr.modulus for x in edges]
