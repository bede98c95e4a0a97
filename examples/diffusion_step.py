"""One denoising step of a small U-Net block: convolutions, group norm as PyTorch exports it, SiLU, self-attention.

The step subtracts the predicted noise from an image of 4 channels, 4 x 4 pixels.
"""

import numpy as np
import onnx

from examples.measured import Example, table
from examples.networks import Network

CHANNELS, SIDE, HIDDEN, GROUPS, STEP = 4, 4, 8, 2, 0.3


def convolution(net: Network, x: str, fan_in: int, fan_out: int) -> str:
    return net.add("Conv", x, net.normal(fan_out, fan_in, 3, 3), pads=[1, 1, 1, 1])


def group_norm(net: Network, x: str) -> str:
    ones, zeros = net.constant(np.ones(GROUPS)), net.constant(np.zeros(GROUPS))
    rows = net.add("Reshape", x, net.constant(np.array([0, GROUPS, -1])))
    normal = net.add("InstanceNormalization", rows, ones, zeros, epsilon=1e-5)
    image = net.add("Reshape", normal, net.constant(np.array([1, HIDDEN, SIDE, SIDE])))
    scaled = net.add("Mul", image, net.constant(1 + 0.1 * net.random.normal(size=(HIDDEN, 1, 1))))
    return net.add("Add", scaled, net.constant(0.1 * net.random.normal(size=(HIDDEN, 1, 1))))


def silu(net: Network, x: str) -> str:
    return net.add("Mul", x, net.add("Sigmoid", x))


def attention(net: Network, x: str) -> str:
    """Every pixel attends to every other."""
    flat = net.add("Reshape", x, net.constant(np.array([1, HIDDEN, SIDE * SIDE])))
    pixels = net.add("Transpose", flat, perm=[0, 2, 1])
    query, key, value = (net.dense(pixels, HIDDEN, HIDDEN) for _ in range(3))
    scores = net.add(
        "Mul", net.add("MatMul", query, net.add("Transpose", key, perm=[0, 2, 1])), net.constant(HIDDEN**-0.5)
    )
    mixed = net.add("MatMul", net.add("Softmax", scores, axis=-1), value)
    back = net.add("Transpose", mixed, perm=[0, 2, 1])
    return net.add("Add", x, net.add("Reshape", back, net.constant(np.array([1, HIDDEN, SIDE, SIDE]))))


def denoising_step() -> onnx.ModelProto:
    net = Network(["batch", CHANNELS, SIDE, SIDE])
    hidden = silu(net, group_norm(net, convolution(net, "x", CHANNELS, HIDDEN)))
    noise = convolution(net, attention(net, hidden), HIDDEN, CHANNELS)
    return net.model(net.add("Sub", "x", net.add("Mul", noise, net.constant(STEP))))


def example() -> Example:
    images = np.random.default_rng(1).normal(size=(60, CHANNELS, SIDE, SIDE))
    return Example("diffusion step, 4 x 4 x 4", denoising_step(), images[:40], images[40:])


if __name__ == "__main__":
    table(example())
