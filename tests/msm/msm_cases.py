"""Points and scalars whose sums are known without adding the points up."""

import numpy as np

from zkgpu.curves.bn254 import Fr
from zkgpu.curves.points import sum_points


class Progression:
    """n points (first + i * step) * generator: a sum against scalars is one multiple of the generator."""

    def __init__(self, group, n, first=987654321, step=Fr.modulus // 3):
        self.group, self.first, self.step = group, first, step
        self.points, difference = [group.generator * first], group.generator * step
        while len(self.points) < n:
            self.points.append(self.points[-1] + difference)
        self.rows = group.to_rows(self.points)

    def sum(self, scalars):
        total = sum(k * (self.first + i * self.step) for i, k in enumerate(scalars))
        return self.group.generator * (total % Fr.modulus)


def limbs(scalars):
    return Fr.to_limbs(scalars) if len(scalars) else np.empty((0, 4), np.uint64)


def reference_sum(group, points, scalars):
    """sum scalars[i] * points[i] on Python integers."""
    return sum_points(group, [p * k for p, k in zip(points, scalars, strict=True)])
