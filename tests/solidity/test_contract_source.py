from dataclasses import replace

import pytest
from contracts import compile_or_skip, sources
from evm import CONTRACTS, FALSE, TRUE, Contract
from groth16_instances import DATA, made, trapdoor, uncontributed_key

from zkgpu.curves.bn254 import BN254
from zkgpu.curves.points import Group
from zkgpu.errors import InsecureKeyError, UsageError
from zkgpu.solidity import calldata, verifier_source

KEY = made(1).verifying_key
LARGEST = 256
CODE_LIMIT = 24_576  # EIP-170


def test_the_checked_in_sources_are_those_written_today():
    for name, text in sources().items():
        assert (CONTRACTS / f"{name}.sol").read_text() == text, f"{name}.sol: run tests/solidity/contracts.py"


def test_without_public_inputs_the_last_parameter_falls_away():
    source = verifier_source(made(0).verifying_key)
    assert "uint256[2] calldata c\n    ) external" in source
    assert "calldata input" not in source
    assert "@param input" not in source


def test_the_contract_takes_the_name_it_is_given():
    assert "\ncontract Merkle_Verifier2 {" in verifier_source(KEY, "Merkle_Verifier2")


@pytest.mark.parametrize(
    "name", ["", "2fast", "A b", "A-b", "Vérificateur", "A{}", "A\n", "A;B", "X" * 129, "contract", "uint256", "_A"]
)
def test_a_name_that_is_no_identifier_or_starts_small_is_refused(name):
    with pytest.raises(UsageError, match="cannot name a contract"):
        verifier_source(KEY, name)


def test_an_insecure_key_is_refused_unless_allowed_and_then_the_source_says_so():
    with pytest.raises(InsecureKeyError):
        verifier_source(uncontributed_key())
    head = verifier_source(uncontributed_key(), allow_insecure=True).split("pragma")[0]
    assert "INSECURE KEY, DO NOT DEPLOY" in head
    assert "gamma equals delta" in head


@pytest.mark.parametrize("part", ["alpha_g1", "beta_g2", "gamma_g2", "delta_g2"])
def test_a_key_with_a_point_at_infinity_is_refused(part):
    with pytest.raises(InsecureKeyError, match="infinity"):
        verifier_source(replace(KEY, **{part: getattr(KEY, part).group.infinity}))


def test_the_source_of_a_sound_key_carries_no_warning():
    head = verifier_source(KEY, allow_insecure=True).split("pragma")[0]
    assert head == "// SPDX-License-Identifier: Apache-2.0\n"


def test_the_source_of_a_one_party_setup_says_so():
    assert "UNSAFE SETUP, FOR TESTS ONLY" in verifier_source(replace(KEY, is_unsafe=True)).split("pragma")[0]


def test_a_key_of_another_curve_is_refused():
    other = Group("other G1", BN254.g1.field, BN254.g1.b, BN254.g1.order, 1, BN254.g1.generator_xy)
    with pytest.raises(UsageError, match="other G1, not in BN254 G1"):
        verifier_source(replace(KEY, alpha_g1=other.generator))


def test_more_public_inputs_than_fit_in_a_contract_are_refused():
    point = KEY.ic[0]
    assert verifier_source(replace(KEY, ic=(point,) * (LARGEST + 1)), allow_insecure=True)
    with pytest.raises(UsageError, match="257 public inputs is too large"):
        verifier_source(replace(KEY, ic=(point,) * (LARGEST + 2)))


@pytest.fixture(scope="module")
def compiled():
    texts = sources()
    texts["largest"] = verifier_source(trapdoor(LARGEST).verifying_key())
    texts["ic_infinity"] = verifier_source(with_unused_input(), allow_insecure=True)
    return compile_or_skip(texts)


def with_unused_input():
    """A key whose only public input is bound to the point at infinity."""
    return replace(KEY, ic=(KEY.ic[0], BN254.g1.infinity))


@pytest.mark.node
def test_compiling_the_sources_again_gives_the_checked_in_code(compiled):
    for name in sources():
        assert compiled[name] == (CONTRACTS / f"{name}.bin").read_text().strip(), name


@pytest.mark.node
def test_the_largest_contract_can_be_deployed(compiled):
    contract = Contract(bytes.fromhex(compiled["largest"]))
    assert contract.runtime_size <= CODE_LIMIT
    instance = made(LARGEST)
    assert contract.call(calldata(instance.proof, instance.public_inputs)) == TRUE


@pytest.mark.node
def test_a_point_at_infinity_in_ic_leaves_its_input_without_effect(compiled):
    contract = Contract(bytes.fromhex(compiled["ic_infinity"]))
    proof = replace(trapdoor(1), ic=(trapdoor(1).ic[0], 0)).prove([0])
    assert [contract.call(calldata(proof, [x])) for x in (0, 5)] == [TRUE, TRUE]
    assert contract.call(calldata(made(1).proof, [0])) == FALSE


def test_the_licence_of_the_sources_is_stated():
    assert (DATA / "solidity" / "inputs_0.sol").read_text().startswith("// SPDX-License-Identifier: Apache-2.0\n")
