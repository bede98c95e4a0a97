"""LSTM, GRU and RNN: one step after the other, with the equations of the operators of ONNX.

Rows of the state are batch entries. Where sequences are of different lengths, a row keeps its state from its length on,
and a reversed one begins at it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from zkgpu.records import dataclass
from zkgpu.zkml.expansion.writer import Writer, integers
from zkgpu.zkml.graph import Array, Graph, Node, Shape, unsupported

OPERATORS = ("GRU", "LSTM", "RNN")
_REVERSED = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
_DEFAULTS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
_ALPHA = {"Affine": None, "Elu": 1.0, "HardSigmoid": 0.2, "LeakyRelu": 0.01, "ScaledTanh": None, "ThresholdedRelu": 1.0}
_BETA = {"Affine": None, "HardSigmoid": 0.5, "ScaledTanh": None}
_STATES = {"LSTM": (5, 6)}  # the places of the inputs that hold them
_CLIPPED = 2  # f and g: as onnxruntime has it, the cell, which h reads, is not
_PLAIN = ("Relu", "Sigmoid", "Softplus", "Softsign", "Tanh")
_NAMES = {name.lower(): name for name in (*_ALPHA, *_PLAIN)}

Activation = Callable[[str], str]
State = list[str | None]  # names of (rows, hidden) tensors: the output, and the cell of an LSTM; None where it is 0


@dataclass(frozen=True)
class _Direction:
    """One way through the sequence, with what it is computed by.

    Attributes:
        weight: (inputs, gates * hidden); recurrent: (hidden, gates * hidden)
        bias: (2, gates * hidden): of the inputs, and of the state
        peepholes: (3, hidden): of the gates i, o, f
        activations: f, g, h
        order: (steps, rows): the place in time that each step reads
        active: (steps, rows): whether a row's sequence still goes on
    """

    weight: Array
    recurrent: Array
    bias: Array
    peepholes: Array
    activations: list[Activation]
    order: Array
    active: Array


def unroll(graph: Graph, node: Node, write: Writer) -> None:
    """Writes the outputs Y, Y_h and Y_c, those that the node has."""
    swapped, shape = bool(node.attributes.get("layout", 0)), graph.shapes[node.inputs[0]]
    x = write.add("Transpose", node.inputs[0], perm=(1, 0, 2)) if swapped else node.inputs[0]
    steps, rows = (shape[1], shape[0]) if swapped else (shape[0], shape[1])
    found: list[tuple[str, State]] = []
    for i, way in enumerate(_directions(graph, node, write, steps, rows)):
        states: State = [_initial(graph, node, write, at, i) for at in _STATES.get(node.operator, (5,))]
        flat = write.reshape(x, (steps * rows, shape[2]))
        found.append(_run(node, write, way, flat, states, steps))
    hidden = graph.constants[node.inputs[2]].shape[2]
    _write_outputs(node, write, found, (steps, rows, hidden), swapped=swapped)


def _directions(graph: Graph, node: Node, write: Writer, steps: int, rows: int) -> list[_Direction]:
    direction = str(node.attributes.get("direction", "forward"))
    if direction not in _REVERSED:
        raise unsupported(node, f"direction = {direction!r} is not known")
    lengths = integers(_given(graph, node, 4), (rows,), steps)
    if lengths.min() < 1 or lengths.max() > steps:
        raise unsupported(node, f"lengths of sequences from {lengths.min()} to {lengths.max()}, not 1 to {steps}")
    weight, recurrent = (graph.constants[node.inputs[i]] for i in (1, 2))
    count, width, hidden = recurrent.shape
    reversals = _REVERSED[direction]
    if count != len(reversals) or hidden != node.attributes.get("hidden_size", hidden):
        raise unsupported(node, f"weights of shape {recurrent.shape} do not fit its direction and hidden_size")
    bias, peepholes = _given(graph, node, 3), _given(graph, node, 7)
    bias = np.zeros((count, 2 * width)) if bias is None else bias
    peepholes = np.zeros((count, 3 * hidden)) if peepholes is None else peepholes
    activations = _activations(node, write, count)
    time = np.arange(max(lengths))[:, None]
    return [
        _Direction(
            weight[i].T,
            recurrent[i].T,
            bias[i].reshape(2, width),
            peepholes[i].reshape(3, hidden),
            activations[i],
            np.clip(lengths - 1 - time if is_reversed else time + 0 * lengths, 0, None),
            time < lengths,
        )
        for i, is_reversed in enumerate(reversals)
    ]


def _given(graph: Graph, node: Node, at: int) -> Array | None:
    name = node.inputs[at] if at < len(node.inputs) else ""
    return graph.constants[name] if name else None


def _initial(graph: Graph, node: Node, write: Writer, at: int, direction: int) -> str | None:
    """(rows, hidden) of an initial state of shape (directions, rows, hidden); None where it is 0."""
    name = node.inputs[at] if at < len(node.inputs) else ""
    if not name or (name in graph.constants and not graph.constants[name].any()):
        return None
    return write.gather(name, direction, 1 if node.attributes.get("layout", 0) else 0)


# activations


def _activations(node: Node, write: Writer, count: int) -> list[list[Activation]]:
    """Those of each direction. Alphas and betas go to the ones that take any, in order."""
    defaults = _DEFAULTS[node.operator]
    names = [str(name) for name in node.attributes.get("activations", defaults * count)]
    if len(names) != count * len(defaults) or any(name.lower() not in _NAMES for name in names):
        raise unsupported(node, f"activations = {tuple(names)} are not supported")
    alphas, betas = (list(node.attributes.get(f"activation_{key}", ())) for key in ("alpha", "beta"))
    made = [
        _activation(node, write, _NAMES[name.lower()], alphas, betas, clipped=i % len(defaults) < _CLIPPED)
        for i, name in enumerate(names)
    ]
    return [made[i * len(defaults) : (i + 1) * len(defaults)] for i in range(count)]


def _activation(
    node: Node, write: Writer, name: str, alphas: list[float], betas: list[float], *, clipped: bool
) -> Activation:
    alpha, beta = _next(node, name, _ALPHA, alphas), _next(node, name, _BETA, betas)
    reach = float(node.attributes.get("clip", 0.0)) if clipped else 0.0

    def applied(x: str) -> str:
        write.alike[x] = f"{node.name}: {name} {alpha} {beta} {clipped}"
        x = write.clip(x, reach) if reach > 0 else x
        return _FUNCTIONS.get(name, _plain(name))(write, x, alpha, beta)

    return applied


def _next(node: Node, name: str, defaults: Mapping[str, float | None], given: list[float]) -> float:
    if name not in defaults:
        return 0.0
    value = given.pop(0) if given else defaults[name]
    if value is None:
        raise unsupported(node, f"its activation {name} lacks a number")
    return float(value)


def _plain(name: str) -> Callable[[Writer, str, float, float], str]:
    return lambda write, x, alpha, beta: write.add(name, x)


def _affine(write: Writer, x: str, alpha: float, beta: float) -> str:
    return write.add("Add", write.add("Mul", x, write.constant(alpha)), write.constant(beta))


def _scaled_tanh(write: Writer, x: str, alpha: float, beta: float) -> str:
    return write.add("Mul", write.add("Tanh", write.add("Mul", x, write.constant(beta))), write.constant(alpha))


def _softsign(write: Writer, x: str, alpha: float, beta: float) -> str:
    return write.add("Div", x, write.add("Add", write.add("Abs", x), write.constant(1.0)))


def _thresholded(write: Writer, x: str, alpha: float, beta: float) -> str:
    """x where it is above alpha, else 0."""
    return write.add("Where", write.add("Greater", x, write.constant(alpha)), x, write.constant(0.0))


_FUNCTIONS: Mapping[str, Callable[[Writer, str, float, float], str]] = {
    "Affine": _affine,
    "Elu": lambda write, x, alpha, beta: write.add("Elu", x, alpha=alpha),
    "HardSigmoid": lambda write, x, alpha, beta: write.add("HardSigmoid", x, alpha=alpha, beta=beta),
    "LeakyRelu": lambda write, x, alpha, beta: write.add("LeakyRelu", x, alpha=alpha),
    "ScaledTanh": _scaled_tanh,
    "Softsign": _softsign,
    "ThresholdedRelu": _thresholded,
}


# steps


def _run(node: Node, write: Writer, way: _Direction, x: str, state: State, steps: int) -> tuple[str, State]:
    """The outputs of all steps, of shape (time, rows, hidden), and the last state."""
    projected = write.dense(x, way.weight, _bias_of_inputs(node, way))
    count, rows = way.order.shape
    outputs = []
    for i in range(count):
        sums = write.gather(projected, way.order[i] * rows + np.arange(rows), 0)
        new = _STEPS[node.operator](node, write, way, sums, state)
        state = [_kept(write, way.active[i], n, old) for n, old in zip(new, state, strict=True)]
        outputs.append(str(state[0]))
    return _in_time(write, way, outputs, steps), state


def _bias_of_inputs(node: Node, way: _Direction) -> Array:
    """All bias, but that which a GRU multiplies by its reset gate."""
    bias = way.bias.sum(axis=0)
    if node.operator == "GRU" and node.attributes.get("linear_before_reset", 0):
        hidden = way.recurrent.shape[0]
        bias[2 * hidden :] = way.bias[0, 2 * hidden :]
    return np.asarray(bias)


def _kept(write: Writer, active: Array, new: str | None, old: str | None) -> str:
    """Rows of the new state where the sequence goes on, of the old one where it has ended."""
    if active.all():
        return str(new)
    rows = np.arange(active.size)
    both = write.add("Concat", str(new), str(old), axis=0)
    return write.gather(both, np.where(active, rows, rows + active.size), 0)


def _in_time(write: Writer, way: _Direction, outputs: list[str], steps: int) -> str:
    """Entry (t, row) is the output of the step that read time t of the row, or 0 beyond its length."""
    count, rows = way.order.shape
    places = np.full((steps, rows), count * rows)
    step, row = np.nonzero(way.active)
    places[way.order[step, row], row] = step * rows + row
    if not (places < count * rows).all():
        outputs = [*outputs, write.constant(np.zeros((1, way.recurrent.shape[0])))]
    return write.gather(write.add("Concat", *outputs, axis=0), places, 0)


def _lstm(node: Node, write: Writer, way: _Direction, sums: str, state: State) -> State:
    """i, o, f = f(sums + peepholes * cell); cell = f * cell + i * g(sums); output = o * h(cell)."""
    output, cell = state
    f, g, h = way.activations
    sums = _plus_state(write, sums, output, way.recurrent)
    at_input, at_output, at_forget, at_cell = (_gate(write, way, sums, k) for k in range(4))
    i_gate = f(_peephole(write, way, at_input, 0, cell))
    new = write.add("Mul", i_gate, g(at_cell))
    if cell is not None:
        coupled = node.attributes.get("input_forget", 0)
        forget = (
            write.add("Sub", write.constant(1.0), i_gate) if coupled else f(_peephole(write, way, at_forget, 2, cell))
        )
        new = write.add("Add", write.add("Mul", forget, cell), new)
    o_gate = f(_peephole(write, way, at_output, 1, new))
    return [write.add("Mul", o_gate, h(new)), new]


def _gru(node: Node, write: Writer, way: _Direction, sums: str, state: State) -> State:
    """z, r = f(sums); new = g(sums, of r * state or r * sums of the state); output = new + z * (state - new)."""
    (output,), hidden = state, way.recurrent.shape[0]
    f, g = way.activations
    linear = node.attributes.get("linear_before_reset", 0)
    gates = _plus_state(write, _gate(write, way, sums, 0, 2), output, way.recurrent[:, : 2 * hidden])
    z, r = f(_gate(write, way, gates, 0)), f(_gate(write, way, gates, 1))
    new, weight = _gate(write, way, sums, 2), way.recurrent[:, 2 * hidden :]
    if linear:
        bias = way.bias[1, 2 * hidden :]
        reset = write.dense(output, weight, bias) if output else write.constant(bias)
        new = write.add("Add", new, write.add("Mul", r, reset))
    elif output:
        new = _plus_state(write, new, write.add("Mul", r, output), weight)
    new = g(new)
    if output is None:
        return [write.add("Mul", write.add("Sub", write.constant(1.0), z), new)]
    return [write.add("Add", new, write.add("Mul", z, write.add("Sub", output, new)))]


def _rnn(node: Node, write: Writer, way: _Direction, sums: str, state: State) -> State:
    return [way.activations[0](_plus_state(write, sums, state[0], way.recurrent))]


_STEPS: Mapping[str, Callable[[Node, Writer, _Direction, str, State], State]] = {
    "GRU": _gru,
    "LSTM": _lstm,
    "RNN": _rnn,
}


def _plus_state(write: Writer, sums: str, output: str | None, recurrent: Array) -> str:
    return sums if output is None else write.add("Add", write.dense(output, recurrent), sums)


def _gate(write: Writer, way: _Direction, sums: str, first: int, count: int = 1) -> str:
    """The columns of gates in a row."""
    hidden = way.recurrent.shape[0]
    return write.gather(sums, np.arange(first * hidden, (first + count) * hidden), 1)


def _peephole(write: Writer, way: _Direction, sums: str, place: int, cell: str | None) -> str:
    weight = way.peepholes[place]
    if cell is None or not weight.any():
        return sums
    return write.add("Add", sums, write.add("Mul", cell, write.constant(weight)))


# outputs


def _write_outputs(node: Node, write: Writer, found: list[tuple[str, State]], shape: Shape, *, swapped: bool) -> None:
    """Y of shape (time, directions, rows, hidden), Y_h and Y_c of (directions, rows, hidden), or with rows first."""
    steps, rows, hidden = shape
    y, *states = (*node.outputs, "", "", "")[: 1 + len(found[0][1])]
    if y:
        parts = [write.reshape(sequence, (steps, 1, rows, hidden)) for sequence, _ in found]
        _join(write, parts, 1, y, (2, 0, 1, 3) if swapped else None)
    for i, name in enumerate(states):
        if name:
            parts = [write.reshape(str(state[i]), (1, rows, hidden)) for _, state in found]
            _join(write, parts, 0, name, (1, 0, 2) if swapped else None)


def _join(write: Writer, parts: list[str], axis: int, to: str, order: tuple[int, ...] | None) -> None:
    joined = write.add("Concat", *parts, axis=axis, to="" if order else to)
    if order:
        write.add("Transpose", joined, perm=order, to=to)
