"""Curves are values: no room but `curves` names one, and all compute for BLS12-381, whose numbers stand in a test.

BLS12-381 has a base field of 6 words (8 limbs of 52 bits), a scalar field that leaves one bit of its words, point rows
that are not whole cache lines, a twist of kind M, a negative parameter and a G1 with a cofactor: nothing of it is as in
the curve that the package comes with. py_ecc is the oracle.
"""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zkgpu
from tests.bls12_381 import BLS12_381, G1, G2, Fq, Fq2, Fr
from zkgpu.backend import Backend, open_backend
from zkgpu.backend.cpu import CpuBackend
from zkgpu.backend.cuda import CudaBackend
from zkgpu.backend.reference import ReferenceBackend
from zkgpu.circuits import Circuit
from zkgpu.circuits.gadgets import poseidon
from zkgpu.curves import CURVES, DEFAULT, Point, curve_of, execution
from zkgpu.curves.pairing import is_in_subgroup_g2, pairing, pairing_product_is_one, small_msm
from zkgpu.curves.points import Group
from zkgpu.curves.proper import require_point
from zkgpu.curves.tower import Fq12
from zkgpu.errors import PointError, UsageError
from zkgpu.evm.abi import g1_words, g2_words, require_contracts
from zkgpu.fields.cpu import CpuField, computes
from zkgpu.fields.field import Field
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.jit.isa import FMA, IFMA, PORTABLE, InstructionSet, choose, supported
from zkgpu.msm.group import KernelGroup
from zkgpu.msm.points import from_isa_form, to_isa_form
from zkgpu.ntt.domain import Domain

ecc = pytest.importorskip("py_ecc.optimized_bls12_381")
PACKAGE = Path(zkgpu.__file__).parent
P, Q = G1.generator, G2.generator
r = Fr.modulus
EDGES = [0, 1, 2, r - 1, r - 2, r // 2, r // 2 + 1, 2**64, 2**254]
# what a file that assumes one width of field would say
ONE_WIDTH = re.compile(r"(64|8) \* degree|\(n, (4|8|16)\)|2\^256|pow\(2, 256|IntType\(256\)|BALANCED_BITS")
# most of the time is compilation, so that one path stands for all in the quick tests
OTHER_PATHS = [pytest.param(path, marks=pytest.mark.slow) for path in supported() if path != PORTABLE]
ALL_PATHS = [pytest.param(path, marks=pytest.mark.slow) for path in supported()]
NOT_CHOSEN = [pytest.param(path, marks=pytest.mark.slow) for path in supported() if path != choose()]


def sources() -> dict[str, str]:
    files = (path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "curves")
    return {str(path.relative_to(PACKAGE)): path.read_text() for path in files}


# -- the text


def test_no_file_outside_of_curves_names_a_curve_of_the_package() -> None:
    names = re.compile("|".join(re.escape(curve.name) for curve in CURVES), re.IGNORECASE)
    assert [name for name, text in sources().items() if names.search(text)] == []


def test_no_file_outside_of_curves_assumes_one_width_of_numbers() -> None:
    assert {name: found[0] for name, text in sources().items() if (found := ONE_WIDTH.search(text))} == {}


def test_the_solidity_templates_that_name_a_curve_are_those_of_the_curves_with_contracts() -> None:
    """A template is the published text of a contract for two precompiles, which are of one curve: it may say so."""
    templates = {path.name for path in PACKAGE.rglob("*.in") if "BN254" in path.read_text()}
    assert templates <= {"groth16.sol.in", "commitment.sol.in", "plonk.sol.in"}
    require_contracts(DEFAULT)
    with pytest.raises(UsageError, match="no contracts for BLS12-381"):
        require_contracts(BLS12_381)


# -- layouts


def test_limbs_belong_to_a_path_and_a_field() -> None:
    small, large = DEFAULT.base_field.modulus, Fq.modulus
    assert [path.over(small).limbs for path in (IFMA, FMA, PORTABLE)] == [5, 5, 4]
    assert [path.over(r).limbs for path in (IFMA, FMA, PORTABLE)] == [5, 5, 4]
    assert [path.over(large).limbs for path in (IFMA, FMA, PORTABLE)] == [8, 8, 6]
    assert [path.over(large).words for path in (IFMA, FMA, PORTABLE)] == [6, 6, 6]


def test_rows_belong_to_a_group_and_are_whole_cache_lines() -> None:
    assert [KernelGroup.of(g, PORTABLE).row_bytes for g in (DEFAULT.g1, DEFAULT.g2, G1, G2)] == [64, 128, 128, 192]
    assert [g.row_limbs for g in (DEFAULT.g1, DEFAULT.g2, G1, G2)] == [8, 16, 12, 24]


def test_a_group_of_kernels_is_named_by_its_numbers_alone() -> None:
    """The name of a compiled kernel has the repr in it: another one a process would be another compilation."""
    shape = KernelGroup.of(G1, PORTABLE)
    assert shape is KernelGroup.of(G1, PORTABLE)
    assert "BLS" not in repr(shape)
    assert "0x" not in repr(shape)
    assert str(Fq.modulus) in repr(shape)


@pytest.mark.parametrize("bits", [300, 416, 521])
def test_a_field_without_arithmetic_on_a_path_is_refused_by_name(bits: int) -> None:
    modulus = (1 << bits) - 1
    for path in (IFMA, FMA):
        if bits != 300:
            with pytest.raises(UsageError, match=f"{path.name} has no arithmetic modulo a number of {bits} bits"):
                path.over(modulus)
    for path in (IFMA, PORTABLE):
        with pytest.raises(UsageError, match="no arithmetic modulo"):
            path.over((1 << 64) - (1 << 32) + 2)  # even
    assert computes(Fr)
    assert not computes(Field("large", modulus * (1 << 200) + 1, 3))


# -- fields


@pytest.mark.parametrize("field", [Fr, Fq], ids=lambda f: f.name)
@pytest.mark.parametrize("path", [choose(), *NOT_CHOSEN], ids=lambda path: path.name)
def test_vectors_over_either_field_are_python_integers(field: Field, path: InstructionSet) -> None:
    p, rng = field.modulus, random.Random(1)
    near = [(1 << 52 * j) + d for j in range(1, 8) for d in (-1, 0, 1)] + [p - 1, p - 2, p // 2]
    x = [v for v in [0, 1, 2, *near] if v < p] + [rng.randrange(p) for _ in range(100)]
    y = x[7:] + x[:7]
    cpu = CpuField(field, path, 1)
    a, b = cpu.from_integers(x), cpu.from_integers(y)
    assert cpu.to_integers(a) == x
    assert (cpu.montgomery_limbs(a) == field.to_montgomery_limbs(x)).all()
    done = cpu.pointwise(lambda a, b: (a - b) * (a + b) - a * 7 * b + b, a, b)
    assert cpu.to_integers(done) == [((u - v) * (u + v) - u * 7 * v + v) % p for u, v in zip(x, y, strict=True)]


def test_values_beyond_the_modulus_are_reduced() -> None:
    cpu = CpuField(Fr, choose(), 1)
    assert cpu.to_integers(cpu.vector(np.full((2, 4), 2**64 - 1, np.uint64))) == [(2**256 - 1) % r] * 2


def numbers(n: int, seed: int = 1) -> list[int]:
    rng = random.Random(seed)
    return (EDGES + [rng.randrange(r) for _ in range(n)])[:n]


@pytest.mark.parametrize("path", ALL_PATHS, ids=lambda path: path.name)
def test_transforms_and_matrices_over_a_field_of_255_bits(path: InstructionSet) -> None:
    backend, reference = CpuBackend(BLS12_381, threads=1, instructions=path.name), ReferenceBackend(BLS12_381)
    for log_size, offset in ((5, 1), (5, Fr.root_of_unity(64)), (5, 5), (8, 1)):
        domain, limbs = Domain(Fr, 1 << log_size, offset), Fr.to_limbs(numbers(1 << log_size))
        values = backend.limbs(backend.ntt(backend.vector(limbs), domain))
        assert (backend.limbs(backend.intt(backend.vector(values), domain)) == limbs).all()
        assert (values == reference.limbs(reference.ntt(reference.vector(limbs), domain))).all()
    rows = np.repeat(np.arange(6), 9)
    matrix = SparseMatrix.from_entries((6, 54), rows, np.arange(54), np.arange(54) % 9, Fr.to_limbs(EDGES))
    w = Fr.to_limbs(numbers(54, 2))
    products = [b.limbs(b.matvec(b.matrix(matrix), b.vector(w))) for b in (backend, reference)]
    assert (products[0] == products[1]).all()


# -- groups


@pytest.fixture
def on_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedules run on Python integers, however many there were before."""
    monkeypatch.setattr(execution, "PYTHON_CALLS", sys.maxsize)


def to_ecc(p: Point) -> Any:
    if p.group is G1:
        return ecc.Z1 if p.is_infinity else (ecc.FQ(p.x), ecc.FQ(p.y), ecc.FQ.one())
    return ecc.Z2 if p.is_infinity else (ecc.FQ2(p.x), ecc.FQ2(p.y), ecc.FQ2.one())


@pytest.mark.usefixtures("on_integers")
@pytest.mark.parametrize("group", [G1, G2], ids=lambda g: g.name)
def test_the_group_law_is_that_of_py_ecc(group: Group) -> None:
    g = group.generator
    assert g.is_on_curve()
    assert g.is_in_subgroup()
    assert ecc.eq(to_ecc(g), ecc.G1 if group is G1 else ecc.G2)
    for a, b in ((5, 9), (7, 7), (3, -3), (0, 4), (r - 1, 2)):
        assert ecc.eq(to_ecc(g * a + g * b), ecc.add(ecc.multiply(to_ecc(g), a % r), ecc.multiply(to_ecc(g), b % r)))
    assert small_msm([g, g * 5, group.infinity], [r - 3, 77, 4]) == g * (5 * 77 - 3)
    rows = group.to_rows([g, group.infinity, -g])
    assert rows.shape == (3, group.row_limbs)
    assert group.from_rows(rows) == [g, group.infinity, -g]


def of_the_curve(group: Group) -> Point:
    """A point of the curve outside of the subgroup."""
    f, x = group.field, 5
    while True:
        at = x if group is G1 else (x, 1)
        y = f.sqrt(f.add(f.mul(f.square(at), at), group.b))
        if y is not None and not (point := Point(group, at, y)).is_in_subgroup():
            return point
        x += 1


@pytest.mark.usefixtures("on_integers")
def test_points_outside_of_the_subgroups_are_refused() -> None:
    outside = of_the_curve(G2)
    assert is_in_subgroup_g2(Q * 77)
    assert not is_in_subgroup_g2(outside)
    assert not is_in_subgroup_g2(Q + outside)
    assert is_in_subgroup_g2(G2.clear_cofactor(outside))
    for group in (G1, G2):
        require_point(group.generator, group, "a")
        with pytest.raises(PointError, match=f"outside the prime-order subgroup of {group.name}"):
            require_point(of_the_curve(group), group, "a")


# -- pairing


def fq12_to_ecc(f: Fq12) -> Any:
    """py_ecc's Fq12 is Fq[w]/(w^12 - 2 w^6 + 2), so that u = w^6 - 1."""
    return ecc.FQ12([*(g.c0 - g.c1 for g in f.powers_of_w()), *(g.c1 for g in f.powers_of_w())])


@pytest.mark.usefixtures("on_integers")
def test_the_pairing_is_that_of_py_ecc() -> None:
    """To the power 3 that the hard part brings; py_ecc leaves the sign of x away, and so has the inverse."""
    theirs = ecc.pairing(ecc.multiply(ecc.G2, 5), ecc.multiply(ecc.G1, 3))
    assert fq12_to_ecc(pairing(P * 3, Q * 5)) * theirs**3 == ecc.FQ12.one()
    assert theirs != ecc.FQ12.one()


@pytest.mark.usefixtures("on_integers")
def test_products_of_pairings_cancel_and_do_not() -> None:
    assert pairing_product_is_one([(P * 6, Q), (P * -2, Q * 3), (G1.infinity, Q)])
    assert not pairing_product_is_one([(P * 6, Q), (P * -2, Q * 4)])


def test_points_of_two_curves_do_not_pair() -> None:
    for pair in ((DEFAULT.g1.generator, Q), (P, DEFAULT.g2.generator), (Q, Q), (P, P)):
        with pytest.raises(UsageError):
            pairing_product_is_one([pair])
    with pytest.raises(UsageError):
        pairing_product_is_one([(P, Q), (DEFAULT.g1.generator, DEFAULT.g2.generator)])


# -- multi-scalar multiplications


LOGS = [7 * i % 17 - 8 for i in range(30)]  # infinity, equal points and opposite ones among them


def thirty(group: Group) -> list[Point]:
    small = {k: group.generator * k for k in set(LOGS)}
    return [small[k] for k in LOGS]


def check_sum(device: Backend, group: Group) -> None:
    points, scalars = thirty(group), numbers(30)
    total = device.msm(device.points(group, group.to_rows(points)), device.vector(Fr.to_limbs(scalars)))
    log = sum(a * k for a, k in zip(LOGS, scalars, strict=True)) % r
    assert ecc.eq(to_ecc(total), ecc.multiply(to_ecc(group.generator), log))


@pytest.mark.parametrize("group", [G1, G2], ids=lambda g: g.name)
def test_thirty_points_sum_as_in_py_ecc(group: Group) -> None:
    check_sum(open_backend("reference", curve=BLS12_381), group)


def test_thirty_points_sum_on_the_cpu_as_in_py_ecc() -> None:
    check_sum(open_backend("cpu", curve=BLS12_381, threads=1, instructions=PORTABLE.name), G1)


@pytest.mark.parametrize("group", [G1, G2], ids=lambda g: g.name)
@pytest.mark.parametrize("path", ALL_PATHS, ids=lambda path: path.name)
def test_thirty_points_sum_on_every_path_as_in_py_ecc(path: InstructionSet, group: Group) -> None:
    check_sum(open_backend("cpu", curve=BLS12_381, threads=2, instructions=path.name), group)


@pytest.mark.parametrize("path", [PORTABLE, *OTHER_PATHS], ids=lambda path: path.name)
def test_rows_survive_the_way_to_the_kernels_and_back(path: InstructionSet) -> None:
    for group in (G1, G2):
        shape, rows = KernelGroup.of(group, path), group.to_rows(thirty(group))
        resident = to_isa_form(shape, rows)
        assert resident.shape == (30, shape.row_words)
        assert not resident[:, group.row_limbs :].any()
        assert (from_isa_form(shape, resident) == rows).all()


@pytest.mark.slow
@pytest.mark.parametrize("path", supported(), ids=lambda path: path.name)
def test_setups_multiply_points_too(path: InstructionSet) -> None:
    backend, k = CpuBackend(BLS12_381, threads=1, instructions=path.name), numbers(30)
    for group in (G1, G2):
        points = thirty(group)
        fixed = backend.fixed_base(group.generator, backend.vector(Fr.to_limbs(k)))
        assert group.from_rows(fixed) == [group.generator * v for v in k]
        scaled = backend.scale_points(group, group.to_rows(points), k[20])
        assert group.from_rows(scaled) == [p * k[20] for p in points]
        rows = np.repeat(np.arange(3), 10)
        matrix = SparseMatrix.from_entries((3, 30), rows, np.arange(30), np.arange(30) % 9, Fr.to_limbs(EDGES))
        combined = group.from_rows(backend.combine_points(group, matrix, group.to_rows(points)))
        for i, total in enumerate(combined):
            these = [small * EDGES[j % 9] for j, small in list(enumerate(points))[10 * i : 10 * i + 10]]
            assert total == sum(these[1:], these[0])


# -- what is not supported is refused by name


def test_files_and_devices_refuse_the_curve_by_name() -> None:
    with pytest.raises(UsageError, match="no kernels for the curve bls12_381"):
        CudaBackend(type("Driver", (), {"name": "cuda:0"})(), BLS12_381)
    with pytest.raises(UsageError, match="BLS12-381 G1 is no group of a known curve"):
        curve_of(G1)
    with pytest.raises(UsageError, match="not of BLS12-381 G1"):
        g1_words(P)
    with pytest.raises(UsageError, match="not of BLS12-381 G2"):
        g2_words(Q)


def test_points_of_groups_without_a_fast_test_are_refused_and_not_passed() -> None:
    backend = CpuBackend(BLS12_381, threads=1, instructions=PORTABLE.name)
    for group in (G1, G2):
        with pytest.raises(UsageError, match=f"{group.name}: no subgroup test is known"):
            backend.first_invalid_point(group, group.to_rows([of_the_curve(group)]))
        found = ReferenceBackend(BLS12_381).first_invalid_point(group, group.to_rows([of_the_curve(group)]))
        assert found == (0, f"it is outside the prime-order subgroup of {group.name}")


def test_a_circuit_over_the_field_compiles_and_poseidon_refuses_it() -> None:
    circuit = Circuit(Fr)
    x = circuit.private("x")
    circuit.output("y", x * x)
    assert int(circuit.compile().witness({"x": r - 2})[1][0]) == 4
    with pytest.raises(UsageError, match="not known here for BLS12-381 Fr"):
        poseidon(Circuit(Fr).private("x", 2))


def test_the_value_is_the_curve_of_the_draft() -> None:
    """q and r follow from x; the twist is y^2 = x^3 + 4 (1 + u)."""
    assert (Fq.bits, Fr.bits, Fr.two_adicity) == (381, 255, 32)
    assert Fq2.mul((4, 0), (1, 1)) == G2.b
    assert pow(Fr.generator, (r - 1) // 2, r) == r - 1
