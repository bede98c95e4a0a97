"""Architectures over images, as PyTorch's exporter writes them: random weights, real sizes unless their names say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import Architecture
from models.exported import Exported

Draw = Callable[[int, np.random.Generator], NDArray[np.float32]]


def images(*shape: int) -> Draw:
    """Smooth random images: noise on a quarter of the grid, brought to the whole one, and a little noise of its own."""

    def draw(count: int, random: np.random.Generator) -> NDArray[np.float32]:
        channels, *space = shape
        coarse = random.normal(size=(count, channels, *(-(-n // 4) for n in space)))
        for axis in range(2, coarse.ndim):
            coarse = np.repeat(coarse, 4, axis)
        inside = (slice(None), slice(None), *(slice(n) for n in space))
        return (coarse[inside] + 0.3 * random.normal(size=(count, *shape))).astype(np.float32)

    return draw


def lenet() -> Architecture:
    """LeNet-5 on 28 x 28 digits (LeCun et al., 1998), with Relu and max pooling as PyTorch's tutorial has it."""
    net = Exported((1, 1, 28, 28))
    x = net.max_pool(net.relu(net.conv("input", 1, 6, 5, pad=2)))
    x = net.flatten(net.max_pool(net.relu(net.conv(x, 6, 16, 5, pad=0))))
    x = net.relu(net.linear(x, 400, 120, gain=2**0.5))
    x = net.relu(net.linear(x, 120, 84, gain=2**0.5))
    return Architecture(net.model(net.linear(x, 84, 10)), images(1, 28, 28))


BUILDERS: dict[str, Callable[[], Any]] = {
    "lenet": lenet,
}
