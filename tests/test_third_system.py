"""A third proof system is one folder and one line: a copy of Groth16's folder, renamed, does all that Groth16 does.

It is tried in a copy of the package, in a process of its own, through the face and the command line.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import zkgpu

PACKAGE = Path(zkgpu.__file__).parent
SAMPLES = Path(__file__).parent / "data" / "samples"
NAME = "copycat"
NUMBERS = "GROTH16, GROTH16_COMMITTED"
MEMBERS = {'"pi_': '"part_', '"vk_': '"of_key_', '"IC"': '"points"'}  # of JSON files
END = "}\nNAMES = "
LINE = f'    "{NAME}": _Entry({{"{NAME}": "Copycat", "{NAME}-commitment": "Copycat, committed"}}, (77, 177)),\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a package is that has a third system, and differs from ours in nothing but its folder and the line."""
    folder = tmp_path_factory.mktemp("third")
    shutil.copytree(PACKAGE, folder / "zkgpu")  # with what Python compiled of it
    renamed(folder / "zkgpu" / "groth16", folder / "zkgpu" / NAME)
    registry = folder / "zkgpu" / "systems" / "registry.py"
    text = registry.read_text()
    assert END in text
    registry.write_text(text.replace(END, LINE + END))
    return folder


def renamed(source: Path, target: Path) -> None:
    """The folder of Groth16 under another name, with numbers and members of its own in files."""
    target.mkdir()
    for path in source.glob("*.*"):
        text = path.read_text().replace("zkgpu import groth16", f"zkgpu import {NAME} as groth16")
        text = text.replace(f"import {NUMBERS}, ", "import ").replace('"groth16', f'"{NAME}')
        text = text.replace("zkgpu.groth16", f"zkgpu.{NAME}").replace("Groth16", "Copycat")
        for member, other in MEMBERS.items():
            text = text.replace(member, other)
        if path.name == "zkey.py":
            text += f"\n{NUMBERS} = 77, 177\n"
        (target / path.name.replace("groth16", NAME)).write_text(text)


def run(folder: Path, *command: object) -> str:
    """What a process with that package prints; it must end well."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


STORY = f"""
import json, sys
import zkgpu
from zkgpu import Circuit
from zkgpu.cli.program import main
from zkgpu.formats.r1cs import write_r1cs
from zkgpu.formats.wtns import write_wtns
from zkgpu.systems.files import write_key, write_verifying_key

circuit = Circuit()
x, y = circuit.private("x"), circuit.public("y")
circuit.assert_equal(x**3 + x + 5, y)
compiled = circuit.compile()
assignment = compiled.witness({{"x": 3, "y": 35}})
write_r1cs("circuit.r1cs", compiled.r1cs)
write_wtns("witness.wtns", compiled.r1cs.field, assignment)

key = zkgpu.setup(circuit, zkgpu.load_powers(sys.argv[1]), "{NAME}", name="me")
assert (key.system, type(key).__module__) == ("{NAME}", "zkgpu.{NAME}.keys")
write_key("face.zkey", key)
write_verifying_key("face.json", key.verifying_key)
key, verifying_key = zkgpu.load_key("face.zkey"), zkgpu.load_verifying_key("face.json")
with zkgpu.Prover(key, "cpu", circuit=compiled) as prover:
    done = prover.prove({{"x": 3, "y": 35}})
done.save("face_proof.json")
assert zkgpu.load_proof("face_proof.json", verifying_key) == done.proof
assert zkgpu.verify(verifying_key, done) and zkgpu.verify_batch(verifying_key, [done])
assert "Copycat verifier" in zkgpu.solidity.verifier_source(verifying_key)
assert len(done.calldata()) == 4 + 32 * 9 and done.solidity_arguments()[-1] == [35]

def command(*arguments):
    try:
        main(["--json", "--device", "cpu", *arguments])
    except SystemExit as ended:
        assert not ended.code, (arguments, ended.code)

command("setup", "circuit.r1cs", "--protocol", "{NAME}", "key.zkey", "--unsafe")
command("prove", "key.zkey", "witness.wtns", "--circuit", "circuit.r1cs")
command("export", "vk", "key.zkey", "vk.json")
command("verify", "vk.json", "public.json", "proof.json")
command("export", "solidity", "vk.json", "verifier.sol")
command("export", "calldata", "public.json", "proof.json")
for name in ("key.zkey", "vk.json", "proof.json", "public.json"):
    command("inspect", name)
command("setup", "--help")
command("--help")
"""


def test_it_does_all_that_groth16_does(folder: Path) -> None:
    out = run(folder, "-c", STORY, SAMPLES / "pot6_final.ptau")
    said = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert [facts["format"] for facts in said if "format" in facts] == [
        "Copycat proving key (.zkey)",
        "Copycat verification key (JSON)",
        "Copycat proof (JSON)",
        "public inputs (JSON)",
    ]
    assert "contract CopycatVerifier" in (folder / "verifier.sol").read_text()
    assert f"[groth16|plonk|{NAME}]" in out
    assert "Groth16 and PLONK and Copycat over" in " ".join(out.split())


def test_a_file_of_another_system_is_refused_by_both_names(folder: Path) -> None:
    refused = f"""
import sys, zkgpu
from zkgpu.errors import FormatError
from zkgpu.{NAME} import zkey
for load, path, *given in (
    (zkgpu.load_proof, "groth16_proof.json", zkgpu.load_verifying_key("face.json")),
    (zkgpu.load_verifying_key, "face_proof.json"),
    (zkgpu.load_proof, "face.json"),
    (zkey.read_zkey, "multiplier_groth16.zkey"),
):
    try:
        load(path if path.startswith("face") else sys.argv[1] + "/" + path, *given)
    except FormatError as error:
        print(error)
"""
    messages = run(folder, "-c", refused, SAMPLES / "multiplier").splitlines()
    expected = ("key is for Copycat", "a verification key was expected", "a proof was expected", "key for Groth16, not")
    for message, words in zip(messages, expected, strict=True):
        assert words in message
