"""The check of an R1CS, on a circuit and a witness that circom made."""

from __future__ import annotations

from pathlib import Path

import pytest

from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UnsatisfiedError
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.formats.wtns import read_wtns

RANGE = Path(__file__).parents[1] / "data/samples/range"


def test_circoms_witness_satisfies_circoms_constraints():
    read_r1cs(RANGE / "range.r1cs").check(read_wtns(RANGE / "witness.wtns"))


def test_each_changed_wire_of_circoms_witness_breaks_a_constraint_named_by_number():
    r1cs, honest = read_r1cs(RANGE / "range.r1cs"), read_wtns(RANGE / "witness.wtns")
    for wire in range(1, r1cs.n_wires, 40):
        changed = honest.copy()
        changed[wire] = Fr.to_limbs([Fr.from_limbs(honest[wire : wire + 1])[0] + 1])[0]
        with pytest.raises(UnsatisfiedError, match=r"^constraint \d+: A \* B is not C$"):
            r1cs.check(changed)
