import numpy as np
import pytest

from zkgpu.curves.bn254 import Fr
from zkgpu.curves.points import Point
from zkgpu.msm import scale
from zkgpu.msm.endomorphism import endomorphism
from zkgpu.msm.scale import scale_points

R = Fr.modulus


@pytest.mark.parametrize("k", [0, 1, 2, R - 1, R - 32, R // 2, R // 2 + 1, R // 3, 160, 1 << 200, R + 5])
def test_every_point_is_scaled(isa, group, k):
    points = [group.generator * m for m in (1, 5, -7)] + [group.infinity] + [group.generator * m for m in range(9)]
    assert group.from_rows(scale_points(group, group.to_rows(points), k, isa, 2)) == [p * k for p in points]


@pytest.mark.parametrize("k", [1, 2, R - 1, R // 2, R // 3, 1 << 127, 1 << 200, 0xDEADBEEF << 190])
def test_a_number_is_split_in_two_of_half_its_length(group, k):
    found = endomorphism(group)
    k1, k2 = found.split(k)
    assert (k1 + k2 * found.eigenvalue - k) % R == 0
    assert max(abs(k1), abs(k2)).bit_length() <= 127
    image = Point(group, group.field.scale(group.generator.x, found.beta), group.generator.y)
    assert image == group.generator * found.eigenvalue != group.generator


def test_scaling_in_parts_changes_nothing(isa, group, progressions, monkeypatch):
    rows = progressions[group].rows[:50]
    whole = scale_points(group, rows, R // 7, isa, 1)
    monkeypatch.setattr(scale, "GRAIN", 16)
    assert np.array_equal(scale_points(group, rows, R // 7, isa, 1), whole)
