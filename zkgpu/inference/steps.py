"""Keys, proofs and verification for compiled models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zkgpu import groth16
from zkgpu.backend.protocol import Backend
from zkgpu.curves import curve_of
from zkgpu.errors import LengthError, SelfCheckError, UsageError
from zkgpu.groth16.keys import ProvingKey, VerifyingKey
from zkgpu.provers.statement import Statement
from zkgpu.stages import stage
from zkgpu.zkml.compiled import CompiledModel
from zkgpu.zkml.visibility import BINDING

if TYPE_CHECKING:
    from zkgpu.ceremony.ptau import PowersOfTau


def setup(compiled: CompiledModel, powers: PowersOfTau, backend: Backend, *, name: str = "") -> ProvingKey:
    """The key of the model's circuit, from a ceremony's powers of tau, with one contribution from this machine.

    Args:
        powers: what `zkgpu.load_powers` gives
        name: recorded with the contribution

    Raises as `groth16.setup`.
    """
    return groth16.setup(compiled.circuit.r1cs, powers, backend, name=name)


def unsafe_setup(compiled: CompiledModel, backend: Backend) -> ProvingKey:
    """A key whose maker can forge proofs: for tests."""
    return groth16.unsafe_setup(compiled.circuit.r1cs, backend)


class Prover:
    """A model and its key at home on a device, for many proofs.

    With private or hashed weights, `weights` of a call may be another model made by `CompiledModel.with_weights`.

    Args:
        compiled: the model, whose circuit is written where it was not yet
        key: what `setup` made of that circuit
        backend: what `zkgpu.open_backend` gives
        allow_insecure_key: accept a key for which anyone can forge proofs

    Raises UsageError for the key of another circuit or another curve's backend, InsecureKeyError for a weak key.
    """

    def __init__(
        self, compiled: CompiledModel, key: ProvingKey, backend: Backend, *, allow_insecure_key: bool = False
    ) -> None:
        self.compiled = compiled
        whole = key.with_circuit(compiled.circuit.r1cs)
        self._prover = groth16.Prover(whole, backend, allow_insecure_key=allow_insecure_key)

    @property
    def verifying_key(self) -> VerifyingKey:
        """What whoever verifies its proofs needs."""
        return self._prover.key.verifying_key

    def prove(
        self, inputs: Any, *, clamp: bool = False, weights: CompiledModel | None = None, binding: bytes = b""
    ) -> Any:
        """A verified proof of the model's outputs for one sample of real numbers; of a batch, a list with one for each.

        Args:
            inputs: as of `CompiledModel.samples`
            clamp: bring numbers outside of the calibrated range to its end, rather than refuse them, in the network
                too (`CompiledModel.run`)
            weights: the model whose weights to use, if not the compiled ones
            binding: the bytes that each proof is for, where the model was compiled with some

        Raises UsageError for inputs out of range, by index, for values in the network that a clamp would move far, and
        for the key of another model.
        """
        samples, is_batch = self.compiled.samples(inputs)
        made = self.prove_each(samples, clamp=clamp, weights=weights, binding=binding)
        return list(made) if is_batch else next(made)

    def prove_each(
        self,
        samples: Sequence[Mapping[str, Any]],
        *,
        clamp: bool = False,
        weights: CompiledModel | None = None,
        binding: bytes = b"",
    ) -> Iterator[Statement]:
        """The proofs of samples, as they are made, when all of them fit. Arguments and errors as of `prove`."""
        model = weights or self.compiled
        with stage("quantize inputs"):
            asked = [self._of_sample(model, samples, i, clamp, binding) for i in range(len(samples))]
        for inputs, values in asked:
            statement = self._proven(inputs)
            require_shown(model, self.verifying_key, values, statement)
            yield statement

    def _of_sample(
        self, model: CompiledModel, samples: Sequence[Mapping[str, Any]], i: int, clamp: bool, binding: bytes
    ) -> tuple[dict[str, object], dict[str, Any]]:
        """What the circuit's witness is computed from, and what its proof is to show."""
        try:
            integers = model.quantized(samples[i], clamp=clamp)
            return model.circuit_inputs(integers, binding), model.public_values(integers, binding, clamp=clamp)
        except UsageError as error:
            raise error if len(samples) == 1 else error.within(f"sample {i}") from None

    def _proven(self, given: Mapping[str, object]) -> Statement:
        """The circuit names a constraint that does not hold; where all hold and no proof comes of it, it is the key."""
        try:
            return self._prover.prove_circuit(self.compiled.circuit, given)
        except SelfCheckError as error:
            raise UsageError("the key is damaged or that of another model: set up this one again") from error


def require_shown(model: CompiledModel, key: VerifyingKey, wanted: Mapping[str, Any], statement: Statement) -> None:
    """Raises SelfCheckError unless a statement shows these values (`CompiledModel.public_values`)."""
    shown: dict[str, Any] = {**values_of(key, statement), **hashes_of(model.hash_names, statement)}
    for name, value in shown.items():
        if not np.array_equal(np.asarray(wanted[name]), value):
            raise SelfCheckError(f"the proof shows other values for '{name}' than the integer model computes")


def values_of(key: VerifyingKey, statement: Statement) -> dict[str, NDArray[Any]]:
    """The public tensors that a proof is about, by name, as integers.

    Raises FormatError or LengthError for malformed bytes, UsageError for packed values that are no bytes.
    """
    rounds = (commitment.round for commitment in key.commitments)
    return {name: array for round_ in rounds for name, array in round_.unpack(statement.packed).items()}


def binding_of(key: VerifyingKey, statement: Statement) -> bytes:
    """The bytes that a proof is for; none where the model was compiled without. Raises as `values_of`."""
    return bytes(int(v) for v in values_of(key, statement).get(BINDING, ()))


def binding_from(text: str | None) -> bytes:
    """The bytes that 0x.. spells, none where there is no text. Raises UsageError for anything else."""
    try:
        if text and not text.startswith("0x"):
            raise ValueError
        return bytes.fromhex((text or "").removeprefix("0x"))
    except ValueError as error:
        raise UsageError("a binding is written as 0x and two hexadecimal digits a byte") from error


def hashes_of(names: Sequence[str], statement: Statement) -> dict[str, int]:
    """The hashes that a proof shows, by name, canonical.

    Raises LengthError when there are not as many as names, UsageError for one that is no integer in [0, r).

    Args:
        names: `CompiledModel.hash_names`: NAME.hash of each hashed tensor, and weights.hash, which is to be compared
            with `CompiledModel.weights_hash` of the model that was published
    """
    hashes = curve_of(statement.proof.a.group).scalar_field.elements(statement.public_inputs, "public input")
    if len(names) != len(hashes):
        raise LengthError(f"{len(hashes)} public inputs, but the model shows {len(names)} hashes")
    return dict(zip(names, hashes, strict=True))


def verify(key: VerifyingKey, statement: Statement, *, allow_insecure_key: bool = False) -> bool:
    """Whether the proof shows that the model gives these values. Raises as groth16.verify for malformed questions."""
    return groth16.verify(
        key,
        statement.public_inputs,
        statement.proof,
        packed=statement.packed,
        allow_insecure_key=allow_insecure_key,
    )
