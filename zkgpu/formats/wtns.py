"""Witnesses as circom's calculators write them (.wtns, version 2): the assignment (1, public, private)."""

from __future__ import annotations

import os

from zkgpu.curves import DEFAULT
from zkgpu.errors import LengthError
from zkgpu.fields.field import Field, Limbs
from zkgpu.formats.container import Container, SectionReader, Source, open_container, write_container
from zkgpu.formats.primes import read_scalar_field

MAGIC, VERSION = b"wtns", 2
HEADER, VALUES = 1, 2


def read_wtns(path: Source, field: Field = DEFAULT.scalar_field) -> Limbs:
    """The assignment over `field`: (n, limbs) uint64, canonical limbs, entry 0 equal to one.

    Raises FormatError for anything malformed, such as a value that is not below the prime.
    """
    file = open_container(path, MAGIC, (VERSION,))
    header = file.read(HEADER, "header")
    if read_scalar_field(header) is not field:
        raise header.error(f"the values are not of {field.name}: give the witness of this circuit")
    return _values(file, header, field)


def read_any_wtns(path: Source) -> tuple[Field, Limbs]:
    """(the scalar field that the file names, the assignment over it). Raises as read_wtns."""
    file = open_container(path, MAGIC, (VERSION,))
    header = file.read(HEADER, "header")
    field = read_scalar_field(header)
    return field, _values(file, header, field)


def _values(file: Container, header: SectionReader, field: Field) -> Limbs:
    count = header.u32()
    header.end()
    section = file.read(VALUES, "values")
    section.expect_size(field.bytes * count, f"{count:,} values")
    values: Limbs = section.limbs(count, field.limbs).copy()
    canonical = field.is_canonical(values)
    if not canonical.all():
        raise section.error(f"value {int(canonical.argmin()):,} is not below the prime: compute the witness again")
    if count == 0 or field.from_limbs(values[:1]) != [1]:
        raise section.error("value 0 is not 1: compute the witness again")
    return values


def write_wtns(path: str | os.PathLike[str], field: Field, assignment: Limbs) -> None:
    """Writes an assignment of (n, limbs) uint64 canonical limbs, to a file that only its owner may read."""
    if assignment.ndim != 2 or assignment.shape[1] != field.limbs:
        raise LengthError(f"an assignment of shape {assignment.shape} was given: give one of shape (n, {field.limbs})")
    header = b"".join(
        (
            field.bytes.to_bytes(4, "little"),
            field.modulus.to_bytes(field.bytes, "little"),
            assignment.shape[0].to_bytes(4, "little"),
        )
    )
    values = assignment.astype("<u8", copy=False)
    write_container(path, MAGIC, VERSION, [(HEADER, [header]), (VALUES, [values])], secret=True)
