"""What a transaction sends to the verifier contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UsageError
from zkgpu.groth16.keys import Proof
from zkgpu.plonk import Proof as PlonkProof
from zkgpu.solidity.abi import GROTH16_PARAMETERS, PLONK_PARAMETERS, WORD_BYTES, g1_words, g2_words, selector

VerifierFunction = Literal["verifyProof", "requireValidProof"]


def calldata(
    proof: Proof | PlonkProof, public_inputs: Sequence[int], function: VerifierFunction = "verifyProof"
) -> bytes:
    """Selector, proof and public inputs: 4 + 32 * (8 + n) bytes, 4 + 32 * (24 + n) for PLONK, big-endian words.

    Imaginary parts of G2 come first. Raises UsageError for a public input outside [0, r), which the contract would
    refuse, and for another curve.
    """
    _require_canonical(public_inputs)
    parameters = PLONK_PARAMETERS if isinstance(proof, PlonkProof) else GROTH16_PARAMETERS
    words = [*_proof_words(proof), *public_inputs]
    start = selector(function, parameters, len(public_inputs))
    return start + b"".join(word.to_bytes(WORD_BYTES, "big") for word in words)


def calldata_text(proof: Proof | PlonkProof, public_inputs: Sequence[int]) -> str:
    """The arguments of verifyProof as `snarkjs zkey export soliditycalldata` prints them, for pasting into a tool.

    For PLONK nothing stands between the two arrays, as there. Raises as calldata does.
    """
    _require_canonical(public_inputs)
    words, inputs = [_hex(w) for w in _proof_words(proof)], [_hex(x) for x in public_inputs]
    if isinstance(proof, PlonkProof):
        return f"[{words[0]}, {','.join(words[1:])}][{','.join(inputs)}]"
    a, b, c = words[:2], words[2:6], words[6:]
    return f"{_pair(a)},[{_pair(b[:2])},{_pair(b[2:])}],{_pair(c)},[{','.join(inputs)}]"


def gas_limit(n_public: int, proof_system: Literal["groth16", "plonk"] = "groth16") -> int:
    """Gas to send with a transaction that calls the contract with n_public inputs; about a twentieth is left over.

    To be set by hand for verifyProof: eth_estimateGas settles for a limit under which it returns false.
    """
    if proof_system == "plonk":
        return 285_000 + 1_500 * n_public
    return 220_000 + 7_500 * n_public


def _proof_words(proof: Proof | PlonkProof) -> list[int]:
    """A proof as the contract takes it."""
    if isinstance(proof, PlonkProof):
        return [*(w for point in proof.points.values() for w in g1_words(point)), *proof.evaluations.values()]
    return [*g1_words(proof.a), *g2_words(proof.b), *g1_words(proof.c)]


def _require_canonical(public_inputs: Sequence[int]) -> None:
    for i, value in enumerate(public_inputs):
        if not 0 <= value < Fr.modulus:
            raise UsageError(f"public input {i} is {value!s:.80}, outside [0, r): reduce it modulo {Fr.modulus} first")


def _hex(word: int) -> str:
    return f'"0x{word:064x}"'


def _pair(items: Sequence[str]) -> str:
    return f"[{items[0]}, {items[1]}]"
