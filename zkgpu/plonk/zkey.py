"""PLONK proving keys as snarkjs writes them (.zkey, version 1, protocol 2).

Scalars and points are in the Montgomery form of Field, the host form of points: arrays of the key are views of the
mapped file. Source: iden3/snarkjs, src/zkey_utils.js (layout only).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zkgpu.curves.points import Curve
from zkgpu.errors import FormatError
from zkgpu.fields.field import Field, Limbs
from zkgpu.fields.sparse import distinct_rows
from zkgpu.formats.container import BytesLike, Container, SectionReader, Source, open_container, write_container
from zkgpu.formats.points import GroupRows, Validator, point_bytes, read_point, read_rows, validate_all
from zkgpu.formats.primes import read_curve, read_scalar_field
from zkgpu.formats.zkey import MAGIC, PLONK, PROTOCOL, VERSION, require_protocol
from zkgpu.plonk.arithmetize import binds_first_wire
from zkgpu.plonk.keys import (
    EXTENSION,
    EXTRA_POWERS,
    FIXED,
    MIN_LOG_SIZE,
    SELECTORS,
    SIGMAS,
    Additions,
    Index,
    ProvingKey,
    VerifyingKey,
)
from zkgpu.plonk.weakness import mismatch
from zkgpu.records import dataclass
from zkgpu.store import digests as checked

HEADER, ADDITIONS, WIRES_A, WIRES_B, WIRES_C, QM, QL, QR, QO, QC, SIGMA, LAGRANGE, POWERS = range(2, 15)
UNSAFE = 1000  # zkgpu's own: what an unsafe setup leaves in its key; other readers skip it
UNSAFE_TEXT = b"UNSAFE zkgpu one-party setup: its maker can forge proofs"
# the order in which snarkjs writes them
_ORDER = (*range(ADDITIONS, POWERS + 1), PROTOCOL, HEADER)


@dataclass(frozen=True)
class Header:
    """Section 2."""

    curve: Curve
    n_wires: int
    n_public: int
    domain_size: int
    n_additions: int
    n_rows: int
    verifying_key: VerifyingKey


def read_plonk_zkey(path: Source, validate: Validator | None = None) -> ProvingKey:
    """The proving key of a PLONK .zkey; its large arrays are read-only views of the mapped file.

    Sizes, indices and ranges are always checked; `validate` as for `read_zkey`, tau being the secret in both groups.
    Raises FormatError or PointError.
    """
    file = open_container(path, MAGIC, (1, 2))
    require_protocol(file, PLONK)
    header = read_header(file)
    polynomials = {
        name: _read_polynomials(file, QM + i, f"selector {name}", header, 1)[0] for i, name in enumerate(SELECTORS)
    }
    sigmas = _read_polynomials(file, SIGMA, "permutation", header, len(SIGMAS))
    n_lagrange = max(1, header.n_public)
    g1, count = header.curve.g1, header.domain_size + EXTRA_POWERS
    powers = read_rows(file.read(POWERS, "powers of tau"), g1, count)
    wires = _read_wires(file, header)
    _require_public_rows(file, header, wires, polynomials)
    key = ProvingKey(
        verifying_key=replace(header.verifying_key, is_unsafe=file.has(UNSAFE)),
        n_wires=header.n_wires,
        additions=_read_additions(file.read(ADDITIONS, "additions"), header),
        wires=wires,
        fixed={**polynomials, **dict(zip(SIGMAS, sigmas, strict=True))},
        lagrange=_read_polynomials(file, LAGRANGE, "Lagrange polynomials", header, n_lagrange),
        powers_g1=powers,
    )
    return key if validate is None else _checked(path, file, key, validate)


def _checked(path: Source, file: Container, key: ProvingKey, validate: Validator) -> ProvingKey:
    """The key with its file's digest, by which a file that passed is known the next time."""
    digest = checked.digest_of(path, file.data)
    if not checked.is_known(digest):
        g1 = key.verifying_key.curve.g1
        validate_all(file, {"powers of tau": GroupRows(g1, key.powers_g1)}, validate)
        reason = mismatch(key)
        if reason is not None:
            raise FormatError(f"{file.path}: {reason}: do not use this key")
        checked.require_unchanged(file.path, file.data, digest)
        checked.remember(digest)
    return key.read_from(digest)


def write_plonk_zkey(path: str | os.PathLike[str], key: ProvingKey) -> None:
    """Writes a proving key, its sections in the order of snarkjs; for the same key the files are the same."""
    contents: dict[int, Sequence[BytesLike]] = {
        PROTOCOL: [PLONK.to_bytes(4, "little")],
        HEADER: [_header_bytes(key)],
        ADDITIONS: [_addition_entries(key)],
        **{section: [key.wires[i].astype("<u4")] for i, section in enumerate((WIRES_A, WIRES_B, WIRES_C))},
        **{QM + i: [key.fixed[name]] for i, name in enumerate(SELECTORS)},
        SIGMA: [key.fixed[name] for name in SIGMAS],
        LAGRANGE: [key.lagrange],
        POWERS: [key.powers_g1],
    }
    sections = [(section, contents[section]) for section in _ORDER]
    write_container(path, MAGIC, VERSION, [*sections, *([(UNSAFE, [UNSAFE_TEXT])] if key.is_unsafe else [])])


def read_header(file: Container) -> Header:
    """Section 2 of a PLONK .zkey, its points on their curves and in their subgroups."""
    section = file.read(HEADER, "header")
    curve = read_curve(section)
    if read_scalar_field(section) is not curve.scalar_field:
        raise section.error("the scalar field is another curve's: the file is damaged, copy it again")
    n_wires, n_public, domain_size, n_additions, n_rows = (section.u32() for _ in range(5))
    _check_sizes(section, curve, n_wires, n_public, domain_size, n_additions, n_rows)
    k1, k2 = (_read_scalar(section, curve.scalar_field, name) for name in ("k1", "k2"))
    points: dict[str, Any] = {name: read_point(section, curve.g1, name) for name in FIXED}
    points["tau_g2"] = read_point(section, curve.g2, "X_2")
    section.end()
    log_size = domain_size.bit_length() - 1
    key = VerifyingKey(curve, n_public, log_size, k1, k2, **points)
    return Header(curve, n_wires, n_public, domain_size, n_additions, n_rows, key)


def _check_sizes(
    section: SectionReader, curve: Curve, n_wires: int, n_public: int, domain_size: int, n_additions: int, n_rows: int
) -> None:
    if not n_public + n_additions < n_wires < 2**31:
        raise section.error(
            f"{n_wires:,} wires are declared for {n_public:,} public inputs and {n_additions:,} additions: "
            "the file is damaged"
        )
    largest = 1 << (curve.scalar_field.two_adicity - 2)
    if domain_size & (domain_size - 1) or not 1 << MIN_LOG_SIZE <= domain_size <= largest:
        raise section.error(f"{domain_size:,} domain points are declared: set up again")
    if not max(1, n_public) <= n_rows <= domain_size:
        raise section.error(f"{n_rows:,} rows are declared for {domain_size:,} domain points: set up again")


def _read_scalar(section: SectionReader, field: Field, name: str) -> int:
    value = section.integer(field.bytes)
    if value >= field.modulus:
        raise section.error(f"{name} is not below the prime {field.modulus}: set up again")
    return field.from_montgomery(value)


def _addition(field: Field) -> np.dtype[Any]:
    """An entry of the additions."""
    return np.dtype([("wires", "<u4", (2,)), ("factors", "<u8", (2, field.limbs))])


def _read_additions(section: SectionReader, header: Header) -> Additions:
    count, field = header.n_additions, header.curve.scalar_field
    kind = _addition(field)
    section.expect_size(kind.itemsize * count, f"{count:,} additions")
    entries = section.array(kind.itemsize * count).view(kind)
    wires = np.ascontiguousarray(entries["wires"])
    own = header.n_wires - count + np.arange(count, dtype=np.int64)
    early = np.flatnonzero((wires >= own[:, None]).any(axis=1))
    if early.size:
        raise section.error(f"addition {early[0]:,} sums up a wire that does not come before it: set up again")
    table, ids = distinct_rows(entries["factors"].reshape(-1, field.limbs))
    if not field.is_canonical(table).all():
        raise section.error(f"a factor is not below the prime {field.modulus}: set up again")
    plain = field.to_limbs(field.from_montgomery_limbs(table))
    return Additions(wires.astype(np.int32), ids.reshape(-1, 2), plain)


def _read_wires(file: Container, header: Header) -> Index:
    """(3, rows): the wires of columns a, b and c."""
    columns = []
    for section_id, name in ((WIRES_A, "a"), (WIRES_B, "b"), (WIRES_C, "c")):
        section = file.read(section_id, f"wires of column {name}")
        section.expect_size(4 * header.n_rows, f"{header.n_rows:,} rows")
        column = section.array(4 * header.n_rows).view("<u4")
        largest, row = int(column.max(initial=0)), int(column.argmax())
        if largest >= header.n_wires:
            raise section.error(f"row {row:,}: wire {largest:,} is not below {header.n_wires:,}: set up again")
        columns.append(column.astype(np.int32))
    return np.stack(columns)


def _require_public_rows(file: Container, header: Header, wires: Index, selectors: Mapping[str, Limbs]) -> None:
    """The first row is that of a public input just where the header declares any.

    Sizes of sections tell all other numbers of public inputs apart, but not none and one: with that number changed a
    proof would leave out a public value of 0, or show one of a private wire, and verify with this key alone.
    """
    first = binds_first_wire(wires[:, 0].tolist(), _first_selectors(header, selectors))
    if first != (header.n_public > 0):
        raise FormatError(
            f"{file.path}: section {HEADER} (header): {header.n_public:,} public inputs are declared, and the first "
            f"row is {'' if first else 'not '}that of one: the file is damaged, copy it again"
        )


def _first_selectors(header: Header, selectors: Mapping[str, Limbs]) -> list[int]:
    """What the selectors are in the first row, by the values beside their coefficients."""
    field, at = header.curve.scalar_field, header.domain_size
    return [field.from_montgomery_limbs(selectors[name][at : at + 1])[0] for name in SELECTORS]


def _read_polynomials(file: Container, section_id: int, what: str, header: Header, count: int) -> Limbs:
    """(count, 5 n, 4): each polynomial's coefficients and values, the coefficients in range.

    The values follow from the coefficients and serve only other provers.
    """
    section, rows = file.read(section_id, what), EXTENSION * header.domain_size
    field = header.curve.scalar_field
    section.expect_size(field.bytes * rows * count, f"{count:,} polynomials")
    limbs = section.limbs(rows * count, field.limbs).reshape(count, rows, field.limbs)
    for polynomial in limbs:
        canonical = field.is_canonical(polynomial[: header.domain_size])
        if not canonical.all():
            raise section.error(f"coefficient {int(canonical.argmin()):,} is not below the prime: set up again")
    return limbs


def _header_bytes(key: ProvingKey) -> bytes:
    vk = key.verifying_key
    fields = (vk.curve.base_field, vk.curve.scalar_field)
    sizes = (key.n_wires, key.n_public, key.domain_size, len(key.additions), key.n_rows)
    return b"".join(
        (
            *(f.bytes.to_bytes(4, "little") + f.modulus.to_bytes(f.bytes, "little") for f in fields),
            *(size.to_bytes(4, "little") for size in sizes),
            vk.curve.scalar_field.to_montgomery_limbs((vk.k1, vk.k2)).tobytes(),
            point_bytes(*vk.commitments, vk.tau_g2),
        )
    )


def _addition_entries(key: ProvingKey) -> BytesLike:
    field = key.verifying_key.curve.scalar_field
    entries = np.empty(len(key.additions), dtype=_addition(field))
    entries["wires"] = key.additions.wires
    entries["factors"] = field.to_montgomery_limbs(field.from_limbs(key.additions.table))[key.additions.factors]
    return entries
