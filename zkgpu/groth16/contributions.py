"""The record of phase 2 in a .zkey (section 10): the circuit's hash and one entry a contribution.

    circuit hash[64] | count u32 | { delta G1 | s G1 | sx G1 | spx G2 | transcript[64] | type u32 | size u32 | params }

params as in `ceremony.contributors`.
"""

from __future__ import annotations

from collections.abc import Sequence

from zkgpu.ceremony.contributors import HASH_BYTES, params_bytes, read_params
from zkgpu.curves.points import Curve
from zkgpu.formats.container import SectionReader
from zkgpu.formats.points import point_bytes, read_curve_point
from zkgpu.groth16.keys import Contribution

_MAX_CONTRIBUTIONS = 65536  # the largest ceremonies had thousands


def read_contributions(section: SectionReader, curve: Curve) -> tuple[bytes, tuple[Contribution, ...]]:
    """The circuit hash and the contributions, their points on their curves.

    Whether they are in their subgroups, and true, is for `groth16.ceremony` to find out.
    """
    circuit_hash = section.bytes(HASH_BYTES)
    count = section.u32()
    smallest = 8 * (3 * curve.g1.row_limbs + curve.g2.row_limbs) + HASH_BYTES + 8
    if count * smallest > section.remaining or count > _MAX_CONTRIBUTIONS:
        raise section.error(f"{count:,} contributions are declared in {section.remaining:,} bytes: copy the file again")
    contributions = tuple(_read_contribution(section, curve) for _ in range(count))
    section.end()
    return circuit_hash, contributions


def contributions_bytes(circuit_hash: bytes, contributions: Sequence[Contribution]) -> bytes:
    """Section 10."""
    records = (_contribution_bytes(contribution) for contribution in contributions)
    return circuit_hash + len(contributions).to_bytes(4, "little") + b"".join(records)


def _read_contribution(section: SectionReader, curve: Curve) -> Contribution:
    delta_after = read_curve_point(section, curve.g1, "a contribution's delta")
    g1_s = read_curve_point(section, curve.g1, "a contribution's s")
    g1_sx = read_curve_point(section, curve.g1, "a contribution's sx")
    g2_spx = read_curve_point(section, curve.g2, "a contribution's spx")
    transcript = section.bytes(HASH_BYTES)
    kind, name, beacon = read_params(section)
    return Contribution(delta_after, g1_s, g1_sx, g2_spx, transcript, kind, name, beacon)


def _contribution_bytes(contribution: Contribution) -> bytes:
    points = point_bytes(contribution.delta_after, contribution.g1_s, contribution.g1_sx, contribution.g2_spx)
    return points + contribution.transcript + params_bytes(contribution.kind, contribution.name, contribution.beacon)
