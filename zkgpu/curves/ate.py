"""The optimal ate pairing and sums of points, as programs and schedules of a register machine.

Vercauteren (eprint 2008/096), section IV: e(P, Q) is, to the power (q^12 - 1) / r,

    bn     f_{6x+2,Q}(P) times the lines through [6x+2]Q, psi(Q) and -psi^2(Q)
    bls12  f_{x,Q}(P)

A product of pairings shares the squarings and the final power. Every schedule here belongs to the group Q is in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from zkgpu.curves.formulas import (
    Homogeneous,
    chord_step,
    complete_add,
    complete_double,
    tangent_step,
    twist_frobenius,
)
from zkgpu.curves.machine import Calls, Machine, Schedule, link
from zkgpu.curves.points import Group, twist_of
from zkgpu.curves.recorder import Argument, Symbol, record
from zkgpu.curves.tower import Coefficient, Fq2, Fq12, Tower

Symbols = Sequence[Symbol]
Formula = Callable[..., list[Coefficient]]
Recipe = tuple[str, list[Argument], Formula]  # name, arguments, formula


def _g1(s: Symbols) -> Homogeneous:
    return Homogeneous(*s)


def _g2(s: Symbols) -> Homogeneous:
    return Homogeneous(Fq2.of(s[0:2]), Fq2.of(s[2:4]), Fq2.of(s[4:6]))


def _flat_g2(p: Homogeneous) -> list[Coefficient]:
    return [c for coordinate in p for c in coordinate.coefficients()]


def _on_fq12(formula: Callable[..., Fq12], tower: Tower) -> Formula:
    return lambda *elements: list(formula(*(Fq12.of(e, tower) for e in elements)).coefficients())


def _on_g2(formula: Callable[..., Homogeneous]) -> Formula:
    return lambda *points: _flat_g2(formula(*map(_g2, points)))


def _on_g1(formula: Callable[..., Homogeneous]) -> Formula:
    return lambda *points: list(formula(*map(_g1, points)))


def _map(width: int, arity: int) -> list[Argument]:
    """(out, in, ...), all of one width."""
    return [Argument(0, width), *[Argument(width, 0)] * arity]


F12, T, Q, P = Argument(12, 12), Argument(6, 6), Argument(4, 0), Argument(2, 0)


def sum_programs(group: Group) -> list[Recipe]:
    """Complete additions and doublings in a group."""
    on_points, width = (_on_g1, 3) if group.degree == 1 else (_on_g2, 6)
    three_b = group.b3[0] if group.degree == 1 else Fq2(*group.b3)
    return [
        ("add", _map(width, 2), on_points(lambda p, q: complete_add(p, q, three_b))),
        ("double", _map(width, 1), on_points(lambda p: complete_double(p, three_b))),
    ]


def pairing_programs(group: Group) -> list[Recipe]:
    """What a pairing and the test of the subgroup are made of, for their second group."""
    twist, three_b = twist_of(group), Fq2(*group.b3)
    tower = twist.tower

    def tangent(f: Symbols, t: Symbols, p: Symbols) -> list[Coefficient]:
        double, line = tangent_step(_g2(t), p[0], p[1], three_b)
        return [*line.times(Fq12.of(f, tower), twist).coefficients(), *_flat_g2(double)]

    def chord(f: Symbols, t: Symbols, q: Symbols, p: Symbols) -> list[Coefficient]:
        total, line = chord_step(_g2(t), Fq2.of(q[:2]), Fq2.of(q[2:]), *p)
        return [*line.times(Fq12.of(f, tower), twist).coefficients(), *_flat_g2(total)]

    def inverse_from_norm(a: Symbols, n: Symbols) -> list[Coefficient]:
        return list(Fq12.of(a, tower).inverse(lambda _: n[0]).coefficients())

    return [
        ("tangent", [F12, T, P], tangent),
        ("chord", [F12, T, Q, P], chord),
        ("fq_multiply", _map(1, 2), lambda a, b: [a[0] * b[0]]),
        ("fq12_multiply", _map(12, 2), _on_fq12(lambda a, b: a * b, tower)),
        ("fq12_square", _map(12, 1), _on_fq12(Fq12.square, tower)),
        ("fq12_conjugate", _map(12, 1), _on_fq12(Fq12.conjugate, tower)),
        ("fq12_frobenius_1", _map(12, 1), _on_fq12(lambda a: a.frobenius(1), tower)),
        ("fq12_frobenius_2", _map(12, 1), _on_fq12(lambda a: a.frobenius(2), tower)),
        ("fq12_frobenius_3", _map(12, 1), _on_fq12(lambda a: a.frobenius(3), tower)),
        ("fq12_cyclotomic_square", _map(12, 1), _on_fq12(Fq12.cyclotomic_square, tower)),
        ("fq12_norm", [Argument(0, 1), Argument(12, 0)], lambda a: [Fq12.of(a, tower).norm()]),
        ("fq12_inverse_from_norm", [Argument(0, 12), Argument(12, 0), Argument(1, 0)], inverse_from_norm),
        ("negate", _map(6, 1), _on_g2(lambda p: p._replace(y=-p.y))),
        ("frobenius", _map(6, 1), _on_g2(lambda p: twist_frobenius(p, twist))),
        *sum_programs(group),
    ]


def _linked(group: Group, recipes: Sequence[Recipe]) -> Machine:
    field = group.base_field
    return link(field, [record(name, field.modulus, arguments, formula) for name, arguments, formula in recipes])


@cache
def sum_machine(group: Group) -> Machine:
    """The machine that adds points of one group."""
    return _linked(group, sum_programs(group))


@cache
def pairing_machine(group: Group) -> Machine:
    """The machine of the pairings with a second argument in this group."""
    return _linked(group, pairing_programs(group))


def signed_digits(k: int) -> list[int]:
    """The non-adjacent form of k > 0, most significant digit first: digits -1, 0, 1, no two neighbors non-zero."""
    digits = []
    while k:
        digit = 2 - k % 4 if k % 2 else 0
        digits.append(digit)
        k = (k - digit) // 2
    return digits[::-1]


@lru_cache(maxsize=8)
def pairing_calls(group: Group, pairs: int) -> Calls:
    """The product of `pairs` pairings with second arguments in this group.

    Slots: 12 registers for the product, entering as 1; then for each pair the 2 coordinates of P and the 6 of
    Q = (x, y, 1); all points finite. The 12 registers leave as the value.
    """
    s, twist = Schedule(pairing_machine(group)), twist_of(group)
    f = s.slot(12)
    points = [(s.slot(2), s.slot(6)) for _ in range(pairs)]
    loop, hard_part = {"bn": (_bn_loop, _bn_hard_part), "bls12": (_bls12_loop, _bls12_hard_part)}[twist.family]
    loop(s, f, points, twist.x)
    _easy_part(s, f)
    hard_part(s, f, twist.x)
    return s.finish()


class _Pair(NamedTuple):
    """Addresses of P, Q, -Q and T, the multiple of Q that has been reached."""

    p: int
    q: int
    minus_q: int
    t: int


def _miller_loop(s: Schedule, f: int, points: Sequence[tuple[int, int]], k: int) -> list[_Pair]:
    """Multiply f, which holds 1, by every f_{k,Q}(P), k > 0; every T is then [k]Q."""
    pairs = [_Pair(p, q, s.slot(6), s.slot(6)) for p, q in points]
    for pair in pairs:
        s.call("negate", pair.minus_q, pair.q)
        s.call("negate", pair.t, pair.minus_q)
    for digit in signed_digits(k)[1:]:
        s.call("fq12_square", f, f)
        for pair in pairs:
            s.call("tangent", f, pair.t, pair.p)
            if digit:
                s.call("chord", f, pair.t, pair.q if digit > 0 else pair.minus_q, pair.p)
    return pairs


def _bn_loop(s: Schedule, f: int, points: Sequence[tuple[int, int]], x: int) -> None:
    """f_{6x+2,Q}(P) and the two last lines of every pair."""
    for p, q, minus_q, t in _miller_loop(s, f, points, 6 * x + 2):
        s.call("frobenius", q, q)
        s.call("chord", f, t, q, p)
        s.call("frobenius", q, q)
        s.call("negate", minus_q, q)
        s.call("chord", f, t, minus_q, p)


def _bls12_loop(s: Schedule, f: int, points: Sequence[tuple[int, int]], x: int) -> None:
    """f_{x,Q}(P) of every pair: for x < 0 the conjugate of f_{-x,Q}(P), up to what the easy part takes away."""
    _miller_loop(s, f, points, abs(x))
    if x < 0:
        s.call("fq12_conjugate", f, f)


def _easy_part(s: Schedule, f: int) -> None:
    """f^((q^6 - 1)(q^2 + 1)), which lies in the cyclotomic subgroup."""
    inverse = s.slot(12)
    _inverse(s, inverse, f)
    s.call("fq12_conjugate", f, f)
    s.call("fq12_multiply", f, f, inverse)
    s.call("fq12_frobenius_2", inverse, f)
    s.call("fq12_multiply", f, f, inverse)


def _inverse(s: Schedule, out: int, f: int) -> None:
    """1/f, the inversion in Fq by Fermat: n^(q - 2)."""
    norm, power = s.slot(1), s.slot(1)
    s.call("fq12_norm", norm, f)
    s.call("fq_multiply", power, norm, norm)  # the exponent's bits start 1, 1
    s.call("fq_multiply", power, power, norm)
    for bit in bin(s.machine.field.modulus - 2)[4:]:
        s.call("fq_multiply", power, power, power)
        if bit == "1":
            s.call("fq_multiply", power, power, norm)
    s.call("fq12_inverse_from_norm", out, f, power)


def _bn_hard_part(s: Schedule, f: int, x: int) -> None:
    """f^(2x(6x^2 + 3x + 1) (q^4 - q^2 + 1) / r) for f in the cyclotomic subgroup.

    Fuentes-Castañeda, Knapp, Rodríguez-Henríquez (SAC 2011, "Faster hashing to G2"), section 5: in base q the
    exponent has the digits a + 6x^2 + 1, b, a and b - 1, where a = 12x^3 + 6x^2 + 6x and b = a - 2x.
    """
    f2x, f6x, f6x2, a, b, t = (s.slot(12) for _ in range(6))
    _power(s, t, f, x)
    s.call("fq12_cyclotomic_square", f2x, t)
    s.call("fq12_cyclotomic_square", t, f2x)
    s.call("fq12_multiply", f6x, t, f2x)
    _power(s, f6x2, f6x, x)
    s.call("fq12_cyclotomic_square", t, f6x2)
    _power(s, a, t, x)
    s.call("fq12_multiply", a, a, f6x2)
    s.call("fq12_multiply", a, a, f6x)
    s.call("fq12_conjugate", b, f2x)
    s.call("fq12_multiply", b, b, a)
    s.call("fq12_conjugate", t, f)
    s.call("fq12_multiply", t, t, b)
    s.call("fq12_frobenius_3", t, t)
    for factor in (a, f6x2):
        s.call("fq12_multiply", f, f, factor)
    s.call("fq12_multiply", f, f, t)
    s.call("fq12_frobenius_1", b, b)
    s.call("fq12_multiply", f, f, b)
    s.call("fq12_frobenius_2", a, a)
    s.call("fq12_multiply", f, f, a)


def _bls12_hard_part(s: Schedule, f: int, x: int) -> None:
    """f^(3 (q^4 - q^2 + 1) / r) for f in the cyclotomic subgroup.

    Hayashida, Hayasaka, Teruya (eprint 2020/875), theorem 1: the exponent is (x - 1)^2 (x + q)(x^2 + q^2 - 1) + 3.
    """
    a, b, t = (s.slot(12) for _ in range(3))
    _power(s, t, f, x - 1)
    _power(s, a, t, x - 1)
    _power(s, b, a, x)
    s.call("fq12_frobenius_1", a, a)
    s.call("fq12_multiply", b, b, a)
    _power(s, t, b, x)
    _power(s, a, t, x)
    s.call("fq12_frobenius_2", t, b)
    s.call("fq12_multiply", a, a, t)
    s.call("fq12_conjugate", b, b)
    s.call("fq12_multiply", a, a, b)
    s.call("fq12_cyclotomic_square", t, f)
    s.call("fq12_multiply", f, f, t)
    s.call("fq12_multiply", f, f, a)


def _power(s: Schedule, out: int, f: int, k: int) -> None:
    """f^k, k not 0, for f in the cyclotomic subgroup, where inversion is conjugation. `out` is not f."""
    inverse = s.slot(12)
    s.call("fq12_conjugate", inverse, f)
    s.call("fq12_conjugate", out, inverse)
    for digit in signed_digits(abs(k))[1:]:
        s.call("fq12_cyclotomic_square", out, out)
        if digit:
            s.call("fq12_multiply", out, out, f if digit > 0 else inverse)
    if k < 0:
        s.call("fq12_conjugate", out, out)


@cache
def subgroup_calls(group: Group) -> Calls:
    """What is infinity just when a point of the group's twist has order r, for one Q = (x, y, 1), in place.

    bn     [x+1]Q + psi([x]Q) + psi^2([x]Q) - psi^3([2x]Q): Dai, Lin, Zhao, Zhou (eprint 2022/348), El Housni,
           Guillevic, Piellard (eprint 2022/352). psi satisfies X^2 - (q + 1 - r) X + q, whose resultant with
           (x+1) + x X + x X^2 - 2x X^3 is prime to the cofactor
    bls12  [x]Q - psi(Q): Scott (eprint 2021/1130), section 4
    Q is in the first 6 slots.
    """
    s, twist = Schedule(pairing_machine(group)), twist_of(group)
    q, minus_q, xq, t = (s.slot(6) for _ in range(4))
    s.call("negate", minus_q, q)
    s.call("negate", xq, minus_q)
    for digit in signed_digits(abs(twist.x))[1:]:
        s.call("double", xq, xq)
        if digit:
            s.call("add", xq, xq, q if digit > 0 else minus_q)
    if twist.x < 0:
        s.call("negate", xq, xq)
    {"bn": _bn_relation, "bls12": _bls12_relation}[twist.family](s, q, xq, t)
    return s.finish()


def _bn_relation(s: Schedule, q: int, xq: int, t: int) -> None:
    s.call("add", q, q, xq)
    for source in (xq, t):
        s.call("frobenius", t, source)
        s.call("add", q, q, t)
    s.call("frobenius", t, t)
    s.call("double", t, t)
    s.call("negate", t, t)
    s.call("add", q, q, t)


def _bls12_relation(s: Schedule, q: int, xq: int, t: int) -> None:
    s.call("frobenius", t, q)
    s.call("negate", t, t)
    s.call("add", q, xq, t)
