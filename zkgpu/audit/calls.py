"""Calls of examples/solidity/AuditedInference.sol, as the Solidity ABI lays them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

from zkgpu.audit.answers import Sample
from zkgpu.audit.draw import MOST_SAMPLES
from zkgpu.audit.model import Layout
from zkgpu.audit.tree import MOST, words
from zkgpu.errors import UsageError
from zkgpu.evm.abi import WORD_BYTES, selector
from zkgpu.records import dataclass

LEAST_WINDOW = 256  # blocks whose hashes the EVM knows


@dataclass(frozen=True)
class Terms:
    """What a contract is deployed with; see examples/solidity/AuditedInference.sol.

    Attributes:
        bond: wei that each batch locks
        reward: wei of it that go to whoever slashes; the rest is burned
        samples: inferences that are drawn of a batch
        most: inferences of a batch, at most
        delay: blocks from a commitment to the block that draws
        window: blocks from that one to the deadline for answers

    Raises UsageError for terms that it refuses.
    """

    bond: int
    reward: int
    samples: int
    most: int
    delay: int
    window: int

    def __post_init__(self) -> None:
        if not 0 <= self.reward < self.bond < 1 << 256:
            raise UsageError("the reward must be less than the bond, of which only the rest deters the operator")
        if not 0 < self.samples <= MOST_SAMPLES:
            raise UsageError(f"give 1 to {MOST_SAMPLES} samples of a batch, not {self.samples:,}")
        if not 0 < self.most <= MOST:
            raise UsageError(f"a batch has 1 to {MOST:,} inferences: {self.most:,} is no bound for it")
        if not 0 < self.delay < 1 << 32:
            raise UsageError("the block that draws comes at least one after that of the commitment: give a delay")
        if not LEAST_WINDOW <= self.window < 1 << 32:
            raise UsageError(f"give a window of {LEAST_WINDOW} blocks or more: so long can a batch be drawn")


def constructor_arguments(verifier: int, terms: Terms, layout: Layout) -> bytes:
    """What follows the creation code.

    Args:
        verifier: the address of the model's own contract
    """
    model = words(layout.model, layout.selector.ljust(WORD_BYTES, b"\0"), layout.proof_words, layout.input_hashes)
    weights = words(int(layout.weights_hash is not None), layout.weights_hash or 0)
    sizes = words(layout.output_hashes, layout.input_bytes, layout.output_bytes)
    return words(verifier, *astuple(terms)) + model + weights + sizes


def commit_call(batch: int, root: bytes, count: int) -> bytes:
    """To be sent with the bond."""
    return selector("commit", "uint256,bytes32,uint256", 0) + words(batch, root, count)


def batch_call(function: str, batch: int) -> bytes:
    """slash or release; drawn and deadline, which ask."""
    return selector(function, "uint256", 0) + words(batch)


def draw_call(batch: int, header: bytes) -> bytes:
    """Has the contract draw, by the header of the block that the commitment named."""
    head = words(batch, 2 * WORD_BYTES, len(header))
    return selector("draw", "uint256,bytes", 0) + head + header + bytes(-len(header) % WORD_BYTES)


def answer_call(batch: int, answers: Sequence[Sample]) -> bytes:
    """Answers to some samples of a batch."""
    parts = [_encoded(one) for one in answers]
    array = words(len(parts)) + _with_offsets(parts)
    return selector("answer", "uint256,(uint256,bytes32,bytes32[],bytes)[]", 0) + words(batch, 2 * WORD_BYTES) + array


def _encoded(one: Sample) -> bytes:
    path = words(len(one.path), *one.path)
    head = 4 * WORD_BYTES
    places = words(one.position, one.request, head, head + len(path))
    return places + path + words(len(one.proof), one.proof) + bytes(-len(one.proof) % WORD_BYTES)


def _with_offsets(parts: Sequence[bytes]) -> bytes:
    """Parts of any length, each after the place where it begins."""
    places, start = [], WORD_BYTES * len(parts)
    for part in parts:
        places.append(start)
        start += len(part)
    return words(*places, *parts)
