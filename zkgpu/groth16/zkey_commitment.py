"""What a .zkey adds for a circuit with challenges: sections 100 to 103, under protocol 101.

    100  committed u32 | challenges u32 | arrays u32 | sigma G2 | { name | axes u32 | lengths u32 | low | high }
    101  committed wires' points in G1        102  sigma times these
    103  the record of sigma, as section 10 has it for delta; it starts from the first point of section 101

A name is its length as u32 and UTF-8; low and high are 17 bytes, little-endian, two's complement. snarkjs has
neither protocol nor sections, and refuses the file by the protocol. Under protocol 100, which is no longer read, the
record started from the generator of G1.
"""

from __future__ import annotations

from collections.abc import Sequence

from zkgpu.ceremony.contributors import HASH_BYTES
from zkgpu.circuits.committed import CommittedRound, PublicArray
from zkgpu.curves.points import Curve
from zkgpu.errors import UsageError
from zkgpu.fields.field import Limbs
from zkgpu.formats.container import BytesLike, Container, SectionReader
from zkgpu.formats.points import point_bytes, read_point, read_rows
from zkgpu.groth16.contributions import contributions_bytes, read_contributions
from zkgpu.groth16.keys import CommitmentKey, CommitmentQueries, ProvingKey

HEADER, COMMITTED, KNOWLEDGE, CEREMONY = 100, 101, 102, 103

_MAX_ARRAYS, _MAX_AXES, _MAX_NAME, _MAX_SIZE = 1024, 16, 1024, 1 << 28
_BOUND_BYTES = 17


def commitment_sections(key: ProvingKey) -> list[tuple[int, Sequence[BytesLike]]]:
    """The sections of a key with a commitment; none for another key."""
    return [
        section
        for queries, commitment in zip(key.commitments, key.verifying_key.commitments, strict=True)
        for section in (
            (HEADER, [_header_bytes(commitment)]),
            (COMMITTED, [queries.committed_query]),
            (KNOWLEDGE, [queries.knowledge_query]),
            (CEREMONY, [contributions_bytes(bytes(HASH_BYTES), queries.contributions)]),
        )
    ]


def read_commitment_key(file: Container, curve: Curve, n_wires: int, n_public: int) -> CommitmentKey:
    """Section 100, its sizes compared with those of the key."""
    section = file.read(HEADER, "commitment")
    n_committed, n_challenges, n_arrays = section.u32(), section.u32(), section.u32()
    if not 0 < n_committed < n_wires - n_public or n_challenges + bool(n_arrays) > n_public:
        raise section.error(f"{n_committed:,} committed wires and {n_challenges:,} challenges do not fit: set up again")
    if n_arrays > _MAX_ARRAYS or (n_arrays and not n_challenges):
        raise section.error(f"{n_arrays:,} public arrays and {n_challenges:,} challenges: set up again")
    sigma_g2 = read_point(section, curve.g2, "sigma2")
    arrays = tuple(_read_array(section) for _ in range(n_arrays))
    section.end()
    try:
        return CommitmentKey(sigma_g2, CommittedRound(n_committed, n_challenges, arrays))
    except UsageError as error:
        raise section.error(f"{error}: set up again") from None


def read_committed_rows(file: Container, curve: Curve, n_committed: int) -> tuple[Limbs, Limbs]:
    """Sections 101 and 102."""
    return (
        read_rows(file.read(COMMITTED, "committed points"), curve.g1, n_committed),
        read_rows(file.read(KNOWLEDGE, "knowledge points"), curve.g1, n_committed),
    )


def read_commitment_queries(file: Container, curve: Curve, rows: tuple[Limbs, Limbs]) -> CommitmentQueries:
    """The rows with the record of section 103."""
    _, contributions = read_contributions(file.read(CEREMONY, "contributions to sigma"), curve)
    return CommitmentQueries(*rows, contributions)


def _read_array(section: SectionReader) -> PublicArray:
    name_size = section.u32()
    if name_size > _MAX_NAME:
        raise section.error(f"a name of {name_size:,} bytes: the file is damaged, copy it again")
    name, n_axes = section.bytes(name_size), section.u32()
    if n_axes > _MAX_AXES:
        raise section.error(f"a public array of {n_axes:,} axes: the file is damaged, copy it again")
    shape = tuple(section.u32() for _ in range(n_axes))
    low, high = (int.from_bytes(section.bytes(_BOUND_BYTES), "little", signed=True) for _ in range(2))
    try:
        array = PublicArray(name.decode(), shape, low, high)
    except (UsageError, UnicodeDecodeError) as error:
        raise section.error(f"a public array is malformed ({error}): set up again") from None
    if array.size > _MAX_SIZE:
        raise section.error(f"a public array of {array.size:,} values: the file is damaged, copy it again")
    return array


def _header_bytes(commitment: CommitmentKey) -> bytes:
    round_ = commitment.round
    counts = (round_.n_committed, round_.n_challenges, len(round_.arrays))
    return b"".join((*map(_u32, counts), point_bytes(commitment.sigma_g2), *map(_array_bytes, round_.arrays)))


def _array_bytes(array: PublicArray) -> bytes:
    name = array.name.encode()
    bounds = (bound.to_bytes(_BOUND_BYTES, "little", signed=True) for bound in (array.low, array.high))
    return b"".join((_u32(len(name)), name, _u32(len(array.shape)), *map(_u32, array.shape), *bounds))


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")
