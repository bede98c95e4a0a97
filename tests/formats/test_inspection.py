"""What `inspect_file` says of each kind of file."""

import json

import pytest

from zkgpu.errors import FormatError
from zkgpu.systems.inspection import inspect_file


@pytest.mark.parametrize(
    ("file", "facts"),
    [
        ("range/range.r1cs", {"constraints": 575, "wires": 575, "public_outputs": 1, "public_inputs": 2}),
        ("range/witness.wtns", {"values": 575}),
        ("pot6_0.ptau", {"power": 6, "prepared": False, "contributions": []}),
        ("pot6_final.ptau", {"ceremony_power": 6, "prepared": True}),
        ("range/range_groth16.zkey", {"domain": 1024, "public": 3, "unsafe_key": False, "insecure_key": None}),
        ("multiplier/m_0.zkey", {"insecure_key": "phase 2 of the setup has no contribution"}),
        ("range/groth16_vk.json", {"public": 3, "insecure_key": None}),
        ("range/groth16_proof.json", {"curve": "bn128"}),
        ("range/groth16_public.json", {"values": 3}),
    ],
)
def test_a_file_is_described(samples, file, facts):
    found = inspect_file(samples / file)
    assert facts.items() <= found.items()
    assert json.dumps(found)


def test_contributions_are_listed_with_name_beacon_and_hash(samples):
    first, beacon = inspect_file(samples / "multiplier" / "multiplier_beacon.zkey")["contributions"]
    assert (first["number"], first["name"], first["beacon"]) == (1, "sample", None)
    assert first["hash"].startswith("9eba3639b8ee")
    assert (beacon["number"], beacon["name"]) == (2, "final beacon")
    assert beacon["beacon"]["value"].startswith("0102030405")


@pytest.mark.parametrize(
    ("group", "file"), [("key", "multiplier/multiplier_beacon.zkey"), ("powers", "pot6_final.ptau")]
)
def test_inspect_tells_contributions_as_the_commands_of_ceremonies_do(samples, command, group, file):
    wanted = command(group, "inspect", samples / file, "--json").json["contributions"]
    assert command("inspect", samples / file, "--json").json["contributions"] == wanted != []
    assert set(command(group, "inspect", samples / file).out.splitlines()[1:]) <= set(
        command("inspect", samples / file).out.splitlines()
    )


@pytest.mark.parametrize("file", ["multiplier.wasm", "multiplier.circom", "input.json"])
def test_a_file_of_no_known_kind_is_refused_in_one_line(samples, file):
    with pytest.raises(FormatError) as error:
        inspect_file(samples / "multiplier" / file)
    assert "\n" not in str(error.value)
