"""What a GPU's bench cannot do without, from its size alone: slots and bytes, to be held against the chip's peaks.

Counts are lower bounds, so a share of a peak is never flattered: digits, sorting and scans are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpu_costs import G1, G2, PRODUCT

from zkgpu.curves.bn254 import Fr
from zkgpu.msm.cuda import best_shape
from zkgpu.ntt.cuda import passes

ELEMENT = 32  # bytes
GROUPS = {"msm_g1": G1, "msm_g2": G2}


@dataclass(frozen=True)
class Floor:
    """Slots of the integer multiplier, a wide multiply-add taking two, and bytes of memory traffic of one run."""

    slots: float
    nbytes: float


def floor(name: str, log_size: int) -> Floor | None:
    """The floor of a bench of this size; None where it is not known."""
    n = 1 << log_size
    if name == "ntt":
        return Floor(PRODUCT * n / 2 * log_size, 2 * ELEMENT * n * len(passes(log_size)))
    if name not in GROUPS:
        return None
    group, shape = GROUPS[name], best_shape(n, True, Fr.modulus)
    digits = n * shape.windows
    added = max(0, digits - shape.buckets)  # the first of a bucket is taken as it is
    return Floor(added * group.add_affine + 2 * shape.buckets * group.add, digits * group.point)


@dataclass(frozen=True)
class Peaks:
    """What the chip was measured to do at most: 32-bit multiply-adds and bytes copied, a second."""

    multiplies: float
    nbytes: float

    def shares(self, floor: Floor | None, seconds: float) -> dict[str, float]:
        """The shares of both peaks that a run of so many seconds reached at least."""
        if floor is None:
            return {}
        used = {
            "share_of_multiplies": floor.slots / self.multiplies,
            "share_of_bandwidth": floor.nbytes / self.nbytes,
        }
        return {name: float(f"{needed / seconds:.3g}") for name, needed in used.items()}
