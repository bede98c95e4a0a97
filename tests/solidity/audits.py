"""AuditedInference in a chain of its own, with an operator, and a verifier with known secrets.

So a proof of any statement takes milliseconds, and a lie is what the operator would not prove: an entry with other
outputs than `answer_of` gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from committed_instances import SHAPES, CommittedInstance, made_committed, secrets_of
from contracts import AUDITED
from Crypto.Hash import keccak
from evm import CALLER, REVERT, THIEF, Contract, creation_code, pyrevm

from tests.audit.blocks import block_of
from zkgpu.audit import Batch, Inference, Sample, Terms
from zkgpu.audit.calls import answer_call, batch_call, commit_call, constructor_arguments, draw_call
from zkgpu.audit.header import randao_of, unchecked
from zkgpu.audit.model import Layout
from zkgpu.audit.tree import Tree, domain_of
from zkgpu.evm.abi import selector
from zkgpu.solidity import calldata
from zkgpu.systems.registry import contract_form
from zkgpu.transcript import keccak256

OPERATOR, WATCHER = CALLER, "0x" + "99" * 20
CHAIN = 1
BOND, REWARD = 10**18, 4 * 10**17
TERMS = Terms(BOND, REWARD, samples=4, most=1000, delay=10, window=300)
START = 1_000  # block


def error(signature: str, *words: int) -> str:
    digest = keccak.new(digest_bits=256, data=signature.encode()).hexdigest()
    return f"{REVERT} 0x{digest[:8]}" + "".join(f"{word:064x}" for word in words)


@cache
def trapdoor(name: str = "committed_digits") -> CommittedInstance:
    return made_committed(name)


@cache
def layout(name: str = "committed_digits", weights_hash: int | None = None) -> Layout:
    """The first array is the input, all else the output; given public inputs: input, (weights,) output."""
    key = trapdoor(name).verifying_key
    given, round_ = SHAPES[name]
    sizes = [array.packed_size for array in round_.arrays]
    function = selector("verifyProof", contract_form("groth16").parameters(key), given, sum(sizes))
    model = hashlib.sha256(name.encode()).digest()
    inputs = 1 if given else 0
    rest = given - inputs - (weights_hash is not None)
    return Layout(model, function, 12, inputs, weights_hash, rest, sizes[0] if sizes else 0, sum(sizes[1:]))


def packed_of(question: int, lie: int = 0) -> bytes:
    """64 pixels and the 10 logits that "the model" gives for them; a lie changes the last one."""
    pixels = hashlib.sha512(f"question {question}".encode()).digest()
    logits = b"".join(hashlib.sha512(pixels + bytes([i])).digest()[:4] for i in range(10))
    return pixels + logits[:-1] + bytes([logits[-1] ^ lie])


@cache
def proof_of(packed: bytes, public: tuple[int, ...] = (), name: str = "committed_digits") -> bytes:
    """The call of the verifier with a valid proof."""
    key = trapdoor(name).verifying_key
    proof = secrets_of(name).prove(key, list(public), packed)
    return calldata(proof, list(public), packed=packed)


def entry(question: int, lie: int = 0) -> Inference:
    digests = layout().digests([], packed_of(question, lie))
    return Inference(hashlib.sha256(f"request {question}".encode()).digest(), *digests, b"")


HISTORY = "0x0000F90827F1C53a10cb7A02335B175320002935"
_ANSWERS_WHAT_IS_STORED = bytes.fromhex("5f35545f5260205ff3")  # SLOAD(CALLDATALOAD(0))


class Chain:
    """The audit's contract beside its verifier's, and blocks.

    terms   of the contract
    """

    def __init__(self, terms: Terms = TERMS, of: Layout | None = None, verifier: Contract | None = None) -> None:
        self.terms, self.layout = terms, of or layout()
        self.verifier = verifier or Contract(creation_code("committed_digits"))
        self.evm = self.verifier.evm
        self.evm.set_balance(WATCHER, 10**20)
        self.evm.set_balance(OPERATOR, 10**24)
        self.block = START
        self.arguments = constructor_arguments(int(self.verifier.address, 16), terms, self.layout)
        self.evm.insert_account_info(HISTORY, pyrevm.AccountInfo(code=_ANSWERS_WHAT_IS_STORED))
        self.at(START)
        self.contract = Contract(creation_code(AUDITED) + self.arguments, beside=self.verifier)
        self.evm.set_balance(OPERATOR, 10**24)

    @property
    def address(self) -> int:
        return int(self.contract.address, 16)

    @property
    def gas_used(self) -> int:
        return self.contract.gas_used

    def at(self, block: int) -> None:
        self.block = block
        self.evm.set_block_env(pyrevm.BlockEnv(number=block, timestamp=12 * block, gas_limit=10**9))

    @contextmanager
    def undone(self) -> Iterator[None]:
        """What the block does to the chain is taken back."""
        block, before = self.block, self.evm.snapshot()
        yield
        self.evm.revert(before)
        self.at(block)

    def header_of(self, block: int, fork: int = 0) -> bytes:
        """The header of a block, whose hash the chain knows from then on."""
        made = unchecked(block_of(block, fork))
        self.evm.insert_account_storage(HISTORY, block, int.from_bytes(keccak256(made), "big"))
        return made

    def draw(self, block: int, number: int = 0, sender: str = WATCHER, fork: int = 0) -> str:
        """Has the batch drawn by this block."""
        return self.send(draw_call(number, self.header_of(block, fork)), sender)

    def send(self, data: bytes, sender: str = OPERATOR, value: int = 0, gas: int = 10**8) -> str:
        """ "ok", or what it reverted with."""
        try:
            self.evm.message_call(sender, self.contract.address, data, value=value, gas=gas)
        except RuntimeError as failure:
            message = str(failure)
            if not message.startswith("Revert"):
                raise
            return REVERT + " " + message.split("output: ")[1].split(" ")[0]
        return "ok"

    def ask(self, data: bytes) -> list[int]:
        """The words of the answer."""
        said = self.evm.message_call(THIEF, self.contract.address, data, gas=10**8, is_static=True)
        return [int.from_bytes(said[i : i + 32], "big") for i in range(0, len(said), 32)]

    def act(self, function: str, batch: int = 0, sender: str = WATCHER) -> str:
        return self.send(batch_call(function, batch), sender)

    def credit(self, account: str) -> int:
        return self.ask(selector("credit", "address", 0) + int(account, 16).to_bytes(32, "big"))[0]

    def balance(self, account: str) -> int:
        return int(self.evm.get_balance(account))


@dataclass
class Operator:
    """Who commits to inferences on a chain, and answers.

    Attributes:
        inferences: what the tree claims
        batch: once committed
    """

    chain: Chain
    inferences: list[Inference]
    number: int = 0
    batch: Batch = field(init=False)
    tree: Tree = field(init=False)

    def __post_init__(self) -> None:
        domain = domain_of(CHAIN, self.chain.address, self.chain.layout.model, self.number)
        empty = Batch(
            self.chain.layout.model, CHAIN, self.chain.address, self.number, 0, len(self.inferences), domain, b""
        )
        self.tree = Tree([empty.leaf(i, one) for i, one in enumerate(self.inferences)])
        self.batch = replace(empty, root=self.tree.root)

    def commit(self, value: int | None = None) -> str:
        data = commit_call(self.number, self.batch.root, self.batch.count)
        return self.chain.send(data, value=self.chain.terms.bond if value is None else value)

    def draw(self) -> None:
        """Goes on to the block after the one that draws, and has it drawn."""
        block = self.chain.block + self.chain.terms.delay
        self.chain.at(block + 1)
        assert self.chain.draw(block, self.number, OPERATOR) == "ok"
        self.batch = self.batch.with_draw(randao_of(self.chain.header_of(block)), self.chain.terms.samples)

    def sample(self, position: int, question: int | None = None, **changes: Any) -> Sample:
        """The answer of that position, with the true proof of its question, or of another."""
        index = self.batch.drawn[position]
        proof = proof_of(packed_of(index if question is None else question))
        true = Sample(position, index, self.inferences[index].request, tuple(self.tree.path(index)), proof)
        return replace(true, **changes)

    def samples(self) -> list[Sample]:
        return [self.sample(p) for p in range(len(self.batch.drawn))]

    def answer(self, *samples: Sample, sender: str = OPERATOR) -> str:
        return self.chain.send(answer_call(self.number, samples), sender)


def committed(chain: Chain, count: int, lies: frozenset[int] = frozenset(), number: int = 0) -> Operator:
    """An operator whose batch is committed."""
    operator = Operator(chain, [entry(i, int(i in lies)) for i in range(count)], number)
    assert operator.commit() == "ok"
    return operator


def drawn(count: int, lies: frozenset[int] = frozenset(), terms: Terms = TERMS) -> Operator:
    """An operator on a chain of his own whose batch is drawn."""
    operator = committed(Chain(terms), count, lies)
    operator.draw()
    return operator
