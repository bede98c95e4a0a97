"""Labels and shares of logistic scores, which one-vs-rest classifiers end in, where all scores of a row are low."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.zkml.networks import proven_output
from tests.zkml.test_tabular import LABEL, SCORES, both, node, table
from zkgpu.inference import CompiledModel, compile_model

WIDTH = 4
ROWS = np.random.default_rng(5).normal(size=(64, WIDTH)).astype(np.float32)
EYE = np.eye(WIDTH, dtype=np.float32)
ONE, COUNT = np.array([1.0], np.float32), np.array([WIDTH], np.float32)
LOW = np.array([[-9, -9.5, -12, -30], [-20, -19, -18.9, -40], [-50, -60, -49.97, -70]], dtype=np.float32)
SCORE = [node("MatMul", "x eye", "m"), node("Add", "m zeros", "s")]
LOGISTIC = {
    "Sigmoid": [node("Sigmoid", "s", "p")],
    "its parts": [
        node("Neg", "s", "n"),
        node("Exp", "n", "e"),
        node("Add", "e one", "d"),
        node("Reciprocal", "d", "p"),
    ],
}
SHARES = {
    "its sum": [node("ReduceSum", "p axes", "t", keepdims=1), node("Div", "p t", "scores")],
    "a guarded sum": [
        node("ReduceSum", "p axes", "t", keepdims=1),
        node("Cast", "t", "is", to=9),
        node("Not", "is", "not"),
        node("Cast", "not", "mask", to=1),
        node("Add", "p mask", "q"),
        node("Mul", "mask count", "masks"),
        node("Add", "t masks", "u"),
        node("Div", "q u", "scores"),
    ],
    "its norm": [node("Normalizer", "p", "scores", norm="L1")],
}
CONSTANTS = {"eye": EYE, "zeros": np.zeros(WIDTH, np.float32), "axes": np.array([1]), "one": ONE, "count": COUNT}


def scored(logistic: str, share: str) -> Any:
    """The place of the largest share, and all of them."""
    nodes = [*SCORE, *LOGISTIC[logistic], *SHARES[share], node("ArgMax", "scores", "label", axis=1, keepdims=0)]
    return table(nodes, [LABEL, SCORES], width=WIDTH, **CONSTANTS)


def shown(compiled: CompiledModel, row: np.ndarray, name: str) -> np.ndarray:
    integers = compiled.quantized(row[None])
    return proven_output(compiled.circuit, compiled.circuit_inputs(integers), name)


@pytest.mark.parametrize(
    ("logistic", "share"), [("Sigmoid", "its norm"), ("its parts", "its sum"), ("its parts", "a guarded sum")]
)
def test_shares_are_right_where_all_values_are_about_0(logistic: str, share: str) -> None:
    proto = scored(logistic, share)
    given = np.concatenate([ROWS, 25 * np.ones((1, WIDTH), np.float32), np.full((1, WIDTH), -80, np.float32)])
    compiled = compile_model(proto, given, test_data=ROWS, limb=8)
    rows = LOW[:1] if logistic == "Sigmoid" else LOW  # onnxruntime's own goes no lower than at -18
    (labels, wanted), (shares, probabilities) = both(proto, np.concatenate([ROWS, rows]), compiled)
    assert (labels == wanted).all()
    assert np.abs(shares - probabilities).max() < 0.01
    assert (shown(compiled, LOW[0], "label") == compiled.run(compiled.quantized(LOW[:1]))["label"]).all()


def test_where_all_values_are_0_in_single_precision_all_shares_are_alike_and_the_first_is_the_label() -> None:
    proto = scored("its parts", "a guarded sum")
    given = np.concatenate([ROWS, np.full((1, WIDTH), -200, np.float32), np.full((1, WIDTH), 200, np.float32)])
    compiled = compile_model(proto, given, test_data=ROWS, limb=8)
    row = np.array([[-150, -140, -120, -100], [150, 180, 120, 130]], np.float32)
    (labels, wanted), (shares, probabilities) = both(proto, row, compiled)
    assert labels.ravel().tolist() == wanted.ravel().tolist() == [0, 0]
    assert np.abs(shares - probabilities).max() < 0.01


@pytest.mark.parametrize("way", ["Softmax", "Sigmoid", "falling"])
@pytest.mark.parametrize("bits", [8, "auto"])
def test_a_label_is_told_by_scores_that_make_one_probability(way: str, bits: Any) -> None:
    """Two scores a thousandth apart, of which tables of probabilities make one number."""
    nodes = {
        "Softmax": [node("Softmax", "s", "p"), node("ArgMax", "p", "label", axis=1, keepdims=0)],
        "Sigmoid": [node("Sigmoid", "s", "p"), node("ArgMax", "p", "label", axis=1, keepdims=0)],
        "falling": [
            node("Neg", "s", "n"),
            node("Sigmoid", "n", "a"),
            node("Sub", "one a", "b"),
            node("Tanh", "b", "p"),
            node("ArgMax", "p", "label", axis=1, keepdims=0),
        ],
    }[way]
    proto = table([*SCORE, *nodes], [LABEL], width=WIDTH, **CONSTANTS)
    rows = np.linspace(-3, 3, 64 * WIDTH, dtype=np.float32).reshape(64, WIDTH)
    rows = np.random.default_rng(1).permutation(rows.ravel()).reshape(64, WIDTH)
    rows[:, 1] = rows[:, 0] + np.where(np.arange(64) % 2, 0.05, -0.05)
    compiled = compile_model(proto, rows, limb=8, bits=bits)
    ((labels, wanted),) = both(proto, rows, compiled)
    assert (labels == wanted).all()


def test_of_two_values_of_one_score_the_larger_is_told_by_the_score() -> None:
    nodes = [
        node("MatMul", "x w", "s"),
        node("Sigmoid", "s", "p"),
        node("Sub", "one p", "q"),
        node("Concat", "q p", "scores", axis=1),
        node("ArgMax", "scores", "label", axis=1, keepdims=0),
    ]
    weight = np.array([[40.0], [0.001], [0.0], [0.0]], np.float32)
    proto = table(nodes, [LABEL, SCORES], width=WIDTH, one=ONE, w=weight)
    close = np.zeros((2, WIDTH), np.float32)
    close[:, 0] = [0.001, -0.001]
    compiled = compile_model(proto, ROWS, limb=8)
    (labels, wanted), _ = both(proto, np.concatenate([ROWS, close]), compiled)
    assert (labels == wanted).all()
    assert wanted[-2:].ravel().tolist() == [1, 0]


def test_an_order_that_a_function_changes_is_not_that_of_its_scores() -> None:
    """The largest square is of the farthest score, not of the largest one."""
    nodes = [*SCORE, node("Mul", "s s", "p"), node("ArgMax", "p", "label", axis=1, keepdims=0)]
    proto = table(nodes, [LABEL], width=WIDTH, **CONSTANTS)
    compiled = compile_model(proto, ROWS, limb=8)
    ((labels, wanted),) = both(proto, ROWS, compiled)
    assert (labels == wanted).mean() > 0.98
