"""What stands in the way of a model, all of it at once, without data.

The model is read as for compiling, and taken as far as each step goes. A node that is refused is put down and cut out:
what it would give becomes an input, so that the nodes behind it are looked at as well. All numbers are made up: a
refusal for the sizes of numbers, or for an error beyond the limit, only data can show.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zkgpu.errors import FormatError, ResourceError, UsageError
from zkgpu.notebook import listed, table
from zkgpu.records import dataclass
from zkgpu.zkml.calibrated import Calibration
from zkgpu.zkml.calibration import FloatModel
from zkgpu.zkml.frontends import as_onnx
from zkgpu.zkml.graph import Graph, Node, Shape, Unsupported
from zkgpu.zkml.honored import require_honored
from zkgpu.zkml.lowering.settings import Settings
from zkgpu.zkml.onnx_import import expanded, faults_of_the_file, folded, in_floats, raw_graph
from zkgpu.zkml.onnx_model import OnnxModel, Source
from zkgpu.zkml.patterns import simplify
from zkgpu.zkml.quantize import obstacles
from zkgpu.zkml.samples import made_up
from zkgpu.zkml.supported import OPERATORS, require_operators, require_shapes

_QUOTED = re.compile(r"'[^']*'")
_LENGTH = 32  # of an axis whose length nothing gives


@dataclass(frozen=True)
class Obstacle:
    """One reason why a model is not compiled.

    Attributes:
        operator: of the nodes; "" for what is no node's fault
        nodes: names of those that it is about, or of the input
        reason: why not
        instead: what would do in their place, or ""
    """

    operator: str
    nodes: tuple[str, ...]
    reason: str
    instead: str

    @property
    def count(self) -> int:
        """How many nodes it is about."""
        return len(self.nodes)


@dataclass(frozen=True)
class ModelCheck:
    """What `check` found.

    Attributes:
        obstacles: everything that is not supported, in the order of the model
        operators: how often each operator occurs in the file
        notes: what was assumed, and what was not looked at
    """

    obstacles: tuple[Obstacle, ...]
    operators: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def is_supported(self) -> bool:
        """Whether nothing was found that is not supported."""
        return not self.obstacles

    def __repr__(self) -> str:
        return f"<ModelCheck: {self._verdict()}>"

    def _repr_html_(self) -> str:
        rows = {f"{o.operator or 'model'} ({o.count})": f"{o.reason}; {listed(o.nodes)}" for o in self.obstacles}
        return table(self._verdict(), {**rows, "notes": "; ".join(self.notes) or None})

    def _verdict(self) -> str:
        nodes = sum(self.operators.values())
        if self.is_supported:
            return f"{nodes:,} nodes, all supported"
        refused = len({name for obstacle in self.obstacles for name in obstacle.nodes})
        return f"{nodes:,} nodes, {refused:,} not supported: {listed([o.operator or 'model' for o in self.obstacles])}"

    def to_json(self) -> dict[str, Any]:
        """What `zkgpu --json zkml check` prints."""
        found = [
            {"operator": o.operator, "nodes": list(o.nodes), "count": o.count, "reason": o.reason, "instead": o.instead}
            for o in self.obstacles
        ]
        facts = {"operators": dict(self.operators), "notes": list(self.notes)}
        return {"supported": self.is_supported, "obstacles": found, **facts}


def check(
    source: Source,
    *,
    shapes: Mapping[str, Shape] | None = None,
    tensors: Sequence[str] | None = None,
    weights: str = "public",
    memory: int | None = None,
    example: Any = None,
) -> ModelCheck:
    """Everything in a model that is not supported.

    Args:
        source: as of `compile_model`
        shapes: of inputs whose lengths the file leaves open, with the batch
        tensors: those to compute; all outputs by default
        weights: who would see them: "public", "private" or "hashed"
        memory: bytes that running the model may take, see `onnx_worker`
        example: what a module of PyTorch takes, see `frontends.as_onnx`

    Raises FormatError for a damaged file, UsageError for shapes or tensors that are not the model's.
    """
    read = OnnxModel.read(as_onnx(source, example))
    given, notes = shapes_of_inputs(read, shapes or {})
    fixed = read.with_shapes(given)
    found = _Found()
    _look(found, fixed, tensors, Settings(open_weights=weights != "public"), memory)
    nodes = Counter(node.op_type for node in read.proto.graph.node)
    return ModelCheck(found.grouped(), dict(sorted(nodes.items())), (*notes, *found.notes))


class _Found:
    """Obstacles so far."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str, str]] = []  # operator, node, reason, what would do instead
        self.notes: list[str] = []

    def add(self, error: FormatError) -> None:
        """Puts down an error, once; one that is no node's fault is about the model."""
        node, reason, instead = None, str(error), ""
        if isinstance(error, Unsupported) and error.node is not None:
            node, reason, instead = error.node, error.reason, error.instead
        entry = (node.operator if node else "", node.name if node else "the model", reason, instead)
        if entry not in self.entries:
            self.entries.append(entry)

    def refused(self) -> set[str]:
        """The names of nodes so far."""
        return {name for _, name, _, _ in self.entries}

    def grouped(self) -> tuple[Obstacle, ...]:
        """Those of one operator that differ in the names of tensors alone are one."""
        groups: dict[tuple[str, str], list[tuple[str, str, str, str]]] = {}
        for entry in self.entries:
            groups.setdefault((entry[0], _QUOTED.sub("''", entry[2])), []).append(entry)
        firsts = ((group[0], tuple(dict.fromkeys(name for _, name, _, _ in group))) for group in groups.values())
        return tuple(Obstacle(operator, names, reason, instead) for (operator, _, reason, instead), names in firsts)


def shapes_of_inputs(model: OnnxModel, given: Mapping[str, Shape]) -> tuple[dict[str, Shape], list[str]]:
    """The shape of each input, and a note for each length that is made up."""
    unknown = sorted(set(given) - set(model.inputs))
    if unknown:
        raise UsageError(f"the model has no input '{unknown[0]}'; it has {', '.join(model.inputs)}")
    shapes, notes = dict(given), []
    for info in model.proto.graph.input:
        if info.name in model.inputs and info.name not in given:
            dims = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
            open_axes = [axis for axis, dim in enumerate(dims) if axis and not dim]
            shapes[info.name] = tuple(dim or (_LENGTH if axis else 1) for axis, dim in enumerate(dims))
            notes += [
                f"axis {axis} of input '{info.name}' has no fixed length: {_LENGTH} was assumed, --shape gives another"
                for axis in open_axes
            ]
    return shapes, notes


def _look(
    found: _Found, model: OnnxModel, tensors: Sequence[str] | None, settings: Settings, memory: int | None
) -> None:
    """Takes the model through every step of reading and quantizing, and puts down what each of them refuses."""
    model = expanded(model, tensors, found.add)
    graph = raw_graph(model, tensors)
    values = _tried(found, FloatModel(model, memory))
    try:
        with faults_of_the_file():
            graph = folded(graph, model, values, found.add)
    except FormatError as error:
        found.add(error)
    require_operators(graph, found.add)
    foreign = {name for node in graph.nodes if node.operator not in OPERATORS for name in node.outputs}
    require_honored(graph, found.add)
    try:
        with faults_of_the_file():
            graph = _without(graph, found.refused())
            require_shapes(graph, found.add)
            graph = _simplified(found, _without(graph, found.refused()))
            for obstacle in obstacles(graph, _calibration(graph, values), settings):
                if obstacle.node is None or not foreign & set(obstacle.node.inputs):  # both may be one function
                    found.add(obstacle)
    except FormatError as error:
        found.add(error)


def _tried(found: _Found, model: FloatModel) -> dict[str, Any]:
    """All tensors of a run on made-up inputs: numbers in [-2, 2), and integers and truths that are 0 or 1."""
    given: dict[str, Any] = {}
    for name, (shape, kind) in model.inputs.items():
        if kind.kind not in "fiub":
            found.add(FormatError(f"input '{name}' holds no numbers"))
            return {}
        given[name] = made_up(shape, kind)
    try:
        return {**given, **model.run_as_is(given)}
    except (FormatError, ResourceError) as error:
        found.notes.append(f"it was not run, and shapes were inferred from the file alone: {error}")
        return {}


def _without(graph: Graph, names: Collection[str]) -> Graph:
    """The graph without the nodes of these names: what they give is an input, where its shape is known.

    Where it is not, nodes behind it go too. What only they read is an output instead.
    """
    refused = [node for node in graph.nodes if node.name in names]
    given = {out for node in refused for out in node.outputs if out}
    inputs = {name: graph.shapes[name] for name in given if name in graph.shapes}
    lost = given - set(inputs)
    kept: list[Node] = []
    for node in (node for node in graph.nodes if node.name not in names):
        if lost & set(node.inputs):
            lost.update(node.outputs)
        else:
            kept.append(node)
    read = {name for node in kept for name in node.inputs}
    ends = [name for node in kept for name in node.outputs if name and (name not in read or name in graph.outputs)]
    left = replace(graph, inputs={**graph.inputs, **inputs}, outputs=tuple(ends))
    return left.with_nodes(kept)


def _simplified(found: _Found, graph: Graph) -> Graph:
    """The graph in the operators of the rules, as far as they go."""
    while True:
        try:
            return simplify(in_floats(graph))
        except Unsupported as error:
            found.add(error)
            names = {node.name for node in graph.nodes} & found.refused()
            if not names:
                raise
            graph = _without(graph, names)


def _calibration(graph: Graph, values: Mapping[str, Any]) -> Calibration:
    """The bounds of a run; of what it does not hold -1 to 1, and 0 to 1 of inputs, taken for whole numbers."""
    ends = {**dict.fromkeys(graph.shapes, (-1.0, 1.0)), **dict.fromkeys(graph.inputs, (0.0, 1.0))}
    ends |= {name: _ends(value) for name, value in values.items() if np.asarray(value).dtype.kind in "fiub"}
    integral = frozenset(name for name in graph.inputs if graph.is_integral(name) or name not in values)
    return Calibration({n: low for n, (low, _) in ends.items()}, {n: high for n, (_, high) in ends.items()}, integral)


def _ends(values: Any) -> tuple[float, float]:
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    return float(finite.min(initial=0.0)), float(finite.max(initial=0.0))
