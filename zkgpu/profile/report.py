"""What there is to know of a compiled model, as one HTML file: what proofs say, the graph, ranges, errors, costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from html import escape

from zkgpu.inference import CompiledModel, Costs, ModelStatement
from zkgpu.profile.layered import Box, svg
from zkgpu.profile.page import flame, table, whole
from zkgpu.profile.scopes import Scope, profile
from zkgpu.records import dataclass
from zkgpu.zkml.accuracy import Accuracy
from zkgpu.zkml.operations import Operation
from zkgpu.zkml.ranges import Interval, analyze

_MOST_DRAWN = 600  # layers
_HUES = {"Linear": 150, "MatMul": 190, "Requantize": 40, "Rescale": 40, "Lookup": 280, "Softmax": 320, "Maximum": 20}
_NOT_PUBLIC = "The weights are not public: ranges and errors below tell of them. Keep this page as you keep the model."


@dataclass
class _Layer:
    """The operations of one node of the imported model."""

    name: str
    operations: list[Operation] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        return list(dict.fromkeys(type(operation).__name__ for operation in self.operations))


def report(model: CompiledModel, costs: Costs, name: str) -> str:
    """The page of a compiled model. What names hold is text wherever they stand."""
    layers = _layers(model)
    results = _results(model, layers)
    counted = profile(model.circuit.r1cs, name)
    sections = [
        *_summary(model, costs),
        ("What a proof says", _statement(model)),
        *([("How near the answers are", _answers(model.accuracy))] if model.accuracy else []),
        ("The network", _graph(model, layers, results)),
        ("Layers", _table_of_layers(model, layers, results, counted)),
        *([("Errors by tensor", _errors(model.accuracy))] if model.accuracy else []),
        ("Where constraints go", flame(counted)),
    ]
    body = "\n".join(f"<h2>{escape(title)}</h2>\n{part}" if title else part for title, part in sections)
    return whole(f"{name}: what is proven, and what it costs", body, counted)


def _summary(model: CompiledModel, costs: Costs) -> Iterator[tuple[str, str]]:
    facts = [
        ("weights", f"{model.model.n_weights:,}, {model.visibilities.weights}"),
        ("constraints", f"{costs.constraints:,}"),
        ("wires", f"{costs.wires:,}"),
        ("entries of A, B and C", f"{costs.entries:,}"),
        ("public inputs of a proof", f"{costs.public:,}"),
        ("setup", f"about {costs.setup_seconds:.1f} s, {costs.setup_memory / 2**30:.1f} GiB"),
        ("a proof", f"about {costs.proof_seconds:.2f} s, {costs.prove_seconds:.1f} s with start-up and opening"),
        ("memory of a proof", f"about {costs.prove_memory / 2**30:.1f} GiB"),
        ("proving key", f"about {costs.key_bytes / 2**20:,.0f} MiB"),
        ("verification in the EVM", f"about {costs.gas:,} gas"),
        ("error of all tests at challenges", f"below 2^-{model.account.error_bits}"),
    ]
    if model.weights_hash is not None:
        facts.insert(1, ("hash of the weights", str(model.weights_hash)))
    yield "", table(("", ""), facts, (0, 1))
    if model.visibilities.weights != "public":
        yield "", _said(_NOT_PUBLIC)


def _statement(model: CompiledModel) -> str:
    statement = ModelStatement.of(model)
    shown = [
        (t.name, t.role, t.visibility, _shape(t.shape), t.type, f"{t.low} .. {t.high}", f"{t.scale:.6g}")
        for t in statement.tensors
    ]
    hidden = [(name, "", "private", "", "", "", "") for name in statement.hidden]
    heads = ("tensor", "role", "who sees it", "shape", "type", "integers", "scale")
    sentences = (statement.proves, statement.does_not_prove)
    return table(heads, [*shown, *hidden], range(5)) + "".join(map(_said, sentences))


def _answers(accuracy: Accuracy) -> str:
    rows = [(o.name, f"{o.agreement:.1%}", "" if o.named else f"{o.error:.2%}") for o in accuracy.outputs]
    which = "that calibration had not seen" if accuracy.held_out else "of the calibration itself"
    measured = _said(f"Measured on {accuracy.samples:,} samples {which}.")
    warned = "".join(map(_said, accuracy.warnings))
    return table(("output", "same answers as the float model", "error"), rows) + measured + warned


def _layers(model: CompiledModel) -> dict[str, _Layer]:
    """The layers by name, in the order of their last operations."""
    found: dict[str, _Layer] = {}
    for operation in model.model.operations:
        layer = found.pop(operation.layer, None) or _Layer(operation.layer)
        layer.operations.append(operation)
        found[operation.layer] = layer
    return found


def _results(model: CompiledModel, layers: dict[str, _Layer]) -> dict[str, Interval]:
    """By layer, what others read of it: the largest such tensor."""
    ranges, read = analyze(model.model), {tensor.name for tensor in model.model.outputs}
    writer = {operation.output: operation.layer for operation in model.model.operations}
    for operation in model.model.operations:
        read.update(name for name in operation.inputs if writer.get(name) != operation.layer)
    found = {}
    for layer in layers.values():
        outputs = [operation.output for operation in layer.operations]
        shown = [output for output in outputs if output in read] or outputs[-1:]
        found[layer.name] = max((ranges[output] for output in shown), key=lambda interval: interval.low.size)
    return found


def _graph(model: CompiledModel, layers: dict[str, _Layer], results: dict[str, Interval]) -> str:
    """The layers as boxes, from inputs to outputs."""
    if len(layers) > _MOST_DRAWN:
        return _said(f"{len(layers):,} layers are too many to draw.")
    boxes, reads, writer = list[Box](), list[list[int]](), dict[str, int]()
    for tensor in model.model.inputs:
        writer[tensor.name] = len(boxes)
        boxes.append(Box(tensor.name, _shape(tensor.shape), f"input {tensor.name}", 0))
        reads.append([])
    for layer in layers.values():
        own = len(boxes)
        from_elsewhere = [writer[t] for op in layer.operations for t in op.inputs if writer.get(t, own) < own]
        writer.update((operation.output, own) for operation in layer.operations)
        told = f"{layer.name}: {', '.join(layer.kinds)}"
        hue = next((_HUES[kind] for kind in layer.kinds if kind in _HUES), 210)
        boxes.append(Box(layer.name, _shape(results[layer.name].shape), told, hue))
        reads.append(from_elsewhere)
    for tensor in model.model.outputs:
        boxes.append(Box(tensor.name, _shape(tensor.shape), f"output {tensor.name}", 0))
        reads.append([writer[tensor.name]])
    return svg(boxes, reads)


def _table_of_layers(
    model: CompiledModel, layers: dict[str, _Layer], results: dict[str, Interval], counted: Scope
) -> str:
    ways = {layer.layer: layer.way for layer in model.account.layers}
    rows = []
    for layer in layers.values():
        result = results[layer.name]
        scope = _scope_of(counted, layer.name)
        integers = f"{result.least:,} .. {result.greatest:,}", str(result.bits)
        counts = f"{scope.constraints:,}", f"{scope.entries:,}"
        kinds = ", ".join(layer.kinds)
        rows.append((layer.name, kinds, ways.get(layer.name, ""), _shape(result.shape), *integers, *counts))
    heads = ("layer", "operations", "product", "shape", "integers", "bits", "constraints", "entries")
    note = "Rows of tables are counted at the tables, below, and weights in exact rows where their sums are read."
    return table(heads, rows, range(4)) + _said(note)


def _scope_of(counted: Scope, layer: str) -> Scope:
    """What was counted under a layer's name."""
    scope = counted
    for part in filter(None, layer.split("/")):
        scope = scope.children.get(part, Scope(part))
    return scope


def _errors(accuracy: Accuracy) -> str:
    """How far each tensor is from the float model's, as a share of its size."""
    largest = max((e for e in accuracy.layers.values() if e < float("inf")), default=0.0) or 1.0
    rows = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{error:.2%}</td>'
        f'<td class="bar"><div style="width:{100 * min(error / largest, 1):.1f}%"></div></td></tr>'
        for name, error in sorted(accuracy.layers.items(), key=lambda pair: -pair[1])
    )
    head = '<tr><th class="text">tensor</th><th>error</th><th></th></tr>'
    return f'<div class="wide"><table>\n<thead>{head}</thead>\n<tbody>\n{rows}\n</tbody></table></div>'


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a number"


def _said(sentence: str) -> str:
    return f"<p>{escape(sentence)}</p>"
