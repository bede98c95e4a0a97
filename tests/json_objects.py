"""Whether what `--json` prints is what docs/cli.md says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from zkgpu.cli.keys import ALWAYS, FAILED, KEYS, NAMED_BY_USER, TIMED
from zkgpu.cli.session import SCHEMA

KINDS: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "truth": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
SOUND = ("sound", "tried", "findings", "free", "notes")  # of a search that finds something, which is a failure


def require_documented(arguments: Sequence[str], found: Mapping[str, Any]) -> None:
    """Raises AssertionError for a key or a kind of value that no table has."""
    path = path_of(arguments)
    assert list(found)[:2] == list(ALWAYS), found
    assert found["schema"] == SCHEMA
    sound = {name: KEYS["check"][name] for name in SOUND}
    known = {**ALWAYS, **TIMED, **(KEYS.get(path, {}) if found["ok"] else {**FAILED, **sound})}
    for name, value in found.items():
        assert name in known, f"zkgpu {path}: docs/cli.md has no key {name}"
        kind = known[name][0]
        assert KINDS[kind.rstrip("?")](value) or (value is None and kind.endswith("?")), (path, name, value)
    assert not [name for name in fixed_names(found) if name != name.strip() or " " in name]


def path_of(arguments: Sequence[str]) -> str:
    """The command that is called: its names among the arguments."""
    groups = {path.split()[0] for path in KEYS}
    first = next((word for word in arguments if word in groups), "")
    below = [f"{first} {word}" for word in arguments if f"{first} {word}" in KEYS]
    return below[0] if below else first


def fixed_names(value: Any) -> Iterator[str]:
    """The keys of all objects in it, but for those that users choose."""
    if isinstance(value, list):
        for item in value:
            yield from fixed_names(item)
    if isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from () if name in NAMED_BY_USER else fixed_names(item)
