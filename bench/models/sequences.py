"""Architectures over rows, characters and words, as PyTorch's exporters write them: random weights, real sizes.

Weights are as PyTorch initializes them, but for the last layer of each, whose gain gives answers that differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models import Architecture
from models.exported import Exported

Samples = Mapping[str, NDArray[Any]]
_GATES = {"LSTM": 4, "GRU": 3}


class Sequences(Exported):
    """Layers over tensors of shape (1, steps, width), by their names in torch.nn."""

    def given(self, name: str, *shape: int, tokens: bool = False) -> str:
        """One more input, or the only one."""
        kind = TensorProto.INT64 if tokens else TensorProto.FLOAT
        kept = [info for info in self.inputs if info.name not in (name, "unused")]
        self.inputs = [*kept, helper.make_tensor_value_info(name, kind, shape)]
        return name

    def uniform(self, *shape: int, reach: float) -> str:
        return self.constant(self.random.uniform(-reach, reach, shape))

    def dense(self, x: str, fan_in: int, fan_out: int, *, bias: bool = True, gain: float = 3**-0.5) -> str:
        """Linear on tensors of more than two axes: a product and a sum."""
        weight = self.constant(self._normal(fan_in, fan_out) * gain * fan_in**-0.5)
        product = self.node("MatMul", x, weight)
        return self.node("Add", self.uniform(fan_out, reach=fan_in**-0.5), product) if bias else product

    def embedding(self, x: str, count: int, width: int) -> str:
        return self.node("Gather", self.constant(self._normal(count, width)), x)

    def select(self, x: str, at: int, axis: int = 1) -> str:
        return self.node("Gather", x, self.constant(np.array(at)), axis=axis)

    def reshape(self, x: str, *shape: int) -> str:
        return self.node("Reshape", x, self.constant(np.array(shape)), allowzero=0)

    def transpose(self, x: str, *order: int) -> str:
        return self.node("Transpose", x, perm=order)

    def scaled(self, x: str, factor: float) -> str:
        return self.node("Mul", x, self.constant(np.array(factor)))

    def layer_norm(self, x: str, width: int) -> str:
        scale, offset = 1 + 0.1 * self._normal(width), 0.1 * self._normal(width)
        return self.node("LayerNormalization", x, self.constant(scale), self.constant(offset), axis=-1, epsilon=1e-5)

    def rms_norm(self, x: str, width: int) -> str:
        """x * rsqrt(mean(x^2) + 1e-6) * weight."""
        squares = self.node("Pow", x, self.constant(np.array(2.0)))
        mean = self.node("ReduceMean", squares, axes=[-1], keepdims=1)
        root = self.node("Sqrt", self.node("Add", mean, self.constant(np.array(1e-6))))
        inverse = self.node("Div", self.constant(np.array(1.0)), root)
        return self.node("Mul", self.constant(1 + 0.1 * self._normal(width)), self.node("Mul", x, inverse))

    def gelu(self, x: str) -> str:
        error = self.node("Erf", self.node("Div", x, self.constant(np.array(2**0.5))))
        return self.scaled(self.node("Mul", x, self.node("Add", error, self.constant(np.array(1.0)))), 0.5)

    def perceptron(self, x: str, width: int, inner: int) -> str:
        return self.dense(self.gelu(self.dense(x, width, inner)), inner, width)

    def recurrent(self, operator: str, x: str, steps: int, width: int, hidden: int, directions: int = 1) -> str:
        """LSTM or GRU with batch_first, whose first state of zeros has the batch's shape: (1, steps, outputs)."""
        rows, reach = _GATES[operator] * hidden, hidden**-0.5
        weights = [
            self.uniform(directions, *shape, reach=reach) for shape in ((rows, width), (rows, hidden), (2 * rows,))
        ]
        turned = self.transpose(x, 1, 0, 2)
        states = [self._zeros(turned, directions, hidden) for _ in range(1 + (operator == "LSTM"))]
        attributes: dict[str, Any] = {"direction": "bidirectional"} if directions == 2 else {}
        attributes |= {"linear_before_reset": 1} if operator == "GRU" else {}
        y, *_ = self.nodes_of(
            operator, turned, *weights, "", *states, outputs=1 + len(states), hidden_size=hidden, **attributes
        )
        if directions == 1:
            return self.transpose(self.node("Squeeze", y, self.constant(np.array([1]))), 1, 0, 2)
        return self.transpose(self.reshape(self.transpose(y, 0, 2, 1, 3), 0, 0, -1), 1, 0, 2)

    def _zeros(self, turned: str, directions: int, hidden: int) -> str:
        batch = self.node("Gather", self.node("Shape", turned), self.constant(np.array(1)))
        length = self.node("Unsqueeze", batch, self.constant(np.array([0])))
        counts = [self.constant(np.array([n])) for n in (directions, hidden)]
        shape = self.concat(counts[0], length, counts[1], axis=0)
        return self.node("Expand", self.constant(np.zeros((1, 1, 1))), shape)

    def heads(self, x: str, steps: int, count: int, width: int) -> str:
        return self.transpose(self.reshape(x, 1, steps, count, width), 0, 2, 1, 3)

    def attended(self, q: str, k: str, v: str, width: int, mask: Callable[[str], str] = lambda x: x) -> str:
        """softmax(q k^T / sqrt(width)) v, in the shape of q."""
        scores = self.scaled(self.node("MatMul", q, self.transpose(k, 0, 1, 3, 2)), width**-0.5)
        return self.node("MatMul", self.node("Softmax", mask(scores), axis=-1), v)

    def joined(self, x: str, steps: int, width: int) -> str:
        return self.reshape(self.transpose(x, 0, 2, 1, 3), 1, steps, width)

    def attention(self, x: str, steps: int, width: int, count: int, mask: Callable[[str], str] = lambda x: x) -> str:
        """Queries, keys and values from one product, as nanoGPT and nn.MultiheadAttention have it."""
        lengths = self.constant(np.array([width] * 3))
        parts = self.nodes_of("Split", self.dense(x, width, 3 * width), lengths, outputs=3, axis=2)
        q, k, v = (self.heads(part, steps, count, width // count) for part in parts)
        found = self.attended(q, k, v, width // count, mask)
        return self.dense(self.joined(found, steps, width), width, width)

    def block(self, x: str, steps: int, width: int, count: int, mask: Callable[[str], str] = lambda x: x) -> str:
        """A transformer's layer, norms first."""
        x = self.node("Add", x, self.attention(self.layer_norm(x, width), steps, width, count, mask))
        return self.node("Add", x, self.perceptron(self.layer_norm(x, width), width, 4 * width))

    def causal(self, steps: int) -> Callable[[str], str]:
        """masked_fill(tril == 0, -inf)."""
        later = self.constant(np.tri(steps, dtype=bool)[None, None] == 0)
        return lambda scores: self.node("Where", later, self.constant(np.array(-np.inf)), scores)


def rows(steps: int, width: int) -> Callable[[int, np.random.Generator], Samples]:
    """Walks that stay near 0, as features of a signal do."""

    def draw(count: int, random: np.random.Generator) -> Samples:
        walk = np.zeros((count, steps, width))
        for i in range(steps):
            walk[:, i] = 0.8 * walk[:, i - 1] + 0.6 * random.normal(size=(count, width))
        return {"input": walk.astype(np.float32)}

    return draw


def words(steps: int, count_of_words: int) -> Callable[[int, np.random.Generator], Samples]:
    return lambda count, random: {"tokens": random.integers(0, count_of_words, (count, steps))}


# architectures


def char_cnn() -> Architecture:
    """Convolutions over embedded characters, and the largest of each channel (after Kim, 2014): 64 of 70 characters."""
    net = Sequences((1,), "unused")
    x = net.transpose(net.embedding(net.given("tokens", 1, 64, tokens=True), 70, 16), 0, 2, 1)
    x = net.relu(net.conv(x, 16, 32, [3]))
    x = net.node("MaxPool", x, kernel_shape=[2], strides=[2], pads=[0, 0], dilations=[1], ceil_mode=0)
    x = net.relu(net.conv(x, 32, 64, [3]))
    x = net.node("ReduceMax", x, axes=[-1], keepdims=0)
    return Architecture(net.model(net.linear(x, 64, 8, gain=2.0)), words(64, 70))


def lstm() -> Architecture:
    """An LSTM of 32 cells over 24 frames of 20 features, and a dense layer on its last output: words of speech."""
    net = Sequences((1, 24, 20))
    x = net.select(net.recurrent("LSTM", "input", 24, 20, 32), -1)
    return Architecture(net.model(net.linear(x, 32, 12, gain=3.0)), rows(24, 20))


def gru() -> Architecture:
    """Two layers of GRU, both ways, of 16 cells each over 16 steps of 9 features: gestures of a sensor."""
    net = Sequences((1, 16, 9))
    x = net.recurrent("GRU", "input", 16, 9, 16, 2)
    x = net.select(net.recurrent("GRU", x, 16, 32, 16, 2), -1)
    return Architecture(net.model(net.linear(x, 32, 6, gain=3.0)), rows(16, 9))


def encoder() -> Architecture:
    """Two layers of nn.TransformerEncoder over 16 of 500 words, width 64 with 4 heads; the mean row is classified."""
    net, steps, width = Sequences((1,), "unused"), 16, 64
    x = net.embedding(net.given("tokens", 1, steps, tokens=True), 500, width)
    x = net.node("Add", x, net.constant(0.3 * net._normal(1, steps, width)))
    for _ in range(2):
        x = net.block(x, steps, width, 4)
    x = net.node("ReduceMean", net.layer_norm(x, width), axes=[1], keepdims=0)
    return Architecture(net.model(net.linear(x, width, 4, gain=3.0)), words(steps, 500))


def nano_gpt() -> Architecture:
    """nanoGPT on 65 characters: two layers of width 64 with 4 heads, 16 places, and the logits of all of them."""
    net, steps, width = Sequences((1,), "unused"), 16, 64
    places = net.node("Gather", net.constant(0.5 * net._normal(steps, width)), net.constant(np.arange(steps)[None]))
    x = net.node("Add", net.embedding(net.given("tokens", 1, steps, tokens=True), 65, width), places)
    mask = net.causal(steps)
    for _ in range(2):
        x = net.block(x, steps, width, 4, mask)
    return Architecture(
        net.model(net.dense(net.layer_norm(x, width), width, 65, bias=False, gain=2.0)), words(steps, 65)
    )


def llama_block() -> Architecture:
    """A layer of Llama: RMSNorm, rotary embeddings, 8 heads on 2 of keys and values, SwiGLU; 16 places, width 64."""
    steps, width, heads, shared = 16, 64, 8, 2
    net, size = Sequences((1, steps, width)), width // heads
    normal = net.rms_norm("input", width)
    q, k, v = (
        net.heads(net.dense(normal, width, n * size, bias=False, gain=1.0), steps, n, size)
        for n in (heads, shared, shared)
    )
    angles = np.outer(np.arange(steps), 10000.0 ** (-np.arange(0, size, 2) / size))
    turns = [net.constant(f(np.concatenate([angles, angles], axis=-1))) for f in (np.cos, np.sin)]
    q, k = (_rotated(net, x, size, *turns) for x in (q, k))
    k, v = (_repeated(net, x, steps, heads // shared, size) for x in (k, v))
    later = net.constant(np.triu(np.full((steps, steps), -np.inf), 1))
    found = net.attended(q, k, v, size, lambda scores: net.node("Add", scores, later))
    x = net.node("Add", "input", net.dense(net.joined(found, steps, width), width, width, bias=False))
    normal, inner = net.rms_norm(x, width), 3 * width
    gate = net.silu(net.dense(normal, width, inner, bias=False, gain=1.0))
    both = net.node("Mul", gate, net.dense(normal, width, inner, bias=False, gain=1.0))
    return Architecture(net.model(net.node("Add", x, net.dense(both, inner, width, bias=False))), rows(steps, width))


def _rotated(net: Sequences, x: str, size: int, cos: str, sin: str) -> str:
    """x cos + (-second half, first half) sin."""
    ends = [net.constant(np.array([n])) for n in (0, size // 2, 2**63 - 1, 3)]
    first, second = (net.node("Slice", x, ends[i], ends[i + 1], ends[3]) for i in range(2))
    turned = net.concat(net.node("Neg", second), first, axis=-1)
    return net.node("Add", net.node("Mul", x, cos), net.node("Mul", turned, sin))


def _repeated(net: Sequences, x: str, steps: int, times: int, size: int) -> str:
    """Each head of keys or values once for each head of queries that reads it."""
    apart = net.node("Unsqueeze", x, net.constant(np.array([2])))
    spread = net.node("Expand", apart, net.constant(np.array([1, 1, times, steps, size])))
    return net.reshape(spread, 1, -1, steps, size)


def vision_transformer() -> Architecture:
    """A ViT (Dosovitskiy et al., 2020) on 32 x 32: patches of 8, a class token, two layers of width 64 with 4 heads."""
    net, steps, width = Sequences((1, 3, 32, 32)), 17, 64
    x = net.node(
        "Conv",
        "input",
        net.normal(width, 3, 8, 8),
        net.constant(0.1 * net._normal(width)),
        kernel_shape=[8, 8],
        strides=[8, 8],
        pads=[0] * 4,
        dilations=[1, 1],
        group=1,
    )
    x = net.transpose(net.reshape(x, 1, width, steps - 1), 0, 2, 1)
    token = net.node("Expand", net.constant(net._normal(1, 1, width)), net.constant(np.array([1, 1, width])))
    x = net.node("Add", net.concat(token, x), net.constant(0.3 * net._normal(1, steps, width)))
    for _ in range(2):
        x = net.block(x, steps, width, 4)
    x = net.linear(net.select(net.layer_norm(x, width), 0), width, 10, gain=3.0)
    return Architecture(net.model(x), _patches)


def _patches(count: int, random: np.random.Generator) -> Samples:
    coarse = random.normal(size=(count, 3, 8, 8))
    smooth = np.repeat(np.repeat(coarse, 4, 2), 4, 3)
    return {"input": (smooth + 0.3 * random.normal(size=(count, 3, 32, 32))).astype(np.float32)}


def mixture_of_experts() -> Architecture:
    """The two of four experts that a gate likes best, for each of 8 rows of width 32 (Shazeer et al., 2017)."""
    steps, width, experts = 8, 32, 4
    net = Sequences((1, steps, width))
    logits = net.dense("input", width, experts, bias=False, gain=4.0)
    best, places = net.nodes_of("TopK", logits, net.constant(np.array([2])), outputs=2, axis=-1, largest=1, sorted=1)
    shares = net.node("Softmax", best, axis=-1)
    none = net.constant(np.zeros((1, steps, experts)))
    gate = net.node("ScatterElements", none, places, shares, axis=-1)
    parts = []
    for i in range(experts):
        ends = [net.constant(np.array([n])) for n in (i, i + 1, -1)]
        share = net.node("Slice", gate, *ends)
        inner = net.relu(net.dense("input", width, 2 * width, gain=2**0.5))
        parts.append(net.node("Mul", share, net.dense(inner, 2 * width, width, gain=1.0)))
    total = parts[0]
    for part in parts[1:]:
        total = net.node("Add", total, part)
    return Architecture(net.model(total), rows(steps, width), {"bits": 10})


def dlrm() -> Architecture:
    """DLRM (Naumov et al., 2019): 13 numbers and 26 names of up to 2,000, as of Criteo's ads, in 16; their products."""
    counts, width = (*(2000, 1500, 1000, 700) * 3, *(400, 300, 100, 60, 40, 24, 12) * 2), 16
    net = Sequences((1, 13), "dense")
    names, pairs = net.given("names", 1, len(counts), tokens=True), np.array(np.tril_indices(len(counts) + 1, -1))
    x = net.relu(net.linear(net.relu(net.linear("dense", 13, 64, gain=2**0.5)), 64, width, gain=2**0.5))
    rows_of = [net.embedding(net.select(names, i), n, width) for i, n in enumerate(counts)]
    one = net.constant(np.array([1]))
    z = net.concat(*(net.node("Unsqueeze", row, one) for row in (x, *rows_of)))
    products = net.node("MatMul", z, net.transpose(z, 0, 2, 1))
    flat = net.node("Flatten", net.transpose(products, 1, 2, 0), axis=2)
    found = net.node("Gather", flat, net.constant(pairs[0] * (len(counts) + 1) + pairs[1]), axis=0)
    both = net.concat(x, net.transpose(net.reshape(found, pairs.shape[1], 1), 1, 0))
    top = net.relu(net.linear(both, width + pairs.shape[1], 64, gain=2**0.5))
    return Architecture(net.model(net.node("Sigmoid", net.linear(top, 64, 1, gain=0.5))), _clicks(counts))


def _clicks(counts: tuple[int, ...]) -> Callable[[int, np.random.Generator], Samples]:
    def draw(count: int, random: np.random.Generator) -> Samples:
        names = np.stack([random.integers(0, n, count) for n in counts], axis=1)
        return {"dense": random.uniform(0, 1, (count, 13)).astype(np.float32), "names": names}

    return draw


BUILDERS: Mapping[str, Callable[[], Architecture]] = {
    "char_cnn": char_cnn,
    "lstm": lstm,
    "gru": gru,
    "transformer_encoder": encoder,
    "nano_gpt": nano_gpt,
    "llama_block": llama_block,
    "vit": vision_transformer,
    "moe": mixture_of_experts,
    "dlrm": dlrm,
}
