"""What the generator takes for granted is asserted: each of these went through, and some gave wrong numbers."""

import ctypes
import ctypes.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zkgpu.curves.bn254 import Fq
from zkgpu.fields import matvec_kernel
from zkgpu.jit.element import dot
from zkgpu.jit.isa import FMA, IFMA, supported
from zkgpu.jit.kernel import kernel, operation
from zkgpu.jit.memory import aligned_zeros

ROOT = Path(__file__).parents[2]
P = Fq.modulus
lanes = pytest.mark.parametrize("isa", [isa for isa in (IFMA, FMA) if isa in supported()], ids=lambda isa: isa.name)


@kernel
def generated(isa, what):
    body = BODIES[what]

    @operation(isa, P)
    def generate(e, x):
        body(e, x)

    def run(x):
        generate(x)

    return run


def dot_of(count):
    def body(e, x):
        value = e.load(x, e.integer(0))
        e.store(dot([(1, value, value)] * count).canonical(), x, e.integer(0))

    return body


def too_wide(e, x):
    value = e.load(x, e.integer(0), limit=P, spread=1 << 63)
    e.store((value * value).canonical(), x, e.integer(0))


def zero_of_columns(e, x):
    value = (e.load(x, e.integer(0)) + e.load(x, e.integer(0))).below(P)
    e.select(value.is_zero(), value, value)


def equal_columns(e, x):
    value = (e.load(x, e.integer(0)) + e.load(x, e.integer(0))).below(P)
    e.select(value.equals(value), value, value)


def large_row(e, x):
    e.scatter(e.row_addresses(e.builder.ptrtoint(x, e.integer(0).type)), e.load(x, e.integer(0), limit=2 * P))


def large_row_of_a_sum(e, x):
    e.scatter(
        e.row_addresses(e.builder.ptrtoint(x, e.integer(0).type)), e.load(x, e.integer(0), limit=2 * P + 1), to_sum=True
    )


BODIES = {
    "dot of 520": dot_of(520),
    "dot of 20": dot_of(20),
    "columns that overflow": too_wide,
    "is_zero of columns": zero_of_columns,
    "equals of columns": equal_columns,
    "a row that is not canonical": large_row,
    "a row of a sum": large_row_of_a_sum,
}


@lanes
@pytest.mark.parametrize("what", [name for name in BODIES if name != "dot of 20"])
def test_what_would_be_wrong_is_refused_while_generating(isa, what):
    with pytest.raises(AssertionError):
        generated(isa, what)(aligned_zeros(64))


@lanes
def test_a_sum_of_many_products_is_right_at_the_largest_values(isa):
    shape, mask = isa.over(P), (1 << 52) - 1
    x = aligned_zeros(64)
    x[: shape.block_words] = np.repeat([(P - 1) >> (52 * j) & mask for j in range(shape.limbs)], isa.lanes)
    generated(isa, "dot of 20")(x)
    words = x[: shape.block_words].reshape(shape.limbs, isa.lanes)[:, 0].tolist()
    value = sum(int(limb) << (52 * j) for j, limb in enumerate(words))
    assert value == 20 * (P - 1) ** 2 * pow(shape.montgomery_factor, -1, P) % P


def test_sums_of_rows_have_no_more_terms_than_may_be_collapsed(monkeypatch):
    monkeypatch.setattr(matvec_kernel, "TERMS", 512)
    builder = matvec_kernel.matvec.__wrapped__
    with pytest.raises(AssertionError, match="terms"):
        builder(supported()[0], P)


ROUNDING = """
import ctypes, sys, threading
import numpy as np
from concurrent.futures import ThreadPoolExecutor
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import ResourceError
from zkgpu.fields.cpu import CpuField
from zkgpu.jit.isa import FMA
libm = ctypes.CDLL(sys.argv[1])
cpu = CpuField(Fr, FMA, 1)

def said():
    try:
        values = cpu.vector(Fr.to_limbs([Fr.modulus - 1, 12345]))
        return Fr.from_limbs(cpu.limbs(cpu.pointwise(lambda x: x * x, values))) == [1, 12345**2]
    except ResourceError as error:
        return "fesetround" in str(error) and "refused"

def after(mode):
    libm.fesetround(mode)
    try:
        return said()
    finally:
        libm.fesetround(0)

print([said(), *map(after, (0x400, 0x800, 0xC00)), said()])
with ThreadPoolExecutor(1) as pool:
    print([pool.submit(said).result(), pool.submit(after, 0x800).result(), pool.submit(said).result()])
"""


@pytest.mark.skipif(FMA not in supported(), reason="this CPU has no fma instruction set")
@pytest.mark.skipif(not ctypes.util.find_library("m"), reason="no libm to set the rounding with")
def test_another_rounding_than_to_nearest_is_refused_by_name():
    command = [sys.executable, "-c", ROUNDING, ctypes.util.find_library("m")]
    said = subprocess.check_output(command, text=True, cwd=ROOT).splitlines()
    assert said == [
        "[True, 'refused', 'refused', 'refused', True]",
        "[True, 'refused', True]",
    ]
