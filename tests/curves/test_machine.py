"""Recording, linking and running: the formula, Python integers and the kernel agree."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest

from tests.curves.oracle import Q
from zkgpu.curves import BN254, machine_cpu, machine_python
from zkgpu.curves.ate import (
    pairing_calls,
    pairing_machine,
    pairing_programs,
    signed_digits,
    subgroup_calls,
    sum_machine,
    sum_programs,
)
from zkgpu.curves.machine import Calls, Machine, Schedule, link
from zkgpu.curves.recorder import Argument, record
from zkgpu.errors import UsageError

F = BN254.base_field
EDGES = [0, 1, 2, Q - 1, Q - 2, 2**64 - 1, 2**64, 2**128 - 1, 2**192, 2**253]
G2, G1 = BN254.g2, BN254.g1
PAIRING, SUM = pairing_machine(G2), sum_machine(G1)
FORMULAS = {
    f"{kind} {name}": (machine, name, arguments, formula)
    for kind, machine, recipes in (("pairing", PAIRING, pairing_programs(G2)), ("sum", SUM, sum_programs(G1)))
    for name, arguments, formula in recipes
}


def kernel(machine: Machine, calls: Calls, slots: list[int]) -> list[int]:
    return machine_cpu.run(machine_cpu.bind(machine, calls), slots, calls.size - machine.first_slot)


def one_call(title: str) -> tuple[Calls, list[int]]:
    """A schedule with one call, and the address of each argument's first slot among the slots."""
    machine, name, arguments, _ = FORMULAS[title]
    s = Schedule(machine)
    addresses = [s.slot(max(a.reads, a.writes)) for a in arguments]
    s.call(name, *addresses)
    return s.finish(), [a - machine.first_slot for a in addresses]


def random_slots(machine: Machine, calls: Calls, seed: int) -> list[int]:
    rng = random.Random(seed)
    pick = [lambda: rng.randrange(Q), lambda: rng.choice(EDGES)]
    return [pick[seed % 2]() for _ in range(calls.size - machine.first_slot)]


@pytest.mark.parametrize("title", FORMULAS)
@pytest.mark.parametrize("seed", range(6))
def test_every_program_does_what_its_formula_says(title: str, seed: int) -> None:
    machine, _, arguments, formula = FORMULAS[title]
    calls, at = one_call(title)
    slots = random_slots(machine, calls, seed)
    read = [slots[i : i + a.reads] for i, a in zip(at, arguments, strict=True) if a.reads]
    expected = iter([value % Q for value in formula(*read)])
    after = machine_python.run(machine, calls, slots)
    for i, a in zip(at, arguments, strict=True):
        assert after[i : i + a.writes] == [next(expected) for _ in range(a.writes)]
    assert kernel(machine, calls, slots) == after


@pytest.mark.parametrize(
    "calls", [pairing_calls(G2, 1), pairing_calls(G2, 2), subgroup_calls(G2)], ids=["one", "two", "psi"]
)
def test_the_kernel_runs_whole_schedules_as_python_does(calls: Calls) -> None:
    long = calls.size > PAIRING.first_slot + 100
    slots = random_slots(PAIRING, calls, 0)[: 28 if long else 6]
    assert kernel(PAIRING, calls, slots) == machine_python.run(PAIRING, calls, slots)


def test_operations_of_one_kind_are_kept_together() -> None:
    routine = record("p", Q, [Argument(0, 2), Argument(4, 0)], lambda a: [a[0] * a[1] + a[2] * a[3], a[0] + a[1]])
    assert [operator for operator, _, _ in routine.program.steps] == ["*", "*", "+", "+"]


def test_equal_operations_are_recorded_once_and_unused_ones_not_at_all() -> None:
    def formula(a: tuple) -> list:
        _unused = a[0] * a[0]
        return [a[0] * a[1] + a[1] * a[0]]

    routine = record("p", Q, [Argument(0, 1), Argument(2, 0)], formula)
    assert [operator for operator, _, _ in routine.program.steps] == ["*", "+"]


@pytest.mark.parametrize("k", [0, 1, 2, 9, 16, 17, 10**30, -1, -5, Q - 1])
def test_symbols_multiply_with_any_integer(k: int) -> None:
    field_machine = link(F, [record("scale", Q, [Argument(1, 1)], lambda a: [a[0] * k + k * a[0] - k])])
    s = Schedule(field_machine)
    s.call("scale", s.slot(1))
    assert machine_python.run(field_machine, s.finish(), [7]) == [13 * k % Q]


def test_a_formula_must_fill_its_outputs() -> None:
    with pytest.raises(ValueError, match="returns 1 elements"):
        record("short", Q, [Argument(1, 2)], lambda a: [a[0]])


def test_a_call_needs_the_arguments_of_its_program() -> None:
    with pytest.raises(ValueError, match="takes 3 arguments"):
        Schedule(PAIRING).call("fq12_multiply", 0)


def on_a_machine_without_calls(machine: Machine, calls: Calls, slots: list[int]) -> list[int]:
    bound = machine_cpu.bind(machine, Calls(calls.table[:0], machine.first_slot))
    return machine_cpu.run(bound.on(calls), slots, calls.size - machine.first_slot)


def test_a_machine_takes_other_calls() -> None:
    calls, _ = one_call("pairing fq12_multiply")
    slots = random_slots(PAIRING, calls, 0)
    assert on_a_machine_without_calls(PAIRING, calls, slots) == kernel(PAIRING, calls, slots)


@pytest.mark.parametrize(("column", "value"), [(0, -1), (0, 10**6), (1, 0), (1, -1), (2, 10**6), (2, 2**31 - 1)])
def test_calls_outside_the_memory_are_refused_before_the_kernel_runs(column: int, value: int) -> None:
    calls, _ = one_call("pairing fq12_multiply")
    table = calls.table.copy()
    table[0, column] = value
    for run in (machine_python.run, kernel, on_a_machine_without_calls):
        with pytest.raises(UsageError):
            run(PAIRING, Calls(table, calls.size), [])


def test_a_last_slot_one_too_far_is_refused_and_the_last_one_is_not() -> None:
    calls, _ = one_call("pairing fq12_square")
    PAIRING.check(calls)
    with pytest.raises(UsageError, match="outside the memory"):
        PAIRING.check(replace(calls, size=calls.size - 1))


def test_tables_of_another_shape_or_type_are_refused() -> None:
    calls, _ = one_call("pairing fq12_square")
    for table in (calls.table[:, :3], calls.table.astype(np.int64), calls.table[0]):
        with pytest.raises(UsageError, match="int32 columns"):
            PAIRING.check(Calls(table, calls.size))


def test_more_slots_than_the_schedule_has_are_refused() -> None:
    calls, _ = one_call("pairing fq_multiply")
    for run in (machine_python.run, kernel):
        with pytest.raises(UsageError, match="more registers"):
            run(PAIRING, calls, [1] * 4)
    with pytest.raises(UsageError, match="more registers"):
        machine_cpu.run(machine_cpu.bind(PAIRING, calls), [1], calls.size)


@pytest.mark.parametrize("k", [1, 2, 3, 7, 4965661367192848881, 6 * 4965661367192848881 + 2])
def test_signed_digits_spell_their_number_without_neighbors(k: int) -> None:
    digits = signed_digits(k)
    assert sum(d << i for i, d in enumerate(reversed(digits))) == k
    assert digits[0] == 1
    assert not any(a and b for a, b in itertools.pairwise(digits))
