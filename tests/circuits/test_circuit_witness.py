"""Witnesses of circuits: reading inputs, the check of an assignment, templates, and the same bytes everywhere."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from circuit_examples import cubic, evaluate

from zkgpu.circuits import R1CS, Circuit
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import FormatError, LengthError, UnsatisfiedError, UsageError
from zkgpu.fields.field import Field

P = Fr.modulus

# inputs


@pytest.mark.parametrize("three", [3, "3", "0x3", "003", np.int8(3), np.uint64(3), 3 - P])
def test_inputs_are_read_from_numbers_and_strings(three):
    assert Fr.from_limbs(cubic().compile().witness({"x": three, "out": "35"}))[2] == 3


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": 3}, "missing input 'out'"),
        ({"x": 3, "out": 35, "y": 1}, "unknown input 'y'.*'out', 'x'"),
        ({"x": [3], "out": 35}, r"'x' has shape \(1,\)"),
        ({"x": 3.0, "out": 35}, "'x' holds a float"),
        ({"x": None, "out": 35}, "'x' holds a NoneType"),
        ({"x": "3 ", "out": 35}, "'x' holds a str"),
        ({"x": "0X3", "out": 35}, "'x' holds a str"),
        ({"x": "٣", "out": 35}, "'x' holds"),
        ({"x": "9" * 5000, "out": 35}, "'x' holds"),
        ({"x": P, "out": 35}, "not below the modulus"),
        ({"x": P + 3, "out": 35}, "not below the modulus"),
        ({"x": -P, "out": 35}, "not below the modulus"),
        ({"x": 2**256 + 3, "out": 35}, "not below the modulus"),
        ({"x": [[1], [2, 3]], "out": 35}, "different lengths|shape"),
    ],
)
def test_wrong_inputs_are_named(inputs, message):
    with pytest.raises(UsageError, match=message) as caught:
        cubic().compile().witness(inputs)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_what_a_wrong_input_holds_is_beside_the_message():
    for wrong, values in (("0X3", "'0X3'"), (3.5, "3.5"), (P, hex(P)), ("9" * 5000, "'" + "9" * 76 + "...")):
        with pytest.raises(UsageError) as caught:
            cubic().compile().witness({"x": wrong, "out": 35})
        assert caught.value.values == values
        assert values not in str(caught.value)


def test_a_hint_that_fails_is_named_with_the_line_and_without_what_it_quotes():
    c = Circuit()
    x = c.private("x")
    c.assert_equal(c.hint(lambda v: {1: 2}[int(v)], [x], label="table"), x)
    compiled = c.compile()
    with pytest.raises(
        UsageError, match=r"^hint 'table' failed \(KeyError in test_circuit_witness.py, line \d+\)$"
    ) as error:
        compiled.witness({"x": 77})
    assert error.value.values == "77"
    assert error.value.__suppress_context__


@pytest.mark.parametrize("kind", [MemoryError, FormatError])
def test_a_hint_that_lacks_memory_or_says_what_is_wrong_is_left_to_say_so(kind):
    def fail(_):
        raise kind("so")

    c = Circuit()
    x = c.private("x")
    c.assert_equal(c.hint(fail, [x]), x)
    with pytest.raises(kind, match="so"):
        c.compile().witness({"x": 1})


def test_array_inputs_keep_their_order_and_negative_numbers_wrap():
    image = np.array([[-1, 2], [3, -128]], dtype=np.int8)
    assert evaluate(lambda x: x, x=image).tolist() == [[P - 1, 2], [3, P - 128]]
    assert evaluate(lambda x: x, x=[["1", 2], ["0xff", P - 1]]).tolist() == [[1, 2], [255, P - 1]]


# the check


def test_the_check_refuses_assignments_of_another_shape_or_not_canonical():
    r1cs = cubic().compile().r1cs
    good = Fr.to_limbs([1, 35, 3, 9])
    r1cs.check(good)
    with pytest.raises(LengthError, match="4 wires"):
        r1cs.check(good[:3])
    aliased = good.copy()
    aliased[2] = np.frombuffer((P + 3).to_bytes(32, "little"), dtype="<u8")
    with pytest.raises(FormatError, match="wire 2"):
        r1cs.check(aliased)
    with pytest.raises(UnsatisfiedError, match="wire 0 must hold the constant 1") as error:
        r1cs.check(Fr.to_limbs([2, 35, 3, 9]))
    assert error.value.values == "it is 2"


def test_constraints_without_a_name_are_called_by_number():
    r1cs = cubic().compile().r1cs
    bare = R1CS(r1cs.field, r1cs.a, r1cs.b, r1cs.c, 0, 1, 1)
    with pytest.raises(UnsatisfiedError, match=r"^constraint 0: "):
        bare.check(Fr.to_limbs([1, 35, 3, 8]))


def test_a_witness_runs_again_for_new_inputs():
    compiled = cubic().compile()
    for x in range(5):
        assert Fr.from_limbs(compiled.witness({"x": x, "out": x**3 + x + 5}))[3] == x * x


def test_another_field_computes_modulo_its_own_prime():
    tiny = Field("F97", 97, generator=5)
    c = Circuit(tiny)
    c.output("y", c.private("x") ** 3 - 1)
    compiled = c.compile()
    w = compiled.witness({"x": 50})
    assert w.shape == (4, 1)
    assert compiled.value("y", w).item() == (50**3 - 1) % 97


# templates


def square_and_shift(c, x):
    return x[0] * x[0] * x[1] + 3 * x[1]


def test_a_template_instantiated_on_an_array_equals_the_gadget_traced_on_each_row():
    x = np.arange(12).reshape(2, 3, 2)

    def instantiated(wires):
        return Circuit.of(wires).instantiate(square_and_shift, wires + 1)

    assert (evaluate(instantiated, x=x) == (x[..., 0] + 1) ** 2 * (x[..., 1] + 1) + 3 * (x[..., 1] + 1)).all()


def test_a_template_takes_products_that_have_no_wires_yet():
    x = np.arange(12).reshape(2, 3, 2)
    found = evaluate(lambda w: Circuit.of(w).instantiate(square_and_shift, w * w), x=x)
    assert (found == x[..., 0] ** 4 * x[..., 1] ** 2 + 3 * x[..., 1] ** 2).all()


def test_a_broken_constraint_in_a_template_names_the_instance():
    def boolean(c, x):
        c.assert_equal(x * x, x)
        return x

    c = Circuit()
    c.output("y", c.instantiate(boolean, c.private("x", (3, 1)), label="flag"))
    with pytest.raises(UnsatisfiedError, match=r"'flag\[1\]'"):
        c.compile().witness({"x": [[1], [5], [0]]})


def test_templates_nest():
    def inner(c, x):
        return (x[0] * x[1]).reshape(1)

    def outer(c, x):
        pairs = c.instantiate(inner, x.reshape(2, 2)).reshape(2)
        return c.instantiate(inner, pairs)

    x = np.arange(1, 13).reshape(3, 4)
    got = evaluate(lambda w: Circuit.of(w).instantiate(outer, w), x=x)
    assert got.ravel().tolist() == x.prod(axis=1).tolist()


# the same everywhere


SCRIPT = """
import hashlib, numpy as np
from zkgpu.circuits import Circuit
c = Circuit()
x, y = c.private("x", (4, 4)), c.public("y", 4)
z = (x @ np.arange(16).reshape(4, 4) * 7 + x) * x
c.assert_equal(z.sum(axis=0), y)
r = c.compile().r1cs
h = hashlib.sha256()
for m in (r.a, r.b, r.c):
    for part in (m.indptr, m.indices, m.coefficient, m.table):
        h.update(part.tobytes())
print(h.hexdigest())
"""


def test_the_same_circuit_gives_the_same_bytes_whatever_the_hash_seed():
    digests = set()
    for seed in ("0", "1", "77"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, check=True)
        digests.add(done.stdout)
    assert len(digests) == 1
