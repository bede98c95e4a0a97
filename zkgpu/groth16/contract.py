"""Groth16's contracts: what the templates are filled with, and how calls look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zkgpu.circuits.committed import CommittedRound
from zkgpu.evm.abi import SELECTOR_BYTES, WORD_BYTES, g1_words, g2_words
from zkgpu.evm.form import ContractForm, Substitutions, public_parameters
from zkgpu.evm.gas import transaction_gas
from zkgpu.groth16.contract_commitment import arguments_size, committed_substitutions, packed_gas
from zkgpu.groth16.keys import Proof, VerifyingKey

_PROOF_WORDS = 8
_PARAMETERS = "uint256[2],uint256[2][2],uint256[2]"
_COMMITTED_PARAMETERS = f"{_PARAMETERS},uint256[2],uint256[2]"  # D and pi follow C


def _template(key: VerifyingKey) -> tuple[str, Substitutions]:
    if not key.commitments:
        return "groth16.sol.in", _substitutions(key) | public_parameters(key.n_public)
    packed_size = key.required_commitment.round.packed_size
    own = committed_substitutions(key) | public_parameters(key.n_explicit_public, packed_size)
    return "commitment.sol.in", own | {
        "r": key.curve.scalar_field.modulus,
        "n": key.n_explicit_public,
        "key": _constants(key),
    }


def _substitutions(key: VerifyingKey) -> Substitutions:
    """The holes of groth16.sol.in that depend on the key."""
    n = key.n_public
    return {
        "r": key.curve.scalar_field.modulus,
        "n": n,
        "key": _constants(key),
        "calldata_size": SELECTOR_BYTES + WORD_BYTES * (_PROOF_WORDS + n),
        "accumulate": "".join(_accumulate(i) for i in range(n)),
    }


def _constants(key: VerifyingKey) -> str:
    """The key as Solidity constants, with the signs of the pairing equation."""
    words = [
        *zip(("ALPHA_X", "ALPHA_Y"), g1_words(-key.alpha_g1), strict=True),
        *_g2_constants("BETA", g2_words(key.beta_g2)),
        *_g2_constants("GAMMA", g2_words(-key.gamma_g2)),
        *_g2_constants("DELTA", g2_words(-key.delta_g2)),
        *(word for part in key.commitments for word in _g2_constants("SIGMA", g2_words(part.sigma_g2))),
    ]
    for i, point in enumerate(key.ic):
        words += zip((f"IC{i}_X", f"IC{i}_Y"), g1_words(point), strict=True)
    return "\n".join(f"    uint256 private constant {name} = {value};" for name, value in words)


def _g2_constants(name: str, words: tuple[int, ...]) -> list[tuple[str, int]]:
    parts = ("X_IM", "X_RE", "Y_IM", "Y_RE")
    return [(f"{name}_{part}", word) for part, word in zip(parts, words, strict=True)]


def _accumulate(i: int) -> str:
    """The statement that adds input[i] * IC[i + 1] to vk_x."""
    where = f"add(input, {32 * i:#x})" if i else "input"
    return f"            ok := and(ok, accumulate(calldataload({where}), IC{i + 1}_X, IC{i + 1}_Y))\n"


def _parameters(proof: Proof) -> str:
    return _COMMITTED_PARAMETERS if proof.commitments else _PARAMETERS


def _words(proof: Proof) -> list[int]:
    committed = [point for part in proof.commitments for point in (part.point, part.knowledge)]
    points = (*g1_words(proof.a), *g2_words(proof.b), *g1_words(proof.c))
    return [*points, *(w for point in committed for w in g1_words(point))]


def _arguments(words: Sequence[int], inputs: Sequence[int], packed: bytes) -> list[Any]:
    pairs = [list(words[i : i + 2]) for i in range(0, len(words), 2)]
    points = [pairs[0], pairs[1:3], *pairs[3:]]
    return [*points, *([list(inputs)] if inputs else []), *([packed] if packed else [])]


def _text(words: Sequence[str], inputs: Sequence[str], packed: bytes) -> str:
    """With a commitment, D and pi follow C, and the packed values come last."""
    a, b, c, committed = words[:2], words[2:6], words[6:8], words[8:]
    parts = [_pair(a), f"[{_pair(b[:2])},{_pair(b[2:])}]", _pair(c)]
    parts += [_pair(committed[i : i + 2]) for i in range(0, len(committed), 2)]
    if inputs or not committed:
        parts.append(f"[{','.join(inputs)}]")
    return ",".join([*parts, *([f'"0x{packed.hex()}"'] if packed else [])])


def _pair(items: Sequence[str]) -> str:
    return f"[{items[0]}, {items[1]}]"


def _gas(n_public: int, round_: CommittedRound | None) -> int:
    if round_ is None:
        return 220_000 + 7_500 * n_public
    computed = 271_000 + 7_500 * (n_public + round_.n_public) + 21 * packed_gas(round_.arrays) // 20
    return transaction_gas(computed, arguments_size(n_public, round_.packed_size))


FORM = ContractForm("Groth16Verifier", _template, _parameters, _words, _arguments, _text, _gas)
