"""Builder: the machine behind a Circuit, which works on linear combinations and not on arrays of wires.

It hands out wires, and keeps what is written about them: constraints with labels, the steps of the witness program, the
widths that are proven, what is committed to. Authors have Circuit; gadgets reach this one as `circuit.builder`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

from zkgpu.circuits.coefficients import ONE, ZERO, Coefficients, Ids
from zkgpu.circuits.combinations import LinearCombinations, add, compose, join_rows, join_taking
from zkgpu.circuits.program import Assign, Hint, HintFunction, Multiply, Replay, Step, Template
from zkgpu.circuits.rounds import Rounds
from zkgpu.circuits.signals import Kind, Signal
from zkgpu.circuits.widths import Widths
from zkgpu.errors import UsageError
from zkgpu.fields.field import Field

Shape: TypeAlias = tuple[int, ...]
Sides: TypeAlias = tuple[LinearCombinations, LinearCombinations, LinearCombinations]

_MAX_WIRES = 2**31 - 1


class Product:
    """a * b entry by entry, of which wires are made only when a use needs them: an assertion needs none."""

    def __init__(self, a: LinearCombinations, b: LinearCombinations, label: str) -> None:
        self.a, self.b, self.label = a, b, label
        self.value: LinearCombinations | None = None


class Builder:
    """A circuit as it grows.

    Args:
        coefficients: the table of field values that all its linear combinations share
        widths: which wires are already proven to be small
        signals: named inputs and outputs
        steps, hints: the witness program so far, and (first wire, size, label) of its hints
        labels: (first row, label) of the constraints
        rounds: what is committed to, and the challenges that come after
        templates: gadgets traced once, by function and number of inputs

    Inside of a template, `outer` is the builder that it is for: coefficients and templates are shared.
    """

    def __init__(self, field: Field, outer: Builder | None = None) -> None:
        self.field = field
        self.coefficients: Coefficients = outer.coefficients if outer else Coefficients(field.modulus)
        self.widths = Widths(self.coefficients)
        self.signals: dict[str, Signal] = {}
        self.hints: list[tuple[int, int, str]] = []
        self.steps: list[Step] = []
        self.labels: list[tuple[int, str]] = []
        self.n_wires = 1
        self.n_constraints = 0
        self.rounds = Rounds()
        self.templates: dict[tuple[Callable[..., Any], int], Template] = outer.templates if outer else {}
        self._a: list[LinearCombinations] = []
        self._b: list[LinearCombinations] = []
        self._c: list[LinearCombinations] = []
        self._scopes: list[str] = []

    # wires

    def new_wires(self, size: int) -> LinearCombinations:
        """As many wires of their own. Raises UsageError when they would be too many."""
        if self.n_wires + size > _MAX_WIRES:
            raise UsageError(f"the circuit would have more than {_MAX_WIRES} wires")
        wires = LinearCombinations.of_wires(np.arange(self.n_wires, self.n_wires + size))
        self.n_wires += size
        return wires

    def declare(self, name: str, kind: Kind, shape: Shape) -> LinearCombinations:
        """The wires of a new signal. Raises UsageError for a name that is taken."""
        self.require_new_name(name)
        wires = self.new_wires(math.prod(shape))
        self.signals[name] = Signal(name, kind, shape, self.n_wires - wires.rows)
        return wires

    def require_new_name(self, name: str) -> None:
        if name in self.signals or any(array.name == name for array, _ in self.rounds.arrays):
            raise UsageError(f"the circuit already has a signal named '{name}'")

    # constants

    def constant_ids(self, lc: LinearCombinations) -> Ids:
        """(rows,) ids of constants' values."""
        ids = np.full(lc.rows, ZERO, dtype=np.int32)
        ids[lc.lengths == 1] = lc.coefficients
        return ids

    def constant_values(self, lc: LinearCombinations) -> list[int]:
        """The values of constants, in [0, modulus)."""
        return [self.coefficients.values[i] for i in self.constant_ids(lc)]

    def repeated(self, value: int, times: int) -> Ids:
        return np.full(times, self.coefficients.intern(value), dtype=np.int32)

    def _ones(self, size: int) -> LinearCombinations:
        return LinearCombinations.of_wires(np.zeros(size, dtype=np.int64))

    # constraints

    def constrain(self, a: LinearCombinations, b: LinearCombinations, c: LinearCombinations, label: str) -> None:
        """a * b = c, row by row."""
        self._a.append(a)
        self._b.append(b)
        self._c.append(c)
        if a.rows:
            self.labels.append((self.n_constraints, label))
        self.n_constraints += a.rows

    def name_last(self, names: Iterable[tuple[str, int]]) -> None:
        """Instead of the label of the last call of `constrain`: names, and how many of its rows have each, in order."""
        first, _ = self.labels.pop()
        for name, rows in names:
            if rows:
                self.labels.append((first, name))
            first += rows

    def constrain_equal(self, left: LinearCombinations, right: LinearCombinations, label: str) -> None:
        """left * 1 = right."""
        self.constrain(left, self._ones(left.rows), right, label)

    def constrain_product(
        self, product: Product, factor: int, plus: LinearCombinations, total: LinearCombinations, label: str
    ) -> None:
        """factor * product + plus = total, as the constraint (factor * a) * b = total - plus."""
        rest = add(total, plus, self.coefficients, -1)
        scaled = product.a.scale(self.repeated(factor, plus.rows), self.coefficients)
        self.constrain(scaled, product.b, rest, label)
        inverse = pow(factor, -1, self.field.modulus)
        product.value = rest.scale(self.repeated(inverse, plus.rows), self.coefficients)

    def constraints(self) -> Sides:
        """The three sides of all constraints so far, one row a constraint."""
        for parts in (self._a, self._b, self._c):  # one by one, and part by part
            if len(parts) != 1:
                parts[:] = [join_taking(parts)]
        return self._a[0], self._b[0], self._c[0]

    # wires that are computed

    def define(self, value: LinearCombinations, label: str) -> LinearCombinations:
        """New wires equal to `value`, in the witness and by one constraint each."""
        out = self.new_wires(value.rows)
        self.define_as(out, value, label)
        return out

    def define_as(self, out: LinearCombinations, value: LinearCombinations, label: str) -> None:
        """As define, for wires that are there and have no value yet."""
        if out.rows:
            self.steps.append(Assign(int(out.wires[0]), value))
            self.constrain_equal(value, out, label)

    def define_product(
        self, out: LinearCombinations, product: Product, factor: int, plus: LinearCombinations, label: str
    ) -> None:
        """Makes the new wires `out` equal to factor * product + plus."""
        if out.rows:
            a = product.a.scale(self.repeated(factor, plus.rows), self.coefficients)
            self.steps.append(Multiply(int(out.wires[0]), a, product.b, plus))
        self.constrain_product(product, factor, plus, out, label)

    def settle(self, product: Product, factor: int, plus: LinearCombinations) -> LinearCombinations:
        """factor * product + plus as linear combinations, with new wires unless the product already has some."""
        if product.value is not None:
            scaled = product.value.scale(self.repeated(factor, plus.rows), self.coefficients)
            return add(plus, scaled, self.coefficients)
        out = self.new_wires(plus.rows)
        self.define_product(out, product, factor, plus, product.label)
        return out

    def hint(
        self,
        function: HintFunction,
        inputs: Sequence[tuple[LinearCombinations, Shape]],
        shape: Shape,
        label: str,
        *,
        signed: bool = False,
        forgiving: HintFunction | None = None,
    ) -> LinearCombinations:
        """Wires that `function` computes and nothing constrains yet: see Circuit.hint."""
        out, name = self.new_wires(math.prod(shape)), self.scope_name(label)
        first = self.n_wires - out.rows
        combinations, shapes = tuple(lc for lc, _ in inputs), tuple(shape for _, shape in inputs)
        self.steps.append(Hint(function, combinations, shapes, first, shape, name, signed, forgiving))
        self.hints.append((first, out.rows, name))
        return out

    # names

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """See Circuit.scope."""
        self._scopes.append(name)
        try:
            yield
        finally:
            self._scopes.pop()

    def scope_name(self, label: str | None = None) -> str:
        """The current scope, with a label below it."""
        return "/".join([*self._scopes, label] if label else self._scopes)

    # commitment and challenges

    def challenge(self, name: str) -> LinearCombinations:
        """The wire of a challenge; the same name gives the same one."""
        if name not in self.rounds.challenges:
            self.rounds.add_challenge(name, int(self.new_wires(1).wires[0]))
        return LinearCombinations.of_wires(np.array([self.rounds.challenges[name]]))

    def finish(self) -> None:
        """Writes what waited for the whole circuit, and the mask of the commitment when there is one."""
        self.rounds.finish()
        if self.rounds.in_use and self.rounds.mask is None:
            label, zero = "mask of the commitment", LinearCombinations.of_constants(np.array([ZERO], dtype=np.int32))
            mask = self.hint(lambda: 0, [], (), label)
            # a row of its own, so that the mask has a key: without one it would hide nothing
            self.constrain(mask, zero, zero, self.scope_name(label))
            self.rounds.mask = int(mask.wires[0])

    # templates

    def instantiate(self, template: Template, inputs: LinearCombinations, count: int, label: str) -> LinearCombinations:
        """The results of `count` instances of a template, whose inputs follow each other."""
        own = self.new_wires(count * template.n_wires)
        self.steps.append(Replay(template.steps, inputs, count, self.n_wires - own.rows, template.n_wires))
        columns = join_rows([self._ones(1), inputs, own])
        a, b, c, outputs = (
            compose(template.repeated(lc, count), columns, self.coefficients)
            for lc in (template.a, template.b, template.c, template.outputs)
        )
        self.constrain(a, b, c, label)
        if count > 1 and a.rows:
            self.name_last((f"{label}[{i}]", a.rows // count) for i in range(count))
        return outputs


def is_single(lc: LinearCombinations) -> bool:
    """Whether each row is a wire, as it is."""
    return bool((lc.lengths == 1).all() and (lc.coefficients == ONE).all() and lc.wires.all())
