"""The commands read from the files that PLONK is meant; only setup takes an option."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def test_a_circuit_goes_all_the_way_to_a_verified_proof_and_a_contract(work: Any, samples: Path, command: Any) -> None:
    work.prepared()
    key, outputs = work / "plonk.zkey", work.outputs
    work.done("setup", work / "circuit.r1cs", samples / "pot6_b.ptau", key, "--protocol", "plonk")
    outcome = command("prove", key, work / "witness.wtns", *outputs, "--circuit", work / "circuit.r1cs")
    assert "valid PLONK proof" in outcome.out
    assert outcome.err == ""
    work.done("export", "vk", key, work / "vk.json")
    assert json.loads((work / "vk.json").read_text())["protocol"] == "plonk"
    assert command("verify", work / "vk.json", work / "public.json", work / "proof.json").out == "valid proof\n"
    for source in (key, work / "vk.json"):
        work.done("export", "solidity", source, work / "v.sol")
        assert "contract PlonkVerifier {" in (work / "v.sol").read_text()
    text = command("export", "calldata", work / "public.json", work / "proof.json").out
    assert text.count("][") == 1


def test_setup_makes_the_key_of_snarkjs(work: Any, samples: Path) -> None:
    folder = samples / "multiplier"
    work.done("setup", "--protocol", "plonk", folder / "multiplier.r1cs", samples / "pot6_final.ptau", work / "k.zkey")
    assert (work / "k.zkey").read_bytes() == (folder / "multiplier_plonk.zkey").read_bytes()


def test_export_gives_what_snarkjs_exports(work: Any, samples: Path, command: Any) -> None:
    folder = samples / "multiplier"
    work.done("export", "vk", folder / "multiplier_plonk.zkey", work / "vk.json")
    assert (work / "vk.json").read_bytes() == (folder / "plonk_vk.json").read_bytes()
    text = command("export", "calldata", folder / "plonk_public.json", folder / "plonk_proof.json").out
    assert text.strip() == (folder / "plonk_calldata.txt").read_text().strip()


def test_fullprove_runs_circom_s_calculator_and_proves(work: Any, samples: Path) -> None:
    pytest.importorskip("wasmtime")
    folder = samples / "multiplier"
    key, wasm = folder / "multiplier_plonk.zkey", folder / "multiplier.wasm"
    work.done("fullprove", folder / "input.json", wasm, key, *work.outputs)
    work.done("verify", folder / "plonk_vk.json", work / "public.json", work / "proof.json")


def test_setup_refuses_too_small_a_ceremony(work: Any, samples: Path, command: Any) -> None:
    files = samples / "range" / "range.r1cs", samples / "pot6_final.ptau", work / "key.zkey"
    assert "take a larger ceremony file" in command("setup", "--protocol", "plonk", *files).error(2)
    assert "key.zkey" not in work.names()


def test_setup_refuses_powers_nobody_contributed_to(work: Any, samples: Path, command: Any) -> None:
    files = samples / "multiplier" / "multiplier.r1cs", samples / "pot6_0.ptau", work / "key.zkey"
    assert "nobody contributed" in command("setup", "--protocol", "plonk", *files).error(3)
    assert "key.zkey" not in work.names()


def test_setup_takes_no_name_and_no_other_protocol(work: Any, samples: Path, command: Any) -> None:
    files = samples / "multiplier" / "multiplier.r1cs", samples / "pot6_final.ptau", work / "key.zkey"
    assert "no contribution" in command("setup", "--protocol", "plonk", "--name", "me", *files).error(2)
    assert "fflonk" in command("setup", "--protocol", "fflonk", *files).error(2)


def test_an_unsafe_key_is_called_unsafe_by_every_command_that_reads_it(work: Any, command: Any) -> None:
    work.prepared()
    for arguments in (
        ("setup", work / "circuit.r1cs", "--unsafe", "--protocol", "plonk", work / "key.zkey"),
        ("prove", work / "key.zkey", work / "witness.wtns", *work.outputs),
        ("export", "vk", work / "key.zkey", work / "vk.json"),
        ("export", "solidity", work / "key.zkey", work / "v.sol"),
    ):
        outcome = command(*arguments)
        assert outcome.code == 0
        assert "UNSAFE" in outcome.err, arguments
    assert "unsafe key    yes" in command("inspect", work / "key.zkey").out


def test_a_proof_of_the_other_system_is_refused_by_name(samples: Path, command: Any) -> None:
    folder = samples / "multiplier"
    for key, proof, system in (("plonk", "groth16", "PLONK"), ("groth16", "plonk", "Groth16")):
        files = folder / f"{key}_vk.json", folder / "groth16_public.json", folder / f"{proof}_proof.json"
        message = command("verify", *files).error(3)
        assert proof in message
        assert system in message


def test_a_proof_of_another_circuit_is_not_valid(samples: Path, command: Any) -> None:
    multiplier, other = samples / "multiplier", samples / "range"
    files = multiplier / "plonk_vk.json", multiplier / "plonk_public.json", other / "plonk_proof.json"
    outcome = command("verify", *files)
    assert (outcome.code, outcome.out) == (1, "INVALID proof\n")


def test_a_witness_that_breaks_a_row_leaves_no_proof(
    work: Any, samples: Path, wrong_witness: Path, command: Any
) -> None:
    folder = samples / "multiplier"
    key = folder / "multiplier_plonk.zkey"
    assert "row" in command("prove", key, wrong_witness, *work.outputs).error(4)
    named = command("prove", key, wrong_witness, *work.outputs, "--circuit", folder / "multiplier.r1cs")
    assert "constraint" in named.error(4)
    assert not {"proof.json", "public.json"} & work.names()


def test_a_witness_of_another_circuit_is_refused(work: Any, samples: Path, command: Any) -> None:
    key, witness = samples / "multiplier" / "multiplier_plonk.zkey", samples / "range" / "witness.wtns"
    assert "another circuit" in command("prove", key, witness, *work.outputs).error(2)
