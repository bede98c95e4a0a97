"""Who sees what of a model, and what the numbers that a proof shows are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from typing import Literal, TypeAlias

from zkgpu.errors import FormatError, UsageError
from zkgpu.records import dataclass
from zkgpu.zkml.operations import IntegerModel, Linear
from zkgpu.zkml.ranges import Interval

Visibility: TypeAlias = Literal["public", "private", "hashed"]
WEIGHTS_HASH = "weights.hash"
PARTS = ("weight", "multiplier", "bias")  # what a prover gives for a layer, where weights are hashed
BINDING, BINDING_SIZES = "binding", (0, 20, 32)  # the name of a public array of bytes, and how many it may have


@dataclass(frozen=True)
class Visibilities:
    """Who sees what.

    Attributes:
        weights: "public": part of the circuit. "private": given by the prover, so that one key serves all weights.
            "hashed": so too, and named by their Poseidon hash, a public input
        inputs: by name; those not named are public
        outputs: likewise
        binding: 20 or 32 bytes that each proof is for, an address or a nonce, as a public array; 0 for none. Nothing is
            computed of them: whoever takes the proof compares them with what they should be

    Public tensors are values the verifier checks against; of a hashed one it has the Poseidon hash.
    """

    weights: Visibility = "public"
    inputs: Mapping[str, Visibility] = field(default_factory=dict)
    outputs: Mapping[str, Visibility] = field(default_factory=dict)
    binding: int = 0

    @property
    def weights_are_given(self) -> bool:
        """Whether the prover gives the weights with each proof."""
        return self.weights != "public"

    def of_input(self, name: str) -> Visibility:
        return self.inputs.get(name, "public")

    def of_output(self, name: str) -> Visibility:
        return self.outputs.get(name, "public")


def require_names(model: IntegerModel, visibilities: Visibilities) -> None:
    """Raises UsageError for a tensor that does not exist, an unknown visibility, or when nothing is shown at all."""
    for kind, tensors, given in (
        ("input", model.inputs, visibilities.inputs),
        ("output", model.outputs, visibilities.outputs),
    ):
        unknown = set(given) - {tensor.name for tensor in tensors}
        if unknown:
            raise UsageError(f"the model has no {kind} '{min(unknown)}'; it has {', '.join(t.name for t in tensors)}")
    if set([*visibilities.inputs.values(), *visibilities.outputs.values()]) - {"public", "private", "hashed"}:
        raise UsageError("a tensor is 'public', 'private' or 'hashed'")
    if visibilities.weights not in ("public", "private", "hashed"):
        raise UsageError("weights are 'public', 'private' or 'hashed'")
    if type(visibilities.binding) is not int or visibilities.binding not in BINDING_SIZES:
        raise UsageError(f"a binding of {visibilities.binding} bytes: it has 20, as an address, or 32")
    if visibilities.weights == "hashed" and not model.n_weights:
        raise UsageError("the model has no weights to hash: they would be those of dense layers and convolutions")
    if all(visibilities.of_output(t.name) == "private" for t in model.outputs):
        raise UsageError("all outputs are private: such a proof says nothing; make one public or hashed")
    _require_distinct_names(model, visibilities)


def _require_distinct_names(model: IntegerModel, visibilities: Visibilities) -> None:
    """Raises UsageError where two of the numbers that a proof shows, or a prover gives, would have one name."""
    names = [tensor.name for tensor in (*model.inputs, *model.outputs)] + [BINDING] * bool(visibilities.binding)
    names += hash_names(model, visibilities)
    if visibilities.weights_are_given:
        linear = [op.output for op in model.operations if isinstance(op, Linear)]
        names += [f"{output}.{part}" for output in linear for part in PARTS]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError(f"two tensors, or a tensor and weights, would be called '{twice[0]}': rename one in the model")


def hash_names(model: IntegerModel, visibilities: Visibilities) -> tuple[str, ...]:
    """What the ordinary public inputs of the circuit are, in order."""
    inputs = [hash_name(t.name) for t in model.inputs if visibilities.of_input(t.name) == "hashed"]
    outputs = [hash_name(t.name) for t in model.outputs if visibilities.of_output(t.name) == "hashed"]
    return (*inputs, *([WEIGHTS_HASH] if visibilities.weights == "hashed" else []), *outputs)


def hash_name(tensor: str) -> str:
    return f"{tensor}.hash"


def packed_interval(interval: Interval) -> tuple[int, int]:
    """The interval of whole bytes that an output travels in: the same for all weights of one circuit.

    Raises FormatError for one that needs more than 128 bits.
    """
    size = next((w for w in (8, 16, 32, 64, 128) if interval.bits < w), None)
    if size is None:
        raise FormatError(f"an output of {interval.bits} bits is too wide to be shown: 127 and a sign are the most")
    return (-(1 << size - 1), (1 << size - 1) - 1) if interval.least < 0 else (0, (1 << size) - 1)
