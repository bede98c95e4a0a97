"""The types of the kernels that hold field elements and points, and the sources they are compiled from."""

from __future__ import annotations

from zkgpu.gpu.program import Element
from zkgpu.gpu.source import Source, load

NUMBER = Element("Number", 32)  # canonical
BASE = Element("Base", 32)  # Montgomery form; one of the numbers a coordinate is made of
SCALAR = Element("Scalar", 32)  # Montgomery form, below twice the modulus


def coordinate(degree: int) -> Element:
    return Element("Coordinate", 32 * degree)


def point(degree: int) -> Element:
    """Affine: x and y in an extension of this degree over the base field. The layout of the host's rows."""
    return Element("Point", 64 * degree)


def point_sum(degree: int) -> Element:
    """XYZZ coordinates."""
    return Element("Sum", 128 * degree)


def scalar_source(curve: str, file: str) -> Source:
    """A file of kernels on scalars, for a curve."""
    return load(f"{curve}.cuh", file, name=f"{curve}_{file}")


def point_source(curve: str, degree: int, file: str) -> Source:
    """A file of kernels on points, for the group whose coordinates have this degree over the base field."""
    kind = "Base" if degree == 1 else "Fp2<Base>"
    return load(f"{curve}.cuh", f"using Coordinate = {kind};", file, name=f"{curve}_{degree}_{file}")
