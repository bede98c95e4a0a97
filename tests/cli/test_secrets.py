"""A number that no output may show: given as a witness, an input or a weight, and looked for in all that is written."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx
from zkgpu.circom import calculator
from zkgpu.cli import proof
from zkgpu.curves.bn254 import Fr
from zkgpu.formats.wtns import write_wtns

CANARY = 123456789123456789
SHOWN = ("123456789123456", f"{CANARY:x}", "1.23457e+17", "1.2345678912")  # in whole or in part, or as a float
STORED = (*(s.encode() for s in SHOWN), CANARY.to_bytes(8, "little"), CANARY.to_bytes(8, "big"))

CIRCUITS = """
from zkgpu import Circuit
from zkgpu.circuits.gadgets import Table, assert_in_range


def unsatisfied():
    c = Circuit()
    x, y = c.private("x"), c.public("y")
    c.assert_equal(x**3 + x + 5, y, label="cubic")
    return c


def looked_up():
    c = Circuit()
    Table("digits", range(10)).look_up(c.private("x"), label="digit")
    return c


def ranged():
    c = Circuit()
    assert_in_range(c.private("x", 300), 8)
    return c


def published():
    c = Circuit()
    c.assert_equal(c.public_array("x", 2, bits=8).sum(), c.public("y"))
    return c


def computed_and_published():
    c = Circuit()
    c.output_array("z", c.private("x") * 1, bits=8)
    return c


def hinted():
    c = Circuit()
    x = c.private("x")
    c.assert_equal(c.hint(lambda v: {1: 2}[int(v)], [x], label="a dictionary"), x)
    return c
"""

VERBOSITY = [[], ["-v"], ["-vv"], ["-q"], ["--json"], ["--json", "-vv", "--timings"]]


@pytest.fixture(autouse=True)
def traceback(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Errors show their traceback as well."""
    monkeypatch.setenv("ZKGPU_TRACEBACK", "1")
    levels = {name: logging.getLogger(name).level for name in ("zkgpu", "zkgpu.values")}
    yield
    for name, level in levels.items():
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is given; what a command writes goes to `out` in it."""
    (tmp_path / "circuits.py").write_text(CIRCUITS)
    (tmp_path / "out").mkdir()
    return tmp_path


def leaks(text: str) -> list[str]:
    return [shown for shown in SHOWN if shown in text]


def require_nothing_leaked(folder: Path, outcome: Any) -> None:
    assert not leaks(outcome.out + outcome.err), outcome
    for path in (folder / "out").rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o077:
            assert not [s for s in STORED if s in path.read_bytes()], path


def try_at_every_verbosity(folder: Path, command: Any, code: int, *arguments: object) -> None:
    """The command fails and says nothing of the number, and then, asked to show values, shows it."""
    for options in VERBOSITY:
        outcome = command(*options, *arguments)
        assert outcome.code == code, outcome
        require_nothing_leaked(folder, outcome)
        assert ("Traceback" in outcome.err) == (code != 0)
    assert leaks(command("--show-values", *arguments).err)
    assert leaks(json.loads(command("--show-values", "--json", *arguments).out)["values"])


def given(folder: Path, **inputs: Any) -> Path:
    (folder / "input.json").write_text(json.dumps(inputs))
    return folder / "input.json"


PYTHON_CIRCUITS = [
    ("unsatisfied", {"x": CANARY, "y": 35}, 4),
    ("unsatisfied", {"x": 3, "y": CANARY}, 4),
    ("looked_up", {"x": CANARY}, 4),
    ("ranged", {"x": [CANARY] * 300}, 4),
    ("published", {"x": [1, CANARY], "y": 1}, 3),
    ("computed_and_published", {"x": CANARY}, 3),
    ("hinted", {"x": CANARY}, 2),
    ("unsatisfied", {"x": f"{CANARY} ", "y": 35}, 3),
    ("unsatisfied", {"x": {"number": CANARY}, "y": 35}, 3),
    ("unsatisfied", {"x": CANARY << 200, "y": 35}, 3),
    ("unsatisfied", {"x": float(CANARY), "y": 35}, 3),
    ("unsatisfied", {"x": CANARY + 0.5, "y": 35}, 3),
]


@pytest.mark.parametrize(("name", "inputs", "code"), PYTHON_CIRCUITS, ids=lambda v: v if isinstance(v, str) else "")
def test_a_circuit_in_python_keeps_its_inputs_to_itself(
    folder: Path, command: Any, name: str, inputs: dict[str, Any], code: int
) -> None:
    source, out = f"{folder / 'circuits.py'}:{name}", folder / "out" / "w.wtns"
    try_at_every_verbosity(folder, command, code, "check", source, given(folder, **inputs))
    if name in ("unsatisfied", "hinted"):  # others have challenges, and no witness without a proof
        try_at_every_verbosity(folder, command, code, "witness", source, given(folder, **inputs), "-o", out)
    assert leaks(command("check", source, given(folder, **inputs), "--show-values").err)
    assert not out.exists()


@pytest.mark.parametrize(
    "text", [f"[{CANARY}]", f'"{CANARY}"', str(CANARY), f'{{"x": {CANARY}', f'{{"x": {CANARY}e1}}']
)
def test_an_input_file_that_is_none_is_not_quoted(folder: Path, command: Any, text: str) -> None:
    (folder / "input.json").write_text(text)
    source, out = f"{folder / 'circuits.py'}:unsatisfied", folder / "out" / "w.wtns"
    for options in VERBOSITY:
        outcome = command(*options, "witness", source, folder / "input.json", "-o", out)
        assert outcome.code == 3
        require_nothing_leaked(folder, outcome)


@pytest.fixture
def wrong(folder: Path) -> Path:
    write_wtns(folder / "wrong.wtns", Fr, Fr.to_limbs([1, 35, CANARY, CANARY**2 % Fr.modulus]))
    return folder / "wrong.wtns"


def test_a_witness_that_satisfies_nothing_keeps_its_values_to_itself(folder: Path, command: Any, wrong: Path) -> None:
    out = folder / "out"
    assert command("compile", f"{folder / 'circuits.py'}:unsatisfied", "-o", out / "c.r1cs").code == 0
    assert command("setup", out / "c.r1cs", "--unsafe", out / "key.zkey").code == 0
    written = ("--proof", out / "proof.json", "--public", out / "public.json")
    try_at_every_verbosity(folder, command, 4, "check", out / "c.r1cs", wrong)
    try_at_every_verbosity(folder, command, 4, "prove", out / "key.zkey", wrong, "--circuit", out / "c.r1cs", *written)
    assert leaks(command("check", "--show-values", out / "c.r1cs", wrong).err)
    for options in VERBOSITY:
        outcome = command(*options, "prove", out / "key.zkey", wrong, *written)
        assert outcome.code == 4
        require_nothing_leaked(folder, outcome)


def test_a_proof_of_a_secret_writes_it_into_the_witness_only(folder: Path, command: Any) -> None:
    out = folder / "out"
    assert command("compile", f"{folder / 'circuits.py'}:unsatisfied", "-o", out / "c.r1cs").code == 0
    assert command("setup", out / "c.r1cs", "--unsafe", out / "key.zkey").code == 0
    inputs = given(folder, x=CANARY, y=str((CANARY**3 + CANARY + 5) % Fr.modulus))
    source = f"{folder / 'circuits.py'}:unsatisfied"
    for command_line in (
        ("-vv", "witness", source, inputs, "-o", out / "w.wtns"),
        ("-vv", "--show-values", "check", out / "c.r1cs", out / "w.wtns"),
        ("-vv", "prove", out / "key.zkey", out / "w.wtns", "--proof", out / "p.json", "--public", out / "q.json"),
    ):
        outcome = command(*command_line)
        assert outcome.code == 0, outcome.err
        require_nothing_leaked(folder, outcome)
    assert (out / "w.wtns").stat().st_mode & 0o777 == 0o600
    assert CANARY.to_bytes(8, "little") in (out / "w.wtns").read_bytes()


RANGE_INPUTS = {"x": str(CANARY), "salt": "1", "lo": "6", "hi": "9"}


def test_circom_s_calculator_keeps_its_inputs_to_itself(
    folder: Path, command: Any, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wasm, key = samples / "range" / "range.wasm", samples / "range" / "range_groth16.zkey"
    written = ("--proof", folder / "out" / "p.json", "--public", folder / "out" / "q.json")
    lines = (
        ("witness", wasm, given(folder, **RANGE_INPUTS), "-o", folder / "out" / "w.wtns"),
        ("fullprove", folder / "input.json", wasm, key, *written),
    )
    for line in lines:
        for options in VERBOSITY:
            outcome = command(*options, *line)
            assert outcome.code == 4
            assert "in template Range_75 line: " in outcome.err
            require_nothing_leaked(folder, outcome)
    # a circuit's log() prints a value when it runs, and an assertion is said with one
    message = calculator._Run._message
    monkeypatch.setattr(calculator._Run, "_message", lambda self: f"{message(self)} {CANARY}")
    check = calculator._Run._check_inputs
    monkeypatch.setattr(
        calculator._Run, "_check_inputs", lambda self, signals: (check(self, signals), self._on_log_message())
    )
    for line in lines:
        try_at_every_verbosity(folder, command, 4, *line)
        assert leaks(command("-v", line[0], "--show-values", *line[1:]).err)


@pytest.mark.parametrize("x", [f"{CANARY} ", CANARY + 0.5, CANARY << 200, [CANARY, CANARY], {"y": CANARY}])
def test_wrong_inputs_of_circom_s_calculator_are_not_quoted(folder: Path, command: Any, samples: Path, x: Any) -> None:
    wasm, inputs = samples / "range" / "range.wasm", given(folder, **RANGE_INPUTS | {"x": x})
    for options in VERBOSITY:
        outcome = command(*options, "witness", wasm, inputs, "-o", folder / "out" / "w.wtns")
        assert outcome.code in (2, 3)
        require_nothing_leaked(folder, outcome)


@pytest.fixture
def build(folder: Path, command: Any) -> Path:
    """A build folder of a model with private weights."""
    network = model([node("Gemm", "x w", "out")], {"x": ("N", 4)}, weights={"w": normal(4, 3)})
    onnx.save(network, folder / "model.onnx")
    np.save(folder / "samples.npy", np.random.default_rng(0).normal(size=(20, 4)))
    options = ("--calibrate", folder / "samples.npy", "--weights", "private", "-o", folder / "out" / "build")
    for line in (("compile", folder / "model.onnx", *options), ("setup", folder / "out" / "build", "--unsafe")):
        outcome = command("zkml", *line)
        assert outcome.code == 0, outcome.err
    return folder / "out" / "build"


def test_an_input_that_a_model_was_not_calibrated_for_is_not_quoted(folder: Path, command: Any, build: Path) -> None:
    np.save(folder / "one.npy", np.array([0.0, 0.0, CANARY, 0.0]))
    line = ("zkml", "prove", build, folder / "one.npy", "-o", folder / "out" / "p.json")
    try_at_every_verbosity(folder, command, 3, *line)
    assert leaks(command("zkml", "prove", "--show-values", *line[2:]).err)
    assert "at index [0, 2] is outside of" in command(*line).err
    tables = (f"{CANARY}", f"{CANARY},x", f"x,{CANARY}\n1,x", f"1,{CANARY}\n2", f"{CANARY},1,2,3\n{CANARY}x,1,2,3")
    for text in (*tables, f'["{CANARY}"]', f'{{"x": [["{CANARY}"]]}}', f'{{"input_data": [[{CANARY}]]}}'):
        (folder / "text.npy").write_text(text)
        outcome = command("zkml", "prove", build, folder / "text.npy")
        assert outcome.code in (2, 3)
        require_nothing_leaked(folder, outcome)


def test_a_file_given_in_place_of_public_values_is_not_quoted(folder: Path, command: Any, samples: Path) -> None:
    vk, right = (samples / "multiplier" / f"groth16_{name}.json" for name in ("vk", "proof"))
    for text in (f"{CANARY}", f'{{"x": {CANARY}}}', f"[{CANARY}]", f'["{CANARY}x"]', f'["-{CANARY}"]', f'"{CANARY}"'):
        (folder / "inputs.json").write_text(text)
        outcome = command("-vv", "verify", vk, folder / "inputs.json", right)
        assert outcome.code == 3, outcome
        require_nothing_leaked(folder, outcome)


def test_a_bug_does_not_quote_what_it_met(
    folder: Path, command: Any, wrong: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        try:
            {}[CANARY]
        except KeyError as error:
            raise ValueError(f"no {CANARY}") from error

    monkeypatch.setattr(proof, "_read_key", fail)
    try_at_every_verbosity(folder, command, 70, "prove", wrong, wrong)
    plain = command("prove", wrong, wrong).err
    assert "KeyError: internal error" in plain
    assert "which led to" in plain
    assert f"no {CANARY}" in command("prove", "--show-values", wrong, wrong).err


def test_a_logger_of_the_whole_package_gets_no_values() -> None:
    heard: list[logging.LogRecord] = []
    handler = logging.Handler(logging.DEBUG)
    handler.emit = heard.append  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in ("", "zkgpu")]
    for logger in loggers:
        logger.addHandler(handler)
    calculator.values_log.setLevel(logging.DEBUG)
    try:
        calculator.values_log.info("%d", CANARY)
        assert not heard
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


def test_no_traceback_is_shown_unless_asked(folder: Path, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZKGPU_TRACEBACK")
    assert os.environ.get("ZKGPU_TRACEBACK") is None
    source = f"{folder / 'circuits.py'}:unsatisfied"
    line = ("witness", source, given(folder, x=CANARY, y=35), "-o", folder / "out" / "w.wtns")
    assert not leaks(command(*line).error(4))
    assert leaks(command("--show-values", *line).error(4))
