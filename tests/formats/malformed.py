"""Malformed files, made from good ones: every length, count, index and range that a reader must check.

`python tests/formats/malformed.py` prints how many there are of each kind.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from zkgpu.ceremony.ptau import read_ptau
from zkgpu.curves.bn254 import Fq, Fr
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.formats.wtns import read_wtns
from zkgpu.groth16.zkey import read_zkey
from zkgpu.plonk.zkey import read_plonk_zkey

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
EXTREMES = (0, 1, 2**31, 2**32 - 1, 2**64 - 1)
RANDOM_CUTS = 200


@dataclass(frozen=True)
class Sample:
    """A good file of one format.

    counts     (name, section, offset in it, bytes) of each number that sizes or indexes something
    wrong      (name, section, offset in it, new bytes): values out of range
    free       (section, offset, bytes): header bytes of which other values make another good file
    header     (section, bytes): where its header lies
    """

    format: str
    read: Callable[[Path], object]
    data: bytes
    counts: tuple[tuple[str, int, int, int], ...]
    wrong: tuple[tuple[str, int, int, bytes], ...]
    free: tuple[tuple[int, int, int], ...]
    header: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Case:
    name: str
    data: bytes


def le(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


def sections(data: bytes) -> dict[int, tuple[int, int]]:
    """Start of the body and size of each section, by id."""
    at, found = 12, {}
    for _ in range(int.from_bytes(data[8:12], "little")):
        size = int.from_bytes(data[at + 4 : at + 12], "little")
        found[int.from_bytes(data[at : at + 4], "little")] = (at + 12, size)
        at += 12 + size
    return found


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


MAX = b"\xff" * 32
R1CS = Sample(
    "r1cs",
    read_r1cs,
    (SAMPLES / "multiplier" / "multiplier.r1cs").read_bytes(),
    counts=(
        ("bytes of the prime", 1, 0, 4),
        ("wires", 1, 36, 4),
        ("public outputs", 1, 40, 4),
        ("public inputs", 1, 44, 4),
        ("private inputs", 1, 48, 4),
        ("labels", 1, 52, 8),
        ("constraints", 1, 60, 4),
        ("entries of the first sum", 2, 0, 4),
    ),
    wrong=(
        ("first wire of a sum is one too high", 2, 4, le(7, 4)),
        ("first wire of a sum is 2^32 - 1", 2, 4, MAX[:4]),
        ("a coefficient is r", 2, 8, le(Fr.modulus, 32)),
        ("a coefficient is 2^256 - 1", 2, 8, MAX),
        ("a label is past the last", 3, 8, le(7, 8)),
        ("a label is 2^64 - 1", 3, 8, MAX[:8]),
        ("the prime is even", 1, 4, le(Fr.modulus - 1, 32)),
        ("the prime is that of another curve", 1, 4, le(Fq.modulus, 32)),
    ),
    free=((1, 36, 28),),
    header=((1, 64),),
)
WTNS = Sample(
    "wtns",
    read_wtns,
    (SAMPLES / "multiplier" / "witness.wtns").read_bytes(),
    counts=(("bytes of the prime", 1, 0, 4), ("values", 1, 36, 4)),
    wrong=(
        ("a value is r", 2, 64, le(Fr.modulus, 32)),
        ("a value is 2^256 - 1", 2, 64, MAX),
        ("value 0 is 0", 2, 0, bytes(32)),
        ("value 0 is 2", 2, 0, le(2, 32)),
        ("the prime is that of another curve", 1, 4, le(Fq.modulus, 32)),
    ),
    free=(),
    header=((1, 40),),
)
_OFF_CURVE = le(1, 32)
ZKEY = Sample(
    "zkey",
    read_zkey,
    (SAMPLES / "multiplier" / "multiplier_groth16.zkey").read_bytes(),
    counts=(
        ("protocol", 1, 0, 4),
        ("bytes of q", 2, 0, 4),
        ("bytes of r", 2, 36, 4),
        ("wires", 2, 72, 4),
        ("public inputs", 2, 76, 4),
        ("domain", 2, 80, 4),
        ("coefficients", 4, 0, 4),
        ("contributions", 10, 64, 4),
        ("type of a contribution", 10, 452, 4),
        ("bytes of parameters", 10, 456, 4),
    ),
    wrong=(
        ("matrix of an entry is 2", 4, 4, le(2, 4)),
        ("matrix of an entry is 2^32 - 1", 4, 4, MAX[:4]),
        ("row of an entry is the domain's size", 4, 8, le(8, 4)),
        ("row of an entry is 2^32 - 1", 4, 8, MAX[:4]),
        ("wire of an entry is one too high", 4, 12, le(7, 4)),
        ("wire of an entry is 2^32 - 1", 4, 12, MAX[:4]),
        ("value of an entry is r", 4, 16, le(Fr.modulus, 32)),
        ("value of an entry is 2^256 - 1", 4, 16, MAX),
        ("q is r", 2, 4, le(Fr.modulus, 32)),
        ("r is q", 2, 40, le(Fq.modulus, 32)),
        *((f"point of section {s} has x = q", s, 0, le(Fq.modulus, 32)) for s in (3, 5, 6, 7, 8, 9)),
        *((f"point of section {s} has y = 2^256 - 1", s, 64 if s == 7 else 32, MAX) for s in (3, 5, 6, 7, 8, 9)),
        *((f"header point at byte {at} is off its curve", 2, at, _OFF_CURVE) for at in (84, 148, 212, 340, 468, 532)),
        *((f"contribution point at byte {at} is off its curve", 10, at, _OFF_CURVE) for at in (68, 132, 196, 260)),
        ("a parameter comes twice", 10, 460, b"\x01\x02aa\x01\x02bb"),
        ("a parameter has an unknown tag", 10, 460, b"\x09"),
        ("a parameter is longer than all of them", 10, 461, b"\xff"),
        ("the name of a contribution is not UTF-8", 10, 462, b"\xff"),
    ),
    free=(),
    header=((1, 4), (2, 84)),
)
PTAU = Sample(
    "ptau",
    read_ptau,
    (SAMPLES / "pot6_final.ptau").read_bytes(),
    counts=(
        ("bytes of q", 1, 0, 4),
        ("power", 1, 36, 4),
        ("power of the ceremony", 1, 40, 4),
        ("contributions", 7, 0, 4),
    ),
    wrong=(
        ("q is r", 1, 4, le(Fr.modulus, 32)),
        *((f"point of section {s} has x = q", s, 0, le(Fq.modulus, 32)) for s in (2, 3, 4, 5, 6, 12, 13, 14, 15)),
        ("a contribution's point is off its curve", 7, 4, _OFF_CURVE),
    ),
    free=((1, 40, 4),),
    header=((1, 44),),
)
_MULTIPLIER_ROWS, _MULTIPLIER_WIRES = 9, 10  # of which 3 are additions
PLONK_ZKEY = Sample(
    "plonk_zkey",
    read_plonk_zkey,
    (SAMPLES / "multiplier" / "multiplier_plonk.zkey").read_bytes(),
    counts=(
        ("protocol", 1, 0, 4),
        ("bytes of q", 2, 0, 4),
        ("bytes of r", 2, 36, 4),
        ("wires", 2, 72, 4),
        ("public inputs", 2, 76, 4),
        ("domain", 2, 80, 4),
        ("additions", 2, 84, 4),
        ("rows", 2, 88, 4),
    ),
    wrong=(
        ("q is r", 2, 4, le(Fr.modulus, 32)),
        ("r is q", 2, 40, le(Fq.modulus, 32)),
        ("k1 is r", 2, 92, le(Fr.modulus, 32)),
        ("k2 is 2^256 - 1", 2, 124, MAX),
        *((f"header point at byte {at} is off its curve", 2, at, _OFF_CURVE) for at in range(156, 668, 64)),
        ("X_2 is off its curve", 2, 668, _OFF_CURVE),
        ("an addition sums up itself", 3, 0, le(_MULTIPLIER_WIRES - 3, 4)),
        ("an addition sums up a later one", 3, 4, le(_MULTIPLIER_WIRES - 1, 4)),
        ("an addition sums up wire 2^32 - 1", 3, 0, MAX[:4]),
        ("a factor is r", 3, 8, le(Fr.modulus, 32)),
        ("a factor is 2^256 - 1", 3, 40, MAX),
        *((f"a wire of section {s} is one too high", s, 0, le(_MULTIPLIER_WIRES, 4)) for s in (4, 5, 6)),
        *((f"the last wire of section {s} is 2^32 - 1", s, 4 * _MULTIPLIER_ROWS - 4, MAX[:4]) for s in (4, 5, 6)),
        *((f"a coefficient of section {s} is r", s, 0, le(Fr.modulus, 32)) for s in range(7, 14)),
        *((f"a coefficient of section {s} is 2^256 - 1", s, 32 * 15, MAX) for s in range(7, 14)),
        ("a power of tau has x = q", 14, 0, le(Fq.modulus, 32)),
        ("the last power of tau has y = 2^256 - 1", 14, 64 * 21 + 32, MAX),
    ),
    free=((2, 72, 4),),
    header=((1, 4), (2, 92)),
)
ALL = (R1CS, WTNS, ZKEY, PTAU, PLONK_ZKEY)


def truncated(sample: Sample) -> Iterator[Case]:
    """Cut at every boundary of a section, and at random."""
    rng = random.Random(sample.format)
    bounds = {0, 4, 8, 12}
    for start, size in sections(sample.data).values():
        bounds |= {start - 12, start - 8, start, start + size}
    cuts = {cut for cut in bounds if cut < len(sample.data)} | set(rng.sample(range(len(sample.data)), RANDOM_CUTS))
    for cut in sorted(cuts):
        yield Case(f"cut at byte {cut}", sample.data[:cut])


def extreme_counts(sample: Sample) -> Iterator[Case]:
    """Every count, size and number of sections set to the extremes."""
    where = sections(sample.data)
    fields = [(name, where[s][0] + offset, size) for name, s, offset, size in sample.counts]
    fields += [("version", 4, 4), ("sections", 8, 4)]
    fields += [(f"size of section {s}", start - 8, 8) for s, (start, _) in where.items()]
    for name, at, size in fields:
        for value in EXTREMES:
            new = le(value % 256**size, size)
            if new != sample.data[at : at + size] and not _is_free(sample, at, value):
                yield Case(f"{name} := {value % 256**size}", patched(sample.data, at, new))


def _is_free(sample: Sample, at: int, value: int) -> bool:
    """Fewer inputs of a kind, or more labels than wires: another file, but a good one."""
    start = sections(sample.data)[1][0]
    offset = at - start
    fewer_inputs = offset in (40, 44, 48) and value in (0, 1)
    return sample.format == "r1cs" and (fewer_inputs or (offset == 52 and 1 < value < 2**63))


def out_of_range(sample: Sample) -> Iterator[Case]:
    """Indices, values and coordinates that are too large, and points off their curve."""
    where = sections(sample.data)
    for name, section, offset, new in sample.wrong:
        yield Case(name, patched(sample.data, where[section][0] + offset, new))


def rearranged(sample: Sample) -> Iterator[Case]:
    """Sections doubled, renamed, swallowing each other; bytes after the end."""
    data, where = sample.data, sections(sample.data)
    count = int.from_bytes(data[8:12], "little")
    more = patched(data, 8, le(count + 1, 4))
    for section, (start, size) in where.items():
        yield Case(f"section {section} twice", more + data[start - 12 : start + size])
        yield Case(f"section {section} empty at the end", more + le(section, 4) + bytes(8))
        yield Case(f"section {section} called 99", patched(data, start - 12, le(99, 4)))
        for delta in (-1, 1, 4, 12):
            yield Case(f"section {section} declared {delta:+} bytes", patched(data, start - 8, le(size + delta, 8)))
    ordered = sorted(where.values())
    for (start, _), (following, size) in pairwise(ordered):
        swallowed = patched(data, start - 8, le(following + size - start, 8))
        yield Case(f"section at {start} covers the next", patched(swallowed, 8, le(count - 1, 4)))
    for extra in (1, 12, 4096):
        yield Case(f"{extra} bytes after the end", data + bytes(extra))
    yield Case("one section more declared", more)
    yield Case("one section less declared", patched(data, 8, le(count - 1, 4)))


def flipped_header_bits(sample: Sample) -> Iterator[Case]:
    """Every single bit of the headers, except where another value makes another good file."""
    where = sections(sample.data)
    positions = set(range(12))
    for start, _ in where.values():
        positions |= set(range(start - 12, start))
    for section, size in sample.header:
        positions |= set(range(where[section][0], where[section][0] + size))
    for section, offset, size in sample.free:
        positions -= set(range(where[section][0] + offset, where[section][0] + offset + size))
    for at in sorted(positions):
        for bit in range(8):
            flipped = patched(sample.data, at, bytes((sample.data[at] ^ 1 << bit,)))
            if not (sample.format == "zkey" and flipped[4:8] == le(0, 4)):
                yield Case(f"bit {bit} of byte {at} flipped", flipped)


KINDS = (truncated, extreme_counts, out_of_range, rearranged, flipped_header_bits)


def numbers() -> dict[str, Counter[str]]:
    """Cases by format and kind."""
    return {s.format: Counter({kind.__name__: sum(1 for _ in kind(s)) for kind in KINDS}) for s in ALL}


if __name__ == "__main__":
    for name, counter in numbers().items():
        print(name, *(f"{kind} {n}" for kind, n in counter.items()), f"together {counter.total()}", sep="\t")
    print("all", sum(counter.total() for counter in numbers().values()), sep="\t")
