"""The emulation finds faults: each is planted in the text of a kernel, and a law must then fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver, EmulationError, missing
from zkgpu.backend.cuda import CudaBackend
from zkgpu.curves.bn254 import BN254, G1, Fr
from zkgpu.errors import ZkgpuError
from zkgpu.gpu.program import U32, Programs, upload
from zkgpu.gpu.source import Source
from zkgpu.msm import cuda as buckets
from zkgpu.msm.cuda_lists import WorkLists
from zkgpu.ntt.domain import Domain

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


class Sabotaged(EmulatedDriver):
    """A device whose compiler changes one line of one source."""

    def __init__(self, name: str, right: str, wrong: str):
        super().__init__()
        self._fault = name, right, wrong

    def compile(self, source: Source) -> int:
        name, right, wrong = self._fault
        if not source.name.endswith(name):
            return super().compile(source)
        assert source.text.count(right) >= 1, "the line to sabotage is gone"
        return super().compile(Source(source.name, source.text.replace(right, wrong, 1)))


def transform_is_right(backend: CudaBackend) -> bool:
    domain = Domain(Fr, 64)
    values = [pow(7, i, Fr.modulus) for i in range(64)]
    there = backend.ntt(backend.vector(Fr.to_limbs(values)), domain)
    x = pow(domain.omega, int(domain.bit_reversal[5]), Fr.modulus)
    return Fr.from_limbs(backend.limbs(there))[5] == sum(v * pow(x, k, Fr.modulus) for k, v in enumerate(values)) % (
        Fr.modulus
    )


def product_is_right(backend: CudaBackend) -> bool:
    values = [pow(5, 3 * i, Fr.modulus) for i in range(64)]
    vector = backend.vector(Fr.to_limbs(values))
    return Fr.from_limbs(backend.limbs(vector)) == values


def msm_is_right(backend: CudaBackend) -> bool:
    factors = [pow(3, i, Fr.modulus) for i in range(9)]
    points = backend.points(G1, G1.to_rows([G1.generator] * 9))
    return backend.msm(points, backend.vector(Fr.to_limbs(factors))) == sum(factors) % Fr.modulus * G1.generator


def puts_in_order(backend: CudaBackend, keys: np.ndarray) -> bool:
    driver, places = backend.vector(Fr.to_limbs([0])).driver, np.arange(len(keys), dtype=np.uint32)
    lists = WorkLists(Programs(driver), BN254)
    order = lists.sort(upload(driver, U32, keys), upload(driver, U32, places), 4099)[0].read(np.uint32)
    return np.array_equal(np.sort(order), places) and np.array_equal(keys[order], np.sort(keys))


def sorting_is_right(backend: CudaBackend) -> bool:
    """In two levels, of which the second meets full bins."""
    keys = np.arange(9000, dtype=np.uint32) ** 2 % 4099
    keys[-600:] = 4000
    return puts_in_order(backend, keys)


def sorting_of_few_is_right(backend: CudaBackend) -> bool:
    """With equal keys, but fewer in a bin than a block has threads."""
    return puts_in_order(backend, np.arange(300, dtype=np.uint32) ** 2 % 401)


def weighing_is_right(backend: CudaBackend) -> bool:
    """With a bucket a thread."""
    with patch.object(buckets, "LEAST_SHARE", 1):
        return msm_is_right(backend)


def joining_is_right(backend: CudaBackend) -> bool:
    """A run of many pieces, which a block joins."""
    n = 400
    points = backend.points(G1, G1.to_rows([G1.generator] * n))
    return backend.msm(points, backend.vector(Fr.to_limbs([1] * n))) == n * G1.generator


Law = Callable[[CudaBackend], bool]
LAWS = [
    weighing_is_right,
    joining_is_right,
    transform_is_right,
    product_is_right,
    msm_is_right,
    sorting_is_right,
    sorting_of_few_is_right,
]


def holds(law: Law, backend: CudaBackend) -> bool:
    """Whether a law holds; a sanitizer that stops the device says that it does not."""
    try:
        return law(backend)
    except EmulationError:
        return False


FAULTS: dict[str, tuple[str, str, str, Law]] = {
    "a missing __syncthreads": (
        "ntt.cu",
        "round_of<LOG, FORWARD>(tile, planes, group, log_distance, roots);\n    __syncthreads();",
        "round_of<LOG, FORWARD>(tile, planes, group, log_distance, roots);",
        transform_is_right,
    ),
    "a dropped carry": (
        "vector.cu",
        "    accumulate<N>(even, a, b);\n    odd[N - 1] = addc(odd[N - 1], 0);",
        "    accumulate<N>(even, a, b);",
        product_is_right,
    ),
    "an off-by-one bucket": (
        "msm.cu",
        "bucket = (share + 1) << bits",
        "bucket = ((share + 1) << bits) - 1",
        weighing_is_right,
    ),
    "a scan of shares that does not wait": (
        "msm.cu",
        "        other = swapped;\n        __syncthreads();",
        "        other = swapped;",
        weighing_is_right,
    ),
    "a tree of shares that does not wait": (
        "msm.cu",
        "add_to(&tree[at], &tree[at + half]);\n        __syncthreads();",
        "add_to(&tree[at], &tree[at + half]);",
        weighing_is_right,
    ),
    "a tree of parts that does not wait": (
        "msm.cu",
        "        left = half;\n        __syncthreads();",
        "        left = half;",
        joining_is_right,
    ),
    "a digit in the wrong bucket": ("sort.cu", "w * bucket_step + digit - 1", "w * bucket_step + digit", msm_is_right),
    "a count that does not wait": (
        "sort.cu",
        "count[i] = 0;\n        __syncthreads();\n        count_range",
        "count[i] = 0;\n        count_range",
        sorting_is_right,
    ),
    "a rank that is taken before all counters are cleared": (
        "sort.cu",
        "stage.place[i] = 0;\n    __syncthreads();",
        "stage.place[i] = 0;",
        sorting_is_right,
    ),
    "places that are replaced before all have read them": (
        "sort.cu",
        "        stage.values[at] = value.w[k];\n    }\n    __syncthreads();",
        "        stage.values[at] = value.w[k];\n    }",
        sorting_is_right,
    ),
    "a segment that is not moved before the next one begins": (
        "sort.cu",
        "to.values_out[at] = stage.values[i];\n    }\n    __syncthreads();",
        "to.values_out[at] = stage.values[i];\n    }",
        sorting_is_right,
    ),
    "a place that two blocks take": (
        "sort.cu",
        "count ? to.take(first_key + i, count) : 0",
        "count ? to.starts[first_key + i] : 0",
        sorting_is_right,
    ),
    "a key that is taken for one of the next bin": (
        "sort.cu",
        "end = level.begin_of(bin + 1);",
        "end = level.begin_of(bin + 1) + 1;",
        sorting_is_right,
    ),
    "a scattered key in the place of another": (
        "sort.cu",
        "to.take(key.w[k] >> level.low, 1) : 0",
        "to.take(key.w[k] >> level.low, 0) : 0",
        sorting_of_few_is_right,
    ),
    "a tile that is moved before it is staged": (
        "sort.cu",
        "    __syncthreads();\n    for (uint32_t i = threadIdx.x; i < kept;",
        "    for (uint32_t i = threadIdx.x; i < kept;",
        msm_is_right,
    ),
    "a search that does not wait": (
        "sort.cu",
        "    __syncthreads();\n    return {found[0], found[1] + 1};",
        "    return {found[0], found[1] + 1};",
        msm_is_right,
    ),
    "a carry between windows": ("sort.cu", "carry = digit > base / 2;", "carry = digit > base / 2 + 1;", msm_is_right),
}


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest) -> tuple[Any, ...]:
    return FAULTS[request.param]


@pytest.fixture
def sabotaged(fault: tuple[Any, ...]) -> Iterator[CudaBackend]:
    driver = Sabotaged(*fault[:3])
    yield CudaBackend(driver, BN254, log_tile=6)
    driver.close()


def test_a_planted_fault_is_found(fault: tuple[Any, ...], sabotaged: CudaBackend) -> None:
    assert not holds(fault[3], sabotaged)


@pytest.mark.parametrize("law", LAWS)
def test_without_a_fault_the_same_laws_hold(driver: EmulatedDriver, law: Law) -> None:
    assert law(CudaBackend(driver, BN254, log_tile=6))


@pytest.mark.parametrize(
    ("body", "sign"),
    [
        ("out[n] = in[0];", "heap-buffer-overflow"),
        ("out[i] = in[(int)i - 1 - (int)n];", "heap-buffer-overflow"),
        ("shared_memory<uint32_t>()[4 + i] = 1;", "use-after-poison"),
        ("out[i] = 1 << (int)(32 + in[i] % 2);", "shift exponent"),
        ("if (i % 2) __syncthreads();", "threads wait for others"),
    ],
)
def test_the_sanitizers_name_what_a_kernel_does_wrong(body: str, sign: str) -> None:
    from zkgpu.gpu.program import Grid, Program, allocate
    from zkgpu.gpu.source import load

    text = f"""
ZK_KERNEL(32) wrong(uint32_t n, const uint32_t* in, uint32_t* out) {{
    uint32_t i = thread_index();
    if (i == n || !in || !out) return;
    {body}
}}
"""
    driver = EmulatedDriver()
    program = Program(driver, load("grid.cuh", text, name="wrong.cu"))
    a, b = allocate(driver, U32, 32), allocate(driver, U32, 32)
    program.launch("wrong", Grid(1, 32, 16), **{"n": 32, "in": a, "out": b})
    with pytest.raises(ZkgpuError, match=sign):
        driver.synchronize()
    driver.close()
