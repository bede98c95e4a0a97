"""Matrix products: with weights that are constants, free; with weights that are wires, by the cheapest of three ways.

1. plain: m k n constraints for (m, k) times (k, n)
2. Freivalds' test (gadgets.freivalds): no more than that of inputs and outputs by one challenge (layers.challenged),
   which takes (m - 1) (k + n) + k n where weights are wires, or of all three by two: m k + k n + m n - k - 1
3. in pairs, after Winograd, "A New Algorithm for Inner Product", IEEE Trans. Computers C-17, 1968:
       x0 w0 + x1 w1 = (x0 + w1) (x1 + w0) - x0 x1 - w0 w1
   The products w0 w1 depend on weights alone: the private bias takes them up. m n k / 2 + m k / 2 constraints.

Patches of convolutions have a fourth, which takes less than the second (layers.convolution).

These are identities of the field and rely on no inequality. What they give are the integers of the semantics where
weights are integers in range: known ones, or hashed ones, whose ranges are checked (layers.weights).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits import Circuit, Wires, gadgets, stack
from zkgpu.zkml.layers import products
from zkgpu.zkml.layers.convolution import Patches, convolution
from zkgpu.zkml.layers.long_sums import LongSums
from zkgpu.zkml.operations import Linear
from zkgpu.zkml.semantics import added, apply, matrix_product, product, total

Integers = NDArray[Any]


def constant_linear(operation: Linear, x: Wires, *, is_rounded_at_once: bool = False) -> Wires:
    """multiplier * (x @ weight + bias) as linear combinations.

    Args:
        is_rounded_at_once: whether these need no wires, however long they are (layers.long_sums)
    """
    circuit, (weight, bias) = Circuit.of(x), effective_weights(operation)
    sums = stack([x[g] @ weight[g] + bias[g] for g in range(len(weight))])
    if sums.lc.wires.size <= products.LONG:
        return sums
    if is_rounded_at_once:
        return LongSums(sums, x, lambda v: apply(operation, [v]))
    # machine integers give their values much sooner than the sums' own terms would
    out = circuit.hint(lambda v: apply(operation, [v]), [x], shape=sums.shape, label="sums", signed=True)
    circuit.assert_equal(sums, out, label="sums")
    return out


def effective_weights(operation: Linear) -> tuple[Integers, Integers]:
    """(g, k, n) weights and (g, n) biases with the multipliers taken in."""
    multiplier = operation.multiplier
    return product(operation.weight, multiplier[:, None, :]), product(operation.bias, multiplier)


def works_in_pairs(m: int, k: int, n: int) -> bool:
    """Whether Winograd's pairs take the fewest constraints for (m, k) times (k, n) with private weights."""
    pairs = m * n * (k - k // 2) + m * (k // 2)
    return pairs < min(tested(m, k, n), m * n * k)


def tested(m: int, k: int, n: int) -> int:
    """Constraints of Freivalds' test."""
    return min(m * k + (m + k) * (n - 1), k * n + (k + n) * (m - 1))


def reads_of_private(m: int, k: int, n: int) -> int:
    """How many constraints of a product with private weights hold each entry of (m, k)."""
    return n if works_in_pairs(m, k, n) or m * k * n <= tested(m, k, n) else 1


def private_values(operation: Linear, m: int) -> tuple[Integers, Integers]:
    """What the prover gives for a layer's weights and biases, for m rows in each group."""
    weight, bias = effective_weights(operation)
    _, k, n = weight.shape
    if works_in_pairs(m, k, n):
        even, odd = _halves(weight, 1)
        bias = added(bias, -_products(even, odd, axis=1))
    return weight, bias


def private_linear(operation: Linear, x: Wires, weight: Wires, bias: Wires, patches: Patches | None = None) -> Wires:
    """x @ weight + bias for wires that hold `private_values`; of patches x has the cells (layers.convolution)."""
    if patches is not None:
        return convolution(x, patches, weight, bias)
    _, m, k = x.shape
    n = weight.shape[-1]
    groups = range(x.shape[0])
    if works_in_pairs(m, k, n):
        return stack([_in_pairs(x[g], weight[g], bias[g]) for g in groups])
    return stack([gadgets.matmul(x[g], weight[g], label="weights") + bias[g] for g in groups])


def _in_pairs(x: Wires, weight: Wires, bias: Wires) -> Wires:
    """(m, n) sums, each of them a wire: the last product of a sum needs none of its own."""
    circuit, (m, k), n = Circuit.of(x), x.shape, weight.shape[1]
    out = circuit.hint(_sum_of_pairs, [x, weight, bias], shape=(m, n), label="sums", signed=True)
    (x0, x1), (w0, w1) = _halves(x, 1), _halves(weight, 0)
    left = _rows(x0, n) + _columns(w1, m)
    right = _rows(x1, n) + _columns(w0, m)
    known = bias.broadcast_to((m, n)) - (x0 * x1).sum(axis=-1).reshape(m, 1).broadcast_to((m, n))
    last_left, last_right = left[..., -1], right[..., -1]
    body = k // 2 - 1
    if k % 2:
        last_left, last_right = _rows(x[:, -1:], n)[..., 0], _columns(weight[-1:], m)[..., 0]
        body = k // 2
    if body:
        known = known + (left[..., :body] * right[..., :body]).sum(axis=-1)
    circuit.assert_equal(known + last_left * last_right, out, label="sums")
    return out


def _halves(x: Any, axis: int) -> tuple[Any, Any]:
    """Even and odd positions along an axis, without the last one where they are odd in number."""
    key: list[slice] = [slice(None)] * len(x.shape)
    even, odd = key.copy(), key.copy()
    length = x.shape[axis] // 2 * 2
    even[axis], odd[axis] = slice(0, length, 2), slice(1, length, 2)
    return x[tuple(even)], x[tuple(odd)]


def _rows(x: Wires, n: int) -> Wires:
    """(m, k) as (m, n, k)."""
    m, k = x.shape
    return x.reshape(m, 1, k).broadcast_to((m, n, k))


def _columns(weight: Wires, m: int) -> Wires:
    """(k, n) as (m, n, k)."""
    k, n = weight.shape
    return weight.T.reshape(1, n, k).broadcast_to((m, n, k))


def _sum_of_pairs(x: Integers, weight: Integers, bias: Integers) -> Integers:
    """x @ weight, and the bias with what it took up given back."""
    sums, taken = matrix_product(x, weight), _products(*_halves(weight, 0), axis=0)
    return added(sums, bias, taken)


def _products(even: Integers, odd: Integers, axis: int) -> Integers:
    """The sums of the pairs' products along an axis."""
    return total(np.moveaxis(product(even, odd), axis, -1))


def matmul(x: Wires, y: Wires) -> Wires:
    return stack([gadgets.matmul(x[g], y[g], label="product") for g in range(x.shape[0])])


def declare_weights(circuit: Circuit, operation: Linear) -> tuple[Wires, Wires]:
    """The private inputs that a layer's weights and biases are given in."""
    name = operation.output
    return (
        circuit.private(f"{name}.weight", operation.weight.shape),
        circuit.private(f"{name}.bias", operation.bias.shape),
    )
