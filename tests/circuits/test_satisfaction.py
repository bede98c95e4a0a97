"""The check of large circuits by compiled arithmetic against the one on Python integers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from zkgpu.circuits import Circuit, assignment
from zkgpu.circuits import r1cs as room
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UnsatisfiedError
from zkgpu.fields.field import Field
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.formats.wtns import read_wtns

RANGE = Path(__file__).parents[1] / "data/samples/range"


@pytest.fixture(params=["kept", "piece by piece"])
def circuit(monkeypatch, request):
    """A circuit that counts as large, and one so large that its matrices are not kept."""
    monkeypatch.setattr(room, "MANY_ENTRIES", 1)
    if request.param != "kept":
        monkeypatch.setattr(assignment, "KEPT_ENTRIES", 0)
        monkeypatch.setattr(assignment, "PIECE", 100)
    return read_r1cs(RANGE / "range.r1cs")


@pytest.fixture
def honest():
    return read_wtns(RANGE / "witness.wtns")


def complaint(circuit, assignment):
    with pytest.raises(UnsatisfiedError) as refusal:
        circuit.check(assignment)
    return f"{refusal.value} ({refusal.value.values})"


def test_a_satisfied_circuit_needs_no_python_integers(circuit, honest, monkeypatch):
    monkeypatch.setattr(room.R1CS, "check_values", lambda *_: pytest.fail("checked on Python integers"))
    circuit.check(honest)


def test_every_changed_wire_is_refused_as_by_python_integers(circuit, honest, monkeypatch):
    for wire in range(1, circuit.n_wires, 40):
        changed = honest.copy()
        changed[wire] = Fr.to_limbs([Fr.from_limbs(honest[wire : wire + 1])[0] + 1])[0]
        compiled = complaint(circuit, changed)
        with monkeypatch.context() as small:
            small.setattr(room, "MANY_ENTRIES", 1 << 60)
            assert complaint(replace(circuit), changed) == compiled


def test_the_first_wire_must_hold_one(circuit, honest):
    for first in (0, 2, 1 << 64):
        changed = honest.copy()
        changed[:1] = Fr.to_limbs([first])
        assert complaint(circuit, changed).startswith(f"wire 0 must hold the constant 1 (it is {first})")


@pytest.mark.parametrize("n", [1, 7, 8, 9, 33])
def test_each_constraint_counts(n, monkeypatch):
    monkeypatch.setattr(room, "MANY_ENTRIES", 1)
    c = Circuit()
    c.output("y", c.private("a", n) * c.private("b", n))
    compiled = c.compile()
    honest = compiled.witness({"a": range(1, n + 1), "b": range(2, n + 2)})
    compiled.r1cs.check(honest)
    for i in range(n):
        changed = honest.copy()
        changed[1 + i, 3] ^= 1
        assert complaint(compiled.r1cs, changed).startswith(
            f"{compiled.r1cs.label(i)}: A * B is not C ({i + 1} * {i + 2} = "
        )


def test_a_field_without_kernels_is_checked_on_python_integers(monkeypatch):
    monkeypatch.setattr(room, "MANY_ENTRIES", 1)
    for field in (Field("F97", 97, generator=5), Field("F255", 2**255 - 19, generator=2)):
        c = Circuit(field)
        c.output("y", c.private("x") ** 3)
        compiled = c.compile()
        changed = compiled.witness({"x": 50})
        changed[1, 0] ^= 1
        assert "but C is" in complaint(compiled.r1cs, changed)
