"""Keys that let anyone forge, or whose proofs would hide nothing, are refused by name, wherever they come from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from committed_statement import INPUTS, CommittedStatement, with_part, with_queries

from zkgpu.backend import open_backend
from zkgpu.circuits import CompiledCircuit
from zkgpu.circuits.committed import PublicArray
from zkgpu.curves.bn254 import G1, G2, Fq, Fr
from zkgpu.curves.points import Point
from zkgpu.errors import FormatError, InsecureKeyError, LengthError, PointError, UsageError, ZkgpuError
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.formats.wtns import write_wtns
from zkgpu.groth16 import Prover, ProvingKey, VerifyingKey, unsafe_setup, verify
from zkgpu.groth16 import json as groth16_json
from zkgpu.groth16.zkey import read_zkey, write_zkey
from zkgpu.provers.statement import Statement
from zkgpu.solidity import verifier_source

CPU = open_backend("cpu")
PUBLIC = [35, 77]
SAMPLES = Path(__file__).parents[1] / "data" / "samples"

VkChange = Callable[[VerifyingKey], dict[str, Any]]
KeyChange = Callable[[ProvingKey], dict[str, Any]]


def with_ic(vk: VerifyingKey, i: int, point: Point) -> dict[str, Any]:
    return {"ic": (*vk.ic[:i], point, *vk.ic[i + 1 :])}


WEAK: dict[str, tuple[VkChange, str]] = {
    "alpha infinity": (lambda vk: {"alpha_g1": G1.infinity}, "alpha is the point at infinity"),
    "alpha 1": (lambda vk: {"alpha_g1": G1.generator}, "alpha equals the generator of G1"),
    "alpha -1": (lambda vk: {"alpha_g1": -G1.generator}, "alpha is minus the generator of G1"),
    "beta 1": (lambda vk: {"beta_g2": G2.generator}, "beta equals the generator of G2"),
    "beta -1": (lambda vk: {"beta_g2": -G2.generator}, "beta is minus the generator of G2"),
    "gamma infinity": (lambda vk: {"gamma_g2": G2.infinity}, "gamma is the point at infinity"),
    "gamma -1": (lambda vk: {"gamma_g2": -G2.generator}, "gamma is minus the generator of G2"),
    "gamma beta": (lambda vk: {"gamma_g2": vk.beta_g2}, "gamma equals beta"),
    "gamma -beta": (lambda vk: {"gamma_g2": -vk.beta_g2}, "gamma is minus beta"),
    "delta 1": (lambda vk: {"delta_g2": G2.generator}, "gamma equals delta"),
    "delta -1": (lambda vk: {"delta_g2": -G2.generator}, "delta is minus the generator of G2"),
    "delta beta": (lambda vk: {"delta_g2": vk.beta_g2}, "delta equals beta"),
    "delta -beta": (lambda vk: {"delta_g2": -vk.beta_g2}, "delta is minus beta"),
    "delta -gamma": (
        lambda vk: {"gamma_g2": 5 * G2.generator, "delta_g2": -5 * G2.generator},
        "delta is minus gamma",
    ),
    "delta 1, another gamma": (
        lambda vk: {"gamma_g2": 5 * G2.generator, "delta_g2": G2.generator},
        "delta equals the generator of G2",
    ),
    "ic 0 infinity": (lambda vk: with_ic(vk, 0, G1.infinity), r"IC\[0\] is the point at infinity"),
    "ic 2 infinity": (lambda vk: with_ic(vk, 2, G1.infinity), r"IC\[2\] is the point at infinity"),
    "ic equal": (lambda vk: with_ic(vk, 2, vk.ic[1]), r"IC\[2\] equals IC\[1\]"),
    "ic opposite": (lambda vk: with_ic(vk, 2, -vk.ic[0]), r"IC\[2\] is minus IC\[0\]"),
    "ic alpha": (lambda vk: with_ic(vk, 1, -vk.alpha_g1), r"IC\[1\] is minus alpha"),
    "ic 1": (lambda vk: with_ic(vk, 1, G1.generator), r"IC\[1\] equals the generator of G1"),
}


@pytest.mark.parametrize("case", WEAK)
def test_a_weak_verifying_key_is_refused_by_name_wherever_it_is_used(
    statement: Any, tmp_path: Path, command: Any, case: str
) -> None:
    change, reason = WEAK[case]
    key = statement.key.verifying_key
    weak, proof = replace(key, **change(key)), Prover(statement.key, CPU).prove(statement.assignment)
    with pytest.raises(InsecureKeyError, match=reason):
        verify(weak, PUBLIC, proof)
    with pytest.raises(InsecureKeyError, match=reason):
        verifier_source(weak)
    with pytest.raises(InsecureKeyError, match=reason):
        Prover(replace(statement.key, verifying_key=weak), CPU)
    files = [tmp_path / name for name in ("vk.json", "public.json", "proof.json")]
    groth16_json.write_verifying_key(files[0], weak)
    Statement(PUBLIC, proof).save(files[2], files[1])
    assert "insecure key" in command("verify", *files).error(3)
    assert "insecure key" in command("export", "solidity", files[0], tmp_path / "V.sol").error(3)
    assert not (tmp_path / "V.sol").exists()


def test_forgeries_for_a_key_with_delta_minus_gamma_verify_which_is_why_it_is_refused(statement: Any) -> None:
    """A = alpha, B = beta, C = vk_x."""
    key = statement.key.verifying_key
    weak = replace(key, delta_g2=-key.gamma_g2)
    proof = Prover(statement.key, CPU).prove(statement.assignment)
    vk_x = key.ic[0] + 1 * key.ic[1] + 2 * key.ic[2]
    forgery = replace(proof, a=key.alpha_g1, b=key.beta_g2, c=vk_x)
    assert verify(weak, [1, 2], forgery, allow_insecure_key=True)
    with pytest.raises(InsecureKeyError):
        verify(weak, [1, 2], forgery)


def test_a_public_input_whose_ic_point_is_infinity_is_bound_to_nothing(statement: Any) -> None:
    """Whoever makes a key without the row that binds it gets such a point for an input that no constraint reads."""
    proof = Prover(statement.key, CPU).prove(statement.assignment)
    key = statement.key.verifying_key
    constant = replace(key, ic=(key.ic[0] + 77 * key.ic[2], key.ic[1], G1.infinity))
    assert verify(constant, [35, 123456], proof, allow_insecure_key=True)
    with pytest.raises(InsecureKeyError, match=r"IC\[2\]"):
        verify(constant, [35, 77], proof)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("other", ["the generator of G2", "beta", "delta"])
def test_a_sigma_that_is_known_up_to_sign_is_refused(committed: CommittedStatement, other: str, sign: int) -> None:
    vk = committed.key.verifying_key
    named = {"the generator of G2": G2.generator, "beta": vk.beta_g2, "delta": vk.delta_g2}
    point = named[other] if sign > 0 else -named[other]
    weak = with_part(vk, sigma_g2=point)
    public, proof, packed = committed.proven
    with pytest.raises(InsecureKeyError, match=f"sigma {'equals' if sign > 0 else 'is minus'} {other}"):
        verify(weak, public, proof, packed=packed)


# proving keys

HOSTILE: dict[str, tuple[KeyChange, str]] = {
    "delta1 infinity": (lambda key: {"delta_g1": G1.infinity}, "delta1 is the point at infinity"),
    "beta1 infinity": (lambda key: {"beta_g1": G1.infinity}, "beta1 is the point at infinity"),
    "delta1 1": (lambda key: {"delta_g1": G1.generator}, "delta1 equals the generator"),
    "delta1 -beta1": (lambda key: {"delta_g1": -key.beta_g1}, "delta1 is minus beta1"),
    "beta1 alpha": (lambda key: {"beta_g1": key.verifying_key.alpha_g1}, "beta1 equals alpha"),
    "another delta1": (lambda key: {"delta_g1": 2 * key.delta_g1}, "delta is not the same in G1 and G2"),
    "another beta1": (lambda key: {"beta_g1": 2 * key.beta_g1}, "beta is not the same in G1 and G2"),
    "both another": (
        lambda key: {"beta_g1": key.beta_g1 + G1.generator, "delta_g1": key.delta_g1 - G1.generator},
        "beta is not the same in G1 and G2",
    ),
    "tau in the domain": (
        lambda key: {"h_query": np.zeros_like(key.h_query)},
        "tau is a root of unity",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_proving_key_is_refused_by_name(statement: Any, tmp_path: Path, command: Any, case: str) -> None:
    change, reason = HOSTILE[case]
    hostile = replace(statement.key, **change(statement.key))
    assert reason in str(hostile.weakness())
    with pytest.raises(InsecureKeyError, match=reason):
        Prover(hostile, CPU)
    write_zkey(tmp_path / "key.zkey", hostile)
    write_wtns(tmp_path / "w.wtns", Fr, statement.assignment)
    outputs = ("--proof", tmp_path / "proof.json", "--public", tmp_path / "public.json")
    for _ in range(2):  # the refused file is not remembered as one that passed
        refused = command("prove", tmp_path / "key.zkey", tmp_path / "w.wtns", *outputs).error(3)
        assert reason in refused or "is not the same in G1 and G2" in refused
    assert not (tmp_path / "proof.json").exists()
    command("export", "vk", tmp_path / "key.zkey", tmp_path / "vk.json").error(3)


def without_blinding(key: ProvingKey) -> ProvingKey:
    """The key with delta and B 0 in G1: r meets nothing in A nor in C, so that proofs still verify, and A is known."""
    return replace(key, delta_g1=G1.infinity, beta_g1=G1.infinity, b_g1_query=np.zeros_like(key.b_g1_query))


def test_a_key_without_delta_in_g1_would_give_the_same_a_for_the_same_witness(
    statement: Any, tmp_path: Path, command: Any
) -> None:
    """Proofs for it verify under the honest key, so nothing but the key itself gives it away."""
    hostile = without_blinding(statement.key)
    prover = Prover(hostile, CPU, allow_insecure_key=True)
    first, second = (prover.prove(statement.assignment) for _ in range(2))
    assert first.a == second.a
    assert verify(statement.key.verifying_key, PUBLIC, first)
    with pytest.raises(InsecureKeyError, match="beta1 is the point at infinity"):
        Prover(hostile, CPU)
    write_zkey(tmp_path / "key.zkey", hostile)
    with pytest.raises(FormatError, match=r"key\.zkey: .* is not the same in G1 and G2"):
        read_zkey(tmp_path / "key.zkey", CPU.first_invalid_point)


MASKS: dict[str, tuple[Callable[[np.ndarray, np.ndarray], None], str]] = {
    "mask infinity": (lambda k, over: k[:1].fill(0), r"committed_query\[0\] is infinity"),
    "sigma times the mask infinity": (lambda k, over: over[:1].fill(0), r"knowledge_query\[0\] is infinity"),
    "both infinity": (lambda k, over: (k[:1].fill(0), over[:1].fill(0)), r"committed_query\[0\] is infinity"),
    "another point": (lambda k, over: np.copyto(over[:1], over[1:2]), "sigma is not the same in G1 and G2"),
}


@pytest.mark.parametrize("case", MASKS)
def test_a_hostile_mask_is_refused(committed: CommittedStatement, tmp_path: Path, case: str) -> None:
    change, reason = MASKS[case]
    (queries,) = committed.key.commitments
    rows = np.array(queries.committed_query), np.array(queries.knowledge_query)
    change(*rows)
    hostile = with_queries(committed.key, committed_query=rows[0], knowledge_query=rows[1])
    with pytest.raises(InsecureKeyError, match=reason):
        Prover(hostile, CPU)
    write_zkey(tmp_path / "key.zkey", hostile)
    with pytest.raises(FormatError):
        Prover(read_zkey(tmp_path / "key.zkey", CPU.first_invalid_point), CPU)


def without_the_mask_s_row(circuit: CompiledCircuit) -> CompiledCircuit:
    """The circuit with no constraint on the mask, which so gets no point."""
    a, mask = circuit.r1cs.a, circuit.r1cs.n_public + 1
    kept = a.indices != mask
    rows = a.row_of_entry()[kept]
    bare = SparseMatrix.from_entries(a.shape, rows, a.indices[kept], a.coefficient[kept], a.table)
    return replace(circuit, r1cs=replace(circuit.r1cs, a=bare))


def test_a_commitment_without_a_mask_would_be_the_same_each_time(committed: CommittedStatement) -> None:
    """All else fits, so that proofs verify: a guessed witness could be confirmed. Only the mask's point shows it."""
    circuit = without_the_mask_s_row(committed.circuit)
    hostile = unsafe_setup(circuit.r1cs, CPU)
    prover = Prover(hostile, CPU, allow_insecure_key=True)
    first, second = (prover.prove_circuit(circuit, INPUTS).proof for _ in range(2))
    assert first.commitments == second.commitments
    with pytest.raises(InsecureKeyError, match=r"committed_query\[0\] is infinity"):
        Prover(hostile, CPU)


def test_keys_of_snarkjs_and_honest_setups_have_no_weakness(statement: Any, committed: CommittedStatement) -> None:
    for name in ("multiplier", "range"):
        key = read_zkey(SAMPLES / name / f"{name}_groth16.zkey", CPU.first_invalid_point)
        assert key.weakness() is None
        assert replace(key).weakness() is None  # without the file's digest, by the pairing
        assert groth16_json.read_verifying_key(SAMPLES / name / "groth16_vk.json").weakness() is None
    for honest in (statement.key, committed.key):
        assert honest.file_digest is None
        assert honest.weakness() is None


def test_every_public_input_of_the_samples_has_a_finite_point_of_its_own(samples: Path) -> None:
    for name in ("multiplier", "range"):
        ic = read_zkey(samples / name / f"{name}_groth16.zkey").verifying_key.ic
        assert len({point.x for point in ic} - {None}) == len(ic)


# keys made by hand

IMPROPER: dict[str, tuple[VkChange, type[ZkgpuError]]] = {
    "alpha + q": (lambda vk: {"alpha_g1": Point(G1, vk.alpha_g1.x + Fq.modulus, vk.alpha_g1.y)}, PointError),
    "beta + q": (
        lambda vk: {"beta_g2": Point(G2, (vk.beta_g2.x[0] + Fq.modulus, vk.beta_g2.x[1]), vk.beta_g2.y)},
        PointError,
    ),
    "alpha off the curve": (lambda vk: {"alpha_g1": Point(G1, vk.alpha_g1.x, vk.alpha_g1.y + 1)}, PointError),
    "ic a float": (lambda vk: with_ic(vk, 1, Point(G1, float(vk.ic[1].x), vk.ic[1].y)), PointError),
    "ic a list": (lambda vk: {"ic": list(vk.ic)}, UsageError),
    "ic empty": (lambda vk: {"ic": ()}, UsageError),
    "ic no points": (lambda vk: {"ic": (None, *vk.ic[1:])}, UsageError),
    "delta in G1": (lambda vk: {"delta_g2": G1.generator}, UsageError),
    "delta outside": (lambda vk: {"delta_g2": outside_the_subgroup()}, PointError),
    "gamma outside": (lambda vk: {"gamma_g2": outside_the_subgroup()}, PointError),
}


def outside_the_subgroup() -> Point:
    f = G2.field
    for c in range(1, 100):
        y = f.sqrt(f.add(f.mul(f.square((c, 1)), (c, 1)), G2.b))
        if y is not None:
            return Point(G2, (c, 1), y)
    raise AssertionError("no point found")


@pytest.mark.parametrize("case", IMPROPER)
def test_a_prover_refuses_a_key_of_improper_points(statement: Any, case: str) -> None:
    change, error = IMPROPER[case]
    key = statement.key
    with pytest.raises(error):
        Prover(replace(key, verifying_key=replace(key.verifying_key, **change(key.verifying_key))), CPU)


@pytest.mark.parametrize("name", ["beta_g1", "delta_g1"])
def test_a_prover_refuses_improper_points_of_its_own(statement: Any, name: str) -> None:
    point = getattr(statement.key, name)
    for improper, error in (
        (Point(G1, point.x + Fq.modulus, point.y), PointError),
        (Point(G1, point.x, point.y + 1), PointError),
        (G2.generator, UsageError),
        (None, UsageError),
    ):
        with pytest.raises(error):
            Prover(replace(statement.key, **{name: improper}), CPU)


@pytest.mark.parametrize("case", IMPROPER)
@pytest.mark.parametrize("allowed", [False, True])
def test_a_key_of_improper_points_is_no_question_even_where_insecure_keys_are_allowed(
    statement: Any, case: str, allowed: bool
) -> None:
    change, error = IMPROPER[case]
    key = statement.key.verifying_key
    proof = Prover(statement.key, CPU).prove(statement.assignment)
    improper = replace(key, **change(key))
    for _ in range(2):
        with pytest.raises(error):
            verify(improper, PUBLIC, proof, allow_insecure_key=allowed)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"n_challenges": 5}, LengthError),
        ({"n_challenges": 0}, UsageError),
        ({"n_challenges": 2.0}, UsageError),
        ({"n_committed": 0}, UsageError),
        ({"arrays": []}, UsageError),
    ],
)
def test_a_key_with_an_improper_round_is_no_question(
    committed: CommittedStatement, change: dict[str, Any], error: type[ZkgpuError]
) -> None:
    vk, (public, proof, packed) = committed.key.verifying_key, committed.proven
    round_ = replace(vk.required_commitment.round, **change)
    with pytest.raises(error):
        verify(with_part(vk, round=round_), public, proof, packed=packed)


@pytest.mark.parametrize(
    "fields", [("x", (2.0,), 0, 1), ("x", (-1,), 0, 1), ("x", (True,), 0, 1), ("x", (2,), 0.0, 1), ("x", (2,), 0, True)]
)
def test_a_public_array_has_integers_for_lengths_and_bounds(fields: tuple[Any, ...]) -> None:
    with pytest.raises(UsageError, match="no integer, or a negative length"):
        PublicArray(*fields)


def test_the_points_of_a_key_are_looked_at_once(statement: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from zkgpu.groth16 import weakness

    key = replace(statement.key.verifying_key)
    proof = Prover(statement.key, CPU).prove(statement.assignment)
    points: list[str] = []
    require = weakness.require_point
    monkeypatch.setattr(weakness, "require_point", lambda p, g, what: (points.append(what), require(p, g, what)))
    assert verify(key, PUBLIC, proof)
    assert len(points) == len(key.ic) + 4
    assert verify(key, PUBLIC, proof)
    assert len(points) == len(key.ic) + 4


def test_a_json_key_with_a_weak_point_is_refused_by_its_name(statement: Any, tmp_path: Path, command: Any) -> None:
    value = groth16_json.verifying_key_to_json(statement.key.verifying_key)
    value["IC"][2] = ["0", "1", "0"]
    (tmp_path / "vk.json").write_text(json.dumps(value))
    proof = Prover(statement.key, CPU).prove(statement.assignment)
    Statement(PUBLIC, proof).save(tmp_path / "proof.json")
    files = [tmp_path / name for name in ("vk.json", "public.json", "proof.json")]
    assert "IC[2] is the point at infinity" in command("verify", *files).error(3)
    assert command("inspect", tmp_path / "vk.json").out.count("IC[2] is the point at infinity") == 1
