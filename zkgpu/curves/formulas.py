"""Point formulas for the pairing and for short sums, over any coefficients that know + - and *.

Points are homogeneous: (X : Y : Z) stands for (X/Z, Y/Z), and Z = 0 for infinity.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from zkgpu.curves import bn254
from zkgpu.curves.tower import Coefficient, Fq2, frobenius_constant

THREE_B_G1 = 3 * bn254.G1.b
THREE_B_G2 = Fq2(*bn254.Fq2.scale(bn254.G2.b, 3))


class Homogeneous(NamedTuple):
    x: Any
    y: Any
    z: Any


class Line(NamedTuple):
    """l0 + l1*w + l3*w^3: a line through points of the twist, evaluated at a point of G1, up to a factor in Fq2."""

    l0: Fq2
    l1: Fq2
    l3: Fq2


def tangent_step(t: Homogeneous, px: Coefficient, py: Coefficient) -> tuple[Homogeneous, Line]:
    """(2t, the tangent at t evaluated at (px, py)).

    Costello, Lange, Naehrig (eprint 2009/615), section 5, with every coordinate scaled by 4 to avoid halving.
    The line is 2YZ py - 3X^2 px w + (Y^2 - 3b Z^2) w^3, its last coefficient by the curve's equation.
    """
    xy, yy, yz = t.x * t.y, t.y.square(), t.y * t.z
    e = THREE_B_G2 * t.z.square()
    h, three_e = yz + yz, e + e + e
    ee = e.square()
    ee3 = ee + ee + ee
    bh = yy * h
    double = Homogeneous(
        (xy + xy) * (yy - three_e),
        (yy + three_e).square() - (ee3 + ee3) - (ee3 + ee3),
        bh + bh + bh + bh,
    )
    xx = t.x.square()
    return double, Line(h.scale(py), -(xx + xx + xx).scale(px), yy - e)


def chord_step(t: Homogeneous, qx: Fq2, qy: Fq2, px: Coefficient, py: Coefficient) -> tuple[Homogeneous, Line]:
    """(t + q, the line through t and q evaluated at (px, py)), for t not q, -q or infinity.

    Costello, Lange, Naehrig (eprint 2009/615), section 5, mixed addition.
    """
    theta, d = t.y - qy * t.z, t.x - qx * t.z
    dd = d.square()
    ddd, g = dd * d, dd * t.x
    h = ddd + t.z * theta.square() - g - g
    total = Homogeneous(d * h, theta * (g - h) - ddd * t.y, t.z * ddd)
    return total, Line(d.scale(py), -theta.scale(px), theta * qx - d * qy)


def complete_add(p: Homogeneous, q: Homogeneous, three_b: Any) -> Homogeneous:
    """p + q on y^2 = x^3 + b, without exceptions when the group's order is odd, as both of BN254's are.

    Renes, Costello, Batina (eprint 2015/1060), algorithm 7.
    """
    xx, yy, zz = p.x * q.x, p.y * q.y, p.z * q.z
    xy = (p.x + p.y) * (q.x + q.y) - xx - yy
    yz = (p.y + p.z) * (q.y + q.z) - yy - zz
    xz_b = ((p.x + p.z) * (q.x + q.z) - xx - zz) * three_b
    zz_b, xx3 = zz * three_b, xx + xx + xx
    s, d = yy + zz_b, yy - zz_b
    return Homogeneous(xy * d - yz * xz_b, xz_b * xx3 + d * s, s * yz + xx3 * xy)


def complete_double(p: Homogeneous, three_b: Any) -> Homogeneous:
    """2p, infinity included. Renes, Costello, Batina (eprint 2015/1060), algorithm 9."""
    yy, zz_b, yz, xy = p.y * p.y, p.z * p.z * three_b, p.y * p.z, p.x * p.y
    yy2 = yy + yy
    yy4 = yy2 + yy2
    yy8 = yy4 + yy4
    d = yy - (zz_b + zz_b + zz_b)
    dxy = d * xy
    return Homogeneous(dxy + dxy, zz_b * yy8 + d * (yy + zz_b), yz * yy8)


def twist_frobenius(p: Homogeneous) -> Homogeneous:
    """psi(p): untwist, raise the coordinates to the q-th power, twist back.

    Galbraith and Scott (eprint 2008/117), section 3. On G2 it is multiplication by q; the untwist sends (x, y)
    to (x w^2, y w^3), which is where the two constants come from.
    """
    return Homogeneous(
        p.x.conjugate() * frobenius_constant(1, 2), p.y.conjugate() * frobenius_constant(1, 3), p.z.conjugate()
    )
