"""Circuits of Python files through the command line: from setup to the contract, and what is wrong with a file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zkgpu.formats.public_values import read_public_values

FILE = '''
from __future__ import annotations

from dataclasses import dataclass

from zkgpu import Circuit
from zkgpu.circuits.gadgets import Table


@dataclass
class Size:
    entries: int = 4


def circuit():
    """Weights that have squares in a table, and pixels that are shown."""
    print("of the user's own")
    import beside

    c = Circuit()
    pixels, weights = c.public_array("pixels", Size().entries, bits=beside.BITS), c.private("weights", Size().entries)
    Table("squares", [list(range(16)), [i * i for i in range(16)]]).look_up(weights, weights * weights)
    c.commit(weights)
    c.assert_equal((pixels * weights).sum() * SCALE, c.public("score"), label="score")
    return c


def late():
    return 1 / 0


def unused():
    c = Circuit()
    c.private("lonely")
    return c


SCALE = 1
number = 5
'''
INPUTS = {"pixels": [1, 2, 3, 4], "weights": [1, 1, 1, 15], "score": 66}


@pytest.fixture
def shown(work: Any) -> str:
    """FILE.py:circuit with a lookup, a public array and a commitment, and its input.json."""
    (work / "shown.py").write_text(FILE)
    (work / "beside.py").write_text("BITS = 4\n")
    work.input(**INPUTS)
    return f"{work / 'shown.py'}:circuit"


def test_a_circuit_with_challenges_goes_from_its_file_to_the_contract(work: Any, shown: str, command: Any) -> None:
    made = command("setup", shown, "--unsafe", work / "key.zkey", "--json")
    assert (made.code, made.json["protocol"], "of the user's own" in made.err) == (0, "groth16", True)
    assert command("check", shown, work / "input.json").out.startswith("ok: all ")
    assert command("fullprove", work / "input.json", shown, work / "key.zkey", *work.outputs).code == 0
    assert read_public_values(work / "public.json") == ([66], bytes([1, 2, 3, 4]))
    work.done("export", "vk", work / "key.zkey", work / "vk.json")
    verify = ("verify", work / "vk.json", work / "public.json", work / "proof.json")
    assert command(*verify).code == 0
    work.done("export", "solidity", work / "key.zkey", work / "Verifier.sol")
    assert "bytes calldata" in (work / "Verifier.sol").read_text()
    assert command("export", "calldata", work / "public.json", work / "proof.json").out.count("0x") > 12
    np.savez(work / "input.npz", **{name: np.array(value, dtype=np.int16) for name, value in INPUTS.items()})
    prove = ("prove", work / "key.zkey", work / "input.npz", "--circuit", shown, *work.outputs, "--json")
    assert command(*prove).json["verified"] is True
    assert command(*verify).code == 0
    (work / "public.json").write_text((work / "public.json").read_text().replace("01020304", "01020305"))
    assert command(*verify).code == 1
    assert not list(work.folder.rglob("shown*.pyc"))
    for line in (("witness", shown, work / "input.json", "-o", work / "w"), ("compile", shown, "-o", work / "c")):
        assert "challenges" in command(*line).err
    assert "fullprove" in command("witness", shown, work / "input.json", "-o", work / "w").err
    assert not (work / "w").exists()
    for old, new, code, reason in CHANGES:
        (work / "shown.py").write_text(FILE.replace(old, new))
        outcome = command("fullprove", work / "input.json", shown, work / "key.zkey", "--proof", work / "other.json")
        assert (outcome.code, "Traceback" in outcome.err) == (code, False)
        assert reason in outcome.err.splitlines()[-1]
        assert not (work / "other.json").exists()


CHANGES = [
    ("SCALE = 1", "SCALE = 3", 2, "key.zkey: this is the key of another circuit than "),  # C alone differs
    ("entries: int = 4", "entries: int = 3", 2, "key of another circuit"),
]


def test_a_plain_circuit_goes_without_files_of_its_own(work: Any, command: Any) -> None:
    work.done("setup", work.source(), "--unsafe", work / "key.zkey")
    inputs = work.input(x=3, y=35)
    assert command("fullprove", inputs, work.source(), work / "key.zkey", *work.outputs).code == 0
    assert command("prove", work / "key.zkey", inputs, "--circuit", work.source(), *work.outputs).code == 0
    work.done("compile", work.source(), "-o", work / "circuit.r1cs")
    work.done("setup", work / "circuit.r1cs", "--unsafe", work / "key.zkey")  # it replaces the same circuit's alone
    unsatisfied = command("fullprove", work.input(x=3, y=36), work.source(), work / "key.zkey", *work.outputs)
    assert (unsatisfied.code, "cubic" in unsatisfied.err) == (4, True)
    source = (work / "cubic.py").read_text()
    inputs = work.input(x=3, y=35)
    (work / "cubic.py").write_text(source.replace("x**3", "x**4"))
    assert "another circuit" in command("fullprove", inputs, work.source(), work / "key.zkey", *work.outputs).err
    (work / "cubic.py").write_text(source.replace("x + 5", "x + 6"))  # C alone differs, which a key does not show
    arguments = ("fullprove", work.input(x=3, y=36), work.source(), work / "key.zkey", *work.outputs)
    found = command(*arguments).error(6)
    assert f"key.zkey, {work.source()}: " in found
    assert "another circuit" in found


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"pixels": [1, 2, 3, 16]}, "'pixels'[3] is outside 0 .. 15"),
        ({"pixels": [1, 2, 3]}, "input 'pixels' has shape (3,)"),
        ({"weights": None}, "'weights'"),
        ({"extra": 1}, "unknown input 'extra'"),
    ],
)
def test_inputs_that_do_not_fit_are_named(
    work: Any, shown: str, command: Any, inputs: dict[str, Any], reason: str
) -> None:
    given = {name: value for name, value in {**INPUTS, **inputs}.items() if value is not None}
    assert reason in command("check", shown, work.input(**given)).err.splitlines()[-1]
    np.savez(work / "input.npz", **{name: np.array(value) for name, value in given.items()})
    assert reason in command("check", shown, work / "input.npz").err.splitlines()[-1]


def test_arrays_without_names_or_of_real_numbers_are_refused(work: Any, shown: str, command: Any) -> None:
    np.save(work / "input.npy", np.arange(4))
    assert "array without a name" in command("check", shown, work / "input.npy").err
    np.savez(work / "input.npz", pixels=np.array([1.0, 2, 3, 4]))
    assert "input 'pixels' has the type float64" in command("check", shown, work / "input.npz").err


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        ("late", "1 / 0", "ZeroDivisionError: division by zero"),
        ("unused", None, "'lonely' appears in no constraint"),
        ("circiut", None, "has no 'circiut': did you mean circuit?"),
        ("number", None, "'number' is a int, not a Circuit"),
        ("Size", None, "'Size' is a Size, not a Circuit"),
    ],
)
def test_a_fault_of_the_file_is_one_line_with_file_and_line(
    work: Any, shown: str, command: Any, name: str, line: str | None, reason: str
) -> None:
    found = command("compile", f"{work / 'shown.py'}:{name}", "-o", work / "c.r1cs").error(2)
    assert reason in found
    assert str(work / "shown.py") in found
    if line:
        number = next(i for i, text in enumerate(FILE.splitlines(), 1) if line in text)
        assert f"shown.py:{number}: " in found


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        ("x = 1\nif x\n", 2, "SyntaxError"),
        ("import no_such_package_at_all\n", 1, "ModuleNotFoundError"),
        ("\n\nraise SystemExit(0)\n", 3, "SystemExit"),
        ("from zkgpu import Circuit\nc = Circuit()\nc.private('x')\nc.private('x')\n", 4, "'x'"),
        ("def f():\n    return f()\nf()\n", 2, "RecursionError"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_told_by_its_line(
    work: Any, command: Any, text: str, where: int, reason: str
) -> None:
    (work / "bad.py").write_text(text)
    found = command("setup", f"{work / 'bad.py'}:c", "--unsafe", work / "k.zkey").error(2)
    assert f"bad.py:{where}: " in found
    assert reason in found


def test_only_the_file_at_the_path_is_run(work: Any, command: Any, monkeypatch: Any) -> None:
    """Not one of the working folder, nor one beside it that is named like a module of Python's."""
    other = work / "other"
    other.mkdir()
    (other / "cubic.py").write_text("raise SystemExit('the wrong one')\n")
    (work / "colorsys.py").write_text("raise SystemExit('a stranger')\n")
    source = (work / "cubic.py").read_text()
    (work / "cubic.py").write_text("import colorsys\n" + source)
    monkeypatch.chdir(other)
    assert command("compile", work.source(), "-o", work / "c.r1cs").code == 0
    (work / "cubic.py").write_text(source.replace("x**3 + x", "x**2 + x"))  # as long, and of the same second
    assert command("compile", work.source(), "-o", work / "c.r1cs").out.count(" 1 constraint,") == 1


@pytest.mark.parametrize("path", ["absent.py:circuit", "folder.py:circuit", "cubic.py", "cubic.py:"])
def test_a_source_that_is_none_is_one_line(work: Any, command: Any, path: str, monkeypatch: Any) -> None:
    monkeypatch.chdir(work.folder)
    Path("folder.py").mkdir()
    work.input(x=3, y=35)
    for line in (
        ["compile", path, "-o", "c"],
        ["setup", path, "--unsafe", "k"],
        ["fullprove", "input.json", path, "input.json"],
    ):
        assert path.partition(":")[0] in command(*line).err
        assert command(*line).code in (2, 3)


def test_a_circuit_with_challenges_has_a_ceremony_of_its_own(
    work: Any, shown: str, samples: Path, command: Any
) -> None:
    powers, key = samples / "pot6_final.ptau", work / "key.zkey"
    work.done("setup", shown, powers, work / "first.zkey")
    work.done("key", "contribute", work / "first.zkey", key, "--name", "another")
    assert len(command("key", "verify", shown, powers, key, "--json").json["contributions"]) == 2
    assert command("fullprove", work / "input.json", shown, key, *work.outputs).err == "of the user's own\n"
    (work / "shown.py").write_text(FILE.replace("SCALE = 1", "SCALE = 3"))
    assert command("key", "verify", shown, powers, key).code != 0


def test_a_warning_of_the_package_has_no_place_in_it(work: Any, command: Any) -> None:
    (work / "part.py").write_text(
        "import zkgpu, warnings\n"
        "def part():\n    c = zkgpu.Circuit()\n    x = c.private('x', shape=3)\n    c.assert_equal(x[0] * x[0], 4)\n"
        "    warnings.warn('mine')\n    return c\n"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        said = command("compile", f"{work / 'part.py'}:part", "-o", work / "part.r1cs").err.splitlines()
    assert said[0] == f"warning: {work / 'part.py'}:6: mine"
    assert said[1].startswith("warning: 2 of the 3 values of private input 'x'")
