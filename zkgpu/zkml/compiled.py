"""compile_model: from an ONNX model and sample data to an integer model, its circuit, and a report on its accuracy."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from zkgpu.backend.beside import give_back
from zkgpu.circuits import CompiledCircuit
from zkgpu.errors import InputError, UsageError
from zkgpu.formats.container import naming
from zkgpu.records import dataclass
from zkgpu.stages import stage
from zkgpu.zkml import semantics
from zkgpu.zkml.accuracy import ALLOWED, FEWEST_SAMPLES, Accuracy, count_moved, to_integers
from zkgpu.zkml.calibrated import Calibration
from zkgpu.zkml.clamps import Clamped, clamped, limited
from zkgpu.zkml.lowering.settings import Settings
from zkgpu.zkml.operations import IntegerModel, Linear, Requantize, Tensor
from zkgpu.zkml.ranges import analyze
from zkgpu.zkml.samples import Samples, as_samples, each, loaded, sample, shapes_of
from zkgpu.zkml.streams import watched
from zkgpu.zkml.visibility import (
    BINDING,
    WEIGHTS_HASH,
    Visibilities,
    Visibility,
    hash_name,
    hash_names,
    packed_interval,
    require_names,
)
from zkgpu.zkml.weights_swap import require_same_architecture

if TYPE_CHECKING:
    from zkgpu.zkml.calibration import FloatModel
    from zkgpu.zkml.counting import Account
    from zkgpu.zkml.graph import Graph
    from zkgpu.zkml.layers.hashing import Ranged
    from zkgpu.zkml.onnx_model import OnnxModel, Source

log = logging.getLogger(__name__)

_CLAMPED = (
    "layer '%s': %d of its values lie beyond what calibration saw, and are clamped: the answer may be far from the "
    "float model's. Calibrate with inputs like this one"
)


@dataclass(frozen=True, eq=False)
class Recipe:
    """What other weights of the same network are quantized by, so that they fit the same circuit."""

    calibration: Calibration
    scales: Mapping[str, float]
    settings: Settings
    outputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class CompiledModel:
    """A network that can be proven.

    Attributes:
        model: the integer network, with its weights
        visibilities: who sees what
        accuracy: how close it is to the float network, when that was measured
        labels: by output: what entries along its last axis are called, or the values of a class
        reference: the network whose circuit this is: the same one, save for weights that are given with each proof

    Raises UsageError for a reference where weights are part of the circuit, and for one that is another network.
    """

    model: IntegerModel
    visibilities: Visibilities
    recipe: Recipe
    accuracy: Accuracy | None = None
    reference: IntegerModel | None = None
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require_fitting_labels(self.model, self.labels)
        if self.reference is None:
            return
        if not self.visibilities.weights_are_given:
            raise UsageError("a second network beside one whose weights are public: the circuit could be of either")
        require_same_architecture(self.reference, self.model)

    @cached_property
    def circuit(self) -> CompiledCircuit:
        """The constraints and the witness program. With private or hashed weights the same for all weights."""
        from zkgpu.zkml.layers.network import build_circuit

        give_back()
        with stage("build circuit"):
            return build_circuit(self.reference or self.model, self.visibilities).compile()

    @cached_property
    def account(self) -> Account:
        """The size of the circuit, by formulas: nothing of it is built."""
        from zkgpu.zkml.counting import account_of

        return account_of(self.reference or self.model, self.visibilities)

    @property
    def has_circuit(self) -> bool:
        """Whether the circuit is written already, or was kept."""
        return "circuit" in vars(self)

    def with_circuit(self, circuit: CompiledCircuit) -> CompiledModel:
        """The same model, whose circuit need not be written: it was kept."""
        known = {"_intervals": self._intervals} if "_intervals" in self.__dict__ else {}
        return self.with_known(circuit=circuit, **known)

    def with_known(self, **properties: Any) -> CompiledModel:
        """The same model, of which these properties are known and need not be computed."""
        same = replace(self)
        same.__dict__.update(properties)
        return same

    def quantized(self, inputs: Any, *, clamp: bool = False) -> dict[str, NDArray[np.int64]]:
        """The integers that stand for one sample's real numbers: by name, or an array for a model with one input.

        Args:
            clamp: bring numbers out of range to its end, and round those of an input that was calibrated with whole
                numbers only; else UsageError names the first of them
        """
        return to_integers(self.model, self._named(inputs), clamp=clamp)

    def count_moved(self, inputs: Any) -> dict[str, int]:
        """By input, how many of one sample's numbers are out of range, or no whole numbers where all others were."""
        return count_moved(self.model, self._named(inputs))

    def _named(self, inputs: Any) -> Mapping[str, Any]:
        inputs = loaded(inputs, {tensor.name: tensor.shape for tensor in self.model.inputs}, only=True)
        return inputs if isinstance(inputs, Mapping) else {self.model.inputs[0].name: inputs}

    def samples(self, inputs: Any) -> tuple[list[Mapping[str, Any]], bool]:
        """The samples that inputs hold, and whether they are a batch along axis 0.

        Args:
            inputs: by name, or an array for a model with one input, or the path of a file of either
        """
        named = self._named(inputs)
        found = each(self.model.inputs, named)
        return ([named], False) if found is None else (list(found), True)

    def run(self, integers: Mapping[str, NDArray[np.int64]], *, clamp: bool = False) -> dict[str, NDArray[Any]]:
        """The outputs for integer inputs: exactly what a proof will show. Values that were clamped are told.

        Args:
            clamp: tell, rather than refuse, those of a layer that a clamp moves by more than a sixteenth; else
                UsageError names the layer (`zkgpu.zkml.clamps`)
        """
        values = semantics.run(self.model, integers)
        for found in clamped(self._limited, values):
            _tell(found, clamp=clamp)
        return {tensor.name: values[tensor.name] for tensor in self.model.outputs}

    def predict(self, inputs: Any, *, clamp: bool = False) -> dict[str, NDArray[np.float64]]:
        """The outputs as real numbers, for one sample; of a batch, those of each sample one after another."""
        samples, is_batch = self.samples(inputs)
        answers = [self._predict_one(sample, clamp) for sample in samples]
        return _joined(answers) if is_batch else answers[0]

    def _predict_one(self, inputs: Mapping[str, Any], clamp: bool) -> dict[str, NDArray[np.float64]]:
        outputs = self.run(self.quantized(inputs, clamp=clamp), clamp=clamp)
        return {t.name: np.asarray(outputs[t.name], dtype=np.float64) * t.scale for t in self.model.outputs}

    def circuit_inputs(self, integers: Mapping[str, NDArray[np.int64]], binding: bytes = b"") -> dict[str, object]:
        """What the circuit's witness is computed from: the inputs, the weights where they are private, and the binding.

        Raises UsageError unless the binding has as many bytes as the model was compiled for.
        """
        return {**integers, **self._given_weights, **self._bound(binding)}

    def _bound(self, binding: bytes) -> dict[str, NDArray[Any]]:
        wanted = self.visibilities.binding
        if len(binding) != wanted:
            raise UsageError(
                f"a binding of {len(binding)} bytes, but the model was compiled for one of {wanted}"
                if wanted
                else "the model was compiled without a binding: compile it with one of 20 or 32 bytes"
            )
        return {BINDING: np.frombuffer(binding, dtype=np.uint8).astype(np.int64)} if wanted else {}

    @cached_property
    def _given_weights(self) -> dict[str, NDArray[Any]]:
        """What the prover gives for the weights, by the names of the circuit's signals."""
        if self.visibilities.weights == "hashed":
            return {name: part.values for name, part in self._hashed_parts.items()}
        if self.visibilities.weights == "private":
            from zkgpu.zkml.layers.matrices import private_values

            linear = (op for op in self.model.operations if isinstance(op, Linear))
            given = [(op.output, private_values(op, self._rows(op))) for op in linear]
            return {f"{o}.{name}": v for o, values in given for name, v in zip(("weight", "bias"), values, strict=True)}
        return {}

    @cached_property
    def _hashed_parts(self) -> dict[str, Ranged[NDArray[Any]]]:
        """The arrays that the hash of the weights covers, in order, by the names of the circuit's signals."""
        from zkgpu.zkml.layers.weights import hashed_parts

        pairs = zip(self.model.operations, (self.reference or self.model).operations, strict=True)
        layers = [
            (op.output, hashed_parts(op, self._rows(op), its))
            for op, its in pairs
            if isinstance(op, Linear) and isinstance(its, Linear)
        ]
        return {f"{output}.{name}": part for output, parts in layers for name, part in parts.items()}

    def _rows(self, operation: Linear) -> int:
        """Rows of each group that the layer multiplies."""
        return int(self._intervals[operation.inputs[0]].shape[1])

    @cached_property
    def weights_hash(self) -> int | None:
        """The Poseidon hash that a proof shows of these weights, or None unless weights are "hashed"."""
        if self.visibilities.weights != "hashed":
            return None
        from zkgpu.zkml.layers.hashing import hash_of_values

        return hash_of_values(list(self._hashed_parts.values()))

    @property
    def hash_names(self) -> tuple[str, ...]:
        """What a proof's ordinary public inputs are, in order: hashes of tensors, and of the weights."""
        return hash_names(self.model, self.visibilities)

    def public_values(
        self, integers: Mapping[str, NDArray[np.int64]], binding: bytes = b"", *, clamp: bool = False
    ) -> dict[str, Any]:
        """What the verifier sees: public tensors and binding as integers, hashes as NAME.hash and weights.hash.

        Args and errors as of `run`, and of `circuit_inputs` for the binding.
        """
        outputs = self.run(integers, clamp=clamp)
        shown: dict[str, Any] = self._bound(binding)
        shown |= {} if self.weights_hash is None else {WEIGHTS_HASH: self.weights_hash}
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
    def _limited(self) -> tuple[Requantize, ...]:
        return limited(self.model)

    @cached_property
    def _intervals(self) -> Mapping[str, Any]:
        return analyze(self.reference or self.model, margin=self.visibilities.weights_are_given)

    def _shown(
        self, tensor: Tensor, visibility: Visibility, value: NDArray[Any], ends: tuple[int, int] | None
    ) -> dict[str, Any]:
        if visibility == "private":
            return {}
        if visibility == "public":
            return {tensor.name: value}
        from zkgpu.zkml.layers.hashing import Ranged, hash_of_values

        low, high = ends or (tensor.low, tensor.high)
        return {hash_name(tensor.name): hash_of_values([Ranged(value, low, high)])}

    def with_weights(self, source: Source, *, memory: int | None = None) -> CompiledModel:
        """The same circuit, hence the same keys, with the weights of another model of the same architecture.

        Args:
            memory: bytes that running the other model may take, see `onnx_worker`

        Raises UsageError when weights are public, when the architecture differs, or when the weights do not fit.
        """
        from zkgpu.zkml.calibration import FloatModel, observe
        from zkgpu.zkml.frontends import as_onnx
        from zkgpu.zkml.onnx_import import expanded, read_graph
        from zkgpu.zkml.onnx_model import OnnxModel
        from zkgpu.zkml.quantize import quantize

        if not self.visibilities.weights_are_given:
            raise UsageError("weights that are public are part of the circuit: compile the other model on its own")
        shapes = {tensor.name: tensor.shape for tensor in self.model.inputs}
        example = {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}
        read = OnnxModel.read(as_onnx(source, example if len(example) > 1 else next(iter(example.values()))))
        model = expanded(read.with_shapes(shapes), self.recipe.outputs)
        ends = {name: np.full(shape, self.recipe.calibration.high[name]) for name, shape in shapes.items()}
        graph = read_graph(model, self.recipe.outputs, observe(FloatModel(model, memory), ends))
        other = quantize(graph, self.recipe.calibration, self.recipe.settings, self.recipe.scales).model
        return self._with_model(other)

    def _with_model(self, other: IntegerModel) -> CompiledModel:
        """The same circuit with another model of the same architecture. Raises UsageError for weights out of range."""
        replaced = replace(self, model=other, reference=self.reference or self.model, accuracy=None)
        _ = replaced._given_weights
        return replaced


def _tell(found: Clamped, *, clamp: bool) -> None:
    if found.is_refused and not clamp:
        raise found.refusal()
    log.warning(_CLAMPED, found.operation.layer, found.count)


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
    from zkgpu.zkml.calibration import FloatModel, observe
    from zkgpu.zkml.choosing import Trials, stream_of
    from zkgpu.zkml.frontends import as_onnx
    from zkgpu.zkml.onnx_import import expanded, read_graph
    from zkgpu.zkml.onnx_model import OnnxModel

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
    named = {
        **_fitting(read.class_labels(graph.outputs), graph),
        **{name: tuple(entries) for name, entries in (labels or {}).items()},
    }
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
    from zkgpu.zkml.calibration import calibrate
    from zkgpu.zkml.equalizing import channel_axis, pairs

    between = {name: channel_axis(pair.first) for pair in pairs(graph) for name in pair.tensors}
    return calibrate(graph, model, samples, percentile, held_out, between, watched(graph, members))


def _joined(answers: Sequence[Mapping[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
    """Answers along a first axis, which is the one that they have where it is a batch of one."""
    found = {name: [answer[name] for answer in answers] for name in answers[0]}
    return {name: np.concatenate(a) if a[0].shape[:1] == (1,) else np.stack(a) for name, a in found.items()}


def _fitting(labels: Mapping[str, tuple[str, ...]], graph: Graph) -> dict[str, tuple[str, ...]]:
    """Those of a file, but for outputs that hold a number for each pair of classes."""
    return {name: given for name, given in labels.items() if graph.shapes[name][-1:] in ((), (1,), (len(given),))}


def _require_share(allow_error: float | None) -> None:
    if allow_error is not None and not allow_error >= 0:
        raise UsageError(f"an allowed error of {allow_error}: it is a share, such as 0.05, and not below 0")


def _require_fitting_labels(model: IntegerModel, labels: Mapping[str, Sequence[str]]) -> None:
    """Raises UsageError for labels of no output, and for others than one an entry of its last axis, or one a class."""
    outputs = {tensor.name: tensor for tensor in model.outputs}
    for name, given in labels.items():
        tensor = outputs.get(name)
        if tensor is None:
            raise UsageError(f"the model has no output '{name}' to label; it has {', '.join(outputs)}")
        entries = tensor.shape[-1] if tensor.shape else 1
        is_class = tensor.scale == 1.0 and 0 <= tensor.low <= tensor.high < len(given)
        if len(given) != entries and not is_class:
            raise UsageError(f"{len(given)} labels for output '{name}' of shape {tensor.shape}: give {entries}")
        if not all(isinstance(label, str) for label in given):
            raise UsageError(f"the labels of output '{name}' are not all text")
