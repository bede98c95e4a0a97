"""The witness program: steps that fill in the values of wires, in the order a circuit was written.

A gadget that is traced once and instantiated often is a Template; Replay runs its steps for all instances.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.combinations import LinearCombinations
from zkgpu.circuits.numbers import Numbers, object_array, ones
from zkgpu.circuits.sums import Rows, Table, combine
from zkgpu.errors import UsageError, ZkgpuError
from zkgpu.fields.sparse import blocks
from zkgpu.jit.threads import parallel
from zkgpu.records import dataclass

_TOGETHER = 1 << 16  # products that a thread makes at a time
HintFunction = Callable[..., object]
Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class Arithmetic:
    """What every step needs of the field: its modulus and the circuit's coefficients as integers."""

    modulus: int
    table: Table

    def of(self, lc: LinearCombinations, values: Numbers) -> Numbers:
        """(rows, instances): the combinations' values."""
        return combine(Rows(lc.indptr, lc.wires, lc.coefficients), self.table, values)


class Step(Protocol):
    """Computes wires first .. first + count - 1 from earlier ones.

    values has shape (n_wires, instances) and is filled in place.
    """

    @property
    def first(self) -> int: ...

    @property
    def count(self) -> int: ...

    @property
    def reads(self) -> Sequence[LinearCombinations]: ...

    def run(self, values: Numbers, arithmetic: Arithmetic) -> None: ...

    def mark(self, marks: Marks) -> None:
        """Marks, in place, those of its wires that are computed from a marked one. (n_wires, instances) bool."""
        ...


def marked_rows(lc: LinearCombinations, marks: Marks) -> Marks:
    """(rows, instances): whether a combination has a marked wire."""
    out = np.zeros((lc.rows, marks.shape[1]), dtype=bool)
    for begin, end in blocks(lc.indptr):
        part = lc.part(begin, end)
        counts = np.zeros((part.wires.size + 1, marks.shape[1]), dtype=np.int64)
        np.cumsum(marks[part.wires], axis=0, out=counts[1:])
        out[begin:end] = counts[part.indptr[1:]] > counts[part.indptr[:-1]]
    return out


@dataclass(frozen=True)
class Assign:
    """wires[first + i] = value[i]."""

    first: int
    value: LinearCombinations

    @property
    def count(self) -> int:
        return self.value.rows

    @property
    def reads(self) -> Sequence[LinearCombinations]:
        return (self.value,)

    def run(self, values: Numbers, arithmetic: Arithmetic) -> None:
        values.put(slice(self.first, self.first + self.value.rows), arithmetic.of(self.value, values))

    def mark(self, marks: Marks) -> None:
        marks[self.first : self.first + self.count] = marked_rows(self.value, marks)


@dataclass(frozen=True)
class Multiply:
    """wires[first + i] = a[i] * b[i] + plus[i]."""

    first: int
    a: LinearCombinations
    b: LinearCombinations
    plus: LinearCombinations

    @property
    def count(self) -> int:
        return self.a.rows

    @property
    def reads(self) -> Sequence[LinearCombinations]:
        return self.a, self.b, self.plus

    def run(self, values: Numbers, arithmetic: Arithmetic) -> None:
        most = max(1, _TOGETHER // values.small.shape[1])
        rows = [(begin, min(begin + most, self.a.rows)) for begin in range(0, self.a.rows, most)]
        made = parallel(partial(self._products, values, arithmetic, *part) for part in rows)
        for (begin, end), products in zip(rows, made, strict=True):
            values.put(slice(self.first + begin, self.first + end), products)

    def _products(self, values: Numbers, arithmetic: Arithmetic, begin: int, end: int) -> Numbers:
        """Those of some of its rows, as one thread makes them."""
        a, b, plus = (arithmetic.of(lc.part(begin, end), values) for lc in (self.a, self.b, self.plus))
        return a.times_plus(b, plus)

    def mark(self, marks: Marks) -> None:
        a, b, plus = (marked_rows(lc, marks) for lc in (self.a, self.b, self.plus))
        marks[self.first : self.first + self.count] = a | b | plus


@dataclass(frozen=True)
class Hint:
    """wires[first ...] = function(*inputs), called once for each instance; the constraints must pin the result.

    Attributes:
        signed: give the function the integers nearest zero, in int64 where all of an input's are small
        forgiving: what replaces a function that refuses values which the constraints refuse anyhow: by it, wrong
            witnesses get as far as the constraints. Only the multiplicities of a lookup have one
    """

    function: HintFunction
    inputs: tuple[LinearCombinations, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    first: int
    shape: tuple[int, ...]
    label: str
    signed: bool = False
    forgiving: HintFunction | None = None

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def reads(self) -> Sequence[LinearCombinations]:
        return self.inputs

    def run(self, values: Numbers, arithmetic: Arithmetic) -> None:
        inputs = [arithmetic.of(lc, values) for lc in self.inputs]
        for instance in range(values.small.shape[1]):
            own = (v.take((slice(None), instance)) for v in inputs)
            arrays = [v.integers() if self.signed else v.elements() for v in own]
            shaped = [v.reshape(shape) for v, shape in zip(arrays, self.input_shapes, strict=True)]
            result = Numbers.of(self._as_integers(self._call(shaped)), arithmetic.modulus)
            values.put((slice(self.first, self.first + self.count), instance), result)

    def mark(self, marks: Marks) -> None:
        for lc in self.inputs:
            marks[self.first : self.first + self.count] |= marks[lc.wires].any(axis=0)

    def _call(self, inputs: Sequence[NDArray[Any]]) -> object:
        """What the function returns. Whatever it raises of its own may quote a value, and becomes a UsageError."""
        try:
            return self.function(*inputs)
        except (ZkgpuError, MemoryError):
            raise
        except Exception as error:
            code = traceback.extract_tb(error.__traceback__)[-1]
            kind, where = type(error).__name__, f"{Path(code.filename).name}, line {code.lineno}"
            raise UsageError(f"hint '{self.label}' failed ({kind} in {where})", values=str(error)) from None

    def _as_integers(self, result: object) -> NDArray[Any]:
        array = result if isinstance(result, np.ndarray) else np.array(result, dtype=object)
        if array.shape != self.shape:
            raise UsageError(f"hint '{self.label}' returned shape {array.shape} in place of {self.shape}")
        if array.dtype.kind in "biu":
            return array.ravel()
        kinds = set(map(type, array.flat))
        if not all(issubclass(kind, int | np.integer | np.bool_) for kind in kinds):
            raise UsageError(f"hint '{self.label}' returned something that is not an integer")
        return array.ravel() if kinds <= {int} else object_array(map(int, array.flat))


@dataclass(frozen=True)
class Replay:
    """The steps of a template, for many instances at once: instance i fills `wires` wires from first + i * wires.

    Attributes:
        inputs: (instances * template inputs) combinations, instance by instance
    """

    steps: Sequence[Step]
    inputs: LinearCombinations
    instances: int
    first: int
    wires: int

    @property
    def count(self) -> int:
        return self.instances * self.wires

    @property
    def reads(self) -> Sequence[LinearCombinations]:
        return (self.inputs,)

    def run(self, values: Numbers, arithmetic: Arithmetic) -> None:
        outer = values.small.shape[1]
        inputs = arithmetic.of(self.inputs, values).reshape(self.instances, -1, outer)
        n_inputs = inputs.small.shape[1]
        local = ones((1 + n_inputs + self.wires, self.instances * outer), arithmetic.modulus)
        local.put(slice(1, 1 + n_inputs), inputs.swapaxes(0, 1).reshape(n_inputs, -1))
        for step in self.steps:
            step.run(local, arithmetic)
        made = local.take(slice(1 + n_inputs, None)).reshape(self.wires, self.instances, outer)
        values.put(slice(self.first, self.first + self.count), made.swapaxes(0, 1).reshape(-1, outer))

    def mark(self, marks: Marks) -> None:
        """Instance by instance, and within one wire by wire; instances with the same marked inputs only once."""
        given = marked_rows(self.inputs, marks)
        if not given.any():
            return
        outer = marks.shape[1]
        inputs = given.reshape(self.instances, -1, outer).swapaxes(0, 1)
        patterns, which = np.unique(inputs.reshape(len(inputs), -1), axis=1, return_inverse=True)
        local = np.zeros((1 + len(inputs) + self.wires, patterns.shape[1]), dtype=bool)
        local[1 : 1 + len(inputs)] = patterns
        for step in self.steps:
            step.mark(local)
        made = local[1 + len(inputs) :, which.ravel()].reshape(self.wires, self.instances, outer)
        marks[self.first : self.first + self.count] = made.swapaxes(0, 1).reshape(-1, outer)


def combinations_in(steps: Sequence[Step]) -> Iterator[LinearCombinations]:
    """All that the steps compute, those of templates among them."""
    for step in steps:
        yield from step.reads
        if isinstance(step, Replay):
            yield from combinations_in(step.steps)


@dataclass(frozen=True)
class Template:
    """Constraints over local wires: 0 is the constant one, then the inputs, then the template's own wires.

    Attributes:
        n_inputs: number of inputs
        n_wires: number of own wires
        a, b, c: the constraints
        outputs: the results, as combinations of local wires
        shape: the results' shape
        steps: the part of the witness program that fills the own wires
    """

    n_inputs: int
    n_wires: int
    a: LinearCombinations
    b: LinearCombinations
    c: LinearCombinations
    outputs: LinearCombinations
    shape: tuple[int, ...]
    steps: Sequence[Step]

    def repeated(self, lc: LinearCombinations, count: int) -> LinearCombinations:
        """`count` copies of some rows, as columns of (the one, all instances' inputs, all instances' own wires)."""
        instance = np.repeat(np.arange(count), lc.wires.size)
        wires = np.tile(lc.wires, count)
        own = wires + (count - 1) * self.n_inputs + instance * self.n_wires
        columns = np.where(wires > self.n_inputs, own, np.where(wires > 0, wires + instance * self.n_inputs, 0))
        starts = np.concatenate([[0], np.cumsum(np.tile(lc.lengths, count))])
        return LinearCombinations(starts, columns.astype(np.int32), np.tile(lc.coefficients, count))
