"""Lines that are read without click: what they stand for is what click reads, whatever is in them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zkgpu.cli import parsing, plain
from zkgpu.cli.declaring import GLOBAL_OPTIONS, Command, Group, Option
from zkgpu.cli.parsing import cli, paths
from zkgpu.cli.program import ROOT
from zkgpu.cli.session import Session
from zkgpu.cli.types import Kind, converted
from zkgpu.errors import ZkgpuError

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
PATHS = list(paths(cli, click.Context(cli, info_name="zkgpu")))
GROUPS = {path for path in PATHS if any(other.startswith(f"{path} ") for other in PATHS)}
COMMANDS = [path for path in PATHS if path not in GROUPS]
# of every kind there are some, and some are of none
NUMBERS = ("-1", "0", "3", "27", "1_000", " 7", "0.5", "nan", "inf", "4G", "30s")
WORDS = (
    "groth16",
    "plonk",
    "public",
    "hashed",
    "20",
    "g2",
    "auto",
    "cpu",
    "cuda:1",
    "x",
    "é",
    "a=b",
    "http://localhost:1",
)
TEXTS = (*NUMBERS, *WORDS, "missing", "c.py:f", "", "-", "--", "\udcff")
ODD = ("", "-", "--", "-h", "--help", "--version", "-vv", "-qv", "--jso", "--unknown", "--proof=x", "--json=1", "-ox")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """A file, a folder, and two of a Python circuit."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "file").touch()
    (folder / "circuit.py").touch()
    return str(folder / "file"), str(folder), str(folder / "circuit.py"), f"{folder / 'circuit.py'}:name"


def declared(path: str) -> Command:
    at: Group | Command | None = ROOT
    for name in path.split():
        assert isinstance(at, Group)
        at = at.find(name)
    assert isinstance(at, Command)
    return at


def of_click(words: Sequence[str], patched: pytest.MonkeyPatch) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
    """The command, its values and the session's, as click reads them; None where it calls no command."""
    seen: list[tuple[str, dict[str, Any]]] = []
    patched.setattr(Command, "run", lambda _, session, path, enter, values: seen.append((path, values)))
    session = Session()
    try:
        parsing.called(list(words), session)
    except ZkgpuError:
        return None
    return (*seen[0], attributes(session)) if seen else None


def attributes(session: Session) -> dict[str, Any]:
    return {option.name: getattr(session, option.name) for option in GLOBAL_OPTIONS}


def of_plain(words: Sequence[str]) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
    call = plain.read(words, ROOT)
    return None if call is None else (call.path, call.values, attributes(Session()) | call.of_session)


def typed(value: Any) -> Any:
    """A value with its type, and those of what it holds; nan is itself."""
    if isinstance(value, dict):
        return {name: typed(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return tuple(map(typed, value))
    return type(value), repr(value)


def accepted(kind: Kind, texts: Sequence[str]) -> list[str]:
    def is_accepted(text: str) -> bool:
        try:
            converted(kind, text)
        except (ValueError, ZkgpuError):
            return False
        return bool(text) and not text.startswith("-")

    return [text for text in texts if is_accepted(text)]


def shortest(path: str, files: Sequence[str]) -> list[str]:
    """A line with all that the command needs and nothing else."""
    command, texts = declared(path), [*files, *TEXTS]
    line = path.split()
    for one in command.taken:
        if one.required:
            line += [*(one.flags[-1:] if isinstance(one, Option) else ()), accepted(one.kind, texts)[0]]
    return line


@st.composite
def lines(draw: st.DrawFn, path: str, files: Sequence[str]) -> list[str]:
    """Lines of a command, of which most are good ones."""
    command, texts = declared(path), [*files, *TEXTS]

    def text(kind: Kind) -> str:
        good = draw(st.integers(0, 9)) and accepted(kind, texts)
        return draw(st.sampled_from(good or texts))

    def called(option: Option) -> list[str]:
        flag = draw(st.sampled_from(option.flags))
        return [flag] if option.is_alone else [flag, text(option.kind)]

    parts = [called(one) if isinstance(one, Option) else [text(one.kind)] for one in command.taken if one.required]
    parts += [called(option) for option in draw(st.lists(st.sampled_from(command.options), max_size=3))]
    parts += [[text(one.kind)] for one in command.arguments if (not one.required or one.many) and draw(st.booleans())]
    before = [called(option) for option in draw(st.lists(st.sampled_from(GLOBAL_OPTIONS), max_size=1))]
    line = [word for part in (*before, path.split(), *draw(st.permutations(parts))) for word in part]
    if not draw(st.integers(0, 4)):
        line.insert(draw(st.integers(0, len(line))), draw(st.sampled_from([*ODD, *files])))
    return line


def require_same(words: Sequence[str]) -> bool:
    """Whether the line is read without click, which then reads the same."""
    found = of_plain(words)
    if found is None:
        return False
    with pytest.MonkeyPatch.context() as patched:
        assert typed(found) == typed(of_click(words, patched)), words
    return True


@pytest.mark.parametrize("path", COMMANDS)
def test_the_shortest_line_of_a_command_is_read(files: tuple[str, ...], path: str) -> None:
    assert require_same(shortest(path, files))


@pytest.mark.parametrize("path", COMMANDS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_read_is_what_click_reads(files: tuple[str, ...], path: str, data: st.DataObject) -> None:
    require_same(data.draw(lines(path, files)))


@pytest.mark.parametrize(
    "words",
    [
        *([word] for word in (*ODD, "cache", "prove", "demo --json")),
        *(["demo", word] for word in ODD),
        ["demo", "--output"],
        ["demo", "--output", "--json"],
        ["demo", "--output", "a", "--output", "b"],
        ["--threads", "1", "demo", "--threads", "1"],
        ["--threads", "0", "demo"],
        ["demo", "--device", "gpu"],
        ["--membership", "demo"],
        ["cache", "--only", "g2", "warm"],
        ["inspect", "missing"],
        ["compile", "c.py:f"],
    ],
    ids=repr,
)
def test_what_is_left_to_click(words: list[str]) -> None:
    assert plain.read(words, ROOT) is None


def test_words_are_completed_by_click(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plain.read(["demo"], ROOT) is not None
    monkeypatch.setenv("_ZKGPU_COMPLETE", "bash_complete")
    assert plain.read(["demo"], ROOT) is None


LOADED = """
import sys
from zkgpu.cli import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    print(ended.code, sorted({"click", "rich"} & set(sys.modules)), "numpy.linalg" in sys.modules)
"""


def test_neither_click_nor_numpy_is_loaded_for_the_verification_of_a_proof() -> None:
    files = [SAMPLES / "range" / f"groth16_{name}.json" for name in ("vk", "public", "proof")]
    given = [sys.executable, "-c", LOADED, "verify", *map(str, files)]
    done = subprocess.run(given, capture_output=True, text=True, check=True)
    assert done.stdout == "valid proof\n0 [] False\n"


@pytest.mark.parametrize("options", [("-q",), ("--json", "-v"), ("--public", "public.json", "--threads", "1")])
def test_click_is_not_loaded_for_a_proof(tmp_path: Path, options: tuple[str, ...]) -> None:
    files = SAMPLES / "multiplier" / "multiplier_groth16.zkey", SAMPLES / "multiplier" / "witness.wtns"
    given = [sys.executable, "-c", LOADED, "prove", *map(str, files), *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(given, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    code, loaded = done.stdout.splitlines()[-1].split(maxsplit=1)
    assert (code, "click" in loaded) == ("0", False)
    assert {path.name for path in tmp_path.iterdir()} == {"proof.json", "public.json"}
