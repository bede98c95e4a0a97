"""PLONK's contract: what the template is filled with, and how calls look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zkgpu.circuits.committed import CommittedRound
from zkgpu.evm.abi import SELECTOR_BYTES, WORD_BYTES, g1_words, g2_words
from zkgpu.evm.form import ContractForm, Substitutions, public_parameters
from zkgpu.plonk.keys import FIXED, Proof, VerifyingKey

_PROOF_WORDS = 24

# Places in the contract's memory, see the template
_TEXT, _LAGRANGE = 0x260, 0x320
_KEY_BYTES = 2 * WORD_BYTES * len(FIXED)


def _template(key: VerifyingKey) -> tuple[str, Substitutions]:
    return "plonk.sol.in", _substitutions(key) | public_parameters(key.n_public)


def _substitutions(key: VerifyingKey) -> Substitutions:
    """The template's holes that depend on the key, by name. Points must be of a curve with contracts."""
    n, domain, field = key.n_public, key.domain, key.curve.scalar_field
    lagrange, inputs_at = max(1, n), _TEXT + _KEY_BYTES
    abc_at = inputs_at + WORD_BYTES * n
    generator = dict(zip(("h_x_im", "h_x_re", "h_y_im", "h_y_re"), g2_words(key.curve.g2.generator), strict=True))
    return {
        "r": field.modulus,
        "r_minus_1": field.modulus - 1,
        "r_minus_2": field.modulus - 2,
        "n": n,
        "log_size": key.log_size,
        "size": domain.size,
        "omega": domain.omega,
        "omega_inverse": field.inverse(domain.omega),
        "omega_last": pow(domain.omega, lagrange - 1, field.modulus),
        "key": _constants(key),
        "calldata_size": SELECTOR_BYTES + WORD_BYTES * (_PROOF_WORDS + n),
        "hash_key": _hash_key(),
        "abc_at": f"{abc_at:#x}",
        "beta_size": f"{abc_at + 6 * WORD_BYTES - _TEXT:#x}",
        "lagrange_end": f"{_LAGRANGE + 2 * WORD_BYTES * lagrange:#x}",
        "lagrange_last": f"{_LAGRANGE + 2 * WORD_BYTES * (lagrange - 1):#x}",
        **_about_inputs(n, inputs_at),
        **generator,
    }


def _about_inputs(n: int, inputs_at: int) -> dict[str, str]:
    """The statements that read public inputs; without any they fall away, and so does the parameter."""
    if n == 0:
        return dict.fromkeys(("check_inputs", "hash_inputs", "input_at", "add_input"), "")
    indent, deeper, size = " " * 16, " " * 20, f"{WORD_BYTES * n:#x}"
    return {
        "check_inputs": (
            f"            for {{ let at := input }} lt(at, add(input, {size})) {{ at := add(at, 0x20) }} {{\n"
            f"{indent}ok := and(ok, lt(calldataload(at), R))\n"
            "            }\n"
        ),
        "hash_inputs": f"            calldatacopy({inputs_at:#x}, input, {size})\n",
        "input_at": f"{indent}let input_at := add(input, {WORD_BYTES * (n - 1):#x})\n",
        "add_input": (
            f"{deeper}sum := addmod(sum, mulmod(calldataload(input_at), lagrange, R), R)\n"
            f"{deeper}input_at := sub(input_at, 0x20)\n"
        ),
    }


def _constants(key: VerifyingKey) -> str:
    """The key as Solidity constants, tau negated."""
    words: list[tuple[str, int]] = [("K1", key.k1), ("K2", key.k2)]
    for name, point in zip(FIXED, key.commitments, strict=True):
        words += zip((f"{name.upper()}_X", f"{name.upper()}_Y"), g1_words(point), strict=True)
    names = ("TAU_X_IM", "TAU_X_RE", "TAU_Y_IM", "TAU_Y_RE")
    words += zip(names, g2_words(-key.tau_g2), strict=True)
    return "\n".join(f"    uint256 private constant {name} = {value};" for name, value in words)


def _hash_key() -> str:
    """The statements that put the key's commitments where they are hashed."""
    names = [f"{name.upper()}_{axis}" for name in FIXED for axis in "XY"]
    return "\n".join(f"            mstore({_TEXT + WORD_BYTES * i:#x}, {name})" for i, name in enumerate(names))


def _words(proof: Proof) -> list[int]:
    field = proof.curve.scalar_field
    evaluations = [field.element(value, name) for name, value in proof.evaluations.items()]
    return [*(w for point in proof.points.values() for w in g1_words(point)), *evaluations]


def _arguments(words: Sequence[int], inputs: Sequence[int], packed: bytes) -> list[Any]:
    return [list(words), *([list(inputs)] if inputs else [])]


def _text(words: Sequence[str], inputs: Sequence[str], packed: bytes) -> str:
    """Nothing stands between the two arrays, as snarkjs prints it."""
    return f"[{words[0]}, {','.join(words[1:])}][{','.join(inputs)}]"


def _gas(n_public: int, round_: CommittedRound | None) -> int:
    return 285_000 + 1_500 * n_public


FORM = ContractForm(
    "PlonkVerifier", _template, lambda proof: f"uint256[{_PROOF_WORDS}]", _words, _arguments, _text, _gas
)
