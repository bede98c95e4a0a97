"""Range checks by limbs that are looked up (LogUp) in tables all the circuit's checks share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.gadgets.bits import constrain_range, require_width, unproven_entries
from zkgpu.circuits.gadgets.lookup import Table
from zkgpu.circuits.gadgets.operands import on_wires
from zkgpu.circuits.wires import Operand, Wires
from zkgpu.errors import UsageError
from zkgpu.records import dataclass

WIDEST_LIMB = 20  # bits of a limb: a table of a million rows


@on_wires("x")
def assert_in_range(x: Operand, bits: int) -> None:
    """Constrains each entry to 0 .. 2^bits - 1, by lookups: about bits / 8 constraints an entry when there are many.

    When the circuit is compiled, all its checks are weighed together: the limbs' width, hence the tables' sizes, or
    plain bits, whichever takes the fewest constraints. Entries already known to fit cost nothing.
    Both ends are enforced on the entry itself: each limb is in a table of exactly its width, or in the main table both
    as it is and times 2^(missing bits), and the weighted sum of the limbs is the entry.
    """
    require_width(x.builder.field, bits)
    if 1 << bits > x.builder.field.modulus:
        raise UsageError(f"{bits} bits reach beyond the modulus of {x.builder.field.name}: every value is in range")
    entries = unproven_entries(x, bits)
    if entries.size:
        check = _Check(entries, bits, x.builder.scope_name() or "range")
        x.builder.rounds.collect("ranges", check, partial(_write_checks, Circuit.of(x)))
        x.builder.widths.prove(entries.lc, bits)


@dataclass(frozen=True)
class _Check:
    """One call of assert_in_range."""

    entries: Wires
    bits: int
    label: str


@dataclass(frozen=True)
class LimbPlan:
    """How values of given widths are cut: into limbs of `width` bits, and a shorter one at the top.

    A short limb is looked up in a table of its own width where `tables` has one; else twice in the main table, as
    itself and shifted up by the bits it must not have. width 0 means plain bits in place of lookups.
    """

    width: int
    tables: frozenset[int]
    constraints: int

    def limbs(self, bits: int) -> list[int]:
        """The widths of the limbs, lowest first."""
        short = [bits % self.width] if bits % self.width else []
        return [self.width] * (bits // self.width) + short


def plan_limbs(counts: Mapping[int, int]) -> LimbPlan:
    """The plan with the fewest constraints for counts[bits] values of each width."""
    plain = LimbPlan(0, frozenset(), sum(bits * n for bits, n in counts.items()))
    plans = (_plan(width, counts) for width in range(1, WIDEST_LIMB + 1))
    return min([plain, *plans], key=lambda plan: plan.constraints)


def _plan(width: int, counts: Mapping[int, int]) -> LimbPlan:
    full = sum(bits // width * n for bits, n in counts.items())
    short: Counter[int] = Counter()
    for bits, n in counts.items():
        if bits % width:
            short[bits % width] += n
    own = frozenset(w for w, n in short.items() if n > _table_cost(w))
    twice = sum(n for w, n in short.items() if w not in own)
    tables = [*own, *([width] if full or twice else [])]
    return LimbPlan(width, own, full + sum(short.values()) + twice + sum(map(_table_cost, tables)))


def _table_cost(width: int) -> int:
    return (1 << width) + 1


def _write_checks(circuit: Circuit, checks: list[_Check]) -> None:
    counts: Counter[int] = Counter()
    for check in checks:
        counts[check.bits] += check.entries.size
    plan = plan_limbs(counts)
    tables = {width: Table(f"{width} bits", range(1 << width)) for width in {plan.width, *plan.tables} if width}
    for check in checks:
        with circuit.scope(check.label):
            if plan.width:
                _look_up_limbs(check, plan, tables)
            else:
                constrain_range(check.entries, check.bits)


def _look_up_limbs(check: _Check, plan: LimbPlan, tables: Mapping[int, Table]) -> None:
    """All limbs but the top one have wires; the top one is what they leave over."""
    widths, entries = plan.limbs(check.bits), check.entries
    top = entries
    if len(widths) > 1:
        count, modulus = len(widths) - 1, entries.builder.field.modulus
        low = Circuit.of(entries).hint(
            lambda x: _split(x, plan.width, count, modulus), [entries], (entries.size, count), "limbs", signed=True
        )
        tables[plan.width].look_up(low, label="limbs")
        weights = np.array([1 << i * plan.width for i in range(count)], dtype=object)
        top = (entries - low @ weights) / (1 << plan.width * count)
    _look_up_top(top, widths[-1], plan, tables)


def _split(x: NDArray[Any], width: int, count: int, modulus: int) -> NDArray[Any]:
    """(n, count): the lowest limbs of integers, which are not negative when the check holds."""
    if x.dtype == object or x.min(initial=0) < 0:
        x = x.astype(object) % modulus
    return np.stack([(x >> i * width) & ((1 << width) - 1) for i in range(count)], axis=-1)


def _look_up_top(top: Wires, width: int, plan: LimbPlan, tables: Mapping[int, Table]) -> None:
    if width == plan.width or width in plan.tables:
        tables[width].look_up(top, label="top limb")
    else:
        tables[plan.width].look_up(top, label="top limb")
        tables[plan.width].look_up(top * (1 << plan.width - width), label="top limb")
