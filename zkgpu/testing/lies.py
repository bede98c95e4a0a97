"""What a prover might answer in place of the honest value: near it, at ends of ranges, and around the field's end.

With x + h = m q + rest, as quotients and rounded values are constrained, the values that a lie can hope for are
q + 1/m (which moves the rest by one), q + floor(r/m) and q + ceil(r/m) (which go once around the field), and those
at which a linear combination becomes 0 or a power of two. All are taken from the coefficients beside a wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field

from zkgpu.circuits.numbers import nearest_zero
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.records import dataclass
from zkgpu.testing.names import Names

_WIDTHS = (2, 4, 8, 16, 31, 63, 64, 127, 128)
_HALVINGS = range(1, 9)
_ROWS, _RATIOS, _NEIGHBOURS = 6, 8, 24

Answer = tuple[int, bool]  # a value, and whether it is added to the honest one


def near(modulus: int) -> list[Answer]:
    """Lies that suit any value."""
    half = (modulus + 1) // 2
    fixed = [0, 1, -1, half, half - 1]
    moves = [1, -1, 2, -2, half, half - 1]
    moves += [sign << width for width in _WIDTHS for sign in (1, -1)]
    moves += [sign * pow(2, -k, modulus) for k in _HALVINGS for sign in (1, -1)]
    return [*((v, False) for v in fixed), *((d, True) for d in moves)]


@dataclass(frozen=True)
class Surroundings:
    """What stands beside a wire in its constraints, in units of its own coefficient.

    Attributes:
        ratios: other wires' coefficients over the wire's own
        roots: values of the wire at which it cancels a constant
    """

    ratios: list[int] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, wire: int, names: Names, matrices: Sequence[SparseMatrix], modulus: int) -> Surroundings:
        ratios: dict[int, None] = {}
        roots: dict[int, None] = {}
        for row in names.rows(wire)[:_ROWS]:
            for matrix in matrices:
                _look_along(matrix, row, wire, modulus, ratios, roots)
        return cls(list(ratios)[:_RATIOS], list(roots)[:_RATIOS])

    def lies(self, modulus: int) -> Iterator[Answer]:
        for ratio in self.ratios:
            yield from ((step, True) for step in _steps_of(ratio, modulus))
        for root in self.roots:
            yield from ((root + k, False) for k in (-1, 0, 1))
            yield from (
                (root + sign * ((1 << width) - less), False)
                for width in (4, 8, 16)
                for sign in (1, -1)
                for less in (0, 1)
            )


def _steps_of(ratio: int, modulus: int) -> Iterator[int]:
    """Moves of a wire that move its neighbor by one, or both around the field."""
    for v in (ratio, pow(ratio, -1, modulus)):
        size = abs(nearest_zero(v, modulus))
        yield from (size, -size)
        if 1 < size < 1 << 200:
            around = modulus // size
            yield from (around, around + 1, -around, -around - 1, size // 2, -(size // 2))


def _look_along(
    matrix: SparseMatrix, row: int, wire: int, modulus: int, ratios: dict[int, None], roots: dict[int, None]
) -> None:
    terms = slice(int(matrix.indptr[row]), int(matrix.indptr[row + 1]))
    wires = matrix.indices[terms].tolist()
    if wire not in wires:
        return
    places = range(terms.start, min(terms.stop, terms.start + 64))
    value = dict(zip(wires, (_coefficient(matrix, i) for i in places), strict=False))
    if wire not in value:
        return
    inverse = pow(value[wire], -1, modulus)
    for other, coefficient in value.items():
        if other == 0:
            roots[-coefficient * inverse % modulus] = None
        elif other != wire:
            ratios[coefficient * inverse % modulus] = None


def _coefficient(matrix: SparseMatrix, place: int) -> int:
    return sum(int(limb) << 64 * i for i, limb in enumerate(matrix.table[matrix.coefficient[place]]))


def neighbors(values: Iterable[int]) -> list[Answer]:
    """Other values that stood beside: other entries of the hint's answer and of what it reads."""
    return [(v, False) for v in dict.fromkeys(values)][:_NEIGHBOURS]


def without_truths(answers: Iterable[Answer], honest: int, modulus: int) -> list[Answer]:
    """The answers that are not the honest value, each once."""
    found: dict[int, Answer] = {}
    for value, added in answers:
        answer = (value + (honest if added else 0)) % modulus
        if answer != honest:
            found.setdefault(answer, (value, added))
    return list(found.values())
