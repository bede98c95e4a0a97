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


def vgg_small() -> Architecture:
    """Pairs of 3 x 3 convolutions after VGG (Simonyan and Zisserman, 2014): 16, 32 and 64 channels, on 32 x 32."""
    net, x, channels = Exported((1, 3, 32, 32)), "input", 3
    for width in (16, 32, 64):
        x = net.relu(net.conv(x, channels, width))
        x = net.max_pool(net.relu(net.conv(x, width, width)))
        channels = width
    x = net.relu(net.linear(net.flatten(x), 1024, 128, gain=2**0.5))
    return Architecture(net.model(net.linear(x, 128, 10)), images(3, 32, 32))


def basic_block(net: Exported, x: str, fan_in: int, fan_out: int, stride: int) -> str:
    """Two convolutions beside a short cut (He et al., 2015)."""
    inner = net.conv(net.relu(net.conv(x, fan_in, fan_out, stride=stride)), fan_out, fan_out, gain=1.0)
    if stride > 1 or fan_in != fan_out:
        x = net.conv(x, fan_in, fan_out, 1, stride=stride, gain=1.0)
    return net.relu(net.node("Add", inner, x))


def resnet20() -> Architecture:
    """ResNet-20 on CIFAR (He et al., 2015, section 4.2), 0.27 million parameters."""
    net = Exported((1, 3, 32, 32))
    x, channels = net.relu(net.conv("input", 3, 16)), 16
    for width in (16, 32, 64):
        for _ in range(3):
            x = basic_block(net, x, channels, width, 1 + (width != channels))
            channels = width
    return Architecture(net.model(net.head(x, 64)), images(3, 32, 32))


def resnet18() -> Architecture:
    """torchvision's ResNet-18, its stem for large images and all, on 32 x 32: 11 million parameters."""
    net = Exported((1, 3, 32, 32))
    x = net.relu(net.conv("input", 3, 64, 7, stride=2))
    x, channels = net.max_pool(x, 3, 2, 1), 64
    for width in (64, 128, 256, 512):
        for _ in range(2):
            x = basic_block(net, x, channels, width, 1 + (width != channels))
            channels = width
    return Architecture(net.model(net.head(x, 512)), images(3, 32, 32))


def mobilenet_v2(side: int = 32) -> Architecture:
    """MobileNetV2 (Sandler et al., 2018), 0.35 times as wide, on 32 x 32: inverted residuals, linear at their end."""
    net = Exported((1, 3, side, side))
    x, channels = net.relu6(net.conv("input", 3, 16, stride=2)), 16
    for expand, width, count, stride in (
        (1, 8, 1, 1),
        (6, 8, 2, 2),
        (6, 16, 3, 2),
        (6, 24, 4, 2),
        (6, 32, 3, 1),
        (6, 56, 3, 2),
        (6, 112, 1, 1),
    ):
        for i in range(count):
            x = inverted_residual(net, x, channels, width, expand, stride if i == 0 else 1)
            channels = width
    x = net.relu6(net.conv(x, 112, 1280, 1))
    return Architecture(net.model(net.head(x, 1280)), images(3, side, side))


def inverted_residual(net: Exported, x: str, fan_in: int, fan_out: int, expand: int, stride: int) -> str:
    hidden = fan_in * expand
    inner = net.relu6(net.conv(x, fan_in, hidden, 1)) if expand > 1 else x
    inner = net.relu6(net.conv(inner, hidden, hidden, stride=stride, group=hidden))
    inner = net.conv(inner, hidden, fan_out, 1, gain=1.0)
    return net.node("Add", x, inner) if stride == 1 and fan_in == fan_out else inner


def shufflenet_v2() -> Architecture:
    """ShuffleNet V2 (Ma et al., 2018), 0.5 times as wide, on 32 x 32: halves of channels, shuffled."""
    net = Exported((1, 3, 32, 32))
    x = net.max_pool(net.relu(net.conv("input", 3, 24, stride=2)), 3, 2, 1)
    channels, side = 24, 8
    for width, count in ((48, 4), (96, 8), (192, 4)):
        for i in range(count):
            side = -(-side // 2) if i == 0 else side
            x = shuffle_unit(net, x, channels, width, side, 2 if i == 0 else 1)
            channels = width
    x = net.relu(net.conv(x, 192, 1024, 1))
    x = net.node("ReduceMean", x, axes=[2, 3], keepdims=0)
    return Architecture(net.model(net.linear(x, 1024, 10, gain=3.0)), images(3, 32, 32))


def shuffle_unit(net: Exported, x: str, fan_in: int, fan_out: int, side: int, stride: int) -> str:
    half = fan_out // 2
    if stride == 1:
        first, x = net.nodes_of("Split", x, net.constant(np.array([half, half])), outputs=2, axis=1)
        fan_in = half
    else:
        first = net.conv(x, fan_in, fan_in, stride=stride, group=fan_in, gain=1.0)
        first = net.relu(net.conv(first, fan_in, half, 1))
    second = net.relu(net.conv(x, fan_in, half, 1))
    second = net.conv(second, half, half, stride=stride, group=half, gain=1.0)
    joined = net.concat(first, net.relu(net.conv(second, half, half, 1)))
    apart = net.node("Reshape", joined, net.constant(np.array([1, 2, half, side, side])))
    turned = net.node("Transpose", apart, perm=[0, 2, 1, 3, 4])
    return net.node("Reshape", turned, net.constant(np.array([1, -1, side, side])))


def squeezenet() -> Architecture:
    """SqueezeNet 1.1 (Iandola et al., 2016) on 34 x 34, where the last window of each pool reaches beyond it."""
    net = Exported((1, 3, 34, 34))
    x = net.relu(net.conv("input", 3, 64, stride=2, pad=0))
    channels = 64
    for squeeze, expand, pooled in (
        (16, 64, True),
        (16, 64, False),
        (32, 128, True),
        (32, 128, False),
        (48, 192, True),
        (48, 192, False),
        (64, 256, False),
        (64, 256, False),
    ):
        x = net.max_pool(x, 3, 2, ceil_mode=1) if pooled else x
        squeezed = net.relu(net.conv(x, channels, squeeze, 1))
        wide = (net.relu(net.conv(squeezed, squeeze, expand, kernel)) for kernel in (1, 3))
        x, channels = net.concat(*wide), 2 * expand
    x = net.relu(net.conv(x, channels, 10, 1))
    return Architecture(net.model(net.flatten(net.node("GlobalAveragePool", x))), images(3, 34, 34), {"bits": 9})


def double_conv(net: Exported, x: str, fan_in: int, fan_out: int) -> str:
    return net.relu(net.conv(net.relu(net.conv(x, fan_in, fan_out)), fan_out, fan_out))


def unet(up: str = "ConvTranspose") -> Architecture:
    """U-Net (Ronneberger et al., 2015), 8 to 32 channels, on 32 x 32, for two classes of pixels."""
    net, widths = Exported((1, 1, 32, 32)), (8, 16, 32)
    skips: list[str] = []
    x, channels = "input", 1
    for width in widths:
        x = net.max_pool(x) if skips else x
        x = double_conv(net, x, channels, width)
        skips.append(x)
        channels = width
    for width, skip in zip(widths[-2::-1], skips[-2::-1], strict=True):
        if up == "ConvTranspose":
            x = net.conv_transpose(x, channels, width)
        else:
            x = net.conv(net.upsample(x, up), channels, width, 1, gain=1.0)
        x, channels = double_conv(net, net.concat(skip, x), 2 * width, width), width
    return Architecture(net.model(net.conv(x, 8, 2, 1, gain=1.0)), images(1, 32, 32))


def autoencoder() -> Architecture:
    """A convolutional autoencoder of 28 x 28 digits, 32 numbers between, decoded by transposed convolutions."""
    net = Exported((1, 1, 28, 28))
    x = net.relu(net.conv("input", 1, 16, stride=2))
    x = net.flatten(net.relu(net.conv(x, 16, 32, stride=2)))
    code = net.linear(x, 1568, 32)
    x = net.relu(net.linear(code, 32, 1568))
    x = net.node("Reshape", x, net.constant(np.array([1, 32, 7, 7])))
    x = net.relu(net.conv_transpose(x, 32, 16, 4, 2, 1))
    return Architecture(net.model(net.node("Sigmoid", net.conv_transpose(x, 16, 1, 4, 2, 1))), images(1, 28, 28))


def gelu(net: Exported, x: str) -> str:
    """GELU by Erf, as the exporter writes it."""
    share = net.node("Erf", net.node("Div", x, net.constant(2**0.5)))
    return net.node("Mul", net.node("Mul", x, net.node("Add", share, net.constant(1.0))), net.constant(0.5))


def convnext() -> Architecture:
    """ConvNeXt (Liu et al., 2022): a stem of patches and two blocks of 32 channels, on 32 x 32."""
    net, width = Exported((1, 3, 32, 32)), 32
    x = channel_norm(net, net.conv("input", 3, width, 4, stride=4, pad=0), width)
    x = net.node("Transpose", x, perm=[0, 3, 1, 2])
    for _ in range(2):
        inner = channel_norm(net, net.conv(x, width, width, 7, group=width, gain=1.0), width)
        inner = gelu(net, dense(net, inner, width, 4 * width))
        inner = net.node("Mul", dense(net, inner, 4 * width, width), net.constant(0.5 * np.ones(width)))
        x = net.node("Add", net.node("Transpose", inner, perm=[0, 3, 1, 2]), x)
    return Architecture(net.model(net.head(x, width)), images(3, 32, 32))


def channel_norm(net: Exported, x: str, width: int) -> str:
    """A layer norm over channels, which it leaves as the last axis."""
    x = net.node("Transpose", x, perm=[0, 2, 3, 1])
    scale, offset = net.constant(1 + 0.1 * net.random.normal(size=width)), net.constant(np.zeros(width))
    return net.node("LayerNormalization", x, scale, offset, axis=-1, epsilon=1e-6)


def dense(net: Exported, x: str, fan_in: int, fan_out: int) -> str:
    """Linear on tensors of more than two axes."""
    product = net.node("MatMul", x, net.constant(net.random.normal(size=(fan_in, fan_out)) * fan_in**-0.5))
    return net.node("Add", net.constant(0.1 * net.random.normal(size=fan_out)), product)


def efficientnet() -> Architecture:
    """Three blocks of EfficientNet (Tan and Le, 2019), with SiLU and squeeze and excitation, on 32 x 32."""
    net = Exported((1, 3, 32, 32))
    x, channels = net.silu(net.conv("input", 3, 16, stride=2)), 16
    for expand, width, kernel, stride in ((1, 8, 3, 1), (6, 16, 3, 2), (6, 16, 5, 1)):
        hidden = channels * expand
        inner = net.silu(net.conv(x, channels, hidden, 1)) if expand > 1 else x
        inner = net.silu(net.conv(inner, hidden, hidden, kernel, stride=stride, group=hidden))
        squeezed = net.silu(net.conv(net.node("GlobalAveragePool", inner), hidden, channels // 4, 1))
        gates = net.node("Sigmoid", net.conv(squeezed, channels // 4, hidden, 1))
        inner = net.conv(net.node("Mul", gates, inner), hidden, width, 1, gain=2.0)
        x = net.node("Add", inner, x) if stride == 1 and channels == width else inner
        channels = width
    return Architecture(net.model(net.head(net.silu(net.conv(x, 16, 64, 1)), 64)), images(3, 32, 32))


STEPS = 4


def diffusion() -> Architecture:
    """Four steps of denoising by one U-Net, its loop unrolled: an 8 x 8 image of 3 channels, DDIM's rule.

    Song et al., "Denoising Diffusion Implicit Models", 2020, equation 12 without noise.
    """
    net, width = Exported((1, 3, 8, 8)), 8
    weights = {name: noise_weights(net, *sizes) for name, sizes in noise_layers(width).items()}
    kept = np.linspace(0.3, 0.95, STEPS + 1)  # share of the image left by noise, from the first step on
    x = "input"
    for i in range(STEPS):
        noise = predicted_noise(net, x, weights, width, np.cos(np.arange(width) * (STEPS - i)))
        before, after = kept[i], kept[i + 1]
        factor = (after / before) ** 0.5
        noise = net.node("Mul", noise, net.constant((1 - after) ** 0.5 - factor * (1 - before) ** 0.5))
        x = net.node("Add", net.node("Mul", x, net.constant(factor)), noise)
    return Architecture(net.model(x), images(3, 8, 8))


def noise_layers(width: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights that all steps share."""
    return {
        "in": (width, 3, 3, 3),
        "down": (2 * width, width, 3, 3),
        "middle": (2 * width, 2 * width, 3, 3),
        "up": (2 * width, width, 2, 2),
        "join": (width, 2 * width, 3, 3),
        "out": (3, width, 3, 3),
    }


def noise_weights(net: Exported, *shape: int) -> tuple[str, str]:
    """A convolution's weights and bias; of a transposed one, whose kernel is 2 x 2, channels are the second axis."""
    is_turned = shape[-1] == 2
    fan_in, fan_out = (shape[0], shape[1]) if is_turned else (int(np.prod(shape[1:])), shape[0])
    return net.normal(*shape, fan_in=fan_in, gain=2**0.5), net.constant(0.1 * net.random.normal(size=fan_out))


def predicted_noise(net: Exported, x: str, weights: dict[str, tuple[str, str]], width: int, time: Any) -> str:
    """A U-Net of one level; the step's number is added to the channels, as its embedding is."""

    def conv(x: str, name: str, stride: int = 1) -> str:
        attributes = {"dilations": [1, 1], "group": 1, "kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
        return net.node("Conv", x, *weights[name], strides=[stride, stride], **attributes)

    first = net.silu(net.node("Add", conv(x, "in"), net.constant(0.3 * time.reshape(1, width, 1, 1))))
    below = net.silu(conv(net.silu(conv(first, "down", 2)), "middle"))
    attributes = {"dilations": [1, 1], "group": 1, "kernel_shape": [2, 2], "pads": [0] * 4, "strides": [2, 2]}
    above = net.node("ConvTranspose", below, *weights["up"], **attributes)
    return conv(net.silu(conv(net.concat(above, first), "join")), "out")


BUILDERS: dict[str, Callable[[], Architecture]] = {
    "lenet": lenet,
    "vgg_small": vgg_small,
    "resnet20": resnet20,
    "resnet18": resnet18,
    "mobilenet_v2": mobilenet_v2,
    "shufflenet_v2": shufflenet_v2,
    "squeezenet": squeezenet,
    "unet": unet,
    "unet_resize": lambda: unet("nearest"),
    "unet_bilinear": lambda: unet("linear"),
    "autoencoder": autoencoder,
    "convnext": convnext,
    "efficientnet": efficientnet,
    "diffusion": diffusion,
}
