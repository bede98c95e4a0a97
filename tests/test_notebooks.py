"""What notebooks and `help` show: short, escaped, nothing secret."""

from __future__ import annotations

import pydoc
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest

import zkgpu
from zkgpu.notebook import listed, table

SECRET = 1234567891234567
HOSTILE = "<img src=x onerror=alert(1)>&\"'"


class Reader(HTMLParser):
    """The tags of a text, and what it says outside of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.said: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.said.append(data)


@cache
def hidden(system: str) -> dict[str, Any]:
    """All that has a table, of a circuit with a secret and a hostile name."""
    c = zkgpu.Circuit()
    x, y = c.private(HOSTILE), c.public("y")
    c.assert_equal(x * x, y)
    if system == "groth16":
        c.output_array(HOSTILE + "[]", x * 0 + 3, bits=8)
    compiled = c.compile()
    key = zkgpu.unsafe_setup(compiled, system, backend="cpu")
    statement = zkgpu.prove(key, {HOSTILE: SECRET, "y": SECRET**2}, "cpu", circuit=compiled)
    return {
        "circuit": compiled,
        "proving key": key,
        "verifying key": key.verifying_key,
        "proof": statement.proof,
        "statement": statement,
    }


@pytest.mark.parametrize("system", ["groth16", "plonk"])
@pytest.mark.parametrize("name", ["circuit", "proving key", "verifying key", "proof", "statement"])
def test_a_notebook_shows_a_short_table_without_secrets(system: str, name: str) -> None:
    value = hidden(system)[name]
    html = value._repr_html_()
    read = Reader(html)
    assert set(read.tags) == {"table", "caption", "tr", "th", "td"}, "a name became a tag"
    assert len(html) < 4000
    for text in (html, repr(value)):
        assert str(SECRET) not in text
        assert f"{SECRET:x}" not in text
        assert f"{SECRET:,}" not in text
    assert len(repr(value)) < 200
    if name == "circuit":
        assert HOSTILE in "".join(read.said)
    if name.endswith("key"):
        assert "UNSAFE" in html
    if name == "statement":
        assert str(SECRET**2) in html, "public values are there to be seen"


def test_long_values_and_lists_are_cut() -> None:
    assert listed(range(9)) == "0, 1, 2, 3, 4, 5, 6, 7, .. (9 in all)"
    assert listed([]) == ""
    html = table("t" * 200, {"long": "&" * 200, "number": 12345, "nothing": None})
    assert "t" * 79 not in html
    assert html.count("&amp;") == 78
    assert "12,345" in html
    assert "nothing" not in html


def test_help_reads_like_a_page() -> None:
    page = pydoc.plain(pydoc.render_doc(zkgpu))
    assert max(map(len, page.splitlines())) < 300, "no default is a number of a curve"
    for name in set(zkgpu.__all__) - {"__version__"}:
        assert name in page
    for name in ("load_key", "prove", "verify", "setup"):
        assert f"    {name}(" in page
