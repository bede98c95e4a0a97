"""What a GPU's bench cannot do without, from its size alone: products and bytes, to be held against the chip's peaks.

Counts are lower bounds, so a share of a peak is never flattered: digits, sorting and inversions are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkgpu.curves.bn254 import Fr
from zkgpu.msm.cuda import best_shape
from zkgpu.ntt.cuda import passes

PRODUCT_SLOTS = 264  # multiplier slots of a Montgomery product of 8 limbs; tests/gate holds the compiler to it
ELEMENT = 32  # bytes
ADDITION = 10  # products and squares of an addition into a bucket
BUCKET = 28  # of a bucket: two additions
COORDINATE = {"msm_g1": 1, "msm_g2": 3}  # products in Fq of one of the group's coordinates


@dataclass(frozen=True)
class Floor:
    """Products and bytes of memory traffic of one run."""

    products: float
    nbytes: float


def floor(name: str, log_size: int) -> Floor | None:
    """The floor of a bench of this size; None where it is not known."""
    n = 1 << log_size
    if name == "ntt":
        return Floor(n / 2 * log_size, 2 * ELEMENT * n * len(passes(log_size)))
    if name not in COORDINATE:
        return None
    shape = best_shape(n, True, Fr.modulus)
    additions = n * shape.windows * ADDITION
    of_coordinate = COORDINATE[name]
    return Floor(
        of_coordinate * (additions + BUCKET * shape.buckets),
        2 * ELEMENT * (2 if of_coordinate > 1 else 1) * n * shape.windows,
    )


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
            "share_of_multiplies": floor.products * PRODUCT_SLOTS / self.multiplies,
            "share_of_bandwidth": floor.nbytes / self.nbytes,
        }
        return {name: float(f"{needed / seconds:.3g}") for name, needed in used.items()}
