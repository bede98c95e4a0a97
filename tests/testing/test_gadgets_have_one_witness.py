"""Every gadget, at edges of its range: no lying hint, changed wire or free direction gives a second witness."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from tests.soundness import tried
from zkgpu.circuits import Circuit
from zkgpu.circuits import gadgets as g
from zkgpu.curves.bn254 import Fr
from zkgpu.testing import attack_circuit

Build = Callable[[Circuit], object]
Case = tuple[Build, list[Mapping[str, object]]]


def of_one(gadget: Callable, *values: object, shape: tuple = ()) -> Case:
    """gadget(x), published where it returns wires."""

    def build(c: Circuit) -> None:
        publish(c, gadget(c.private("x", shape)))

    return build, [{"x": value} for value in values]


def of_two(gadget: Callable, *pairs: tuple[object, object], shape: tuple = ()) -> Case:
    """gadget(x, y), likewise."""

    def build(c: Circuit) -> None:
        publish(c, gadget(c.private("x", shape), c.private("y", shape)))

    return build, [{"x": x, "y": y} for x, y in pairs]


def publish(c: Circuit, result: object) -> None:
    parts = result if isinstance(result, tuple) else (result,)
    for i, part in enumerate(parts):
        if part is not None:
            c.output(f"out{i}", part)


def looked_up(c: Circuit) -> None:
    x = c.private("x", 5)
    y = c.hint(lambda v: v * v, [x], 5, "square", signed=True)
    g.Table("squares", [range(-3, 4), [k * k for k in range(-3, 4)]]).look_up(x, y)
    c.output("y", y)


def in_order(c: Circuit) -> None:
    x = c.private("x", 4)
    y = c.hint(np.sort, [x], 4, "in order", signed=True)
    g.assert_permutation([y], [x])
    g.assert_in_range(y[1:] - y[:-1], 8)
    c.output("y", y)


def tree_path(c: Circuit) -> None:
    leaf, bits, siblings = c.private("leaf"), c.private("bits", 1), c.private("siblings", 1)
    c.output("root", g.merkle_root(leaf, bits, siblings))


BIT_PAIRS = [(0, 0), (0, 1), (1, 1)]
CASES: dict[str, Case] = {
    "assert_boolean": of_one(g.assert_boolean, 0, 1),
    "to_bits": of_one(lambda x: g.to_bits(x, 5), 0, 1, 31),
    "to_bits of any element": of_one(g.to_bits, 0, 3, Fr.modulus - 1),
    "from_bits": of_one(g.from_bits, [0, 1, 1], shape=(3,)),
    "range_check": of_one(lambda x: g.range_check(x, 6), 0, 1, 63),
    "assert_in_range": of_one(lambda x: g.assert_in_range(x, 12), np.r_[0, 1, 4095, np.arange(97)], shape=(100,)),
    "is_zero": of_one(g.is_zero, 0, 1, -1),
    "is_equal": of_two(g.is_equal, (3, 3), (3, 4)),
    "less_than": of_two(lambda x, y: g.less_than(x, y, 8), (0, 0), (0, 255), (255, 254)),
    "less_equal": of_two(lambda x, y: g.less_equal(x, y, 8), (7, 7), (8, 7)),
    "assert_less_than": of_two(lambda x, y: g.assert_less_than(x, y, 8), (0, 1), (254, 255)),
    "minimum": of_two(lambda x, y: g.minimum(x, y, 8), (5, 5), (5, 6)),
    "maximum": of_two(lambda x, y: g.maximum(x, y, 8), (5, 5), (255, 0)),
    "inverse": of_one(g.inverse, 1, 7),
    "divide": of_two(g.divide, (6, 3), (0, 3)),
    "integer_divide": of_two(lambda x, y: g.integer_divide(x, y, 8), (100, 7), (0, 1), (255, 255)),
    "integer_divide by a constant": of_one(lambda x: g.integer_divide(x, 8, 8), 0, 7, 8, 2047),
    "logical_not": of_one(g.logical_not, 0, 1),
    "logical_and": of_two(g.logical_and, *BIT_PAIRS),
    "logical_or": of_two(g.logical_or, *BIT_PAIRS),
    "logical_xor": of_two(g.logical_xor, *BIT_PAIRS),
    "select": of_two(lambda x, y: g.select(x, y, 9), (0, 5), (1, 5)),
    "Table": (looked_up, [{"x": [-3, 0, 0, 3, 1]}]),
    "assert_permutation": (in_order, [{"x": [7, -3, 7, 90]}, {"x": [0, 0, 0, 0]}]),
    "matmul": of_two(g.matmul, (np.arange(9).reshape(3, 3), np.eye(3, dtype=int)), shape=(3, 3)),
    "poseidon": of_one(g.poseidon, [1, 2], shape=(2,)),
    "merkle_root": (tree_path, [{"leaf": 5, "bits": [1], "siblings": [9]}]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_gadget_has_one_witness(name: str) -> None:
    build, inputs = CASES[name]
    circuit = Circuit()
    build(circuit)
    compiled = circuit.compile()
    for given in inputs:
        report = attack_circuit(compiled, given, tries=600, pairs=2000)
        tried("second witnesses", sum(report.tried.values()))
        report.require_sound()


def test_every_gadget_is_among_them() -> None:
    plain = {"MerklePath", "MerkleTree", "poseidon_hash", "assert_merkle_path"}  # no circuits; merkle_root and "="
    assert set(g.__all__) - plain <= set(CASES)
