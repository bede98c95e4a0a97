"""The PLONK rows of the verdict catalogue, by the library and by the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from zkgpu import plonk
from zkgpu.curves.bn254 import Fq, Fr
from zkgpu.errors import ZkgpuError
from zkgpu.formats.public_values import public_from_json
from zkgpu.plonk.json import proof_from_json, verifying_key_from_json

FOLDER = Path(__file__).parent / "data" / "verdicts"
ROWS = {row["case"]: row["want"] for row in json.loads((FOLDER / "expected.json").read_text())["plonk"]}
ACCEPTED, NOT_A_PROOF, WRONG_QUESTION, MALFORMED = 0, 1, 2, 3
POINTS = ("A", "B", "C", "Z", "T1", "T2", "T3", "Wxi", "Wxiw")
EVALUATIONS = ("eval_a", "eval_b", "eval_c", "eval_s1", "eval_s2", "eval_zw")
INFINITY = ["0", "1", "0"]


@dataclass
class Question:
    """Parsed verification_key.json, public.json and proof.json, which an alteration changes in place."""

    key: Any
    public: Any
    proof: Any


Alteration = Callable[[Question], None]


def honest() -> Question:
    return Question(
        *(json.loads((FOLDER / "bn254" / f"plonk_{n}.json").read_text()) for n in ("vk", "public", "proof"))
    )


def with_proof(**members: Any) -> Alteration:
    return lambda q: q.proof.update(members)


def plus(value: str, offset: int) -> str:
    return str(int(value) + offset)


def add_to_a(q: Question) -> None:
    q.proof["A"][0] = plus(q.proof["A"][0], Fq.modulus)


def add_to_eval_a(q: Question) -> None:
    q.proof["eval_a"] = plus(q.proof["eval_a"], Fr.modulus)


def add_to_public(q: Question) -> None:
    q.public[0] = plus(q.public[0], Fr.modulus)


ALL_ZERO = {**dict.fromkeys(POINTS, INFINITY), **dict.fromkeys(EVALUATIONS, "0")}
CASES: dict[str, tuple[Alteration, int, str]] = {
    "honest": (lambda q: None, ACCEPTED, ""),
    "Wxi=Wxiw=infinity ('0 bug')": (with_proof(Wxi=INFINITY, Wxiw=INFINITY), NOT_A_PROOF, ""),
    "all points infinity, evals 0": (with_proof(**ALL_ZERO), NOT_A_PROOF, ""),
    "eval_a + r": (add_to_eval_a, MALFORMED, "never reduced"),
    "A.x + q": (add_to_a, MALFORMED, "never reduced"),
    "public + r": (add_to_public, MALFORMED, "never reduced"),
    "public empty": (lambda q: q.public.clear(), WRONG_QUESTION, "0 public inputs"),
    "missing field Wxi": (lambda q: q.proof.pop("Wxi"), MALFORMED, '"Wxi" is missing'),
}
MORE: dict[str, tuple[Alteration, int, str]] = {
    "public one too many": (lambda q: q.public.append("0"), WRONG_QUESTION, "public inputs"),
    "public changed": (lambda q: q.public.__setitem__(0, plus(q.public[0], 1)), NOT_A_PROOF, ""),
    "A off curve": (lambda q: q.proof["A"].__setitem__(1, plus(q.proof["A"][1], 1)), MALFORMED, "not on the curve"),
    "proof.protocol='groth16'": (with_proof(protocol="groth16"), MALFORMED, '"groth16"'),
    "proof.curve='bls12381'": (with_proof(curve="bls12381"), MALFORMED, '"bls12381"'),
    "an opening as a number": (with_proof(eval_b=5), MALFORMED, "decimal"),
    "vk.w another root": (lambda q: q.key.update(w="1"), MALFORMED, "root of unity"),
    "vk.power too large": (lambda q: q.key.update(power=27), MALFORMED, "power"),
    "vk.nPublic another": (lambda q: q.key.update(nPublic=q.key["nPublic"] + 1), WRONG_QUESTION, "public inputs"),
    "vk.nPublic negative": (lambda q: q.key.update(nPublic=-1), MALFORMED, "nPublic"),
    "vk.k1 = 1": (lambda q: q.key.update(k1="1"), MALFORMED, "insecure key"),
    "vk.k2 = k1": (lambda q: q.key.update(k2=q.key["k1"]), MALFORMED, "insecure key"),
    "vk.k1 + r": (lambda q: q.key.update(k1=plus(q.key["k1"], Fr.modulus)), MALFORMED, "never reduced"),
    "vk.Qm missing": (lambda q: q.key.pop("Qm"), MALFORMED, '"Qm" is missing'),
}
BOTH = {**CASES, **MORE}


def altered(case: str) -> Question:
    question = deepcopy(honest())
    BOTH[case][0](question)
    return question


def ask(q: Question) -> bool:
    key = verifying_key_from_json(q.key)
    return plonk.verify(key, public_from_json(q.public, key.curve), proof_from_json(q.proof, key.curve))


def test_every_row_of_the_catalogue_is_asked() -> None:
    assert CASES.keys() == ROWS.keys()
    assert all((code == ACCEPTED) == (ROWS[case] == "accept") for case, (_, code, _) in CASES.items())


@pytest.mark.parametrize("case", BOTH)
def test_python_gives_the_wanted_verdict(case: str) -> None:
    _, code, reason = BOTH[case]
    if code in (ACCEPTED, NOT_A_PROOF):
        assert ask(altered(case)) is (code == ACCEPTED)
        return
    with pytest.raises(ZkgpuError) as refused:
        ask(altered(case))
    assert refused.value.exit_code == code
    assert reason in str(refused.value)


@pytest.mark.parametrize("case", BOTH)
def test_the_command_line_gives_the_wanted_verdict(case: str, tmp_path: Path, command: Any) -> None:
    _, code, reason = BOTH[case]
    question, paths = altered(case), [tmp_path / name for name in ("key.json", "public.json", "proof.json")]
    for path, value in zip(paths, (question.key, question.public, question.proof), strict=True):
        path.write_text(json.dumps(value))
    outcome = command("verify", *paths)
    if code in (ACCEPTED, NOT_A_PROOF):
        assert (outcome.code, outcome.err) == (code, "")
    else:
        assert reason in outcome.error(code)


@pytest.mark.parametrize("name", POINTS)
def test_any_point_at_infinity_makes_a_proof_invalid(name: str) -> None:
    question = honest()
    question.proof[name] = INFINITY
    assert not ask(question)


@pytest.mark.parametrize("name", EVALUATIONS)
def test_any_changed_or_zero_opening_makes_a_proof_invalid(name: str) -> None:
    for value in ("0", "1", plus(honest().proof[name], 1)):
        question = honest()
        question.proof[name] = value
        assert not ask(question)


@pytest.mark.parametrize("name", POINTS)
def test_any_other_point_makes_a_proof_invalid(name: str) -> None:
    question = honest()
    other = POINTS[(POINTS.index(name) + 1) % len(POINTS)]
    question.proof[name] = question.proof[other]
    assert not ask(question)


@pytest.mark.parametrize("name", ["Qm", "Ql", "Qr", "Qo", "Qc", "S1", "S2", "S3", "X_2", "k1", "k2"])
def test_a_key_with_any_part_changed_accepts_nothing(name: str) -> None:
    question, folder = honest(), FOLDER.parent / "samples" / "range"
    theirs = json.loads((folder / "plonk_vk.json").read_text())
    question.key[name] = "5" if name.startswith("k") else theirs[name]
    assert not ask(question)
