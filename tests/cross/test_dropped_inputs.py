"""Circuits of which circom drops inputs that no constraint needs, at each level, in both systems, against snarkjs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zkgpu.formats.r1cs import read_r1cs
from zkgpu.groth16.zkey import read_zkey

FOLDER = Path(__file__).parents[1] / "data" / "circom"
CIRCUITS = ("asserted", "mixed", "hinted", "sum")
PRIVATE = {
    "asserted": (1, 0, 0),
    "mixed": (5, 5, 3),
    "hinted": (1, 0, 0),
    "sum": (2, 2, 0),
}
EVERY = [(name, level) for name in CIRCUITS for level in range(3)]
QUICK = [("asserted", 1)]
MANY = [pytest.param(*case, marks=[] if case in QUICK else [pytest.mark.slow]) for case in EVERY]


def done(command: Any, *arguments: object) -> None:
    outcome = command(*arguments)
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize(("name", "level"), EVERY)
def test_inputs_that_circom_dropped_are_not_counted_among_the_wires(name: str, level: int) -> None:
    r1cs = read_r1cs(FOLDER / f"{name}_O{level}.r1cs")
    assert r1cs.n_private_inputs == PRIVATE[name][level]
    assert r1cs.n_public + r1cs.n_private_inputs < r1cs.n_wires


@pytest.mark.parametrize(("name", "level"), EVERY)
def test_the_witness_of_circom_satisfies_what_was_read(command: Any, name: str, level: int) -> None:
    done(command, "check", FOLDER / f"{name}_O{level}.r1cs", FOLDER / f"{name}_O{level}.wtns")


class Case:
    """One circuit at one level, and the files made of it."""

    def __init__(self, name: str, level: int, folder: Path, samples: Path) -> None:
        self.r1cs, self.witness = FOLDER / f"{name}_O{level}.r1cs", FOLDER / f"{name}_O{level}.wtns"
        self.powers = samples / "pot6_final.ptau"
        self.key, self.vk, self.public, self.proof = (
            folder / n for n in ("key.zkey", "vk.json", "public.json", "proof.json")
        )

    def both_ways(self, protocol: str, command: Any, snarkjs: Any, *, theirs: bool = True) -> None:
        """Each proves with the key and the other accepts."""
        outputs = "--proof", self.proof, "--public", self.public
        done(command, "prove", self.key, self.witness, *outputs, "--circuit", self.r1cs)
        done(command, "export", "vk", self.key, self.vk)
        assert "OK!" in snarkjs(protocol, "verify", self.vk, self.public, self.proof)
        if theirs:
            snarkjs(protocol, "prove", self.key, self.witness, self.proof, self.public)
            done(command, "verify", self.vk, self.public, self.proof)


@pytest.mark.node
@pytest.mark.parametrize(("name", "level"), MANY)
def test_groth16_goes_both_ways_with_the_keys_of_both(
    snarkjs: Any, command: Any, samples: Path, tmp_path: Path, name: str, level: int
) -> None:
    case = Case(name, level, tmp_path, samples)
    snarkjs("zkey", "new", case.r1cs, case.powers, tmp_path / "new.zkey")
    snarkjs("zkey", "contribute", tmp_path / "new.zkey", case.key, "--name=test", "-e=any text")
    case.both_ways("groth16", command, snarkjs)
    domain = read_zkey(case.key).domain_size
    done(command, "setup", case.r1cs, case.powers, case.key)
    case.both_ways("groth16", command, snarkjs)
    assert read_zkey(case.key).domain_size == domain


@pytest.mark.node
@pytest.mark.parametrize(("name", "level"), MANY)
def test_plonk_goes_both_ways_with_the_one_key_that_both_make(
    snarkjs: Any, command: Any, samples: Path, tmp_path: Path, name: str, level: int
) -> None:
    """snarkjs' prover fails on every circuit without public values, and its setup without rows, as ours does."""
    case = Case(name, level, tmp_path, samples)
    r1cs = read_r1cs(case.r1cs)
    if r1cs.n_constraints == r1cs.n_public == 0:
        snarkjs("plonk", "setup", case.r1cs, case.powers, tmp_path / "theirs.zkey", fails=True)
        assert "nothing to prove" in command("setup", "--protocol", "plonk", case.r1cs, case.powers, case.key).error(2)
        return
    snarkjs("plonk", "setup", case.r1cs, case.powers, tmp_path / "theirs.zkey")
    done(command, "setup", "--protocol", "plonk", case.r1cs, case.powers, case.key)
    assert case.key.read_bytes() == (tmp_path / "theirs.zkey").read_bytes()
    case.both_ways("plonk", command, snarkjs, theirs=r1cs.n_public > 0)
