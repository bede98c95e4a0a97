"""examples/web/verify.mjs gives the verdicts of the library, on proofs of both kinds and on what is made of them."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

import zkgpu
from tests.groth16.committed_statement import make
from tests.test_verdicts import ACCEPTED, CASES, FORGERY, altered, honest
from zkgpu.curves.bn254 import BN254, Fq, Fr
from zkgpu.errors import ZkgpuError
from zkgpu.formats.public_values import public_values_from_json, public_values_to_json
from zkgpu.groth16 import verify
from zkgpu.groth16.json import proof_from_json, proof_to_json, verifying_key_from_json, verifying_key_to_json

WEB = Path(__file__).parents[2] / "examples" / "web"
MODULE = WEB / "verify.mjs"
Question = tuple[Any, Any, Any]  # a parsed verification_key.json, proof.json and public.json

pytestmark = [pytest.mark.node, pytest.mark.skipif(shutil.which("node") is None, reason="no node")]


def verdicts(questions: Sequence[Question]) -> list[Any]:
    """The module's answers."""
    keys: list[Any] = []
    for key, _, _ in questions:
        if key not in keys:
            keys.append(key)
    asked = {"keys": keys, "questions": [(keys.index(key), proof, public) for key, proof, public in questions]}
    program = [shutil.which("node") or "node", str(Path(__file__).with_name("verdicts.mjs")), str(MODULE)]
    done = subprocess.run(program, input=json.dumps(asked), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def library(question: Question) -> bool | str:
    """The library's answer, or what its error says."""
    try:
        key = verifying_key_from_json(question[0])
        public, packed = public_values_from_json(question[2])
        return verify(key, public, proof_from_json(question[1]), packed=packed)
    except ZkgpuError as error:
        return str(error)


@pytest.fixture(scope="module")
def plain() -> Question:
    q = honest()
    return q.key, q.proof, q.public


@pytest.fixture(scope="module")
def committed() -> Question:
    made = make()
    public, proof, packed = made.proven
    key = verifying_key_to_json(made.key.verifying_key)
    return key, proof_to_json(proof), public_values_to_json(public, packed, True)


def test_the_catalogue_of_verdicts() -> None:
    asked = [altered(case) for case in CASES]
    for (case, (_, code, _)), answer in zip(
        CASES.items(), verdicts([(q.key, q.proof, q.public) for q in asked]), strict=True
    ):
        assert (answer is True) == (code == ACCEPTED), case
    forged = altered(FORGERY)
    (answer,) = verdicts([(forged.key, forged.proof, forged.public)])
    assert answer.startswith("InsecureKeyError: anybody can forge proofs")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a JSON value has values."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, part in inner for place in places(part, (*path, key))]


def changed(value: Any, draw: random.Random) -> Any:
    """The value with another one somewhere: a wrong number, an infinity, another point's, or no value at all."""
    value = deepcopy(value)
    whole = {"it": value}
    path = draw.choice(places(whole))
    at = whole
    for key in path[:-1]:
        at = at[key]
    old = at[path[-1]]
    others: list[Any] = [
        None,
        1,
        "",
        "0",
        "1",
        "01",
        "-1",
        "0x1",
        [],
        {},
        ["0", "1", "0"],
        str(Fq.modulus),
        str(2**300),
    ]
    others += [[["0", "0"], ["1", "0"], ["0", "0"]], True, 0, 7, 1.5, "bn254", "é", 2**31, "9" * 90]
    if isinstance(old, str) and old.isdecimal():
        number = int(old)
        near = [number + 1, number ^ 1, number + Fq.modulus, number + Fr.modulus, Fq.modulus - number]
        others += [str(n) for n in near] * 4
    if isinstance(old, str) and old.startswith("0x"):
        others += [old[:-1], old + "00", old[:-2], old[:-1] + "e", old.upper()] * 4
    at[path[-1]] = draw.choice(others)
    return whole["it"]


@pytest.mark.parametrize("kind", ["plain", "committed"])
def test_what_is_changed_anywhere_gets_the_librarys_verdict(kind: str, request: pytest.FixtureRequest) -> None:
    base = request.getfixturevalue(kind)
    draw = random.Random(f"changes of {kind}")
    asked = [base]
    while len(asked) < 150:
        which = draw.choice([0, 1, 1, 2])
        asked.append(tuple(changed(part, draw) if i == which else part for i, part in enumerate(base)))
    found = verdicts(asked)
    accepted = 0
    for question, answer in zip(asked, found, strict=True):
        wanted = library(question)
        accepted += wanted is True
        assert (answer is True) == (wanted is True), (question, answer, wanted)
        assert (answer is False) == (wanted is False), (question, answer, wanted)
    assert found[0] is True
    assert accepted < 75


def test_other_points_of_the_right_groups_make_no_proof(plain: Question, committed: Question) -> None:
    asked: list[Question] = []
    for key, proof, public in (plain, committed):
        for name in [name for name in proof if name.startswith("pi_")]:
            group = BN254.g2 if name == "pi_b" else BN254.g1
            other = proof_to_json(proof_from_json(proof))
            point = 12345 * group.generator
            coordinates = (
                [str(c) for c in point.x] if name == "pi_b" else str(point.x),
                ([str(c) for c in point.y] if name == "pi_b" else str(point.y)),
            )
            other[name] = [*coordinates, ["1", "0"] if name == "pi_b" else "1"]
            asked.append((key, other, public))
    assert [library(question) for question in asked] == [False] * len(asked)
    assert verdicts(asked) == [False] * len(asked)


def test_a_point_of_the_twist_outside_of_the_subgroup_is_told_from_one_in_it(plain: Question) -> None:
    key, proof, public = plain
    field, asked = BN254.g2.field, []
    for i in range(40):
        x = (i, 3)
        y = field.sqrt(field.add(field.mul(field.square(x), x), BN254.g2.b))
        if y is not None:
            point = [[str(c) for c in x], [str(c) for c in y], ["1", "0"]]
            asked.append((key, proof | {"pi_b": point}, public))
    assert len(asked) > 10
    assert all("pi_b: no point of its group" in answer for answer in verdicts(asked))


def test_what_no_file_holds_and_what_is_huge_is_refused_by_name() -> None:
    program = [shutil.which("node") or "node", str(Path(__file__).with_name("attacks.mjs")), str(WEB)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["tried"] > 800
    assert outcome["found"] == []


@pytest.mark.parametrize("mark", [None, 1, "true", {}])
def test_a_mark_that_is_neither_true_nor_false_is_refused(plain: Question, mark: Any) -> None:
    asked = (plain[0] | {"unsafe": mark}, *plain[1:])
    assert "neither true nor false" in str(library(asked))
    assert "neither true nor false" in verdicts([asked])[0]


def test_a_name_with_half_a_surrogate_pair_is_refused(committed: Question) -> None:
    key = deepcopy(committed[0])
    key["arrays"][0]["name"] = "\ud800"
    asked = (key, *committed[1:])
    assert "half a surrogate pair" in str(library(asked))
    assert "the name is no text" in verdicts([asked])[0]


def test_the_package_has_the_librarys_version_and_types_for_what_it_exports() -> None:
    package = json.loads((WEB / "package.json").read_text())
    assert package["version"] == zkgpu.__version__
    assert all((WEB / name).is_file() for name in package["files"])
    declared = re.findall(r"^export declare (?:class|function) (\w+)", (WEB / "verify.d.ts").read_text(), re.M)
    assert sorted(declared) == sorted(re.findall(r"^export (?:class|function) (\w+)", MODULE.read_text(), re.M))
    imported = re.findall(r'from "\./(\w+\.mjs)"', MODULE.read_text())
    assert set(imported) <= set(package["files"])


USE = """
import { FormatError, Verifier, shown } from "zkgpu-verify";
import { readFileSync } from "node:fs";
const read = (name: string): unknown => JSON.parse(readFileSync(`${process.argv[2]}/model/${name}.json`, "utf8"));
const verifier = new Verifier(read("verification_key"));
const valid: boolean = verifier.verify(read("proof"), read("public"));
const [image] = shown(read("statement"), read("public"), verifier);
const first: bigint = image.integers[1];
let refused = false;
try { new Verifier({}); } catch (error) { refused = error instanceof FormatError; }
console.log(valid, first, refused);
"""


@pytest.mark.slow
def test_the_package_is_installed_and_used(tmp_path: Path) -> None:
    if not shutil.which("npm"):
        pytest.skip("no npm")

    def run(*program: str) -> str:
        done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    copied = shutil.copytree(WEB, tmp_path / "zkgpu" / "examples" / "web")
    shutil.copy(WEB.parents[1] / "LICENSE", tmp_path / "zkgpu")
    run("npm", "pack", str(copied))
    (packed,) = tmp_path.glob("zkgpu-verify-*.tgz")
    run("npm", "init", "-y")
    run("npm", "install", str(packed), "typescript", "@types/node")
    assert (tmp_path / "node_modules" / "zkgpu-verify" / "LICENSE").is_file()
    (tmp_path / "use.mts").write_text(USE)
    run("npx", "tsc", "--strict", "--module", "nodenext", "--types", "node", "use.mts")
    assert run("node", "use.mjs", str(WEB)) == "true 2n true\n"
