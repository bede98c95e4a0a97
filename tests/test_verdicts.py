"""The Groth16 rows of the verdict catalogue, through Python and through the command line.

tests/data/verdicts/expected.json names each alteration of an honest proof, the verdict wanted, and what snarkjs says.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from zkgpu.curves.bn254 import BN254, Fq, Fr
from zkgpu.curves.points import sum_points
from zkgpu.errors import ZkgpuError
from zkgpu.formats.public_values import public_from_json
from zkgpu.groth16 import Proof, verify
from zkgpu.groth16.json import proof_from_json, proof_to_json, verifying_key_from_json

FOLDER = Path(__file__).parent / "data" / "verdicts"
ROWS = {row["case"]: row["want"] for row in json.loads((FOLDER / "expected.json").read_text())["groth16"]}
ACCEPTED = 0
NOT_A_PROOF, WRONG_QUESTION, MALFORMED = 1, 2, 3  # exit codes of a rejection


def load(name: str) -> Any:
    return json.loads((FOLDER / "bn254" / f"groth16_{name}.json").read_text())


@dataclass
class Question:
    """Parsed verification_key.json, public.json and proof.json, which an alteration changes in place."""

    key: Any
    public: Any
    proof: Any


Alteration = Callable[[Question], None]


def honest() -> Question:
    return Question(load("vk"), load("public"), load("proof"))


def with_public(change: Callable[[list[str]], Any]) -> Alteration:
    def alter(q: Question) -> None:
        q.public = change(q.public)

    return alter


def with_proof(**members: Any) -> Alteration:
    return lambda q: q.proof.update(members)


def first_public_plus(offset: int) -> Alteration:
    return with_public(lambda public: [str(int(public[0]) + offset), *public[1:]])


def add_to_a(coordinate: int, offset: int) -> Alteration:
    def alter(q: Question) -> None:
        q.proof["pi_a"][coordinate] = str(int(q.proof["pi_a"][coordinate]) + offset)

    return alter


def negate_a_and_b(q: Question) -> None:
    proof = proof_from_json(q.proof)
    q.proof = proof_to_json(Proof(-proof.a, -proof.b, proof.c))


def b_outside_the_subgroup(q: Question) -> None:
    field, b = BN254.g2.field, BN254.g2.b
    for i in range(100):
        x = (i, 1)
        y = field.sqrt(field.add(field.mul(field.square(x), x), b))
        if y is not None:
            q.proof["pi_b"] = [[str(c) for c in x], [str(c) for c in y], ["1", "0"]]
            return
    raise AssertionError("no point of the twist found")


def forge_for_the_uncontributed_key(q: Question) -> None:
    """A = alpha, B = beta, C = -vk_x: a proof of anything when gamma equals delta."""
    q.key, q.public = load("vk_UNCONTRIBUTED"), ["123456789", "42"]
    key = verifying_key_from_json(q.key)
    vk_x = sum_points(BN254.g1, (x * p for x, p in zip([1, 123456789, 42], key.ic, strict=True)))
    q.proof = proof_to_json(Proof(key.alpha_g1, key.beta_g2, -vk_x))


INFINITY_G1, INFINITY_G2 = ["0", "1", "0"], [["0", "0"], ["1", "0"], ["0", "0"]]
FORGERY = "vk UNCONTRIBUTED (gamma==delta), forged A=alpha,B=beta,C=-vk_x for public [123456789,42]"
# the alteration, the exit code, and what the error says (nothing when the answer is a plain no)
CASES: dict[str, tuple[Alteration, int, str]] = {
    "honest": (lambda q: None, ACCEPTED, ""),
    "public signals truncated (trailing 0 dropped)": (with_public(lambda p: p[:-1]), WRONG_QUESTION, "1 public inputs"),
    "public signals one too many": (with_public(lambda p: [*p, "0"]), WRONG_QUESTION, "3 public inputs"),
    "public[0]+r": (first_public_plus(Fr.modulus), MALFORMED, "public input 0"),
    "public[0]-r (negative)": (first_public_plus(-Fr.modulus), MALFORMED, "public input 0"),
    "public as '0x21'": (with_public(lambda p: [hex(int(p[0])), *p[1:]]), MALFORMED, "decimal"),
    "public as '033'": (with_public(lambda p: ["0" + p[0], *p[1:]]), MALFORMED, "decimal"),
    "public as JSON object with length": (
        with_public(lambda p: {**{str(i): v for i, v in enumerate(p)}, "length": len(p)}),
        MALFORMED,
        "is not a list",
    ),
    "public null": (with_public(lambda p: None), MALFORMED, "is not a list"),
    "pi_a[0]+q (non-canonical coordinate)": (add_to_a(0, Fq.modulus), MALFORMED, "never reduced"),
    "(-A,-B,C)": (negate_a_and_b, ACCEPTED, ""),
    "A off curve": (add_to_a(1, 1), MALFORMED, "not on the curve"),
    "B on twist, outside r-subgroup": (b_outside_the_subgroup, MALFORMED, "subgroup"),
    "all points infinity / (0,0)": (
        with_proof(pi_a=INFINITY_G1, pi_b=INFINITY_G2, pi_c=INFINITY_G1),
        NOT_A_PROOF,
        "",
    ),
    "proof.protocol='plonk'": (with_proof(protocol="plonk"), MALFORMED, '"plonk"'),
    "proof.curve='bls12381'": (with_proof(curve="bls12381"), MALFORMED, '"bls12381"'),
    "vk.IC too long": (lambda q: q.key["IC"].append(q.key["IC"][0]), MALFORMED, "IC has 4 points"),
    "vk.IC too short": (lambda q: q.key["IC"].pop(), MALFORMED, "IC has 2 points"),
    FORGERY: (forge_for_the_uncontributed_key, MALFORMED, "insecure key"),
}


def altered(case: str) -> Question:
    question = deepcopy(honest())
    CASES[case][0](question)
    return question


def ask(question: Question, **options: Any) -> bool:
    """The library's answer. Raises ZkgpuError for a malformed question."""
    key = verifying_key_from_json(question.key)
    proof = proof_from_json(question.proof, key.curve)
    return verify(key, public_from_json(question.public, key.curve), proof, **options)


def write(question: Question, folder: Path) -> list[Path]:
    paths = [folder / name for name in ("key.json", "public.json", "proof.json")]
    for path, value in zip(paths, (question.key, question.public, question.proof), strict=True):
        path.write_text(json.dumps(value))
    return paths


def test_every_row_of_the_catalogue_is_asked() -> None:
    assert CASES.keys() == ROWS.keys()


@pytest.mark.parametrize("case", CASES)
def test_python_gives_the_verdict_of_the_catalogue(case: str) -> None:
    _, code, reason = CASES[case]
    assert (code == ACCEPTED) == ROWS[case].startswith("accept")
    if code in (ACCEPTED, NOT_A_PROOF):
        assert ask(altered(case)) is (code == ACCEPTED)
        return
    with pytest.raises(ZkgpuError) as refused:
        ask(altered(case))
    assert refused.value.exit_code == code
    assert reason in str(refused.value)


@pytest.mark.parametrize("case", CASES)
def test_the_command_line_gives_the_verdict_of_the_catalogue(case: str, tmp_path: Path, command: Any) -> None:
    _, code, reason = CASES[case]
    outcome = command("verify", *write(altered(case), tmp_path))
    if code in (ACCEPTED, NOT_A_PROOF):
        assert (outcome.code, outcome.err) == (code, "")
        assert outcome.out == ("valid proof\n" if code == ACCEPTED else "INVALID proof\n")
    else:
        assert reason in outcome.error(code)


def test_the_forgery_is_valid_arithmetic_which_is_why_its_key_is_refused(tmp_path: Path, command: Any) -> None:
    assert ask(altered(FORGERY), allow_insecure_key=True)
    outcome = command("verify", "--allow-insecure-key", *write(altered(FORGERY), tmp_path))
    assert outcome.code == ACCEPTED
    assert "anyone can forge" in outcome.err
