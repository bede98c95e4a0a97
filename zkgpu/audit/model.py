"""The model of an audit: its hash, and the digests of what an inference was given and what it answered.

A digest is the Keccak-256 of what the call of the model's verifier shows: the words of Poseidon hashes, then packed
bytes. The contract takes both from the call itself, so a proof answers for the inputs and outputs that were logged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.audit.log import Inference
from zkgpu.audit.tree import words
from zkgpu.circuits.committed import PublicArray
from zkgpu.errors import FormatError, UsageError
from zkgpu.evm.abi import SELECTOR_BYTES, WORD_BYTES, selector
from zkgpu.fields.field import random_bytes
from zkgpu.formats import strict_json
from zkgpu.groth16.commitment import key_digest
from zkgpu.groth16.keys import VerifyingKey
from zkgpu.inference import CompiledModel, ModelStatement
from zkgpu.records import dataclass
from zkgpu.systems.registry import contract_form
from zkgpu.transcript import Transcript, keccak256
from zkgpu.zkml.visibility import WEIGHTS_HASH, hash_name

_TAG = b"zkgpu audited model 1"
_PROOF_WORDS, _COMMITMENT_WORDS = 8, 4
_REQUEST = 32  # bytes


@dataclass(frozen=True)
class Layout:
    """Where a call of the verifier shows what, as the contract's constructor takes it."""

    model: bytes
    selector: bytes
    proof_words: int
    input_hashes: int
    weights_hash: int | None
    output_hashes: int
    input_bytes: int
    output_bytes: int

    def digests(self, public_inputs: Sequence[int], packed: bytes) -> tuple[bytes, bytes]:
        """Those of the inputs and of the outputs that a proof shows."""
        after = self.input_hashes + (self.weights_hash is not None)
        inputs = words(*public_inputs[: self.input_hashes], packed[: self.input_bytes])
        outputs = words(*public_inputs[after:], packed[self.input_bytes :])
        return keccak256(inputs), keccak256(outputs)

    def shown(self, call: bytes) -> tuple[list[int], bytes]:
        """The public inputs and the packed values in a call of the verifier. Raises UsageError for another call."""
        n = self.input_hashes + (self.weights_hash is not None) + self.output_hashes
        start, packed = SELECTOR_BYTES + WORD_BYTES * self.proof_words, self.input_bytes + self.output_bytes
        end = start + WORD_BYTES * n
        begin = end + (2 * WORD_BYTES if packed else 0)
        if len(call) != begin + packed + -packed % WORD_BYTES or call[:SELECTOR_BYTES] != self.selector:
            raise UsageError("this is no call of the model's verifier")
        found = [int.from_bytes(call[i : i + WORD_BYTES], "big") for i in range(start, end, WORD_BYTES)]
        return found, call[begin : begin + packed]


@dataclass(frozen=True, eq=False)
class AuditedModel:
    """A compiled model whose inferences are logged.

    Attributes:
        statement: what a proof of it says
        key: by which its proofs are verified
    """

    compiled: CompiledModel
    statement: ModelStatement
    key: VerifyingKey

    @classmethod
    def of(cls, compiled: CompiledModel, key: VerifyingKey) -> AuditedModel:
        """Raises UsageError for a model whose proofs leave open what was computed, FormatError for another's key."""
        statement = ModelStatement.of(compiled)
        _require_auditable(statement)
        statement.require_key(key)
        return cls(compiled, statement, key)

    @cached_property
    def hash(self) -> bytes:
        """Of the verifying key, of the statement and of hashed weights: what an audit's model is called."""
        text = strict_json.text_of(self.statement.to_json()).encode()
        weights = words(self.compiled.weights_hash or 0)
        return keccak256(words(_TAG, _digest_of(self.key), keccak256(text), weights))

    @cached_property
    def layout(self) -> Layout:
        """Where a call of the verifier shows what."""
        arrays = {role: [t for t in self.statement.tensors if t.role == role] for role in ("input", "output")}
        hashes = {role: sum(t.visibility == "hashed" for t in found) for role, found in arrays.items()}
        sizes = {
            role: sum(_array(t).packed_size for t in found if t.offset is not None) for role, found in arrays.items()
        }
        packed = sum(sizes.values())
        parameters = contract_form(self.key.system).parameters(self.key)
        return Layout(
            self.hash,
            selector("verifyProof", parameters, self.key.n_explicit_public, packed),
            _PROOF_WORDS + _COMMITMENT_WORDS * len(self.key.commitments),
            hashes["input"],
            self.compiled.weights_hash,
            hashes["output"],
            sizes["input"],
            sizes["output"],
        )

    def inference(
        self, integers: Mapping[str, NDArray[Any]], request: bytes | None = None, *, clamp: bool = False
    ) -> Inference:
        """What the log keeps of one inference.

        Args:
            integers: the inputs, as `CompiledModel.quantized` gives them
            request: 32 bytes by which the client knows it; drawn when not given
            clamp: as of `CompiledModel.run`
        """
        shown = self.compiled.public_values(dict(integers), clamp=clamp)
        public_inputs = [int(shown[name]) for name in self.statement.public_inputs]
        packed = b"".join(_array(t).pack(np.ravel(shown[t.name]).tolist()) for t in self.statement.packed)
        digests = self.layout.digests(public_inputs, packed)
        data = b"".join(a.pack(np.ravel(integers[a.name]).tolist()) for a in self._inputs)
        return Inference(random_bytes(_REQUEST) if request is None else request, *digests, data)

    def integers(self, data: bytes) -> dict[str, NDArray[np.int64]]:
        """The inputs that the log kept. Raises FormatError for bytes that are no inputs of the model."""
        found, start = {}, 0
        if len(data) != sum(a.packed_size for a in self._inputs):
            raise FormatError("its inputs are not as many bytes as the model's")
        for array in self._inputs:
            found[array.name] = array.unpack(data[start : start + array.packed_size]).astype(np.int64)
            start += array.packed_size
        return found

    def real(self, integers: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[np.float64]]:
        """The real inputs that these integers stand for, which a prover brings back to them."""
        return {t.name: np.asarray(integers[t.name], dtype=np.float64) * t.scale for t in self.compiled.model.inputs}

    @cached_property
    def _inputs(self) -> tuple[PublicArray, ...]:
        return tuple(PublicArray(t.name, t.shape, t.low, t.high) for t in self.compiled.model.inputs)


def _array(tensor: Any) -> PublicArray:
    return PublicArray(tensor.name, tensor.shape, tensor.low, tensor.high)


def _digest_of(key: VerifyingKey) -> bytes:
    if key.commitments:
        return key_digest(key)
    said = Transcript(key.curve)
    said.absorb(_TAG, key.alpha_g1, key.beta_g2, key.gamma_g2, key.delta_g2, *key.ic)
    return said.digest()


def _require_auditable(statement: ModelStatement) -> None:
    if statement.weights == "private":
        raise UsageError("private weights are bound by nothing, so any answer can be proven: compile with hashed ones")
    if statement.hidden:
        raise UsageError(
            f"'{statement.hidden[0]}' is private, so a proof does not say which one it is about: compile it as hashed"
        )
    if any(tensor.role == "binding" for tensor in statement.tensors):
        raise UsageError("the model was compiled with --bind, which an audit has no use for: compile it without")
    _require_order(statement)


def _require_order(statement: ModelStatement) -> None:
    """Raises UsageError unless hashes of inputs come first, then that of the weights, then those of outputs."""
    names = {role: [hash_name(t.name) for t in statement.tensors if t.role == role] for role in ("input", "output")}
    places = [0 if n in names["input"] else 1 if n == WEIGHTS_HASH else 2 for n in statement.public_inputs]
    if places != sorted(places):
        raise UsageError("the model's public inputs are in an order that no audit knows: compile it again")
