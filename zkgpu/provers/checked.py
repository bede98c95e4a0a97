"""What every prover does around its algebra: it checks, verifies, tries again, and says what was at fault."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from zkgpu.backend.beside import beside
from zkgpu.backend.protocol import Backend
from zkgpu.circuits.assignment import require_canonical, require_shape
from zkgpu.circuits.committed import ChallengeSource
from zkgpu.errors import InsecureKeyError, PointError, SelfCheckError, UnsatisfiedError, UsageError
from zkgpu.fields.field import Field, Limbs
from zkgpu.provers.statement import Statement
from zkgpu.stages import stage

if TYPE_CHECKING:
    from zkgpu.circuits.compiled import CompiledCircuit
    from zkgpu.circuits.r1cs import R1CS
    from zkgpu.provers.constraints import DeviceConstraints


log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Any)
Blinding = TypeVar("Blinding")
Self = TypeVar("Self", bound="CheckedProver[Any, Any]")
Witness: TypeAlias = "Limbs | Callable[[ChallengeSource], Limbs]"


class CheckedProver(ABC, Generic[Key, Blinding]):
    """A proving key at home on a device: loaded once, for many proofs, each verified before it is handed out.

    Args:
        key: the proving key; its arrays may be views of a mapped file
        backend: where to compute
        circuit: the key's constraints, when at hand: a wrong witness is then named by constraint at once
        allow_insecure_key: accept a key for which anyone can forge proofs

    A proof that does not verify is made again, and then on the device that this one falls back on; a warning names the
    faulty device. Only then are the witness and the key to blame.
    Raises InsecureKeyError for such a key, UsageError when key, circuit and backend do not belong together.
    """

    def __init__(
        self, key: Key, backend: Backend, *, circuit: R1CS | None = None, allow_insecure_key: bool = False
    ) -> None:
        if not allow_insecure_key:
            InsecureKeyError.raise_for(key.weakness())
        key.verifying_key.require_proper()
        _require_same_curve(key, backend)
        if circuit is not None:
            _require_same_shape(circuit, key)
        self.key, self.backend, self._circuit = key, backend, circuit
        self._allow_insecure_key = allow_insecure_key
        with stage("load key"), beside(backend):
            self._load()

    # what a proof system brings

    @abstractmethod
    def _load(self) -> None:
        """Put the key on the device."""

    @abstractmethod
    def _draw(self) -> Blinding:
        """The random scalars that hide the witness, from the operating system."""

    def _first_round(self, witness: Witness, blinding: Blinding) -> tuple[Limbs, Any]:
        """The assignment, and what `_make` takes of a first round; in a proof system without one, None."""
        if callable(witness):
            raise UsageError("the key is for a circuit without challenges: give its assignment")
        return witness, None

    @abstractmethod
    def _make(self, assignment: Limbs, first_round: Any, blinding: Blinding) -> Statement:
        """A statement that was not verified yet.

        Raises UsageError for a value that is not below the modulus, SelfCheckError where no proof comes of it.
        """

    @abstractmethod
    def _verify(self, statement: Statement) -> bool:
        """Whether the proof system's verifier accepts the statement."""

    @abstractmethod
    def _explain(self, witness: Witness) -> str | None:
        """What may be wrong with a witness of which no proof came, or None where it must be the key."""

    # what it gets

    def prove(self, witness: Witness, *, _blinding: Blinding | None = None) -> Any:
        """A proof that the circuit is satisfied, verified.

        Args:
            witness: (n_wires, 4) uint64 canonical limbs: the constant 1, public values, private values; or, for a
                circuit with challenges, a function from their source to that (`CompiledCircuit.deferred`)

        Raises UnsatisfiedError when it does not satisfy the circuit, UsageError when it cannot belong to the key,
        SelfCheckError when a proof of a right assignment does not verify.
        """
        return self.statement(witness, _blinding=_blinding).proof

    def statement(self, witness: Witness, *, _blinding: Blinding | None = None) -> Statement:
        """The same, with the public values that the proof is about."""
        return self._prove(witness, _blinding, holds=self._circuit is not None)

    def prove_circuit(
        self, circuit: CompiledCircuit, inputs: Mapping[str, object], *, _blinding: Blinding | None = None
    ) -> Statement:
        """A proof for these inputs, verified, with its public values. Raises as `prove` and `CompiledCircuit.witness`.

        The circuit's program checks its constraints, so it is the key's fault when no proof comes of it.
        """
        _require_same_rounds(circuit.r1cs, self.key)
        with beside(self.backend):
            witness = circuit.deferred(inputs) if circuit.r1cs.rounds else circuit.witness(inputs)
        return self._prove(witness, _blinding, holds=True)

    def public_inputs(self, assignment: Limbs) -> list[int]:
        """The public values of an assignment, in the verifier's order; without challenges and digest."""
        return self._field.from_limbs(assignment[1 : self.key.verifying_key.n_explicit_public + 1])

    @property
    def _field(self) -> Field:
        return self.backend.curve.scalar_field

    def _prove(self, witness: Witness, blinding: Blinding | None, holds: bool) -> Statement:
        """A verified statement; `holds` says that the witness is known to satisfy its constraints if this gets far."""
        blinding = blinding or self._draw()
        with beside(self.backend):
            for tries, prover in enumerate(self._in_turn()):
                statement = prover._verified(witness, blinding)
                if statement is not None:
                    self._warn(tries, prover.backend)
                    return statement
                log.debug("%s: a proof failed its self-check", prover.backend.name)
            reason = None if holds else self._explain(witness)
        if reason is not None:
            raise UnsatisfiedError(reason)
        raise SelfCheckError(
            "the witness satisfies the circuit, but the proof does not verify: "
            "the key is damaged or belongs to another circuit"
        )

    def _in_turn(self: Self) -> Iterator[Self]:
        """Who tries: this prover, once more, and one on the device that its own falls back on."""
        yield self
        yield self
        other = self.backend.fallback()
        if other is not None:
            yield type(self)(self.key, other, circuit=self._circuit, allow_insecure_key=self._allow_insecure_key)

    def _warn(self, tries: int, made_on: Backend) -> None:
        """Names this device where it was at fault."""
        name = self.backend.name
        if tries == 1:
            log.warning("%s: a proof failed its self-check and was made again: check this machine", name)
        if tries == 2:
            log.warning("%s: a proof failed its self-check twice: do not trust it; made on %s", name, made_on.name)

    def _verified(self, witness: Witness, blinding: Blinding) -> Statement | None:
        """A statement that verifies; None where it does not, or where there is none."""
        try:
            statement = self._made(witness, blinding)
        except SelfCheckError:
            return None
        return statement if self._accepts(statement) else None

    def _made(self, witness: Witness, blinding: Blinding) -> Statement:
        """A statement that was not verified yet, of an assignment that was checked."""
        assignment, first_round = self._first_round(witness, blinding)
        self._check(assignment)
        return self._make(assignment, first_round, blinding)

    def _check(self, assignment: Limbs) -> None:
        require_shape(assignment, self.key.circuit_shape[0], self._field)
        if self._circuit is not None:
            require_canonical(assignment, self._field)
            with stage("check constraints"):
                on_device = self._device_constraints
                if on_device is None or not on_device.hold(assignment):
                    self._circuit.check(assignment)

    @cached_property
    def _device_constraints(self) -> DeviceConstraints | None:
        """The circuit where the witness goes; None on a CPU, whose memory is where it comes from."""
        if self._circuit is None or self.backend.resident_form is not None:
            return None
        from zkgpu.provers.constraints import DeviceConstraints

        return DeviceConstraints(self._circuit, self.backend)

    def _accepts(self, statement: Statement) -> bool:
        with stage("self-check"):
            try:
                return self._verify(statement)
            except (PointError, UsageError):  # a faulty device may compute what is no point and no scalar
                return False


def _require_same_curve(key: Any, backend: Backend) -> None:
    curve = key.verifying_key.curve
    if curve is not backend.curve:
        raise UsageError(
            f"the key is over {curve.name}, the backend computes over {backend.curve.name}: open one over it"
        )


def _require_same_shape(circuit: R1CS, key: Any) -> None:
    mine, other = (circuit.n_wires, circuit.n_public, circuit.n_committed), key.circuit_shape
    if mine != other:
        raise UsageError(
            f"the circuit has {mine[0]} wires, {mine[1]} public inputs and {mine[2]} committed wires, "
            f"the key {other[0]}, {other[1]} and {other[2]}: they do not belong together"
        )
    _require_same_rounds(circuit, key)


def _require_same_rounds(circuit: R1CS, key: Any) -> None:
    """What is committed and packed, names and intervals of public arrays too: challenges depend on all of it."""
    if circuit.rounds != key.rounds:
        raise UsageError(
            "challenges or public arrays of the key are not those of the circuit, by number, name, shape or interval: "
            "the key is damaged or belongs to another circuit, copy it again or set up again"
        )
