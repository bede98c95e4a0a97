"""Ceremonies that zkgpu and snarkjs hold in turn: files go both ways at each step, and both verify what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zkgpu.ceremony.ptau import ALPHA_TAU_G1, MAGIC, VERSION
from zkgpu.formats.container import open_container

pytestmark = pytest.mark.node

POWERS_OK, KEY_OK, BEACON = "Powers of Tau Ok!", "ZKey Ok!", bytes(range(1, 32)).hex()


@pytest.fixture
def done(command: Any) -> Any:
    """done("powers", ...): a command of zkgpu that must succeed."""

    def run(*arguments: object) -> str:
        outcome = command(*arguments)
        assert outcome.code == 0, outcome.err
        return outcome.out

    return run


@pytest.mark.slow
def test_snarkjs_verifies_what_both_contributed_and_zkgpu_prepared(
    samples: Path, tmp_path: Path, done: Any, snarkjs: Any
) -> None:
    done("powers", "contribute", samples / "pot6_1.ptau", tmp_path / "a.ptau", "--name", "zkgpu")
    done("powers", "prepare", tmp_path / "a.ptau", tmp_path / "ready.ptau")
    said = snarkjs("powersoftau", "verify", tmp_path / "ready.ptau")
    assert POWERS_OK in said
    assert "zkgpu" in said


def test_snarkjs_verifies_a_key_that_zkgpu_contributed_to(
    samples: Path, tmp_path: Path, done: Any, snarkjs: Any
) -> None:
    folder = samples / "multiplier"
    done("key", "contribute", folder / "multiplier_groth16.zkey", tmp_path / "key.zkey", "--name", "zkgpu")
    said = snarkjs("zkey", "verify", folder / "multiplier.r1cs", samples / "pot6_final.ptau", tmp_path / "key.zkey")
    assert KEY_OK in said


def folded(hexadecimal: str) -> str:
    """A hash as snarkjs prints it: words of eight digits."""
    return " ".join(hexadecimal[i : i + 8] for i in range(0, 128, 8))


def spoken(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.slow
def test_phase_one_in_turns(tmp_path: Path, done: Any, command: Any, snarkjs: Any) -> None:
    """Each of new, contribute, beacon and prepare, by one of them on files of the other, both ways."""
    f = {name: tmp_path / f"{name}.ptau" for name in ("n", "m", "a", "b", "c", "d", "e", "x", "y", "z")}
    snarkjs("powersoftau", "new", "bn128", 5, f["n"])
    done("powers", "new", 5, f["m"])
    assert f["n"].read_bytes() == f["m"].read_bytes()
    ours = command("--json", "powers", "contribute", f["n"], f["a"], "--name", "zkgpu").json["contribution_hash"]
    snarkjs("powersoftau", "contribute", f["a"], f["b"], "--name=snarkjs", "-e=any text")
    done("powers", "contribute", f["b"], f["c"], "--name", "zkgpu again")
    done("powers", "beacon", f["c"], f["d"], BEACON, 10, "--name", "last")
    snarkjs("powersoftau", "beacon", f["c"], f["e"], BEACON, 10, "-n=last")
    for by in ("d", "e"):
        said = snarkjs("powersoftau", "verify", f[by])
        assert POWERS_OK in said
        assert folded(ours) in spoken(said)
        done("powers", "verify", f[by])
        assert ours in done("powers", "inspect", f[by])
    done("powers", "prepare", f["e"], f["x"])
    snarkjs("powersoftau", "prepare", "phase2", f["e"], f["y"])
    assert f["x"].read_bytes() == f["y"].read_bytes()
    assert POWERS_OK in snarkjs("powersoftau", "verify", f["x"])
    done("powers", "verify", f["y"])


@pytest.mark.slow
def test_phase_two_in_turns(samples: Path, tmp_path: Path, done: Any, command: Any, snarkjs: Any) -> None:
    powers, circuit = samples / "pot6_final.ptau", samples / "multiplier" / "multiplier.r1cs"
    keys = {name: tmp_path / f"{name}.zkey" for name in "abcde"}
    snarkjs("zkey", "new", circuit, powers, keys["a"])
    ours = command("--json", "key", "contribute", keys["a"], keys["b"], "--name", "zkgpu").json["contribution_hash"]
    snarkjs("zkey", "contribute", keys["b"], keys["c"], "--name=snarkjs", "-e=any text")
    done("key", "beacon", keys["c"], keys["d"], BEACON, 10, "--name", "last")
    snarkjs("zkey", "beacon", keys["c"], keys["e"], BEACON, 10, "-n=last")
    assert keys["d"].read_bytes() == keys["e"].read_bytes()
    said = snarkjs("zkey", "verify", circuit, powers, keys["d"])
    assert KEY_OK in said
    assert folded(ours) in spoken(said)
    assert ours in done("key", "verify", circuit, powers, keys["e"])


@pytest.mark.slow
def test_what_snarkjs_refuses_zkgpu_refuses(samples: Path, tmp_path: Path, command: Any, snarkjs: Any) -> None:
    """A point of section 4 swapped with its neighbour."""
    file = open_container(samples / "pot6_b.ptau", MAGIC, (VERSION,))
    data, at = bytearray(file.data), file.find(ALPHA_TAU_G1, "alpha times powers").start + 64 * 20
    data[at : at + 128] = data[at + 64 : at + 128] + data[at : at + 64]
    (tmp_path / "bad.ptau").write_bytes(data)
    assert "Powers do not match" in snarkjs("powersoftau", "verify", tmp_path / "bad.ptau", fails=True)
    assert "alpha times powers" in command("powers", "verify", tmp_path / "bad.ptau").error(3)
