"""What PLONK proves (eprint 2019/953, sections 5 to 7), each identity written once.

Whoever evaluates them chooses what the letters are:
    prover    vectors of values on a coset, traced by a backend: the numerator of the quotient
    prover    openings as numbers, the polynomials that stay closed as `Linear`: the linearization
    verifier  the same, over commitments
    checker   values on the domain itself, where every identity must be 0
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from zkgpu.records import dataclass

T = TypeVar("T")


@dataclass(frozen=True)
class WireColumns(Generic[T]):
    """What is in columns a, b and c: values of a row, vectors, or polynomials."""

    a: T
    b: T
    c: T


@dataclass(frozen=True)
class Selectors(Generic[T]):
    """What a row does with its wires; public is the public inputs' polynomial PI, minus the input in its row."""

    qm: T
    ql: T
    qr: T
    qo: T
    qc: T
    public: Any = 0


@dataclass(frozen=True)
class PermutationColumns(Generic[T]):
    """What the permutation argument looks at: the grand product z here and one row on, and sigma."""

    z: T
    z_next: Any
    s1: Any
    s2: Any
    s3: T


@dataclass(frozen=True)
class Challenges:
    """beta and gamma of the permutation, alpha that keeps the identities apart."""

    beta: int
    gamma: int
    alpha: int


def gate(w: WireColumns[Any], q: Selectors[Any]) -> Any:
    """qm a b + ql a + qr b + qo c + PI + qc."""
    return w.a * w.b * q.qm + w.a * q.ql + w.b * q.qr + w.c * q.qo + q.public + q.qc


def permutation(w: WireColumns[Any], p: PermutationColumns[Any], x: Any, k: tuple[int, int], ch: Challenges) -> Any:
    """The grand product goes on as it should: z times the identity's factor, minus z_next times sigma's."""
    before = permutation_factor(w, WireColumns(x, k[0] * x, k[1] * x), ch)
    after = permutation_factor(w, WireColumns(p.s1, p.s2, p.s3), ch)
    return before * p.z - after * p.z_next


def permutation_factor(w: WireColumns[Any], labels: WireColumns[Any], ch: Challenges) -> Any:
    """The product over the three wires of value + beta label + gamma."""
    beta, gamma = ch.beta, ch.gamma
    return (w.a + beta * labels.a + gamma) * (w.b + beta * labels.b + gamma) * (w.c + beta * labels.c + gamma)


def boundary(z: Any, l1: Any) -> Any:
    """The grand product starts at 1: (z - 1) L_1."""
    return (z - 1) * l1


def all_identities(
    w: WireColumns[Any],
    q: Selectors[Any],
    p: PermutationColumns[Any],
    x: Any,
    l1: Any,
    k: tuple[int, int],
    ch: Challenges,
) -> Any:
    """gate + alpha permutation + alpha^2 boundary: a multiple of X^n - 1 when the witness is right."""
    return gate(w, q) + ch.alpha * permutation(w, p, x, k, ch) + ch.alpha * ch.alpha * boundary(p.z, l1)


@dataclass(frozen=True)
class Linear:
    """constant + the sum of factors[name] * name, over names of polynomials or of their commitments. Not reduced."""

    factors: dict[str, int]
    constant: int = 0

    @staticmethod
    def named(name: str) -> Linear:
        return Linear({name: 1})

    def __add__(self, other: Linear | int) -> Linear:
        if isinstance(other, int):
            return Linear(self.factors, self.constant + other)
        names = {**self.factors, **other.factors}
        total = {name: self.factors.get(name, 0) + other.factors.get(name, 0) for name in names}
        return Linear(total, self.constant + other.constant)

    def __mul__(self, k: int) -> Linear:
        return Linear({name: k * factor for name, factor in self.factors.items()}, k * self.constant)

    def __sub__(self, other: Linear | int) -> Linear:
        return self + -1 * other

    __radd__ = __add__
    __rmul__ = __mul__
