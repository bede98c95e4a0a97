"""Writes nodes of ONNX, in forms that mean the same in every opset from 7 on, or in that of the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zkgpu.zkml.graph import Array, Graph, Node, Shape, unsupported
from zkgpu.zkml.onnx_model import import_onnx

MOST_NODES = 1 << 16  # that a model may become
_AXES_ARE_AN_INPUT = {"ReduceMean": 18, "ReduceSum": 13, "Unsqueeze": 13}  # from these opsets on
_ENDS_ARE_INPUTS = 11  # of a Clip


class Writer:
    """What stands for one node: nodes, and the constants that they read.

    Args:
        taken: names of the model's tensors, to which those of new ones are added
        room: for so many nodes

    Attributes:
        nodes: of onnx.NodeProto, in an order in which they can run
        tensors: of onnx.TensorProto
        alike: see `Graph.alike`
        sequences: the tensors that each sequence holds, of all sequences of the model that are known
    """

    def __init__(
        self, graph: Graph, node: Node, taken: set[str], sequences: dict[str, tuple[str, ...]], room: int = MOST_NODES
    ) -> None:
        self._onnx, self._node, self._taken, self._room = import_onnx(), node, taken, room
        self._kind = graph.types.get(node.inputs[0] if node.inputs else "", np.dtype(np.float32))
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self.sequences = sequences
        self.alike: dict[str, str] = {}

    def name(self, hint: str) -> str:
        """A name like this one, which no tensor of the model has."""
        wanted = base = f"{self._node.name}.{hint}"
        while wanted in self._taken:
            wanted = f"{base}.{len(self._taken)}"
        self._taken.add(wanted)
        return wanted

    def add(self, operator: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """Writes a node; the name of its output."""
        out = to or self.name(operator)
        self.append(self._onnx.helper.make_node(operator, inputs, [out], name=out, **attributes))
        return out

    def append(self, proto: Any) -> None:
        """Writes a node that is made already. Raises FormatError, naming the one it stands for, for one too many."""
        self.nodes.append(proto)
        self.require_room(len(self.nodes))

    def require_room(self, count: int) -> None:
        """Raises FormatError for more nodes than there may be."""
        if count > self._room:
            raise unsupported(self._node, f"written out the model has more than {MOST_NODES} nodes")

    def constant(self, value: Any) -> str:
        """Floats are given the type of what the node reads first."""
        array = np.asarray(value)
        array = array.astype(self._kind) if array.dtype.kind == "f" and self._kind.kind not in "iub" else array
        name = self.name("constant")
        self.tensors.append(self._onnx.numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    # operators in one form

    def reshape(self, x: str, shape: Sequence[int], to: str = "") -> str:
        return self.add("Reshape", x, self.constant(np.array(shape, dtype=np.int64)), to=to)

    def gather(self, x: str, places: Any, axis: int, to: str = "") -> str:
        """The entries along an axis that are at these places, in place of the axis."""
        return self.add("Gather", x, self.constant(np.asarray(places, dtype=np.int64)), axis=axis, to=to)

    def moved(self, x: str, places: Array, to: str = "") -> str:
        """The entries at places in a tensor that is laid end to end, in the shape of the places."""
        return self.gather(self.reshape(x, (-1,)), places, 0, to=to)

    def unsqueeze(self, x: str, axis: int) -> str:
        return self._along("Unsqueeze", x, axis)

    def mean(self, x: str, axes: Sequence[int], to: str = "") -> str:
        return self._along("ReduceMean", x, *axes, to=to)

    def sum(self, x: str, axes: Sequence[int], keepdims: int = 1) -> str:
        return self._along("ReduceSum", x, *axes, keepdims=keepdims)

    def _along(self, operator: str, x: str, *axes: int, to: str = "", **attributes: Any) -> str:
        if self._node.opset < _AXES_ARE_AN_INPUT[operator]:
            return self.add(operator, x, axes=axes, to=to, **attributes)
        return self.add(operator, x, self.constant(np.array(axes, dtype=np.int64)), to=to, **attributes)

    def clip(self, x: str, reach: float) -> str:
        if self._node.opset < _ENDS_ARE_INPUTS:
            return self.add("Clip", x, min=-reach, max=reach)
        return self.add("Clip", x, self.constant(-reach), self.constant(reach))

    def dense(self, x: str, weight: Array, bias: Array | None = None) -> str:
        """x @ weight + bias for rows x."""
        product = self.add("MatMul", x, self.constant(weight))
        return product if bias is None or not bias.any() else self.add("Add", product, self.constant(bias))


def integers(value: Array | None, shape: Shape, default: int) -> Array:
    """A constant input of integers that may be absent."""
    return np.full(shape, default, dtype=np.int64) if value is None else value.astype(np.int64).reshape(shape)
