"""Groth16 proving keys as snarkjs writes them (.zkey, version 1).

Points are affine rows in the Montgomery form of Field, infinity all zero: the host form, so queries are views of the
mapped file. Values of the matrices are x R^2 mod r, so that one Montgomery product with a plain witness value gives
a Montgomery product. Source: iden3/snarkjs, src/zkey_utils.js (layout only).
Keys of circuits with challenges have another protocol number and further sections, see `zkey_commitment`; those of
models have no coefficients (section 4), but section 104: the digest of the circuit that has them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves.points import Curve, Point
from zkgpu.errors import FormatError
from zkgpu.fields.field import Field, Limbs
from zkgpu.fields.sparse import SparseMatrix, distinct_rows
from zkgpu.formats.container import BytesLike, Container, Pieces, SectionReader, Source, open_container, write_container
from zkgpu.formats.points import (
    GroupRows,
    Validator,
    map_rows,
    point_bytes,
    read_curve_point,
    read_point,
    read_rows,
    validate_all,
)
from zkgpu.formats.primes import read_curve, read_scalar_field
from zkgpu.formats.zkey import GROTH16, GROTH16_COMMITTED, MAGIC, PROTOCOL, VERSION, protocol_of, require_protocol
from zkgpu.groth16.circuit_digest import DIGEST_BYTES
from zkgpu.groth16.contributions import contributions_bytes, read_contributions
from zkgpu.groth16.keys import UNSAFE_NAME, CommitmentKey, Contribution, ProvingKey, VerifyingKey
from zkgpu.groth16.weakness import mismatch
from zkgpu.groth16.zkey_commitment import (
    commitment_sections,
    read_commitment_key,
    read_commitment_queries,
    read_committed_rows,
)
from zkgpu.records import dataclass
from zkgpu.store import digests as checked
from zkgpu.store import prepared

HEADER, IC, COEFFICIENTS, A, B1, B2, L, H, CEREMONY = range(2, 11)
CIRCUIT = 104

_ROWS_AT_ONCE = 1 << 16  # of which entries are written together
_ENTRY = np.dtype([("matrix", "<u4"), ("row", "<u4"), ("wire", "<u4"), ("value", "<u8", (4,))])


@dataclass(frozen=True)
class Header:
    """Section 2: the curve, the sizes, and the points that belong to no wire."""

    curve: Curve
    n_wires: int
    n_public: int
    domain_size: int
    alpha_g1: Point
    beta_g1: Point
    beta_g2: Point
    gamma_g2: Point
    delta_g1: Point
    delta_g2: Point
    commitments: tuple[CommitmentKey, ...] = ()

    @property
    def n_committed(self) -> int:
        return sum(commitment.round.n_committed for commitment in self.commitments)


def read_zkey(path: Source, validate: Validator | None = None) -> ProvingKey:
    """The proving key of a Groth16 .zkey; its queries are read-only views of the mapped file.

    Sizes, indices and coordinate ranges are always checked. `validate` (a backend's first_invalid_point) checks that
    every point is on its curve and in the subgroup, and then beta, delta and sigma must be the same in both groups
    (`groth16.weakness.mismatch`); a file that passed is remembered by its digest and not checked again, and what is
    slow to make of it is kept (`prepared`). Without it only the points of the header are checked: pass it for every
    file you did not just write. The file must stay as it is while it is read: one cut short in place ends the process
    (SIGBUS).
    Raises FormatError or PointError. Rows may start at any byte: np.require(rows, requirements="A") aligns them.
    """
    file = open_container(path, MAGIC, (1, 2))
    committed = protocol_of(file) == GROTH16_COMMITTED
    require_protocol(file, GROTH16_COMMITTED if committed else GROTH16)
    digest = checked.digest_of(path, file.data) if validate else None
    known = digest is not None and checked.is_known(digest)
    header = read_header(file, known)
    if committed:
        commitment = read_commitment_key(file, header.curve, header.n_wires, header.n_public)
        header = replace(header, commitments=(commitment,))
    points = _read_points(file, header, known)
    has_matrices = _read_circuit_digest(file) is None
    kept = prepared.load(digest, "matrices") if digest and has_matrices else None
    matrices = kept or (
        _read_matrices(file.read(COEFFICIENTS, "coefficients"), header) if has_matrices else _none(header)
    )
    if validate and not known:
        validate_all(file, points, validate)
    key = _read_rest(file, header, points, matrices)
    if digest is None:
        return key
    if not known:
        _require_matching(file, key)
    if not known or (kept is None and has_matrices):
        checked.require_unchanged(file.path, file.data, digest)
    if kept is None and has_matrices:
        prepared.keep(digest, "matrices", matrices)
    if not known:
        checked.remember(digest)
    return key.read_from(digest)


def _read_rest(
    file: Container, header: Header, points: Mapping[str, GroupRows], matrices: tuple[SparseMatrix, SparseMatrix]
) -> ProvingKey:
    """The key, with what the ceremony left and the commitment's queries."""
    circuit_hash, contributions = read_contributions(file.read(CEREMONY, "contributions"), header.curve)
    queries = []
    for _ in header.commitments:
        rows = (points["committed points"].rows, points["knowledge points"].rows)
        queries.append(read_commitment_queries(file, header.curve, rows))
    a, b = matrices
    return ProvingKey(
        verifying_key=_verifying_key(header, points["IC points"].rows, contributions),
        beta_g1=header.beta_g1,
        delta_g1=header.delta_g1,
        a=a,
        b=b,
        a_query=points["A points"].rows,
        b_g1_query=points["B1 points"].rows,
        b_g2_query=points["B2 points"].rows,
        l_query=points["C points"].rows,
        h_query=points["H points"].rows,
        circuit_hash=circuit_hash,
        contributions=contributions,
        commitments=tuple(queries),
        circuit_digest=_read_circuit_digest(file),
    )


def _require_matching(file: Container, key: ProvingKey) -> None:
    reason = mismatch(key)
    if reason is not None:
        raise FormatError(f"{file.path}: {reason}: do not use this key")


def write_zkey(path: str | os.PathLike[str], key: ProvingKey) -> None:
    """Writes a proving key with its sections in the order 1 .. 10."""
    vk = key.verifying_key
    sections: list[tuple[int, Sequence[BytesLike | Pieces]]] = [
        (PROTOCOL, [(GROTH16_COMMITTED if key.commitments else GROTH16).to_bytes(4, "little")]),
        (HEADER, [_header_bytes(key)]),
        (IC, [vk.curve.g1.to_rows(vk.ic)]),
        *_matrices_section(key),
        (A, [key.a_query]),
        (B1, [key.b_g1_query]),
        (B2, [key.b_g2_query]),
        (L, [key.l_query]),
        (H, [key.h_query]),
        (CEREMONY, [contributions_bytes(key.circuit_hash, key.contributions)]),
        *commitment_sections(key),
    ]
    write_container(path, MAGIC, VERSION, sections)


def read_header(file: Container, known: bool = False) -> Header:
    """Section 2 of a Groth16 .zkey, its points on their curves and in their subgroups.

    Args:
        known: the file was read before, so that the subgroups need no check
    """
    read = read_curve_point if known else read_point
    section = file.read(HEADER, "header")
    curve = read_curve(section)
    if read_scalar_field(section) is not curve.scalar_field:
        raise section.error("the scalar field is another curve's: the file is damaged, copy it again")
    n_wires, n_public, domain_size = section.u32(), section.u32(), section.u32()
    _check_sizes(section, curve, n_wires, n_public, domain_size)
    names = ("alpha1", "beta1", "beta2", "gamma2", "delta1", "delta2")
    alpha_g1, beta_g1, beta_g2, gamma_g2, delta_g1, delta_g2 = (
        read(section, curve.g1 if name.endswith("1") else curve.g2, name) for name in names
    )
    section.end()
    return Header(curve, n_wires, n_public, domain_size, alpha_g1, beta_g1, beta_g2, gamma_g2, delta_g1, delta_g2)


def _read_points(file: Container, header: Header, known: bool) -> dict[str, GroupRows]:
    """The arrays of points, by what messages call them; their ranges are checked unless the file is known."""
    read = map_rows if known else read_rows
    g1, g2, wires = header.curve.g1, header.curve.g2, header.n_wires
    arrays = {
        "IC points": (IC, g1, header.n_public + 1),
        "A points": (A, g1, wires),
        "B1 points": (B1, g1, wires),
        "B2 points": (B2, g2, wires),
        "C points": (L, g1, wires - header.n_public - 1 - header.n_committed),
        "H points": (H, g1, header.domain_size),
    }
    rows = {
        what: GroupRows(group, read(file.read(section_id, what), group, count))
        for what, (section_id, group, count) in arrays.items()
    }
    for _ in header.commitments:
        names = ("committed points", "knowledge points")
        found = read_committed_rows(file, header.curve, header.n_committed)
        rows |= {what: GroupRows(g1, points) for what, points in zip(names, found, strict=True)}
    return rows


def _verifying_key(header: Header, ic: Limbs, contributions: Sequence[Contribution]) -> VerifyingKey:
    return VerifyingKey(
        header.curve,
        header.alpha_g1,
        header.beta_g2,
        header.gamma_g2,
        header.delta_g2,
        tuple(header.curve.g1.from_rows(ic)),
        header.commitments,
        is_unsafe=any(contribution.name == UNSAFE_NAME for contribution in contributions),
    )


def _check_sizes(section: SectionReader, curve: Curve, n_wires: int, n_public: int, domain_size: int) -> None:
    if not n_public < n_wires < 2**31:
        raise section.error(f"{n_public:,} public inputs and {n_wires:,} wires are declared: the file is damaged")
    if domain_size & (domain_size - 1) or not n_public < domain_size <= 1 << curve.scalar_field.two_adicity:
        raise section.error(f"{domain_size:,} domain points are declared for {n_public:,} public inputs: set up again")


def _header_bytes(key: ProvingKey) -> bytes:
    vk, curve = key.verifying_key, key.verifying_key.curve
    sizes = (key.n_wires, key.n_public, key.domain_size)
    points = (vk.alpha_g1, key.beta_g1, vk.beta_g2, vk.gamma_g2, key.delta_g1, vk.delta_g2)
    fields = (curve.base_field, curve.scalar_field)
    return b"".join(
        (
            *(f.bytes.to_bytes(4, "little") + f.modulus.to_bytes(f.bytes, "little") for f in fields),
            *(size.to_bytes(4, "little") for size in sizes),
            *(point_bytes(point) for point in points),
        )
    )


def _read_matrices(section: SectionReader, header: Header) -> tuple[SparseMatrix, SparseMatrix]:
    """A and B with domain_size rows, sharing one table."""
    count = section.u32()
    section.expect_size(_ENTRY.itemsize * count, f"{count:,} entries")
    entries = section.array(_ENTRY.itemsize * count).view(_ENTRY)
    matrix, row, wire = (np.ascontiguousarray(entries[name]) for name in ("matrix", "row", "wire"))
    bounds = {"matrix": (matrix, 2), "row": (row, header.domain_size), "wire": (wire, header.n_wires)}
    for name, (values, bound) in bounds.items():
        if int(values.max(initial=0)) >= bound:
            raise section.error(
                f"entry {int(values.argmax()):,}: {name} {int(values.max()):,} is not below {bound:,}: set up again"
            )
    table, ids = distinct_rows(entries["value"])
    table = _from_double_montgomery(section, header.curve.scalar_field, table)
    shape = (header.domain_size, header.n_wires)
    a, b = (_by_rows(shape, row[mask], wire[mask], ids[mask], table) for mask in (matrix == 0, matrix == 1))
    return a, b


def _read_circuit_digest(file: Container) -> bytes | None:
    """That of the circuit which has the matrices, in a key without coefficients."""
    if file.has(COEFFICIENTS) or not file.has(CIRCUIT):
        return None
    section = file.read(CIRCUIT, "digest of the circuit")
    section.expect_size(DIGEST_BYTES, "a digest")
    return section.bytes(DIGEST_BYTES)


def _none(header: Header) -> tuple[SparseMatrix, SparseMatrix]:
    """Matrices without entries, of a key whose circuit has them."""
    nothing = np.zeros(0, dtype=np.int32)
    table = np.zeros((0, header.curve.scalar_field.limbs), dtype=np.uint64)
    pointers = np.zeros(header.domain_size + 1, dtype=np.int32)
    empty = SparseMatrix((header.domain_size, header.n_wires), pointers, nothing, nothing, table)
    return empty, empty


def _matrices_section(key: ProvingKey) -> list[tuple[int, Sequence[BytesLike | Pieces]]]:
    """Section 4; or section 104, with 32 bytes, in its place."""
    if key.circuit_digest is not None:
        return [(CIRCUIT, [key.circuit_digest])]
    return [(COEFFICIENTS, _coefficient_entries(key))]


def _by_rows(
    shape: tuple[int, int], row: NDArray[np.uint32], wire: NDArray[np.uint32], ids: NDArray[np.int32], table: Limbs
) -> SparseMatrix:
    """The matrix of entries in file order, which is kept within a row."""
    if (row[1:] < row[:-1]).any():
        order = np.argsort(row, kind="stable")
        row, wire, ids = row[order], wire[order], ids[order]
    indptr = np.searchsorted(row, np.arange(shape[0] + 1)).astype(np.int64)
    return SparseMatrix(shape, indptr, wire.astype(np.int32), ids, table)


def _from_double_montgomery(section: SectionReader, field: Field, table: Limbs) -> Limbs:
    if not field.is_canonical(table).all():
        raise section.error(f"a value is not below the prime {field.modulus}: set up again")
    scale = field.inverse(field.square(field.montgomery_radix))
    return field.to_limbs(v * scale for v in field.from_limbs(table))


def _coefficient_entries(key: ProvingKey) -> list[BytesLike | Pieces]:
    """Section 4: row by row, the entries of A before those of B; made by pieces of the rows."""
    field, matrices = key.verifying_key.curve.scalar_field, (key.a, key.b)
    scale = field.square(field.montgomery_radix)
    tables = [field.to_limbs(v * scale for v in field.from_limbs(matrix.table)) for matrix in matrices]
    count, rows = sum(matrix.entries for matrix in matrices), key.domain_size

    def pieces() -> Iterator[BytesLike]:
        for begin in range(0, rows, _ROWS_AT_ONCE):
            end = min(begin + _ROWS_AT_ONCE, rows)
            joined = np.concatenate(
                [_entries(k, m, t, begin, end) for k, (m, t) in enumerate(zip(matrices, tables, strict=True))]
            )
            yield joined[np.argsort(joined["row"], kind="stable")]

    return [count.to_bytes(4, "little"), Pieces(count * _ENTRY.itemsize, pieces)]


def _entries(which: int, matrix: SparseMatrix, table: Limbs, begin: int, end: int) -> NDArray[np.void]:
    """The entries of the rows begin .. end of a matrix, in their order."""
    indptr = matrix.indptr[begin : end + 1]
    within = slice(int(indptr[0]), int(indptr[-1]))
    entries = np.empty(within.stop - within.start, dtype=_ENTRY)
    entries["matrix"], entries["row"] = which, np.repeat(np.arange(begin, end), np.diff(indptr))
    entries["wire"], entries["value"] = matrix.indices[within], table[matrix.coefficient[within]]
    return entries
