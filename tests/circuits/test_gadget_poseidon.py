"""Poseidon, in plain Python and in circuits, against circomlib's values; Merkle paths made of it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from circuit_examples import evaluate
from hypothesis import given, settings
from hypothesis import strategies as st
from mutation import assert_every_wire_is_pinned

from zkgpu.circuits import Circuit, gadgets, stack
from zkgpu.circuits.gadgets import MerkleTree, assert_merkle_path, merkle_root, poseidon, poseidon_hash
from zkgpu.circuits.gadgets.poseidon import _permute
from zkgpu.circuits.gadgets.poseidon_parameters import FULL_ROUNDS, partial_rounds, poseidon_parameters
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UnsatisfiedError, UsageError
from zkgpu.fields.field import Field

P = Fr.modulus
VECTORS = json.loads((Path(__file__).parents[1] / "data/vectors/poseidon_bn254.json").read_text())


@cache
def hashing(inputs: int):
    c = Circuit()
    c.output("hash", poseidon(c.private("x", inputs)))
    return c.compile()


@pytest.mark.parametrize("vector", VECTORS["hash"], ids=lambda v: ",".join(v["inputs"]))
def test_hashes_are_circomlibs_in_python_and_in_a_circuit(vector):
    inputs, expected = [int(v) for v in vector["inputs"]], int(vector["hash"])
    assert poseidon_hash(inputs) == expected
    compiled = hashing(len(inputs))
    assert compiled.value("hash", compiled.witness({"x": inputs})).item() == expected


@pytest.mark.parametrize("vector", [v for v in VECTORS["hashEx"] if v["outputs"]], ids=lambda v: str(v["nOuts"]))
def test_the_whole_permutation_is_circomlibs(vector):
    inputs = [int(v) for v in vector["inputs"]]
    state = _permute([0, *inputs], poseidon_parameters(len(inputs), Fr), [])
    assert {i: state[int(i)] for i in vector["outputs"]} == {i: int(v) for i, v in vector["outputs"].items()}


@pytest.mark.parametrize("inputs", range(1, 17))
def test_circuit_and_python_agree_at_every_width_at_three_constraints_an_sbox(inputs):
    x = [P - 1, 0, *range(2, inputs)][:inputs]
    compiled = hashing(inputs)
    assert compiled.value("hash", compiled.witness({"x": x})).item() == poseidon_hash(x)
    sboxes = FULL_ROUNDS * (inputs + 1) - 1 + partial_rounds(inputs, Fr)
    assert compiled.r1cs.n_constraints == 3 * sboxes + 1  # and one for the output


def test_two_inputs_take_240_constraints_and_few_terms():
    r1cs = hashing(2).r1cs
    assert r1cs.n_constraints == 240 + 1
    assert r1cs.a.entries + r1cs.b.entries < 1200
    assert r1cs.a.entries + r1cs.b.entries + r1cs.c.entries < 3300


@given(st.lists(st.integers(0, P - 1), min_size=3, max_size=3))
@settings(max_examples=10, deadline=None)
def test_any_inputs_hash_alike_in_circuit_and_python(x):
    three = hashing(3)
    assert three.value("hash", three.witness({"x": x})).item() == poseidon_hash(x)


@pytest.mark.parametrize("inputs", [1, 2, 5])
def test_every_wire_of_a_hash_is_pinned(inputs):
    assert_every_wire_is_pinned(hashing(inputs), {"x": [P - 1, 0, 7, 1, 2][:inputs]})


def test_hashes_of_an_array_of_inputs_are_instantiated_together():
    c = Circuit()
    c.output("hash", poseidon(c.private("x", (2, 3, 2))))
    compiled = c.compile()
    x = [[[6 * i + 2 * j, 6 * i + 2 * j + 1] for j in range(3)] for i in range(2)]
    got = compiled.value("hash", compiled.witness({"x": x}))
    assert got.tolist() == [[poseidon_hash(pair) for pair in row] for row in x]


def test_chained_hashes_take_combinations_as_inputs():
    c = Circuit()
    node = c.private("x")
    for i in range(5):
        node = poseidon(stack([2 * node + 1, c.constant(i)]))
    c.output("y", node)
    compiled = c.compile()
    expected = 9
    for i in range(5):
        expected = poseidon_hash([(2 * expected + 1) % P, i])
    assert compiled.value("y", compiled.witness({"x": 9})).item() == expected


@pytest.mark.parametrize("inputs", [[], [0] * 17, [P], [-1]])
def test_other_numbers_of_inputs_and_values_outside_the_field_are_refused(inputs):
    with pytest.raises(UsageError):
        poseidon_hash(inputs)


def test_a_circuit_over_another_field_or_a_single_wire_is_refused():
    with pytest.raises(UsageError, match="not known here for F97"):
        poseidon(Circuit(Field("F97", 97, generator=5)).private("x", 2))
    with pytest.raises(UsageError, match="stack"):
        poseidon(Circuit().private("x"))
    with pytest.raises(UsageError, match="1 to 16"):
        poseidon(Circuit().private("x", 17))


# Merkle

DEPTH = 4
MEMBERS = 11


@cache
def tree():
    return MerkleTree([100 + i for i in range(MEMBERS)], DEPTH)


@cache
def membership():
    c = Circuit()
    leaf, bits, siblings = c.private("leaf"), c.private("bits", DEPTH), c.private("siblings", DEPTH)
    assert_merkle_path(leaf, bits, siblings, c.public("root"))
    return c.compile()


def inputs_of(index: int) -> dict:
    path = tree().path(index)
    leaf = 100 + index if index < MEMBERS else 0
    return {"leaf": leaf, "bits": path.index_bits, "siblings": path.siblings, "root": tree().root}


@pytest.mark.parametrize("index", range(MEMBERS))
def test_every_leaf_lies_under_the_root(index):
    membership().witness(inputs_of(index))


def test_a_tree_is_the_hash_of_its_two_halves():
    left, right = (MerkleTree([100 + i for i in range(s, min(s + 8, 11))], DEPTH - 1) for s in (0, 8))
    assert tree().root == poseidon_hash([left.root, right.root])
    assert MerkleTree([], 1).root == poseidon_hash([0, 0])
    assert MerkleTree([7], 0).root == 7


@pytest.mark.parametrize("index", [0, 5, 10])
def test_another_leaf_sibling_or_place_is_refused(index):
    honest = inputs_of(index)
    wrong = [{"leaf": honest["leaf"] + 1}, {"root": honest["root"] + 1}]
    for level in range(DEPTH):
        for name, value in (("bits", 1 - honest["bits"][level]), ("siblings", honest["siblings"][level] + 1)):
            changed = list(honest[name])
            changed[level] = value
            wrong.append({name: changed})
    for change in wrong:
        with pytest.raises(UnsatisfiedError, match="merkle_root"):
            membership().witness(honest | change)


@pytest.mark.parametrize("index", range(MEMBERS, 1 << DEPTH))
def test_an_empty_place_holds_no_member(index):
    assert (
        evaluate(lambda leaf, bits, siblings, _: merkle_root(leaf, bits, siblings), **inputs_of(index)) == tree().root
    )
    with pytest.raises(UnsatisfiedError, match="'leaf is not empty/inverse'"):
        membership().witness(inputs_of(index))


@pytest.mark.parametrize("leaves", [[0], [3, 0, 5], [P, 1]])
def test_a_tree_takes_no_leaf_that_stands_for_an_empty_place(leaves):
    with pytest.raises(UsageError, match="leaf 0 stands for an empty place"):
        MerkleTree(leaves, 3)


def test_an_index_bit_must_be_a_bit():
    with pytest.raises(UnsatisfiedError, match="boolean"):
        membership().witness(inputs_of(3) | {"bits": [2, 1, 0, 0]})


def test_every_wire_of_a_merkle_path_is_pinned():
    assert_every_wire_is_pinned(membership(), inputs_of(6))


def test_a_level_costs_a_hash_a_choice_and_a_boolean():
    assert membership().r1cs.n_constraints == DEPTH * 242 + 2


def test_many_paths_are_checked_at_once():
    c = Circuit()
    shape = (3, DEPTH)
    root = merkle_root(c.private("leaf", 3), c.private("bits", shape), c.private("siblings", shape))
    c.output("root", root)
    compiled = c.compile()
    paths = [tree().path(i) for i in (0, 7, 10)]
    inputs = {
        "leaf": [100, 107, 110],
        "bits": [p.index_bits for p in paths],
        "siblings": [p.siblings for p in paths],
    }
    assert compiled.value("root", compiled.witness(inputs)).tolist() == [tree().root] * 3


def test_paths_of_other_shapes_and_leaves_outside_of_a_tree_are_refused():
    c = Circuit()
    with pytest.raises(UsageError, match="leaf of shape"):
        merkle_root(c.private("leaf"), c.private("bits", 4), c.private("siblings", 3))
    with pytest.raises(UsageError, match="leaf 16"):
        tree().path(16)
    with pytest.raises(UsageError, match="do not fit"):
        MerkleTree([1, 2, 3], 1)


def test_all_public_gadgets_are_documented():
    assert all(getattr(gadgets, name).__doc__ for name in gadgets.__all__)
