"""The PLONK verifier contract in an EVM: what it accepts, what it refuses, and what it costs."""

import json
from dataclasses import replace
from itertools import combinations

import pytest
from evm import FALSE, HALT, REVERT, TRUE, Contract, creation_code, verdicts_with_stand_ins, with_products
from groth16_instances import DATA, SAMPLES
from plonk_instances import PLONK_MADE, plonk_made, plonk_sample
from plonk_trapdoor import COMMITTED, TRAPDOOR, made_up

from zkgpu.curves.bn254 import BN254, Fq, Fr
from zkgpu.errors import InsecureKeyError, UsageError
from zkgpu.plonk.keys import EVALUATIONS, POINTS
from zkgpu.plonk.transcript import AllChallenges
from zkgpu.solidity import calldata, calldata_text, gas_limit, verifier_source

OTHER_TOOL_GAS, OTHER_TOOL_SIZE = 293_508, 5_878  # snarkjs' template, 3 public inputs, solc 0.8.37, 200 runs
INVALID_PROOF, NO_FUNCTION = f"{REVERT} 0x09bde339", f"{REVERT} 0x"
SELECTOR, WORD, PROOF_WORDS = 4, 32, 24
ROWS = {row["case"]: row["want"] for row in json.loads((DATA / "verdicts" / "expected.json").read_text())["plonk"]}


def by_name(name):
    return plonk_sample(name) if name in SAMPLES else plonk_made(int(name))


@pytest.fixture(scope="module", params=[*SAMPLES, *map(str, PLONK_MADE)])
def instance(request):
    return by_name(request.param)


@pytest.fixture(scope="module")
def verdicts():
    return plonk_sample("verdicts")


@pytest.fixture(scope="module")
def contract(verdicts):
    return Contract(creation_code(verdicts.name))


def words_of(instance):
    data = calldata(instance.proof, instance.public_inputs)[SELECTOR:]
    return [int.from_bytes(data[i : i + WORD], "big") for i in range(0, len(data), WORD)]


def with_words(instance, changes, function="verifyProof"):
    data = bytearray(calldata(instance.proof, instance.public_inputs, function))
    for index, value in changes.items():
        data[SELECTOR + WORD * index : SELECTOR + WORD * (index + 1)] = (value % 2**256).to_bytes(WORD, "big")
    return bytes(data)


def test_an_honest_proof_is_accepted_by_both_functions(instance):
    contract = Contract(creation_code(instance.name))
    for function in ("verifyProof", "requireValidProof"):
        assert contract.call(calldata(instance.proof, instance.public_inputs, function)) == TRUE


def test_any_changed_word_is_refused(instance):
    contract, words = Contract(creation_code(instance.name)), words_of(instance)
    for index, word in enumerate(words[: PROOF_WORDS + 3]):
        for value in {word + 1, word - 1, 0, Fr.modulus - word, word ^ (1 << 200)} - {word}:
            assert contract.call(with_words(instance, {index: value})) == FALSE, index
        assert contract.call(with_words(instance, {index: word + 1}, "requireValidProof")) == INVALID_PROOF


def test_a_number_that_is_not_reduced_is_refused(instance):
    contract, words = Contract(creation_code(instance.name)), words_of(instance)
    for index, word in enumerate(words):
        modulus = Fq.modulus if index < 2 * len(POINTS) else Fr.modulus
        for multiple in (1, 2, 3, 4, 5):
            if word + multiple * modulus < 2**256:
                assert contract.call(with_words(instance, {index: word + multiple * modulus})) == FALSE, index


@pytest.mark.parametrize("size", [1, 2, 9])
def test_points_at_infinity_are_refused_in_every_combination(contract, verdicts, size):
    for chosen in combinations(range(len(POINTS)), size):
        changes = {2 * i + axis: 0 for i in chosen for axis in (0, 1)}
        assert contract.call(with_words(verdicts, changes)) == FALSE


def test_openings_that_are_zero_are_refused(contract, verdicts):
    for i in range(len(EVALUATIONS)):
        assert contract.call(with_words(verdicts, {2 * len(POINTS) + i: 0})) == FALSE
    assert contract.call(with_words(verdicts, dict.fromkeys(range(PROOF_WORDS), 0))) == FALSE


def test_the_contract_gives_the_verdicts_of_the_catalogue(contract, verdicts):
    words, n_points = words_of(verdicts), 2 * len(POINTS)
    calls = {
        "honest": (with_words(verdicts, {}), TRUE),
        "Wxi=Wxiw=infinity ('0 bug')": (with_words(verdicts, dict.fromkeys(range(14, 18), 0)), FALSE),
        "all points infinity, evals 0": (with_words(verdicts, dict.fromkeys(range(PROOF_WORDS), 0)), FALSE),
        "eval_a + r": (with_words(verdicts, {n_points: words[n_points] + Fr.modulus}), FALSE),
        "A.x + q": (with_words(verdicts, {0: words[0] + Fq.modulus}), FALSE),
        "public + r": (with_words(verdicts, {PROOF_WORDS: words[PROOF_WORDS] + Fr.modulus}), FALSE),
        "public empty": (calldata(verdicts.proof, []), NO_FUNCTION),
        "missing field Wxi": (with_words(verdicts, {})[:-WORD], NO_FUNCTION),
    }
    assert calls.keys() == ROWS.keys()
    for case, (data, expected) in calls.items():
        assert contract.call(data) == expected, case
        assert (expected == TRUE) == (ROWS[case] == "accept")


def test_bytes_after_the_last_argument_are_refused(contract, verdicts):
    assert contract.call(with_words(verdicts, {}) + b"\0") == FALSE


@pytest.mark.parametrize("name", ["multiplier", "range"])
def test_it_costs_less_than_the_common_template(name):
    instance = plonk_sample(name)
    contract = Contract(creation_code(instance.name))
    assert contract.runtime_size <= OTHER_TOOL_SIZE
    assert contract.call(calldata(instance.proof, instance.public_inputs)) == TRUE
    assert contract.gas_used <= OTHER_TOOL_GAS


def test_the_advised_gas_limit_suffices_and_is_not_wasteful(instance):
    contract = Contract(creation_code(instance.name))
    limit = gas_limit(len(instance.public_inputs), "plonk")
    for function in ("verifyProof", "requireValidProof"):
        assert contract.call(calldata(instance.proof, instance.public_inputs, function), gas=limit) == TRUE
        assert 1.02 * contract.gas_used < limit < 1.1 * contract.gas_used


def test_starved_of_gas_a_valid_proof_is_never_accepted(contract, verdicts):
    data = calldata(verdicts.proof, verdicts.public_inputs)
    assert contract.call(data) == TRUE
    needed = contract.gas_used
    assert {contract.call(data, gas) for gas in [*range(21_000, needed, 509), *range(needed - 200, needed)]} == {
        FALSE,
        HALT,
    }


@pytest.mark.parametrize("name", ["multiplier", "range"])
def test_the_text_is_the_one_of_snarkjs(name):
    instance = plonk_sample(name)
    expected = (SAMPLES[name] / "plonk_calldata.txt").read_text()
    assert calldata_text(instance.proof, instance.public_inputs) == expected.rstrip("\n")


def test_without_public_inputs_the_last_parameter_falls_away():
    source = verifier_source(plonk_made(0).verifying_key)
    assert "uint256[24] calldata proof\n    ) external" in source
    assert "calldata input" not in source
    assert "@param input" not in source


def test_the_contract_is_called_plonk_verifier_or_as_wished():
    key = plonk_made(1).verifying_key
    assert "\ncontract PlonkVerifier {" in verifier_source(key)
    assert "\ncontract Mine {" in verifier_source(key, "Mine")


def test_a_key_whose_tau_is_known_is_refused():
    key = replace(plonk_made(1).verifying_key, tau_g2=BN254.g2.generator)
    with pytest.raises(InsecureKeyError, match="tau is 0, 1 or -1"):
        verifier_source(key)


def test_more_public_inputs_than_fit_are_refused():
    with pytest.raises(UsageError, match="257 public inputs is too large"):
        verifier_source(replace(plonk_made(1).verifying_key, n_public=257))


@pytest.mark.parametrize("precompile", [5, 6, 7, 8])
def test_only_a_precompile_that_succeeds_with_its_full_answer_makes_a_proof_valid(verdicts, precompile):
    data = with_words(verdicts, {})
    (said,) = verdicts_with_stand_ins(creation_code(verdicts.name), precompile, data)
    assert said == [TRUE, FALSE, FALSE, FALSE, FALSE]


def test_where_inverses_cannot_be_computed_no_proof_without_public_inputs_is_accepted(monkeypatch):
    """The contract would take Lagrange's polynomials for 0, and with them what the inputs add."""
    here, nowhere = (bytes([0x60, address, 0x5A, 0xFA]) for address in (5, 0xEE))
    contract = Contract(creation_code("plonk_trapdoor").replace(here, nowhere))
    monkeypatch.setattr("zkgpu.plonk.linearization.lagrange_at", lambda domain, count, x: [0] * count)
    assert contract.call(calldata(TRAPDOOR.prove([5], *made_up(17)), [5])) == FALSE


def made_up_call(public, openings, canonical):
    """The call with a proof of whoever knows tau for numbers that need not be reduced; `canonical` may be written."""
    committed, _ = made_up(17)
    proof = TRAPDOOR.prove([public], committed, openings)
    data = calldata(replace(proof, **canonical), [5])
    words = [*data[: SELECTOR + 2 * WORD * len(POINTS)], *b"".join(v.to_bytes(WORD, "big") for v in openings.values())]
    return bytes(words) + public.to_bytes(WORD, "big")


@pytest.mark.parametrize("multiple", [1, 4])
def test_aliases_are_refused_though_all_equations_hold(multiple):
    contract, (_, openings) = Contract(creation_code("plonk_trapdoor")), made_up(17)
    assert contract.call(made_up_call(5, openings, openings)) == TRUE
    assert contract.call(made_up_call(5 + multiple * Fr.modulus, openings, openings)) == FALSE
    for name in EVALUATIONS:
        for value in (openings[name], 0):
            aliased = {**openings, name: value + multiple * Fr.modulus}
            assert contract.call(made_up_call(5, aliased, openings)) == FALSE, (name, value)


def test_the_challenge_that_joins_both_openings_is_the_hash_that_python_makes():
    """Any number accepts an honest proof: so products by another than Python's are made to fail."""
    key, code = TRAPDOOR.verifying_key, creation_code("plonk_trapdoor")
    proof = TRAPDOOR.prove([5], *made_up(17))
    ch = AllChallenges.of(key, [5], proof)
    moved = ch.zeta * key.domain.omega * ch.u % Fr.modulus
    data, x = calldata(proof, [5]), proof.w_zeta_omega.coordinates()[0]
    assert with_products(code, {x: [moved, ch.u]}).call(data) == TRUE
    assert with_products(code, {x: [moved, ch.u + 1]}).call(data) == FALSE
    assert with_products(code, {x: [moved + 1, ch.u]}).call(data) == FALSE


def test_infinity_and_zero_are_refused_though_all_equations_hold():
    contract, (committed, openings) = Contract(creation_code("plonk_trapdoor")), made_up(17)

    def verdict(committed, openings):
        return contract.call(calldata(TRAPDOOR.prove([5], committed, openings), [5]))

    assert verdict(committed, openings) == TRUE
    assert verdict(committed, {**openings, "eval_zw": committed["z"]}) == FALSE
    assert {verdict({**committed, name: 0}, openings) for name in COMMITTED} == {FALSE}
    assert {verdict(committed, {**openings, name: 0}) for name in EVALUATIONS} == {FALSE}
