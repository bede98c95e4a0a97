"""Arrays of points on a GPU: multiples, tables for multi-scalar multiplications, affine form, validity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves.points import Curve, Group
from zkgpu.errors import UsageError
from zkgpu.fields.field import Limbs
from zkgpu.gpu.elements import base, coordinate, number, point, point_source, point_sum
from zkgpu.gpu.program import U32, DeviceArray, Grid, Programs, allocate, upload
from zkgpu.msm.cuda import Shape
from zkgpu.msm.cuda_lists import WorkLists
from zkgpu.msm.plan import balanced_bits, comb_width
from zkgpu.msm.subgroup import has_subgroup_test

LEAST_INVERSIONS = 1 << 14  # threads that keep a device busy, when there are so many points
FAULTS = {
    1: "a coordinate is not below the field's modulus",
    2: "it is not on the curve {}",
    3: "it is outside the prime-order subgroup of {}",
}
OUTSIDE_SUBGROUP = 3


class PointArrays:
    """The kernels of points.cu for one group on one device."""

    def __init__(self, programs: Programs, curve: Curve, group: Group):
        self.curve, self.group, self.driver, self._programs = curve, group, programs.driver, programs
        self.point, self.sum, self.coordinate = point(group), point_sum(group), coordinate(group)
        self._program = programs(point_source(curve, group.degree, "points.cu"))
        self._lists = WorkLists(programs, curve)

    def upload(self, rows: Limbs) -> DeviceArray:
        return upload(self.driver, self.point, rows)

    def rows(self, points: DeviceArray) -> Limbs:
        return points.read(np.uint64).reshape(-1, self.group.row_limbs)

    def multiply(self, points: DeviceArray, numbers: DeviceArray) -> DeviceArray:
        """numbers[i] * points[i] as sums; an array of one element is repeated."""
        n = max(len(points), len(numbers)) if len(points) and len(numbers) else 0
        out = allocate(self.driver, self.sum, n)
        steps = {"point_step": int(len(points) > 1), "number_step": int(len(numbers) > 1)}
        self._program.launch("multiply_points", Grid.over(n), n=n, **steps, points=points, numbers=numbers, out=out)
        return out

    def multiples_of(self, point: DeviceArray, scalars: DeviceArray) -> DeviceArray:
        """scalars[i] * point as sums, by a table of the multiples of one point for each digit of each window."""
        n = len(scalars)
        bits = balanced_bits(self.group.order)
        shape = Shape(comb_width(n, bits), False, bits)
        keys, values = self._lists.digits(scalars, shape.width, shape.windows, shape.set_buckets, 0, shape.buckets)
        out = allocate(self.driver, self.sum, n)
        self._program.launch(
            "add_table_entries",
            Grid.over(n),
            n=n,
            windows=shape.windows,
            none=shape.buckets,
            keys=keys,
            values=values,
            table=self._digit_table(point, shape),
            out=out,
        )
        return out

    def _digit_table(self, point: DeviceArray, shape: Shape) -> DeviceArray:
        """d 2^(width w) * point at place w * set_buckets + d - 1, for the digits d = 1 .. set_buckets."""
        digits = (d << (shape.width * w) for w in range(shape.windows) for d in range(1, shape.set_buckets + 1))
        return self.affine(self.multiply(point, self._numbers(digits)))

    def number(self, k: int) -> DeviceArray:
        """One canonical scalar."""
        return self._numbers([k])

    def _numbers(self, values: Iterable[int]) -> DeviceArray:
        """Canonical scalars."""
        field = self.curve.scalar_field
        return upload(self.driver, number(field), field.to_limbs(values))

    def take(self, points: DeviceArray, places: DeviceArray) -> DeviceArray:
        """points[places[i]]; the places have been checked."""
        n = len(places)
        out = allocate(self.driver, self.point, n)
        self._program.launch("take_points", Grid.over(n), n=n, places=places, points=points, out=out)
        return out

    def affine(self, sums: DeviceArray) -> DeviceArray:
        """Sums as canonical affine points."""
        out = allocate(self.driver, self.point, len(sums))
        self._affine_into(sums, out)
        return out

    def _affine_into(self, sums: DeviceArray, out: DeviceArray) -> None:
        n = len(sums)
        step = inversions(n)
        self._program.launch("to_affine_points", Grid.over(step), n=n, step=step, sums=sums, out=out)

    def tables(self, points: DeviceArray, shape: Shape) -> DeviceArray:
        """windows * n points: 2^(width w) P_i at place w n + i."""
        n = len(points)
        out = allocate(self.driver, self.point, n * shape.windows)
        self._affine_into(self._doubled(points, 0), out.part(0, n))
        for w in range(1, shape.windows):
            last, place = out.part((w - 1) * n, w * n), out.part(w * n, (w + 1) * n)
            self._affine_into(self._doubled(last, shape.width), place)
        return out

    def _doubled(self, points: DeviceArray, times: int) -> DeviceArray:
        n = len(points)
        out = allocate(self.driver, self.sum, n)
        self._program.launch("double_points", Grid.over(n), n=n, times=times, points=points, out=out)
        return out

    def plain_rows(self, rows: Limbs) -> Limbs:
        """The same shape, each coordinate as a plain integer."""
        coordinates = self.upload(rows).as_element(base(self.group.base_field))
        n = len(coordinates)
        out = allocate(self.driver, coordinates.element, n)
        self._program.launch("plain_coordinates", Grid.over(n), n=n, coordinates=coordinates, out=out)
        return out.read(np.uint64).reshape(rows.shape)

    def first_fault(self, rows: Limbs) -> tuple[int, str] | None:
        """(index, reason) of the first point that is not canonical, off the curve or outside the subgroup."""
        points = self.upload(rows)
        faults = self._faults(points)
        if self.group.cofactor != 1:
            faults[(faults == 0) & (self._outside(points) != 0)] = OUTSIDE_SUBGROUP
        wrong = np.flatnonzero(faults)
        if not wrong.size:
            return None
        return int(wrong[0]), FAULTS[int(faults[wrong[0]])].format(self.group.name)

    def _faults(self, points: DeviceArray) -> NDArray[np.uint32]:
        n, b = len(points), self.group.b
        faults = allocate(self.driver, U32, n)
        b_of_group = self._coordinates(b if isinstance(b, tuple) else (b,))
        self._program.launch("find_faults", Grid.over(n), n=n, b=b_of_group, points=points, faults=faults)
        return faults.read(np.uint32)

    def _outside(self, points: DeviceArray) -> NDArray[np.uint32]:
        """Which points of the twist are not in G2; what it says of others means nothing."""
        twist = self.group.twist
        if twist is None or not has_subgroup_test(self.group):
            raise UsageError(f"{self.group.name}: no subgroup test is known for this group")
        n = len(points)
        outside = allocate(self.driver, U32, n)
        self._programs(point_source(self.curve, 2, "subgroup.cu")).launch(
            "find_outside",
            Grid.over(n),
            n=n,
            parameter=twist.x,
            psi=self._coordinates([c for of_one in twist.frobenius_constants() for c in of_one.coefficients()]),
            points=points,
            multiples=allocate(self.driver, self.sum, n),
            sums=allocate(self.driver, self.sum, n),
            outside=outside,
        )
        return outside.read(np.uint32)

    def _coordinates(self, values: Sequence[int]) -> DeviceArray:
        return upload(self.driver, self.coordinate, self.group.base_field.to_montgomery_limbs(values))


def inversions(n: int) -> int:
    """How many threads invert for n points: 64 points share an inversion, but a large device stays busy."""
    return max(1, -(-n // 64), min(LEAST_INVERSIONS, n // 8))
