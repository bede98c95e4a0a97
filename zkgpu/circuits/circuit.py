"""Circuit: constraints written as ordinary Python arithmetic over wires and arrays of wires."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from zkgpu.circuits.coefficients import ONE, ZERO, Coefficients, Ids
from zkgpu.circuits.combinations import LinearCombinations, add, compose, join_rows
from zkgpu.circuits.free_choice import refuse_free_hints, touched_wires
from zkgpu.circuits.program import Assign, Hint, HintFunction, Multiply, Replay, Step, Template
from zkgpu.circuits.public_arrays import public_array_of, publish
from zkgpu.circuits.rounds import Rounds
from zkgpu.circuits.signals import Kind, Signal
from zkgpu.circuits.widths import Widths
from zkgpu.circuits.wires import Operand, Product, Shape, Wires, holds_wires, stack
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UsageError
from zkgpu.fields.field import Field, integer

if TYPE_CHECKING:
    from zkgpu.circuits.compiled import CompiledCircuit

Build = Callable[["Circuit", Wires], Wires]

_MAX_WIRES = 2**31 - 1


class Circuit:
    """A circuit being written.

        c = Circuit()
        x, out = c.private("x"), c.public("out")
        c.assert_equal(x**3 + x + 5, out)
        compiled = c.compile()
        assignment = compiled.witness({"x": 3, "out": 35})

    field          the scalar field of the curve that will prove it
    coefficients   the table of field values that all its linear combinations share
    widths         which wires are already proven to be small
    rounds         what is committed to, and the challenges that come after
    """

    def __init__(self, field: Field = Fr) -> None:
        self.field = field
        self.coefficients = Coefficients(field.modulus)
        self.widths = Widths(self.coefficients)
        self.signals: dict[str, Signal] = {}
        self.hints: list[tuple[int, int, str]] = []
        self.steps: list[Step] = []
        self.labels: list[tuple[int, str]] = []
        self.n_wires = 1
        self.n_constraints = 0
        self.rounds = Rounds()
        self._a: list[LinearCombinations] = []
        self._b: list[LinearCombinations] = []
        self._c: list[LinearCombinations] = []
        self._scopes: list[str] = []
        self._templates: dict[tuple[Build, int], Template] = {}

    # signals

    def public(self, name: str, shape: int | Shape = ()) -> Wires:
        """A named input that the verifier sees: one wire, or an array of the given shape."""
        return self._declare(name, "public", shape)

    def private(self, name: str, shape: int | Shape = ()) -> Wires:
        """A named input that only the prover knows: one wire, or an array of the given shape."""
        return self._declare(name, "private", shape)

    def output(self, name: str, value: Operand) -> Wires:
        """Publishes a computed value: the witness computes it, the verifier sees it. One constraint an entry."""
        value = self.wires(value)
        out = self._declare(name, "output", value.shape)
        self._compute(out, value, self.path(name))
        return out

    def _declare(self, name: str, kind: Kind, shape: int | Shape) -> Wires:
        if not isinstance(name, str):
            raise UsageError(f"a signal's name is a string, not {name!r}")
        shape = _shape_of(shape, f"a length in the shape of signal '{name}'")
        self._require_new_name(name)
        wires = self._new_wires(shape)
        self.signals[name] = Signal(name, kind, shape, self.n_wires - wires.size)
        return wires

    def _require_new_name(self, name: str) -> None:
        if name in self.signals or any(array.name == name for array, _ in self.rounds.arrays):
            raise UsageError(f"the circuit already has a signal named '{name}'")

    # values

    def constant(self, values: Operand) -> Wires:
        """Integers as wires: no wire and no constraint is made."""
        ids = self.coefficients.intern_array(values)
        return Wires(self, ids.shape, LinearCombinations.of_constants(ids))

    def wires(self, value: Operand) -> Wires:
        """`value` itself when it is this circuit's, or its constant; lists of wires become an array."""
        if holds_wires(value):
            return stack([self.wires(part) for part in value])
        if not isinstance(value, Wires):
            return self.constant(value)
        if value.circuit is not self:
            raise UsageError("a wire of one circuit cannot be used in another")
        return value

    def constant_ids(self, value: Wires) -> Ids:
        """(size,) ids of a constant's values."""
        ids = np.full(value.size, ZERO, dtype=np.int32)
        ids[value.lc.lengths == 1] = value.lc.coefficients
        return ids

    def constant_values(self, value: Wires) -> list[int]:
        return [self.coefficients.values[i] for i in self.constant_ids(value)]

    def materialize(self, value: Operand) -> Wires:
        """The same values, each a single wire: later sums over them stay short. One constraint an entry, or none."""
        value = self.wires(value)
        if value._pending is None and self._is_single(value.lc):
            return value
        out = self._new_wires(value.shape)
        self._compute(out, value, self.path())
        return out

    def define(self, value: Wires) -> int:
        """A wire of its own for a single value, whatever wires it already has. One constraint."""
        out = self._new_wires(())
        self._compute(out, value, self.path("value"))
        return self._first(out)

    def _compute(self, out: Wires, value: Wires, label: str) -> None:
        """Makes the new wires `out` equal to value, in the witness and by constraints."""
        product = value._pending
        if product is not None:
            self._define_product(out.lc, product, value._factor, value._lc, label)
        elif out.size:
            self.steps.append(Assign(self._first(out), value.lc))
            self._constrain(value.lc, self._one(value.size), out.lc, label)

    def settle(self, product: Product, factor: int, plus: LinearCombinations) -> LinearCombinations:
        """factor * product + plus as linear combinations, with new wires unless the product already has some."""
        if product.value is not None:
            return add(plus, product.value.scale(self._repeat(factor, plus.rows), self.coefficients), self.coefficients)
        out = self._new_wires((plus.rows,))
        self._define_product(out.lc, product, factor, plus, product.label)
        return out.lc

    def _define_product(
        self, out: LinearCombinations, product: Product, factor: int, plus: LinearCombinations, label: str
    ) -> None:
        """Makes the new wires `out` equal to factor * product + plus."""
        if out.rows:
            a = product.a.scale(self._repeat(factor, plus.rows), self.coefficients)
            self.steps.append(Multiply(int(out.wires[0]), a, product.b, plus))
        self._constrain_product(product, factor, plus, out, label)

    def _constrain_product(
        self, product: Product, factor: int, plus: LinearCombinations, total: LinearCombinations, label: str
    ) -> None:
        """factor * product + plus = total, as the constraint (factor * a) * b = total - plus."""
        rest = add(total, plus, self.coefficients, -1)
        scaled = product.a.scale(self._repeat(factor, plus.rows), self.coefficients)
        self._constrain(scaled, product.b, rest, label)
        product.value = rest.scale(self._repeat(pow(factor, -1, self.field.modulus), plus.rows), self.coefficients)

    def _repeat(self, value: int, times: int) -> Ids:
        return np.full(times, self.coefficients.intern(value), dtype=np.int32)

    # assertions

    def assert_equal(self, left: Operand, right: Operand, label: str | None = None) -> None:
        """Constrains left = right, entry by entry. Raises UsageError unless the shapes are equal."""
        left, right = self._same_shape(left, right)
        if left._pending is None:
            left, right = right, left
        product = left._pending
        if product is not None:
            self._constrain_product(product, left._factor, left._lc, right.lc, self.path(label))
        elif left.is_constant and right.is_constant:
            self._compare_constants(left, right, label)
        else:
            self._constrain(right.lc, self._one(left.size), left.lc, self.path(label))

    def assert_product(self, a: Operand, b: Operand, c: Operand, label: str | None = None) -> None:
        """Constrains a * b = c, entry by entry. Raises UsageError unless the shapes are equal."""
        a, b = self._same_shape(a, b)
        a, c = self._same_shape(a, c)
        self._constrain(a.lc, b.lc, c.lc, self.path(label))

    def _same_shape(self, left: Operand, right: Operand) -> tuple[Wires, Wires]:
        left, right = self.wires(left), self.wires(right)
        if left.shape != right.shape:
            raise UsageError(
                f"an assertion compares shapes {left.shape} and {right.shape}: "
                "it never broadcasts, use broadcast_to if that is meant"
            )
        return left, right

    def _compare_constants(self, left: Wires, right: Wires, label: str | None) -> None:
        for x, y in zip(self.constant_values(left), self.constant_values(right), strict=True):
            if x != y:
                raise UsageError(f"assertion '{self.path(label)}' can never hold: constant {y} is not {x}")

    def _constrain(self, a: LinearCombinations, b: LinearCombinations, c: LinearCombinations, label: str) -> None:
        self._a.append(a)
        self._b.append(b)
        self._c.append(c)
        if a.rows:
            self.labels.append((self.n_constraints, label))
        self.n_constraints += a.rows

    def constraints(self) -> tuple[LinearCombinations, LinearCombinations, LinearCombinations]:
        """The three sides of all constraints so far, one row a constraint."""
        return join_rows(self._a), join_rows(self._b), join_rows(self._c)

    # hints

    def hint(
        self,
        function: HintFunction,
        inputs: Sequence[Operand],
        shape: int | Shape = (),
        label: str | None = None,
        *,
        signed: bool = False,
        forgiving: HintFunction | None = None,
    ) -> Wires:
        """Wires whose values `function` computes outside of the field's arithmetic, and nothing constrains yet.

        function   takes one array of Python integers in [0, modulus) for each input, in the input's shape, and returns
                   integers of the given shape; it must not fail on values the constraints will refuse
        signed     give it the integers nearest zero instead, as int64 when those of an input all have 62 bits at most
        forgiving  where `function` does refuse values, for a better message, the same without refusing any
        The prover may put any value here: the caller adds the constraints that leave only one.
        """
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        given = [self.wires(value) for value in inputs]
        combinations = tuple(value.lc for value in given)
        out, name = self._new_wires(shape), self.path(label or getattr(function, "__name__", "hint"))
        shapes = tuple(value.shape for value in given)
        self.steps.append(Hint(function, combinations, shapes, self._first(out), shape, name, signed, forgiving))
        self.hints.append((self._first(out), out.size, name))
        return out

    # commitment and challenges

    def commit(self, wires: Operand, label: str | None = None) -> None:
        """Has the prover commit to these values, all their wires, before it learns any challenge.

        They may not depend on a challenge: compile refuses that by the label.
        """
        self.rounds.claim(self.wires(wires).lc, self.path(label) or "committed values")

    def challenge(self, name: str = "") -> Wires:
        """A uniform value that the prover cannot foresee: it comes from the commitment and all public values.

        The same name gives the same challenge; without a name it is a new one. Each is a public input of the proof.
        Whatever shares a constraint with it, or with a value computed from it, must be computed from a challenge
        itself, public or committed: compile refuses all else, which the prover could fit to the challenge. A hint that
        reads a challenge is for values the prover may choose after it.
        """
        name = name or f"challenge {len(self.rounds.challenges)}"
        if name not in self.rounds.challenges:
            self.rounds.add_challenge(name, self._first(self._new_wires(())))
        return Wires(self, (), LinearCombinations.of_wires(np.array([self.rounds.challenges[name]])))

    def collect(self, key: Hashable, item: Any, finish: Callable[[Circuit, list[Any]], None]) -> None:
        """Gathers items under a key. Once the whole circuit is written, finish(circuit, items) is called."""
        self.rounds.collect(key, item, lambda items: finish(self, items))

    def public_array(
        self, name: str, shape: int | Shape = (), *, bits: int | None = None, interval: tuple[int, int] | None = None
    ) -> Wires:
        """Public integers that cost no public input each: they reach the verifier packed, and the circuit as wires.

        bits       their width when they are not negative, or
        interval   (low, high), both included
        One constraint an entry. The verifier refuses values outside the interval, so it holds without a range check.
        """
        wires = self._declare(name, "packed", shape)
        array = public_array_of(name, wires.shape, bits, interval)
        publish(self, array, wires)
        if not array.is_signed:
            self.widths.prove(wires, array.high.bit_length())
        return wires

    def output_array(
        self, name: str, value: Operand, *, bits: int | None = None, interval: tuple[int, int] | None = None
    ) -> None:
        """Publishes computed integers as public_array does. They may not depend on a challenge."""
        value = self.wires(value)
        self._require_new_name(name)
        publish(self, public_array_of(name, value.shape, bits, interval), value)

    def finish(self) -> None:
        """Writes what waited for the whole circuit, and the mask of the commitment when there is one."""
        self.rounds.finish()
        if self.rounds.in_use and self.rounds.mask is None:
            mask = self.hint(lambda: 0, [], label="mask of the commitment")
            # a row of its own, so that the mask has a key: without one it would hide nothing
            self.assert_product(mask, 0, 0, label="mask of the commitment")
            self.rounds.mask = self._first(mask)

    # names

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Puts `name/` before the labels of the constraints written inside."""
        self._scopes.append(name)
        try:
            yield
        finally:
            self._scopes.pop()

    def path(self, label: str | None = None) -> str:
        """The current scope, with a label below it."""
        return "/".join([*self._scopes, label] if label else self._scopes)

    # templates

    def instantiate(self, build: Build, inputs: Wires, label: str | None = None) -> Wires:
        """build(circuit, inputs) for each row of `inputs`, traced only the first time.

        build    a gadget: from k wires to an array of wires; give the same function object to trace it once
        inputs   (..., k) wires
        Returns wires of shape (..., *result). Many instances at once are made, and evaluated, together.
        """
        *outer, k = inputs.shape
        template = self._template(build, k)
        count = math.prod(outer)
        own = self._new_wires((count * template.n_wires,))
        self.steps.append(Replay(template.steps, inputs.lc, count, self.n_wires - own.size, template.n_wires))
        columns = join_rows([self._one(1), inputs.lc, own.lc])
        a, b, c, outputs = (
            compose(template.repeated(lc, count), columns, self.coefficients)
            for lc in (template.a, template.b, template.c, template.outputs)
        )
        self._constrain_instances(a, b, c, count, self.path(label or build.__name__))
        return Wires(self, (*outer, *template.shape), outputs)

    def _constrain_instances(
        self, a: LinearCombinations, b: LinearCombinations, c: LinearCombinations, count: int, label: str
    ) -> None:
        first = self.n_constraints
        self._constrain(a, b, c, label)
        if count > 1:
            rows = a.rows // count
            self.labels[-1:] = [(first + i * rows, f"{label}[{i}]") for i in range(count)]

    def _template(self, build: Build, k: int) -> Template:
        if (build, k) not in self._templates:
            self._templates[build, k] = self._trace(build, k)
        return self._templates[build, k]

    def _trace(self, build: Build, k: int) -> Template:
        inner = Circuit(self.field)
        inner.coefficients, inner._templates = self.coefficients, self._templates
        inner.widths = Widths(self.coefficients)
        inputs = inner._new_wires((k,))
        result = build(inner, inputs)
        if inner.rounds.in_use:
            raise UsageError(
                f"'{build.__name__}' is instantiated and cannot commit or look up: do that for all its rows"
            )
        outputs = result.lc
        a, b, c = inner.constraints()
        refuse_free_hints(inner.hints, touched_wires(inner.n_wires, a, b, c))
        return Template(k, inner.n_wires - 1 - k, a, b, c, outputs, result.shape, inner.steps)

    # wires

    def _new_wires(self, shape: Shape) -> Wires:
        size = math.prod(shape)
        if self.n_wires + size > _MAX_WIRES:
            raise UsageError(f"the circuit would have more than {_MAX_WIRES} wires")
        wires = LinearCombinations.of_wires(np.arange(self.n_wires, self.n_wires + size))
        self.n_wires += size
        return Wires(self, shape, wires)

    def _first(self, wires: Wires) -> int:
        return int(wires.lc.wires[0]) if wires.size else self.n_wires

    def _one(self, size: int) -> LinearCombinations:
        return LinearCombinations.of_wires(np.zeros(size, dtype=np.int64))

    def _is_single(self, lc: LinearCombinations) -> bool:
        return bool((lc.lengths == 1).all() and (lc.coefficients == ONE).all() and lc.wires.all())

    # result

    def compile(self) -> CompiledCircuit:
        """The circuit's R1CS and its witness program.

        Raises UsageError when a hint, or a whole private input, appears in no constraint, and when a value meets a
        challenge that could be chosen after it (circuits/free_choice.py); warns, by name, when only a part of a private
        input is in no constraint. A public input may appear in none: proof systems bind it all the same.
        """
        from zkgpu.circuits.compiled import compile_circuit

        self.finish()
        return compile_circuit(self)


def _shape_of(shape: object, what: str) -> Shape:
    """Lengths from one, or from a sequence of them."""
    lengths = shape if isinstance(shape, tuple | list) else (shape,)
    found = tuple(integer(length, what) for length in lengths)
    if any(length < 0 for length in found):
        raise UsageError(f"{what} is {min(found)}: give lengths from 0 on")
    return found
