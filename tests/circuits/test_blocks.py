"""Combinations and sums that are made some rows at a time are those that are made at once."""

import numpy as np
import pytest

from zkgpu.circuits import Circuit, coefficients, combinations, program, sums
from zkgpu.fields.sparse import blocks


def circuit():
    rng = np.random.default_rng(3)
    c = Circuit()
    x, y = c.private("x", (3, 8)), c.private("y", 8)
    wide = x @ rng.integers(-3, 4, (8, 5)) + rng.integers(-9, 9, 5)
    sums_of_sums = (wide @ rng.integers(-2, 3, (5, 4)) - x[:, :4] * 3) * y[:4]
    total = c.constant(np.zeros(8, dtype=np.int64))
    for row in range(3):
        total = total + x[row] * (row - 1)
    c.output("z", sums_of_sums)
    c.output("total", total * y)
    return c.compile()


INPUTS = {"x": np.arange(-12, 12).reshape(3, 8), "y": [1, 2, 3, 4, 5, 6, 2**200, 8]}


@pytest.mark.parametrize("most", [1, 4, 30])
def test_a_circuit_made_in_blocks_is_the_same(monkeypatch, most):
    whole = circuit()
    wanted = whole.witness(INPUTS)
    for module in (combinations, sums):
        monkeypatch.setattr(module, "blocks", lambda terms, _=0: blocks(terms, most))
    monkeypatch.setattr(sums, "_TERMS", most)
    monkeypatch.setattr(program, "_TOGETHER", most)
    monkeypatch.setattr(coefficients, "BLOCK", most)
    made = circuit()
    assert made.r1cs.is_same(whole.r1cs)
    assert np.array_equal(made.witness(INPUTS), wanted)


def test_matrices_of_weights_take_six_bytes_an_entry_at_most():
    weights = np.random.default_rng(4).integers(-127, 128, (300, 64))
    c = Circuit()
    c.output("y", c.private("x", 300) @ weights)
    r1cs = c.compile().r1cs
    sizes = [m.indptr.nbytes + m.indices.nbytes + m.coefficient.nbytes for m in (r1cs.a, r1cs.b, r1cs.c)]
    assert r1cs.a.coefficient.dtype == np.uint8
    assert sum(sizes) <= 6 * sum(m.entries for m in (r1cs.a, r1cs.b, r1cs.c))
