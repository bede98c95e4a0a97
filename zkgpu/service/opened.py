"""A key that is open and at home on a device, and what its proofs are made of: the very files the commands take."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zkgpu.backend import Backend, open_backend
from zkgpu.errors import SelfCheckError, UsageError
from zkgpu.fields.field import Limbs
from zkgpu.formats.circuit_inputs import read_inputs
from zkgpu.formats.container import naming
from zkgpu.formats.public_values import public_values_to_json, read_public_values
from zkgpu.formats.wtns import MAGIC, read_wtns
from zkgpu.provers.proof_system import AnyProvingKey, AnyVerifyingKey
from zkgpu.provers.statement import Statement
from zkgpu.records import dataclass
from zkgpu.service.served import Served
from zkgpu.stages import stage
from zkgpu.systems.files import read_key, read_proof, read_verifying_key
from zkgpu.systems.registry import system_of

LARGE = 1 << 17  # rows of a domain above which a proof gets all threads; smaller ones run side by side


@dataclass(frozen=True)
class Devices:
    """One device twice: for one proof at a time with all threads, and for one of several with its share of them."""

    whole: Backend
    share: Backend

    @classmethod
    def open(cls, device: str, threads: int, share: int) -> Devices:
        """Raises as `open_backend`."""
        whole = open_backend(device, threads=threads)
        alike = threads == share or whole.resident_form is None
        return cls(whole, whole if alike else open_backend(device, threads=share))

    def of(self, key: AnyProvingKey) -> Backend:
        return self.whole if key.domain_size > LARGE else self.share


@dataclass(frozen=True)
class Options:
    """What a job may ask for beside its inputs.

    Attributes:
        clamp, binding: as of `zkgpu zkml prove`
        seconds: how long a circuit's calculator may run
    """

    clamp: bool = False
    binding: str = ""
    seconds: float = 600.0


class OpenKey(ABC):
    """A prover under a name. `key` is its proving key, `device` where it is."""

    key: AnyProvingKey

    @abstractmethod
    def statements(self, body: bytes, options: Options) -> tuple[list[Statement], bool]:
        """The proofs of what a file holds, and whether it is a batch. Raises as the command that takes such a file."""

    @property
    @abstractmethod
    def device(self) -> str: ...

    def statement_facts(self) -> dict[str, Any]:
        """The statement of a model's proofs."""
        return {}

    def results(self, body: bytes, options: Options) -> dict[str, Any]:
        """The proofs and public values as JSON: of one, or "proofs" of a batch."""
        statements, is_batch = self.statements(body, options)
        shown = [_shown(statement) for statement in statements]
        return {"proofs": shown} if is_batch else shown[0]


class CircuitKey(OpenKey):
    """A .zkey of any proof system, for witnesses; for inputs where the circuit's calculator is at hand."""

    def __init__(self, served: Served, devices: Devices) -> None:
        from zkgpu.formats.r1cs import read_r1cs

        with stage("open key"):
            self.key = read_key(served.path, devices.whole.first_invalid_point)
        r1cs = read_r1cs(served.circuit) if served.circuit else None
        self._prover = system_of(self.key).prover(self.key, devices.of(self.key), circuit=r1cs)
        self._calculator = served.calculator

    @property
    def device(self) -> str:
        name: str = self._prover.backend.name
        return name

    def statements(self, body: bytes, options: Options) -> tuple[list[Statement], bool]:
        if options.clamp or options.binding:
            raise UsageError("clamp and binding are for models: leave them out for a circuit's key")
        return [self._prover.statement(witness_of(body, self.key, self._calculator, options))], False


def witness_of(body: bytes, key: AnyProvingKey, calculator: str | None, options: Options) -> Limbs:
    """The assignment in a .wtns, or what a circuit's calculator computes of an input.json. Raises as both readers."""
    field = key.verifying_key.curve.scalar_field
    if body.startswith(MAGIC):
        return read_wtns(body, field)
    if calculator is None:
        raise UsageError("these are no witness (.wtns), and there is no calculator (.wasm) with this key")
    from zkgpu.circom import Limits, compute_witness

    wires = getattr(key, "n_circuit_wires", key.n_wires)
    with stage("compute witness"):
        limits = Limits(seconds=options.seconds, wires=wires)
        with naming(body):
            return compute_witness(calculator, read_inputs(body, field), field, limits)


class ModelKey(OpenKey):
    """The build folder of a model, for inputs."""

    def __init__(self, served: Served, devices: Devices) -> None:
        from zkgpu.inference import Folder

        folder = Folder(Path(served.path))
        self._compiled, self.key = folder.read_model(), folder.read_key(devices.whole)
        folder.require_whole(self.key)
        self._statement = folder.read_statement()
        self._statement.require_key(self.key.verifying_key)
        self._backend = devices.of(self.key)
        self._prover = folder.prover(self._compiled, self.key, self._backend)

    @property
    def device(self) -> str:
        return self._backend.name

    def statement_facts(self) -> dict[str, Any]:
        return {"statement": self._statement.to_json()}

    def statements(self, body: bytes, options: Options) -> tuple[list[Statement], bool]:
        from zkgpu.inference import binding_from
        from zkgpu.inference.folder import read_inputs as read_samples

        with naming(body):
            samples, is_batch = self._compiled.samples(read_samples(body, self._compiled))
            made = self._prover.prove_each(samples, clamp=options.clamp, binding=binding_from(options.binding))
            return list(made), is_batch


def open_served(served: Served, devices: Devices) -> OpenKey:
    """The key on the device. Raises as the commands that open such files."""
    return ModelKey(served, devices) if served.is_model else CircuitKey(served, devices)


def facts_of(served: Served, opened: OpenKey) -> dict[str, Any]:
    """What a client may know of a key."""
    key = opened.key
    return {
        "kind": "model" if served.is_model else "circuit",
        "protocol": key.verifying_key.protocol,
        "wires": key.n_wires,
        "domain": key.domain_size,
        "public": key.n_public,
        "unsafe": key.is_unsafe,
        "bytes": size_of(served),
        "large": key.domain_size > LARGE,
        "takes_inputs": served.is_model or served.calculator is not None,
        "digest": key.file_digest,
        "verification_key": key.verifying_key.to_json(),
        **opened.statement_facts(),
    }


def size_of(served: Served) -> int:
    """Bytes of its files: about what the key takes in memory, on a device too."""
    return sum(map(os.path.getsize, served.files))


def _shown(statement: Statement) -> dict[str, Any]:
    inputs, proof, packed = statement
    return {"proof": proof.to_json(), "public": public_values_to_json(inputs, packed, proof.has_packed_values)}


def statement_from(shown: Mapping[str, Any], key: AnyVerifyingKey) -> Statement:
    """The statement that `OpenKey.results` shows. Raises SelfCheckError unless it is valid by the key."""
    proof = read_proof(json.dumps(shown["proof"]).encode(), key)
    public_inputs, packed = read_public_values(json.dumps(shown["public"]).encode(), key.curve)
    if not system_of(key).verify(key, public_inputs, proof, packed=packed):
        raise SelfCheckError("the proof that was sent does not verify: nothing is written")
    return Statement(public_inputs, proof, packed)


def verifying_key_from(value: Any) -> AnyVerifyingKey:
    """The key whose verification_key.json has this value."""
    return read_verifying_key(json.dumps(value).encode())
