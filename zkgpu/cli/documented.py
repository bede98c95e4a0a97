"""docs/cli.md, made from the program itself: `python -m zkgpu.cli.documented > docs/cli.md`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from html import escape
from textwrap import fill

import click

from zkgpu.cli.keys import ALWAYS, FAILED, KEYS, TIMED, Keys
from zkgpu.cli.parsing import GlobalOption, cli
from zkgpu.cli.program import EXIT_CODES, by_heading

_HEAD = """# The command line

Made by `python -m zkgpu.cli.documented > docs/cli.md` from the program itself.

A command reads files and writes files, prints what people want to know on standard output, and warnings and errors on
standard error. An output is written aside and renamed: it is there as a whole or not at all, and never in the place of
an input. Names that are nearly right are answered by the right ones.
"""
_JSON = """## JSON

With `--json` a command prints one object in one line on standard output, also where it fails. Keys have no spaces,
numbers are numbers; those that may be larger than 2^53, as elements of fields, are decimal or 0x texts. A number that
is not finite is null. A command leaves out the keys that have nothing to say.
"""


def document() -> str:
    """The text of docs/cli.md."""
    return "\n".join([_HEAD, *_global_options(), *_exit_codes(), _JSON, *_json(), *_commands()])


def _global_options() -> list[str]:
    context = click.Context(cli, info_name="zkgpu")
    options = [option for option in cli.params if isinstance(option, GlobalOption)]
    rows = [option.get_help_record(context) or ("", "") for option in options]
    text = "## Options of every command\n\nThey stand before or after the command; with two values one is refused.\n"
    return [text, *_table(("option", "meaning"), [(f"`{name}`", text) for name, text in rows]), ""]


def _exit_codes() -> list[str]:
    rows = [(str(code), meaning) for code, meaning in EXIT_CODES.items()]
    return ["## Exit codes\n", *_table(("code", "meaning"), rows), ""]


def _json() -> list[str]:
    lines: list[str] = []
    for heading, keys in (("always", ALWAYS), ("with `--timings`", TIMED), ("of a failure", FAILED)):
        lines += _table((heading, "kind", "meaning"), _rows(keys))
        lines.append("")
    return [*lines, "A search of `check --soundness` that finds something has its keys beside those of a failure.\n"]


def _commands() -> Iterator[str]:
    context = click.Context(cli, info_name="zkgpu")
    for heading, names in by_heading().items():
        yield f"## {heading}\n"
        for name in names:
            command = cli.get_command(context, name)
            if command is not None:
                yield from _of(command, name)


def _of(command: click.Command, path: str) -> Iterator[str]:
    context = click.Context(command, info_name=f"zkgpu {path}")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _of(below, f"{path} {name}")
        return
    arguments = [p.human_readable_name for p in command.params if isinstance(p, click.Argument)]
    yield " ".join([f"### zkgpu {path}\n\n```\nzkgpu {path}", *arguments]) + "\n```"
    yield from (fill(" ".join(part.split()), 120) + "\n" for part in (command.help or "").split("\n\n"))
    options = [p for p in command.params if isinstance(p, click.Option) and not isinstance(p, GlobalOption)]
    records = [record for record in (option.get_help_record(context) for option in options) if record]
    if records:
        yield from [*_table(("option", "meaning"), [(f"`{name}`", text) for name, text in records]), ""]
    if path in KEYS:
        yield from [*_table(("JSON key", "kind", "meaning"), _rows(KEYS[path])), ""]


def _rows(keys: Keys) -> list[tuple[str, str, str]]:
    return [(f"`{name}`", kind.replace("?", " or null"), meaning) for name, (kind, meaning) in keys.items()]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(map(_cell, line)) + " |" for line in lines]


def _cell(text: str) -> str:
    """Of a table: a | in code is an entity, since readers of Markdown differ on how it is escaped there."""
    text = re.sub(r"`([^`]*\|[^`]*)`", lambda code: f"<code>{escape(code[1], quote=False)}</code>", text)
    return text.replace("|", "&#124;")


if __name__ == "__main__":
    sys.stdout.write(document())
