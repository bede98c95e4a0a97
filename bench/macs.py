"""How many products a model's layers take: bench/macs.json, by name, for the picture of what models cost.

    python bench/macs.py              # counts all models of bench/architectures.py and bench/large.py again
    python bench/macs.py growth_4     # counts these

A multiply-accumulate is one product of a weight or an activation with an activation, and its addition, in a MatMul, a
Gemm or a convolution. Models with recurrent layers, loops or other operators that multiply are left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from math import prod
from typing import Any

import onnx
from lines import HERE, macs
from models import builders
from models.large import LARGE
from onnx import shape_inference

UNCOUNTED = {"LSTM", "GRU", "RNN", "Loop", "Scan", "If", "Einsum", "Attention", "ConvTranspose"}


def multiply_accumulates(model: onnx.ModelProto) -> int:
    """Of one inference. Raises ValueError for a model with an operator of UNCOUNTED, or without products."""
    found = UNCOUNTED & {node.op_type for node in model.graph.node}
    if found:
        raise ValueError(f"products of {', '.join(sorted(found))} are not counted")
    shapes = _shapes(model.graph)
    if not {name for node in model.graph.node for name in node.output} <= set(shapes):
        shapes |= _shapes(shape_inference.infer_shapes(_without_weights(model), data_prop=True).graph)
    products = sum(_of_node(node, shapes) for node in model.graph.node)
    if not products:
        raise ValueError("it has no layer of products")
    return products


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Large weights as inputs, which have a shape and no bytes: ONNX cannot pass on more than 2 GiB."""
    bare = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    bare.graph.CopyFrom(
        onnx.GraphProto(name="bare", node=model.graph.node, input=model.graph.input, output=model.graph.output)
    )
    for weight in model.graph.initializer:
        if prod(weight.dims) > 64:
            bare.graph.input.append(onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims))
        else:
            bare.graph.initializer.append(weight)
    return bare


def _shapes(graph: onnx.GraphProto) -> dict[str, list[int]]:
    known = {weight.name: list(weight.dims) for weight in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        known[value.name] = [d.dim_value for d in value.type.tensor_type.shape.dim]
    return known


def _of_node(node: onnx.NodeProto, shapes: dict[str, list[int]]) -> int:
    if node.op_type == "Conv":  # weights (outputs, inputs / groups, *kernel)
        return prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])
    if node.op_type == "MatMul":
        return prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    if node.op_type == "Gemm":
        return prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if _is_transposed(node) else 1]
    return 0


def _is_transposed(node: onnx.NodeProto) -> bool:
    return any(attribute.name == "transA" and attribute.i for attribute in node.attribute)


def counted(name: str) -> int:
    """Raises SystemExit for a model whose weights are not at hand, ValueError for one that is not counted."""
    built: Any = LARGE[name][1]() if name in LARGE else builders()[name]()
    return multiply_accumulates(built[0])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", metavar="NAME")
    known = macs()
    for name in options.parse_args().names or [*builders(), *LARGE]:
        with contextlib.suppress(ValueError, SystemExit):
            known[name] = counted(name)
            print(f"{name:<24} {known[name]:>16,}", flush=True)
    (HERE / "macs.json").write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
