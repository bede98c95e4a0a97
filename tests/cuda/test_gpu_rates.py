"""The bench of instructions computes what it counts, here on the emulated device."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.emulation.driver import EmulatedDriver

BENCHES = Path(__file__).parents[2] / "bench"
KINDS = ["IMAD", "IMAD.WIDE", "add with carry", "FP64 FMA"]


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHES))
    monkeypatch.delitem(sys.modules, "rates", raising=False)
    import rates

    return rates


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("rounds", [1, 9])
def test_a_stream_of_instructions_gives_what_python_gives(
    rates: Any, driver: EmulatedDriver, name: str, rounds: int
) -> None:
    rate = rates.Rates(driver, 2, threads=32).instruction(name, rounds)
    assert rate.per_clock > 0
    assert rate.per_second > 0


@pytest.mark.parametrize("kind", ["product", "square"])
def test_products_of_scalars_give_what_python_gives(rates: Any, driver: EmulatedDriver, kind: str) -> None:
    assert getattr(rates.Rates(driver, 2, threads=32), kind)(5).name == kind


def test_a_wrong_result_has_no_rate(rates: Any, driver: EmulatedDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "A", 5)
    with pytest.raises(SystemExit, match="wrong result: IMAD"):
        rates.Rates(driver, 1, threads=32).instruction("IMAD", 1)


def test_every_stream_has_a_test(rates: Any) -> None:
    assert list(rates.STREAMS) == KINDS
