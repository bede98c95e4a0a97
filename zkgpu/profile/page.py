"""A profile as one HTML file, which loads nothing: a flame graph to click through, and the same as a table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import chain, repeat

from zkgpu.profile.scopes import Scope

_PLACE = re.compile(r"\[\[(\w+)\]\]")


def page(profile: Scope) -> str:
    """The page of a profile. What names hold is text wherever they stand."""
    return whole(f"{profile.name}: {profile.constraints:,} constraints", flame(profile), profile)


def whole(title: str, body: str, profile: Scope) -> str:
    """A page around HTML that has the flame graph of a profile in it."""
    data = json.dumps(profile.to_json()).replace("<", "\\u003c")  # which ends no script and begins no comment
    parts = {"title": escape(title), "body": body, "profile": data}
    return _filled("page.html", parts | {"style": _text("style.css"), "script": _text("flame.js")})


def flame(profile: Scope) -> str:
    """What the script of the page draws a profile into, and the same as a table."""
    rows, depths = [], []
    for depth, scope in walk(profile):
        share = f"{scope.constraints / max(profile.constraints, 1):.1%}"
        rows.append((scope.name, f"{scope.constraints:,}", share, f"{scope.entries:,}"))
        depths.append(depth)
    heads = ("scope", "constraints", "share", "entries")
    return _filled("flame.html", {"entries": f"{profile.entries:,}", "table": table(heads, rows, depths=depths)})


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], texts: Iterable[int] = (0,), depths: Iterable[int] = ()
) -> str:
    """Cells as text; columns in `texts` from the left, others, which are numbers, from the right.

    Args:
        depths: how far each row is indented, all by none by default
    """
    left = set(texts)
    kinds = [' class="text"' if column in left else "" for column in range(len(heads))]
    head = "".join(f"<th{kind}>{escape(name)}</th>" for kind, name in zip(kinds, heads, strict=True))
    body = "\n".join(_row(kinds, row, depth) for row, depth in zip(rows, chain(depths, repeat(0)), strict=False))
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _row(kinds: Sequence[str], cells: Sequence[str], depth: int) -> str:
    first, *others = (escape(cell) for cell in cells)
    shown = "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds[1:], others, strict=True))
    indent = f' style="padding-left:{depth + 0.6}em"' if depth else ""
    return f'<tr><th scope="row"{indent}>{first}</th>{shown}</tr>'


def walk(scope: Scope, depth: int = 0) -> Iterator[tuple[int, Scope]]:
    """A scope and all below it with their depths, the largest first."""
    yield depth, scope
    for child in sorted(scope.children.values(), key=lambda child: (-child.constraints, -child.entries)):
        yield from walk(child, depth + 1)


def _filled(name: str, parts: Mapping[str, str]) -> str:
    """A file of this folder with its [[places]] filled."""
    return _PLACE.sub(lambda found: parts[found[1]], _text(name))


def _text(name: str) -> str:
    return files("zkgpu.profile").joinpath(name).read_text(encoding="utf-8")
