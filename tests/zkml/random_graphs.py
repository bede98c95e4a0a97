"""Valid ONNX graphs drawn at random, a node at a time: each node is run as it is added, so that shapes are known.

An operator without an entry in GENERATORS is drawn by what its ONNX schema says where it reads one to three tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from tests.zkml.particular_graphs import PARTICULAR
from zkgpu.zkml.expansion.control import reads
from zkgpu.zkml.supported import OPERATORS

MOST_ENTRIES = 160
LARGEST = 1e4
OPSETS = (9, *range(9, 19), *range(9, 19), *range(19, 25), 23, 23, 24, 24, 24)
SAMPLES, FRESH = 24, 8  # by which a graph is calibrated, and those that it is tried with
_IR = 10
_TRIES = 60  # of operators that may not fit, for one graph
_ML = "ai.onnx.ml"
_QUIET = onnxruntime.SessionOptions()
_QUIET.log_severity_level = 4
_QUIET.intra_op_num_threads = 1

Array = np.ndarray
Generator = Callable[["Sketch", str], Any]


class MisfitError(Exception):
    """The node makes no sense here: onnxruntime refuses it, or its values are not finite, too many, or too large."""


@dataclass
class Sketch:
    """A graph being drawn.

    Attributes:
        values: of each tensor, on each sample, in order
        data: what the inputs are, sample by sample
    """

    draws: np.random.Generator
    opset: int
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    data: dict[str, Array] = field(default_factory=dict)
    values: dict[str, list[Array]] = field(default_factory=dict)

    # choices

    def below(self, end: int) -> int:
        return int(self.draws.integers(end))

    def one_of(self, items: Sequence[Any]) -> Any:
        return items[self.below(len(items))]

    def require(self, holds: bool) -> None:
        """Raises MisfitError."""
        if not holds:
            raise MisfitError

    def maybe(self, **attributes: Any) -> dict[str, Any]:
        """Each of the attributes or, as often, not."""
        return {name: value for name, value in attributes.items() if self.below(2)}

    # what there is

    def shape(self, name: str) -> tuple[int, ...]:
        return self.constants[name].shape if name in self.constants else self.values[name][0].shape

    def kind(self, name: str) -> str:
        return str((self.constants[name] if name in self.constants else self.values[name][0]).dtype.kind)

    def rank(self, name: str) -> int:
        return len(self.shape(name))

    def low(self, name: str) -> float:
        return float(min(value.min() for value in self.values[name]))

    def high(self, name: str) -> float:
        return float(max(value.max() for value in self.values[name]))

    def tensors(self, kinds: str = "f") -> list[str]:
        return [name for name in self.values if self.kind(name) in kinds]

    def tensor(self, kinds: str = "f") -> str:
        """One of the last ones, most often."""
        found = self.tensors(kinds)
        if not found:
            raise MisfitError
        return found[-1] if self.below(3) else self.one_of(found)

    # what is added

    def constant(self, value: Any, kind: Any = None) -> str:
        name = f"c{len(self.constants)}"
        array = np.asarray(value)
        self.constants[name] = array.astype(kind or (np.float32 if array.dtype.kind == "f" else array.dtype))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def integers_of(self, values: Array) -> str:
        return self.constant(values, np.int64)

    def tensor_of(self, values: Array) -> Any:
        """For an attribute."""
        return numpy_helper.from_array(values.astype(np.float32) if values.dtype.kind == "f" else values)

    def numbers(self, *shape: int) -> Array:
        """Of one size, or of several; now and then 0 among them, or all of one sign."""
        drawn = self.draws.normal(size=shape)
        return self.one_of([drawn, drawn, drawn * 4, np.abs(drawn) + 0.25, np.round(drawn), drawn * self.sizes(shape)])

    def sizes(self, shape: Sequence[int]) -> Array:
        return 10.0 ** self.draws.integers(-1, 2, size=shape)

    def broadcast(self, shape: Sequence[int]) -> tuple[int, ...]:
        """A shape that goes with one: with axes of one, with fewer axes, or with more."""
        found = tuple(n if self.below(3) else 1 for n in shape)
        found = found[self.below(len(found) + 1) if not self.below(2) else 0 :]
        more = (self.one_of([1, 2]),) if not self.below(5) and len(shape) < 5 else ()
        return (*more, *(1,) * (len(shape) - len(found)), *found) if more else found

    def add(self, operator: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """A node that reads these tensors, '' for none. The name of its output, or the names."""
        names = [f"t{len(self.values) + i}" for i in range(outputs)]
        self.require_known(operator, domain)
        if any(value == [] for value in attributes.values()):
            raise MisfitError
        proto = helper.make_node(operator, inputs, names, name=f"n{len(self.nodes)}", domain=domain, **attributes)
        found = self.run(proto, names)
        for values in found.values():
            fits = values[0].size in range(1, MOST_ENTRIES + 1) and values[0].ndim <= 5
            if not fits or any(v.shape != values[0].shape for v in values) or values[0].dtype.kind not in "fiub":
                raise MisfitError
            if any(not np.isfinite(v).all() or np.abs(v.astype(np.float64)).max() > LARGEST for v in values):
                raise MisfitError
        self.nodes.append(proto)
        self.values |= found
        return names[0] if outputs == 1 else names

    def require_known(self, operator: str, domain: str) -> None:
        """Raises MisfitError for an operator that the opset has not: onnxruntime knows some before onnx has them."""
        version = self.ml if domain else self.opset
        if not onnx.defs.has(operator, max_inclusive_version=version, domain=domain):
            raise MisfitError
        if onnx.defs.get_schema(operator, max_inclusive_version=version, domain=domain).deprecated:
            raise MisfitError

    @property
    def ml(self) -> int:
        """The version of ai.onnx.ml."""
        return 3 if self.opset < 21 else 5

    def run(self, proto: Any, names: Sequence[str]) -> dict[str, list[Array]]:
        given = [name for name in dict.fromkeys(reads(proto)) if name in self.values]
        infos = [_info(name, self.values[name][0]) for name in given]
        known = {name: self.constants[name] for name in reads(proto) if name in self.constants}
        ends = [onnx.ValueInfoProto(name=name) for name in names]
        session = opened(self.made([proto], infos, ends, known))
        count = len(next(iter(self.values.values())))
        runs = [
            answers(session, names, {name: np.asarray(self.values[name][i]) for name in given}) for i in range(count)
        ]
        return {name: [run[at] for run in runs] for at, name in enumerate(names)}

    def made(self, nodes: Sequence[Any], infos: Sequence[Any], ends: Sequence[Any], known: dict[str, Array]) -> Any:
        tensors = [numpy_helper.from_array(np.array(value, order="C"), name) for name, value in known.items()]
        graph = helper.make_graph(list(nodes), "drawn", list(infos), list(ends), tensors)
        domains = [helper.make_opsetid("", self.opset), helper.make_opsetid(_ML, self.ml)]
        return helper.make_model(graph, opset_imports=domains, ir_version=_IR)

    def finished(self, outputs: Sequence[str]) -> Any:
        """The model."""
        infos = [_info(name, self.values[name][0]) for name in self.data]
        ends = [_info(name, self.values[name][0]) for name in outputs]
        nodes = needed(self.nodes, outputs)
        read = {name for proto in nodes for name in reads(proto)}
        return self.made(nodes, infos, ends, {k: v for k, v in self.constants.items() if k in read})

    @contextmanager
    def tried(self) -> Iterator[None]:
        """What a generator that misfits has added is taken back."""
        count, names, constants = len(self.nodes), list(self.values), list(self.constants)
        try:
            yield
        except MisfitError:
            del self.nodes[count:]
            self.values = {name: self.values[name] for name in names}
            self.constants = {name: self.constants[name] for name in constants}

    # what several generators need

    def shaped(self, name: str, rank: int) -> str:
        """The tensor in another shape of that rank."""
        shape = self.shape(name)
        if len(shape) == rank:
            return name
        wanted = (*(1,) * (rank - len(shape)), *shape)
        if len(shape) > rank:
            wanted = (*shape[: rank - 1], prod(shape[rank - 1 :])) if rank else ()
        return str(self.add("Reshape", name, self.integers(*wanted)))

    def axis(self, name: str, least: int = 0) -> int:
        """Of its rank, counted from either end."""
        if self.rank(name) <= least:
            raise MisfitError
        axis = least + self.below(self.rank(name) - least)
        return axis - self.rank(name) if self.below(2) else axis

    def axes(self, name: str) -> list[int]:
        rank = self.rank(name)
        return [int(a) - (rank if self.below(2) else 0) for a in np.flatnonzero(self.draws.integers(2, size=rank))]

    def second(self, name: str) -> str:
        """What an operator of two tensors may read beside this one: a constant, itself, or another tensor."""
        choice = self.below(4)
        if choice < 2:
            return self.constant(self.numbers(*self.broadcast(self.shape(name))))
        return name if choice == 2 else self.tensor()

    def either(self, first: str, second: str) -> tuple[str, str]:
        return (first, second) if self.below(2) else (second, first)

    def truths(self, shape: Sequence[int]) -> str:
        """A computed tensor of booleans, or a constant one."""
        if self.below(2) and self.tensors("b"):
            return self.tensor("b")
        return self.constant(self.draws.integers(2, size=self.broadcast(shape)).astype(bool))


def _info(name: str, value: Array) -> Any:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)


def opened(proto: Any) -> onnxruntime.InferenceSession:
    try:
        return onnxruntime.InferenceSession(proto.SerializeToString(), _QUIET, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise MisfitError(str(error)) from error


def answers(session: onnxruntime.InferenceSession, names: Sequence[str], feed: dict[str, Array]) -> list[Array]:
    try:
        return [np.asarray(value) for value in session.run(list(names), feed)]
    except Exception as error:
        raise MisfitError(str(error)) from error


def needed(nodes: Sequence[Any], outputs: Sequence[str]) -> list[Any]:
    wanted, kept = set(outputs), []
    for proto in reversed(nodes):
        if wanted & set(proto.output):
            kept.append(proto)
            wanted |= set(reads(proto))
    return kept[::-1]


# generators


def unary(operator: str, **attributes: Callable[[Sketch], Any]) -> Generator:
    """A function of one tensor, with attributes or without."""

    def add(g: Sketch, x: str) -> str:
        return str(g.add(operator, x, **g.maybe(**{name: draw(g) for name, draw in attributes.items()})))

    return add


def between(low: float, high: float) -> Callable[[Sketch], float]:
    return lambda g: float(g.draws.uniform(low, high))


def positive(g: Sketch, x: str) -> str:
    """x, or what is above 0 of it."""
    if g.low(x) > 0:
        return x
    return str(g.add("Add", g.add("Abs", x), g.constant(g.draws.uniform(0.1, 2.0))))


def of_positive(operator: str) -> Generator:
    return lambda g, x: g.add(operator, positive(g, x))


def binary(operator: str) -> Generator:
    return lambda g, x: g.add(operator, *g.either(x, g.second(x)))


def of_many(operator: str) -> Generator:
    def add(g: Sketch, x: str) -> str:
        others = [g.second(x) for _ in range(g.below(3))]
        inputs = [x, *others] if g.below(2) else [*others, x]
        return str(g.add(operator, *inputs))

    return add


def divide(g: Sketch, x: str) -> str:
    divisor = g.constant(g.draws.uniform(0.5, 3, size=g.broadcast(g.shape(x))) * g.one_of([1, -1]))
    if g.below(3):
        return str(g.add("Div", x, divisor))
    return str(g.add("Div", g.constant(g.draws.normal()), positive(g, x)))


def power(g: Sketch, x: str) -> str:
    exponent = g.one_of([2.0, 3.0, 0.5, -0.5, 1.0, -1.0, 1.7])
    base = x if exponent in (1.0, 2.0, 3.0) else positive(g, x)
    return str(g.add("Pow", base, g.constant(exponent)))


def comparison(operator: str) -> Generator:
    return lambda g, x: g.add(operator, *g.either(x, g.one_of([g.constant(g.draws.normal()), g.second(x)])))


def equality(g: Sketch, x: str) -> str:
    whole = g.tensor("i") if g.tensors("i") and g.below(2) else g.add("ArgMax", x, axis=g.axis(x))
    return str(g.add("Equal", *g.either(whole, g.constant(g.below(4), g.values[whole][0].dtype))))


def truth(g: Sketch, x: str) -> str:
    if g.tensors("b") and g.below(2):
        return g.tensor("b")
    return str(g.add(g.one_of(["Greater", "Less"]), x, g.constant(g.draws.normal())))


def connective(operator: str) -> Generator:
    def add(g: Sketch, x: str) -> str:
        first = truth(g, x)
        return str(g.add(operator, *g.either(first, g.truths(g.shape(first)))))

    return add


def where(g: Sketch, x: str) -> str:
    return str(g.add("Where", g.truths(g.shape(x)), *g.either(x, g.second(x))))


def cast(g: Sketch, x: str) -> str:
    source = g.tensor("fib")
    target = g.one_of([1, 1, 6, 7, 9]) if g.kind(source) == "f" else 1
    return str(g.add("Cast", source, to=target))


def clip(g: Sketch, x: str) -> str:
    low, high = sorted(g.draws.normal(size=2).astype(np.float32).tolist())
    if g.opset < 11:
        return str(g.add("Clip", x, **g.maybe(min=low, max=high)))
    return str(g.add("Clip", x, g.one_of(["", g.constant(low)]), g.one_of(["", g.constant(high)])))


def reduction(operator: str, *, first: Callable[[Sketch, str], str] = lambda g, x: x) -> Generator:
    """Over some axes, all, or none; given as an attribute or as an input, as the opset has it."""

    def add(g: Sketch, x: str) -> str:
        x, axes, kept = first(g, x), g.axes(x), g.maybe(keepdims=g.below(2))
        if g.opset < (13 if operator == "ReduceSum" else 18):
            return str(g.add(operator, x, **({"axes": axes} if axes else {}), **kept))
        given = [g.integers(*axes)] if axes or g.below(2) else []
        return str(g.add(operator, x, *given, **kept, **g.maybe(noop_with_empty_axes=g.below(2))))

    return add


def place(operator: str) -> Generator:
    def add(g: Sketch, x: str) -> str:
        return str(g.add(operator, x, **g.maybe(axis=g.axis(x), keepdims=g.below(2))))

    return add


NOISE = 1e-3  # that onnxruntime leaves of a logarithm of 1, which is 0 here


def along_an_axis(operator: str) -> Generator:
    def add(g: Sketch, x: str) -> str:
        out = str(g.add(operator, x, **g.maybe(axis=g.axis(x))))
        if operator == "LogSoftmax" and g.low(out) > -NOISE:
            raise MisfitError
        return out

    return add


def window(g: Sketch, x: str) -> tuple[list[int], dict[str, Any]]:
    """A kernel that fits, and attributes."""
    space = g.shape(x)[2:]
    kernel = [1 + g.below(min(n, 3)) for n in space]
    attributes = g.maybe(strides=[1 + g.below(2) for _ in space])
    if g.below(3) == 0:
        return kernel, {**attributes, "auto_pad": g.one_of(["SAME_UPPER", "SAME_LOWER", "VALID"])}
    return kernel, {**attributes, **g.maybe(pads=[g.below(k) for k in kernel] * 2)}


def convolution(g: Sketch, x: str) -> str:
    x = g.shaped(x, g.one_of([3, 4]))
    kernel, attributes = window(g, x)
    channels = g.shape(x)[1]
    groups = g.one_of([n for n in (1, 2, channels) if channels % n == 0])
    weight = g.constant(g.numbers(groups * (1 + g.below(2)), channels // groups, *kernel))
    bias = [g.constant(g.numbers(g.shape(weight)[0]))] if g.below(2) else []
    if "auto_pad" not in attributes:
        attributes |= g.maybe(dilations=[1 + g.below(2) for _ in kernel])
    return str(g.add("Conv", x, weight, *bias, group=groups, **attributes, **g.maybe(kernel_shape=kernel)))


def pool(operator: str) -> Generator:
    def add(g: Sketch, x: str) -> str:
        x = g.shaped(x, g.one_of([3, 4]))
        kernel, attributes = window(g, x)
        if operator == "AveragePool":
            attributes |= g.maybe(count_include_pad=g.below(2))
        return str(g.add(operator, x, kernel_shape=kernel, **attributes))

    return add


def global_pool(operator: str) -> Generator:
    return lambda g, x: g.add(operator, g.shaped(x, g.one_of([3, 4])))


def matmul(g: Sketch, x: str) -> str:
    shape, choice = g.shape(x), g.below(6)
    if not shape:
        raise MisfitError
    if choice == 0 and len(shape) > 1:
        turned = g.add("Transpose", x, perm=[*range(len(shape) - 2), len(shape) - 1, len(shape) - 2])
        return str(g.add("MatMul", x, turned))
    if choice == 1:
        return str(g.add("MatMul", *g.either(x, g.constant(g.numbers(shape[-1])))))
    if choice == 2 and len(shape) > 1:
        return str(g.add("MatMul", g.constant(g.numbers(1 + g.below(3), shape[-2])), x))
    outer = shape[:-2] if choice == 3 else ()
    return str(g.add("MatMul", x, g.constant(g.numbers(*outer, shape[-1], 1 + g.below(4)))))


def gemm(g: Sketch, x: str) -> str:
    x, n = g.shaped(x, 2), 1 + g.below(4)
    attributes = g.maybe(transA=1, transB=1, alpha=0.5, beta=g.one_of([2.0, 0.0]))
    m, k = g.shape(x)[::-1] if attributes.get("transA") else g.shape(x)
    weight = g.constant(g.numbers(*((n, k) if attributes.get("transB") else (k, n))))
    c = [g.constant(g.numbers(*g.one_of([(n,), (1, n), (m, 1), (m, n), (), (1,)])))] if g.below(2) else []
    return str(g.add("Gemm", x, weight, *c, **attributes))


def dense_and_bias(g: Sketch, x: str) -> str:
    """A product and an addend of any shape that goes with it."""
    y = matmul(g, x)
    return str(g.add("Add", *g.either(y, g.constant(g.numbers(*g.broadcast(g.shape(y)))))))


def batch_norm(g: Sketch, x: str) -> str:
    if g.rank(x) < 2:
        raise MisfitError
    n = g.shape(x)[1]
    arrays = [g.numbers(n), g.numbers(n), g.draws.normal(size=n), g.draws.uniform(0.5, 2, size=n)]
    return str(g.add("BatchNormalization", x, *map(g.constant, arrays), **g.maybe(epsilon=0.01, momentum=0.5)))


def affine(g: Sketch, *shape: int) -> list[str]:
    return [g.constant(g.draws.uniform(0.5, 2, size=shape)), g.constant(g.draws.normal(size=shape))]


def layer_norm(g: Sketch, x: str) -> str:
    axis = g.axis(x)
    shape = g.shape(x)[axis:]
    given = affine(g, *g.one_of([shape, shape[-1:]]))[: 1 + g.below(2)]
    return str(g.add("LayerNormalization", x, *given, axis=axis, **g.maybe(epsilon=0.01)))


def rms_norm(g: Sketch, x: str) -> str:
    axis = g.axis(x)
    return str(g.add("RMSNormalization", x, affine(g, *g.shape(x)[axis:])[0], axis=axis, **g.maybe(epsilon=0.01)))


def rms_norm_in_parts(g: Sketch, x: str) -> str:
    """As exporters write it: in one of many ways."""
    two, axes = g.constant(2.0), {"axes": [-1]} if g.opset < 18 else {}
    squares = g.one_of([lambda: g.add("Pow", x, two), lambda: g.add("Mul", x, x)])()
    mean = g.add("ReduceMean", squares, *([] if axes else [g.integers(-1)]), **axes)
    root = g.add("Sqrt", g.add("Add", *g.either(mean, g.constant(g.one_of([1e-6, 0.1])))))
    if g.below(2):
        return str(g.add("Div", x, root))
    return str(g.add("Mul", *g.either(x, g.add("Reciprocal", root))))


def instance_norm(g: Sketch, x: str) -> str:
    x = g.shaped(x, g.one_of([3, 4]))
    return str(g.add("InstanceNormalization", x, *affine(g, g.shape(x)[1]), **g.maybe(epsilon=0.01)))


def group_norm(g: Sketch, x: str) -> str:
    x = g.shaped(x, g.one_of([3, 4]))
    channels = g.shape(x)[1]
    groups = g.one_of([n for n in (1, 2, channels) if channels % n == 0])
    given = affine(g, channels if g.opset > 20 else groups)
    return str(g.add("GroupNormalization", x, *given, num_groups=groups, **g.maybe(epsilon=0.01)))


def prelu(g: Sketch, x: str) -> str:
    return str(g.add("PRelu", x, g.constant(g.draws.normal(size=g.one_of([g.shape(x)[-1:], (), (1,)])))))


def reshape(g: Sketch, x: str) -> str:
    shape = g.shape(x)
    at = g.below(len(shape) + 1)
    choices = [[-1], [*shape[:at], -1], [-1, *shape[at:]], [*shape[:at], 1, *shape[at:]], [0] * len(shape)]
    return str(g.add("Reshape", x, g.integers(*g.one_of(choices))))


def squeeze(g: Sketch, x: str) -> str:
    ones = [i for i, n in enumerate(g.shape(x)) if n == 1]
    chosen = [i - (g.rank(x) if g.below(2) and g.opset > 10 else 0) for i in ones if g.below(2)]
    if not ones:
        raise MisfitError
    if g.opset < 13:
        return str(g.add("Squeeze", x, **({"axes": chosen} if chosen else {})))
    return str(g.add("Squeeze", x, *([g.integers(*chosen)] if chosen else [])))


def unsqueeze(g: Sketch, x: str) -> str:
    axis = g.below(g.rank(x) + 1) - (g.rank(x) + 1 if g.below(2) and g.opset > 10 else 0)
    if g.opset < 13:
        return str(g.add("Unsqueeze", x, axes=[axis]))
    return str(g.add("Unsqueeze", x, g.integers(axis)))


def transpose(g: Sketch, x: str) -> str:
    return str(g.add("Transpose", x, **g.maybe(perm=g.draws.permutation(g.rank(x)).tolist())))


def cut(g: Sketch, x: str) -> str:
    """A slice of one or two axes, of either direction, with ends beyond the tensor's."""
    axes = sorted({g.axis(x) % g.rank(x) for _ in range(1 + g.below(2))})
    lengths = [g.shape(x)[a] for a in axes]
    starts, ends = [g.below(n) for n in lengths], [g.one_of([n, n + 5, 1 << 31, -1, 1 + g.below(n)]) for n in lengths]
    if g.opset < 10:
        return str(g.add("Slice", x, starts=starts, ends=ends, axes=axes))
    steps = [g.one_of([1, 1, 2, -1]) for _ in lengths]
    ends = [g.one_of([-n - 1, -(1 << 31), 0]) if s < 0 else e for n, s, e in zip(lengths, steps, ends, strict=True)]
    return str(g.add("Slice", x, *(g.integers(*v) for v in (starts, ends, axes, steps))))


def split(g: Sketch, x: str) -> None:
    axis = g.axis(x)
    length = g.shape(x)[axis]
    if length < 2:
        raise MisfitError
    lengths = [1, length - 1]
    if g.opset < 13:
        g.add("Split", x, axis=axis, split=lengths, outputs=2)
    else:
        g.add("Split", x, g.integers(*lengths), axis=axis, outputs=2)


def gather(g: Sketch, x: str) -> str:
    axis = g.axis(x)
    length = g.shape(x)[axis]
    indices = g.draws.integers(-length if g.opset > 10 else 0, length, size=g.one_of([(), (2,), (1,), (2, 2)]))
    return str(g.add("Gather", x, g.constant(indices, np.int64), **({"axis": axis} if g.below(3) else {})))


def rows_of_a_table(g: Sketch, x: str) -> str:
    places = g.add("ArgMax", x, axis=g.axis(x), keepdims=g.below(2))
    most = int(g.high(places)) + 1
    return str(g.add("Gather", g.constant(g.numbers(max(most, 4), 3)), places))


def pad(g: Sketch, x: str) -> str:
    widths = [g.below(2) for _ in range(2 * g.rank(x))]
    if g.opset < 11:
        return str(g.add("Pad", x, pads=widths, **g.maybe(mode="constant", value=0.0)))
    return str(g.add("Pad", x, g.integers(*widths), *([g.constant(0.0)] if g.below(2) else [])))


def expand(g: Sketch, x: str) -> str:
    shape = tuple(g.one_of([1, 2]) if n == 1 else n for n in g.shape(x))
    return str(g.add("Expand", x, g.integers(*((2, *shape) if g.below(2) else shape))))


def tile(g: Sketch, x: str) -> str:
    return str(g.add("Tile", x, g.integers(*(1 + g.below(2) for _ in g.shape(x)))))


def concatenation(g: Sketch, x: str) -> str:
    axis, shape = g.axis(x), list(g.shape(x))
    shape[axis] = 1 + g.below(2)
    other = g.one_of([x, g.constant(g.numbers(*shape)), g.tensor()])
    return str(g.add("Concat", *g.either(x, other), axis=axis))


def dropout(g: Sketch, x: str) -> str:
    if g.opset < 12:
        return str(g.add("Dropout", x, **g.maybe(ratio=0.3)))
    return str(g.add("Dropout", x, *g.one_of([[], [g.constant(0.3)], [g.constant(0.3), g.constant(False)]])))


def constant(g: Sketch, x: str) -> str:
    value = g.numbers(*g.broadcast(g.shape(x))).astype(np.float32)
    made = g.add("Constant", value=numpy_helper.from_array(value))
    return str(g.add("Add", x, made))


def filled(g: Sketch, x: str) -> str:
    value = numpy_helper.from_array(np.array([g.draws.normal()], dtype=np.float32))
    return str(g.add("Mul", x, g.add("ConstantOfShape", g.add("Shape", x), **g.maybe(value=value))))


def linear_model(operator: str, outputs: int, **attributes: Any) -> Generator:
    def add(g: Sketch, x: str) -> Any:
        x, n = g.shaped(x, 2), 3
        weight = [float(v) for v in np.ravel(g.numbers(n, g.shape(x)[1]))]
        bias = [float(v) for v in g.numbers(n)]
        return g.add(operator, x, outputs=outputs, domain=_ML, coefficients=weight, intercepts=bias, **attributes)

    return add


def scaler(g: Sketch, x: str) -> str:
    x = g.shaped(x, 2)
    n = g.one_of([1, g.shape(x)[1]])
    offset, scale = ([float(v) for v in g.numbers(n)] for _ in range(2))
    return str(g.add("Scaler", x, domain=_ML, offset=offset, scale=scale))


def names_of_places(g: Sketch, x: str) -> str:
    x = g.shaped(x, 2)
    places = g.add("ArgMax", x, axis=1, keepdims=0)
    labels = g.constant(g.draws.integers(0, 2000, size=g.shape(x)[1]), np.int64)
    return str(g.add("ArrayFeatureExtractor", labels, places, domain=_ML))


def normalized(g: Sketch, x: str) -> str:
    return str(g.add("Normalizer", g.add("Softmax", g.shaped(x, 2), axis=-1), domain=_ML, norm="L1"))


def trees(operator: str, outputs: int, kind: str, **attributes: Any) -> Generator:
    """Trees of one test, whose leaves add to three scores."""

    def add(g: Sketch, x: str) -> Any:
        x, count = g.shaped(x, 2), 1 + g.below(3)
        each = [(tree, leaf, score) for tree in range(count) for leaf in (1, 2) for score in range(3)]
        leaves = {
            f"{kind}_treeids": [t for t, _, _ in each],
            f"{kind}_nodeids": [leaf for _, leaf, _ in each],
            f"{kind}_ids": [s for _, _, s in each],
            f"{kind}_weights": [float(v) for v in g.draws.uniform(0.1, 1, size=len(each))],
        }
        thresholds = [float(v) for v in g.draws.normal(size=count)]
        nodes = {
            "nodes_treeids": [t for t in range(count) for _ in range(3)],
            "nodes_nodeids": [0, 1, 2] * count,
            "nodes_featureids": [v for _ in range(count) for v in (g.below(g.shape(x)[1]), 0, 0)],
            "nodes_values": [v for t in thresholds for v in (t, 0.0, 0.0)],
            "nodes_modes": [g.one_of(["BRANCH_LEQ", "BRANCH_LT"]), "LEAF", "LEAF"] * count,
            "nodes_truenodeids": [1, 0, 0] * count,
            "nodes_falsenodeids": [2, 0, 0] * count,
        }
        return g.add(operator, x, outputs=outputs, domain=_ML, **nodes, **leaves, **attributes)

    return add


def within_one(operator: str) -> Generator:
    """Of numbers between -1 and 1."""

    def add(g: Sketch, x: str) -> str:
        inside = g.low(x) > -1 and g.high(x) < 1
        return str(g.add(operator, x if inside else g.add("Mul", g.add("Tanh", x), g.constant(0.95))))

    return add


def above_one(g: Sketch, x: str) -> str:
    return str(g.add("Acosh", g.add("Add", positive(g, x), g.constant(1.0))))


def remainder(g: Sketch, x: str) -> str:
    return str(g.add("Mod", x, g.constant(g.draws.uniform(0.5, 3)), fmod=1))


def blocks(operator: str) -> Generator:
    """Of channels, or of places."""

    def add(g: Sketch, x: str) -> str:
        x = g.shaped(x, 4)
        repeats = (1, 4, 1, 1) if operator == "DepthToSpace" else (1, 1, 2, 2)
        x = g.add("Tile", x, g.integers(*repeats))
        mode = g.maybe(mode=g.one_of(["DCR", "CRD"])) if operator == "DepthToSpace" and g.opset > 10 else {}
        return str(g.add(operator, x, blocksize=2, **mode))

    return add


def transposed_convolution(g: Sketch, x: str) -> str:
    x = g.shaped(x, g.one_of([3, 4]))
    kernel = [1 + g.below(3) for _ in g.shape(x)[2:]]
    weight = g.constant(g.numbers(g.shape(x)[1], 1 + g.below(2), *kernel))
    attributes = g.maybe(strides=[1 + g.below(2) for _ in kernel], pads=[g.below(k) for k in kernel] * 2)
    return str(g.add("ConvTranspose", x, weight, **attributes))


def resized(g: Sketch, x: str) -> str:
    if g.opset < 11:
        raise MisfitError
    x = g.shaped(x, 4)
    scales = g.constant(np.array([1, 1, g.one_of([1, 2]), g.one_of([1, 2, 3])], dtype=np.float32))
    mode = g.one_of([{"mode": "nearest", "nearest_mode": "floor"}, {"mode": "linear"}])
    way = g.maybe(coordinate_transformation_mode=g.one_of(["asymmetric", "half_pixel", "align_corners"]))
    return str(g.add("Resize", x, "", scales, **mode, **way))


SATURATED = 0.01  # of 1: gates that are all as good as shut leave less than a step of them


def recurrent(operator: str, gates: int) -> Generator:
    def add(g: Sketch, x: str) -> str:
        x, hidden = g.shaped(x, 3), 2
        weights = [g.constant(g.draws.normal(size=(1, gates * hidden, n)) / 2) for n in (g.shape(x)[2], hidden)]
        bias = [g.constant(g.draws.normal(size=(1, 2 * gates * hidden)))] if g.below(2) else []
        out = str(g.add(operator, x, *weights, *bias, hidden_size=hidden))
        if max(-g.low(out), g.high(out)) < SATURATED:
            raise MisfitError
        return out

    return add


def taken(operator: str) -> Generator:
    """Entries at constant places."""

    def add(g: Sketch, x: str) -> str:
        axis = g.axis(x)
        if operator == "GatherND":
            places = g.draws.integers(0, g.shape(x)[0], size=(2, 1))
            return str(g.add(operator, x, g.constant(places, np.int64)))
        places = g.draws.integers(0, g.shape(x)[axis], size=g.shape(x))
        return str(g.add(operator, x, g.constant(places, np.int64), axis=axis))

    return add


def scattered(g: Sketch, x: str) -> str:
    if not g.rank(x):
        raise MisfitError
    places = g.constant(g.draws.permutation(g.shape(x)[0])[:1, None], np.int64)
    return str(g.add("ScatterND", x, places, g.constant(g.numbers(1, *g.shape(x)[1:]))))


def largest(g: Sketch, x: str) -> None:
    axis = g.axis(x)
    count = g.integers(1 + g.below(g.shape(x)[axis]))
    g.add("TopK", x, count, axis=axis, outputs=2, **(g.maybe(largest=g.below(2)) if g.opset > 10 else {}))


def one_hot(g: Sketch, x: str) -> str:
    places = g.add("ArgMax", x, axis=g.axis(x), keepdims=g.below(2))
    return str(g.add("OneHot", places, g.integers(4), g.constant(np.array([0.0, 1.5])), **g.maybe(axis=-1)))


def triangle(g: Sketch, x: str) -> str:
    if g.rank(x) < 2:
        raise MisfitError
    return str(g.add("Trilu", x, *([g.constant(g.below(3) - 1)] if g.below(2) else []), **g.maybe(upper=g.below(2))))


def running_sums(g: Sketch, x: str) -> str:
    return str(g.add("CumSum", x, g.constant(g.axis(x)), **g.maybe(exclusive=1, reverse=1)))


def einsum(g: Sketch, x: str) -> str:
    shape = g.shape(x)
    letters = "abcde"[: len(shape)]
    if len(shape) < 2:
        raise MisfitError
    choice = g.below(3)
    if choice == 0:
        return str(g.add("Einsum", x, equation=f"{letters}->{letters[::-1]}"))
    if choice == 1:
        return str(g.add("Einsum", x, equation=f"{letters}->{letters[:-1]}"))
    weight = g.constant(g.numbers(shape[-1], 2))
    return str(g.add("Einsum", x, weight, equation=f"{letters},{letters[-1]}z->{letters[:-1]}z"))


def local_norm(g: Sketch, x: str) -> str:
    return str(g.add("LRN", g.shaped(x, 4), size=g.one_of([1, 3]), **g.maybe(alpha=0.1, bias=2.0)))


def imputer(g: Sketch, x: str) -> str:
    """Numbers in the place of what is none, which no sample holds."""
    x = g.shaped(x, 2)
    values = g.draws.normal(size=g.shape(x)[1]).tolist()
    return str(g.add("Imputer", x, domain=_ML, imputed_value_floats=values, replaced_value_float=float("nan")))


def place_of_largest(g: Sketch, x: str) -> tuple[str, int]:
    """A computed class and how many there are."""
    axis = g.axis(x)
    return str(g.add("ArgMax", x, axis=axis, keepdims=g.below(2))), g.shape(x)[axis]


def encoded_labels(g: Sketch, x: str) -> str:
    places, count = place_of_largest(g, x)
    values = g.draws.integers(-20, 20, size=count).astype(float).tolist()
    keys = list(range(count))
    return str(g.add("LabelEncoder", places, domain=_ML, keys_int64s=keys, values_floats=values, default_float=2.5))


def encoded_categories(g: Sketch, x: str) -> str:
    places, count = place_of_largest(g, x)
    return str(g.add("OneHotEncoder", places, domain=_ML, cats_int64s=list(range(count)), zeros=1))


def vectors(operator: str, outputs: int, **attributes: Any) -> Generator:
    """A machine of three support vectors, with every kernel."""

    def add(g: Sketch, x: str) -> Any:
        x = g.shaped(x, 2)
        kernel = g.one_of(["LINEAR", "POLY", "RBF", "SIGMOID"])
        columns = g.shape(x)[1]
        return g.add(
            operator,
            x,
            outputs=outputs,
            domain=_ML,
            kernel_type=kernel,
            kernel_params=[0.3 / columns, 0.5, 2.0],
            support_vectors=g.draws.normal(size=3 * columns).tolist(),
            coefficients=g.draws.normal(size=3).tolist(),
            rho=[0.1],
            **attributes,
        )

    return add


ARITHMETIC = {name: binary(name) for name in ("Add", "Sub", "Mul")}
GENERATORS: dict[str, Generator] = {
    **ARITHMETIC,
    **PARTICULAR,
    **{name: of_many(name) for name in ("Max", "Mean", "Min", "Sum")},
    **{name: comparison(name) for name in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual")},
    **{name: connective(name) for name in ("And", "Or", "Xor")},
    **{name: reduction(name) for name in ("ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum")},
    **{name: reduction(name) for name in ("ReduceLogSumExp", "ReduceSumSquare")},
    **{name: place(name) for name in ("ArgMax", "ArgMin")},
    **{name: along_an_axis(name) for name in ("Flatten", "Hardmax", "LogSoftmax", "Softmax")},
    **{name: pool(name) for name in ("AveragePool", "MaxPool")},
    **{name: global_pool(name) for name in ("GlobalAveragePool", "GlobalMaxPool")},
    **{name: within_one(name) for name in ("Acos", "Asin", "Atanh", "Tan")},
    **{name: blocks(name) for name in ("DepthToSpace", "SpaceToDepth")},
    **{name: recurrent(name, gates) for name, gates in (("GRU", 3), ("LSTM", 4), ("RNN", 1))},
    **{name: taken(name) for name in ("GatherElements", "GatherND")},
    **{name: of_positive(name) for name in ("Log", "Reciprocal", "Sqrt")},
    "Acosh": above_one,
    "ArrayFeatureExtractor": names_of_places,
    "BatchNormalization": batch_norm,
    "Cast": cast,
    "Clip": clip,
    "Concat": concatenation,
    "Constant": constant,
    "ConstantOfShape": filled,
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
    "CumSum": running_sums,
    "Div": divide,
    "Dropout": dropout,
    "Einsum": einsum,
    "Elu": unary("Elu", alpha=between(0.2, 2)),
    "Equal": equality,
    "Expand": expand,
    "Gather": lambda g, x: g.one_of([gather, gather, rows_of_a_table])(g, x),
    "Gelu": unary("Gelu", approximate=lambda g: g.one_of(["none", "tanh"])),
    "Gemm": gemm,
    "GroupNormalization": group_norm,
    "HardSigmoid": unary("HardSigmoid", alpha=between(0.1, 0.6), beta=between(0.2, 0.8)),
    "Imputer": imputer,
    "InstanceNormalization": instance_norm,
    "LRN": local_norm,
    "LabelEncoder": encoded_labels,
    "LayerNormalization": layer_norm,
    "LeakyRelu": unary("LeakyRelu", alpha=lambda g: g.one_of([0.01, 0.2, 0.0, 1.0, 1.3, -0.5])),
    "LinearClassifier": linear_model("LinearClassifier", 2, classlabels_ints=[7, 1990, 3]),
    "LinearRegressor": linear_model("LinearRegressor", 1, targets=3),
    "MatMul": lambda g, x: g.one_of([matmul, dense_and_bias])(g, x),
    "LpPool": pool("LpPool"),
    "Mod": remainder,
    "Normalizer": normalized,
    "Not": lambda g, x: g.add("Not", truth(g, x)),
    "OneHot": one_hot,
    "OneHotEncoder": encoded_categories,
    "PRelu": prelu,
    "Pad": pad,
    "Pow": power,
    "RMSNormalization": lambda g, x: g.one_of([rms_norm, rms_norm_in_parts])(g, x),
    "ReduceLogSum": reduction("ReduceLogSum", first=positive),
    "Reshape": reshape,
    "Resize": resized,
    "Scaler": scaler,
    "SVMClassifier": vectors("SVMClassifier", 2, classlabels_ints=[4, 9], vectors_per_class=[2, 1]),
    "SVMRegressor": vectors("SVMRegressor", 1, n_supports=3),
    "ScatterND": scattered,
    "Shape": filled,
    "Slice": cut,
    "Split": split,
    "Squeeze": squeeze,
    "Tile": tile,
    "TopK": largest,
    "Transpose": transpose,
    "TreeEnsembleClassifier": trees("TreeEnsembleClassifier", 2, "class", classlabels_int64s=[5, 9, 1]),
    "TreeEnsembleRegressor": trees("TreeEnsembleRegressor", 1, "target", n_targets=3),
    "Trilu": triangle,
    "Unsqueeze": unsqueeze,
    "Where": where,
}
"""By operator: what adds nodes that hold it, given a tensor to read. Another operator needs one entry."""

NOT_DRAWN = {"ZipMap"}
"""Of what is no tensor, but an output of a model: other tests try it."""


def by_schema(operator: str) -> Generator | None:
    """A generator for an operator that needs one to three tensors, and no attribute; else nothing."""
    domain = next((d for d in ("", _ML) if onnx.defs.has(operator, domain=d)), None)
    if domain is None:
        return None
    schema, single = onnx.defs.get_schema(operator, domain=domain), onnx.defs.OpSchema.FormalParameterOption.Single
    needs = [parameter for parameter in schema.inputs if parameter.option == single]
    if len(needs) not in (1, 2, 3) or any(a.required for a in schema.attributes.values()):
        return None
    return lambda g, x: g.add(operator, x, *(g.second(x) for _ in needs[1:]), domain=domain)


def generator(operator: str) -> Generator | None:
    return GENERATORS.get(operator) or by_schema(operator)


DRAWN = tuple(name for name in OPERATORS if name not in NOT_DRAWN and generator(name) is not None)


def _inputs(g: Sketch) -> None:
    """One or two inputs of numbers, and now and then one of integers or truths."""
    for _ in range(1 + (g.below(4) == 0)):
        rank = g.one_of([1, 2, 2, 3, 3, 4, 4, 5])
        shape = (1 + g.below(3) if not g.below(3) else 1, *(1 + g.below(4) for _ in range(rank - 1)))
        while prod(shape) > MOST_ENTRIES // 4:
            shape = tuple((n + 1) // 2 for n in shape)
        _input(g, _floats(g, shape))
    if not g.below(6):
        shape = g.broadcast(g.shape(g.tensor()))
        whole = g.draws.integers(-3, 9, size=(SAMPLES + FRESH, *shape))
        _input(g, g.one_of([whole, whole > 2, whole.astype(np.int32)]))


def _floats(g: Sketch, shape: Sequence[int]) -> Array:
    size = (SAMPLES + FRESH, *shape)
    normal = g.draws.normal(size=size)
    kinds = (
        normal,
        normal,
        g.draws.uniform(-1, 1, size=size),
        g.draws.uniform(1, 2, size=size),
        g.draws.uniform(-3, -2, size=size),
        g.draws.integers(-4, 5, size=size),  # ties
        g.draws.integers(0, 256, size=size),
        normal * g.sizes(shape),
        20 + normal,
    )
    return np.asarray(g.one_of(kinds), dtype=np.float32)


def _input(g: Sketch, data: Array) -> None:
    """The samples that hold the ends of its range come first: they calibrate."""
    name, rows = f"x{len(g.data)}", data.reshape(len(data), -1)
    ends = {int(rows.min(axis=1).argmin()), int(rows.max(axis=1).argmax())}
    data = np.concatenate([data[sorted(ends)], np.delete(data, sorted(ends), axis=0)])
    g.data[name] = data
    g.values[name] = list(data[:3])


def random_graph(seed: int, number: int, operators: Sequence[str] = DRAWN) -> tuple[Sketch, tuple[str, ...]]:
    """A graph of one to eight steps, and its outputs: the last tensor, and now and then one before it."""
    draws = np.random.default_rng([seed, number])
    g = Sketch(draws, OPSETS[int(draws.integers(len(OPSETS)))])
    _inputs(g)
    wanted, tries = 1 + g.below(8), 0
    while len(g.nodes) < wanted and tries < _TRIES:
        tries += 1
        with g.tried():
            add = generator(g.one_of(operators))
            assert add is not None
            add(g, g.tensor())
    if not g.nodes:
        raise AssertionError(f"none of {operators} fits")
    computed = [name for proto in g.nodes for name in proto.output]
    outputs = {computed[-1]} | ({g.one_of(computed)} if not g.below(4) else set())
    return g, tuple(sorted(outputs))
