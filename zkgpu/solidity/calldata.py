"""What a transaction sends to the verifier contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from zkgpu.circuits.committed import CommittedRound, require_bytes
from zkgpu.evm.abi import WORD_BYTES, selector
from zkgpu.provers.proof_system import AnyProof
from zkgpu.solidity.form import form_of
from zkgpu.systems.registry import contract_form

VerifierFunction = Literal["verifyProof", "requireValidProof"]


def calldata(
    proof: AnyProof,
    public_inputs: Sequence[int],
    function: VerifierFunction = "verifyProof",
    packed: bytes = b"",
) -> bytes:
    """Selector, proof and public inputs: 4 + 32 * (8 + n) bytes, 4 + 32 * (24 + n) for PLONK, big-endian words.

    Imaginary parts of G2 come first. With a commitment the proof has 12 words, and packed values come last, with
    their offset and length and padded to words. Raises UsageError for a public input outside [0, r) or of another
    type than an integer, for packed values that are no bytes and for another curve, PointError for a coordinate outside
    [0, q): the contract would refuse them. Whether points are on their curves is left to it.
    """
    form = form_of(proof, "Proof")
    inputs = _canonical(proof, public_inputs, packed)
    words = [*form.words(proof), *inputs]
    start = selector(function, form.parameters(proof), len(inputs), len(packed))
    static = b"".join(word.to_bytes(WORD_BYTES, "big") for word in words)
    return start + static + _dynamic(len(static), packed)


def arguments(proof: AnyProof, public_inputs: Sequence[int], packed: bytes = b"") -> list[Any]:
    """The arguments of verifyProof: integers in lists as the ABI nests them, and the packed values as bytes.

    Without public inputs, or packed values, that argument falls away. Raises as calldata does.
    """
    form = form_of(proof, "Proof")
    return form.arguments(form.words(proof), _canonical(proof, public_inputs, packed), packed)


def calldata_text(proof: AnyProof, public_inputs: Sequence[int], packed: bytes = b"") -> str:
    """The arguments of verifyProof as `snarkjs zkey export soliditycalldata` prints them, for pasting into a tool.

    For PLONK nothing stands between the two arrays, as there. With a commitment, D and pi follow C and the packed
    values come last. Raises as calldata does.
    """
    form = form_of(proof, "Proof")
    words, inputs = [_hex(w) for w in form.words(proof)], [_hex(x) for x in _canonical(proof, public_inputs, packed)]
    return form.text(words, inputs, packed)


def gas_limit(n_public: int, proof_system: str = "groth16", *, round_: CommittedRound | None = None) -> int:
    """Gas to send with a transaction that calls the contract with n_public inputs; about a twentieth is left over.

    Args:
        round_: of a Groth16 key's commitment, when it has one

    To be set by hand for verifyProof: eth_estimateGas settles for a limit under which it returns false.
    """
    return contract_form(proof_system).gas(n_public, round_)


def _dynamic(static_size: int, packed: bytes) -> bytes:
    """The last argument, of type bytes: its offset behind the others, its length, and its bytes padded with zeros."""
    if not packed:
        return b""
    lengths = (static_size + WORD_BYTES, len(packed))
    return b"".join(n.to_bytes(WORD_BYTES, "big") for n in lengths) + packed + bytes(-len(packed) % WORD_BYTES)


def _canonical(proof: AnyProof, public_inputs: Sequence[int], packed: bytes) -> list[int]:
    """The public inputs as Python integers."""
    require_bytes(packed)
    return proof.curve.scalar_field.elements(public_inputs, "public input")


def _hex(word: int) -> str:
    return f'"0x{word:064x}"'
