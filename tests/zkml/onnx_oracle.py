"""Models of a few nodes against onnxruntime, by a session of its own, and their circuits against their integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

from tests.zkml.models import onnx
from zkgpu.inference import CompiledModel, compile_model


def with_types(proto: Any, inputs: dict[str, int] | None = None, outputs: dict[str, int] | None = None) -> Any:
    """The model with inputs and outputs of these types, and outputs of the shapes that they have in a run."""
    for infos, kinds in ((proto.graph.input, inputs or {}), (proto.graph.output, outputs or {})):
        for info in infos:
            info.type.tensor_type.elem_type = kinds.get(info.name, info.type.tensor_type.elem_type)
    for info in proto.graph.output:
        info.type.tensor_type.ClearField("shape")
    del proto.graph.value_info[:]
    ones = {name: np.ones(array.shape[1:], array.dtype) for name, array in samples_of(proto, 1).items()}
    values = session_of(proto).run(None, ones)
    for info, value in zip(proto.graph.output, values, strict=True):
        info.CopyFrom(onnx.helper.make_tensor_value_info(info.name, info.type.tensor_type.elem_type, value.shape))
    return proto


def session_of(proto: Any) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])


def samples_of(proto: Any, count: int = 40, seed: int = 0, **ranges: tuple[int, int]) -> dict[str, np.ndarray]:
    """(count, *shape) of each input: normal numbers, or whole ones from ranges[name] = low, high, both included."""
    draw, found = np.random.default_rng(seed), {}
    for info in proto.graph.input:
        shape = (count, *(dim.dim_value or 1 for dim in info.type.tensor_type.shape.dim))
        kind = onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        if info.name in ranges:
            low, high = ranges[info.name]
            found[info.name] = draw.integers(low, high + 1, shape).astype(kind)
        else:
            found[info.name] = draw.normal(size=shape).astype(kind)
    return found


def compiled_right(proto: Any, samples: dict[str, np.ndarray], error: float = 0.03, **options: Any) -> CompiledModel:
    """The compiled model, if every output is right: integers equal, floats within a share of their size; else fails.

    The circuit's own answer to the first sample is that of the integers.
    """
    compiled = compile_model(proto, samples, limb=8, **options)
    session, names = session_of(proto), [tensor.name for tensor in compiled.model.outputs]
    pairs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in names}
    for i in range(len(next(iter(samples.values())))):
        given = {name: np.asarray(array[i]) for name, array in samples.items()}
        found = compiled.predict(given, clamp=True)
        for name, wanted in zip(names, session.run(names, given), strict=True):
            assert np.shape(found[name]) == wanted.shape, name
            pairs[name].append((np.asarray(found[name], dtype=np.float64), wanted))
    for name, found_and_wanted in pairs.items():
        found, wanted = (np.stack(arrays) for arrays in zip(*found_and_wanted, strict=True))
        if wanted.dtype.kind in "iub":
            assert (found == wanted).all(), name
        else:
            off = np.sqrt(np.mean((found - wanted) ** 2) / max(np.mean(wanted**2), 1e-12))
            assert off < error, f"{name}: {off:.2%}"
    _assert_circuit_agrees(compiled, {name: array[0] for name, array in samples.items()})
    return compiled


def _assert_circuit_agrees(compiled: CompiledModel, sample: dict[str, np.ndarray]) -> None:
    integers, circuit = compiled.quantized(sample, clamp=True), compiled.circuit
    shown = circuit.r1cs.rounds[0].unpack(circuit.packed(circuit.witness(compiled.circuit_inputs(integers))))
    for name, wanted in compiled.run(integers).items():
        if name in shown:
            assert (np.asarray(shown[name]) == wanted).all(), name
