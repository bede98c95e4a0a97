"""Rows of a norm that several layers read for products are rounded before them, where that is less."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
sys.path.insert(0, str(Path(__file__).parents[2]))
from examples import transformer_block
from examples.networks import Network
from zkgpu.inference import CompiledModel, compile_model
from zkgpu.zkml.counting import size_of
from zkgpu.zkml.operations import Arrange, Combine, Linear, Lookup, MatMul, Requantize

STEPS, WIDTH = transformer_block.SEQUENCE, transformer_block.WIDTH


def compiled(make: Any) -> CompiledModel:
    """Queries, keys and so on, and how far their products are from the float model's."""
    net = Network([1, STEPS, WIDTH])
    model = net.model(make(net, transformer_block.layer_norm(net, "x")))
    samples = np.random.default_rng(1).normal(size=(40, STEPS, WIDTH))
    return compile_model(model, samples[:30], test_data=samples[30:], limb=9)


def products(net: Any, x: str) -> str:
    turned = net.add("Transpose", net.dense(x, WIDTH, WIDTH), perm=[0, 2, 1])
    return str(net.add("MatMul", net.dense(x, WIDTH, WIDTH), turned))


def of_few(net: Any, x: str) -> str:
    turned = net.add("Transpose", net.dense(x, WIDTH, 4), perm=[0, 2, 1])
    return str(net.add("MatMul", net.dense(x, WIDTH, 4), turned))


def sums(net: Any, x: str) -> str:
    return str(net.add("Add", net.dense(x, WIDTH, WIDTH), net.dense(x, WIDTH, WIDTH)))


def origins(model: CompiledModel, kind: type) -> list[Any]:
    """What computes the inputs of operations of a kind, before it was moved."""
    made = {op.output: op for op in model.model.operations}
    found = []
    for operation in made.values():
        for name in operation.inputs if isinstance(operation, kind) else ():
            while isinstance(made.get(name), Arrange) and len(made[name].inputs) == 1:
                name = made[name].inputs[0]
            found.append(made.get(name))
    return found


def test_queries_and_keys_of_a_rounded_row_are_not_rounded() -> None:
    model = compiled(products)
    assert {type(op) for op in origins(model, Linear)} == {Requantize}
    assert {type(op) for op in origins(model, MatMul)} == {Linear}
    assert sum(isinstance(op, Requantize) for op in model.model.operations) == 1
    assert model.accuracy is not None
    assert model.accuracy.outputs[0].error < 0.025


@pytest.mark.parametrize(("make", "read"), [(of_few, MatMul), (sums, Combine)])
def test_where_they_are_few_or_no_factors_the_row_is_read_as_it_is(make: Any, read: type) -> None:
    model = compiled(make)
    assert {type(op) for op in origins(model, Linear)} == {Combine}
    assert {type(op) for op in origins(model, read)} >= {Requantize}


def gelus(net: Any, x: str) -> str:
    return transformer_block.gelu(net, net.dense(x, WIDTH, 4 * WIDTH))


def test_sums_that_a_function_rounds_drop_fewer_limbs() -> None:
    model = compiled(gelus)
    assert {type(op) for op in origins(model, Linear)} == {Requantize}
    (rounding,) = {op.output: op for op in origins(model, Lookup)}.values()
    assert rounding.shift <= 18


def test_a_small_block_takes_few_constraints_and_is_as_near_to_the_float_model() -> None:
    example = transformer_block.example()
    model = compile_model(example.model, example.calibration, test_data=example.test)
    assert size_of(model.model, model.visibilities).constraints < 13_750
    assert model.accuracy is not None
    assert model.accuracy.outputs[0].error < 0.0175
