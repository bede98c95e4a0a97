"""Elliptic curves: the numbers of each curve, points, and the pairing.

Whatever computes takes a curve, a group or a field as a value. Which curves there are, and which one is meant where
nobody names one, stands here and nowhere else.
"""

from zkgpu.curves.bn254 import BN254
from zkgpu.curves.points import Curve, Group, Point, Precompiles
from zkgpu.curves.twist import Twist
from zkgpu.errors import UsageError

__all__ = [
    "BN254",
    "CURVES",
    "DEFAULT",
    "Curve",
    "Group",
    "Point",
    "Precompiles",
    "Twist",
    "curve_named",
    "curve_of",
    "known_curves",
]

CURVES: tuple[Curve, ...] = (BN254,)
DEFAULT = BN254


def curve_of(group: Group) -> Curve:
    """The curve with this group. Raises UsageError when no known one has it."""
    for curve in CURVES:
        if group in (curve.g1, curve.g2):
            return curve
    raise UsageError(f"{group.name} is no group of a known curve: use {known_curves()}")


def curve_named(name: str) -> Curve | None:
    """The curve that files of snarkjs, gnark or Ethereum call so, in any writing; None where it is not known."""
    plain = name.lower().replace("_", "").replace("-", "")
    return next((curve for curve in CURVES if plain in (curve.snarkjs_name, *curve.aliases)), None)


def known_curves() -> str:
    """The curves by their names in files and in sentences, for messages."""
    return " or ".join(f"{curve.snarkjs_name} ({curve.title})" for curve in CURVES)
