"""The optimal ate pairing of BN254 and short sums of points, as programs and schedules of a register machine.

Vercauteren (eprint 2008/096), section IV.A: e(P, Q) is f_{6x+2,Q}(P) times the lines through [6x+2]Q, psi(Q) and
-psi^2(Q), to the power (q^12 - 1) / r. A product of pairings shares the squarings and the final power.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

from zkgpu.curves import bn254
from zkgpu.curves.formulas import (
    THREE_B_G1,
    THREE_B_G2,
    Homogeneous,
    chord_step,
    complete_add,
    complete_double,
    tangent_step,
    twist_frobenius,
)
from zkgpu.curves.machine import Calls, Machine, Schedule, link
from zkgpu.curves.recorder import Argument, Program, Symbol, record
from zkgpu.curves.tower import Coefficient, Fq2, Fq12

Symbols = Sequence[Symbol]


def _g1(s: Symbols) -> Homogeneous:
    return Homogeneous(*s)


def _g2(s: Symbols) -> Homogeneous:
    return Homogeneous(Fq2.of(s[0:2]), Fq2.of(s[2:4]), Fq2.of(s[4:6]))


def _flat_g2(p: Homogeneous) -> list[Coefficient]:
    return [c for coordinate in p for c in coordinate.coefficients()]


def _tangent(f: Symbols, t: Symbols, p: Symbols) -> list[Coefficient]:
    double, line = tangent_step(_g2(t), *p)
    return [*Fq12.of(f).times_line(*line).coefficients(), *_flat_g2(double)]


def _chord(f: Symbols, t: Symbols, q: Symbols, p: Symbols) -> list[Coefficient]:
    total, line = chord_step(_g2(t), Fq2.of(q[:2]), Fq2.of(q[2:]), *p)
    return [*Fq12.of(f).times_line(*line).coefficients(), *_flat_g2(total)]


def _on_fq12(formula: Callable[..., Fq12]) -> Callable[..., list[Coefficient]]:
    return lambda *elements: list(formula(*map(Fq12.of, elements)).coefficients())


def _on_g2(formula: Callable[..., Homogeneous]) -> Callable[..., list[Coefficient]]:
    return lambda *points: _flat_g2(formula(*map(_g2, points)))


def _on_g1(formula: Callable[..., Homogeneous]) -> Callable[..., list[Coefficient]]:
    return lambda *points: list(formula(*map(_g1, points)))


def _map(width: int, arity: int) -> list[Argument]:
    """(out, in, ...), all of one width."""
    return [Argument(0, width), *[Argument(width, 0)] * arity]


F12, T, Q, P = Argument(12, 12), Argument(6, 6), Argument(4, 0), Argument(2, 0)

# name, arguments, formula
_PROGRAMS: list[tuple[str, list[Argument], Callable[..., Any]]] = [
    ("tangent", [F12, T, P], _tangent),
    ("chord", [F12, T, Q, P], _chord),
    ("fq_multiply", _map(1, 2), lambda a, b: [a[0] * b[0]]),
    ("fq12_multiply", _map(12, 2), _on_fq12(lambda a, b: a * b)),
    ("fq12_square", _map(12, 1), _on_fq12(Fq12.square)),
    ("fq12_conjugate", _map(12, 1), _on_fq12(Fq12.conjugate)),
    ("fq12_frobenius_1", _map(12, 1), _on_fq12(lambda a: a.frobenius(1))),
    ("fq12_frobenius_2", _map(12, 1), _on_fq12(lambda a: a.frobenius(2))),
    ("fq12_frobenius_3", _map(12, 1), _on_fq12(lambda a: a.frobenius(3))),
    ("fq12_cyclotomic_square", _map(12, 1), _on_fq12(Fq12.cyclotomic_square)),
    ("fq12_norm", [Argument(0, 1), Argument(12, 0)], lambda a: [Fq12.of(a).norm()]),
    (
        "fq12_inverse_from_norm",  # out, element, 1/norm
        [Argument(0, 12), Argument(12, 0), Argument(1, 0)],
        lambda a, n: list(Fq12.of(a).inverse(lambda _: n[0]).coefficients()),
    ),
    ("g1_add", _map(3, 2), _on_g1(lambda p, q: complete_add(p, q, THREE_B_G1))),
    ("g1_double", _map(3, 1), _on_g1(lambda p: complete_double(p, THREE_B_G1))),
    ("g2_add", _map(6, 2), _on_g2(lambda p, q: complete_add(p, q, THREE_B_G2))),
    ("g2_double", _map(6, 1), _on_g2(lambda p: complete_double(p, THREE_B_G2))),
    ("g2_negate", _map(6, 1), _on_g2(lambda p: p._replace(y=-p.y))),
    ("g2_frobenius", _map(6, 1), _on_g2(twist_frobenius)),
]


@cache
def machine() -> Machine:
    """The machine with all programs of this module."""
    programs: list[Program] = [record(name, bn254.Fq.modulus, *rest) for name, *rest in _PROGRAMS]  # type: ignore[arg-type]
    return link(bn254.Fq, programs)


def signed_digits(k: int) -> list[int]:
    """The non-adjacent form of k > 0, most significant digit first: digits -1, 0, 1, no two neighbours non-zero."""
    digits = []
    while k:
        digit = 2 - k % 4 if k % 2 else 0
        digits.append(digit)
        k = (k - digit) // 2
    return digits[::-1]


@lru_cache(maxsize=8)
def pairing_calls(pairs: int) -> Calls:
    """The product of `pairs` pairings.

    Slots: 12 registers for the product, entering as 1; then for each pair the 2 coordinates of P and the 6 of
    Q = (x, y, 1); all points finite. The 12 registers leave as the value.
    """
    s = Schedule(machine())
    f = s.slot(12)
    points = [(s.slot(2), s.slot(6)) for _ in range(pairs)]
    _miller_loop(s, f, points)
    _easy_part(s, f)
    _hard_part(s, f)
    return s.finish()


def _miller_loop(s: Schedule, f: int, points: Sequence[tuple[int, int]]) -> None:
    """Multiply f, which holds 1, by every f_{6x+2,Q}(P) and the two last lines."""
    pairs = [(p, q, s.slot(6), s.slot(6)) for p, q in points]  # P, Q, -Q, T
    for _, q, minus_q, t in pairs:
        s.call("g2_negate", minus_q, q)
        s.call("g2_negate", t, minus_q)
    for digit in signed_digits(6 * bn254.x + 2)[1:]:
        s.call("fq12_square", f, f)
        for p, q, minus_q, t in pairs:
            s.call("tangent", f, t, p)
            if digit:
                s.call("chord", f, t, q if digit > 0 else minus_q, p)
    for p, q, minus_q, t in pairs:
        s.call("g2_frobenius", q, q)
        s.call("chord", f, t, q, p)
        s.call("g2_frobenius", q, q)
        s.call("g2_negate", minus_q, q)
        s.call("chord", f, t, minus_q, p)


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
    for bit in bin(bn254.Fq.modulus - 2)[4:]:
        s.call("fq_multiply", power, power, power)
        if bit == "1":
            s.call("fq_multiply", power, power, norm)
    s.call("fq12_inverse_from_norm", out, f, power)


def _hard_part(s: Schedule, f: int) -> None:
    """f^(2x(6x^2 + 3x + 1) (q^4 - q^2 + 1) / r) for f in the cyclotomic subgroup.

    Fuentes-Castañeda, Knapp, Rodríguez-Henríquez (SAC 2011, "Faster hashing to G2"), section 5: in base q the
    exponent has the digits a + 6x^2 + 1, b, a and b - 1, where a = 12x^3 + 6x^2 + 6x and b = a - 2x.
    """
    f2x, f6x, f6x2, a, b, t = (s.slot(12) for _ in range(6))
    _power_x(s, t, f)
    s.call("fq12_cyclotomic_square", f2x, t)
    s.call("fq12_cyclotomic_square", t, f2x)
    s.call("fq12_multiply", f6x, t, f2x)
    _power_x(s, f6x2, f6x)
    s.call("fq12_cyclotomic_square", t, f6x2)
    _power_x(s, a, t)
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


def _power_x(s: Schedule, out: int, f: int) -> None:
    """f^x for f in the cyclotomic subgroup, where inversion is conjugation. `out` is not f."""
    inverse = s.slot(12)
    s.call("fq12_conjugate", inverse, f)
    s.call("fq12_conjugate", out, inverse)
    for digit in signed_digits(bn254.x)[1:]:
        s.call("fq12_cyclotomic_square", out, out)
        if digit:
            s.call("fq12_multiply", out, out, f if digit > 0 else inverse)


@cache
def subgroup_calls() -> Calls:
    """[x+1]Q + psi([x]Q) + psi^2([x]Q) - psi^3([2x]Q) for one Q = (x, y, 1) in the first 6 slots, in place.

    For a point of the twist this is infinity just when Q has order r: Dai, Lin, Zhao, Zhou (eprint 2022/348),
    El Housni, Guillevic, Piellard (eprint 2022/352). The reason is arithmetic: psi satisfies
    X^2 - (q + 1 - r) X + q, whose resultant with (x+1) + x X + x X^2 - 2x X^3 is prime to the cofactor.
    """
    s = Schedule(machine())
    q, minus_q, xq, t = (s.slot(6) for _ in range(4))
    s.call("g2_negate", minus_q, q)
    s.call("g2_negate", xq, minus_q)
    for digit in signed_digits(bn254.x)[1:]:
        s.call("g2_double", xq, xq)
        if digit:
            s.call("g2_add", xq, xq, q if digit > 0 else minus_q)
    s.call("g2_add", q, q, xq)
    for source in (xq, t):
        s.call("g2_frobenius", t, source)
        s.call("g2_add", q, q, t)
    s.call("g2_frobenius", t, t)
    s.call("g2_double", t, t)
    s.call("g2_negate", t, t)
    s.call("g2_add", q, q, t)
    return s.finish()
