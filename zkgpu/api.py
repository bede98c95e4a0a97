"""The package's face: load keys, witnesses and proofs, from a path or bytes; prove and verify, in any proof system."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from zkgpu.backend import open_backend
from zkgpu.backend.protocol import Backend
from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.compiled import CompiledCircuit
from zkgpu.circuits.r1cs import R1CS
from zkgpu.curves.points import Curve
from zkgpu.errors import UsageError
from zkgpu.fields.field import Limbs
from zkgpu.formats.container import Source
from zkgpu.provers.proof_system import AnyProof, AnyProvingKey, AnyVerifyingKey
from zkgpu.provers.statement import Statement
from zkgpu.stages import Cancel, cancellable
from zkgpu.systems import files
from zkgpu.systems.registry import NAMES, system, system_of

if TYPE_CHECKING:
    from zkgpu.ceremony.ptau import PowersOfTau


def load_key(source: Source, *, backend: Backend | str = "cpu") -> AnyProvingKey:
    """The proving key in a .zkey file of any proof system, all its points checked; `key.system` names the system.

    Args:
        backend: where points are checked

    Raises FormatError, PointError or InsecureKeyError for a damaged, wrong or weak key.
    """
    return files.read_key(source, _backend(backend).first_invalid_point)


def load_verifying_key(source: Source) -> AnyVerifyingKey:
    """The verifying key in a verification_key.json. Raises FormatError or PointError."""
    return files.read_verifying_key(source)


def load_proof(source: Source, key: AnyVerifyingKey | None = None) -> AnyProof:
    """The proof in a proof.json, of the proof system of `key` when one is given. Raises FormatError or PointError."""
    return files.read_proof(source, key)


def load_witness(source: Source) -> Limbs:
    """The assignment in a .wtns file: (n, limbs) uint64 canonical limbs. Raises FormatError."""
    from zkgpu.formats.wtns import read_wtns

    return read_wtns(source)


def load_r1cs(source: Source) -> R1CS:
    """The constraints in a .r1cs file. Raises FormatError."""
    from zkgpu.formats.r1cs import read_r1cs

    return read_r1cs(source)


def load_powers(source: Source) -> PowersOfTau:
    """The powers of tau in a .ptau file, which `setup` checks. Raises FormatError."""
    from zkgpu.ceremony.ptau import read_ptau

    return read_ptau(source)


class Prover:
    """A key at home on a device, for many proofs; usable in a `with` block.

    Args:
        key: of any proof system
        device: a backend, or what `open_backend` takes: "auto", "cpu", "cuda", "cuda:1"
        threads: of the CPU, all by default
        circuit: a Circuit, compiled or not, or its R1CS: a wrong witness is named by its constraint
        allow_insecure_key: accept a key for which anyone can forge proofs
    """

    def __init__(
        self,
        key: AnyProvingKey,
        device: Backend | str = "auto",
        *,
        threads: int | None = None,
        circuit: Circuit | CompiledCircuit | R1CS | None = None,
        allow_insecure_key: bool = False,
    ) -> None:
        _require_kind(key, "ProvingKey", "load_key")
        self.key = key
        self._circuit = circuit.compile() if isinstance(circuit, Circuit) else circuit
        self._open = system_of(key).prover(
            key,
            _backend(device, threads, key.verifying_key.curve),
            circuit=None if self._circuit is None else _constraints(self._circuit),
            allow_insecure_key=allow_insecure_key,
        )

    @property
    def _prover(self) -> Any:
        """The proof system's own. Raises UsageError once the `with` block is over."""
        if self._open is None:
            raise UsageError("this prover is closed, as its `with` block is over: open another")
        return self._open

    @property
    def backend(self) -> Backend:
        """The device that proves. Raises UsageError once the `with` block is over."""
        backend: Backend = self._prover.backend
        return backend

    def prove(self, witness: Limbs | Mapping[str, object], *, cancel: Cancel | None = None) -> Statement:
        """A verified proof. Threads may share a prover.

        Args:
            witness: an assignment, as `load_witness` and `CompiledCircuit.witness` give it; or inputs by name, where
                the prover was given a circuit that computes
            cancel: a `threading.Event`, say: once it is set the proof stops before its next stage

        Raises UnsatisfiedError for what does not satisfy the circuit, UsageError for what cannot belong to the key,
        CancelledError for a proof that was stopped.
        """
        with cancellable(cancel):
            return self._prove_inputs(witness) if isinstance(witness, Mapping) else self._prove_assignment(witness)

    async def prove_async(self, witness: Limbs | Mapping[str, object]) -> Statement:
        """`prove` in a thread, beside the event loop.

        A task that is cancelled stops its proof before the next stage, and ends when that has stopped.
        """
        import asyncio  # here, as it takes longer than the rest of this module

        stop = threading.Event()
        proof = asyncio.ensure_future(asyncio.to_thread(self.prove, witness, cancel=stop))
        try:
            return await asyncio.shield(proof)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.gather(proof, return_exceptions=True)
            raise

    def _prove_assignment(self, witness: Limbs) -> Statement:
        statement: Statement = self._prover.statement(_assignment(witness))
        return statement

    def _prove_inputs(self, inputs: Mapping[str, object]) -> Statement:
        circuit = self._circuit
        if not isinstance(circuit, CompiledCircuit):
            raise UsageError("inputs by name need a circuit that computes: give Prover(key, circuit=circuit)")
        statement: Statement = self._prover.prove_circuit(circuit, inputs)
        return statement

    def __enter__(self) -> Prover:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lets go of the key on the device: no more proofs."""
        self._open = None


def prove(
    key: AnyProvingKey, witness: Limbs | Mapping[str, object], device: Backend | str = "auto", **options: Any
) -> Statement:
    """One proof; a `Prover` keeps the key for more. Options and errors are those of `Prover`."""
    return Prover(key, device, **options).prove(witness)


def verify(key: AnyVerifyingKey, statement: Statement, *, allow_insecure_key: bool = False) -> bool:
    """Whether the statement's proof is valid for its public values. Raises as `groth16.verify` and `plonk.verify`."""
    _require_kind(key, "VerifyingKey", "load_verifying_key, or a proving key's .verifying_key")
    _require_statement(statement)
    return system_of(key).verify(
        key,
        statement.public_inputs,
        statement.proof,
        packed=statement.packed,
        allow_insecure_key=allow_insecure_key,
    )


def verify_batch(key: AnyVerifyingKey, statements: Sequence[Statement], *, allow_insecure_key: bool = False) -> bool:
    """Whether all of the statements are valid; Groth16's take hardly more than one does. Raises as `verify`."""
    _require_kind(key, "VerifyingKey", "load_verifying_key, or a proving key's .verifying_key")
    statements = list(statements)
    for statement in statements:
        _require_statement(statement)
    return system_of(key).verify_batch(key, statements, allow_insecure_key=allow_insecure_key)


def setup(
    circuit: Circuit | CompiledCircuit | R1CS,
    powers: PowersOfTau,
    protocol: str = "groth16",
    *,
    backend: Backend | str = "auto",
    name: str = "",
) -> AnyProvingKey:
    """A key from a ceremony's powers of tau (`load_powers`). Raises as the proof system's own `setup`.

    Args:
        protocol: "groth16" or "plonk"
        backend: where points are computed, or the name of a device as of `open_backend`
        name: recorded with the contribution to a Groth16 key
    """
    given = {"name": name} if name else {}
    key: AnyProvingKey = _system(protocol).setup(_constraints(circuit), powers, _backend(backend), **given)
    return key


def unsafe_setup(
    circuit: Circuit | CompiledCircuit | R1CS, protocol: str = "groth16", *, backend: Backend | str = "auto"
) -> AnyProvingKey:
    """A key whose maker can forge proofs, as it says of itself: for tests."""
    key: AnyProvingKey = _system(protocol).unsafe_setup(_constraints(circuit), _backend(backend))
    return key


def _system(protocol: str) -> Any:
    if protocol not in NAMES:
        raise UsageError(f"there is no proof system {protocol!r}: give {' or '.join(map(repr, NAMES))}")
    return system(protocol)


def _backend(device: Backend | str, threads: int | None = None, curve: Curve | None = None) -> Backend:
    if isinstance(device, str):
        return open_backend(device, threads=threads, curve=curve)
    if not hasattr(device, "resident_form"):
        raise UsageError(f"a {type(device).__name__} is given, not a device: give its name or an open backend")
    return device


def _constraints(circuit: Circuit | CompiledCircuit | R1CS) -> R1CS:
    if isinstance(circuit, Circuit):
        circuit = circuit.compile()
    if isinstance(circuit, CompiledCircuit):
        return circuit.r1cs
    if isinstance(circuit, R1CS):
        return circuit
    raise UsageError(f"a {type(circuit).__name__} is given, not a circuit: give a Circuit, or an R1CS by load_r1cs")


def _assignment(witness: Any) -> Limbs:
    """The assignment, if it is one."""
    if not isinstance(witness, np.ndarray):
        raise UsageError(
            f"a {type(witness).__name__} is given for a witness: give what load_witness or a compiled circuit's "
            "witness(inputs) returns, or inputs by name"
        )
    return witness


def _require_statement(value: Any) -> None:
    if not isinstance(value, Statement):
        raise UsageError(
            f"a {type(value).__name__} is given, not a Statement: give Statement(public_inputs, proof), "
            "or what Prover.prove returned"
        )


def _require_kind(value: Any, kind: str, how: str) -> None:
    """Raises UsageError unless this is a key of that kind, of any proof system."""
    if getattr(value, "system", None) not in NAMES or type(value).__name__ != kind:
        raise UsageError(f"a {type(value).__name__} is given, not a {kind}: get one by {how}")
