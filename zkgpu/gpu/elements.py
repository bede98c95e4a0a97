"""The types of the kernels that hold field elements and points, and the sources they are compiled from."""

from __future__ import annotations

from zkgpu.curves.points import Curve, Group
from zkgpu.fields.field import Field
from zkgpu.gpu.program import Element
from zkgpu.gpu.source import Source, load


def number(field: Field) -> Element:
    """A scalar as a canonical number."""
    return Element("Number", field.bytes)


def scalar(field: Field) -> Element:
    """In Montgomery form, below twice the modulus."""
    return Element("Scalar", field.bytes)


def base(field: Field) -> Element:
    """In Montgomery form; one of the numbers a coordinate is made of."""
    return Element("Base", field.bytes)


def coordinate(group: Group) -> Element:
    return Element("Coordinate", group.degree * group.base_field.bytes)


def point(group: Group) -> Element:
    """Affine: x and y. The layout of the host's rows."""
    return Element("Point", 2 * coordinate(group).nbytes)


def point_sum(group: Group) -> Element:
    """XYZZ coordinates."""
    return Element("Sum", 4 * coordinate(group).nbytes)


def scalar_source(curve: Curve, file: str) -> Source:
    """A file of kernels on scalars, for a curve."""
    return load(f"{curve.name}.cuh", file, name=f"{curve.name}_{file}")


def point_source(curve: Curve, degree: int, file: str) -> Source:
    """A file of kernels on points, for the group whose coordinates have this degree over the base field."""
    kind = "Base" if degree == 1 else "Fp2<Base>"
    return load(f"{curve.name}.cuh", f"using Coordinate = {kind};", file, name=f"{curve.name}_{degree}_{file}")
