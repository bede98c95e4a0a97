"""What a setup of Groth16 takes of memory and of disk, by the size of its circuit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkgpu.groth16.qap import domain_for
from zkgpu.provers.room import Room

if TYPE_CHECKING:
    from zkgpu.circuits.r1cs import R1CS

_MEMORY = (150e6, 20.0, 370.0, 22.0)  # bytes: of the process, and of a row of the domain, a wire, an entry
_WIRE, _COMMITTED, _ROW = 64 + 64 + 128 + 64, 64, 64  # bytes of points: A, B, B in G2, C; one more; H
_ENTRY = 44  # bytes of an entry of A or B in a key's file


def setup_memory(domain: int, wires: int, entries: int) -> int:
    """Bytes at the peak of a setup, about: fitted to circuits of up to 8.3 million constraints.

    Most of it is in files without names where large arrays are kept there (`jit.memory.large_in_files`).
    """
    return int(sum(weight * count for weight, count in zip(_MEMORY, (1, domain, wires, entries), strict=True)))


def key_bytes(domain: int, wires: int, committed: int = 0, entries: int = 0) -> int:
    """Bytes of a key's file, about.

    Args:
        entries: of A and B, where they are in the key
    """
    return wires * _WIRE + committed * _COMMITTED + domain * _ROW + entries * _ENTRY


def setup_room(r1cs: R1CS) -> Room:
    """What a setup of the circuit takes. Raises ResourceError for one beyond the largest domain.

    The command writes keys of circuits with challenges without matrices.
    """
    domain = domain_for(r1cs.field, r1cs.n_constraints, r1cs.n_public).size
    in_key = r1cs.a.entries + r1cs.b.entries + r1cs.n_public + 1
    return Room(
        setup_memory(domain, r1cs.n_wires, in_key + r1cs.c.entries),
        key_bytes(domain, r1cs.n_wires, r1cs.n_committed, 0 if r1cs.rounds else in_key),
    )
