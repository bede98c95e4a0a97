"""Files of snarkjs: their proofs and keys are ours, byte for byte, and challenges are those its log shows."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.plonk.conftest import SAMPLES, seeded_blinding
from zkgpu import plonk
from zkgpu.backend import Backend, open_backend
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.formats.container import open_container
from zkgpu.formats.public_values import read_public
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.formats.wtns import read_wtns
from zkgpu.plonk.json import proof_to_json
from zkgpu.plonk.transcript import AllChallenges
from zkgpu.plonk.zkey import read_plonk_zkey, write_plonk_zkey
from zkgpu.provers.statement import Statement
from zkgpu.systems.files import read_proof, read_verifying_key, write_verifying_key

NAMES = ["multiplier", "range"]
# logged by snarkjs while it verified samples/multiplier/plonk_proof.json
GOLDEN = {
    "beta": 0x221D2DB4849CE97BA76D3086A61258181B9CB77F3E8B01FB093775614218736F,
    "gamma": 0x26B109381E68BF3E0B5F3FBB38448E76597541AE87E6C117578F7AD30439F420,
    "alpha": 0x1A9CCE4FC6A9E61B966BF9AB1FE05FD11C9598E064F64223777D3207D73541A9,
    "xi": 0x129D94946F1E42ED9CED229E3450ADE88E6BC5B6A217810C04F544745FAC7563,
    "v": 0x226DB972C675FCA24AE857ECE5DB4FEF417D729D60CC6407291DD1723FAE37BD,
    "u": 0x1C5C2DB344B1830EC19476E84A043EE23779391705E0260B182E8E2D039FC380,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_proof_of_snarkjs_verifies(name: str) -> None:
    folder = SAMPLES / name
    key = read_verifying_key(folder / "plonk_vk.json")
    inputs, proof = read_public(folder / "plonk_public.json"), read_proof(folder / "plonk_proof.json", key)
    assert plonk.verify(key, inputs, proof)
    assert not plonk.verify(key, [inputs[0] ^ 1, *inputs[1:]], proof)


def test_the_challenges_are_those_that_snarkjs_draws() -> None:
    folder = SAMPLES / "multiplier"
    key = read_verifying_key(folder / "plonk_vk.json")
    ch = AllChallenges.of(key, read_public(folder / "plonk_public.json"), read_proof(folder / "plonk_proof.json", key))
    drawn = (ch.identities.beta, ch.identities.gamma, ch.identities.alpha, ch.zeta, ch.v, ch.u)
    assert dict(zip(GOLDEN, drawn, strict=True)) == GOLDEN


def test_with_the_blinding_of_the_sample_every_device_makes_its_proof(backend: Backend) -> None:
    folder = SAMPLES / "multiplier"
    key = read_plonk_zkey(folder / "multiplier_plonk.zkey", backend.first_invalid_point)
    prover = plonk.Prover(key, backend, circuit=read_r1cs(folder / "multiplier.r1cs"))
    proof = prover.prove(read_wtns(folder / "witness.wtns"), _blinding=seeded_blinding(1))
    assert proof_to_json(proof) == json.loads((folder / "plonk_proof_seed1.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_json_is_written_as_snarkjs_writes_it(name: str, tmp_path: Path) -> None:
    folder = SAMPLES / name
    key = read_verifying_key(folder / "plonk_vk.json")
    write_verifying_key(tmp_path / "vk.json", key)
    proof, inputs = read_proof(folder / "plonk_proof.json", key), read_public(folder / "plonk_public.json")
    Statement(inputs, proof).save(tmp_path / "proof.json")
    for ours, theirs in (("vk", "vk"), ("proof", "proof"), ("public", "public")):
        assert (tmp_path / f"{ours}.json").read_bytes() == (folder / f"plonk_{theirs}.json").read_bytes()


def test_the_key_from_a_ceremony_is_the_one_snarkjs_makes_byte_for_byte(tmp_path: Path) -> None:
    folder, backend = SAMPLES / "multiplier", open_backend("cpu")
    key = plonk.setup(read_r1cs(folder / "multiplier.r1cs"), read_ptau(SAMPLES / "pot6_final.ptau"), backend)
    write_plonk_zkey(tmp_path / "key.zkey", key)
    assert (tmp_path / "key.zkey").read_bytes() == (folder / "multiplier_plonk.zkey").read_bytes()
    again = read_plonk_zkey(tmp_path / "key.zkey", backend.first_invalid_point)
    assert again.verifying_key == read_verifying_key(folder / "plonk_vk.json")


def test_rows_additions_selectors_and_sigma_of_a_larger_circuit_are_those_of_snarkjs(tmp_path: Path) -> None:
    """575 constraints, some with unsorted and long combinations; only what depends on tau differs."""
    key = plonk.unsafe_setup(read_r1cs(SAMPLES / "range" / "range.r1cs"), open_backend("cpu"))
    write_plonk_zkey(tmp_path / "key.zkey", key)
    file = open_container(tmp_path / "key.zkey", b"zkey", (1,))
    digests = {
        str(s.id): hashlib.blake2b(file.data[s.start : s.end].tobytes(), digest_size=16).hexdigest()
        for s in file.sections
    }
    wanted = json.loads((SAMPLES / "range" / "plonk_zkey_sections.json").read_text())
    assert {i for i in wanted if digests[i] != wanted[i]} == {"2", "14"}


def test_a_proof_for_the_larger_circuit_is_the_same_on_both_paths_and_any_number_of_threads() -> None:
    from zkgpu.jit.isa import supported

    key = plonk.unsafe_setup(read_r1cs(SAMPLES / "range" / "range.r1cs"), open_backend("cpu"))
    assignment = read_wtns(SAMPLES / "range" / "witness.wtns")
    backends = [open_backend("cpu", instructions=p.name, threads=t) for p in supported() for t in (1, 2)]
    proofs = [plonk.Prover(key, b).prove(assignment, _blinding=seeded_blinding(2)) for b in backends]
    assert all(proof == proofs[0] for proof in proofs)
