"""What the CUDA compiler makes of the kernels, without a GPU: no spills, no local memory, few multiplies."""

from __future__ import annotations

import pytest

from tests.gate import nvrtc
from zkgpu.curves import BN254
from zkgpu.gpu import catalogue
from zkgpu.gpu.architectures import BY_NAME, THREAD_REGISTERS
from zkgpu.gpu.elements import point_source, scalar_source
from zkgpu.gpu.source import Source

REASON = nvrtc.missing()
needs_nvrtc = pytest.mark.skipif(REASON is not None, reason=str(REASON))

SAVED = 12  # slots that a compiler may save: halves of products that are known to vanish


def slots(words: int) -> dict[str, int]:
    """Slots of the integer multiplier over N words: two for each wide product, and one a row for the factor of p."""
    reduction = 2 * words * words + words
    return {
        "product": 2 * words * words + reduction,
        "squaring": words * (words + 1) + reduction,
        "merged_product": 4 * words * words + reduction,
    }


def test_the_formula_gives_the_known_counts() -> None:
    assert slots(8) == {"product": 264, "squaring": 208, "merged_product": 392}
    assert slots(12) == {"product": 588, "squaring": 456, "merged_product": 876}


def assert_in_registers(source: Source, architecture: str) -> None:
    usages = nvrtc.usages(source, architecture)
    assert {u.kernel for u in usages} == set(source.signatures())
    for u in usages:
        assert (u.spills, u.stack, u.local) == (0, 0, 0), f"{source.name} on {architecture}: {u}"
        threads = source.signatures()[u.kernel].max_threads
        assert u.registers <= THREAD_REGISTERS
        assert BY_NAME[architecture].resident_blocks(threads, u.registers, u.shared) >= 1
        assert not [name for name in u.instructions if name.startswith(("LDL", "STL"))]


@needs_nvrtc
@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
@pytest.mark.parametrize(("curve", "field", "words"), [("bn254", "Scalar", 8), ("bls12_381", "Base", 12)])
def test_products_take_the_multiplies_that_their_formula_says(
    architecture: str, curve: str, field: str, words: int
) -> None:
    source = nvrtc.product_source(curve, field)
    for usage in nvrtc.usages(source, architecture):
        most = slots(words)[usage.kernel]
        assert most - SAVED <= usage.multiply_slots <= most, usage
    assert_in_registers(source, architecture)


LOOP = 64  # steps in a round of bench/rates.cu
MORE = 16  # the same instruction outside of the loop


@needs_nvrtc
@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
def test_each_rate_is_of_the_instruction_it_is_named_after(architecture: str) -> None:
    found = {usage.kernel: usage.instructions for usage in nvrtc.usages(nvrtc.rates_source(), architecture)}
    single = {"rate_multiply_add": "IMAD", "rate_wide": "IMAD.WIDE.U32", "rate_double": "DFMA"}
    for kernel, name in single.items():
        assert LOOP <= found[kernel][name] <= LOOP + MORE, (kernel, found[kernel])
    carries = sum(found["rate_carry"][name] for name in ("IADD3.X", "IADD.X", "IMAD.X"))
    assert LOOP <= carries <= LOOP + MORE, found["rate_carry"]
    assert_in_registers(nvrtc.rates_source(), architecture)


LONG = {"bn254_ntt.cu", *(f"bn254_{k}_{file}" for k in (1, 2) for file in catalogue.POINT_FILES), "bn254_2_subgroup.cu"}
QUICK = [source for source in catalogue.sources() if source.name not in LONG]


@needs_nvrtc
@pytest.mark.parametrize("source", QUICK, ids=lambda source: source.name)
def test_kernels_stay_in_registers(source: Source) -> None:
    assert_in_registers(source, "sm_90")


CACHE = 128 << 10  # bytes of instructions that a multiprocessor keeps, about
INSTRUCTION = 16


@needs_nvrtc
@pytest.mark.slow
def test_sums_of_points_of_g2_fit_the_instruction_cache() -> None:
    for usage in nvrtc.usages(point_source(BN254, 2, "msm.cu"), "sm_90"):
        assert sum(usage.instructions.values()) * INSTRUCTION < CACHE, usage.kernel


WORDS = 24  # loads of 4 bytes in a kernel: indices, where many cases each look up their own
READERS = [
    pytest.param(scalar_source(BN254, "ntt.cu"), marks=pytest.mark.slow),
    scalar_source(BN254, "vector.cu"),
    *(pytest.param(point_source(BN254, 1, file), marks=pytest.mark.slow) for file in catalogue.POINT_FILES),
]


def loads_of_words(usage: nvrtc.Usage) -> int:
    """Loads of 4 bytes from global memory."""
    return sum(
        n for name, n in usage.instructions.items() if name.startswith("LDG") and name[-3:] not in ("128", ".64")
    )


@needs_nvrtc
@pytest.mark.parametrize("source", READERS, ids=lambda source: getattr(source, "name", None))
def test_field_elements_are_read_16_bytes_at_a_time(source: Source) -> None:
    found = {usage.kernel: loads_of_words(usage) for usage in nvrtc.usages(source, "sm_90")}
    assert {kernel: n for kernel, n in found.items() if n > WORDS} == {}


@needs_nvrtc
@pytest.mark.slow
@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
@pytest.mark.parametrize("source", list(nvrtc.all_sources()), ids=lambda source: source.name)
def test_every_kernel_stays_in_registers_on_every_architecture(source: Source, architecture: str) -> None:
    assert_in_registers(source, architecture)
