"""Gemm that is no layer with weights on the right: alpha A B + beta C of any matrices, as a product and a sum."""

from __future__ import annotations

from dataclasses import field

import numpy as np

from zkgpu.records import dataclass
from zkgpu.zkml.graph import Array, Graph, Node, Shape
from zkgpu.zkml.restated import is_of_tensors


def with_gemms_of_tensors(graph: Graph) -> Graph:
    """The graph in which every Gemm has weights on the right, and a C that is a constant or added as it is."""
    made = {
        id(node): _parts(graph, node) for node in graph.nodes if node.operator == "Gemm" and is_of_tensors(graph, node)
    }
    nodes = [new for node in graph.nodes for new in (made[id(node)].nodes if id(node) in made else [node])]
    arrays = {name: array for parts in made.values() for name, array in parts.arrays.items()}
    return graph.with_nodes(nodes, arrays, {name: s for parts in made.values() for name, s in parts.shapes.items()})


@dataclass(eq=False)
class _Parts:
    """What stands for one Gemm."""

    graph: Graph
    gemm: Node
    nodes: list[Node] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def constant(self, name: str) -> Array | None:
        return self.arrays[name] if name in self.arrays else self.graph.constant(name)

    def add(self, operator: str, inputs: tuple[str, ...], to: str, shape: Shape, **attributes: object) -> str:
        self.nodes.append(Node(self.gemm.name, operator, inputs, (to,), attributes))
        self.shapes[to] = shape
        return to

    def turned(self, name: str, key: str) -> str:
        """A factor as it is multiplied: transposed where the node says so."""
        if not self.gemm.attributes.get(key, 0):
            return name
        turned, value = f"{self.gemm.output}.{key}", self.constant(name)
        if value is None:
            return self.add("Transpose", (name,), turned, self.graph.shapes[name][::-1], perm=(1, 0))
        self.arrays[turned] = value.T
        return turned

    def product(self, a: str, b: str) -> str:
        left, right, out = self.constant(a), self.constant(b), f"{self.gemm.output}.product"
        if left is None or right is None:
            return self.add("MatMul", (a, b), out, self.graph.shapes[self.gemm.output])
        self.arrays[out] = left @ right
        return out

    def times(self, name: str, key: str) -> str:
        """A term times alpha or beta."""
        factor, value = self.gemm.attributes.get(key, 1.0), self.constant(name)
        if factor == 1:
            return name
        scaled = f"{self.gemm.output}.{key}"
        if value is None:
            self.arrays[f"{scaled}.factor"] = np.array(factor)
            return self.add("Mul", (name, f"{scaled}.factor"), scaled, {**self.graph.shapes, **self.shapes}[name])
        self.arrays[scaled] = value * np.array(factor, dtype=value.dtype)
        return scaled


def _parts(graph: Graph, node: Node) -> _Parts:
    """Without the factors that are 1."""
    parts, (a, b, *c), shape = _Parts(graph, node), node.inputs, graph.shapes[node.output]
    product = parts.times(parts.product(parts.turned(a, "transA"), parts.turned(b, "transB")), "alpha")
    if any(c):
        parts.add("Add", (product, parts.times(c[0], "beta")), node.output, shape)
    else:
        parts.add("Reshape", (product, ""), node.output, shape)
    return parts
