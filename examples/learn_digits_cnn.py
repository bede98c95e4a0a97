"""Learns the small convolutional network of examples/models from scikit-learn's digits, in NumPy, with Adam.

Run as `python -m examples.learn_digits_cnn`; it writes models/digits_cnn.onnx, the compiled form that `zkgpu demo`
proves, and what `zkgpu samples` writes of both, and prints the share of right answers on the 360 test images.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx

import zkgpu.demo
from examples.digits import digits
from examples.networks import Network
from zkgpu.demo.digits import IMAGE
from zkgpu.inference import compile_model
from zkgpu.zkml.storage import dump

CHANNELS, EPOCHS, BATCH, RATE = 8, 40, 32, 0.002
MODEL = Path(__file__).parent / "models" / "digits_cnn.onnx"
DEMO = Path(zkgpu.demo.__file__).parent / "digits_cnn.npz"
SAMPLES = DEMO.parent / "samples"
WINDOWS = np.lib.stride_tricks.sliding_window_view(np.arange(64).reshape(8, 8), (3, 3)).reshape(36, 9)

Parameters = list[np.ndarray]  # filters (9, channels), their biases, dense weights (9 channels, 10), their biases


def pooled(images: np.ndarray, parameters: Parameters) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(patches, the largest sum of each 2 x 2 square, which one it was), channels last."""
    patches = images[:, WINDOWS]
    sums = patches @ parameters[0] + parameters[1]
    squares = sums.reshape(-1, 3, 2, 3, 2, CHANNELS).transpose(0, 1, 3, 5, 2, 4).reshape(-1, 3, 3, CHANNELS, 4)
    which = squares.argmax(axis=-1)
    return patches, np.take_along_axis(squares, which[..., None], -1)[..., 0], which


def features(largest: np.ndarray) -> np.ndarray:
    """Relu, then channels first, as ONNX flattens them."""
    return np.maximum(largest, 0).transpose(0, 3, 1, 2).reshape(len(largest), -1)


def gradients(images: np.ndarray, labels: np.ndarray, parameters: Parameters) -> Parameters:
    """Of the mean cross-entropy."""
    patches, largest, which = pooled(images, parameters)
    flat = features(largest)
    scores = flat @ parameters[2] + parameters[3]
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1
    p /= len(labels)
    back = (p @ parameters[2].T).reshape(-1, CHANNELS, 3, 3).transpose(0, 2, 3, 1) * (largest > 0)
    squares = np.zeros((*back.shape, 4))
    np.put_along_axis(squares, which[..., None], back[..., None], -1)
    sums = squares.reshape(-1, 3, 3, CHANNELS, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(len(labels), 36, CHANNELS)
    return [np.einsum("npk,npc->kc", patches, sums), sums.sum(axis=(0, 1)), flat.T @ p, p.sum(axis=0)]


def learn() -> Parameters:
    """Adam (arXiv 1412.6980) over shuffled batches."""
    data, random = digits(), np.random.default_rng(1)
    shapes = ((9, CHANNELS), (CHANNELS,), (9 * CHANNELS, 10), (10,))
    parameters = [random.normal(0, spread, shape) for spread, shape in zip((0.4, 0, 0.1, 0), shapes, strict=True)]
    first, second = ([np.zeros(shape) for shape in shapes] for _ in range(2))
    step = 0
    for _ in range(EPOCHS):
        order = random.permutation(len(data.learn))
        for start in range(0, len(order), BATCH):
            batch, step = order[start : start + BATCH], step + 1
            found = gradients(data.learn[batch] / 16, data.labels[batch], parameters)
            for w, g, m, v in zip(parameters, found, first, second, strict=True):
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                w -= RATE * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return parameters


def as_onnx(parameters: Parameters) -> onnx.ModelProto:
    """The network on images of pixels from 0 to 16."""
    filters, biases, weights, offsets = parameters
    net = Network(["batch", 1, 8, 8], name="image")
    kernel = net.constant((filters / 16).T.reshape(CHANNELS, 1, 3, 3))
    x = net.add("Relu", net.add("Conv", "image", kernel, net.constant(biases)))
    x = net.add("Flatten", net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]))
    return net.model(net.add("Gemm", x, net.constant(weights), net.constant(offsets)))


if __name__ == "__main__":
    data, learnt = digits(), learn()
    scores = features(pooled(data.test / 16, learnt)[1]) @ learnt[2] + learnt[3]
    print(f"{(scores.argmax(axis=1) == data.answers).mean():.2%} of {len(scores)} test images recognised")
    onnx.save(as_onnx(learnt), MODEL)
    learn_images, test_images = data.learn.reshape(-1, 1, 8, 8), data.test.reshape(-1, 1, 8, 8)
    names = {as_onnx(learnt).graph.output[0].name: [str(digit) for digit in range(10)]}
    shutil.copy(MODEL, SAMPLES / "model.onnx")
    np.savez_compressed(SAMPLES / "data.npz", image=learn_images[:128].astype(np.uint8))
    np.savez_compressed(SAMPLES / "input.npz", image=IMAGE.reshape(1, 1, 8, 8).astype(np.uint8))
    DEMO.write_bytes(dump(compile_model(MODEL, learn_images[:200], test_data=test_images, labels=names)))
