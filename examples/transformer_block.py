"""A transformer block as PyTorch exports it: layer norms, attention with 4 heads, GELU by Erf, residual connections."""

import numpy as np
import onnx

from examples.measured import Example, table
from examples.networks import Network

SEQUENCE, WIDTH, HEADS, HIDDEN = 8, 32, 4, 64


def layer_norm(net: Network, x: str) -> str:
    deviation = net.add("Sub", x, net.add("ReduceMean", x, axes=[-1]))
    variance = net.add("ReduceMean", net.add("Pow", deviation, net.constant(2.0)), axes=[-1])
    root = net.add("Sqrt", net.add("Add", variance, net.constant(1e-5)))
    scaled = net.add("Mul", net.add("Div", deviation, root), net.constant(1 + 0.1 * net.random.normal(size=WIDTH)))
    return net.add("Add", scaled, net.constant(0.1 * net.random.normal(size=WIDTH)))


def heads(net: Network, x: str, order: list[int]) -> str:
    shape = net.constant(np.array([1, SEQUENCE, HEADS, WIDTH // HEADS]))
    return net.add("Transpose", net.add("Reshape", net.dense(x, WIDTH, WIDTH), shape), perm=order)


def attention(net: Network, x: str) -> str:
    query, key, value = (heads(net, x, order) for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
    scores = net.add("Div", net.add("MatMul", query, key), net.constant(np.sqrt(WIDTH / HEADS)))
    mixed = net.add("Transpose", net.add("MatMul", net.add("Softmax", scores, axis=-1), value), perm=[0, 2, 1, 3])
    return net.dense(net.add("Reshape", mixed, net.constant(np.array([1, SEQUENCE, WIDTH]))), WIDTH, WIDTH)


def gelu(net: Network, x: str) -> str:
    error = net.add("Erf", net.add("Div", x, net.constant(np.sqrt(2.0))))
    return net.add("Mul", net.add("Mul", x, net.add("Add", error, net.constant(1.0))), net.constant(0.5))


def block() -> onnx.ModelProto:
    net = Network(["batch", SEQUENCE, WIDTH])
    x = net.add("Add", "x", attention(net, layer_norm(net, "x")))
    hidden = gelu(net, net.dense(layer_norm(net, x), WIDTH, HIDDEN))
    return net.model(net.add("Add", x, net.dense(hidden, HIDDEN, WIDTH)))


def example() -> Example:
    samples = np.random.default_rng(1).normal(size=(80, SEQUENCE, WIDTH))
    return Example("transformer block, 8 x 32", block(), samples[:60], samples[60:])


if __name__ == "__main__":
    table(example())
