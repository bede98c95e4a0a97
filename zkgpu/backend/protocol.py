"""What a device must do for a proof system, which never names one.

Place and form belong to the values a backend hands out: a `Vector` may be 52-bit lane blocks, 32-bit limbs on a GPU
or Python integers. Devices meet at the host forms: scalars (n, limbs) uint64, canonical; points rows as by
Group.to_rows, x then y, in the Montgomery form of Field, infinity a zero row.

For the same key, witness and blinding every backend gives the same proof.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from zkgpu.curves.points import Curve, Group, Point
from zkgpu.fields.field import Limbs
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.ntt.domain import Domain


class Vector:
    """Scalars on a device. Like the next two only a name for type checkers: whoever computes does not look inside."""

    def __len__(self) -> int:
        raise NotImplementedError


class Matrix:
    """A sparse matrix of scalars on a device."""

    shape: tuple[int, int]


class Points:
    """Points on a device, kept for many multi-scalar multiplications."""

    group: Group

    def __len__(self) -> int:
        raise NotImplementedError


V = TypeVar("V")
M = TypeVar("M")
P = TypeVar("P")


class Device(Protocol[V, M, P]):
    """What computes over one curve. All methods return new values; arguments are left as they were.

    V, M, P   its own vectors, matrices and points
    """

    @property
    def name(self) -> str:
        """What messages call the device, with the instruction set where there are several."""
        ...

    @property
    def curve(self) -> Curve: ...

    @property
    def host_threads(self) -> int | None:
        """How many threads of the CPU it may use, and what runs beside it; None for all that are available."""
        ...

    @property
    def resident_form(self) -> str | None:
        """Names the form of this device's matrices and points where it is arrays of the host, to keep in files."""
        ...

    def fallback(self) -> Device[Any, Any, Any] | None:
        """Another device for what this one gets wrong again and again, opened now; None where there is none."""
        ...

    # scalars

    def vector(self, limbs: Limbs) -> V:
        """The scalars of an (n, limbs) array of canonical limbs, on the device."""
        ...

    def borrowed(self, limbs: Limbs) -> V:
        """The same for `matvec`, `limbs` and sums alone; a device that computes in the host's memory copies nothing.

        The array must stay as it is while the vector is in use.
        """
        ...

    def limbs(self, vector: V) -> Limbs:
        """(n, limbs) uint64: the canonical limbs of a vector."""
        ...

    def matrix(self, matrix: SparseMatrix) -> M:
        """A sparse matrix, on the device."""
        ...

    def matvec(self, matrix: M, vector: V) -> V:
        """matrix @ vector. Raises LengthError when the matrix has other columns than the vector entries."""
        ...

    def ntt(self, coefficients: V, domain: Domain, *, in_place: bool = False) -> V:
        """Values of a polynomial on a domain, in bit-reversed order, from its coefficients in natural order.

        Args:
            in_place: the vector is given away, and a device may write over it
        """
        ...

    def intt(self, evaluations: V, domain: Domain, *, in_place: bool = False) -> V:
        """Coefficients in natural order from the values on a domain in bit-reversed order; in_place as of `ntt`."""
        ...

    def pointwise(self, f: Callable[..., Any], *vectors: V, in_place: bool = False) -> V:
        """f(*vectors), entry by entry, for an f made of + - * and integers; in_place gives the first vector away."""
        ...

    def inverse(self, vector: V) -> V:
        """1/x, entry by entry, and 0 for 0."""
        ...

    def prefix_product(self, vector: V) -> V:
        """The product of all entries up to each one, that one included."""
        ...

    def divide_by_linear(self, coefficients: V, root: int, leading: int = 0) -> V:
        """Quotient of coefficients(X) + leading X^n by X - root: n coefficients; the remainder is dropped."""
        ...

    def evaluate(self, coefficients: V, x: int) -> int:
        """The value at x of the polynomial with these coefficients."""
        ...

    # points

    def points(self, group: Group, rows: Limbs) -> P:
        """The points of a host array, on the device. The array must have passed `first_invalid_point`."""
        ...

    def msm(self, points: P, scalars: V) -> Point:
        """sum of scalars[i] * points[i]. Variable time: scalars leak. Raises LengthError when lengths differ."""
        ...

    def msm_many(self, pairs: Sequence[tuple[P, V]], meanwhile: Callable[[], None] | None = None) -> list[Point]:
        """[msm(points, scalars) for points, scalars in pairs]; a device may overlap them.

        Args:
            meanwhile: work of the host, done once or more often, while a device sums if the backend has one; what it
                raises is raised
        """
        ...

    # setup

    def fixed_base(self, base: Point, scalars: V) -> Limbs:
        """Host rows of scalars[i] * base."""
        ...

    def scale_points(self, group: Group, rows: Limbs, k: int) -> Limbs:
        """Host rows of k times each point."""
        ...

    def combine_points(self, group: Group, matrix: SparseMatrix, rows: Limbs) -> Limbs:
        """Host rows of matrix @ points: row i is the sum of the entries of matrix row i times the points."""
        ...

    def canonical_rows(self, group: Group, rows: Limbs) -> Limbs:
        """The same shape, each coordinate as a plain integer instead of in Montgomery form."""
        ...

    def first_invalid_point(self, group: Group, rows: Limbs) -> tuple[int, str] | None:
        """(index, reason) of the first row with a coordinate >= q, off the curve or outside the subgroup; or None."""
        ...


Backend: TypeAlias = Device[Vector, Matrix, Points]  # whichever it is: what it hands out goes back to it alone


def opaque(device: Device[V, M, P]) -> Backend:
    """The same device, for callers of any kind of device."""
    return cast(Backend, device)
