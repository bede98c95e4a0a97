"""`verify` of three files goes without the parser of options, and says the same as with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zkgpu.cli.verifying import is_plain

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
FILES = tuple(SAMPLES / "range" / f"groth16_{name}.json" for name in ("vk", "public", "proof"))

LOADED = """
import sys
from zkgpu.cli import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    print(ended.code, sorted({"click", "rich"} & set(sys.modules)), "numpy.linalg" in sys.modules)
"""


def test_neither_a_parser_nor_numpy_is_loaded_for_a_proof() -> None:
    given = [sys.executable, "-c", LOADED, "verify", *map(str, FILES)]
    done = subprocess.run(given, capture_output=True, text=True, check=True)
    assert done.stdout == "valid proof\n0 [] False\n"


def damaged(folder: Path, name: str, **changes: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps({**json.loads((SAMPLES / "range" / f"groth16_{name}.json").read_text()), **changes}))
    return path


def cases(folder: Path) -> dict[str, tuple[Path, Path, Path]]:
    vk, public, proof = FILES
    other = folder / "public.json"
    other.write_text(json.dumps([*json.loads(public.read_text())[:-1], "1"]))
    key = json.loads(vk.read_text())
    (folder / "empty").write_text("")
    return {
        "valid": FILES,
        "invalid": (vk, other, proof),
        "a proof in the key's place": (proof, public, vk),
        "another protocol": (vk, public, damaged(folder, "proof", protocol="plonk")),
        "an empty file": (vk, folder / "empty", proof),
        "an insecure key": (damaged(folder, "vk", vk_delta_2=key["vk_gamma_2"]), public, proof),
    }


@pytest.mark.parametrize(
    "case",
    [
        "valid",
        "invalid",
        "a proof in the key's place",
        "another protocol",
        "an empty file",
        "an insecure key",
    ],
)
def test_it_says_the_same_as_with_an_option(command: Any, tmp_path: Path, case: str) -> None:
    files = cases(tmp_path)[case]
    assert is_plain(["verify", *map(str, files)])
    plain, parsed = command("verify", *files), command("--no-progress", "verify", *files)
    assert plain == parsed
    assert plain.code == {"valid": 0, "invalid": 1}.get(case, 3)


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify"],
        ["verify", *FILES[:2]],
        ["verify", *FILES, "--json"],
        ["verify", *FILES, FILES[0]],
        ["verify", FILES[0], "-", FILES[1]],
        ["verify", FILES[0], FILES[1], "missing.json"],
        ["verify", FILES[0], FILES[1], SAMPLES],
        ["-q", "verify", *FILES[1:]],
        ["zkml", "verify", *FILES[1:]],
    ],
)
def test_whatever_else_is_asked_is_parsed(arguments: list[object]) -> None:
    assert not is_plain([*map(str, arguments)])
