import pytest
from evm import FALSE, HALT, REVERT, TRUE, Contract, creation_code
from groth16_instances import made, sample

from zkgpu.solidity import calldata, gas_limit

INVALID_PROOF = f"{REVERT} 0x09bde339"
OTHER_TOOL_GAS, OTHER_TOOL_SIZE = 227_796, 1_538  # snarkjs' template with 3 public inputs, solc 0.8.37, 200 runs
OTHER_TOOL_GAS_PER_INPUT = 7_157


def cost(instance) -> int:
    contract = Contract(creation_code(instance.name))
    assert contract.call(calldata(instance.proof, instance.public_inputs)) == TRUE
    return contract.gas_used


@pytest.mark.parametrize("name", ["multiplier", "range"])
def test_three_inputs_cost_no_more_than_with_the_common_template(name):
    assert cost(sample(name)) <= OTHER_TOOL_GAS
    assert Contract(creation_code(name)).runtime_size <= OTHER_TOOL_SIZE


def test_a_further_input_costs_no_more_than_with_the_common_template():
    per_input = (cost(made(100)) - cost(made(1))) / 99
    assert 6_150 + 32 * 16 < per_input <= OTHER_TOOL_GAS_PER_INPUT  # ecMul, ecAdd and calldata are the floor


@pytest.mark.parametrize("n_public", [0, 1, 2, 16, 100])
@pytest.mark.parametrize("function", ["verifyProof", "requireValidProof"])
def test_the_advised_gas_limit_suffices_and_is_not_wasteful(n_public, function):
    instance = made(n_public)
    contract = Contract(creation_code(instance.name))
    data = calldata(instance.proof, instance.public_inputs, function)
    assert contract.call(data, gas=gas_limit(n_public)) == TRUE
    assert 1.03 * contract.gas_used < gas_limit(n_public) < 1.08 * contract.gas_used


@pytest.mark.parametrize("name", ["inputs_0", "inputs_1", "multiplier"])
@pytest.mark.parametrize(
    ("function", "refusals"), [("verifyProof", {FALSE, HALT}), ("requireValidProof", {INVALID_PROOF, HALT})]
)
def test_starved_of_gas_a_valid_proof_is_never_accepted(name, function, refusals):
    instance = sample(name) if name == "multiplier" else made(int(name[-1]))
    contract = Contract(creation_code(name))
    data = calldata(instance.proof, instance.public_inputs, function)
    assert contract.call(data) == TRUE
    needed = contract.gas_used
    starved = {contract.call(data, gas) for gas in [*range(21_000, needed, 251), *range(needed - 300, needed)]}
    assert starved == refusals
    assert contract.call(data, gas_limit(len(instance.public_inputs))) == TRUE


def test_starved_of_gas_a_wrong_proof_is_never_accepted():
    instance = made(1)
    contract = Contract(creation_code("inputs_1"))
    data = calldata(instance.proof, [0])
    assert {contract.call(data, gas) for gas in range(21_000, gas_limit(1), 1_009)} == {FALSE, HALT}
