"""Support vector machines of ai.onnx.ml as ordinary nodes: kernels, sums for each pair of classes, and their votes.

As onnxruntime computes them. Of the kernels only exp and tanh need tables. Probabilities of three and more classes,
which it finds by iterating until they change little (Wu, Lin and Weng, JMLR 5, 2004), are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np

from zkgpu.zkml.graph import Array, Graph, Node, Shape, unsupported
from zkgpu.zkml.restated import EXP
from zkgpu.zkml.tabular import Rewritten, class_values, names

VOTES, PRODUCT = "Votes", "Product with itself"
MADE = (VOTES, PRODUCT)
_LARGEST_DEGREE = 4


class _Writer:
    """The nodes of one machine, of which all tensors have as many rows."""

    def __init__(self, graph: Graph, node: Node) -> None:
        self.node, self.rows = node, graph.shapes[node.inputs[0]][0]
        self.nodes: list[Node] = []
        self.arrays: dict[str, Array] = {}
        self.shapes: dict[str, Shape] = {}

    def add(self, operator: str, inputs: list[str], width: int, output: str = "", **attributes: object) -> str:
        """A node that gives a row of so many numbers for each row; its output."""
        output = output or f"{self.node.name}.{self.node.output}.{len(self.nodes)}"
        self.nodes.append(Node(self.node.name, operator, tuple(inputs), (output,), attributes))
        self.shapes[output] = (self.rows, width)
        return output

    def constant(self, value: Array) -> str:
        name = f"{self.node.name}.{self.node.output}.constant.{len(self.arrays)}"
        self.arrays[name] = np.asarray(value, dtype=np.float64)
        return name

    def linear(self, x: str, weight: Array, bias: Array, output: str = "") -> str:
        """x @ weight + bias."""
        inputs = [x, self.constant(weight), self.constant(bias)]
        return self.add("Gemm", inputs, weight.shape[1], output)

    @property
    def written(self) -> Rewritten:
        return self.nodes, self.arrays, self.shapes


def _listed(node: Node, name: str) -> Array:
    return np.asarray(node.attributes.get(name, ()), dtype=np.float64)


def _sums(writer: _Writer, node: Node, vectors: Array, weight: Array, bias: Array, output: str = "") -> str:
    """kernel(x, vectors) @ weight + bias, of shape (rows, sums)."""
    kernel, x = node.attributes.get("kernel_type", "LINEAR"), node.inputs[0]
    gamma, coefficient, degree = node.attributes.get("kernel_params", (0.0, 0.0, 0.0))
    if kernel == "LINEAR":
        return writer.linear(x, vectors.T @ weight, bias, output)
    count = len(vectors)
    if kernel == "RBF":
        square = writer.add(PRODUCT, [x], vectors.shape[1], times=2)
        length = writer.add("ReduceSum", [square], 1, axes=(1,), keepdims=1)
        apart = writer.linear(x, 2 * gamma * vectors.T, -gamma * (vectors**2).sum(axis=1))
        far = writer.add("Mul", [length, writer.constant(np.array(-gamma))], 1)
        values = writer.add(EXP, [writer.add("Add", [apart, far], count)], count)
        return writer.linear(values, weight, bias, output)
    product = writer.linear(x, gamma * vectors.T, np.full(count, coefficient))
    if kernel == "SIGMOID":
        return writer.linear(writer.add("Tanh", [product], count), weight, bias, output)
    if kernel != "POLY" or degree not in range(1, _LARGEST_DEGREE + 1):
        raise unsupported(node, f"the kernel {kernel} of degree {degree:g} is not supported")
    power = writer.add(PRODUCT, [product], count, times=int(degree)) if degree > 1 else product
    return writer.linear(power, weight, bias, output)


def _vectors(graph: Graph, node: Node, count: int) -> Array:
    found, width = _listed(node, "support_vectors"), graph.shapes[node.inputs[0]][-1]
    if len(graph.shapes[node.inputs[0]]) != 2 or found.size != count * width:
        raise unsupported(node, f"its support vectors are not {count} of {width} numbers")
    return found.reshape(count, width)


def _regressor(graph: Graph, node: Node) -> Rewritten:
    """One sum; of a machine that knows one class only, whether it is above 0, as 1 and -1."""
    writer, count = _Writer(graph, node), int(node.attributes.get("n_supports", 0))
    weight, bias = _listed(node, "coefficients")[:, None], _listed(node, "rho")[:1]
    is_one_class = bool(node.attributes.get("one_class", 0))
    if len(weight) != count or count == 0:
        raise unsupported(node, f"{len(weight)} coefficients for {count} support vectors")
    total = _sums(writer, node, _vectors(graph, node, count), weight, bias, "" if is_one_class else node.output)
    if is_one_class:
        truth = writer.add("Greater", [total, writer.constant(np.zeros(1))], 1)
        choice = [truth, writer.constant(np.ones(1)), writer.constant(-np.ones(1))]
        writer.add("Where", choice, 1, node.output)
    return writer.written


def _classifier(graph: Graph, node: Node) -> Rewritten:
    """The sums of all pairs of classes, and the class with the most votes, the first one of several."""
    writer, (label, scores) = _Writer(graph, node), node.outputs
    labels = class_values(node, "classlabels_ints")
    per_class = np.asarray(node.attributes.get("vectors_per_class", ()), dtype=np.int64)
    after = node.attributes.get("post_transform", "NONE")
    if labels.size < 2 or per_class.size != labels.size or after != "NONE":
        raise unsupported(
            node,
            "only two or more classes, with support vectors and post_transform NONE, are supported",
        )
    vectors = _vectors(graph, node, int(per_class.sum()))
    weight, bias = _of_pairs(node, per_class)
    pairs = weight.shape[1]
    has_probabilities, is_binary = _listed(node, "prob_a").size > 0, labels.size == 2
    between = _sums(writer, node, vectors, weight, bias, "" if has_probabilities or is_binary else scores)
    if is_binary:
        _of_two_classes(writer, node, between, scores)
    elif has_probabilities and (scores in graph.outputs or graph.consumers().get(scores)):
        raise unsupported(
            node, "its probabilities of three or more classes are found by iterating: ask for the label alone"
        )
    truths = writer.add("Greater", [between, writer.constant(np.zeros(1))], pairs)
    votes = writer.add(VOTES, [truths], labels.size)
    place = writer.add("ArgMax", [votes], 1, axis=1, keepdims=0)
    writer.shapes[place] = (writer.rows,)
    writer.nodes.append(names(node, place, label, labels))
    return writer.written


def _of_two_classes(writer: _Writer, node: Node, between: str, scores: str) -> None:
    """-s and s; or the probability that Platt's sigmoid gives, and its complement."""
    a, b = _listed(node, "prob_a"), _listed(node, "prob_b")
    if not a.size:
        writer.linear(between, np.array([[-1.0, 1.0]]), np.zeros(2), scores)
        return
    both = writer.linear(between, np.array([[-a[0], a[0]]]), np.array([-b[0], b[0]]))
    writer.add("Sigmoid", [both], 2, scores)


def _of_pairs(node: Node, per_class: Array) -> tuple[Array, Array]:
    """(vectors, pairs) weights and (pairs,) biases of each pair of classes i < j, from coefficients row by row.

    A vector of class i has its weight against class j in row j - 1, one of class j its weight against i in row i.
    """
    classes, count = per_class.size, int(per_class.sum())
    rows, rho = _listed(node, "coefficients"), _listed(node, "rho")
    pairs = list(combinations(range(classes), 2))
    if rows.size != (classes - 1) * count or rho.size != len(pairs):
        raise unsupported(node, f"{rows.size} coefficients and {rho.size} offsets for {classes} classes")
    rows, starts = rows.reshape(classes - 1, count), np.cumsum([0, *per_class])
    weight = np.zeros((count, len(pairs)))
    for pair, (i, j) in enumerate(pairs):
        for mine, row in ((i, j - 1), (j, i)):
            place = slice(starts[mine], starts[mine + 1])
            weight[place, pair] = rows[row, place]
    return weight, rho


RULES: dict[str, Callable[[Graph, Node], Rewritten]] = {"SVMClassifier": _classifier, "SVMRegressor": _regressor}
