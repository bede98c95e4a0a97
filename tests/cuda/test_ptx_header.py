"""The host half of cuda/ptx.cuh: chains of carries are 256-bit arithmetic."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

CUDA = Path(__file__).parents[2] / "cuda"
WORDS = 8

SOURCE = """
#include "ptx.cuh"
extern "C" void add(uint32_t* r, const uint32_t* a, const uint32_t* b) {
    r[0] = add_cc(a[0], b[0]);
    for (int i = 1; i < 8; i++) r[i] = addc_cc(a[i], b[i]);
    r[8] = addc(0, 0);
}
extern "C" void sub(uint32_t* r, const uint32_t* a, const uint32_t* b) {
    r[0] = sub_cc(a[0], b[0]);
    for (int i = 1; i < 8; i++) r[i] = subc_cc(a[i], b[i]);
    r[8] = subc(0, 0);
}
// r = a + b[0] * (b[0] + b[2] 2^64 + b[4] 2^128 + b[6] 2^192)
extern "C" void mad(uint32_t* r, const uint32_t* a, const uint32_t* b) {
    r[0] = mad_lo_cc(b[0], b[0], a[0]);
    r[1] = madc_hi_cc(b[0], b[0], a[1]);
    for (int i = 2; i < 8; i += 2) {
        r[i] = madc_lo_cc(b[i], b[0], a[i]);
        r[i + 1] = madc_hi_cc(b[i], b[0], a[i + 1]);
    }
    r[8] = addc(0, 0);
}
"""

numbers = st.one_of(st.sampled_from([0, 1, 2**32 - 1, 2**64 - 1, 2**256 - 1]), st.integers(0, 2**256 - 1))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    folder = tmp_path_factory.mktemp("ptx")
    (folder / "chains.cpp").write_text(SOURCE)
    target = folder / "chains.so"
    flags = ["-O1", "-shared", "-fPIC", "-Wall", "-Werror", "-I", str(CUDA)]
    subprocess.run([compiler, *flags, "-Wno-unused-function", "-o", target, folder / "chains.cpp"], check=True)
    return ctypes.CDLL(str(target))


def words(value: int) -> ctypes.Array:
    return (ctypes.c_uint32 * WORDS)(*((value >> (32 * i)) & 0xFFFFFFFF for i in range(WORDS)))


def call(library: ctypes.CDLL, name: str, a: int, b: int) -> tuple[int, int]:
    """(the low 256 bits, the word above them)"""
    result = (ctypes.c_uint32 * (WORDS + 1))()
    getattr(library, name)(result, words(a), words(b))
    return sum(w << (32 * i) for i, w in enumerate(result[:WORDS])), result[WORDS]


@settings(max_examples=200)
@given(numbers, numbers)
def test_a_chain_of_additions_adds(library: ctypes.CDLL, a: int, b: int) -> None:
    assert call(library, "add", a, b) == ((a + b) % 2**256, (a + b) >> 256)


@settings(max_examples=200)
@given(numbers, numbers)
def test_a_chain_of_subtractions_subtracts_and_leaves_the_borrow(library: ctypes.CDLL, a: int, b: int) -> None:
    assert call(library, "sub", a, b) == ((a - b) % 2**256, 0xFFFFFFFF if a < b else 0)


@settings(max_examples=200)
@given(numbers, numbers)
def test_a_chain_of_multiply_adds_accumulates_aligned_products(library: ctypes.CDLL, a: int, b: int) -> None:
    low = b & 0xFFFFFFFF
    total = a + sum(((b >> (32 * i)) & 0xFFFFFFFF) * low << (32 * i) for i in range(0, WORDS, 2))
    assert call(library, "mad", a, b) == (total % 2**256, total >> 256)
