"""What a proof system brings for the EVM: a module NAME_contract of this folder with its FORM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from zkgpu.circuits.committed import CommittedRound
from zkgpu.errors import UsageError
from zkgpu.systems.registry import NAMES

Substitutions = dict[str, object]


@dataclass(frozen=True)
class ContractForm:
    """The contract of a proof system, and the calls of it.

    Attributes:
        contract_name: unless another is given
        template: template(key): the template's file, and what fills its holes
        parameters: parameters(proof): the types of the proof's own arguments
        words: words(proof): the proof as words of 32 bytes
        arguments: arguments(words, inputs, packed): those of verifyProof, lists of words and bytes
        text: text(words, inputs, packed): the arguments as snarkjs prints them; words and inputs in hexadecimal
        gas: gas(n_public, round): to send with a call
    """

    contract_name: str
    template: Callable[[Any], tuple[str, Substitutions]]
    parameters: Callable[[Any], str]
    words: Callable[[Any], list[int]]
    arguments: Callable[[Sequence[int], Sequence[int], bytes], list[Any]]
    text: Callable[[Sequence[str], Sequence[str], bytes], str]
    gas: Callable[[int, CommittedRound | None], int]


def form(system: str) -> ContractForm:
    """The form of the proof system of that name."""
    found: ContractForm = import_module(f"zkgpu.solidity.{system}_contract").FORM
    return found


def form_of(value: Any, what: str) -> ContractForm:
    """The form for a key or a proof. Raises UsageError for anything else; `what` is the type that is wanted."""
    system = getattr(value, "system", None)
    if system not in NAMES or type(value).__name__ != what:
        raise UsageError(f"a {type(value).__name__} is given, not a {what}: read it from its file")
    return form(system)


def public_parameters(n: int, packed_size: int = 0) -> Substitutions:
    """The parameters after the proof: n public inputs, and packed values."""
    docs = [*(["input The public inputs."] if n else []), *(["packed The packed values."] if packed_size else [])]
    declared = [*([f"uint256[{n}] calldata input"] if n else []), *(["bytes calldata packed"] if packed_size else [])]
    return {
        "input_doc": "".join(f"    /// @param {line}\n" for line in docs),
        "input_parameter": "".join(f",\n        {parameter}" for parameter in declared),
        "input_argument": "".join(f", {parameter.split()[-1]}" for parameter in declared),
    }
