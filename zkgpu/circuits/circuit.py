"""Circuit: constraints written as ordinary Python arithmetic over wires and arrays of wires."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

from zkgpu.circuits.builder import Builder, Shape, is_single
from zkgpu.circuits.compiled import CompiledCircuit, compile_circuit
from zkgpu.circuits.free_choice import refuse_free_hints, touched_wires
from zkgpu.circuits.program import HintFunction, Template
from zkgpu.circuits.public_arrays import public_array_of, publish
from zkgpu.circuits.signals import Kind
from zkgpu.circuits.wires import Operand, Wires, as_wires, constant, holds_wires
from zkgpu.curves import DEFAULT
from zkgpu.errors import UsageError
from zkgpu.fields.field import Field, integer

Build: TypeAlias = "Callable[[Circuit, Wires], Wires]"


class Circuit:
    """A circuit being written.

    Examples:
        >>> circuit = Circuit()
        >>> x, y = circuit.private("x"), circuit.public("y")
        >>> circuit.assert_equal(x**3 + x + 5, y, label="cubic")
        >>> compiled = circuit.compile()
        >>> compiled
        <compiled circuit of y, x: 2 constraints>
        >>> assignment = compiled.witness({"x": 3, "y": 35})
        >>> compiled.witness({"x": 3, "y": 36})
        Traceback (most recent call last):
        zkgpu.errors.UnsatisfiedError: constraint 1 'cubic': A * B is not C

    Args:
        field: the scalar field of the curve that will prove it
        builder: the machine that keeps what is written, for gadgets that need more than this class has
    """

    def __init__(self, field: Field | None = None, *, builder: Builder | None = None) -> None:
        self.builder = builder or Builder(field or DEFAULT.scalar_field)

    @classmethod
    def of(cls, *operands: Operand, gadget: str = "a gadget") -> Circuit:
        """The circuit of the wires among these operands: what a gadget writes its constraints to.

        Args:
            gadget: what messages call the caller

        Raises UsageError when none of them is a wire.
        """
        builder = next((x.builder for x in operands if isinstance(x, Wires)), None)
        if builder is None and any(map(holds_wires, operands)):
            raise UsageError(f"{gadget} works on arrays of wires, and was given a list: zkgpu.circuits.stack makes one")
        if builder is None:
            raise UsageError(
                f"{gadget} works on wires, and was given {' and '.join(type(x).__name__ for x in operands)}: "
                "compute with what is known now in Python, or make it a wire with circuit.constant"
            )
        return cls(builder=builder)

    @property
    def field(self) -> Field:
        """The scalar field that its values are in."""
        return self.builder.field

    def __repr__(self) -> str:
        return f"<Circuit, {self.builder.n_constraints:,} constraints, {self.builder.n_wires:,} wires so far>"

    # inputs and outputs

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
        self._define(out, value, self.builder.scope_name(name))
        return out

    def public_array(
        self, name: str, shape: int | Shape = (), *, bits: int | None = None, interval: tuple[int, int] | None = None
    ) -> Wires:
        """Public integers that cost no public input each: they reach the verifier packed, and the circuit as wires.

        Args:
            bits: their width when they are not negative, or
            interval: (low, high), both included

        One constraint an entry. The verifier refuses values outside the interval, so it holds without a range check.
        """
        wires = self._declare(name, "packed", shape)
        array = public_array_of(name, wires.shape, bits, interval)
        publish(self.builder, array, wires.lc)
        if not array.is_signed:
            self.builder.widths.prove(wires.lc, array.high.bit_length())
        return wires

    def output_array(
        self, name: str, value: Operand, *, bits: int | None = None, interval: tuple[int, int] | None = None
    ) -> None:
        """Publishes computed integers as public_array does. They may not depend on a challenge."""
        value = self.wires(value)
        self.builder.require_new_name(name)
        publish(self.builder, public_array_of(name, value.shape, bits, interval), value.lc)

    def _declare(self, name: str, kind: Kind, shape: int | Shape) -> Wires:
        if not isinstance(name, str):
            raise UsageError(f"a signal's name is a string, not {name!r}")
        shape = _shape_of(shape, f"a length in the shape of signal '{name}'")
        return Wires(self.builder, shape, self.builder.declare(name, kind, shape))

    # values

    def constant(self, values: Operand) -> Wires:
        """Integers as wires: no wire and no constraint is made."""
        return constant(self.builder, values)

    def wires(self, value: Operand) -> Wires:
        """`value` itself when it is this circuit's, or its constant; lists of wires become an array."""
        return as_wires(self.builder, value)

    def materialize(self, value: Operand) -> Wires:
        """The same values, each a single wire: later sums over them stay short. One constraint an entry, or none."""
        wires = self.wires(value)
        if wires._pending is None and is_single(wires.lc):
            return wires
        out = Wires(self.builder, wires.shape, self.builder.new_wires(wires.size))
        self._define(out, wires, self.builder.scope_name())
        return out

    def _define(self, out: Wires, value: Wires, label: str) -> None:
        """Makes the new wires `out` equal to value, in the witness and by constraints."""
        product = value._pending
        if product is not None:
            self.builder.define_product(out.lc, product, value._factor, value._lc, label)
        else:
            self.builder.define_as(out.lc, value.lc, label)

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

        Args:
            function: takes one array of Python integers in [0, modulus) for each input, in the input's shape, and
                returns integers of the given shape; it must not fail on values the constraints will refuse
            signed: give it the integers nearest zero instead, as int64 when those of an input all have 62 bits at most
            forgiving: where `function` does refuse values, for a better message, the same without refusing any

        The prover may put any value here: the caller adds the constraints that leave only one.
        """
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        given = [(value.lc, value.shape) for value in map(self.wires, inputs)]
        name = str(label or getattr(function, "__name__", "hint"))
        return Wires(
            self.builder, shape, self.builder.hint(function, given, shape, name, signed=signed, forgiving=forgiving)
        )

    # assertions

    def assert_equal(self, left: Operand, right: Operand, label: str | None = None) -> None:
        """Constrains left = right, entry by entry. Raises UsageError unless the shapes are equal."""
        left, right = self._same_shape(left, right)
        if left._pending is None:
            left, right = right, left
        product, name = left._pending, self.builder.scope_name(label)
        if product is not None:
            self.builder.constrain_product(product, left._factor, left._lc, right.lc, name)
        elif left.is_constant and right.is_constant:
            self._compare_constants(left, right, name)
        else:
            self.builder.constrain_equal(right.lc, left.lc, name)

    def assert_product(self, a: Operand, b: Operand, c: Operand, label: str | None = None) -> None:
        """Constrains a * b = c, entry by entry. Raises UsageError unless the shapes are equal."""
        a, b = self._same_shape(a, b)
        a, c = self._same_shape(a, c)
        self.builder.constrain(a.lc, b.lc, c.lc, self.builder.scope_name(label))

    def _same_shape(self, left: Operand, right: Operand) -> tuple[Wires, Wires]:
        left, right = self.wires(left), self.wires(right)
        if left.shape != right.shape:
            raise UsageError(
                f"an assertion compares shapes {left.shape} and {right.shape}: "
                "it never broadcasts, use broadcast_to if that is meant"
            )
        return left, right

    def _compare_constants(self, left: Wires, right: Wires, name: str) -> None:
        values = (self.builder.constant_values(side.lc) for side in (left, right))
        for x, y in zip(*values, strict=True):
            if x != y:
                which = f"assertion '{name}'" if name else "an assertion"
                raise UsageError(f"{which} can never hold: constant {y} is not {x}")

    def scope(self, name: str) -> AbstractContextManager[None]:
        """Puts `name/` before the labels of the constraints written inside."""
        return self.builder.scope(name)

    # commitment and challenges

    def commit(self, wires: Operand, label: str | None = None) -> None:
        """Has the prover commit to these values, all their wires, before it learns any challenge.

        They may not depend on a challenge: compile refuses that by the label.
        """
        self.builder.rounds.claim(self.wires(wires).lc, self.builder.scope_name(label) or "committed values")

    def challenge(self, name: str = "") -> Wires:
        """A uniform value that the prover cannot foresee: it comes from the commitment and all public values.

        The same name gives the same challenge; without a name it is a new one. Each is a public input of the proof.
        Whatever shares a constraint with it, or with a value computed from it, must be computed from a challenge
        itself, public or committed: compile refuses all else, which the prover could fit to the challenge. A hint that
        reads a challenge is for values the prover may choose after it.
        """
        return Wires(
            self.builder, (), self.builder.challenge(name or f"challenge {len(self.builder.rounds.challenges)}")
        )

    # gadgets traced once

    def instantiate(self, build: Build, inputs: Wires, label: str | None = None) -> Wires:
        """build(circuit, inputs) for each row of `inputs`, traced only the first time.

        Args:
            build: a gadget: from k wires to an array of wires; give the same function object to trace it once
            inputs: (..., k) wires

        Returns wires of shape (..., *result). Many instances at once are made, and evaluated, together.
        """
        *outer, k = inputs.shape
        template, lc = self._template(build, k), inputs.lc
        name = self.builder.scope_name(label or build.__name__)
        outputs = self.builder.instantiate(template, lc, math.prod(outer), name)
        return Wires(self.builder, (*outer, *template.shape), outputs)

    def _template(self, build: Build, k: int) -> Template:
        templates = self.builder.templates
        if (build, k) not in templates:
            templates[build, k] = self._trace(build, k)
        return templates[build, k]

    def _trace(self, build: Build, k: int) -> Template:
        inner = Builder(self.field, self.builder)
        result = build(Circuit(builder=inner), Wires(inner, (k,), inner.new_wires(k)))
        if inner.rounds.in_use:
            raise UsageError(
                f"'{build.__name__}' is instantiated and cannot commit or look up: do that for all its rows"
            )
        outputs, (a, b, c) = result.lc, inner.constraints()
        refuse_free_hints(inner.hints, touched_wires(inner.n_wires, a, b, c))
        return Template(k, inner.n_wires - 1 - k, a, b, c, outputs, result.shape, inner.steps)

    # result

    def compile(self) -> CompiledCircuit:
        """The circuit's R1CS and its witness program.

        Raises UsageError when a hint, or a whole private input, appears in no constraint, and when a value meets a
        challenge that could be chosen after it (circuits/free_choice.py); warns, by name, when only a part of a private
        input is in no constraint. A public input may appear in none: proof systems bind it all the same.
        """
        self.builder.finish()
        return compile_circuit(self.builder)


def _shape_of(shape: object, what: str) -> Shape:
    """Lengths from one, or from a sequence of them."""
    lengths = shape if isinstance(shape, tuple | list) else (shape,)
    found = tuple(integer(length, what) for length in lengths)
    if any(length < 0 for length in found):
        raise UsageError(f"{what} is {min(found)}: give lengths from 0 on")
    return found
