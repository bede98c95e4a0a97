"""What the CUDA compiler makes of the kernels, without a GPU: no spills, no local memory, few multiplies."""

from __future__ import annotations

import pytest

from tests.gate import nvrtc
from zkgpu.gpu.source import Source

REASON = nvrtc.missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

# Multiplier slots of the operations over N words: a wide product takes two. N^2 wide products and as many of the
# reduction, less one half a row that is known to vanish, plus one low product a row for the reduction's factor.
SLOTS = {8: {"product": 264, "squaring": 208, "merged_product": 392}}
SLOTS[12] = {"product": 588, "squaring": 456, "merged_product": 876}


def slots_by_formula(words: int) -> dict[str, int]:
    reduction = 2 * words * words + words
    square = words * (words + 1)
    return {
        "product": 2 * words * words + reduction,
        "squaring": square + reduction,
        "merged_product": 4 * words * words + reduction,
    }


def assert_in_registers(source: Source, architecture: str) -> None:
    usages = nvrtc.usages(source, architecture)
    assert {u.kernel for u in usages} == set(source.signatures())
    for u in usages:
        assert (u.spills, u.stack, u.local) == (0, 0, 0), f"{source.name} on {architecture}: {u}"
        assert u.registers <= 255
        assert not [name for name in u.instructions if name.startswith(("LDL", "STL"))]


@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
@pytest.mark.parametrize(("curve", "field", "words"), [("bn254", "Scalar", 8), ("bls12_381", "Base", 12)])
def test_products_take_the_multiplies_that_their_formula_says(
    architecture: str, curve: str, field: str, words: int
) -> None:
    assert slots_by_formula(words) == SLOTS[words]
    source = nvrtc.product_source(curve, field)
    for usage in nvrtc.usages(source, architecture):
        # a multiply or two of the address arithmetic may come on top, and trivial halves are saved
        assert abs(usage.multiply_slots - SLOTS[words][usage.kernel]) <= 8, usage
    assert_in_registers(source, architecture)


@pytest.mark.parametrize("file", nvrtc.SCALAR_FILES)
def test_kernels_on_scalars_stay_in_registers(file: str) -> None:
    assert_in_registers(nvrtc.scalar_source("bn254", file), "sm_90")


@pytest.mark.slow
@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
@pytest.mark.parametrize("source", list(nvrtc.all_sources()), ids=lambda source: source.name)
def test_every_kernel_stays_in_registers_on_every_architecture(source: Source, architecture: str) -> None:
    assert_in_registers(source, architecture)
