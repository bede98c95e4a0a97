"""Attention, rotary embeddings and the statistics of layer normalizations: against the reference, and proven."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from tests.zkml.models import model, node, normal, onnx
from tests.zkml.test_recurrent import answers, assert_the_same, written_out
from zkgpu.errors import FormatError
from zkgpu.inference import compile_model

HEADS = {"q": (1, 4, 5, 6), "k": (1, 4, 3, 6), "v": (1, 4, 3, 2)}
GROUPED = {"q": (2, 4, 3, 6), "k": (2, 2, 3, 6), "v": (2, 2, 3, 6)}
FLAT = {"q": (1, 3, 24), "k": (1, 3, 12), "v": (1, 3, 8)}
RNG = np.random.default_rng(1)
OPEN = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1], [1, 1, 1], [0, 0, 1]], dtype=bool)


def attention(shapes: dict[str, tuple[int, ...]], mask: Any = None, opset: int = 23, **attributes: Any) -> Any:
    weights = {} if mask is None else {"mask": mask}
    made = node("Attention", "q k v" + " mask" * (mask is not None), "y", **attributes)
    return model([made], shapes, ("y",), weights, opset)


ATTENTION = {
    "plain": attention(HEADS),
    "scaled": attention(HEADS, scale=0.3),
    "capped": attention(HEADS, softcap=0.7),
    "masked": attention(HEADS, OPEN),
    "masked by heads": attention(HEADS, np.stack([OPEN] * 4)[None]),
    "with a bias": attention(HEADS, RNG.normal(size=(5, 3)), softcap=1.5),
    "causal": attention(GROUPED, is_causal=1),
    "causal, and masked": attention(GROUPED, np.array([[1, 0, 1], [1, 0, 1], [0, 1, 1]], dtype=bool), is_causal=1),
    "causal, with a bias": attention(GROUPED, RNG.normal(size=(3, 3)), is_causal=1),
    "grouped": attention(GROUPED),
    "one head of keys": attention({**GROUPED, "k": (2, 1, 3, 6), "v": (2, 1, 3, 6)}),
    "heads in a row": attention(FLAT, q_num_heads=4, kv_num_heads=2, is_causal=1),
    "a row that sees nothing": attention(HEADS, OPEN & (np.arange(5) != 1)[:, None]),
    "a bias that hides": attention(HEADS, np.where(OPEN & (np.arange(5) != 1)[:, None], 0.5, -np.inf), is_causal=1),
    "opset 24": attention(FLAT, q_num_heads=4, kv_num_heads=2, is_causal=1, opset=24),
}


def reference(proto: Any, seed: int = 0) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    draws = np.random.default_rng(seed)
    shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in proto.graph.input}
    feed = {name: draws.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    names = [end.name for end in proto.graph.output]
    return feed, dict(zip(names, ReferenceEvaluator(proto).run(names, feed), strict=True))


@pytest.mark.parametrize("name", ATTENTION)
def test_attention_written_out_gives_what_the_reference_gives(name: str) -> None:
    _, wanted = reference(ATTENTION[name])
    assert_the_same(answers(written_out(ATTENTION[name])), wanted)


@pytest.mark.parametrize("name", ["capped", "causal, with a bias", "heads in a row", "masked"])
def test_attention_is_proven_close_to_the_reference(name: str) -> None:
    proto = ATTENTION[name]
    runs = [reference(proto, seed) for seed in range(12)]
    samples = {key: np.concatenate([feed[key][None] for feed, _ in runs]) for key in runs[0][0]}
    made = compile_model(proto, samples, limb=6)
    found = np.array([made.predict(feed)["y"] for feed, _ in runs])
    wanted = np.array([values["y"] for _, values in runs])
    assert np.sqrt(((found - wanted) ** 2).sum() / (wanted**2).sum()) < 0.02


def computed_mask(kind: int) -> Any:
    """A mask that depends on the input: of truths, or a bias."""
    made = attention(HEADS, OPEN)
    del made.graph.initializer[:]
    made.graph.input.append(onnx.helper.make_tensor_value_info("m", onnx.TensorProto.FLOAT, [5, 3]))
    made.graph.node.insert(0, node("Relu", "m", "mask") if kind else node("Less", "m two", "mask"))
    made.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(2), "two"))
    return made


@pytest.mark.parametrize("kind", [0, 1], ids=["truths", "bias"])
def test_a_mask_may_be_computed(kind: int) -> None:
    proto = computed_mask(kind)
    _, wanted = reference(proto)
    assert_the_same(answers(written_out(proto)), wanted)
    draws = np.random.default_rng(3)
    samples = {key: draws.normal(size=(9, *shape)) for key, shape in {**HEADS, "m": (5, 3)}.items()}
    made = compile_model(proto, samples, limb=6)
    assert made.accuracy is not None
    assert made.accuracy.outputs[0].error < 0.02


def test_a_row_whose_computed_mask_hides_all_gives_zeros() -> None:
    proto = computed_mask(0)
    samples = {key: normal(9, *shape) for key, shape in {**HEADS, "m": (5, 3)}.items()}
    samples["m"][:, 1] = 3.0
    made = compile_model(proto, samples, limb=6)
    assert (made.predict({key: value[0] for key, value in samples.items()})["y"][0, :, 1] == 0).all()


def with_outputs(operator: str, proto: Any, *names: str) -> Any:
    made = next(made for made in proto.graph.node if made.op_type == operator)
    made.output.extend(names)
    for name in (name for name in names if name):
        proto.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return onnx.shape_inference.infer_shapes(proto)


REFUSED_ATTENTION = {
    "a mask of another width": (attention(HEADS, OPEN[:, :2], opset=24), r"its mask of shape \(5, 2\)"),
    "no heads": (attention(FLAT, q_num_heads=5, kv_num_heads=2), "has no 5 heads"),
    "scores": (with_outputs("Attention", attention(HEADS), "", "", "s"), "its output 's' is not supported"),
    "another mode": (attention(HEADS, qk_matmul_output_mode=1), "its attribute qk_matmul_output_mode"),
}


def cached() -> Any:
    shapes = {**GROUPED, "pk": (2, 2, 4, 6), "pv": (2, 2, 4, 6)}
    made = node("Attention", "q k v - pk pv", "y nk nv")
    return model([made], shapes, ("y",), {}, 23)


def padded() -> Any:
    made = node("Attention", "q k v - - - n", "y", is_causal=1)
    return model([made], GROUPED, ("y",), {"n": np.array([2, 3])}, 24)


REFUSED_ATTENTION["a cache"] = (cached(), "its input 'pk' is computed")
REFUSED_ATTENTION["padded keys"] = (padded(), "its input 'n' is not supported")


@pytest.mark.parametrize("name", REFUSED_ATTENTION)
def test_what_is_not_honored_of_attention_is_refused_by_its_name(name: str) -> None:
    proto, reason = REFUSED_ATTENTION[name]
    with pytest.raises(FormatError, match=rf"\(Attention\): .*{reason}|not a valid"):
        written_out(proto)


# rotary embeddings


def rotary(shape: tuple[int, ...], cache: tuple[int, ...], positions: Any = None, **attributes: Any) -> Any:
    angles = np.random.default_rng(2).uniform(0, 6, cache)
    weights = {"cos": np.cos(angles), "sin": np.sin(angles)}
    weights |= {} if positions is None else {"at": np.array(positions)}
    made = node("RotaryEmbedding", "x cos sin" + " at" * (positions is not None), "y", **attributes)
    return model([made], {"x": shape}, ("y",), weights, 23)


ROTARY = {
    "halves": rotary((2, 3, 4, 6), (2, 4, 3)),
    "side by side": rotary((2, 3, 4, 6), (2, 4, 3), interleaved=1),
    "at positions": rotary((1, 3, 4, 6), (9, 3), [[0, 5, 2, 8]]),
    "in a row": rotary((2, 4, 18), (2, 4, 3), num_heads=3),
    "a part": rotary((2, 3, 4, 6), (2, 4, 2), rotary_embedding_dim=4),
    "a part, side by side, in a row": rotary((1, 4, 18), (7, 1), [[1, 2, 6, 0]], rotary_embedding_dim=2, interleaved=1,
                                             num_heads=3),
}  # fmt: skip


@pytest.mark.parametrize("name", ROTARY)
def test_rotary_embeddings_give_what_the_reference_gives(name: str) -> None:
    proto = ROTARY[name]
    _, wanted = reference(proto)
    assert_the_same(answers(written_out(proto)), wanted)
    shape = [dim.dim_value for dim in proto.graph.input[0].type.tensor_type.shape.dim]
    made = compile_model(proto, np.random.default_rng(3).normal(size=(9, *shape)), limb=6)
    assert made.accuracy is not None
    assert made.accuracy.outputs[0].error < 0.02


def test_angles_of_another_shape_are_refused() -> None:
    with pytest.raises(FormatError, match=r"\(RotaryEmbedding\): its input 'cos' gives angles"):
        written_out(rotary((2, 3, 4, 6), (2, 4, 2)))


# norms


def statistics(outputs: str, axis: int = -1) -> Any:
    made = node("LayerNormalization", "x w b", outputs, axis=axis, epsilon=0.1)
    made.output[:] = ["" if name == "-" else name for name in made.output]
    shape = (2, 3, 4)[axis:]
    return model([made], {"x": (2, 3, 4)}, tuple(n for n in outputs.split() if n != "-"),
                 {"w": normal(*shape), "b": normal(*shape, seed=1)})  # fmt: skip


@pytest.mark.parametrize("axis", [-1, 1, 0])
@pytest.mark.parametrize("outputs", ["y mean inverse", "y - inverse", "y mean", "y"])
def test_the_statistics_of_a_layer_normalization_are_computed(outputs: str, axis: int) -> None:
    proto = statistics(outputs, axis)
    if outputs != "y":
        assert_the_same(answers(written_out(proto)), answers(proto))
    made = compile_model(proto, np.random.default_rng(3).normal(size=(12, 2, 3, 4)), limb=6)
    assert made.accuracy is not None
    assert {output.name for output in made.accuracy.outputs} == {n for n in outputs.split() if n != "-"}
    assert all(output.error < 0.02 for output in made.accuracy.outputs)


def test_statistics_that_nothing_reads_cost_nothing() -> None:
    proto = statistics("y")
    proto.graph.node[0].output.extend(["mean", "inverse"])
    samples = np.random.default_rng(3).normal(size=(12, 2, 3, 4))
    with_them, without = (compile_model(p, samples, limb=6) for p in (proto, statistics("y")))
    assert with_them.circuit.r1cs.n_constraints == without.circuit.r1cs.n_constraints
