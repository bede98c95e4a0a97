"""Random models and lying provers: no witness that satisfies a circuit shows anything but the model's output.

ZKGPU_FUZZ_WITNESSES and ZKGPU_FUZZ_SEED set the size and the seed of the nightly run, which prints both.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable

import pytest

from tests.soundness import tried
from tests.zkml import faults
from tests.zkml.fuzz import Fault, Outcome, fuzz
from tests.zkml.random_models import AT_CHALLENGES, Kind, linear, requantize, softmax, widen
from zkgpu.zkml.layers import products, weighted_lookups
from zkgpu.zkml.layers.scores import Scores
from zkgpu.zkml.layers.turned import Turned

NIGHTLY = 100_000
ENOUGH = 20_000  # witnesses, where the slowest fault to show takes 2,200: time would depend on the machine's load


def assert_nothing_found(outcome: Outcome, seed: int) -> None:
    print(f"\nseed {seed}: {outcome}")
    tried("forged witnesses of random models", outcome.tried.total())
    found = "\n".join(map(str, outcome.faults[:5]))
    assert not outcome.faults, f"seed {seed}: {found}"


def test_no_lie_about_a_few_random_models_shows_another_output() -> None:
    assert_nothing_found(fuzz(1, 2500), 1)


@pytest.fixture
def at_challenges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers of several rows are tested at challenges, products without their factors, and lookups weigh what layers
    read, however small they are.
    """
    monkeypatch.setattr(products, "_challenged", lambda readers, shape: {r.output for r in readers if shape[1] > 1})
    monkeypatch.setattr(Scores, "constraints_otherwise", 1 << 30)
    monkeypatch.setattr(Turned, "constraints_otherwise", 1 << 30)
    monkeypatch.setattr(weighted_lookups, "_best_period", lambda lookups, rows: 2 * bool(lookups))


def test_no_lie_about_layers_that_are_tested_at_challenges_shows_another_output(at_challenges: None) -> None:
    assert_nothing_found(fuzz(2, 2000, kinds=AT_CHALLENGES), 2)


@pytest.mark.slow
def test_no_lie_about_many_layers_that_are_tested_at_challenges_shows_another_output(at_challenges: None) -> None:
    seed = int(os.environ.get("ZKGPU_FUZZ_SEED", secrets.randbelow(1 << 32)))
    count = int(os.environ.get("ZKGPU_FUZZ_WITNESSES", NIGHTLY))
    assert_nothing_found(fuzz(seed, count, kinds=AT_CHALLENGES), seed)


@pytest.mark.slow
def test_no_lie_about_many_random_models_shows_another_output() -> None:
    seed = int(os.environ.get("ZKGPU_FUZZ_SEED", secrets.randbelow(1 << 32)))
    assert_nothing_found(fuzz(seed, int(os.environ.get("ZKGPU_FUZZ_WITNESSES", NIGHTLY))), seed)


def is_second_output_of(label: str) -> Callable[[Fault], bool]:
    return lambda fault: fault.finding is not None and any(label in change.name for change in fault.finding.changes)


def is_wrong_output(fault: Fault) -> bool:
    return fault.finding is None


@pytest.mark.parametrize(
    ("seed", "put_back", "kinds", "is_found"),  # seeds that show it soon
    [
        (1, faults.softmax_rounds_to_nearest, [softmax], is_second_output_of("maximum")),
        (2, faults.wide_tensors_wrap, [widen, requantize], is_second_output_of("rounded")),
        (2, faults.weights_overflow, [linear], is_wrong_output),
    ],
    ids=["softmax", "wide tensors", "weights"],
)
def test_a_fault_that_is_put_back_is_found_within_so_many_tries(
    seed: int, put_back: Callable, kinds: list[Kind], is_found: Callable[[Fault], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_back(monkeypatch)
    outcome = fuzz(seed, ENOUGH, until=is_found, kinds=kinds)
    assert any(map(is_found, outcome.faults)), str(outcome)
