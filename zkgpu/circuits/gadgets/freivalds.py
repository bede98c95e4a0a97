"""Products of matrices by Freivalds' test: C = A B if A (B r) = C r for a random vector r.

r holds the powers of a challenge drawn after A, B and C are committed to: a wrong C passes with probability at most
(columns - 1) / r. Freivalds, "Probabilistic machines can use less running time", IFIP Congress 1977.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.gadgets.operands import on_wires
from zkgpu.circuits.public_arrays import horner
from zkgpu.circuits.rounds import DIGEST_POINT
from zkgpu.circuits.wires import Operand, Wires
from zkgpu.errors import UsageError


@on_wires("a", "b")
def matmul(a: Operand, b: Operand, label: str | None = None) -> Wires:
    """The matrix product a b: (..., m, k) times (..., k, n), with equal leading axes.

    Free when a or b is constant. Else by plain products, m k n constraints, or by Freivalds' test, which takes
    m k + (m + k)(n - 1) or, on the other side, k n + (k + n)(m - 1); whichever is the least. With the test, the wires
    of a and b are committed, so they may not depend on a challenge.

    Examples:
        >>> circuit = Circuit()
        >>> a, b = circuit.private("a", (2, 2)), circuit.private("b", (2, 2))
        >>> product = circuit.output("product", matmul(a, b))
        >>> compiled = circuit.compile()
        >>> compiled.value("product", compiled.witness({"a": [[1, 2], [3, 4]], "b": [[5, 6], [7, 8]]})).tolist()
        [[19, 22], [43, 50]]
    """
    if a.ndim < 2 or b.ndim != a.ndim or a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-2]:
        raise UsageError(f"shapes {a.shape} and {b.shape} do not fit a matrix product")
    m, k, n = a.shape[-2], a.shape[-1], b.shape[-1]
    plain = 0 if a.is_constant or b.is_constant else m * k * n
    right, left = m * k + (m + k) * (n - 1), k * n + (k + n) * (m - 1)
    if plain <= min(right, left):
        return _plain(a, b)
    if right <= left:
        return _tested(a, b, label)
    return _swapped(_tested(_swapped(b), _swapped(a), label))


def _plain(a: Wires, b: Wires) -> Wires:
    if a.ndim == 2:
        return a @ b
    pairs = a[..., :, None, :] * _swapped(b)[..., None, :, :]
    return pairs.sum(axis=-1)


def _tested(a: Wires, b: Wires, label: str | None) -> Wires:
    """a b, tested from the right."""
    circuit = Circuit.of(a)
    with circuit.scope(label or "matrix product"):
        c = circuit.hint(_product_of, [a, b], (*a.shape[:-1], b.shape[-1]), "product", signed=True)
        for name, matrix in (("a", a), ("b", b), ("c", c)):
            circuit.commit(matrix, name)
        point = circuit.challenge(DIGEST_POINT)
        b_r, c_r = polynomials_at(b, point), polynomials_at(c, point)
        b_r = b_r.reshape(*b_r.shape[:-1], 1, b_r.shape[-1]).broadcast_to(a.shape)
        # the last product of each row needs no wire of its own: the assertion is its constraint
        left = (a[..., :-1] * b_r[..., :-1]).sum(axis=-1) + a[..., -1] * b_r[..., -1]
        circuit.assert_equal(left, c_r, label="freivalds")
    return c


def polynomials_at(rows: Wires, point: Wires) -> Wires:
    """The last axis as coefficients of a polynomial, at the point."""
    return Wires(rows.builder, rows.shape[:-1], horner(rows.builder, rows.lc, rows.shape, point.lc))


def _swapped(x: Wires) -> Wires:
    return x.transpose((*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _product_of(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """a b: through floating point or machine integers where they are certain to suffice."""
    bound = a.shape[-1] * math.prod(int(abs(x).max(initial=0)) for x in (a, b))
    if bound < 1 << 53:
        return np.rint(a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
    product: NDArray[Any] = a @ b if bound < 1 << 63 else a.astype(object) @ b.astype(object)
    return product
