"""The source of a Solidity verifier for one key of either proof system."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from string import Template

from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UsageError
from zkgpu.groth16.keys import VerifyingKey
from zkgpu.plonk import VerifyingKey as PlonkVerifyingKey
from zkgpu.solidity.abi import arguments_size, g1_words, g2_words
from zkgpu.solidity.commitment import committed_substitutions
from zkgpu.solidity.plonk_contract import plonk_substitutions

MAX_INPUTS = 256  # in a Groth16 contract they take 21.8 kB of the 24,576 bytes of code that a chain accepts (EIP-170)

_CONTRACT_NAME = re.compile(r"[A-Z][A-Za-z0-9_]{0,127}")  # no word of the language starts with a capital


def verifier_source(
    verifying_key: VerifyingKey | PlonkVerifyingKey,
    contract_name: str | None = None,
    *,
    allow_insecure: bool = False,
    notes: Sequence[str] = (),
) -> str:
    """Solidity source of a contract that verifies proofs for `verifying_key`.

    Its verifyProof(uint256[2], uint256[2][2], uint256[2], uint256[n_public]), or verifyProof(uint256[24],
    uint256[n_public]) for PLONK, returns a bool; without public inputs the last parameter falls away.
    requireValidProof, with the same parameters, reverts instead of returning false. For a Groth16 key with a
    commitment they are (uint256[2], uint256[2][2], uint256[2], uint256[2], uint256[2], uint256[n_given], bytes):
    commitment and knowledge come after C, and the packed values last.

    verifying_key   a BN254 key; when it says that one party made it, the first lines of the contract say so
    contract_name   Groth16Verifier or PlonkVerifier unless given
    allow_insecure  write the contract although anyone can forge proofs for the key; its first lines then say so
    notes           further lines of comment for the head of the file

    Raises InsecureKeyError for a key with a weakness, PointError for a point that is not canonical, off its curve or
    outside the subgroup, UsageError for a key of another curve, for more than 256 public inputs and for a contract name
    that does not start with a capital or is no identifier.
    """
    default = "PlonkVerifier" if isinstance(verifying_key, PlonkVerifyingKey) else "Groth16Verifier"
    name = default if contract_name is None else contract_name
    _require_contract_name(name)
    _require_deployable(verifying_key.n_public)
    verifying_key.require_proper()
    if not allow_insecure:
        verifying_key.require_secure()
    template, about_key = _about(verifying_key)
    return _template(template).substitute(
        contract_name=name,
        warnings=_warnings(verifying_key.weakness(), verifying_key.is_unsafe) + _comments(notes),
        **about_key,
    )


def _comments(notes: Sequence[str]) -> str:
    """The lines as comments. Raises UsageError for one that would end its comment."""
    if any(len(note.splitlines()) > 1 for note in notes):
        raise UsageError("a comment of a contract is one line: a line break in it would end the comment")
    return "".join(f"// {note}\n" for note in notes)


def _about(key: VerifyingKey | PlonkVerifyingKey) -> tuple[str, dict[str, object]]:
    """The template for a key, and its holes that depend on the key, by name."""
    if isinstance(key, PlonkVerifyingKey):
        return "plonk.sol.in", plonk_substitutions(key) | _parameters(key.n_public)
    if key.commitment is None:
        return "groth16.sol.in", _groth16_substitutions(key) | _parameters(key.n_public)
    own = committed_substitutions(key) | _parameters(key.n_given, key.commitment.round.packed_size)
    return "commitment.sol.in", own | {"r": Fr.modulus, "n": key.n_given, "key": _constants(key)}


def _parameters(n: int, packed_size: int = 0) -> dict[str, object]:
    """The parameters after the proof: n public inputs, and packed values."""
    docs = [*(["input The public inputs."] if n else []), *(["packed The packed values."] if packed_size else [])]
    declared = [*([f"uint256[{n}] calldata input"] if n else []), *(["bytes calldata packed"] if packed_size else [])]
    return {
        "input_doc": "".join(f"    /// @param {line}\n" for line in docs),
        "input_parameter": "".join(f",\n        {parameter}" for parameter in declared),
        "input_argument": "".join(f", {parameter.split()[-1]}" for parameter in declared),
    }


def _groth16_substitutions(key: VerifyingKey) -> dict[str, object]:
    """The holes of groth16.sol.in that depend on the key."""
    n = key.n_public
    return {
        "r": Fr.modulus,
        "n": n,
        "key": _constants(key),
        "calldata_size": arguments_size(n),
        "accumulate": "".join(_accumulate(i) for i in range(n)),
    }


def _template(name: str) -> Template:
    return Template(files("zkgpu.solidity").joinpath(name).read_text(encoding="utf-8"))


def _require_contract_name(name: str) -> None:
    if not _CONTRACT_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r:.200} cannot name a contract: "
            "use up to 128 ASCII letters, digits and underscores, a capital first"
        )


def _require_deployable(n_public: int) -> None:
    if n_public > MAX_INPUTS:
        raise UsageError(
            f"a contract for {n_public} public inputs is too large to deploy: "
            f"bring them down to {MAX_INPUTS}, for instance by making one the hash of the others"
        )


def _warnings(weakness: str | None, is_unsafe: bool) -> str:
    """Comment lines for the head of the file; empty for a key without reproach."""
    lines = []
    if weakness is not None:
        lines += [
            "// INSECURE KEY, DO NOT DEPLOY: anyone can forge proofs that this contract accepts.",
            f"// {weakness}",
        ]
    if is_unsafe:
        lines += ["// UNSAFE SETUP, FOR TESTS ONLY: whoever made the key can forge proofs that this contract accepts."]
    return "".join(line + "\n" for line in lines)


def _constants(key: VerifyingKey) -> str:
    """The key as Solidity constants, with the signs of the pairing equation."""
    words = [
        *zip(("ALPHA_X", "ALPHA_Y"), g1_words(-key.alpha_g1), strict=True),
        *_g2_constants("BETA", g2_words(key.beta_g2)),
        *_g2_constants("GAMMA", g2_words(-key.gamma_g2)),
        *_g2_constants("DELTA", g2_words(-key.delta_g2)),
        *(_g2_constants("SIGMA", g2_words(key.commitment.sigma_g2)) if key.commitment else []),
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
