from itertools import combinations

import pytest
from contracts import MADE
from evm import FALSE, REVERT, TRUE, Contract, creation_code, verdicts_with_stand_ins
from groth16_instances import SAMPLES, Instance, full_width_inputs, made, sample, trapdoor
from hypothesis import given, settings
from hypothesis import strategies as st

from zkgpu.curves.bn254 import BN254, Fq, Fq2, Fr
from zkgpu.groth16.keys import Proof
from zkgpu.solidity import calldata

SELECTOR, WORD = 4, 32
INVALID_PROOF = f"{REVERT} 0x09bde339"  # the selector of InvalidProof()
NO_DATA = f"{REVERT} 0x"


def deploy(instance: Instance) -> Contract:
    return Contract(creation_code(instance.name))


def by_name(name: str) -> Instance:
    return sample(name) if name in SAMPLES else made(int(name.removeprefix("inputs_")))


NAMES = [*SAMPLES, *(f"inputs_{n}" for n in MADE)]


@pytest.fixture(scope="module", params=NAMES)
def instance(request):
    return by_name(request.param)


@pytest.fixture(scope="module")
def two_inputs():
    return made(2)


@pytest.fixture(scope="module")
def contract(two_inputs):
    return deploy(two_inputs)


def words_of(instance: Instance) -> list[int]:
    data = calldata(instance.proof, instance.public_inputs)[SELECTOR:]
    return [int.from_bytes(data[i : i + WORD], "big") for i in range(0, len(data), WORD)]


def with_word(instance: Instance, index: int, value: int, function="verifyProof") -> bytes:
    data = bytearray(calldata(instance.proof, instance.public_inputs, function))
    start = SELECTOR + WORD * index
    data[start : start + WORD] = value.to_bytes(WORD, "big")
    return bytes(data)


def test_an_honest_proof_is_accepted_by_both_functions(instance):
    contract = deploy(instance)
    assert contract.call(calldata(instance.proof, instance.public_inputs)) == TRUE
    assert contract.call(calldata(instance.proof, instance.public_inputs, "requireValidProof")) == TRUE


def test_a_change_of_any_word_is_refused(instance):
    contract = deploy(instance)
    for index, word in enumerate(words_of(instance)):
        assert contract.call(with_word(instance, index, word ^ 1)) == FALSE, index


def test_requiring_a_wrong_proof_reverts_with_the_named_error(two_inputs, contract):
    for index, word in enumerate(words_of(two_inputs)):
        assert contract.call(with_word(two_inputs, index, word ^ 1, "requireValidProof")) == INVALID_PROOF, index


def test_the_alias_of_a_public_input_is_refused_at_every_place(instance):
    contract = deploy(instance)
    for i, value in enumerate(instance.public_inputs):
        assert contract.call(with_word(instance, 8 + i, value + Fr.modulus)) == FALSE, i


def test_every_word_from_r_upwards_is_refused_as_a_public_input(two_inputs, contract):
    for i, value in enumerate(two_inputs.public_inputs):
        aliases = [alias for k in range(1, 6) if (alias := value + k * Fr.modulus) < 2**256]
        for dirty in (*aliases, (value - Fr.modulus) % 2**256, Fr.modulus, Fq.modulus, 2**256 - 1):
            assert contract.call(with_word(two_inputs, 8 + i, dirty)) == FALSE, (i, dirty)


def test_r_is_no_other_zero():
    proof = trapdoor(1).prove([0])
    contract, data = Contract(creation_code("inputs_1")), calldata(proof, [0])
    assert contract.call(data) == TRUE
    assert contract.call(data[:-WORD] + Fr.modulus.to_bytes(WORD, "big")) == FALSE


def test_a_coordinate_that_is_not_below_q_is_refused(two_inputs, contract):
    for index, word in enumerate(words_of(two_inputs)[:8]):
        for dirty in (word + Fq.modulus, Fq.modulus, 2**256 - 1):
            assert contract.call(with_word(two_inputs, index, dirty)) == FALSE, (index, dirty)


def test_extra_bytes_are_refused_and_short_calldata_reverts(instance):
    contract, data = deploy(instance), calldata(instance.proof, instance.public_inputs)
    for extra in (b"\0", b"\0" * 32, b"\xff" * 320):
        assert contract.call(data + extra) == FALSE
    for length in (0, 3, 4, 36, len(data) - 32, len(data) - 1):
        assert contract.call(data[:length]) == NO_DATA


def test_a_call_for_another_number_of_inputs_reverts(two_inputs, contract):
    for count in (0, 1, 3):
        inputs = [*two_inputs.public_inputs, 0][:count]
        assert contract.call(calldata(two_inputs.proof, inputs)) == NO_DATA


def test_the_two_halves_of_a_g2_coordinate_cannot_be_swapped(two_inputs, contract):
    b = two_inputs.proof.b
    swapped = Proof(two_inputs.proof.a, type(b)(b.group, b.x[::-1], b.y[::-1]), two_inputs.proof.c)
    assert contract.call(calldata(swapped, two_inputs.public_inputs)) == FALSE


def test_a_twist_point_outside_the_subgroup_is_refused(two_inputs, contract):
    g2 = BN254.g2
    x = next((i, 1) for i in range(100) if Fq2.sqrt(Fq2.add(Fq2.mul(Fq2.square((i, 1)), (i, 1)), g2.b)))
    y = Fq2.sqrt(Fq2.add(Fq2.mul(Fq2.square(x), x), g2.b))
    point = type(g2.generator)(g2, x, y)
    assert point.is_on_curve()
    assert not point.is_in_subgroup()
    proof = Proof(two_inputs.proof.a, point, two_inputs.proof.c)
    assert contract.call(calldata(proof, two_inputs.public_inputs)) == FALSE


@pytest.mark.parametrize("at_infinity", [s for k in (1, 2, 3) for s in combinations("abc", k)])
def test_points_replaced_by_infinity_are_refused(two_inputs, contract, at_infinity):
    points = {name: getattr(two_inputs.proof, name) for name in "abc"}
    points |= {name: points[name].group.infinity for name in at_infinity}
    assert contract.call(calldata(Proof(**points), two_inputs.public_inputs)) == FALSE


def test_a_valid_proof_with_c_at_infinity_is_written_as_zeros_and_accepted(contract):
    secrets, inputs = trapdoor(2), full_width_inputs(2)
    vk_x = secrets.ic[0] + sum(x * s for x, s in zip(inputs, secrets.ic[1:], strict=True))
    proof = secrets.prove(inputs, a=(secrets.alpha * secrets.beta + vk_x * secrets.gamma) % Fr.modulus, b=1)
    data = calldata(proof, inputs)
    assert proof.c.is_infinity
    assert data[SELECTOR + 6 * WORD : SELECTOR + 8 * WORD] == bytes(64)
    assert contract.call(data) == TRUE


near_zero = st.sampled_from([0, 1, 2, Fr.modulus - 1, Fr.modulus - 2])


@settings(max_examples=30, deadline=None)
@given(inputs=st.tuples(near_zero, near_zero), a=near_zero, b=near_zero, error=near_zero)
def test_the_contract_decides_as_the_equation_between_exponents(contract, inputs, a, b, error):
    proof = trapdoor(2).prove(list(inputs), a, b)
    moved = Proof(proof.a, proof.b, proof.c + error * BN254.g1.generator)
    assert contract.call(calldata(moved, inputs)) == (TRUE if error == 0 else FALSE)


@pytest.mark.parametrize("precompile", [6, 7, 8])
def test_only_a_precompile_that_succeeds_with_its_full_answer_makes_a_proof_valid(two_inputs, precompile):
    data = calldata(two_inputs.proof, two_inputs.public_inputs)
    (verdicts,) = verdicts_with_stand_ins(creation_code(two_inputs.name), precompile, data)
    assert verdicts == [TRUE, FALSE, FALSE, FALSE, FALSE]
