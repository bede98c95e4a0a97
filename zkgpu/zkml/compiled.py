"""compile_model: from an ONNX model and sample data to an integer model, its circuit, and a report on its accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits import CompiledCircuit
from zkgpu.errors import UsageError
from zkgpu.stages import stage
from zkgpu.zkml import semantics
from zkgpu.zkml.accuracy import Accuracy, measure, to_integers
from zkgpu.zkml.calibration import Calibration, FloatModel, as_samples, calibrate, observed_shapes
from zkgpu.zkml.graph import Graph
from zkgpu.zkml.layers.hashing import hash_of_values
from zkgpu.zkml.layers.matrices import private_values
from zkgpu.zkml.layers.network import (
    Visibilities,
    Visibility,
    build_circuit,
    count_constraints,
    packed_interval,
    require_names,
)
from zkgpu.zkml.lowering.builder import Settings
from zkgpu.zkml.onnx_import import model_inputs, read_graph
from zkgpu.zkml.operations import IntegerModel, Linear, Tensor
from zkgpu.zkml.quantise import Quantisation, quantise
from zkgpu.zkml.ranges import analyse
from zkgpu.zkml.replacing import require_same_architecture

_LIMBS = range(4, 13)


@dataclass(frozen=True, eq=False)
class Recipe:
    """What other weights of the same network are quantised by, so that they fit the same circuit."""

    calibration: Calibration
    scales: Mapping[str, float]
    settings: Settings
    outputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class CompiledModel:
    """A network that can be proven.

    model          the integer network, with its weights
    visibilities   who sees what
    accuracy       how close it is to the float network, when that was measured
    reference      the network whose circuit this is: the same one, save for weights
    """

    model: IntegerModel
    visibilities: Visibilities
    recipe: Recipe
    accuracy: Accuracy | None = None
    reference: IntegerModel | None = None

    @cached_property
    def circuit(self) -> CompiledCircuit:
        """The constraints and the witness program. With private weights the same for all weights."""
        with stage("build circuit"):
            return build_circuit(self.reference or self.model, self.visibilities).compile()

    def quantised(self, inputs: Any, *, clamp: bool = False) -> dict[str, NDArray[np.int64]]:
        """The integers that stand for one sample's real numbers: by name, or an array for a model with one input.

        clamp   bring numbers out of range to its end; else UsageError names the first of them
        """
        named = inputs if isinstance(inputs, Mapping) else {self.model.inputs[0].name: inputs}
        return to_integers(self.model, named, clamp=clamp)

    def run(self, integers: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[Any]]:
        """The outputs for integer inputs: exactly what a proof will show."""
        values = semantics.run(self.model, integers)
        return {tensor.name: values[tensor.name] for tensor in self.model.outputs}

    def predict(self, inputs: Any, *, clamp: bool = False) -> dict[str, NDArray[np.float64]]:
        """The outputs as real numbers, for one sample."""
        outputs = self.run(self.quantised(inputs, clamp=clamp))
        return {t.name: np.asarray(outputs[t.name], dtype=np.float64) * t.scale for t in self.model.outputs}

    def circuit_inputs(self, integers: Mapping[str, NDArray[np.int64]]) -> dict[str, object]:
        """What the circuit's witness wants: the inputs, and the weights where they are private."""
        found: dict[str, object] = dict(integers)
        if self.visibilities.weights == "private":
            values = semantics.run(self.model, integers)
            for operation in self.model.operations:
                if isinstance(operation, Linear):
                    weight, bias = private_values(operation, values[operation.inputs[0]].shape[1])
                    found |= {f"{operation.output}.weight": weight, f"{operation.output}.bias": bias}
        return found

    def public_values(self, integers: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
        """What the verifier sees: public tensors as integers, and the hashes of hashed ones as NAME.hash."""
        outputs = self.run(integers)
        shown: dict[str, Any] = {}
        for tensor in self.model.inputs:
            shown |= self._shown(tensor, self.visibilities.of_input(tensor.name), integers[tensor.name], None)
        for tensor in self.model.outputs:
            ends = self.output_interval(tensor)
            shown |= self._shown(tensor, self.visibilities.of_output(tensor.name), outputs[tensor.name], ends)
        return shown

    def output_interval(self, tensor: Tensor) -> tuple[int, int]:
        """The integers that an output can be shown as."""
        return packed_interval(self._intervals[tensor.name])

    @cached_property
    def _intervals(self) -> Mapping[str, Any]:
        return analyse(self.reference or self.model, margin=self.visibilities.weights == "private")

    def _shown(
        self, tensor: Tensor, visibility: Visibility, value: NDArray[Any], ends: tuple[int, int] | None
    ) -> dict[str, Any]:
        if visibility == "private":
            return {}
        if visibility == "public":
            return {tensor.name: value}
        low, high = ends or (tensor.low, tensor.high)
        return {f"{tensor.name}.hash": hash_of_values(value, low, high)}

    def with_weights(self, source: Any) -> CompiledModel:
        """The same circuit, hence the same keys, with the weights of another model of the same architecture.

        Raises UsageError when weights are public, when the architecture differs, or when the weights do not fit.
        """
        if self.visibilities.weights != "private":
            raise UsageError("weights that are public are part of the circuit: compile the other model on its own")
        shapes = {tensor.name: tensor.shape for tensor in self.model.inputs}
        graph = read_graph(source, shapes, self.recipe.outputs, observed_shapes(source, shapes))
        other = quantise(graph, self.recipe.calibration, self.recipe.settings, self.recipe.scales).model
        reference = self.reference or self.model
        require_same_architecture(reference, other)
        return replace(self, model=other, reference=reference, accuracy=None)


def compile_model(
    source: Any,
    calibration: Any,
    *,
    weights: Literal["public", "private"] = "public",
    inputs: Mapping[str, Visibility] | None = None,
    outputs: Mapping[str, Visibility] | None = None,
    tensors: Sequence[str] | None = None,
    percentile: float | None = None,
    test_data: Any = None,
    bits: int = 8,
    limb: int | None = None,
) -> CompiledModel:
    """Quantises a model and fixes its circuit.

    source        path or bytes of an ONNX file, or an onnx.ModelProto
    calibration   sample inputs: an array with a first axis that counts samples, or a mapping of such by name
    weights       "public": in the circuit; "private": given with each proof, and bound by nothing but the proof itself
    inputs        visibility by name, "public" by default; outputs likewise
    tensors       which tensors to compute; all outputs of the file by default
    percentile    cut this off the range of each tensor (99.9 keeps all but the last thousandth on each side)
    test_data     what accuracy is measured with; the calibration data by default
    bits          width of weights and activations
    limb          width of the limbs of range checks; the one with the fewest constraints by default
    Raises UsageError naming the node for what is not supported, and the layer whose values do not fit.
    """
    found = model_inputs(source)
    samples = as_samples(list(found), calibration)
    # an input with as many axes as its samples have together begins with the batch
    shapes = {n: array.shape[1:] if array.ndim > found[n] else (1, *array.shape[1:]) for n, array in samples.items()}
    graph = read_graph(source, shapes, tensors, observed_shapes(source, shapes))
    model = FloatModel(source, tuple(graph.shapes), shapes)
    bounds = calibrate(graph, model, samples, percentile)
    quantisation, settings = _best(graph, bounds, bits, [limb] if limb else _LIMBS)
    visibilities = Visibilities(weights, inputs or {}, outputs or {})
    require_names(quantisation.model, visibilities)
    tested = samples if test_data is None else as_samples(list(found), test_data)
    accuracy = measure(quantisation, model, tested)
    recipe = Recipe(bounds, quantisation.scales, settings, graph.outputs)
    return CompiledModel(quantisation.model, visibilities, recipe, accuracy)


def _best(graph: Graph, bounds: Calibration, bits: int, limbs: Sequence[int] | range) -> tuple[Quantisation, Settings]:
    """The quantisation whose circuit has the fewest constraints, among those with limbs of these widths."""
    if not 2 <= bits <= 12:
        raise UsageError(f"{bits} bits: weights and activations take from 2 to 12")
    best: tuple[int, Quantisation, Settings] | None = None
    for limb in limbs:
        settings = Settings(bits=bits, limb=limb, table_bits=bits)
        candidate = quantise(graph, bounds, settings)
        count = count_constraints(candidate.model) if len(limbs) > 1 else 0
        if best is None or count < best[0]:
            best = count, candidate, settings
    if best is None:
        raise UsageError("no width of limbs to choose from")
    return best[1], best[2]
