"""What a notebook shows of an object: a title and a few facts as a small table, with nothing secret in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MOST = 80  # characters of a cell
FIRST = 8  # entries of a list


def table(title: str, facts: Mapping[str, object]) -> str:
    """HTML with the facts by name; whatever they hold is text, and lists and long values are cut. None is left out."""
    rows = "".join(
        f'<tr><th style="text-align: left">{_cell(name)}</th><td style="text-align: left">{_cell(value)}</td></tr>'
        for name, value in facts.items()
        if value is not None
    )
    return f"<table><caption>{_cell(title)}</caption>{rows}</table>"


def listed(values: Sequence[object]) -> str:
    """The first of the values in one line, and how many there are where that is not all."""
    more = f", .. ({len(values):,} in all)" if len(values) > FIRST else ""
    return ", ".join(str(value) for value in values[:FIRST]) + more


def unsafe_facts(is_unsafe: bool) -> dict[str, object]:
    """What a key of a one-party setup has besides."""
    return {"UNSAFE": "one party made it and can forge proofs"} if is_unsafe else {}


def _cell(value: object) -> str:
    text = f"{value:,}" if type(value) is int else str(value)
    from html import escape

    return escape(text if len(text) <= MOST else f"{text[: MOST - 2]}..")
