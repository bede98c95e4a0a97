"""Constraint systems as circom writes them (.r1cs, version 1).

Source: iden3/r1csfile, doc/r1cs_bin_format.md; the wires of a linear combination come in any order, as in circom's
own files. Wires are numbered: one, public outputs, public inputs, private inputs, internal. The header counts all
private inputs that the source declares; those that no constraint needs may have no wire.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.r1cs import R1CS
from zkgpu.errors import UsageError
from zkgpu.fields.field import Field, Limbs
from zkgpu.fields.sparse import SparseMatrix, distinct_rows
from zkgpu.formats.container import BytesLike, Container, SectionReader, Source, open_container, write_container
from zkgpu.formats.primes import read_scalar_field
from zkgpu.formats.sym import Signals, beside, require_sym, signals_of

MAGIC, VERSION = b"r1cs", 1
HEADER, CONSTRAINTS, LABELS, CUSTOM_GATES = 1, 2, 3, 4
_ENTRY_WORDS = 9  # u32 words of an entry: wire, then a coefficient of 32 bytes
_INDEX_LIMIT = 2**31  # indices are int32

Words = NDArray[np.uint32]


def read_r1cs(path: Source, sym: str | os.PathLike[str] | None = None) -> R1CS:
    """The constraint system of a .r1cs file over a supported scalar field.

    Args:
        sym: the .sym file with its signals' names, for messages; by default the one that lies beside it, if any

    Entries keep the file's order. Raises FormatError for anything malformed, and for custom gates.
    """
    file = open_container(path, MAGIC, (VERSION,))
    _refuse_custom_gates(file)
    header = file.read(HEADER, "header")
    field = read_scalar_field(header)
    header.expect_size(28, "the six counts of the header")
    n_wires, n_outputs, n_inputs, n_private = (header.u32() for _ in range(4))
    n_labels, n_constraints = header.u64(), header.u32()
    if not 1 + n_outputs + n_inputs <= n_wires < _INDEX_LIMIT:
        raise header.error(
            f"{n_wires:,} wires are declared for the constant, {n_outputs:,} outputs and {n_inputs:,} public inputs: "
            "compile the circuit again"
        )
    if n_outputs + n_inputs + n_private >= n_labels:
        raise header.error(f"{n_private:,} private inputs are declared of {n_labels:,} signals: compile again")
    labels = _read_labels(file.read(LABELS, "wire labels"), n_wires, n_labels)
    a, b, c = _read_matrices(file.read(CONSTRAINTS, "constraints"), field, n_constraints, n_wires)
    n_kept = _kept_inputs(labels, n_outputs + n_inputs, n_private)
    signals = _signals(path, sym, labels)
    return R1CS(field, a, b, c, n_outputs, n_inputs, n_kept, labels, n_labels=n_labels, signals=signals)


def write_r1cs(path: str | os.PathLike[str], r1cs: R1CS) -> None:
    """Writes a constraint system, with the sections in circom's order (2, 1, 3).

    Raises UsageError for one with challenges, for which the format has no place.
    """
    if r1cs.rounds:
        raise UsageError("a circuit with challenges cannot be kept in a .r1cs file: keep its key and its program")
    labels = np.arange(r1cs.n_wires, dtype="<u8") if r1cs.wire_labels is None else r1cs.wire_labels.astype("<u8")
    n_labels = max(r1cs.n_labels, int(labels.max(initial=0)) + 1)
    header = b"".join(
        (
            r1cs.field.bytes.to_bytes(4, "little"),
            r1cs.field.modulus.to_bytes(r1cs.field.bytes, "little"),
            *(
                count.to_bytes(4, "little")
                for count in (r1cs.n_wires, r1cs.n_public_outputs, r1cs.n_public_inputs, r1cs.n_private_inputs)
            ),
            n_labels.to_bytes(8, "little"),
            r1cs.n_constraints.to_bytes(4, "little"),
        )
    )
    sections: list[tuple[int, Sequence[BytesLike]]] = [
        (CONSTRAINTS, [_constraint_words(r1cs)]),
        (HEADER, [header]),
        (LABELS, [labels]),
    ]
    write_container(path, MAGIC, VERSION, sections)


def _refuse_custom_gates(file: Container) -> None:
    if file.has(CUSTOM_GATES):
        gates = file.read(CUSTOM_GATES, "custom gates")
        if gates.u32():
            raise gates.error("it has custom templates, which are not supported: compile the circuit without them")


def _read_labels(section: SectionReader, n_wires: int, n_labels: int) -> NDArray[np.int64]:
    section.expect_size(8 * n_wires, f"the labels of {n_wires:,} wires")
    labels = section.limbs(n_wires, 1)[:, 0]
    if n_labels >= 2**63 or int(labels.max(initial=0)) >= n_labels:
        raise section.error(f"a wire has a label outside the {n_labels:,} declared: compile the circuit again")
    return labels.astype(np.int64)


def _signals(path: Source, sym: str | os.PathLike[str] | None, labels: NDArray[np.int64]) -> Signals | None:
    """What names wires for messages."""
    if sym is not None:
        require_sym(sym)
        return signals_of(sym, labels)
    found = None if isinstance(path, bytes) else beside(path)
    return None if found is None else signals_of(found, labels)


def _kept_inputs(labels: NDArray[np.int64], n_public: int, n_private: int) -> int:
    """How many private inputs have a wire: circom declares those too that its simplification dropped.

    circom numbers signals as it does wires, those of the main component first, so that labels ascend, and an input's
    is at most the number of public and private ones. Where labels do not ascend, the declared number is taken.
    """
    if (np.diff(labels) > 0).all():
        return int(np.searchsorted(labels[1 + n_public :], n_public + n_private, side="right"))
    return min(n_private, labels.size - 1 - n_public)


def _read_matrices(
    section: SectionReader, field: Field, n_constraints: int, n_wires: int
) -> tuple[SparseMatrix, SparseMatrix, SparseMatrix]:
    """A, B and C, sharing one table of coefficients."""
    if section.remaining % 4 or section.remaining < 12 * n_constraints:
        raise section.error(
            f"{section.remaining:,} bytes cannot hold {n_constraints:,} constraints: compile the circuit again"
        )
    body = section.array(section.remaining)
    words = body.view("<u4")
    starts, counts = _walk(section, memoryview(body.data).cast("I"), 3 * n_constraints)
    is_entry = np.ones(words.shape[0], dtype=bool)
    is_entry[starts] = False
    entries = words[is_entry].reshape(-1, _ENTRY_WORDS)
    table, ids = distinct_rows(np.ascontiguousarray(entries[:, 1:]).view("<u8"))
    wires = entries[:, 0]
    if not field.is_canonical(table).all():
        raise section.error(f"a coefficient is not below the prime {field.modulus}: compile the circuit again")
    if int(wires.max(initial=0)) >= n_wires:
        raise section.error(f"wire {int(wires.max()):,} is used, {n_wires:,} are declared: compile the circuit again")
    combination = np.repeat(np.arange(3 * n_constraints), counts)
    _refuse_repeated_wires(section, combination, wires, n_wires)
    matrices = []
    for which in range(3):
        mask = combination % 3 == which
        indptr = np.concatenate(([0], np.cumsum(counts[which::3], dtype=np.int64)))
        shape = (n_constraints, n_wires)
        matrices.append(SparseMatrix(shape, indptr, wires[mask].astype(np.int32), ids[mask], table))
    return matrices[0], matrices[1], matrices[2]


def _walk(
    section: SectionReader, words: memoryview[int], combinations: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each linear combination starts, in words, and how many entries it has."""
    at, end = 0, len(words)
    starts, counts = array("q"), array("q")
    for _ in range(combinations):
        if at >= end:
            break
        count = words[at]
        starts.append(at)
        counts.append(count)
        at += 1 + _ENTRY_WORDS * count
    if at != end or len(starts) != combinations:
        raise section.error(
            f"the {combinations // 3:,} constraints do not fill the section exactly: compile the circuit again"
        )
    return np.frombuffer(starts, dtype=np.int64), np.frombuffer(counts, dtype=np.int64)


def _refuse_repeated_wires(section: SectionReader, combination: NDArray[np.int64], wires: Words, n_wires: int) -> None:
    """A wire twice in one combination means its sum to some tools and its last value to others."""
    keys = np.sort(combination * n_wires + wires)
    repeated = np.flatnonzero(keys[1:] == keys[:-1])
    if repeated.size:
        where, wire = divmod(int(keys[repeated[0]]), n_wires)
        raise section.error(f"constraint {where // 3:,} names wire {wire:,} twice in one sum: compile again")


def _constraint_words(r1cs: R1CS) -> Words:
    """Section 2 as u32 words."""
    matrices = (r1cs.a, r1cs.b, r1cs.c)
    counts = np.stack([np.diff(matrix.indptr) for matrix in matrices], axis=1).reshape(-1)
    ends = np.cumsum(1 + _ENTRY_WORDS * counts)
    starts = ends - _ENTRY_WORDS * counts - 1
    words = np.empty(int(ends[-1]) if ends.size else 0, dtype="<u4")
    words[starts] = counts
    for which, matrix in enumerate(matrices):
        rows = matrix.row_of_entry()
        within = np.arange(matrix.entries) - matrix.indptr[rows]
        at = starts[which::3][rows] + 1 + _ENTRY_WORDS * within
        words[at] = matrix.indices
        words[at[:, None] + np.arange(1, _ENTRY_WORDS)] = _as_words(matrix.table)[matrix.coefficient]
    return words


def _as_words(table: Limbs) -> Words:
    rows, limbs = table.shape
    return np.ascontiguousarray(table, dtype="<u8").view("<u4").reshape(rows, 2 * limbs)
