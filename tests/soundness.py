"""How many wrong witnesses and statements the tests tried, which pytest prints at its end."""

from __future__ import annotations

import os
from collections import Counter

_TRIED: Counter[str] = Counter()
_TESTS: set[str] = set()


def tried(kind: str, count: int = 1) -> None:
    """Notes that the running test tried that many of a kind."""
    _TRIED[kind] += count
    _TESTS.add(os.environ.get("PYTEST_CURRENT_TEST", "").removesuffix(" (call)"))


def counted() -> tuple[dict[str, int], list[str]]:
    """What was tried in this process, and by which tests, in values that another process can be sent."""
    return dict(_TRIED), sorted(_TESTS)


def add(kinds: dict[str, int], tests: list[str]) -> None:
    """Adds what another process counted."""
    _TRIED.update(kinds)
    _TESTS.update(tests)


def summary() -> str:
    """One line, or nothing when nothing was tried."""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(_TRIED.items()))
    return f"soundness: {len(_TESTS):,} tests tried {_TRIED.total():,} mutations: {kinds}" if _TRIED else ""
