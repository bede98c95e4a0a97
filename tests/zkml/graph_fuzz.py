"""Random graphs against onnxruntime: what is wrong beyond rounding, made small.

A difference is rounding if a graph whose tensors are each moved by so much as their own steps, and run by onnxruntime,
differs as far, or if four bits more halve it: what rounding does depends on the graph, so no fixed bound tells it from
a wrong rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tests.zkml.networks import proven_output
from tests.zkml.random_graphs import DRAWN, FRESH, SAMPLES, MisfitError, Sketch, answers, needed, opened, random_graph
from zkgpu.errors import FormatError, UsageError
from zkgpu.inference import CompiledModel, compile_model
from zkgpu.zkml import semantics
from zkgpu.zkml.clamps import clamped, limited
from zkgpu.zkml.expansion.control import reads, subgraphs
from zkgpu.zkml.precision import MOST_BITS
from zkgpu.zkml.samples import sample

RIGHT, REFUSED, ROUNDED, BEYOND = "right", "refused", "rounded", "beyond the calibration"
WRONG, ERROR, INVALID = "wrong", "error", "not valid"
FAULTS = (WRONG, ERROR)
BITS = 12
NEAR = 0.02  # of an output's largest magnitude
NOTHING = 1e-5  # what onnxruntime itself may be off by, where the right answer is 0
FEW = 0.05  # of the entries may be farther than that, at ties and ends of ranges
_TIMES = 6.0  # how much farther than moved tensors lead rounding may
_MOVES = 16  # a move may happen to go the other way than rounding does, where a function has a step
CALIBRATING, UNSEEN = range(SAMPLES), range(SAMPLES, SAMPLES + FRESH)

Array = np.ndarray
Answers = dict[str, Array]  # by output: of all samples, one after another


@dataclass(frozen=True)
class Verdict:
    kind: str
    told: str = ""


@dataclass
class Graph:
    """A model and its data: SAMPLES to calibrate with and FRESH others."""

    model: Any
    data: dict[str, Array]

    @property
    def outputs(self) -> list[str]:
        return [info.name for info in self.model.graph.output]

    def save(self, path: Path) -> None:
        onnx.save(self.model, path.with_suffix(".onnx"))
        np.savez(path.with_suffix(".npz"), **self.data)

    def __str__(self) -> str:
        opset = next(o.version for o in self.model.opset_import if not o.domain)
        return f"opset {opset}: " + "; ".join(_line(proto, self) for proto in self.model.graph.node)


def _line(proto: Any, graph: Graph) -> str:
    shapes = {t.name: tuple(t.dims) for t in graph.model.graph.initializer}
    shapes |= {name: array.shape[1:] for name, array in graph.data.items()}
    inputs = ", ".join(f"{name}{shapes.get(name, '')}" for name in reads(proto))
    plain = [a for a in proto.attribute if a.type not in (onnx.AttributeProto.TENSOR, onnx.AttributeProto.GRAPH)]
    told = {a.name: onnx.helper.get_attribute_value(a) for a in plain}
    told |= {"graphs": [tuple(held(inner)) for inner in subgraphs(proto)]} if list(subgraphs(proto)) else {}
    return f"{', '.join(proto.output)} = {proto.op_type}({inputs}) {told or ''}".strip()


def judge(graph: Graph, *, weights: str = "public", proves: bool = False) -> Verdict:
    """What becomes of a graph."""
    try:
        wanted = run(graph)
    except MisfitError as error:
        return Verdict(INVALID, str(error))
    try:
        compiled = _compiled(graph, weights, BITS)
        found = predicted(compiled, graph, UNSEEN)
        if proves:
            require_witness(compiled, graph)
    except (FormatError, UsageError) as error:
        return Verdict(REFUSED if "\n" not in str(error) else ERROR, str(error))
    except Exception as error:
        return Verdict(ERROR, f"{type(error).__name__}: {error}")
    verdict = compared(graph, wanted, found, UNSEEN)
    if verdict.kind != WRONG:
        return verdict
    if is_wrong_beyond_the_calibration_only(graph, compiled, wanted):
        return Verdict(BEYOND, verdict.told)
    return Verdict(ROUNDED, verdict.told) if _shrinks(graph, weights, wanted, found) else verdict


def _compiled(graph: Graph, weights: str, bits: int) -> CompiledModel:
    calibration, fresh = ({name: array[rows] for name, array in graph.data.items()} for rows in (CALIBRATING, UNSEEN))
    given = {"bits": bits, "limb": 6, "weights": weights, "allow_error": np.inf, "test_data": _first(fresh)}
    return compile_model(graph.model, calibration, **given)


def is_wrong_beyond_the_calibration_only(graph: Graph, compiled: CompiledModel, wanted: Answers) -> bool:
    """Whether a clamp moves values of some fresh samples, and all others are right, as those are that calibrate."""
    beyond = [row for row in UNSEEN if _is_clamped(compiled, sample(graph.data, row))]
    rest = [*CALIBRATING[:FRESH], *(row for row in UNSEEN if row not in beyond)]
    return bool(beyond) and compared(graph, wanted, predicted(compiled, graph, rest), rest).kind != WRONG


def _is_clamped(compiled: CompiledModel, given: dict[str, Array]) -> bool:
    """Whether inputs are out of range, or the values of a layer so far that it is told."""
    values = semantics.run(compiled.model, compiled.quantized(given, clamp=True))
    return bool(compiled.count_moved(given) or clamped(limited(compiled.model), values))


def _shrinks(graph: Graph, weights: str, wanted: Answers, found: Answers) -> bool:
    """Whether all outputs are at most half as far off with more bits."""
    try:
        finer = predicted(_compiled(graph, weights, MOST_BITS), graph, UNSEEN)
    except FormatError:
        return False
    pairs = ((finer[name], found[name], wanted[name][UNSEEN]) for name in wanted)
    return all(_distance(fine, right) <= 0.5 * _distance(coarse, right) for fine, coarse, right in pairs)


def _distance(found: Array, wanted: Array) -> float:
    return float(np.abs(found - wanted.astype(np.float64)).sum())


def _first(data: dict[str, Array]) -> dict[str, Array]:
    return {name: array[:1] for name, array in data.items()}


def run(graph: Graph) -> Answers:
    """What onnxruntime answers to all samples."""
    tensors = tensors_of(graph)
    return {name: tensors[name] for name in graph.outputs}


def predicted(compiled: CompiledModel, graph: Graph, rows: Sequence[int]) -> Answers:
    runs = [compiled.predict(sample(graph.data, row), clamp=True) for row in rows]
    return {name: np.stack([one[name] for one in runs]) for name in runs[0]}


def require_witness(compiled: CompiledModel, graph: Graph) -> None:
    """Raises AssertionError unless the circuit shows what the semantics compute."""
    integers = compiled.quantized(sample(graph.data, UNSEEN[0]), clamp=True)
    for name, value in compiled.run(integers, clamp=True).items():
        assert (np.asarray(proven_output(compiled.circuit, compiled.circuit_inputs(integers), name)) == value).all()


def compared(graph: Graph, wanted: Answers, found: Answers, rows: Sequence[int]) -> Verdict:
    """The answers to some samples with all that are wanted."""
    expected = {name: array[list(rows)] for name, array in wanted.items()}
    for name, right in expected.items():
        if found[name].shape != right.shape:
            return Verdict(WRONG, f"'{name}' has the shape {found[name].shape[1:]}, not {right.shape[1:]}")
    far = {name: share_far(right, found[name]) for name, right in expected.items()}
    worst = max(far, key=lambda name: far[name])
    if far[worst] <= FEW:
        return Verdict(RIGHT)
    told = f"{far[worst]:.0%} of '{worst}' is farther off than {NEAR:.0%} of it"
    return Verdict(ROUNDED if is_rounding(graph, expected[worst], found[worst], worst, rows) else WRONG, told)


def share_far(wanted: Array, found: Array) -> float:
    size = max(float(np.abs(wanted.astype(np.float64)).max()), NOTHING)
    return _share(np.abs(found - wanted.astype(np.float64)) > NEAR * size)


def _share(far: Array) -> float:
    """The share that is true, but for one entry: a step, or the end of a range, may lie anywhere."""
    return max(int(far.sum()) - 1, 0) / far.size


def is_rounding(graph: Graph, wanted: Array, found: Array, name: str, rows: Sequence[int]) -> bool:
    """Whether moving each tensor by little moves the output as far."""
    exact = wanted.astype(np.float64)
    moved = [moved_answers(graph, np.random.default_rng(i), name, rows) for i in range(_MOVES)]
    reached = np.nan_to_num(np.max([np.abs(other - exact) for other in moved], axis=0), nan=np.inf)
    distance = np.abs(found - exact)
    size = max(float(np.abs(exact).max()), NOTHING)
    bound = _TIMES * np.maximum(reached, np.median(reached)) + NEAR * size
    return _share(distance > bound) <= FEW


def moved_answers(graph: Graph, draws: np.random.Generator, wanted: str, rows: Sequence[int]) -> Array:
    """An output on some samples, where each tensor of floats is moved on its way by up to a step of its calibration."""
    tensors = tensors_of(graph)
    reaches = {name: float(np.abs(array[CALIBRATING].astype(np.float64)).max()) for name, array in tensors.items()}
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.model.graph.initializer}
    values = {name: [_moved(array[row], reaches[name], draws) for row in rows] for name, array in graph.data.items()}
    sketch = Sketch(draws, next(o.version for o in graph.model.opset_import if not o.domain))
    sketch.constants, sketch.values = constants, values
    for proto in needed(graph.model.graph.node, [wanted]):
        for name, found in sketch.run(proto, [o for o in proto.output if o]).items():
            is_root = _is_root(proto)  # the sum of squares under it is a tensor, too
            values[name] = [_moved(v, reaches[name], draws, is_root=is_root) for v in found]
    return np.stack(values[wanted]).astype(np.float64)


def _is_root(proto: Any) -> bool:
    p = next((a.i for a in proto.attribute if a.name == "p"), 2)
    return proto.op_type == "ReduceL2" or (proto.op_type in ("LpPool", "GlobalLpPool") and p == 2)


def _moved(value: Array, reach: float, draws: np.random.Generator, *, is_root: bool = False) -> Array:
    if value.dtype.kind != "f":
        return value
    if is_root:
        return np.sqrt(np.maximum(_moved(value**2, reach**2, draws), 0))
    step = reach / 2 ** (BITS - 1)
    return np.asarray(value + draws.uniform(-step, step, size=value.shape), dtype=value.dtype)


# made small


def smaller(graph: Graph, kind: str) -> Graph:
    """The graph with fewer nodes, while it is as bad: others as the output, and tensors as inputs."""
    nodes = list(graph.model.graph.node)
    for end in [name for proto in nodes for name in proto.output if name]:
        part = _cut(graph, needed(nodes, [end]), [end])
        if part is not None and len(part.model.graph.node) < len(nodes) and judge(part).kind == kind:
            return smaller(part, kind)
    for start in range(1, len(nodes)):
        part = _cut(graph, nodes[start:], graph.outputs)
        if part is not None and judge(part).kind == kind:
            return smaller(part, kind)
    return graph


def _cut(graph: Graph, nodes: Sequence[Any], outputs: Sequence[str]) -> Graph | None:
    """The model of some of the nodes, given what the others compute."""
    made = {name for proto in nodes for name in proto.output}
    if not set(outputs) <= made:
        return None
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.model.graph.initializer}
    given = {n for proto in nodes for n in reads(proto) if n and n not in made and n not in constants}
    sketch = Sketch(np.random.default_rng(0), next(o.version for o in graph.model.opset_import if not o.domain))
    try:
        tensors = tensors_of(graph)
    except MisfitError:
        return None
    sketch.constants, sketch.nodes = constants, list(nodes)
    sketch.values = {name: [array[0]] for name, array in tensors.items()}
    sketch.data = {name: tensors[name] for name in sorted(given)}
    return Graph(sketch.finished(outputs), sketch.data) if given else None


def tensors_of(graph: Graph) -> dict[str, Array]:
    """All tensors on all samples. Raises MisfitError unless they are finite."""
    full = onnx.ModelProto()
    full.CopyFrom(graph.model)
    names = [name for proto in full.graph.node for name in proto.output if name]
    del full.graph.output[:]
    full.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = opened(full)
    runs = [answers(session, names, {k: v[i] for k, v in graph.data.items()}) for i in range(SAMPLES + FRESH)]
    found = {**graph.data, **{name: np.stack([one[at] for one in runs]) for at, name in enumerate(names)}}
    if any(not np.isfinite(values.astype(np.float64)).all() for values in found.values()):
        raise MisfitError("a tensor is not finite")
    return found


# many


@dataclass
class Outcome:
    """What a run found.

    Attributes:
        faults: number and graph of each, with what happened
        drawn: how many graphs hold each operator
    """

    kinds: Counter[str] = field(default_factory=Counter)
    drawn: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[int, Graph, Verdict]] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)


def fuzz(seed: int, numbers: Sequence[int], operators: Sequence[str] = DRAWN) -> Outcome:
    """Judges these graphs; of every tenth the circuit too, and every fourth with private weights."""
    outcome = Outcome()
    for number in numbers:
        sketch, outputs = random_graph(seed, number, operators)
        graph = Graph(sketch.finished(outputs), sketch.data)
        has_trees = any(proto.op_type.startswith("Tree") for proto in graph.model.graph.node)
        weights = "private" if number % 4 == 1 and not has_trees else "public"
        verdict = judge(graph, weights=weights, proves=number % 10 == 0)
        outcome.kinds[verdict.kind] += 1
        outcome.drawn.update(set(held(graph.model.graph)))
        if verdict.kind in FAULTS:
            outcome.faults.append((number, graph, verdict))
        if verdict.kind == REFUSED:
            outcome.refusals[verdict.told] += 1
    return outcome


def held(graph: Any) -> Iterator[str]:
    """The operators of a graph and of those in its nodes."""
    for proto in graph.node:
        yield proto.op_type
        for inner in subgraphs(proto):
            yield from held(inner)


def report(seed: int, outcome: Outcome, folder: Path) -> str:
    """The faults, each made small and saved."""
    lines = [f"seed {seed}: {dict(outcome.kinds)}"]
    for number, graph, verdict in outcome.faults[:10]:
        small = smaller(graph, verdict.kind)
        path = folder / f"graph_{seed}_{number}"
        graph.save(path)
        small.save(folder / f"{path.name}_small")
        lines.append(f"graph {number} ({path}.onnx): {verdict.told}\n    {judge(small).told}\n    {small}")
    return "\n".join(lines)
