"""Lines as most are: names of commands, options as they are called with their values, arguments.

Reading them takes none of the time that importing click does. Whatever else a line has, and each that anything is wrong
with, is left to click (`parsing`), which reads these to the same values: tests compare.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from zkgpu.cli.declaring import GLOBAL_OPTIONS, Command, Group, Option
from zkgpu.cli.types import converted
from zkgpu.errors import UsageError
from zkgpu.records import dataclass

_COMPLETION = "_ZKGPU_COMPLETE"  # with it in the environment click completes words


@dataclass(frozen=True)
class Call:
    """What a line asks for.

    Attributes:
        path: the names that lead to the command
        values: what its function takes, by name
        of_session: attributes of the session that the options of every command set
    """

    command: Command
    path: str
    values: dict[str, Any]
    of_session: dict[str, Any]


class _NotPlain(Exception):
    """Click reads the line."""


def read(words: Sequence[str], root: Group) -> Call | None:
    """What a line asks for; None where click is to read it."""
    try:
        return None if _COMPLETION in os.environ else _read(words, root)
    except (_NotPlain, ValueError, UsageError):
        return None


def _read(words: Sequence[str], root: Group) -> Call:
    at: Group | Command = root
    path: list[str] = []
    arguments: list[str] = []
    given: list[tuple[Option, str]] = []
    left = iter(words)
    for word in left:
        if word.startswith("-"):
            option = _called(at, word)
            given.append((option, "" if option.is_alone else _plain(next(left, ""))))
        elif isinstance(at, Group):
            at = _below(at, word)
            path.append(word)
        else:
            arguments.append(_plain(word))
    if isinstance(at, Group):
        raise _NotPlain
    of_session = _of_session(given)
    by_service = bool(of_session.get("server"))
    own = [option for option in at.options if option not in GLOBAL_OPTIONS]
    values = {option.name: _value(option, [text for one, text in given if one is option], by_service) for option in own}
    return Call(at, " ".join(path), {**values, **_of_arguments(at, arguments, by_service)}, of_session)


def _called(at: Group | Command, word: str) -> Option:
    for option in at.options:
        if word in option.flags:
            return option
    raise _NotPlain


def _below(group: Group, name: str) -> Group | Command:
    found = group.find(name)
    if found is None:
        raise _NotPlain
    return found


def _plain(text: str) -> str:
    """A value or an argument that is none of click's special cases: empty, or as an option."""
    if not text or text.startswith("-"):
        raise _NotPlain
    return text


def _of_session(given: Sequence[tuple[Option, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option in GLOBAL_OPTIONS:
        texts = [text for one, text in given if one is option]
        if texts:
            found[option.name] = len(texts) if option.counts else _value(option, texts, False)
    return found


def _value(option: Option, texts: Sequence[str], by_service: bool) -> Any:
    if option.multiple:
        return tuple(converted(option.kind, text, by_service) for text in texts)
    if option.value is not None:
        return option.value if texts else not option.value
    if len(texts) > 1 or (option.required and not texts):
        raise _NotPlain
    value = texts[0] if texts else option.default
    return None if value is None else converted(option.kind, value, by_service)


def _of_arguments(command: Command, texts: Sequence[str], by_service: bool) -> dict[str, Any]:
    wanted = command.arguments
    if [argument.many for argument in wanted] == [True]:
        if not texts:
            raise _NotPlain
        return {wanted[0].name: tuple(converted(wanted[0].kind, text, by_service) for text in texts)}
    if len(texts) > len(wanted) or any(argument.required for argument in wanted[len(texts) :]):
        raise _NotPlain
    values = [*texts, *(argument.default for argument in wanted[len(texts) :])]
    return {
        argument.name: None if value is None else converted(argument.kind, value, by_service)
        for argument, value in zip(wanted, values, strict=True)
    }
