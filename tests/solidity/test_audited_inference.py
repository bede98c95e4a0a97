"""The contract of audits by sample: honest operators get their bond back, and none of the ways to lie does."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from math import sqrt

import pytest
from audits import (
    BOND,
    CHAIN,
    OPERATOR,
    REWARD,
    START,
    TERMS,
    WATCHER,
    Chain,
    Operator,
    committed,
    drawn,
    entry,
    error,
    layout,
    packed_of,
    proof_of,
    trapdoor,
)
from committed_instances import made_trapdoor, secrets_of
from contracts import AUDITED
from evm import THIEF, Contract, creation_code, pyrevm

from tests.audit.blocks import block_of
from zkgpu.audit import Inference, Sample, Terms, escape
from zkgpu.audit.answers import is_included
from zkgpu.audit.calls import answer_call, batch_call, commit_call, constructor_arguments, draw_call
from zkgpu.audit.draw import sample
from zkgpu.audit.header import encode, randao_of, unchecked
from zkgpu.audit.tree import Tree, depth_of, domain_of, leaf_of, node_of, words
from zkgpu.errors import UsageError
from zkgpu.evm.abi import selector
from zkgpu.solidity import calldata

LATE = error("TooLate()")
DEADLINE = START + TERMS.delay + TERMS.window


def not_in_tree(position: int) -> str:
    return error("NotInTree(uint256)", position)


# an honest run


def test_an_honest_operator_answers_each_sample_and_has_the_bond_back() -> None:
    operator = drawn(50)
    chain = operator.chain
    assert chain.draw(START + TERMS.delay) == error("AlreadyDrawn()")
    assert operator.answer(operator.sample(2), operator.sample(0)) == "ok"
    assert operator.answer(operator.sample(3)) == "ok"
    chain.at(DEADLINE)
    assert operator.answer(operator.sample(1)) == "ok"
    assert chain.act("release") == error("TooEarly()")
    chain.at(DEADLINE + 1)
    assert chain.act("slash") == error("AllAnswered()")
    assert chain.act("release") == "ok"
    assert chain.act("release") == chain.act("slash") == error("AlreadySettled()")
    before = chain.balance(OPERATOR)
    withdraw = selector("withdraw", "", 0)
    assert chain.send(withdraw) == chain.send(withdraw) == "ok"
    assert chain.balance(OPERATOR) - before == BOND


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_batch_with_no_more_than_the_samples_is_proven_whole(count: int) -> None:
    operator = drawn(count)
    assert sorted(operator.batch.drawn) == sorted(set(operator.batch.drawn))
    assert len(operator.batch.drawn) == min(count, TERMS.samples)
    assert operator.answer(*operator.samples()) == "ok"
    operator.chain.at(DEADLINE + 1)
    assert operator.chain.act("release") == "ok"


def test_python_and_the_contract_compute_the_same() -> None:
    operator = drawn(37)
    chain, batch = operator.chain, operator.batch
    assert chain.ask(batch_call("drawn", 0))[2:] == batch.drawn
    assert chain.ask(batch_call("deadline", 0)) == [DEADLINE]
    one = operator.inferences[36]
    leaf = leaf_of(batch.domain, 36, one.request, one.inputs, one.outputs)
    assert chain.ask(batch_call("domainOf", 0)) == [int.from_bytes(batch.domain, "big")]
    assert int.from_bytes(leaf, "big") in chain.ask(
        selector("leafOf", "bytes32,uint256,bytes32,bytes32,bytes32", 0)
        + words(batch.domain, 36, one.request, one.inputs, one.outputs)
    )
    function = selector("sample", "bytes32,uint256,uint256", 0)
    for count, wanted in ((1, 1), (7, 7), (300, 256), (2**20 - 1, 16), (5, 4)):
        seed = hashlib.sha256(bytes([count % 251])).digest()
        assert chain.ask(function + words(seed, count, wanted))[2:] == sample(seed, count, wanted)
    for count in (1, 2, 3, 4, 5, 1023, 1024, 1025):
        assert chain.ask(batch_call("depthOf", count)) == [depth_of(count)]


def includes(operator: Operator, index: int, one: Inference, path: list[bytes]) -> int:
    """What the contract tells a client."""
    given = words(0, index, one.request, one.inputs, one.outputs, 192, len(path), *path)
    function = selector("includes", "uint256,uint256,bytes32,bytes32,bytes32,bytes32[]", 0)
    return operator.chain.ask(function + given)[0]


def test_a_client_finds_an_inference_at_its_place_and_nowhere_else() -> None:
    operator = committed(Chain(), 5)
    path = operator.tree.path(4)
    assert includes(operator, 4, entry(4), path) == 1
    assert not any(includes(operator, i, entry(4), path) for i in (0, 3, 5, 12))
    assert not includes(operator, 4, entry(4, lie=1), path)
    assert not includes(operator, 4, entry(3), path)
    assert not includes(operator, 4, entry(4), path[1:])


def test_a_client_is_not_shown_a_leaf_behind_the_count_which_nothing_draws() -> None:
    operator = Operator(Chain(), [entry(i) for i in range(8)])
    operator.batch = replace(operator.batch, count=5)
    assert operator.commit() == "ok"
    found = [includes(operator, i, entry(i), operator.tree.path(i)) for i in range(8)]
    assert found == [1] * 5 + [0] * 3
    given = [is_included(operator.batch, i, entry(i), operator.tree.path(i)) for i in range(8)]
    assert given == [True] * 5 + [False] * 3


# lies


def test_a_lie_that_is_drawn_cannot_be_answered_and_costs_the_bond() -> None:
    operator = drawn(4, lies=frozenset({2}))
    chain, position = operator.chain, operator.batch.drawn.index(2)
    others = [operator.sample(p) for p in range(4) if p != position]
    assert operator.answer(*others) == "ok"
    assert operator.answer(operator.sample(position)) == not_in_tree(position)
    said = proof_of(packed_of(2))
    claimed = said[: -len(packed_of(2)) - 24] + packed_of(2, lie=1) + bytes(24)
    assert len(claimed) == len(said)
    assert operator.answer(operator.sample(position, proof=claimed)) == error("InvalidProof(uint256)", position)
    chain.at(DEADLINE)
    assert chain.act("slash") == error("TooEarly()")
    chain.at(DEADLINE + 1)
    assert chain.act("release") == error("NotAllAnswered()")
    assert chain.act("slash") == "ok"
    assert chain.act("slash") == chain.act("release") == error("AlreadySettled()")
    assert (chain.credit(WATCHER), chain.credit(OPERATOR)) == (REWARD, 0)
    before = chain.balance(WATCHER)
    assert chain.send(selector("withdraw", "", 0), WATCHER) == "ok"
    assert chain.balance(WATCHER) - before == REWARD
    assert chain.balance(chain.contract.address) == BOND - REWARD


def test_an_operator_who_has_himself_slashed_loses_what_is_burned() -> None:
    chain = drawn(4).chain
    chain.at(DEADLINE + 1)
    assert chain.act("slash", sender=OPERATOR) == "ok"
    assert chain.credit(OPERATOR) == REWARD < BOND


def found_among(draws: int, count: int, lies: int, samples: int) -> int:
    """Of so many batches, how many have a lie among what the contract draws; each with hashes of its own."""
    chain, found = Chain(replace(TERMS, samples=samples, most=count)), 0
    for number in range(draws):
        operator = Operator(chain, [entry(i, int(i < lies)) for i in range(count)], number)
        assert operator.commit() == "ok"
        operator.draw()
        assert chain.ask(batch_call("drawn", number))[2:] == operator.batch.drawn
        found += any(index < lies for index in operator.batch.drawn)
    return found


def require_stated_frequency(draws: int, count: int, lies: int, samples: int) -> None:
    stated = 1 - float(escape(count, lies, samples))
    found = found_among(draws, count, lies, samples)
    assert abs(found - draws * stated) <= 4 * sqrt(draws * stated * (1 - stated)), (found, draws * stated)


def test_lies_are_found_as_often_as_stated_in_a_few_draws() -> None:
    require_stated_frequency(100, count=20, lies=1, samples=4)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "lies", "samples"), [(64, 1, 8), (20, 1, 4), (30, 5, 3)])
def test_lies_are_found_as_often_as_stated_in_two_thousand_draws(count: int, lies: int, samples: int) -> None:
    require_stated_frequency(2000, count, lies, samples)


# answers that are none


def test_a_late_answer_is_refused() -> None:
    operator = drawn(10)
    operator.chain.at(DEADLINE + 1)
    assert operator.answer(operator.sample(0)) == LATE


def test_an_answer_counts_once_also_with_another_proof_of_the_same() -> None:
    operator = drawn(10)
    again = error("AlreadyAnswered(uint256)", 1)
    assert operator.answer(operator.sample(1), operator.sample(1)) == again
    assert operator.answer(operator.sample(1)) == "ok"
    assert operator.answer(operator.sample(1)) == again
    packed, key = packed_of(operator.batch.drawn[1]), trapdoor().verifying_key
    other = calldata(secrets_of("committed_digits").prove(key, [], packed, d=8), [], packed=packed)
    assert other != operator.sample(1).proof
    assert operator.answer(operator.sample(1, proof=other)) == again
    fresh = operator.batch.drawn[2]
    other = calldata(secrets_of("committed_digits").prove(key, [], packed_of(fresh), d=8), [], packed=packed_of(fresh))
    assert operator.answer(operator.sample(2, proof=other)) == "ok"


def test_answers_of_other_inferences_of_the_batch_are_refused() -> None:
    """Replayed from another place, or reordered: position, path and proof must all be of the drawn one."""
    operator = drawn(50)
    zero, one = operator.sample(0), operator.sample(1)
    for wrong in (
        replace(one, position=0),
        replace(zero, proof=one.proof),
        replace(zero, path=one.path),
        replace(zero, request=one.request),
        replace(zero, path=zero.path[::-1]),
    ):
        assert operator.answer(wrong) == not_in_tree(0)
    assert operator.answer(replace(zero, position=1), replace(one, position=0)) == not_in_tree(1)
    assert operator.answer(zero, replace(one, path=zero.path)) == not_in_tree(1)
    assert operator.answer(one, zero) == "ok"
    undrawn = next(i for i in range(50) if i not in operator.batch.drawn)
    path = tuple(operator.tree.path(undrawn))
    stranger = Sample(2, undrawn, entry(undrawn).request, path, proof_of(packed_of(undrawn)))
    assert operator.answer(stranger) == not_in_tree(2)
    assert operator.answer(replace(stranger, position=4)) == error("NotASample(uint256)", 4)


def test_an_answer_to_another_question_is_refused() -> None:
    operator = drawn(10)
    assert operator.answer(operator.sample(0, question=77)) == not_in_tree(0)


def test_a_proof_under_another_model_s_key_is_refused() -> None:
    operator = drawn(10)
    packed = packed_of(operator.batch.drawn[0])
    other = made_trapdoor("another model", 0, secrets_of("committed_digits").round)
    foreign = calldata(other.prove(other.verifying_key(), [], packed), [], packed=packed)
    assert operator.answer(operator.sample(0, proof=foreign)) == error("InvalidProof(uint256)", 0)


@pytest.mark.parametrize("domain", ["chain", "contract", "model", "batch"])
def test_a_tree_for_elsewhere_has_no_answers_here(domain: str) -> None:
    chain = Chain()
    own = {"chain": CHAIN, "contract": chain.address, "batch": 0}
    model = chain.layout.model if domain != "model" else hashlib.sha256(b"other").digest()
    own |= {domain: own[domain] + 1} if domain != "model" else {}
    operator = Operator(chain, [entry(i) for i in range(8)])
    named = domain_of(own["chain"], own["contract"], model, own["batch"])
    leaves = [leaf_of(named, i, e.request, e.inputs, e.outputs) for i, e in enumerate(operator.inferences)]
    operator.tree = Tree(leaves)
    operator.batch = replace(operator.batch, root=operator.tree.root)
    assert operator.commit() == "ok"
    operator.draw()
    assert operator.answer(operator.sample(0)) == not_in_tree(0)


def test_answers_of_one_batch_are_none_of_the_next() -> None:
    operator = drawn(4)
    second = committed(operator.chain, 4, number=1)
    second.draw()
    position = second.batch.drawn.index(operator.batch.drawn[0])
    assert second.answer(replace(operator.sample(0), position=position)) == not_in_tree(position)
    assert second.answer(*second.samples()) == operator.answer(*operator.samples()) == "ok"


def test_a_tree_of_more_leaves_than_were_counted_has_no_answers() -> None:
    """Else of a thousand inferences ten would be audited: neither longer paths nor inner nodes as leaves do."""
    chain = Chain()
    operator = Operator(chain, [entry(i) for i in range(8)])
    operator.batch = replace(operator.batch, count=2)
    assert operator.commit() == "ok"
    operator.draw()
    for position, index in enumerate(operator.batch.drawn):
        whole = operator.sample(position)
        assert len(operator.tree.path(index)) == 3
        for path in (whole.path, whole.path[:1], whole.path[2:]):
            assert operator.answer(replace(whole, path=path)) == not_in_tree(position)


def test_a_place_without_an_inference_has_no_answer() -> None:
    chain = Chain()
    operator = Operator(chain, [entry(i) for i in range(3)])
    operator.batch = replace(operator.batch, count=4)
    assert operator.commit() == "ok"
    operator.draw()
    position = operator.batch.drawn.index(3)
    path = tuple(operator.tree.path(3))
    for at in range(4):
        false = Sample(position, 3, entry(at).request, path, proof_of(packed_of(at)))
        assert operator.answer(false) == not_in_tree(position)


@pytest.mark.parametrize("change", ["short", "long", "empty", "selector"])
def test_a_call_of_another_form_is_refused(change: str) -> None:
    operator = drawn(10)
    whole = operator.sample(0).proof
    packed, key = packed_of(operator.batch.drawn[0]), trapdoor().verifying_key
    proof = secrets_of("committed_digits").prove(key, [], packed)
    changed = {
        "short": whole[:-32],
        "long": whole + bytes(32),
        "empty": b"",
        "selector": calldata(proof, [], "requireValidProof", packed),
    }
    assert operator.answer(operator.sample(0, proof=changed[change])) == error("WrongCall(uint256)", 0)


def test_packed_values_that_the_contract_reads_elsewhere_than_the_verifier_are_refused() -> None:
    """An offset that points past the logged bytes, at others: the verifier accepts one place only."""
    operator = drawn(10)
    whole = operator.sample(0).proof
    at = 4 + 32 * 12
    moved = whole[:at] + (32 * 12).to_bytes(32, "big") + whole[at + 32 :]
    assert operator.answer(operator.sample(0, proof=moved)) == error("InvalidProof(uint256)", 0)


def test_calls_that_are_cut_anywhere_are_refused() -> None:
    operator = drawn(10)
    data = answer_call(0, operator.samples())
    for end in range(0, len(data), 499):
        assert operator.chain.send(data[:end]) != "ok"
    assert operator.chain.send(data) == "ok"


def test_too_little_gas_makes_no_answer() -> None:
    operator = drawn(10)
    data = answer_call(0, [operator.sample(0)])
    for gas in range(40_000, 300_000, 9_001):
        try:
            assert operator.chain.send(data, gas=gas) != "ok"
        except RuntimeError:
            continue
    operator.chain.at(DEADLINE + 1)
    assert operator.chain.act("release") == error("NotAllAnswered()")


# who may, and when


def test_only_the_operator_commits_and_answers() -> None:
    """Whoever copies an answer and sends it first must not make the operator's call fail."""
    operator = drawn(10)
    assert operator.answer(operator.sample(0), sender=THIEF) == error("NotOperator()")
    operator.chain.evm.set_balance(THIEF, 10**19)
    data = commit_call(1, operator.batch.root, 10)
    assert operator.chain.send(data, THIEF, BOND) == error("NotOperator()")


@pytest.mark.parametrize("count", [0, TERMS.most + 1, 2**20, 2**32 + 5, 2**255])
def test_a_batch_of_none_or_of_too_many_is_refused(count: int) -> None:
    chain = Chain()
    assert chain.send(commit_call(0, bytes(32), count), value=BOND) == error("WrongCount()")


@pytest.mark.parametrize("value", [0, BOND - 1, BOND + 1])
def test_each_batch_locks_a_whole_bond_of_its_own(value: int) -> None:
    operator = Operator(Chain(), [entry(i) for i in range(4)])
    assert operator.commit(value) == error("WrongBond()")
    assert operator.commit() == "ok"
    second = Operator(operator.chain, operator.inferences, 1)
    assert second.commit(value) == error("WrongBond()")
    assert second.commit() == "ok"
    assert operator.chain.balance(operator.chain.contract.address) == 2 * BOND


def test_a_batch_with_a_number_that_is_not_next_is_refused() -> None:
    """Its leaves name another number, so that nothing of it could ever be answered."""
    chain = Chain()
    for number in (1, 7):
        data = commit_call(number, bytes(32), 5)
        assert chain.send(data, value=BOND) == error("WrongBatch(uint256)", 0)
    committed(chain, 5)
    assert chain.send(commit_call(0, bytes(32), 5), value=BOND) == error("WrongBatch(uint256)", 1)


def test_nothing_is_answered_before_the_draw() -> None:
    operator = committed(Chain(), 4)
    guess = operator.batch.with_draw(bytes(31) + b"\1", TERMS.samples)
    operator.batch = guess
    assert operator.answer(operator.sample(0)) == error("NotDrawn()")


def test_a_block_draws_once_it_is_built_and_as_long_as_its_hash_is_known() -> None:
    """Without the history of EIP-2935 for 256 blocks; no header is known here that has a hash of this EVM."""
    for block, is_known in ((9, False), (10, False), (11, True), (266, True), (267, False)):
        chain = Chain()
        committed(chain, 5)
        chain.at(START + block)
        data = draw_call(0, str(START + TERMS.delay).encode())  # what this EVM hashes for BLOCKHASH
        verdict = chain.send(data)
        assert verdict != "ok"
        assert (verdict != error("NotDrawable()")) == is_known, block
        assert verdict != error("WrongHeader()")


def test_with_a_history_of_hashes_the_draw_may_come_later() -> None:
    operator = committed(Chain(), 5)
    operator.chain.at(START + 300)
    assert operator.chain.draw(START + TERMS.delay) == "ok"


def test_a_block_to_come_does_not_draw_though_its_hash_were_known() -> None:
    chain = Chain()
    committed(chain, 5)
    chain.at(START + TERMS.delay)
    assert chain.draw(START + TERMS.delay) == error("NotDrawable()")


def test_another_block_than_the_named_one_does_not_draw() -> None:
    chain = Chain()
    committed(chain, 5)
    chain.at(START + 50)
    right = chain.header_of(START + TERMS.delay)
    changed = bytearray(right)
    changed[-40] ^= 1
    for header in (chain.header_of(START + TERMS.delay + 1), bytes(changed), right[:-1], right + b"\0", b""):
        assert chain.send(draw_call(0, header)) == error("WrongHeader()")
    assert chain.send(draw_call(0, right)) == "ok"


@pytest.mark.parametrize("number", [0, 1, 127, 128, 255, 2**24, 2**64 - 1])
def test_python_and_the_contract_find_the_same_randomness_in_headers_of_any_length(number: int) -> None:
    chain, block = Chain(), block_of(number)
    header = encode(block)
    (found,) = chain.ask(selector("randaoOf", "bytes", 0) + words(32, len(header)) + header.ljust(1024, b"\0"))
    assert found.to_bytes(32, "big") == randao_of(header) == bytes.fromhex(block["mixHash"][2:])


def test_whoever_calls_and_whenever_the_draw_is_that_of_the_named_block() -> None:
    found = []
    for block, sender in ((11, WATCHER), (100, OPERATOR), (266, THIEF)):
        chain = Chain()
        operator = committed(chain, 500)
        chain.at(START + block)
        assert chain.draw(START + TERMS.delay, sender=sender) == "ok"
        found.append(chain.ask(batch_call("drawn", 0))[2:])
        assert (
            found[-1] == operator.batch.with_draw(randao_of(chain.header_of(START + TERMS.delay)), TERMS.samples).drawn
        )
    assert found[0] == found[1] == found[2]


def test_another_block_root_or_batch_draws_others() -> None:
    """So an operator who is sent back by a reorganization, or who changes the tree, has a draw that nobody knew."""
    operator = drawn(1000)
    batch = operator.batch
    others = [
        replace(batch, randao=randao_of(operator.chain.header_of(START + TERMS.delay, fork=1))),
        replace(batch, root=node_of(batch.root, batch.root)),
        replace(batch, number=1),
        replace(batch, contract=5),
    ]
    assert all(other.drawn != batch.drawn for other in others)


def test_a_batch_that_nobody_has_drawn_in_time_is_slashed_and_never_drawn_again() -> None:
    chain = Chain()
    committed(chain, 5)
    for block in (START + 267, DEADLINE, DEADLINE + 1, DEADLINE + 300):
        chain.at(block)
        assert chain.send(draw_call(0, unchecked(block_of(START + TERMS.delay)))) == error("NotDrawable()")
    assert chain.act("release") == error("NotAllAnswered()")
    assert chain.act("slash") == "ok"


@pytest.mark.parametrize("function", ["slash", "release", "drawn"])
def test_a_batch_that_is_not_there_reverts(function: str) -> None:
    chain = Chain()
    chain.at(START + 10**6)
    assert chain.act(function, 3) != "ok"
    assert chain.draw(START, 3) != "ok"


def test_a_fork_in_which_the_block_is_another_draws_again() -> None:
    """The commitment stays, so nobody gains: the samples are those of the chain that is left."""
    found = []
    for fork in (0, 1):
        chain = Chain()
        committed(chain, 500)
        chain.at(START + 11)
        assert chain.draw(START + TERMS.delay, fork=fork) == "ok"
        found.append(chain.ask(batch_call("drawn", 0)))
    assert found[0] != found[1]


def test_an_open_batch_keeps_its_bond_whatever_others_bring() -> None:
    chain = Chain()
    first = committed(chain, 4)
    first.draw()
    assert first.answer(*first.samples()) == "ok"
    chain.at(DEADLINE + 1)
    committed(chain, 4, number=1)
    assert chain.act("release", 0) == "ok"
    assert chain.act("release", 1) == error("TooEarly()")
    withdraw = selector("withdraw", "", 0)
    assert chain.send(withdraw) == chain.send(withdraw) == "ok"
    assert chain.balance(chain.contract.address) == BOND


# whoever is paid

WITHDRAW = selector("withdraw", "", 0).hex()


def caller_code(on_payment: str) -> bytes:
    """A contract that calls the address in the first word with the rest, and does `on_payment` when it is paid."""
    is_paid = "3615601e57"  # CALLDATASIZE ISZERO PUSH1 0x1e JUMPI
    copy = "6020360360205f37"  # CALLDATACOPY(0, 0x20, CALLDATASIZE - 0x20)
    call = "5f5f602036035f5f5f355af15000"  # CALL(GAS, CALLDATALOAD(0), 0, 0, CALLDATASIZE - 0x20, 0, 0) POP STOP
    return bytes.fromhex(is_paid + copy + call).ljust(0x1E, b"\0") + bytes.fromhex("5b" + on_payment)


AGAIN = f"63{WITHDRAW}60e01b5f525f5f60045f5f335af15000"  # calls withdraw of whoever pays, once more
REFUSE = "5f5ffd"


def slashed_by(code: bytes) -> Chain:
    chain = Chain()
    committed(chain, 4)
    chain.evm.insert_account_info(WATCHER, pyrevm.AccountInfo(code=code, balance=0))
    chain.at(DEADLINE + 1)
    return chain


def through(chain: Chain, data: bytes) -> None:
    """Has the contract at WATCHER make the call."""
    target = words(chain.address)
    chain.evm.message_call(THIEF, WATCHER, target + data, gas=2_000_000)


def test_a_payee_that_calls_back_is_paid_once() -> None:
    chain = slashed_by(caller_code(AGAIN))
    through(chain, batch_call("slash", 0))
    assert chain.credit(WATCHER) == REWARD
    through(chain, selector("withdraw", "", 0))
    assert (chain.balance(WATCHER), chain.credit(WATCHER)) == (REWARD, 0)
    assert chain.balance(chain.contract.address) == BOND - REWARD


def test_a_payee_that_refuses_payment_holds_up_nobody_but_itself() -> None:
    chain = slashed_by(caller_code(REFUSE))
    through(chain, batch_call("slash", 0))
    through(chain, selector("withdraw", "", 0))
    assert (chain.balance(WATCHER), chain.credit(WATCHER)) == (0, REWARD)
    second = committed(chain, 4, number=1)
    second.draw()
    assert second.answer(*second.samples()) == "ok"


# terms, and other forms of proofs


@pytest.mark.parametrize(
    "changed",
    [
        {"reward": BOND},
        {"samples": 0},
        {"samples": 257},
        {"most": 0},
        {"most": 2**20},
        {"delay": 0},
        {"delay": 2**32},
        {"window": 255},
        {"window": 2**32},
    ],
    ids=str,
)
def test_terms_under_which_lies_would_pay_are_refused_in_python_and_on_chain(changed: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        replace(TERMS, **changed)
    terms = replace(TERMS)
    for name, value in changed.items():
        object.__setattr__(terms, name, value)
    with pytest.raises(RuntimeError, match=error("WrongTerms()").split("0x")[1]):
        Chain(terms)


def test_a_verifier_that_is_no_contract_is_refused() -> None:
    verifier = Contract(creation_code("committed_digits"))
    arguments = constructor_arguments(0x1234, TERMS, layout())
    with pytest.raises(RuntimeError, match=error("WrongTerms()").split("0x")[1]):
        Contract(creation_code(AUDITED) + arguments, beside=verifier)


@pytest.mark.parametrize("name", ["committed_mixed", "committed_bare"])
def test_hashes_are_part_of_what_is_logged_and_those_of_the_weights_are_fixed(name: str) -> None:
    """Of two public inputs the second is the weights' hash; of one it is the input's."""
    instance = trapdoor(name)
    given = instance.public_inputs
    weights = given[1] if len(given) > 1 else None
    of = layout(name, weights)
    inference = Inference(bytes(32), *of.digests(given, instance.packed), b"")
    call = calldata(instance.proof, given, packed=instance.packed)
    assert of.shown(call) == (given, instance.packed)
    for changed, verdict in ((0, "ok"), (1, error("OtherWeights(uint256)", 0))):
        if changed and weights is None:
            continue
        asked = replace(of, weights_hash=None if weights is None else weights - changed)
        operator = Operator(Chain(of=asked, verifier=Contract(creation_code(name))), [inference])
        assert operator.commit() == "ok"
        operator.draw()
        assert operator.answer(Sample(0, 0, bytes(32), (), call)) == verdict
    other = words(given[0] - 1)
    start = 4 + 32 * 12
    assert operator.answer(Sample(0, 0, bytes(32), (), call[:start] + other + call[start + 32 :])) != "ok"


def test_a_contract_fits_into_what_a_chain_accepts() -> None:
    assert Chain().contract.runtime_size < 10_000


def test_terms_are_shown_by_the_contract() -> None:
    chain = Chain(Terms(10, 3, 7, 99, 64, 7200))
    names = ("bond", "reward", "samples", "most", "delay", "window")
    assert [chain.ask(selector(name, "", 0))[0] for name in names] == [10, 3, 7, 99, 64, 7200]
