"""What a transaction sends to the verifier contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UsageError
from zkgpu.groth16.keys import Proof
from zkgpu.solidity.abi import WORD_BYTES, g1_words, g2_words, selector

VerifierFunction = Literal["verifyProof", "requireValidProof"]


def calldata(proof: Proof, public_inputs: Sequence[int], function: VerifierFunction = "verifyProof") -> bytes:
    """Selector, A, B, C and the public inputs: 4 + 32 * (8 + n) bytes, big-endian words, imaginary parts of B first.

    Raises UsageError for a public input outside [0, r), which the contract would refuse, and for another curve.
    """
    _require_canonical(public_inputs)
    words = [*g1_words(proof.a), *g2_words(proof.b), *g1_words(proof.c), *public_inputs]
    return selector(function, len(public_inputs)) + b"".join(w.to_bytes(WORD_BYTES, "big") for w in words)


def calldata_text(proof: Proof, public_inputs: Sequence[int]) -> str:
    """The arguments of verifyProof as `snarkjs zkey export soliditycalldata` prints them, for pasting into a tool.

    Raises as calldata does.
    """
    _require_canonical(public_inputs)
    a, b, c = ([_hex(w) for w in words] for words in (g1_words(proof.a), g2_words(proof.b), g1_words(proof.c)))
    inputs = ",".join(_hex(x) for x in public_inputs)
    return f"{_pair(a)},[{_pair(b[:2])},{_pair(b[2:])}],{_pair(c)},[{inputs}]"


def gas_limit(n_public: int) -> int:
    """Gas to send with a transaction that calls the contract with n_public inputs; about a twentieth is left over.

    To be set by hand for verifyProof: eth_estimateGas settles for a limit under which it returns false.
    """
    return 220_000 + 7_500 * n_public


def _require_canonical(public_inputs: Sequence[int]) -> None:
    for i, value in enumerate(public_inputs):
        if not 0 <= value < Fr.modulus:
            raise UsageError(f"public input {i} is {value!s:.80}, outside [0, r): reduce it modulo {Fr.modulus} first")


def _hex(word: int) -> str:
    return f'"0x{word:064x}"'


def _pair(items: Sequence[str]) -> str:
    return f"[{items[0]}, {items[1]}]"
