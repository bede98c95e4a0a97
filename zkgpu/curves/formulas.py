"""Point formulas for the pairing and for short sums, over any coefficients with + - and *.

Points are homogeneous: (X : Y : Z) stands for (X/Z, Y/Z), and Z = 0 for infinity.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from zkgpu.curves.tower import Coefficient, Fq2, Fq12
from zkgpu.curves.twist import Twist


class Homogeneous(NamedTuple):
    x: Any
    y: Any
    z: Any


class Line(NamedTuple):
    """a*py + b*px*w + c*w^3: a line through points of a twist of kind D, at (px, py) in G1, up to a factor in Fq2.

    Of a twist of kind M it is c + b*px*w^2 + a*py*w^3, up to a factor in Fq4.
    """

    at_y: Fq2
    at_x: Fq2
    constant: Fq2

    def times(self, f: Fq12, twist: Twist) -> Fq12:
        """f times the line."""
        if twist.kind == "D":
            return f.times_line(self.at_y, self.at_x, self.constant)
        return f.times_line_m(self.constant, self.at_x, self.at_y)


def tangent_step(t: Homogeneous, px: Coefficient, py: Coefficient, three_b: Fq2) -> tuple[Homogeneous, Line]:
    """(2t, the tangent at t evaluated at (px, py)).

    Costello, Lange, Naehrig (eprint 2009/615), section 5, with every coordinate scaled by 4 to avoid halving.
    The line is 2YZ py, -3X^2 px and Y^2 - 3b Z^2, the last by the curve's equation.
    """
    xy, yy, yz = t.x * t.y, t.y.square(), t.y * t.z
    e = three_b * t.z.square()
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
    """p + q on y^2 = x^3 + b, without exceptions where no point has order 2, which is all of a subgroup of odd order.

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


def twist_frobenius(p: Homogeneous, twist: Twist) -> Homogeneous:
    """psi(p), which in G2 is multiplication by q: see Twist.frobenius_constants."""
    of_x, of_y = twist.frobenius_constants()
    return Homogeneous(p.x.conjugate() * of_x, p.y.conjugate() * of_y, p.z.conjugate())
