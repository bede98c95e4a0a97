"""A proof with all that a verifier needs beside the key, of any proof system."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from zkgpu.formats import public_values, strict_json
from zkgpu.formats.atomic import together
from zkgpu.notebook import listed, table
from zkgpu.records import dataclass


@dataclass(frozen=True)
class Statement:
    """A proof with all that a verifier needs beside the key.

    Attributes:
        public_inputs: integers in [0, r), outputs of the circuit first; without challenges and digest
        proof: of any proof system
        packed: the public arrays of a circuit that has some

    Unpacks into these three.
    """

    public_inputs: Sequence[int]
    proof: Any
    packed: bytes = b""

    def __iter__(self) -> Iterator[Any]:
        return iter((self.public_inputs, self.proof, self.packed))

    def __repr__(self) -> str:
        packed = f", {len(self.packed):,} packed bytes" if self.packed else ""
        return f"<statement of {len(self.public_inputs)} public inputs{packed}, {self.proof!r}>"

    def _repr_html_(self) -> str:
        packed = f"{len(self.packed):,} bytes" if self.packed else None
        facts = {"public inputs": listed(self.public_inputs) or "none", "packed values": packed, "proof": self.proof}
        return table("statement", facts)

    def save(self, path: str | os.PathLike[str], public: str | os.PathLike[str] | None = None) -> None:
        """Writes a proof and its public values, both or neither; where the proof lies, they do (`atomic.together`).

        Args:
            public: `public_values.public_beside` the proof by default
        """
        public = public_values.public_beside(path) if public is None else public
        values = public_values.public_values_to_json(self.public_inputs, self.packed, self.proof.has_packed_values)
        with together(public, path) as (public_part, proof_part):
            strict_json.dump(public_part, values)
            strict_json.dump(proof_part, self.proof.to_json())

    def calldata(self) -> bytes:
        """The call of the contract's verifyProof. Raises as `zkgpu.solidity.calldata`."""
        data: bytes = _contracts().calldata(self.proof, self.public_inputs, packed=self.packed)
        return data

    def solidity_arguments(self) -> list[Any]:
        """The arguments of verifyProof as Python integers, lists of them, and bytes: what web3.py takes."""
        arguments: list[Any] = _contracts().arguments(self.proof, self.public_inputs, packed=self.packed)
        return arguments


def _contracts() -> Any:
    """The room of contracts, brought in when a statement's call is made: it is above all proof systems."""
    return import_module("zkgpu.solidity")
