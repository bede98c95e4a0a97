"""PLONK keys whose tau everybody knows, or whose proofs would hide nothing, are refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zkgpu.backend import open_backend
from zkgpu.curves.bn254 import G1, G2, Fq, Fr
from zkgpu.curves.points import Point
from zkgpu.errors import FormatError, InsecureKeyError, PointError, UsageError, ZkgpuError
from zkgpu.formats.wtns import write_wtns
from zkgpu.plonk import Prover, unsafe_setup, verify
from zkgpu.plonk.zkey import read_plonk_zkey, write_plonk_zkey
from zkgpu.solidity import verifier_source
from zkgpu.systems.files import read_verifying_key, write_verifying_key

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
CPU = open_backend("cpu")
PUBLIC = [35, 77]
EIGHTH = Fr.root_of_unity(8)

WEAK: dict[str, tuple[dict[str, Any], str]] = {
    "tau 0": ({"tau_g2": G2.infinity}, "tau is 0, 1 or -1"),
    "tau 1": ({"tau_g2": G2.generator}, "tau is 0, 1 or -1"),
    "tau -1": ({"tau_g2": -G2.generator}, "tau is 0, 1 or -1"),
    **{
        f"tau an eighth root, {i}": (
            {"tau_g2": pow(EIGHTH, i, Fr.modulus) * G2.generator},
            "tau is a root of unity of order 8 or less",
        )
        for i in (1, 2, 3, 5, 6, 7)
    },
    "s1 1": ({"s1": -G1.generator}, "s1 is minus the generator of G1"),
    "s3 infinity": ({"s3": G1.infinity}, "s3 is the point at infinity"),
}


@pytest.mark.parametrize("case", WEAK)
def test_a_weak_verifying_key_is_refused_by_name_wherever_it_is_used(
    statement: Any, tmp_path: Path, command: Any, case: str
) -> None:
    change, reason = WEAK[case]
    proof = Prover(statement.key, CPU).prove(statement.assignment)
    weak = replace(statement.key.verifying_key, **change)
    with pytest.raises(InsecureKeyError, match=reason):
        verify(weak, PUBLIC, proof)
    with pytest.raises(InsecureKeyError, match=reason):
        verifier_source(weak)
    with pytest.raises(InsecureKeyError, match=reason):
        Prover(replace(statement.key, verifying_key=weak), CPU)
    write_verifying_key(tmp_path / "vk.json", weak)
    assert reason in command("export", "solidity", tmp_path / "vk.json", tmp_path / "V.sol").error(3)
    assert reason in command("inspect", tmp_path / "vk.json").out


@pytest.mark.parametrize(("one", "other"), [("s1", "s2"), ("s1", "s3"), ("s2", "s3")])
@pytest.mark.parametrize("sign", [1, -1])
def test_permutation_polynomials_that_are_equal_up_to_sign_are_refused(
    statement: Any, one: str, other: str, sign: int
) -> None:
    vk = statement.key.verifying_key
    weak = replace(vk, **{other: getattr(vk, one) if sign > 0 else -getattr(vk, one)})
    assert f"{other} {'equals' if sign > 0 else 'is minus'} the permutation's {one}" in str(weak.weakness())


def root_of_unity(order: int) -> int:
    """An element of this order exactly."""
    r = Fr.modulus
    roots = (pow(base, (r - 1) // order, r) for base in range(2, 100))
    return next(root for root in roots if all(pow(root, k, r) != 1 for k in range(1, order)))


@pytest.mark.parametrize("order", [3, 6, 9, 13, 16, 18, 26])
def test_a_tau_of_small_order_is_seen_among_its_powers(
    statement: Any, tmp_path: Path, command: Any, order: int
) -> None:
    """The domain has 8 points, and the key 14 powers. With order 16, tau^8 = -1."""
    key = unsafe_setup(statement.r1cs, CPU, _tau=root_of_unity(order))
    assert key.verifying_key.weakness() is None
    with pytest.raises(InsecureKeyError, match="tau is a root of unity"):
        Prover(key, CPU)
    write_plonk_zkey(tmp_path / "key.zkey", key)
    write_wtns(tmp_path / "w.wtns", Fr, statement.assignment)
    outputs = ("--proof", tmp_path / "proof.json", "--public", tmp_path / "public.json")
    assert "root of unity" in command("prove", tmp_path / "key.zkey", tmp_path / "w.wtns", *outputs).error(3)
    assert not (tmp_path / "proof.json").exists()


def changed_row(rows: np.ndarray, i: int, row: np.ndarray) -> np.ndarray:
    rows = np.array(rows)
    rows[i] = row
    return rows


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: changed_row(rows, 1, rows[2]), "tau is not the same in G1 and G2"),
        (lambda rows: changed_row(rows, 0, rows[1]), "1 or -1"),
        (lambda rows: changed_row(rows, 0, rows[2]), "1 or -1"),
        (lambda rows: changed_row(rows, 3, np.zeros(8, np.uint64)), "infinity"),
        (lambda rows: np.concatenate([rows[1:], rows[:1]]), "do not start with the generator"),
    ],
)
def test_powers_of_another_tau_are_refused(statement: Any, tmp_path: Path, change: Any, reason: str) -> None:
    hostile = replace(statement.key, powers_g1=change(statement.key.powers_g1))
    with pytest.raises(InsecureKeyError, match=reason):
        Prover(hostile, CPU)
    write_plonk_zkey(tmp_path / "key.zkey", hostile)
    for _ in range(2):
        with pytest.raises(FormatError):
            Prover(read_plonk_zkey(tmp_path / "key.zkey", CPU.first_invalid_point), CPU)


def test_keys_of_snarkjs_and_honest_setups_have_no_weakness(statement: Any) -> None:
    key = read_plonk_zkey(SAMPLES / "multiplier" / "multiplier_plonk.zkey", CPU.first_invalid_point)
    assert key.file_digest is not None
    assert key.weakness() is replace(key).weakness() is statement.key.weakness() is None
    for name in ("multiplier", "range"):
        assert read_verifying_key(SAMPLES / name / "plonk_vk.json").weakness() is None


IMPROPER: dict[str, tuple[Any, type[ZkgpuError]]] = {
    "qm + q": (lambda vk: {"qm": Point(G1, vk.qm.x + Fq.modulus, vk.qm.y)}, PointError),
    "qc off the curve": (lambda vk: {"qc": Point(G1, 1, 3)}, PointError),
    "s1 in G2": (lambda vk: {"s1": vk.tau_g2}, UsageError),
    "tau in G1": (lambda vk: {"tau_g2": vk.s1}, UsageError),
    "tau half infinite": (lambda vk: {"tau_g2": Point(G2, None, vk.tau_g2.y)}, PointError),
    "k1 + r": (lambda vk: {"k1": vk.k1 + Fr.modulus}, UsageError),
    "k2 a float": (lambda vk: {"k2": float(vk.k2)}, UsageError),
    "log_size": (lambda vk: {"log_size": 40}, UsageError),
    "log_size a bool": (lambda vk: {"log_size": True}, UsageError),
    "n_public": (lambda vk: {"n_public": -1}, UsageError),
}


@pytest.mark.parametrize("case", IMPROPER)
@pytest.mark.parametrize("allowed", [False, True])
def test_a_key_of_improper_parts_is_no_question(statement: Any, case: str, allowed: bool) -> None:
    change, error = IMPROPER[case]
    vk, proof = statement.key.verifying_key, Prover(statement.key, CPU).prove(statement.assignment)
    improper = replace(vk, **change(vk))
    with pytest.raises(error):
        verify(improper, PUBLIC, proof, allow_insecure_key=allowed)
