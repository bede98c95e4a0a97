"""Integer models of one operation, and what their circuits say of given inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from zkgpu.circuits import Circuit, CompiledCircuit
from zkgpu.zkml import semantics
from zkgpu.zkml.layers.matrices import private_values
from zkgpu.zkml.layers.network import Network, build_circuit
from zkgpu.zkml.layers.weights import hashed_parts
from zkgpu.zkml.operations import IntegerModel, Linear, Operation, Tensor
from zkgpu.zkml.ranges import analyze
from zkgpu.zkml.visibility import Visibilities

PRIVATE = {"x": "private", "y": "private"}


def model_of(
    operations: Operation | Sequence[Operation], limb: int = 4, **inputs: tuple[tuple, int, int]
) -> IntegerModel:
    """The model of operations that end in the tensor 'out', for inputs name=(shape, low, high)."""
    operations = [operations] if isinstance(operations, Operation) else list(operations)
    given = tuple(Tensor(name, shape, 1.0, low, high) for name, (shape, low, high) in inputs.items())
    last = analyze(IntegerModel(given, (), tuple(operations), limb))["out"]
    out = Tensor("out", last.shape, 1.0, last.least, last.greatest)
    return IntegerModel(given, (out,), tuple(operations), limb)


def compiled(model: IntegerModel, weights: str = "public") -> CompiledCircuit:
    """Its circuit, with inputs that only the prover knows."""
    private = {tensor.name: "private" for tensor in model.inputs}
    return build_circuit(model, Visibilities(weights=weights, inputs=private)).compile()


def unpublished(model: IntegerModel, weights: str = "public") -> CompiledCircuit:
    """Its circuit without outputs: nothing but the layers' own constraints can refuse a witness."""
    circuit = Circuit()
    private = {tensor.name: "private" for tensor in model.inputs}
    network = Network(circuit, model, Visibilities(weights=weights, inputs=private))
    for tensor in model.inputs:
        network.declare(tensor)
    for operation in network.operations:
        network.write(operation)
    return circuit.compile()


def all_inputs(model: IntegerModel, inputs: Mapping[str, np.ndarray], weights: str = "public") -> dict[str, object]:
    """Inputs and private weights, by the circuit's names."""
    found: dict[str, object] = dict(inputs)
    values = semantics.run(model, inputs)
    for operation in model.operations:
        if weights == "public" or not isinstance(operation, Linear):
            continue
        rows = values[operation.inputs[0]].shape[1]
        if weights == "private":
            parts = dict(zip(("weight", "bias"), private_values(operation, rows), strict=True))
        else:
            parts = {name: part.values for name, part in hashed_parts(operation, rows).items()}
        found |= {f"{operation.output}.{name}": part for name, part in parts.items()}
    return found


def proven_output(circuit: CompiledCircuit, inputs: Mapping[str, object], name: str = "out") -> np.ndarray:
    """What the circuit publishes for these inputs, as integers."""
    assignment = circuit.witness(inputs)
    return circuit.r1cs.rounds[0].unpack(circuit.packed(assignment))[name]


def assert_same_as_semantics(
    model: IntegerModel,
    inputs: Mapping[str, np.ndarray],
    weights: str = "public",
    circuit: CompiledCircuit | None = None,
) -> None:
    """The circuit, which is compiled where none is given, proves the output that the integers give."""
    wanted = semantics.run(model, inputs)["out"]
    got = proven_output(circuit or compiled(model, weights), all_inputs(model, inputs, weights))
    assert (np.asarray(got) == wanted).all()
