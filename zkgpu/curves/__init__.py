"""Elliptic curves: the numbers of each curve, points, and the pairing."""

from zkgpu.curves.bn254 import BN254
from zkgpu.curves.points import Curve, Group, Point

__all__ = ["BN254", "Curve", "Group", "Point"]
