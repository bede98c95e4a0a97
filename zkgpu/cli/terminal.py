"""The one place that prints: lines without control characters, messages of bounded length, and what a full or closed
standard output means."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TextIO

from zkgpu.errors import ResourceError

EXIT_CLOSED_PIPE = 141  # what a shell says of a program that SIGPIPE (13) ended: 128 + 13
_MOST, _CELL = 500, 100  # characters of a message, and of a cell of a table
_LOOKED_AT = 20 * _MOST
_CUT = " [..] "
_apart: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext


class ClosedPipe(Exception):
    """Whoever read standard output has gone."""


def message(text: str, room: int = _MOST) -> str:
    """A message for a terminal: one line of at most `room` characters, without control characters.

    White space becomes one space; of a long text the middle is left out, since the end says how to mend it.
    """
    if len(text) > 2 * _LOOKED_AT:
        text = text[:_LOOKED_AT] + text[-_LOOKED_AT:]
    line = plain(" ".join(text.split()))
    half = (room - len(_CUT)) // 2
    return line if len(line) <= room else line[:half] + _CUT + line[-half:]


def plain(text: str) -> str:
    """A line as it is, but for characters that a terminal would act on, which are written as \\x1b or \\u202e.

    Those are controls, formats such as what turns the direction of text, lone surrogates, separators, unassigned ones.
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line a row, with columns as wide as their longest cell; cells are messages of at most _CELL characters."""
    cells = [[message(cell, _CELL) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]


def counted(number: int, what: str) -> str:
    """1 node, 2,345 nodes."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def told(facts: Mapping[str, Any]) -> list[str]:
    """A line for each fact, in words."""
    width = max(map(len, facts))
    return [f"{name.replace('_', ' '):<{width}}  {message(_word(value))}" for name, value in facts.items()]


def _word(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def say(lines: Iterable[str]) -> None:
    """Print lines on standard output, `plain` each.

    Raises ClosedPipe when nobody reads it, ResourceError when it is closed or full.
    """
    try:
        for line in lines:
            _echo(plain(line), err=False)
    except BrokenPipeError:
        _give_up(sys.stdout)
        raise ClosedPipe from None
    except OSError as error:
        _give_up(sys.stdout)
        raise ResourceError(f"standard output cannot be written ({error.strerror}): make room, or use -q") from None


def complain(line: str) -> None:
    """Print a line on standard error, `plain`. Where that fails there is no other way to say it."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            _echo(plain(line), err=True)


@contextlib.contextmanager
def lines_apart(way: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """While the block runs, each line is printed in a block of `way`, which keeps it off what a terminal shows."""
    global _apart
    before, _apart = _apart, way
    try:
        yield
    finally:
        _apart = before


def hold_standard_streams() -> None:
    """Takes the numbers of closed standard streams, lest a file that is opened later gets one and is printed into.

    What is written to a closed standard output fails then, as it does on a full one.
    """
    while (descriptor := os.open(os.devnull, os.O_RDONLY)) <= 2:
        pass
    os.close(descriptor)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  for as long as the process lives


def settled(code: int) -> int:
    """The exit code after the last of standard output is written; another one where that fails."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except (OSError, ValueError):
        _give_up(sys.stderr)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _give_up(sys.stdout)
        return EXIT_CLOSED_PIPE
    except OSError:
        _give_up(sys.stdout)
        return code or ResourceError.exit_code
    return code


def _echo(line: str, *, err: bool) -> None:
    with _apart():
        stream = sys.stderr if err else sys.stdout
        try:
            stream.write(line + "\n")
        except UnicodeEncodeError:  # not a terminal of UTF-8
            stream.write(line.encode("ascii", "backslashreplace").decode() + "\n")
        stream.flush()


def _give_up(stream: TextIO) -> None:
    """What could not be written is dropped: else the interpreter tries once more at its end, and exits with 120."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
