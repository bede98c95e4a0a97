"""What is estimated of a model against what its commands took: the lines of bench/results/large.jsonl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zkgpu.inference import estimate
from zkgpu.zkml.tally import Size

RECORDED = Path(__file__).parents[2] / "bench" / "results" / "large.jsonl"
SPEED = 17.5  # times a line's calibration in nanoseconds, is the speed of the machine in that minute


def latest() -> dict[str, dict[str, Any]]:
    """The last line of each model."""
    lines = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    return {line["model"]: line for line in lines if "prove_seconds" in line}


@pytest.mark.parametrize("name", latest())
def test_commands_take_about_what_was_estimated(name: str) -> None:
    line = latest()[name]
    told = line["estimate"]
    size = Size(told["constraints"], told["wires"], told["entries"], told.get("public", 0), 0)
    costs = estimate(size, SPEED / line["calibration_ns"], line["threads"])
    taken = {
        "setup": (costs.setup_seconds, line["setup_seconds"]),
        "prove": (costs.prove_seconds, line["prove_seconds"]),
        "setup's memory": (costs.setup_memory, line["setup_peak_bytes"]),
        "prove's memory": (costs.prove_memory, line["prove_anonymous_bytes"]),
    }
    assert {what: 0.5 < one / other < 2 for what, (one, other) in taken.items()} == dict.fromkeys(taken, True)
    assert 0.9 < costs.constraints / line["constraints"] < 1.1
    assert 0.9 < costs.key_bytes / line["key_bytes"] < 1.1
    assert costs.proof_seconds < costs.prove_seconds
