"""powers and key on the command line: both phases step by step, a model's key among them, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx
from zkgpu.ceremony.published import digest_of, file_name, power_of, prepared_bytes
from zkgpu.curves.bn254 import BN254
from zkgpu.groth16.zkey import read_zkey

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
POWERS, BEACON = SAMPLES / "pot6_final.ptau", "0x" + bytes(range(1, 32)).hex()
MULTIPLIER = SAMPLES / "multiplier"


@pytest.fixture
def done(command: Any) -> Any:
    """done("powers", ...): the JSON that a command prints, which must succeed."""

    def run(*arguments: object) -> dict[str, Any]:
        outcome = command("--json", *arguments)
        assert outcome.code == 0, outcome.err
        return outcome.json

    return run


def test_phase_one_from_its_first_file_to_a_key(done: Any, command: Any, tmp_path: Path) -> None:
    new, one, two, end, ready = (tmp_path / f"{name}.ptau" for name in ("new", "one", "two", "end", "ready"))
    (tmp_path / "dice").write_bytes(b"4 4 4 4")
    done("powers", "new", 3, new)
    assert "nobody contributed" in command("powers", "verify", new).error(3)
    first = done("powers", "contribute", new, one, "--name", "ann", "--entropy", tmp_path / "dice")
    done("powers", "contribute", one, two)
    done("powers", "beacon", two, end, BEACON, 10, "--name", "block 5")
    assert done("powers", "prepare", end, ready)["output"] == str(ready)
    facts = done("powers", "verify", ready)
    assert (facts["power"], facts["prepared"], len(facts["contributions"])) == (3, True, 3)
    ann, _, last = facts["contributions"]
    assert ann == {"number": 1, "name": "ann", "beacon": None, "hash": first["contribution_hash"]}
    assert last["beacon"] == {"value": BEACON[2:], "exponent": 10}
    assert f"1: 'ann' {ann['hash']}" in command("powers", "inspect", ready).out.splitlines()
    assert (facts["published_as"], facts["last_hash_checked"]) == (None, True)
    assert done("powers", "inspect", end)["contributions"] == facts["contributions"]
    done("setup", MULTIPLIER / "multiplier.r1cs", ready, tmp_path / "key.zkey")
    done("key", "verify", MULTIPLIER / "multiplier.r1cs", ready, tmp_path / "key.zkey")


def test_a_part_of_the_powers_is_verified_but_for_the_hash_of_all(command: Any) -> None:
    outcome = command("powers", "verify", SAMPLES / "pot6_final_03.ptau")
    assert (outcome.code, "of all 2^6 powers" in outcome.out) == (0, True)


def test_a_crash_of_a_contributor_writes_no_memory(command: Any, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    assert command("key", "contribute", MULTIPLIER / "m_0.zkey", tmp_path / "out").code == 0
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0


def test_contributing_to_a_prepared_file_says_that_it_must_be_prepared_again(command: Any, tmp_path: Path) -> None:
    outcome = command("powers", "contribute", POWERS, tmp_path / "out")
    assert (outcome.code, "prepare it again" in outcome.err) == (0, True)
    assert "not prepared" in command("powers", "inspect", tmp_path / "out").out


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model, compiled."""
    from zkgpu.cli import main

    folder = tmp_path_factory.mktemp("model")
    onnx.save(model([node("Gemm", "x w", "out")], {"x": ("N", 4)}, weights={"w": normal(4, 3)}), folder / "model.onnx")
    np.save(folder / "data.npy", np.random.default_rng(0).integers(0, 17, (20, 4)))
    np.save(folder / "one.npy", np.array([1, 2, 3, 4]))
    arguments = ("zkml", "compile", folder / "model.onnx", "--calibrate", folder / "data.npy", "-o", folder / "build")
    with pytest.raises(SystemExit) as ended:
        main(["-q", *map(str, arguments)])
    assert not ended.value.code
    return folder


def test_a_models_key_with_three_contributions_and_a_beacon(
    build: Path, done: Any, command: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "build"
    shutil.copytree(build / "build", folder)
    keys = [tmp_path / f"{i}.zkey" for i in range(3)]
    done("zkml", "setup", folder, POWERS, "--name", "maker")
    done("key", "contribute", folder / "key.zkey", keys[0], "--name", "ann")
    done("key", "contribute", keys[0], keys[1], "--name", "bob")
    last = done("key", "beacon", keys[1], keys[2], BEACON, 10, "--name", "block 5")
    facts = done("key", "verify", folder, POWERS, keys[2])
    assert (facts["unsafe"], len(facts["contributions"])) == (False, 4)
    assert facts["committed_wires"] > 0
    assert facts["contributions"][3]["hash"] == last["contribution_hash"]
    assert done("key", "inspect", keys[2]) == facts
    assert "is not the verifying key" in stale(folder, keys[2], build, command, tmp_path)
    done("zkml", "setup", folder, POWERS, "--key", keys[2])
    assert [c.name for c in read_zkey(folder / "key.zkey").contributions] == ["maker", "ann", "bob", "block 5"]
    done("zkml", "prove", folder, build / "one.npy", "-o", tmp_path / "proof.json")
    verdict = done("zkml", "verify", folder, tmp_path / "proof.json")
    assert (verdict["valid"], verdict["unsafe_key"], verdict["insecure_key"]) == (True, False, None)
    other = command("zkml", "setup", folder, POWERS, "--key", MULTIPLIER / "multiplier_groth16.zkey").error(3)
    assert "another circuit" in other


def stale(folder: Path, key: Path, build: Path, command: Any, tmp_path: Path) -> str:
    """What proving says where the final key was only copied beside the old verifying key."""
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed)
    shutil.copy(key, mixed / "key.zkey")
    return command("zkml", "prove", mixed, build / "one.npy", "-o", tmp_path / "no.json").error(3)


def test_a_plain_key_goes_on_from_snarkjs_with_a_beacon_byte_for_byte(done: Any, tmp_path: Path) -> None:
    done(
        "key", "beacon", MULTIPLIER / "multiplier_groth16.zkey", tmp_path / "end", BEACON, 10, "--name", "final beacon"
    )
    assert (tmp_path / "end").read_bytes() == (MULTIPLIER / "multiplier_beacon.zkey").read_bytes()
    done("key", "contribute", MULTIPLIER / "m_0.zkey", tmp_path / "first")
    facts = done("key", "verify", MULTIPLIER / "multiplier.r1cs", POWERS, tmp_path / "first")
    assert facts["contributions"][0]["name"] == ""


REFUSED = {
    "a key of PLONK": (2, ("key", "contribute", MULTIPLIER / "multiplier_plonk.zkey", "OUT"), "is no Groth16 key"),
    "a file that is there": (2, ("powers", "contribute", POWERS, POWERS), "--force replaces it"),
    "its own input": (2, ("powers", "contribute", "--force", POWERS, POWERS), "read as well as written"),
    "a part of the powers": (2, ("powers", "contribute", SAMPLES / "pot6_final_03.ptau", "OUT"), "2^3 of 2^6"),
    "no beacon": (2, ("powers", "beacon", POWERS, "OUT", "xyz", "10"), "no hexadecimal"),
    "half a byte": (2, ("key", "beacon", MULTIPLIER / "m_0.zkey", "OUT", "012", "10"), "no hexadecimal"),
    "too few iterations": (2, ("key", "beacon", MULTIPLIER / "m_0.zkey", "OUT", "01", "9"), "2^9"),
    "a curve": (2, ("powers", "new", "3", "OUT", "--curve", "bls12381"), "bn128 (BN254)"),
    "too many powers": (2, ("powers", "new", "28", "OUT"), "1<=x<=27"),
    "no powers": (3, ("powers", "verify", MULTIPLIER / "m_0.zkey"), "zkey"),
    "a key nobody contributed to": (
        3,
        ("key", "verify", MULTIPLIER / "multiplier.r1cs", POWERS, MULTIPLIER / "m_0.zkey"),
        "no contribution",
    ),
    "a key of another circuit": (
        3,
        ("key", "verify", SAMPLES.parent / "circom" / "sum_O0.r1cs", POWERS, MULTIPLIER / "multiplier_groth16.zkey"),
        "another circuit",
    ),
    "too few powers": (
        2,
        ("setup", SAMPLES / "range" / "range.r1cs", POWERS, "OUT"),
        "powersOfTau28_hez_final_10.ptau (1.1 MiB, BLAKE2b 6cfeb8cda9245309..)",
    ),
    "powers that are not prepared": (
        3,
        ("setup", MULTIPLIER / "multiplier.r1cs", SAMPLES / "pot6_b.ptau", "OUT"),
        "zkgpu powers prepare",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused_with_one_line_and_leaves_nothing(command: Any, tmp_path: Path, what: str) -> None:
    code, arguments, message = REFUSED[what]
    given = [tmp_path / "out" if a == "OUT" else a for a in arguments]
    assert message in command(*given).error(code)
    assert list(tmp_path.iterdir()) == []


def test_contributions_cannot_mend_a_key_that_one_party_made(command: Any, tmp_path: Path) -> None:
    assert command("setup", MULTIPLIER / "multiplier.r1cs", "--unsafe", tmp_path / "key.zkey").code == 0
    said = command("key", "contribute", tmp_path / "key.zkey", tmp_path / "next.zkey").error(2)
    assert "one party made the key" in said


def test_the_published_files_are_named_with_their_size_and_found_by_their_digest() -> None:
    assert (file_name(8), file_name(28)) == ("powersOfTau28_hez_final_08.ptau", "powersOfTau28_hez_final.ptau")
    assert power_of(bytes.fromhex(digest_of(14))) == 14
    assert power_of(bytes(64)) is None
    there = POWERS.stat().st_size
    assert 0 < there - prepared_bytes(BN254, 6) < 8000
