from dataclasses import replace

import pytest
from committed_instances import SHAPES, made_committed
from groth16_instances import SAMPLES, made, sample

from zkgpu.curves.bn254 import BN254, Fr
from zkgpu.errors import UsageError
from zkgpu.solidity import calldata, calldata_text


@pytest.mark.parametrize("name", ["multiplier", "range"])
def test_the_text_is_the_one_of_snarkjs(name):
    instance = sample(name)
    expected = (SAMPLES[name] / "groth16_calldata.txt").read_text()
    assert calldata_text(instance.proof, instance.public_inputs) == expected.rstrip("\n")


def test_the_words_of_the_calldata_are_those_of_the_text():
    instance = sample("range")
    text = calldata_text(instance.proof, instance.public_inputs)
    digits = "".join(part[2:] for part in text.split('"') if part.startswith("0x"))
    assert calldata(instance.proof, instance.public_inputs)[4:].hex() == digits


def test_the_text_of_no_inputs_ends_with_an_empty_list():
    assert calldata_text(made(0).proof, []).endswith('"],[]')


@pytest.mark.parametrize("name", SHAPES)
def test_the_arguments_of_a_committed_proof_are_the_same_as_text_and_as_words(name):
    i = made_committed(name)
    parts = [part[2:] for part in calldata_text(i.proof, i.public_inputs, i.packed).split('"') if part.startswith("0x")]
    data = calldata(i.proof, i.public_inputs, packed=i.packed)[4:]
    static = 32 * (12 + len(i.public_inputs))
    assert "".join(parts[: 12 + len(i.public_inputs)]) == data[:static].hex()
    if i.packed:
        assert int.from_bytes(data[static : static + 32], "big") == static + 32
        assert int.from_bytes(data[static + 32 : static + 64], "big") == len(i.packed)
        assert parts[-1] == i.packed.hex() == data[static + 64 :][: len(i.packed)].hex()
        assert len(data) % 32 == 0


@pytest.mark.parametrize(("n_public", "expected"), [(1, "43753b4d"), (2, "f5c9d69e"), (3, "11479fea")])
def test_the_selector_is_that_of_the_common_interface(n_public, expected):
    """The selectors that verifiers with this interface answer to on public chains."""
    assert calldata(made(0).proof, [0] * n_public)[:4].hex() == expected


@pytest.mark.parametrize("dirty", [-1, Fr.modulus, 2**256])
def test_a_public_input_out_of_range_is_refused_and_named(dirty):
    proof = made(0).proof
    for write in (calldata, calldata_text):
        with pytest.raises(UsageError, match="public input 1 is"):
            write(proof, [0, dirty])


def test_a_proof_over_another_group_is_refused():
    proof = made(0).proof
    with pytest.raises(UsageError, match="BN254 G1, not of BN254 G2"):
        calldata(replace(proof, a=BN254.g2.generator), [])
    with pytest.raises(UsageError, match="BN254 G2, not of BN254 G1"):
        calldata(replace(proof, b=BN254.g1.generator), [])
