"""The source of a Solidity verifier for one key of any proof system."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from string import Template

from zkgpu.errors import UsageError
from zkgpu.evm.abi import require_contracts
from zkgpu.provers.proof_system import AnyVerifyingKey
from zkgpu.solidity.form import form_of

MAX_INPUTS = 256  # in a Groth16 contract they take 21.8 kB of the 24,576 bytes of code that a chain accepts (EIP-170)

_CONTRACT_NAME = re.compile(r"[A-Z][A-Za-z0-9_]{0,127}")  # no word of the language starts with a capital


def verifier_source(
    verifying_key: AnyVerifyingKey,
    contract_name: str | None = None,
    *,
    allow_insecure: bool = False,
    notes: Sequence[str] = (),
) -> str:
    """Solidity source of a contract that verifies proofs for `verifying_key`.

    Its verifyProof(uint256[2], uint256[2][2], uint256[2], uint256[n_public]), or verifyProof(uint256[24],
    uint256[n_public]) for PLONK, returns a bool; without public inputs the last parameter falls away.
    requireValidProof, with the same parameters, reverts instead of returning false. For a Groth16 key with a
    commitment they are (uint256[2], uint256[2][2], uint256[2], uint256[2], uint256[2], uint256[n], bytes):
    commitment and knowledge come after C, and the packed values last.

    Args:
        verifying_key: over a curve that the EVM has; when it says that one party made it, the first lines say so too
        contract_name: Groth16Verifier or PlonkVerifier unless given
        allow_insecure: write the contract although anyone can forge proofs for the key; its first lines then say so
        notes: further lines of comment for the head of the file

    Raises InsecureKeyError for a key with a weakness, PointError for a point that is not canonical, off its curve or
    outside the subgroup, UsageError for a key of another curve, for more than 256 public inputs and for a contract name
    that does not start with a capital or is no identifier.
    """
    form = form_of(verifying_key, "VerifyingKey")
    require_contracts(verifying_key.curve)
    name = form.contract_name if contract_name is None else contract_name
    _require_contract_name(name)
    _require_deployable(verifying_key.n_public)
    verifying_key.require_proper()
    if not allow_insecure:
        verifying_key.require_secure()
    template, about_key = form.template(verifying_key)
    return _template(verifying_key.system, template).substitute(
        contract_name=name,
        warnings=_warnings(verifying_key.weakness(), verifying_key.is_unsafe) + _comments(notes),
        **about_key,
    )


def _comments(notes: Sequence[str]) -> str:
    """The lines as comments. Raises UsageError for one that would end its comment."""
    if any(len(note.splitlines()) > 1 for note in notes):
        raise UsageError("a comment of a contract is one line: a line break in it would end the comment")
    return "".join(f"// {note}\n" for note in notes)


def _template(system: str, name: str) -> Template:
    package = Path(str(import_module(f"zkgpu.{system}").__file__))
    return Template(package.with_name(name).read_text(encoding="utf-8"))


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
