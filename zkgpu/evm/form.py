"""What a proof system brings for the EVM: a module `contract` of its folder with its FORM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zkgpu.circuits.committed import CommittedRound
from zkgpu.records import dataclass

Substitutions = dict[str, object]


@dataclass(frozen=True)
class ContractForm:
    """The contract of a proof system, and the calls of it.

    Attributes:
        contract_name: unless another is given
        template: template(key): the template's file beside the module, and what fills its holes
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


def public_parameters(n: int, packed_size: int = 0) -> Substitutions:
    """The parameters after the proof: n public inputs, and packed values."""
    docs = [*(["input The public inputs."] if n else []), *(["packed The packed values."] if packed_size else [])]
    declared = [*([f"uint256[{n}] calldata input"] if n else []), *(["bytes calldata packed"] if packed_size else [])]
    return {
        "input_doc": "".join(f"    /// @param {line}\n" for line in docs),
        "input_parameter": "".join(f",\n        {parameter}" for parameter in declared),
        "input_argument": "".join(f", {parameter.split()[-1]}" for parameter in declared),
    }
