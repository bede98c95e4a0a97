"""What is estimated of a model against what its commands took: the lines of bench/results/large.jsonl.

Seconds are those of the last line of each model that was recorded on a quiet machine, where there is one; a line of a
busy one says nothing of them, and as much as any other of sizes and memory.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zkgpu.inference import Costs, estimate
from zkgpu.zkml.tally import Size

RECORDED = Path(__file__).parents[2] / "bench" / "results" / "large.jsonl"
SPEED = 17.5  # times a line's calibration in nanoseconds, is the speed of the machine in that minute
BUSY = 1.5  # processes that were ready for each thread of a command, from which on others took its time
TWICE = 0.5, 2.0

Line = dict[str, Any]


def lines() -> list[Line]:
    found = [json.loads(text) for text in RECORDED.read_text().splitlines()]
    return [line for line in found if "prove_seconds" in line]


def is_quiet(line: Line) -> bool:
    return bool(line["load"] < BUSY * line["threads"])


def last(of: list[Line]) -> dict[str, Line]:
    """By model."""
    return {line["model"]: line for line in of}


def estimated(line: Line) -> Costs:
    told = line["estimate"]
    size = Size(told["constraints"], told["wires"], told["entries"], told.get("public", 0), ())
    return estimate(size, SPEED / line["calibration_ns"], line["threads"])


def require_close(shares: dict[str, float], low: float, high: float) -> None:
    assert {what: low < share < high for what, share in shares.items()} == dict.fromkeys(shares, True), shares


@pytest.mark.parametrize("name", last(lines()))
def test_models_have_about_the_size_and_take_about_the_memory_that_was_estimated(name: str) -> None:
    line = last(lines())[name]
    costs = estimated(line)
    # a peak that verification has too is the bench's, which starts commands: setup's is between its own memory and that
    is_own = line["setup_peak_bytes"] > line["verify_peak_bytes"]
    least = line["setup_peak_bytes" if is_own else "setup_anonymous_bytes"]
    require_close({"prove": costs.prove_memory / line["prove_anonymous_bytes"]}, *TWICE)
    assert least / 2 < costs.setup_memory < 2 * line["setup_peak_bytes"]
    sizes = {
        "constraints": costs.constraints / line["constraints"],
        "key": costs.key_bytes / line["key_bytes"],
    }
    require_close(sizes, 0.9, 1.1)


@pytest.mark.parametrize("name", last(list(filter(is_quiet, lines()))))
def test_commands_take_about_as_long_as_was_estimated(name: str) -> None:
    line = last(list(filter(is_quiet, lines())))[name]
    costs = estimated(line)
    seconds = {
        "setup": costs.setup_seconds / line["setup_seconds"],
        "prove": costs.prove_seconds / line["prove_seconds"],
    }
    require_close(seconds, *TWICE)
    assert costs.proof_seconds < costs.prove_seconds


def test_every_kind_of_model_has_seconds_of_a_quiet_machine() -> None:
    quiet = set(last(list(filter(is_quiet, lines()))))
    assert quiet >= {"bionetta", "gpt2_16", "mlp_4096", "mlp_million", "mobilenet_v2_96", "resnet18_cifar"}


@pytest.mark.parametrize(("load", "quiet"), [(1.6, True), (1.9, True), (4.6, False), (3.0, False)])
def test_a_line_of_a_busy_machine_says_nothing_of_seconds(load: float, quiet: bool) -> None:
    assert is_quiet({"load": load, "threads": 2}) is quiet
