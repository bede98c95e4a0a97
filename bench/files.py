"""Where a bench keeps the files of one circuit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zkgpu.circuits.r1cs import R1CS
from zkgpu.fields.field import Limbs
from zkgpu.formats.r1cs import write_r1cs
from zkgpu.formats.wtns import write_wtns
from zkgpu.groth16 import ProvingKey
from zkgpu.groth16.json import write_verifying_key
from zkgpu.groth16.zkey import write_zkey


@dataclass(frozen=True)
class CircuitFiles:
    """Circuit, witness, key and verification key; of a circom circuit also its inputs and calculator."""

    folder: Path
    name: str

    @property
    def r1cs(self) -> Path:
        return self.folder / f"{self.name}.r1cs"

    @property
    def calculator(self) -> Path:
        return self.folder / f"{self.name}_js" / f"{self.name}.wasm"

    @property
    def inputs(self) -> Path:
        return self.folder / "input.json"

    @property
    def witness(self) -> Path:
        return self.folder / f"{self.name}.wtns"

    @property
    def key(self) -> Path:
        return self.folder / f"{self.name}.zkey"

    @property
    def verifying_key(self) -> Path:
        return self.folder / f"{self.name}.json"

    def write(self, r1cs: R1CS, assignment: Limbs, key: ProvingKey) -> None:
        """Writes all that has not come from a compiler."""
        if not self.r1cs.exists():
            write_r1cs(self.r1cs, r1cs)
        write_wtns(self.witness, r1cs.field, assignment)
        write_zkey(self.key, key)
        write_verifying_key(self.verifying_key, key.verifying_key)
