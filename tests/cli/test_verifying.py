"""`verify` says the same whether click reads the line or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zkgpu.cli import plain
from zkgpu.cli.program import ROOT

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
FILES = tuple(SAMPLES / "range" / f"groth16_{name}.json" for name in ("vk", "public", "proof"))


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
def test_it_says_the_same_as_by_click(command: Any, tmp_path: Path, case: str) -> None:
    files = cases(tmp_path)[case]
    by_click = ["verify", "--", *map(str, files)]
    assert plain.read(by_click, ROOT) is None
    found = command("verify", *files)
    assert found == command(*by_click)
    assert found.code == {"valid": 0, "invalid": 1}.get(case, 3)
