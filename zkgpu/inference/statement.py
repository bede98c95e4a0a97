"""What a proof of a model says and in which form: all that somebody needs who has neither the model nor its weights.

statement.json, beside the verifying key, is

    {"zkgpu statement": 2, "weights": "private", "hidden": ["x"], "public inputs": ["y.hash"],
     "tensors": [{"name", "role", "visibility", "shape", "type", "offset", "low", "high", "scale", "labels"}, ..]}

Real numbers are scale times integers. Public tensors are packed in that order, each from byte `offset` on, as
big-endian integers of `type`; of a hashed tensor the proof has the Poseidon hash, and `offset` is null. Ends and scales
are decimal strings.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.committed import MOST_AXES, PublicArray
from zkgpu.errors import FormatError, UsageError
from zkgpu.groth16.keys import VerifyingKey
from zkgpu.records import dataclass
from zkgpu.zkml.compiled import CompiledModel
from zkgpu.zkml.operations import Tensor
from zkgpu.zkml.visibility import BINDING, hash_name

_VERSION = 2
_TITLE = "zkgpu statement"
_MOST_SHOWN = 32  # numbers of a tensor, in a line
_PROVEN = {
    "public": "The network that the key was made for gives",
    "private": "Some weights of the architecture that the key was made for give",
    "hashed": "The weights with the shown hash give",
}
_NOT_PROVEN = {
    "public": "that the integer network answers as the float model does: that was measured, and is not proven",
    "private": "which weights were used: any answer that some weights of this architecture give can be proven",
    "hashed": "whose the weights are: compare their hash with one that was published before",
}


@dataclass(frozen=True)
class ShownTensor:
    """A tensor that a proof shows.

    Attributes:
        role: "input", "output" or "binding"
        visibility: "public", or "hashed" where only the Poseidon hash is shown
        type: of the integers, as in Solidity: "int8", "uint16", ..
        offset: where its bytes begin in the packed values; None for a hashed one
        low, high: the integers it may hold
        scale: the real number that the integer 1 stands for
        labels: what entries along the last axis are called, or the values of a class; perhaps none
    """

    name: str
    role: str
    visibility: str
    shape: tuple[int, ...]
    type: str
    offset: int | None
    low: int
    high: int
    scale: float
    labels: tuple[str, ...] = ()

    def real(self, integers: NDArray[Any]) -> NDArray[np.float64]:
        """The real numbers that the integers stand for."""
        return np.asarray(integers, dtype=np.float64) * self.scale

    @property
    def names_values(self) -> bool:
        """Whether a label stands for a value, and not for a place."""
        return bool(self.labels) and (not self.shape or self.shape[-1] != len(self.labels))

    def as_text(self, integers: NDArray[Any]) -> str:
        """One line: the first _MOST_SHOWN real numbers, with their labels; a binding's bytes in hexadecimal."""
        flat = np.ravel(integers)
        if self.role == "binding":
            return f"binding: 0x{bytes(flat.tolist()).hex()}"
        shown = [self._entry(i, int(value)) for i, value in enumerate(flat[:_MOST_SHOWN])]
        more = [f".. ({flat.size} in all)"] if flat.size > _MOST_SHOWN else []
        return f"{self.role} {self.name}: " + " ".join([*shown, *more])

    def _entry(self, i: int, integer: int) -> str:
        number = f"{integer * self.scale:.6g}" if self.scale != 1.0 else str(integer)
        if not self.labels:
            return number
        if not self.names_values:
            return f"{_printable(self.labels[i % len(self.labels)])}={number}"
        return f"{_printable(self.labels[integer])} ({number})" if 0 <= integer < len(self.labels) else number

    def as_comment(self) -> str:
        """One line for a contract, with nothing in it that could end a comment."""
        size = "" if not self.shape else "[" + ", ".join(map(str, self.shape)) + "]"
        place = "as its Poseidon hash" if self.offset is None else f"at byte {self.offset}"
        labels = f", labels {', '.join(json.dumps(label) for label in self.labels)}" if self.labels else ""
        kind = f"{self.type}{size} from {self.low} to {self.high}"
        return f"{self.role} {json.dumps(self.name)}: {kind} {place}, scale {self.scale!r}{labels}"


@dataclass(frozen=True)
class ModelStatement:
    """What a model's proofs are about.

    Attributes:
        weights: who sees them
        hidden: names of inputs and outputs that a proof does not show
        public_inputs: what the ordinary public inputs are, in order: hashes of tensors, and weights.hash
        tensors: what is shown, public tensors in the order in which they are packed
    """

    weights: str
    hidden: tuple[str, ...]
    public_inputs: tuple[str, ...]
    tensors: tuple[ShownTensor, ...]

    @classmethod
    def of(cls, compiled: CompiledModel) -> ModelStatement:
        """The statement of a model's proofs."""
        model, seen = compiled.model, compiled.visibilities
        listed = [("input", t, seen.of_input(t.name)) for t in model.inputs]
        listed += [("output", t, seen.of_output(t.name)) for t in model.outputs]
        tensors: list[ShownTensor] = []
        offset = 0
        for role, tensor, visibility in listed:
            if visibility == "private":
                continue
            array = _array(compiled, role, tensor)
            tensors.append(_shown(role, visibility, array, offset, tensor.scale, compiled.labels.get(tensor.name, ())))
            offset += array.packed_size if visibility == "public" else 0
        if seen.binding:
            tensors.append(_shown("binding", "public", PublicArray(BINDING, (seen.binding,), 0, 255), offset, 1.0, ()))
        hidden = tuple(tensor.name for _, tensor, visibility in listed if visibility == "private")
        return cls(seen.weights, hidden, compiled.hash_names, tuple(tensors))

    @property
    def packed(self) -> tuple[ShownTensor, ...]:
        """The tensors whose values a proof shows."""
        return tuple(tensor for tensor in self.tensors if tensor.visibility == "public")

    @property
    def proves(self) -> str:
        """One sentence: what a proof says."""
        given = "what it shows of its inputs" if self.hidden else "the shown inputs"
        return f"{_PROVEN[self.weights]} the shown outputs for {given}."

    @property
    def does_not_prove(self) -> str:
        """One sentence: what the visibility chosen leaves open."""
        hidden = f"; nor what {', '.join(map(json.dumps, self.hidden))} held" if self.hidden else ""
        return f"It does not say {_NOT_PROVEN[self.weights]}{hidden}."

    def require_key(self, key: VerifyingKey) -> None:
        """Raises FormatError unless the key's packed values and public inputs are those of the statement."""
        arrays = [array for commitment in key.commitments for array in commitment.round.arrays]
        mine = [(t.name, t.shape, t.low, t.high) for t in self.packed]
        if [(a.name, a.shape, a.low, a.high) for a in arrays] != mine or key.n_explicit_public != len(
            self.public_inputs
        ):
            raise FormatError("the statement is not that of the verifying key beside it: compile and set up again")

    def comments(self) -> list[str]:
        """Lines about the statement for the head of a contract."""
        return [self.proves, self.does_not_prove, *(tensor.as_comment() for tensor in self.tensors)]

    def to_json(self) -> dict[str, Any]:
        """The object of a statement.json."""
        tensors = [{**asdict(t), "shape": list(t.shape), "labels": list(t.labels)} for t in self.tensors]
        for tensor in tensors:
            tensor.update({key: str(tensor[key]) for key in ("low", "high")}, scale=repr(float(tensor["scale"])))
        return {
            _TITLE: _VERSION,
            "weights": self.weights,
            "hidden": list(self.hidden),
            "public inputs": list(self.public_inputs),
            "tensors": tensors,
        }

    @classmethod
    def from_json(cls, value: Any) -> ModelStatement:
        """The statement of a parsed statement.json. Raises FormatError for anything else."""
        if isinstance(value, dict) and "hashes" in value and _TITLE not in value:
            raise FormatError("the statement was written by an earlier version: compile the model again")
        try:
            if value[_TITLE] != _VERSION or set(value) != {_TITLE, "weights", "hidden", "public inputs", "tensors"}:
                raise ValueError
            tensors = tuple(_tensor_from_json(item) for item in _list(value["tensors"]))
            hidden, public_inputs = (_strings(value[key]) for key in ("hidden", "public inputs"))
            statement = cls(_string(value["weights"]), hidden, public_inputs, tensors)
            _require_consistent(statement)
            return statement
        except (KeyError, TypeError, ValueError, OverflowError, UsageError) as error:
            raise FormatError("not the statement of a model: compile it again") from error


def _array(compiled: CompiledModel, role: str, tensor: Tensor) -> PublicArray:
    low, high = (tensor.low, tensor.high) if role == "input" else compiled.output_interval(tensor)
    return PublicArray(tensor.name, tensor.shape, low, high)


def _shown(
    role: str, visibility: str, array: PublicArray, offset: int, scale: float, labels: Sequence[str]
) -> ShownTensor:
    place = offset if visibility == "public" else None
    return ShownTensor(
        array.name, role, visibility, array.shape, _type(array), place, array.low, array.high, scale, tuple(labels)
    )


def _type(array: PublicArray) -> str:
    return f"{'int' if array.is_signed else 'uint'}{8 * array.width}"


def _tensor_from_json(value: Mapping[str, Any]) -> ShownTensor:
    if set(value) != {field.name for field in fields(ShownTensor)}:
        raise ValueError
    shape = tuple(_list(value["shape"]))
    if len(shape) > MOST_AXES or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError
    texts = {key: _string(value[key]) for key in ("name", "role", "visibility", "type")}
    low, high, scale = int(_string(value["low"])), int(_string(value["high"])), float(_string(value["scale"]))
    own = {"offset": value["offset"], "low": low, "high": high, "scale": scale, "labels": _strings(value["labels"])}
    return ShownTensor(**{"shape": shape, **texts, **own})


def _require_consistent(statement: ModelStatement) -> None:
    """Raises ValueError unless types and offsets follow from the tensors, and public inputs are named by them."""
    offset, hashes = 0, []
    for tensor in statement.tensors:
        array = PublicArray(tensor.name, tensor.shape, tensor.low, tensor.high)
        public = tensor.visibility == "public"
        if tensor.visibility not in ("public", "hashed"):
            raise ValueError
        if (tensor.type, tensor.offset) != (_type(array), offset if public else None):
            raise ValueError
        if tensor.role not in ("input", "output", "binding") or not 0 < tensor.scale < math.inf:
            raise ValueError
        offset += array.packed_size if public else 0
        hashes += [] if public else [hash_name(tensor.name)]
    if statement.weights not in _NOT_PROVEN or not set(hashes) <= set(statement.public_inputs):
        raise ValueError


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _strings(values: Any) -> tuple[str, ...]:
    return tuple(_string(value) for value in _list(values))


def _printable(label: str) -> str:
    return label if label.isprintable() else json.dumps(label)
