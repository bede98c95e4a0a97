"""The subgroup of G2 on the emulated device: points of every kind of order."""

from __future__ import annotations

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver
from tests.laws.test_backend_laws import point_outside_the_subgroup
from zkgpu.backend.cuda import CudaBackend
from zkgpu.curves.bn254 import BN254, G2, Fq2, Fr
from zkgpu.curves.points import Group, Point
from zkgpu.errors import UsageError
from zkgpu.gpu.program import Programs
from zkgpu.msm.cuda_points import PointArrays


def times(k: int, point: Point) -> Point:
    """k * point without reducing k modulo the order of the subgroup."""
    total = G2.infinity
    for bit in bin(k)[2:]:
        total = total + total
        if bit == "1":
            total = total + point
    return total


def test_only_points_of_the_group_pass_whatever_their_order(driver: EmulatedDriver) -> None:
    outside = point_outside_the_subgroup()
    of_cofactor_order = times(Fr.modulus, outside)
    inside = times(G2.cofactor, outside)
    backend = CudaBackend(driver, BN254)
    assert backend.first_invalid_point(G2, G2.to_rows([inside, -inside, G2.infinity, 7 * G2.generator])) is None
    for bad in (outside, of_cofactor_order, inside + of_cofactor_order, -outside):
        rows = G2.to_rows([inside, G2.generator, bad, bad])
        assert backend.first_invalid_point(G2, rows) == (2, "it is outside the prime-order subgroup of BN254 G2")


def test_a_fault_before_the_subgroup_is_the_one_told(driver: EmulatedDriver) -> None:
    rows = G2.to_rows([G2.generator, Point(G2, G2.generator.x, G2.field.one), point_outside_the_subgroup()])
    found = CudaBackend(driver, BN254).first_invalid_point(G2, rows)
    assert found is not None
    assert (found[0], "curve" in found[1]) == (1, True)


def test_a_group_without_a_subgroup_test_is_refused(driver: EmulatedDriver) -> None:
    other = Group("other", Fq2, G2.b, G2.order, G2.cofactor, G2.generator_xy)
    with pytest.raises(UsageError, match="no subgroup test is known"):
        PointArrays(Programs(driver), BN254, other).first_fault(np.zeros((1, 16), np.uint64))
