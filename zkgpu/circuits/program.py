"""The witness program: steps that fill in the values of wires, in the order a circuit was written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from zkgpu.circuits.combinations import LinearCombinations
from zkgpu.circuits.evaluation import Table, Values, evaluate, object_array
from zkgpu.errors import UsageError

HintFunction = Callable[..., object]


@dataclass(frozen=True)
class Arithmetic:
    """What every step needs to know of the field: its modulus and the circuit's coefficients as integers."""

    modulus: int
    table: Table

    def of(self, lc: LinearCombinations, values: Values) -> Values:
        """(rows, instances): the combinations' values, in [0, modulus)."""
        return evaluate(lc.indptr, lc.wires, lc.coefficients, self.table, values) % self.modulus


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

    def run(self, values: Values, arithmetic: Arithmetic) -> None: ...


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

    def run(self, values: Values, arithmetic: Arithmetic) -> None:
        values[self.first : self.first + self.value.rows] = arithmetic.of(self.value, values)


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

    def run(self, values: Values, arithmetic: Arithmetic) -> None:
        product = arithmetic.of(self.a, values) * arithmetic.of(self.b, values)
        if self.plus.wires.size:
            product = product + arithmetic.of(self.plus, values)
        values[self.first : self.first + self.a.rows] = product % arithmetic.modulus


@dataclass(frozen=True)
class Hint:
    """wires[first ...] = function(*inputs), called once for each instance; the constraints must pin the result."""

    function: HintFunction
    inputs: tuple[LinearCombinations, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    first: int
    shape: tuple[int, ...]
    label: str

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def reads(self) -> Sequence[LinearCombinations]:
        return self.inputs

    def run(self, values: Values, arithmetic: Arithmetic) -> None:
        inputs = [arithmetic.of(lc, values) for lc in self.inputs]
        for instance in range(values.shape[1]):
            arrays = [v[:, instance].reshape(s) for v, s in zip(inputs, self.input_shapes, strict=True)]
            result = self._as_integers(self.function(*arrays))
            values[self.first : self.first + result.size, instance] = result % arithmetic.modulus

    def _as_integers(self, result: object) -> Values:
        array = result if isinstance(result, np.ndarray) else np.array(result, dtype=object)
        if array.shape != self.shape:
            raise UsageError(f"hint '{self.label}' returned shape {array.shape} in place of {self.shape}")
        integers = [int(v) for v in array.ravel().tolist() if isinstance(v, int | np.integer)]
        if len(integers) != array.size:
            raise UsageError(f"hint '{self.label}' returned something that is not an integer")
        return object_array(integers)


@dataclass(frozen=True)
class Replay:
    """The steps of a template, for many instances at once: instance i fills `wires` wires from first + i * wires.

    inputs   (instances * template inputs) combinations, instance by instance
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

    def run(self, values: Values, arithmetic: Arithmetic) -> None:
        outer = values.shape[1]
        inputs = arithmetic.of(self.inputs, values).reshape(self.instances, -1, outer)
        n_inputs = inputs.shape[1]
        local = np.ones((1 + n_inputs + self.wires, self.instances * outer), dtype=object)
        local[1 : 1 + n_inputs] = inputs.swapaxes(0, 1).reshape(n_inputs, -1)
        for step in self.steps:
            step.run(local, arithmetic)
        made = local[1 + n_inputs :].reshape(self.wires, self.instances, outer)
        last = self.first + self.count
        values[self.first : last] = made.swapaxes(0, 1).reshape(-1, outer)
