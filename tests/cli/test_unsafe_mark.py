"""A key of one party says so in every file made from it, and wherever one of them is used."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zkgpu.backend import open_backend
from zkgpu.errors import FormatError
from zkgpu.groth16 import contribute, unsafe_setup
from zkgpu.groth16 import json as groth16_json
from zkgpu.systems.files import read_key, read_verifying_key, write_verifying_key

PROTOCOLS = ("groth16", "plonk")
WARNING = "warning: UNSAFE key: one party made it and could forge proofs. For tests only.\n"


@pytest.fixture(params=PROTOCOLS)
def proven(request: pytest.FixtureRequest, work: Any) -> Any:
    """A workspace with a proof for an unsafe key, and vk.json."""
    work.prepared()
    work.done("setup", "--protocol", request.param, work / "circuit.r1cs", "--unsafe", work / "key.zkey")
    work.done("prove", work / "key.zkey", work / "witness.wtns", *work.outputs)
    work.done("export", "vk", work / "key.zkey", work / "vk.json")
    return work


def test_the_mark_travels_from_the_key_to_its_json_its_contract_and_the_verdict(proven: Any, command: Any) -> None:
    assert json.loads((proven / "vk.json").read_text())["unsafe"] is True
    files = [proven / name for name in ("vk.json", "public.json", "proof.json")]
    verdict = command("verify", *files)
    assert (verdict.code, verdict.out, verdict.err) == (0, "valid proof\n", WARNING)
    assert command("--json", "verify", *files).json["unsafe_key"] is True
    for source in ("key.zkey", "vk.json"):
        exported = command("--json", "export", "solidity", proven / source, proven / "V.sol")
        assert exported.json["unsafe"] is True
        assert WARNING in exported.err
        assert "UNSAFE SETUP, FOR TESTS ONLY" in (proven / "V.sol").read_text().split("pragma")[0]
        assert command("--json", "inspect", proven / source).json["unsafe_key"] is True


def test_the_mark_is_no_part_of_what_a_key_verifies(proven: Any) -> None:
    marked = read_verifying_key(proven / "vk.json")
    assert marked.is_unsafe
    assert marked == replace(marked, is_unsafe=False)
    assert hash(marked) == hash(replace(marked, is_unsafe=False))
    assert read_key(proven / "key.zkey").verifying_key.is_unsafe
    write_verifying_key(proven / "again.json", marked)
    assert (proven / "again.json").read_bytes() == (proven / "vk.json").read_bytes()


@pytest.mark.parametrize("mark", [0, 1, "true", None, []])
def test_a_mark_that_says_neither_yes_nor_no_is_refused(proven: Any, command: Any, mark: Any) -> None:
    value = json.loads((proven / "vk.json").read_text())
    (proven / "vk.json").write_text(json.dumps({**value, "unsafe": mark}))
    with pytest.raises(FormatError, match="unsafe is"):
        read_verifying_key(proven / "vk.json")
    assert "unsafe is" in command("verify", *(proven / n for n in ("vk.json", "public.json", "proof.json"))).error(3)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_keys_of_ceremonies_carry_no_mark(samples: Path, tmp_path: Path, command: Any, protocol: str) -> None:
    folder = samples / "multiplier"
    files = (folder / f"{protocol}_{name}.json" for name in ("vk", "public", "proof"))
    verdict = command("--json", "verify", *files)
    assert (verdict.json["unsafe_key"], verdict.err) == (False, "")
    assert command("export", "vk", folder / f"multiplier_{protocol}.zkey", tmp_path / "vk.json").code == 0
    assert "unsafe" not in json.loads((tmp_path / "vk.json").read_text())


def test_a_contribution_after_an_unsafe_setup_does_not_remove_the_mark(proven: Any) -> None:
    """Its maker still knows tau, alpha and beta."""
    from zkgpu.formats.r1cs import read_r1cs

    backend = open_backend("cpu")
    key = contribute(unsafe_setup(read_r1cs(proven / "circuit.r1cs"), backend), backend, name="honest")
    assert key.is_unsafe
    assert groth16_json.verifying_key_to_json(key.verifying_key)["unsafe"] is True
