"""What a transaction sends to the verifier contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from zkgpu.circuits.committed import CommittedRound, require_bytes
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UsageError
from zkgpu.groth16.keys import Proof
from zkgpu.plonk import Proof as PlonkProof
from zkgpu.solidity.abi import (
    COMMITTED_PARAMETERS,
    GROTH16_PARAMETERS,
    PLONK_PARAMETERS,
    WORD_BYTES,
    g1_words,
    g2_words,
    selector,
)

VerifierFunction = Literal["verifyProof", "requireValidProof"]


def calldata(
    proof: Proof | PlonkProof,
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
    inputs = _canonical(public_inputs, packed)
    words = [*_proof_words(proof), *inputs]
    start = selector(function, _parameters(proof), len(inputs), len(packed))
    static = b"".join(word.to_bytes(WORD_BYTES, "big") for word in words)
    return start + static + _dynamic(len(static), packed)


def calldata_text(proof: Proof | PlonkProof, public_inputs: Sequence[int], packed: bytes = b"") -> str:
    """The arguments of verifyProof as `snarkjs zkey export soliditycalldata` prints them, for pasting into a tool.

    For PLONK nothing stands between the two arrays, as there. With a commitment, D and pi follow C and the packed
    values come last. Raises as calldata does.
    """
    inputs, words = [_hex(x) for x in _canonical(public_inputs, packed)], [_hex(w) for w in _proof_words(proof)]
    if isinstance(proof, PlonkProof):
        return f"[{words[0]}, {','.join(words[1:])}][{','.join(inputs)}]"
    a, b, c = words[:2], words[2:6], words[6:8]
    parts = [_pair(a), f"[{_pair(b[:2])},{_pair(b[2:])}]", _pair(c)]
    parts += [_pair(words[i : i + 2]) for i in range(8, len(words), 2)]
    if inputs or proof.commitment is None:
        parts.append(f"[{','.join(inputs)}]")
    return ",".join([*parts, *([f'"0x{packed.hex()}"'] if packed else [])])


def gas_limit(
    n_public: int, proof_system: Literal["groth16", "plonk"] = "groth16", *, round_: CommittedRound | None = None
) -> int:
    """Gas to send with a transaction that calls the contract with n_public inputs; about a twentieth is left over.

    round_   of a Groth16 key's commitment, when it has one
    To be set by hand for verifyProof: eth_estimateGas settles for a limit under which it returns false.
    """
    if proof_system == "plonk":
        return 285_000 + 1_500 * n_public
    if round_ is not None:
        values = sum(array.size for array in round_.arrays)
        return 271_000 + 7_500 * (n_public + round_.n_public) + 60 * values + 20 * round_.packed_size
    return 220_000 + 7_500 * n_public


def _parameters(proof: Proof | PlonkProof) -> str:
    """The types of the proof's own arguments."""
    if isinstance(proof, PlonkProof):
        return PLONK_PARAMETERS
    return GROTH16_PARAMETERS if proof.commitment is None else COMMITTED_PARAMETERS


def _proof_words(proof: Proof | PlonkProof) -> list[int]:
    """A proof as the contract takes it."""
    if not isinstance(proof, Proof | PlonkProof):
        raise UsageError(f"the proof is a {type(proof).__name__}, not a Proof: read it from its file")
    if isinstance(proof, PlonkProof):
        evaluations = [Fr.element(value, name) for name, value in proof.evaluations.items()]
        return [*(w for point in proof.points.values() for w in g1_words(point)), *evaluations]
    committed = [point for point in (proof.commitment, proof.knowledge) if point is not None]
    points = (*g1_words(proof.a), *g2_words(proof.b), *g1_words(proof.c))
    return [*points, *(w for point in committed for w in g1_words(point))]


def _dynamic(static_size: int, packed: bytes) -> bytes:
    """The last argument, of type bytes: its offset behind the others, its length, and its bytes padded with zeros."""
    if not packed:
        return b""
    lengths = (static_size + WORD_BYTES, len(packed))
    return b"".join(n.to_bytes(WORD_BYTES, "big") for n in lengths) + packed + bytes(-len(packed) % WORD_BYTES)


def _canonical(public_inputs: Sequence[int], packed: bytes) -> list[int]:
    """The public inputs as Python integers."""
    require_bytes(packed)
    return Fr.elements(public_inputs, "public input")


def _hex(word: int) -> str:
    return f'"0x{word:064x}"'


def _pair(items: Sequence[str]) -> str:
    return f"[{items[0]}, {items[1]}]"
