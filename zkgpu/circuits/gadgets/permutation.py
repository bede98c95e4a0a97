"""Permutations: rows that are the same as others in another order, by a product at a challenge.

Rows (a_1, .., a_k) and (b_1, .., b_k) are the same, each as often, if

    product over the rows of (c - a_1 - g a_2 - g^2 a_3 ..) = product over the rows of (c - b_1 - g b_2 ..)

at challenges c and g that are drawn after all of them are committed to. As polynomials in c and g both sides are
products of irreducible ones, which the rows determine: unequal ones have degree n k or less and agree at n k / r of all
points (Schwartz 1980, Zippel 1979). The argument is that of PLONK (eprint 2019/953, section 5), of any rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.gadgets.lookup import LOOKUP_POINT, combined
from zkgpu.circuits.wires import Wires
from zkgpu.errors import UsageError


def assert_permutation(a: Sequence[Wires], b: Sequence[Wires], label: str | None = None) -> None:
    """Constrains the rows along the last axis of the columns a to be those of the columns b, in any order.

    Args:
        a, b: as many columns, all of one shape; outer axes hold permutations of their own

    Two constraints a row, one more for each column of wires after the first, and one. All their wires are committed.
    Raises UsageError for columns of several shapes, and when compiling a value that depends on a challenge.

    Examples:
        >>> circuit = Circuit()
        >>> x, y = circuit.private("x", 3), circuit.private("y", 3)
        >>> assert_permutation([x], [y])
        >>> total = circuit.output("total", x.sum())
        >>> compiled = circuit.compile()
        >>> compiled.value("total", compiled.witness({"x": [5, 7, 5], "y": [5, 5, 7]})).tolist()
        17
    """
    if len(a) != len(b) or not a or len({column.shape for column in (*a, *b)}) != 1 or not a[0].ndim:
        raise UsageError("a permutation is of as many columns on both sides, all of one shape")
    circuit = Circuit.of(*a, *b)
    with circuit.scope(label or "permutation"):
        for column in (*a, *b):
            circuit.commit(column)
        left, right = (circuit.challenge(LOOKUP_POINT) - combined(circuit, columns) for columns in (a, b))
        n = a[0].shape[-1]
        first, last = _product(circuit, left[..., : n - 1]), left[..., n - 1]
        circuit.assert_product(first, last, _product(circuit, right), label="products")


def _product(circuit: Circuit, x: Wires) -> Wires:
    """Along the last axis: a constraint less than there are entries."""
    if not x.shape[-1]:
        return circuit.constant(np.ones(x.shape[:-1], dtype=np.int64))
    total = x[..., 0]
    for i in range(1, x.shape[-1]):
        total = circuit.materialize(total * x[..., i])
    return total
