"""Provers of random models: does any of their lies show another output, and is the honest one the right one?"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.zkml import oracle
from tests.zkml.networks import all_inputs
from tests.zkml.random_models import Kind, random_inputs, random_model, with_other_weights
from zkgpu.errors import ZkgpuError
from zkgpu.testing import Draws, Finding, Forger, HintAttack, Spot
from zkgpu.zkml import semantics
from zkgpu.zkml.layers.network import build_circuit
from zkgpu.zkml.operations import (
    ArgMax,
    IntegerModel,
    Lookup,
    Normalize,
    Requantize,
    Rescale,
    RootMeanSquare,
    Rows,
    Softmax,
)
from zkgpu.zkml.visibility import Visibilities

WEIGHTS = ("public", "public", "public", "private", "private", "hashed")
LIES_A_MODEL = 240


@dataclass(frozen=True)
class Fault:
    """What a model did that it must not: its number, the operations, and what happened."""

    number: int
    model: IntegerModel
    weights: str
    inputs: Mapping[str, np.ndarray]
    what: str
    finding: Finding | None = None

    def __str__(self) -> str:
        operations = ", ".join(f"{type(op).__name__}({_brief(op)})" for op in self.model.operations)
        given = {name: value.tolist() for name, value in self.inputs.items()}
        return f"model {self.number}, {self.weights} weights, [{operations}] on {given}: {self.what}"


def _brief(operation: object) -> str:
    shown = {k: v for k, v in vars(operation).items() if isinstance(v, int)}
    return ", ".join(f"{k}={v}" for k, v in shown.items())


@dataclass
class Outcome:
    """What a run tried and found.

    refused   models that the ranges, or the layers, refuse: they prove nothing
    """

    tried: Counter[str] = field(default_factory=Counter)
    models: int = 0
    refused: int = 0
    faults: list[Fault] = field(default_factory=list)
    weak: list[Fault] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def second_outputs(self) -> list[Fault]:
        return [fault for fault in self.faults if fault.finding is not None]

    @property
    def wrong_outputs(self) -> list[Fault]:
        return [fault for fault in self.faults if fault.finding is None]

    def __str__(self) -> str:
        return (
            f"{self.tried.total():,} forged witnesses of {self.models:,} models ({self.refused:,} refused) in "
            f"{self.seconds:.0f} s: {len(self.second_outputs)} second outputs, {len(self.wrong_outputs)} wrong ones, "
            f"{len(self.weak)} wires that are not unique"
        )


def fuzz(
    seed: int,
    witnesses: int,
    *,
    until: Callable[[Fault], bool] | None = None,
    kinds: Sequence[Kind] = (),
) -> Outcome:
    """Tries so many forged witnesses, or until a fault is found that is looked for."""
    started, outcome, number = time.monotonic(), Outcome(), 0
    while outcome.tried.total() < witnesses:
        for fault in _of_one_model(seed, number, outcome, kinds):
            weak = fault.finding is not None and not fault.finding.is_second_output
            (outcome.weak if weak else outcome.faults).append(fault)
        number += 1
        if until and any(map(until, outcome.faults)):
            break
    outcome.seconds = time.monotonic() - started
    return outcome


def _of_one_model(seed: int, number: int, outcome: Outcome, kinds: Sequence[Kind]) -> Iterator[Fault]:
    draws = Draws(seed << 32 | number)
    model = random_model(draws, kinds)
    weights = draws.one_of(WEIGHTS) if model.n_weights else "public"
    inputs = random_inputs(draws, model)
    is_other = weights != "public" and bool(draws.below(2))
    proven = with_other_weights(draws, model) if is_other else model
    outcome.models += 1
    try:
        with np.errstate(all="ignore"):
            given = all_inputs(proven, inputs, weights)
            circuit = build_circuit(model, _visibilities(draws, model, weights)).compile()
    except ZkgpuError:
        outcome.refused += 1
        return
    try:
        forger = Forger(circuit, given)
    except ZkgpuError as error:
        if is_other:
            outcome.refused += 1
        else:
            yield Fault(number, model, weights, inputs, f"the honest prover fails: {error}")
        return
    wrong = _wrong_answer(proven, inputs, forger)
    if wrong:
        yield Fault(number, proven, weights, inputs, wrong)
        return
    attack = HintAttack(forger, draws, Plausible(model).lies)
    attack.run(LIES_A_MODEL)
    outcome.tried += attack.tried
    for finding in attack.findings.values():
        yield Fault(number, proven, weights, inputs, str(finding), finding)


def _wrong_answer(model: IntegerModel, inputs: Mapping[str, np.ndarray], forger: Forger) -> str:
    """What is wrong with the honest answer, or nothing."""
    (output,) = model.outputs
    wanted = oracle.evaluate(model, inputs)[output.name]
    if _differ(semantics.run(model, inputs)[output.name], wanted):
        return "semantics.run is not what operations.py says"
    shown = forger.compiled.r1cs.rounds[0].unpack(forger.packed)[output.name]
    if _differ(shown, wanted):
        return f"the honest prover shows {shown.tolist()} in place of {wanted.tolist()}"
    return ""


def _visibilities(draws: Draws, model: IntegerModel, weights: str) -> Visibilities:
    inputs = {tensor.name: draws.one_of(("public", "private")) for tensor in model.inputs}
    return Visibilities(weights=weights, inputs=inputs)


def _differ(found: np.ndarray, wanted: np.ndarray) -> bool:
    return oracle.exact(found).tolist() != wanted.tolist()


class Plausible:
    """The lies that suit each hint of a model's layers."""

    def __init__(self, model: IntegerModel) -> None:
        self._shifts = {op.layer: op.shift for op in model.operations if isinstance(op, (Requantize, Rescale, Softmax))}
        shifts = set(self._shifts.values())
        self._steps = sorted({1 << s for s in shifts | {model.limb, 2 * model.limb}} - {1})
        self._sizes = sorted({n for op in model.operations if isinstance(op, ArgMax) for n in (2, 3, 4, 5)})
        self._bits = [op.bits for op in model.operations if isinstance(op, (Softmax, Normalize, RootMeanSquare))]
        self._tables = [op.table for op in model.operations if isinstance(op, (Lookup, Softmax))]
        self._rows = [op.table for op in model.operations if isinstance(op, Rows)]

    def lies(self, forger: Forger, spot: Spot) -> Sequence[tuple[int, bool]]:
        name = forger.hint(spot).label.rpartition("/")[2].replace(" ", "_")
        return [*self._off_by_little(), *getattr(self, f"for_{name}", self._nothing)(forger, spot)]

    def _off_by_little(self) -> list[tuple[int, bool]]:
        return [(1, True), (-1, True)]

    def _nothing(self, forger: Forger, spot: Spot) -> list[tuple[int, bool]]:
        return []

    def _around(self, modulus: int, sizes: Sequence[int]) -> list[tuple[int, bool]]:
        """Quotients that go around the field, once or twice, and those with a fraction."""
        wraps = [
            sign * (turns * modulus // m + up) for m in sizes for turns in (1, 2) for up in (0, 1) for sign in (1, -1)
        ]
        fractions = [sign * pow(m, -1, modulus) for m in sizes for sign in (1, -1)]
        return [(move, True) for move in (*wraps, *fractions)]

    def for_rounded(self, forger: Forger, spot: Spot) -> list[tuple[int, bool]]:
        shift = self._shifts.get(forger.hint(spot).label.rpartition("/")[0])
        return self._around(forger.modulus, self._steps if shift is None else [1 << shift] if shift else [])

    def for_clamped(self, forger: Forger, spot: Spot) -> list[tuple[int, bool]]:
        """The other choice too: what was clamped where it should not be, and the end where that lies nearer."""
        others = [(v + k, False) for v in (0, *forger.inputs_of(spot)) for k in (-1, 0, 1)]
        return [*others, *self.for_rounded(forger, spot)]

    def for_maximum(self, forger: Forger, spot: Spot) -> list[tuple[int, bool]]:
        entries = [(v, False) for v in forger.inputs_of(spot)]
        return [*entries, *((sign * (m // 2), True) for m in self._steps for sign in (1, -1))]

    def for_place_of_the_maximum(self, forger: Forger, spot: Spot) -> list[tuple[int, bool]]:
        return [*((k, False) for k in range(6)), *self._around(forger.modulus, self._sizes)]

    def for_places(self, forger: Forger, spot: Spot) -> list[tuple[int, bool]]:
        return [(k, False) for k in range(-1, 6)]

    def for_sorted(self, forger: Forger, spot: Spot) -> list[tuple[int, bool]]:
        return [(v, False) for v in forger.inputs_of(spot)]

    def for_value_of_a_table(self, forger: Forger, spot: Spot) -> list[tuple[int, bool]]:
        return [(int(v), False) for table in self._tables for v in table]

    def for_row_of_a_table(self, forger: Forger, spot: Spot) -> list[tuple[int, bool]]:
        return [(int(v), False) for table in self._rows for v in table.ravel()]

    def for_steps(self, forger: Forger, spot: Spot) -> list[tuple[int, bool]]:
        return [(k, False) for k in (-1, 0, 1, 2)]

    def for_reciprocal(self, forger: Forger, spot: Spot) -> list[tuple[int, bool]]:
        totals = [v for v in forger.inputs_of(spot) if v]
        found = [
            ((1 << bits) - rest) * pow(total, -1, forger.modulus)
            for bits in self._bits
            for total in totals
            for rest in (0, 1, total - 1)
        ]
        wraps = [(turns * forger.modulus + (1 << bits)) // v for bits in self._bits for v in totals for turns in (1, 2)]
        return [(v, False) for v in (*found, *wraps)]

    def for_inverse_root(self, forger: Forger, spot: Spot) -> list[tuple[int, bool]]:
        half = pow(2, -1, forger.modulus)
        return [(-forger.value(spot), False), (half, True), (-half, True)]
