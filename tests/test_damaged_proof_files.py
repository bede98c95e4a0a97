"""proof.json with one character replaced, removed or added: never a valid proof, and never a traceback."""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from zkgpu import groth16, plonk
from zkgpu.errors import ZkgpuError
from zkgpu.formats.public_values import read_public
from zkgpu.systems.files import read_proof, read_verifying_key

FOLDER = Path(__file__).parent / "data" / "verdicts" / "bn254"
SYSTEMS = {"groth16": groth16.verify, "plonk": plonk.verify}
STEP = {"groth16": 3, "plonk": 11}  # of so many characters one: a PLONK proof is longer, and refused later


def damaged(text: str, step: int) -> Iterator[str]:
    """The text with a character replaced, or left out, or doubled; but for blanks, which mean nothing in JSON."""
    for at, character in list(enumerate(text))[::step]:
        if character in string.whitespace:
            continue
        other = "7" if character != "7" else "3"
        yield text[:at] + other + text[at + 1 :]
        yield text[:at] + text[at + 1 :]
        yield text[:at] + character + text[at:]


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_change_of_one_character_is_a_valid_proof(system: str, tmp_path: Path) -> None:
    key = read_verifying_key(FOLDER / f"{system}_vk.json")
    text = (FOLDER / f"{system}_proof.json").read_text()
    changed = tmp_path / "proof.json"
    public = read_public(FOLDER / f"{system}_public.json")

    def accepts(content: str) -> bool:
        changed.write_text(content)
        try:
            return SYSTEMS[system](key, public, read_proof(changed, key))  # type: ignore[operator]
        except ZkgpuError:
            return False

    assert accepts(text)
    for content in damaged(text, STEP[system]):
        assert not accepts(content)
