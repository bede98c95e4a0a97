"""The build folder of a model: everything that its five steps read and write, under fixed names."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkgpu import __version__, solidity
from zkgpu.backend.protocol import Backend
from zkgpu.errors import FormatError, ResourceError, UsageError, ZkgpuError
from zkgpu.formats import strict_json
from zkgpu.formats.atomic import replacing, together, write_text
from zkgpu.formats.container import Source, map_file
from zkgpu.formats.json_values import located
from zkgpu.formats.kinds import STATEMENT
from zkgpu.formats.samples import read_samples
from zkgpu.groth16.json import read_verifying_key, write_verifying_key
from zkgpu.groth16.keys import ProvingKey, VerifyingKey
from zkgpu.groth16.zkey import read_zkey, write_zkey
from zkgpu.inference.statement import ModelStatement
from zkgpu.inference.stored import open_circuit, packed_circuit
from zkgpu.records import dataclass
from zkgpu.stages import stage
from zkgpu.store.digests import is_known, remember
from zkgpu.zkml.compiled import CompiledModel
from zkgpu.zkml.storage import dump, parse

if TYPE_CHECKING:
    from zkgpu.inference.steps import Prover

log = logging.getLogger(__name__)

_MODEL, _KEY, _VERIFYING_KEY, _CONTRACT = "model.npz", "key.zkey", "verification_key.json", "Verifier.sol"
_STATEMENT, _CIRCUIT = "statement.json", "circuit.bin"
_WIDEST = 8  # bytes of a number
_SAMPLES = 1 << 10  # in a batch
_HEADERS = 1 << 16  # of the arrays in an .npz file, with room to spare
_KEYS = (_KEY, _VERIFYING_KEY, _CONTRACT)
_NUMBER = re.compile(r"\b(?:0x[0-9a-fA-F]{16,}|[0-9]{20,})\b")


@dataclass(frozen=True)
class Folder:
    """A build folder.

    model.npz               the integer model with its weights, and how it was made
    circuit.bin             its circuit, which a proof writes again where this file is missing, or not of this version
    key.zkey                the proving key
    verification_key.json   the verifying key
    statement.json          what a proof says, and in which form: names, shapes, types, scales and labels
    Verifier.sol            the contract
    A verifier needs the verifying key and the statement, and neither the model nor the proving key.
    """

    path: Path

    @property
    def key_file(self) -> Path:
        """Where the proving key lies."""
        return self.path / _KEY

    @property
    def files(self) -> list[Path]:
        """The places of all its files."""
        return [self.path / name for name in (_MODEL, _STATEMENT, _CIRCUIT, *_KEYS)]

    def holds_another(self, compiled: CompiledModel) -> bool:
        """Whether a model of another circuit was compiled here, or something that cannot be read, or keys alone."""
        if not (self.path / _MODEL).exists():
            return any((self.path / name).exists() for name in _KEYS)
        try:
            is_same = (self.path / _MODEL).read_bytes() == dump(compiled)
            return not is_same and not self.read_model().circuit.r1cs.is_same(compiled.circuit.r1cs)
        except ZkgpuError:
            return True

    def write_model(self, compiled: CompiledModel) -> None:
        """The model, for its owner's eyes only where weights are private or hashed, and the statement.

        Keys of another circuit go: where a model lies, the keys beside it are its own.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        secret = compiled.visibilities.weights != "public"
        stale = [self.path / name for name in _KEYS] if self.holds_another(compiled) else []
        paths, data = (self.path / _STATEMENT, self.path / _MODEL), dump(compiled)
        with stage("write model"), together(*paths, remove=[*stale, self.path / _CIRCUIT]) as (statement, model):
            strict_json.dump(statement, ModelStatement.of(compiled).to_json())
            with replacing(model, secret=secret) as file:
                file.write(data)
        self._write_circuit(compiled, data)

    def prover(self, compiled: CompiledModel, key: ProvingKey, backend: Backend, **options: bool) -> Prover:
        """The Prover of what was read from here. Keeps the circuit where `read_model` found none of this version.

        Args and errors as of Prover.
        """
        from zkgpu.inference.steps import Prover

        was_kept, prover = compiled.has_circuit, Prover(compiled, key, backend, **options)
        if not was_kept:
            with stage("write circuit"):
                self._write_circuit(compiled, (self.path / _MODEL).read_bytes())
        return prover

    def _write_circuit(self, compiled: CompiledModel, model_file: bytes) -> None:
        """The circuit, where it can be kept: a full disk costs only the time to write it again."""
        parts = packed_circuit(compiled, model_file)
        if parts is None:
            return
        try:
            with replacing(self.path / _CIRCUIT, secret=compiled.visibilities.weights != "public") as file:
                file.writelines(parts)
        except ResourceError as error:
            log.warning("the circuit is not kept: %s", error)

    def read_model(self, memory: int | None = None) -> CompiledModel:
        """The model, with its circuit where that was kept.

        Raises UsageError when nothing was compiled here, FormatError for a damaged file, else as `storage.parse`.
        """
        self._require(_MODEL, "zkgpu zkml compile")
        with stage("read model"):
            data = map_file(self.path / _MODEL)
            compiled = parse(data.tobytes(), os.fspath(self.path / _MODEL), memory)
        with stage("open circuit"):
            circuit = open_circuit(self.path / _CIRCUIT, compiled, data)
        return compiled if circuit is None else compiled.with_circuit(circuit)

    def write_key(self, key: ProvingKey, compiled: CompiledModel) -> None:
        """The proving key, the verifying key and the contract, whose first lines give the statement.

        The proving key has no matrices: they are those of the circuit that it names.
        """
        notes, bare = ModelStatement.of(compiled).comments(), key.without_matrices(compiled.circuit.r1cs)
        paths = self.path / _CONTRACT, self.path / _VERIFYING_KEY, self.key_file
        with stage("write key"), together(*paths) as (contract, verifying_key, proving_key):
            write_text(contract, solidity.verifier_source(key.verifying_key, notes=notes))
            write_verifying_key(verifying_key, key.verifying_key)
            write_zkey(proving_key, bare)

    def require_whole(self, key: ProvingKey) -> None:
        """Raises FormatError unless the verifying key and the contract, where they are there, are those of the key.

        A contract that was found to be that of a verifying key is remembered by the bytes of both.
        """
        mark = self._mark_of_contract()
        path, contract = self.path / _VERIFYING_KEY, self.path / _CONTRACT
        if path.is_file() and read_verifying_key(path) != key.verifying_key:
            raise FormatError(
                f"{path}: this is not the verifying key of {_KEY} beside it: run `zkgpu zkml setup` again"
            )
        if not contract.is_file() or (mark is not None and is_known(mark)):
            return
        wanted = _numbers(solidity.verifier_source(key.verifying_key, allow_insecure=True))
        if not wanted <= _numbers(contract.read_text(errors="replace")):
            raise FormatError(f"{contract}: this is not the contract of {_KEY} beside it: run `zkgpu zkml setup` again")
        if mark is not None and mark == self._mark_of_contract():
            remember(mark)

    def _mark_of_contract(self) -> str | None:
        """By which it is remembered that a contract is that of a verifying key: a digest of the bytes of both."""
        paths = self.path / _VERIFYING_KEY, self.path / _CONTRACT
        if not all(path.is_file() for path in paths):
            return None
        parts = [hashlib.sha256(path.read_bytes()).digest() for path in paths]
        return hashlib.sha256(b"".join([b"zkgpu contract", __version__.encode(), *parts])).hexdigest()

    def read_key(self, backend: Backend) -> ProvingKey:
        """The proving key, its points checked. Raises UsageError where there is none, or as `read_zkey`."""
        self._require(_KEY, "zkgpu zkml setup")
        with stage("open key"):
            return read_zkey(self.key_file, backend.first_invalid_point)

    def read_verifying_key(self) -> VerifyingKey:
        """Raises UsageError where there is none, FormatError or PointError for a damaged one."""
        self._require(_VERIFYING_KEY, "zkgpu zkml setup")
        return read_verifying_key(self.path / _VERIFYING_KEY)

    def read_statement(self) -> ModelStatement:
        """What a proof says. Raises FormatError for a damaged file."""
        self._require(_STATEMENT, "zkgpu zkml compile")
        path = self.path / _STATEMENT
        return located(path, ModelStatement.from_json, strict_json.load(path, STATEMENT))

    def require_built(self) -> None:
        """Raises UsageError unless all is there that a proof takes, and its verifier."""
        for name, command in ((_MODEL, "compile"), (_STATEMENT, "compile"), (_KEY, "setup"), (_VERIFYING_KEY, "setup")):
            self._require(name, f"zkgpu zkml {command}")

    def _require(self, name: str, command: str) -> None:
        if not (self.path / name).is_file():
            raise UsageError(f"{self.path}: there is no {name} in this folder: run `{command}` first")


def _numbers(contract: str) -> set[str]:
    """The long numbers in a contract, which are those of its key."""
    return set(_NUMBER.findall(contract))


def read_inputs(path: Source, compiled: CompiledModel, memory: int | None = None) -> Any:
    """What a file holds for the inputs of a model, by name, or the one array that it is.

    Args:
        memory: bytes that they may take; by default four times those of 1,024 samples

    Raises as `formats.samples.read_samples`.
    """
    shapes = {tensor.name: tensor.shape for tensor in compiled.model.inputs}
    declared = sum(_WIDEST * math.prod(shape) for shape in shapes.values())
    return read_samples(path, shapes, only=True, memory=memory or 4 * declared * _SAMPLES + _HEADERS)
