"""Contracts for models that read digits: compiled once with stand-ins for a key's numbers, linked for any key.

Both models of the tests take 64 pixels from 0 to 16 and give 10 scores, so all their contracts are of these few forms.
"""

from __future__ import annotations

from pathlib import Path

from committed_instances import made_trapdoor
from evm import CONTRACTS, Contract, creation_code

from zkgpu.circuits.committed import CommittedRound, PublicArray
from zkgpu.groth16 import VerifyingKey
from zkgpu.solidity import CompiledContract, standin_source

_ARRAYS = (PublicArray("pixels", (64,), 0, 16), PublicArray("scores", (10,), -(2**31), 2**31 - 1))
_BOUND = (*_ARRAYS, PublicArray("binding", (20,), 0, 255))
# by the number of public inputs that are given, of challenges, and of bytes of a binding
FORMS = {
    (0, 1, 0): "digits_sums_only",
    (0, 2, 0): "digits",
    (1, 2, 0): "digits_hashed",
    (0, 1, 20): "digits_sums_only_bound",
    (0, 2, 20): "digits_bound",
}
DEMO = Path(__file__).parents[2] / "zkgpu" / "demo" / "digits_contract.json"


def standin_sources() -> dict[str, str]:
    """The sources with stand-ins, by name."""
    keys = {
        name: made_trapdoor(name, given, CommittedRound(1, challenges, _BOUND if bound else _ARRAYS)).verifying_key()
        for (given, challenges, bound), name in FORMS.items()
    }
    return {name: standin_source(key) for name, key in keys.items()}


def compiled_form(name: str) -> CompiledContract:
    return CompiledContract.of((CONTRACTS / f"{name}.sol").read_text(), creation_code(name).hex())


def linked_code(key: VerifyingKey) -> bytes:
    """Creation code of the contract of a model's key."""
    return compiled_form(form_of(key)).for_key(key)


def form_of(key: VerifyingKey) -> str:
    round_ = key.required_commitment.round
    return FORMS[key.n_explicit_public, round_.n_challenges, sum(a.size for a in round_.arrays if a.name == "binding")]


def deployed(key: VerifyingKey) -> Contract:
    """That contract, in a chain of its own."""
    return Contract(linked_code(key))
