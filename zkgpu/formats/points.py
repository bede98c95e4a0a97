"""Points in files: affine Montgomery coordinates, little-endian, infinity all zero (snarkjs calls the form LEM)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from zkgpu.curves.points import Group, Point
from zkgpu.errors import PointError
from zkgpu.fields.field import Limbs
from zkgpu.formats.container import Container, SectionReader
from zkgpu.records import dataclass

Validator: TypeAlias = Callable[[Group, Limbs], tuple[int, str] | None]


@dataclass(frozen=True)
class GroupRows:
    """Points of one group, as rows."""

    group: Group
    rows: Limbs


def read_rows(section: SectionReader, group: Group, count: int) -> Limbs:
    """The `count` points that fill the section, as rows; every coordinate is below the field's modulus."""
    section.expect_size(8 * group.row_limbs * count, f"{count:,} points")
    return take_rows(section, group, count)


def take_rows(section: SectionReader, group: Group, count: int) -> Limbs:
    """The next `count` points of a section, as rows; every coordinate is below the field's modulus."""
    rows = section.limbs(count, group.row_limbs)
    base = group.base_field
    top = np.uint64(base.modulus >> (64 * (base.limbs - 1)))
    # a look at the top words settles nearly every row
    doubtful = np.flatnonzero((rows[:, base.limbs - 1 :: base.limbs] >= top).any(axis=1))
    width = group.row_limbs // base.limbs
    canonical = base.is_canonical(rows[doubtful].reshape(-1, base.limbs)).reshape(-1, width).all(axis=1)
    if not canonical.all():
        index = int(doubtful[canonical.argmin()])
        raise section.error(
            f"point {index:,}: a coordinate is not below the modulus of {base.name}: copy the file again"
        )
    return rows


def read_point(section: SectionReader, group: Group, name: str) -> Point:
    """The next point, on the curve and in the subgroup. Raises PointError when it is not."""
    point = read_curve_point(section, group, name)
    if not group.has(point):
        raise section.error(f"{name} is outside the prime-order subgroup of {group.name}: do not use it", PointError)
    return point


def read_curve_point(section: SectionReader, group: Group, name: str) -> Point:
    """The next point, on the curve but perhaps outside the subgroup. Raises PointError when it is not."""
    point = group.from_rows(take_rows(section, group, 1))[0]
    if not point.is_on_curve():
        raise section.error(f"{name} is not on the curve {group.name}: the file is damaged, copy it again", PointError)
    return point


def point_bytes(*points: Point) -> bytes:
    """The points as in a file, one after another."""
    return b"".join(point.group.to_rows((point,)).tobytes() for point in points)


def map_rows(section: SectionReader, group: Group, count: int) -> Limbs:
    """As read_rows, for a file whose coordinates are known to be in range."""
    section.expect_size(8 * group.row_limbs * count, f"{count:,} points")
    return section.limbs(count, group.row_limbs)


def validate_all(file: Container, arrays: Mapping[str, GroupRows], validate: Validator) -> None:
    """Raises PointError, naming array and point, unless `validate` passes all arrays."""
    for what, array in arrays.items():
        found = validate(array.group, array.rows)
        if found is not None:
            index, reason = found
            raise PointError(f"{file.path}: {what}: point {index:,}: {reason}: copy the file again, or set up again")
