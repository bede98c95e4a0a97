"""Sums of products by an equation (Einsum), as products of matrices, two operands at a time.

With the labels of two operands parted into those that both have and the result keeps, those that both have and it does
not, and those that one has, the product is one of a stack of matrices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import numpy as np

from zkgpu.records import dataclass
from zkgpu.zkml.expansion.writer import Writer
from zkgpu.zkml.graph import Array, Graph, Node, unsupported

_FIRST_OF_ELLIPSIS = 0x100  # labels of axes that have no letter


@dataclass(frozen=True)
class _Term:
    """An operand with a label for each axis.

    Attributes:
        array: the values of a constant; else the places of a tensor's entries in it
        name: of the tensor; '' for a constant
    """

    labels: str
    array: Array
    name: str

    def in_order(self, labels: Iterable[str]) -> Array:
        turned: Array = self.array.transpose([self.labels.index(label) for label in labels])
        return turned


def einsum(graph: Graph, node: Node, write: Writer) -> None:
    """Of any number of operands, with diagonals and ellipses."""
    terms, output = _read(graph, node)
    while len(terms) > 1:
        first, second, *rest = terms
        needed = {*output, *(label for term in rest for label in term.labels)}
        terms = [_product(write, first, second, needed), *rest]
    found = _summed(write, terms[0], output)
    write.moved(found.name, found.in_order(output), to=node.output)


def _read(graph: Graph, node: Node) -> tuple[list[_Term], str]:
    """The operands, without axes that are repeated for others or are one more time the same; and the result's labels.

    Raises FormatError for an equation that does not fit them.
    """
    equation, arrow, output = node.attributes["equation"].replace(" ", "").partition("->")
    labels, shapes = equation.split(","), [graph.shapes[name] for name in node.inputs]
    extra = [len(shape) - len(own.replace("...", "")) for own, shape in zip(labels, shapes, strict=True)]
    unnamed = "".join(chr(_FIRST_OF_ELLIPSIS + i) for i in range(max(extra)))
    labels = [own.replace("...", unnamed[len(unnamed) - n :]) for own, n in zip(labels, extra, strict=True)]
    if not arrow:
        once = sorted(label for label in {*"".join(labels)} - {*unnamed} if "".join(labels).count(label) == 1)
        output = "..." + "".join(once)
    output = output.replace("...", unnamed)
    sizes: dict[str, int] = {}
    for own, shape in zip(labels, shapes, strict=True):
        for label, n in zip(own, shape, strict=True):
            if min(n, sizes.get(label, n)) not in (1, max(n, sizes.get(label, n))):
                raise unsupported(node, f"its operands give an axis of its equation the lengths {sizes[label]} and {n}")
            sizes[label] = max(n, sizes.get(label, n))
    operands = zip(labels, node.inputs, strict=True)
    return [_term(graph, own, name, sizes) for own, name in operands], output


def _term(graph: Graph, labels: str, name: str, sizes: dict[str, int]) -> _Term:
    constant, shape = graph.constant(name), graph.shapes[name]
    array = np.arange(prod(shape)).reshape(shape) if constant is None else constant
    repeated = tuple(n == 1 < sizes[label] for label, n in zip(labels, shape, strict=True))
    array = array[tuple(0 if is_repeated else slice(None) for is_repeated in repeated)]
    labels = "".join(label for label, is_repeated in zip(labels, repeated, strict=True) if not is_repeated)
    distinct = "".join(dict.fromkeys(labels))
    diagonal = np.einsum(array, [distinct.index(label) for label in labels], list(range(len(distinct))))
    return _Term(distinct, diagonal, "" if constant is not None else name)


def _summed(write: Writer, term: _Term, keep: Iterable[str]) -> _Term:
    """Over the labels that are not kept."""
    kept = "".join(label for label in term.labels if label in keep)
    dropped = "".join(label for label in term.labels if label not in keep)
    if not dropped:
        return term
    array = term.in_order(kept + dropped).reshape(*(term.array.shape[term.labels.index(label)] for label in kept), -1)
    if not term.name:
        return _Term(kept, array.sum(axis=-1), "")
    name = write.sum(write.moved(term.name, array), (len(kept),), keepdims=0)
    return _computed(kept, array.shape[:-1], name)


def _computed(labels: str, shape: Sequence[int], name: str) -> _Term:
    return _Term(labels, np.arange(prod(shape)).reshape(shape), name)


def _product(write: Writer, a: _Term, b: _Term, needed: set[str]) -> _Term:
    """With the labels that are needed. A constant comes second."""
    a, b = _summed(write, a, needed | {*b.labels}), _summed(write, b, needed | {*a.labels})
    a, b = (a, b) if a.name else (b, a)
    both = [label for label in a.labels if label in b.labels]
    stacked, added = [x for x in both if x in needed], [x for x in both if x not in needed]
    rows, columns = ([x for x in one.labels if x not in both] for one in (a, b))
    labels = [*stacked, *rows, *columns]
    sizes = {label: n for one in (a, b) for label, n in zip(one.labels, one.array.shape, strict=True)}
    stacks, m, k, n = (prod(sizes[label] for label in some) for some in (stacked, rows, added, columns))
    first = a.in_order([*stacked, *rows, *added]).reshape(stacks, m, k)
    second = b.in_order([*stacked, *added, *columns]).reshape(stacks, k, n)
    result = "".join(labels)
    if not a.name:
        return _Term(result, (first @ second).reshape([sizes[label] for label in labels]), "")
    if not stacked:
        first, second = first[0], second[0]
    right = write.moved(b.name, second) if b.name else write.constant(second)
    name = write.add("MatMul" if added else "Mul", write.moved(a.name, first), right)
    return _computed(result, [sizes[label] for label in labels], name)
