"""Which activations are not clamped at the top, and what that spares."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from zkgpu.inference import CompiledModel, compile_model
from zkgpu.zkml.headroom import is_cheaper_open
from zkgpu.zkml.operations import Requantize


@pytest.mark.parametrize(
    ("reach", "entries", "read_by", "limb", "wanted"),
    [
        (1 << 15, 1000, 10, 9, True),
        (1 << 18, 1000, 10, 9, False),  # three limbs
        (1 << 15, 1000, 4000, 9, False),  # which would get a limb more each
        (1 << 15, 1 << 20, 10, 9, False),  # of so many a table takes less
        (1 << 18, 1 << 20, 10, 10, True),  # and this one would be too long
        (1 << 31, 1000, 10, 18, False),  # more than what reads them takes as it is
    ],
)
def test_what_is_not_clamped(reach: int, entries: int, read_by: int, limb: int, wanted: bool) -> None:
    assert is_cheaper_open(reach, entries, read_by, limb) == wanted


def network(*sizes: int) -> CompiledModel:
    """Dense layers with Relu, whose worst inputs go far beyond those seen."""
    nodes, weights, x = [], {}, "x"
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        weights[f"w{i}"] = normal(fan_in, fan_out) / np.sqrt(fan_in)
        last = i == len(sizes) - 2
        nodes += [node("MatMul", f"{x} w{i}", "out" if last else f"z{i}")]
        nodes += [] if last else [node("Relu", f"z{i}", f"r{i}")]
        x = f"r{i}"
    samples = np.abs(np.random.default_rng(3).normal(size=(20, sizes[0]))).astype(np.float32)
    made = model(nodes, {"x": (1, sizes[0])}, weights=weights)
    return compile_model(made, samples, limb=9, bits=8, allow_error=np.inf)


def clamps(found: CompiledModel) -> list[int]:
    """Which of its Relus are clamped at the top."""
    steps = [op for op in found.model.operations if isinstance(op, Requantize)]
    return [i for i, op in enumerate(steps) if op.high is not None]


def test_a_layer_that_fewer_values_read_is_not_clamped_and_takes_less(monkeypatch: pytest.MonkeyPatch) -> None:
    found = network(16, 300, 300, 300, 10)
    assert clamps(found) == []
    monkeypatch.setattr("zkgpu.zkml.lowering.builder.is_cheaper_open", lambda *_: False)
    clamped = network(16, 300, 300, 300, 10)
    assert clamps(clamped) == [2]
    assert clamped.account.size.constraints - found.account.size.constraints == 3 * 300


def test_one_that_many_more_values_read_is_clamped() -> None:
    assert clamps(network(16, 300, 300, 40, 600, 10)) == [2]
