"""cuda/field.cuh and cuda/quadratic.cuh on the emulated device: Python integers say what each operation gives."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.emulation.driver import EmulatedDriver
from zkgpu.curves.bn254 import Fq, Fr
from zkgpu.fields import Field, QuadraticExtension
from zkgpu.gpu.program import DeviceArray, Element, Grid, Program, allocate, upload
from zkgpu.gpu.source import load

HERE = Path(__file__).parent
# draft-irtf-cfrg-pairing-friendly-curves, section 4.2.1
BLS12_381_Q = int(
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab", 16
)
BLS12_381_R = int("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001", 16)
FIELDS = {
    "bn254 Scalar": Fr,
    "bn254 Base": Fq,
    "bls12_381 Scalar": Field("BLS12-381 Fr", BLS12_381_R, generator=7),
    "bls12_381 Base": Field("BLS12-381 Fq", BLS12_381_Q, generator=2),
}
MUL, ADD, SUB, NEG, SQUARE, INVERSE, CANONICAL, IS_ZERO = range(8)


@dataclass(frozen=True)
class Kernels:
    """The operations of one field on the device."""

    program: Program
    driver: EmulatedDriver
    field: Field
    width: int = 1

    @property
    def bound(self) -> int:
        """Values rest below it: 2p where 4p < R."""
        p = self.field.modulus
        return 2 * p if 4 * p < 1 << (8 * self.field.bytes) else p

    @property
    def radix(self) -> int:
        return 1 << (8 * self.field.bytes)

    @property
    def element(self) -> Element:
        return Element("F", self.width * self.field.bytes)

    def up(self, values: list[int]) -> DeviceArray:
        data = b"".join(v.to_bytes(self.field.bytes, "little") for v in values)
        return upload(self.driver, self.element, np.frombuffer(data, np.uint8))

    def down(self, array: DeviceArray) -> list[int]:
        rows = array.read(np.uint8).reshape(-1, self.field.bytes)
        return [int.from_bytes(row.tobytes(), "little") for row in rows]

    def difference(self, *operands: list[int]) -> list[int]:
        """a b - c d"""
        n = len(operands[0]) // self.width
        out = allocate(self.driver, self.element, n)
        named = {name: self.up(values) for name, values in zip("abcd", operands, strict=True)}
        self.program.launch("field_difference", Grid.over(n, 32), n=n, **named, out=out)
        return self.down(out)

    def binary(self, operation: int, a: list[int], b: list[int]) -> list[int]:
        n = len(a) // self.width
        out = allocate(self.driver, self.element, n)
        grid = Grid.over(n, 32)
        self.program.launch("field_binary", grid, n=n, operation=operation, a=self.up(a), b=self.up(b), out=out)
        return self.down(out)


def kernels_of(driver: EmulatedDriver, name: str) -> Kernels:
    curve, kind = name.split()
    laws = ["field_laws.cu"]
    if name != "bls12_381 Scalar":  # which is not lazy
        laws += ["merged_laws.cu", "difference_laws.cu"]
    body = "".join((HERE / law).read_text() for law in laws)
    names = f"using F = {kind};\n#define FIRST_WORD w[0]"
    source = load("grid.cuh", f"{curve}.cuh", names, body, name=name.replace(" ", "-"))
    return Kernels(Program(driver, source), driver, FIELDS[name])


@pytest.fixture(scope="module", params=FIELDS)
def kernels(driver: EmulatedDriver, request: pytest.FixtureRequest) -> Kernels:
    return kernels_of(driver, request.param)


def lazy_pairs(kernels: Kernels) -> st.SearchStrategy[tuple[list[int], list[int]]]:
    p, top = kernels.field.modulus, kernels.bound
    edges = st.sampled_from([0, 1, 2, p - 1, p % top, top - 1, (1 << 32) - 1, 1 << 32, p >> 1, top >> 1])
    values = st.lists(st.one_of(edges, st.integers(0, top - 1)), min_size=32, max_size=32)
    return st.tuples(values, values)


checked = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def laws(kernels: Kernels) -> dict[int, Callable[[int, int], int]]:
    p, radix = kernels.field.modulus, kernels.radix
    back = pow(radix, -1, p)
    return {
        MUL: lambda a, b: a * b * back,
        ADD: lambda a, b: a + b,
        SUB: lambda a, b: a - b,
        NEG: lambda a, b: -a,
        SQUARE: lambda a, b: a * a * back,
    }


@checked
@given(st.data())
def test_sums_and_products_are_right_and_stay_within_their_bound(kernels: Kernels, data: st.DataObject) -> None:
    a, b = data.draw(lazy_pairs(kernels))
    p = kernels.field.modulus
    for operation, law in laws(kernels).items():
        result = kernels.binary(operation, a, b)
        assert [v % p for v in result] == [law(x, y) % p for x, y in zip(a, b, strict=True)]
        assert max(result) < kernels.bound


@checked
@given(st.data())
def test_only_canonical_values_are_below_the_modulus_and_both_zeros_are_zero(
    kernels: Kernels, data: st.DataObject
) -> None:
    a, b = data.draw(lazy_pairs(kernels))
    p = kernels.field.modulus
    assert kernels.binary(CANONICAL, a, b) == [x % p for x in a]
    assert kernels.binary(IS_ZERO, a, b) == [int(x % p == 0) for x in a]


def test_the_inverse_is_the_inverse_and_zero_for_zero(kernels: Kernels) -> None:
    p, radix = kernels.field.modulus, kernels.radix
    a = [0, 1, 2, p - 1, 12345 << 200, kernels.bound - 1]
    expected = [radix * radix * pow(x, -1, p) % p if x % p else 0 for x in a]
    assert [v % p for v in kernels.binary(INVERSE, a, a)] == expected


@pytest.mark.parametrize("name", ["bn254 Scalar", "bn254 Base", "bls12_381 Base"])
def test_merged_products_and_forms_are_right_up_to_the_bound_itself(driver: EmulatedDriver, name: str) -> None:
    kernels = kernels_of(driver, name)
    p, top, radix = kernels.field.modulus, kernels.bound, kernels.radix
    back = pow(radix, -1, p)
    a = [0, 1, p, top, top, p - 1, 7, 1 << 250]
    b = [top, 0, p, top, 1, p + 1, 7, 1 << 200]
    out, number = (allocate(driver, kernels.element, len(a)) for _ in range(2))
    x, y = kernels.up(a), kernels.up(b)
    kernels.program.launch("field_merged", Grid(1, 32), n=len(a), a=x, b=y, c=y, d=y, out=out)
    merged = kernels.down(out)
    assert [v % p for v in merged] == [(i * j + j * j) * back % p for i, j in zip(a, b, strict=True)]
    assert max(merged) < top
    apart = kernels.difference(a, b, b[::-1], a)
    assert [v % p for v in apart] == [(i * j - k * i) * back % p for i, j, k in zip(a, b, b[::-1], strict=True)]
    assert max(apart) < top
    kernels.program.launch("field_forms", Grid(1, 32), n=len(a), a=x, montgomery=out, number=number)
    assert [v % p for v in kernels.down(out)] == [i * radix % p for i in a]
    assert kernels.down(number) == [i * back % p for i in a]


@pytest.fixture(scope="module")
def quadratic(driver: EmulatedDriver) -> Kernels:
    body = (HERE / "field_laws.cu").read_text() + (HERE / "difference_laws.cu").read_text()
    names = "using F = Fp2<Base>;\n#define FIRST_WORD c0.w[0]"
    source = load("grid.cuh", "bn254.cuh", names, body, name="bn254-quadratic")
    return Kernels(Program(driver, source), driver, Fq, width=2)


@checked
@given(st.data())
def test_the_quadratic_extension_is_the_extension(quadratic: Kernels, data: st.DataObject) -> None:
    a, b = data.draw(lazy_pairs(quadratic))
    e: Any = QuadraticExtension(Fq)
    pairs = [((a[i], a[i + 1]), (b[i], b[i + 1])) for i in range(0, len(a), 2)]
    scaled = e.base.inverse(quadratic.radix)
    two_operands = {MUL: lambda x, y: e.scale(e.mul(x, y), scaled), ADD: e.add, SUB: e.sub}
    one_operand = {NEG: e.neg, SQUARE: lambda x: e.scale(e.square(x), scaled)}
    for operation, law in two_operands.items():
        result = quadratic.binary(operation, a, b)
        assert _modulo(result) == [c for x, y in pairs for c in law(x, y)]
        assert max(result) < quadratic.bound
    for operation, law in one_operand.items():
        result = quadratic.binary(operation, a, b)
        assert _modulo(result) == [c for x, _ in pairs for c in law(x)]
        assert max(result) < quadratic.bound
    zeros = quadratic.binary(IS_ZERO, a, b)
    assert zeros[::2] == [int(x[0] % Fq.modulus == 0 and x[1] % Fq.modulus == 0) for x, _ in pairs]


def test_products_in_the_extension_of_the_ends_of_the_range_stay_within_it(quadratic: Kernels) -> None:
    p, top = Fq.modulus, quadratic.bound
    elements = list(itertools.product([0, 1, p - 1, p, top - 1], repeat=2))
    pairs = list(itertools.product(elements, repeat=2))
    a, b = ([c for pair in pairs for c in pair[k]] for k in (0, 1))
    e: Any = QuadraticExtension(Fq)
    scaled = e.base.inverse(quadratic.radix)
    result = quadratic.binary(MUL, a, b)
    assert _modulo(result) == [c for x, y in pairs for c in e.scale(e.mul(x, y), scaled)]
    assert max(result) < top


def test_differences_of_products_in_the_extension_stay_within_the_range_at_all_its_ends(quadratic: Kernels) -> None:
    top, e = quadratic.bound, QuadraticExtension(Fq)
    # which words of a product are cleared hangs on its lowest ones: some offsets meet each end of the sums
    offsets = [0, 1, 3, 1 << 20, 12345 << 40, 98765 << 80, (1 << 120) - 1, 55555 << 110]
    both = [itertools.product(itertools.product([k, top - 1 - k], repeat=2), repeat=4) for k in offsets]
    cases: Any = list(itertools.chain(*both))
    operands = [[coordinate for case in cases for coordinate in case[k]] for k in range(4)]
    scaled = e.base.inverse(quadratic.radix)
    result = quadratic.difference(*operands)
    expected = [e.scale(e.sub(e.mul(a, b), e.mul(c, d)), scaled) for a, b, c, d in cases]
    assert _modulo(result) == [coordinate for x in expected for coordinate in x]
    assert max(result) < top


@checked
@given(st.data())
def test_differences_of_products_in_the_extension_are_right(quadratic: Kernels, data: st.DataObject) -> None:
    (a, b), (c, d) = data.draw(lazy_pairs(quadratic)), data.draw(lazy_pairs(quadratic))
    e: Any = QuadraticExtension(Fq)
    scaled = e.base.inverse(quadratic.radix)
    rows = zip(*(zip(v[::2], v[1::2], strict=True) for v in (a, b, c, d)), strict=True)
    expected = [e.scale(e.sub(e.mul(w, x), e.mul(y, z)), scaled) for w, x, y, z in rows]
    result = quadratic.difference(a, b, c, d)
    assert _modulo(result) == [coordinate for x in expected for coordinate in x]
    assert max(result) < quadratic.bound


def test_the_inverse_in_the_extension_times_the_element_is_one(quadratic: Kernels) -> None:
    a = [1, 0, 0, 1, 5, 7, Fq.modulus - 1, 1 << 200]
    one = Fq.montgomery_radix
    assert _modulo(quadratic.binary(MUL, a, quadratic.binary(INVERSE, a, a))) == [one, 0] * 4


def _modulo(values: list[int]) -> list[int]:
    return [v % Fq.modulus for v in values]
