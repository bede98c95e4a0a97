"""compile_model: from an ONNX model and sample data to an integer model, its circuit, and a report on its accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from zkgpu.errors import InputError, UsageError
from zkgpu.formats.container import naming
from zkgpu.zkml.accuracy import ALLOWED, FEWEST_SAMPLES
from zkgpu.zkml.calibrated import Calibration
from zkgpu.zkml.calibration import FloatModel, calibrate, observe
from zkgpu.zkml.choosing import Trials, stream_of
from zkgpu.zkml.compiled import CompiledModel, Recipe
from zkgpu.zkml.equalizing import channel_axis, pairs
from zkgpu.zkml.frontends import as_onnx
from zkgpu.zkml.graph import Graph
from zkgpu.zkml.onnx_import import expanded, read_graph
from zkgpu.zkml.onnx_model import OnnxModel, Source
from zkgpu.zkml.samples import Samples, as_samples, loaded, sample, shapes_of
from zkgpu.zkml.streams import watched
from zkgpu.zkml.visibility import Visibilities, Visibility, require_names


def compile_model(
    source: Source,
    calibration: Any,
    *,
    weights: Visibility = "public",
    inputs: Mapping[str, Visibility] | None = None,
    outputs: Mapping[str, Visibility] | None = None,
    tensors: Sequence[str] | None = None,
    percentile: float | None = None,
    test_data: Any = None,
    allow_error: float | None = None,
    bits: int | Literal["auto", "stream"] = "auto",
    limb: int | None = None,
    labels: Mapping[str, Sequence[str]] | None = None,
    binding: int = 0,
    memory: int | None = None,
    example: Any = None,
) -> CompiledModel:
    """Quantizes a model and fixes its circuit.

    Args:
        source: path or bytes of an ONNX file, an onnx.ModelProto, an OnnxModel, a fitted estimator of scikit-learn, or
            a module of PyTorch
        calibration: sample inputs: an array with a first axis that counts samples, a mapping of such by name, or the
            path of a file of either: .npy, .npz, .json or .csv (`formats.samples`)
        weights: "public": in the circuit; "private": given with each proof, and bound by nothing but the proof itself;
            "hashed": given with each proof, which shows their Poseidon hash
        inputs: visibility by name, "public" by default; outputs likewise
        tensors: which tensors to compute; all outputs of the file by default
        percentile: cut this off the range of each tensor (99.9 keeps all but the last thousandth on each side)
        test_data: what accuracy is measured with; by default every fourth sample, which the calibration then leaves
            out, or all samples where there are fewer than 32 (`Accuracy.held_out`)
        allow_error: how far an output may be from the float model's, as a share: 0.05 stands for an error of 5 % and
            for an agreement of 95 %, and is the default
        bits: width of weights and activations, from 2 to 16. By default it is 8, and more, up to 16, where an output
            would be farther than 2 % from the float model's: for those tensors that need it, and for all of a small
            model of tables, which is to be closer still. A transformer with a residual stream gets the widths of
            "stream" where 8 bits are too few: 10 for weights, 14 to 18 for the rest, and scales of its own for the
            first position (lowering.residual)
        limb: width of the limbs of range checks; the one with the fewest constraints by default
        labels: by output: what entries along its last axis are called, or the values of a class; those that the file
            has by default
        binding: 20 or 32: bytes that each proof is for, such as the address of who may use it (`Visibilities`)
        memory: bytes that running the model may take, see `onnx_worker`
        example: what an estimator or a module takes, see `frontends.as_onnx`; the calibration data by default

    Raises FormatError naming the node for what is not supported, the layer whose values do not fit, and the worst layer
    where the integers are farther from the floats than allowed.
    """
    _require_share(allow_error)
    read = OnnxModel.read(as_onnx(source, calibration if example is None else example))
    samples = _samples(calibration, read, memory)
    fixed = expanded(read.with_shapes(shapes_of(samples, read.inputs)), tensors)
    model = FloatModel(fixed, memory)
    graph = read_graph(fixed, tensors, observe(model, sample(samples, 0)))
    held_out = _held_out(samples) if test_data is None else range(0)
    members = stream_of(graph, bits, samples)
    with naming(calibration):
        bounds = _calibrated(graph, model, samples, percentile, held_out, members)
    visibilities = Visibilities(weights, inputs or {}, outputs or {}, binding)
    tested = samples if test_data is None else _samples(test_data, read, memory)
    tested = {name: array[held_out] for name, array in tested.items()} if held_out else tested
    trials = Trials(graph, bounds, model, members, tested, bool(held_out) or test_data is not None, limb)
    quantization, settings, accuracy = trials.closest(bits, open_weights=visibilities.weights_are_given)
    require_names(quantization.model, visibilities)
    accuracy.require(ALLOWED if allow_error is None else allow_error, graph)
    recipe = Recipe(bounds, quantization.scales, settings, graph.outputs)
    named = {**_fitting(read.class_labels(graph.outputs), graph), **_as_tuples(labels or {})}
    return CompiledModel(quantization.model, visibilities, recipe, accuracy, labels=named)


def _samples(data: Any, read: OnnxModel, memory: int | None) -> Samples:
    found = loaded(data, read.shapes, memory=memory)
    with naming(data):
        for name in sorted(read.fixed & set(found)) if isinstance(found, Mapping) else ():
            raise InputError(f"input '{name}' has a value in the file, which is taken: leave it out of the data")
        return as_samples(list(read.inputs), found)


def _held_out(samples: Samples) -> range:
    """Every fourth sample, where there are enough of them."""
    count = len(next(iter(samples.values())))
    return range(3, count, 4) if count >= FEWEST_SAMPLES else range(0)


def _calibrated(
    graph: Graph,
    model: FloatModel,
    samples: Samples,
    percentile: float | None,
    held_out: range,
    members: tuple[str, ...],
) -> Calibration:
    """How far tensors reach, and what evens out channels and watches the stream's members need to know."""
    between = {name: channel_axis(pair.first) for pair in pairs(graph) for name in pair.tensors}
    return calibrate(graph, model, samples, percentile, held_out, between, watched(graph, members))


def _fitting(labels: Mapping[str, tuple[str, ...]], graph: Graph) -> dict[str, tuple[str, ...]]:
    """Those of a file, but for outputs that hold a number for each pair of classes."""
    return {name: given for name, given in labels.items() if graph.shapes[name][-1:] in ((), (1,), (len(given),))}


def _as_tuples(labels: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(entries) for name, entries in labels.items()}


def _require_share(allow_error: float | None) -> None:
    if allow_error is not None and not allow_error >= 0:
        raise UsageError(f"an allowed error of {allow_error}: it is a share, such as 0.05, and not below 0")
