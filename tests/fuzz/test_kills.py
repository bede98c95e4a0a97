"""Commands that are killed leave the old files or the new ones, and never some of each beside each other.

A sample in each run; `pytest -m slow tests/fuzz/test_kills.py -s` kills 500 times over all commands, at random instants
and at each call that flushes, removes or renames a file, and prints how many were killed and what was left.
ZKGPU_FUZZ_SEED sets the instants.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx
from zkgpu.errors import ZkgpuError
from zkgpu.formats.public_values import read_public_values
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.formats.wtns import read_wtns
from zkgpu.inference import Folder
from zkgpu.systems.files import read_key, read_proof, read_verifying_key
from zkgpu.systems.registry import system_of

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

DATA = Path(__file__).parents[1] / "data" / "samples"
KILLS = 500
CIRCUIT = """
from zkgpu import Circuit


def cubic(factor=1):
    c = Circuit()
    x, y = c.private("x"), c.public("y")
    c.assert_equal(x * x * (factor * x + 1) + 5, y)
    return c


def other():
    return cubic(2)
"""


def run(jobs: list[dict[str, Any]]) -> list[tuple[int, float]]:
    program = [sys.executable, str(Path(__file__).with_name("killing.py"))]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    orders = json.dumps(jobs, default=str)
    done = subprocess.run(program, input=orders, capture_output=True, text=True, check=True, env=environment)
    return [tuple(result) for result in json.loads(done.stdout)]


def command(folder: Path, text: str, **killed: Any) -> dict[str, Any]:
    return {"folder": folder, "line": text.split(), **killed}


SAMPLE = """
compile circuits.py:cubic -o circuit.r1cs
witness circuits.py:cubic two.json -o two.wtns
setup circuit.r1cs --unsafe key.zkey
export vk key.zkey vk.json
prove key.zkey two.wtns
zkml compile model.onnx --calibrate data.npy -o build
zkml setup build --unsafe
"""
EVERYTHING = """
compile circuits.py:cubic -o circuit.r1cs
compile circuits.py:other -o other.r1cs
witness circuits.py:cubic one.json -o witness.wtns
witness circuits.py:cubic two.json -o two.wtns
setup circuit.r1cs --unsafe key.zkey
setup circuit.r1cs --unsafe --protocol plonk plonk.zkey
export vk key.zkey vk.json
export solidity key.zkey Verifier.sol
prove key.zkey witness.wtns
fullprove first.json multiplier.wasm multiplier.zkey --proof full.json
zkml compile model.onnx --calibrate data.npy -o build
zkml setup build --unsafe
zkml prove build one.npy -o inference.json
"""


def made(folder: Path, lines: str) -> Path:
    """The folder, in which commands have been run once."""
    folder.mkdir()
    (folder / "circuits.py").write_text(CIRCUIT)
    for x, name in ((3, "one"), (4, "two")):
        (folder / f"{name}.json").write_text(json.dumps({"x": x, "y": x**3 + x**2 + 5}))
    for b, name in ((11, "first"), (12, "second")):
        (folder / f"{name}.json").write_text(json.dumps({"a": 3, "b": b, "k": 4}))
    shutil.copy(DATA / "multiplier" / "multiplier.wasm", folder)
    shutil.copy(DATA / "multiplier" / "multiplier_groth16.zkey", folder / "multiplier.zkey")
    shutil.copy(DATA / "multiplier" / "groth16_vk.json", folder / "multiplier.json")
    shutil.copy(DATA / "pot6_final.ptau", folder / "pot.ptau")
    samples = np.random.default_rng(1).integers(0, 17, (20, 3))
    np.save(folder / "data.npy", samples)
    np.save(folder / "one.npy", samples[0])
    np.save(folder / "two.npy", samples[1])
    for name, width in (("model", 2), ("wider", 3)):
        network = model([node("Gemm", "x w", "out")], {"x": ("N", 3)}, weights={"w": normal(3, width, seed=width)})
        onnx.save(network, folder / f"{name}.onnx")
    results = run([command(folder, line) for line in lines.strip().splitlines()])
    assert {code for code, _ in results} == {0}, results
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith((".part", ".lock"))
    }


def require_verified(folder: Path, vk: str, proof: str, public: str) -> None:
    """A proof that is there has its public values beside it."""
    if (folder / proof).exists():
        key = read_verifying_key(folder / vk)
        inputs, packed = read_public_values(folder / public)
        assert system_of(key).verify(key, inputs, read_proof(folder / proof, key), packed=packed)


def require_keys(folder: Path) -> None:
    """A build folder's keys are one setup's and the model's; the model and the statement are one compilation's."""
    build = Folder(folder / "build")
    there = {path.name for path in build.files if path.exists()}
    if "key.zkey" in there:
        assert {"verification_key.json", "Verifier.sol", "model.npz"} <= there
        key = read_key(build.key_file)
        build.require_whole(key)
        assert system_of(key).holds_circuit(key, build.read_model().circuit.r1cs)
    elif {"verification_key.json", "Verifier.sol"} <= there:
        numbers = json.loads((build.path / "verification_key.json").read_text())["vk_delta_2"]
        assert numbers[0][0] in (build.path / "Verifier.sol").read_text()
    if {"verification_key.json", "statement.json"} <= there:
        build.read_statement().require_key(build.read_verifying_key())
    if "model.npz" in there:
        from zkgpu.inference import ModelStatement

        assert build.read_statement() == ModelStatement.of(build.read_model())


@dataclass(frozen=True)
class Killed:
    """A command over files that are there, and what must hold of what it leaves. `reads` reads a single output."""

    line: str
    outputs: tuple[str, ...]
    holds: Callable[[Path], object]


def reads(name: str, read: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda folder: read(folder / name)


def contract(path: Path) -> None:
    assert path.read_text().rstrip().endswith("}")


COMMANDS = (
    Killed("compile circuits.py:other -o circuit.r1cs", ("circuit.r1cs",), reads("circuit.r1cs", read_r1cs)),
    Killed("witness circuits.py:cubic two.json -o witness.wtns", ("witness.wtns",), reads("witness.wtns", read_wtns)),
    Killed("setup other.r1cs --unsafe key.zkey --force", ("key.zkey",), reads("key.zkey", read_key)),
    Killed("setup circuit.r1cs pot.ptau key.zkey", ("key.zkey",), reads("key.zkey", read_key)),
    Killed("setup circuit.r1cs --unsafe --protocol plonk plonk.zkey", ("plonk.zkey",), reads("plonk.zkey", read_key)),
    Killed(
        "prove key.zkey two.wtns",
        ("proof.json", "public.json"),
        lambda folder: require_verified(folder, "vk.json", "proof.json", "public.json"),
    ),
    Killed(
        "fullprove second.json multiplier.wasm multiplier.zkey --proof full.json",
        ("full.json", "full.public.json"),
        lambda folder: require_verified(folder, "multiplier.json", "full.json", "full.public.json"),
    ),
    Killed("export vk plonk.zkey vk.json", ("vk.json",), reads("vk.json", read_verifying_key)),
    Killed("export solidity plonk.zkey Verifier.sol", ("Verifier.sol",), reads("Verifier.sol", contract)),
    Killed(
        "zkml compile wider.onnx --calibrate data.npy -o build --force",
        tuple(f"build/{name}" for name in ("model.npz", "statement.json")),
        require_keys,
    ),
    Killed(
        "zkml setup build --unsafe",
        tuple(f"build/{name}" for name in ("key.zkey", "verification_key.json", "Verifier.sol")),
        require_keys,
    ),
    Killed(
        "zkml prove build two.npy -o inference.json",
        ("inference.json", "inference.public.json"),
        lambda folder: require_verified(
            folder, "build/verification_key.json", "inference.json", "inference.public.json"
        ),
    ),
)
NEW = "new files"


def outcome(killed: Killed, before: Path, folder: Path) -> str:
    """What was left, in words. Fails for files that do not belong together, and for others that were changed."""
    old, left = files_of(before), files_of(folder)
    kept = {name for name in killed.outputs if left.get(name) == old[name]}
    assert {n: d for n, d in left.items() if n in old and not n.startswith("build/") and n not in killed.outputs} == {
        n: d for n, d in old.items() if not n.startswith("build/") and n not in killed.outputs
    }
    try:
        killed.holds(folder)
    except ZkgpuError as error:
        raise AssertionError(f"{killed.line}: {error}") from error
    present = {name for name in killed.outputs if name in left}
    assert not kept or present == kept, f"{killed.line}: old {kept} beside new {present - kept}"
    if kept:
        return "old files" if kept == set(killed.outputs) else "some old files"
    return NEW if present == set(killed.outputs) else "some new files" if present else "none"


def kill(killed: Killed, before: Path, folder: Path, wanted: list[dict[str, Any]]) -> Counter[str]:
    """One line of the table: what was left by the command, killed as is wanted."""
    copies = [folder / str(i) for i in range(len(wanted))]
    for copy in copies:
        shutil.copytree(before, copy)
    results = run([command(copy, killed.line, **how) for copy, how in zip(copies, wanted, strict=True)])
    left: Counter[str] = Counter()
    for copy, (code, _) in zip(copies, results, strict=True):
        assert code in (0, -9), (killed.line, code)
        what = outcome(killed, before, copy)
        assert code or what == NEW, killed.line
        left["killed, " * (code < 0) + what] += 1
        shutil.rmtree(copy)
    return left


def test_a_killed_command_leaves_no_mixed_files(tmp_path: Path) -> None:
    """A sample: the calls between the first removal and the last renaming, where files could be mixed."""
    before = made(tmp_path / "before", SAMPLE)
    setup, prove = (next(k for k in COMMANDS if k.line.startswith(name)) for name in ("zkml setup", "prove"))
    left = kill(setup, before, tmp_path / "setup", [{"calls": calls} for calls in (10, 11, 14, 15)])
    left += kill(prove, before, tmp_path / "prove", [{"calls": calls} for calls in (5, 6, 8)])
    assert set(left) >= {"killed, none", "killed, some new files"}, left
    assert sum(count for what, count in left.items() if what.startswith("killed")) == 7, left


@pytest.mark.slow
def test_500_kills_over_all_commands_leave_no_mixed_files(tmp_path: Path) -> None:
    before = made(tmp_path / "before", EVERYTHING)
    seed = int(os.environ.get("ZKGPU_FUZZ_SEED", "1"))
    draw, total = random.Random(seed), Counter[str]()
    for number, killed in enumerate(COMMANDS):
        folder = tmp_path / str(number)
        shutil.copytree(before, folder / "whole")
        ((code, seconds),) = run([command(folder / "whole", killed.line)])
        assert (code, outcome(killed, before, folder / "whole")) == (0, NEW)
        at_calls = [{"calls": calls} for calls in range(8 if len(killed.outputs) == 1 else 26)]
        at_times = [{"seconds": draw.uniform(0, seconds)} for _ in range(KILLS // len(COMMANDS))]
        left = kill(killed, before, folder / "killed", at_calls + at_times)
        print(f"{killed.line}: {dict(sorted(left.items()))}")
        total += left
    dead = sum(count for what, count in total.items() if what.startswith("killed"))
    print(f"seed {seed}: {dead} killed of {sum(total.values())} commands: {dict(sorted(total.items()))}")
    assert dead >= KILLS
