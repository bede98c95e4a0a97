"""The models of one node that the onnx package tests runtimes with: none is wrong or crashes, and none gets worse."""

from __future__ import annotations

import sys
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.zkml import node_models
from tests.zkml.node_models import BEST_FIRST, INACCURATE, REFUSED, RIGHT, cases, expected, outcome, summary

SAMPLE = 300
AGAIN = "run `python -m tests.zkml.node_models` and look at what changed"


def expectation(name: str) -> str:
    known = expected()
    return RIGHT if name in known[RIGHT] else INACCURATE if name in known[INACCURATE] else REFUSED


def worse(found: dict[str, str]) -> list[str]:
    """What is wrong, crashes, or is not as good as the file has it."""
    ranks = {kind: rank for rank, kind in enumerate(BEST_FIRST)}
    return [
        f"{name}: {kind} in place of {expectation(name)}"
        for name, kind in found.items()
        if ranks.get(kind, len(ranks)) > ranks[expectation(name)]
    ]


@pytest.mark.filterwarnings("ignore")
def test_a_sample_of_the_node_models_is_as_good_as_it_was() -> None:
    plain = [case for case in cases() if "_expanded" not in case.name]
    chosen = plain[:: len(plain) // SAMPLE][:SAMPLE]
    assert len(chosen) == SAMPLE
    assert not worse({case.name: outcome(case, until_right=True) for case in chosen})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_node_model_is_answered_or_refused() -> None:
    found = {case.name: outcome(case) for case in cases()}
    assert not worse(found), AGAIN
    counts = summary(found)
    print(counts["all"], counts["without expanded ones"])
    better = set(counts[RIGHT]) - set(expected()[RIGHT])
    assert counts["onnx"] != expected()["onnx"] or not better, f"better than the file has it: {AGAIN}: {sorted(better)}"


def test_what_gets_worse_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[str, Any] = {RIGHT: ["a", "b"], INACCURATE: ["c"]}
    monkeypatch.setattr(sys.modules[__name__], "expected", lambda: known)
    kinds = {"a": node_models.REFUSED, "b": RIGHT, "c": node_models.WRONG, "d": REFUSED, "e": node_models.ERROR}
    told = ["a: refused in place of right", "c: wrong in place of inaccurate", "e: error in place of refused"]
    assert worse(kinds) == told
    assert not worse({"a": RIGHT, "c": RIGHT, "d": INACCURATE})


@pytest.mark.parametrize(
    ("found", "wanted", "near"),
    [
        ([1.0, 2.0], [1.01, 2.0], True),
        ([1.0, 2.0], [1.5, 2.0], False),
        ([[1.0, 2.0]], [1.0, 2.0], False),
        ([3.0, 4.0], [3, 4], True),
    ],
)
def test_near_is_by_shape_and_size(found: list, wanted: list, near: bool) -> None:
    assert node_models.is_near(node_models.np.array(found), node_models.np.array(wanted)) is near
