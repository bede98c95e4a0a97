"""Kinds of values that commands take: what each text stands for, and why some stand for nothing.

Whatever takes one text and raises ValueError for some is such a kind too: int, float, `limits.size`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias


class Refused(ValueError):
    """A text that stands for no value: why, in words for whoever gave it."""


class PathKind:
    """The name of a file or a folder, as it is given.

    Args:
        exists: something must be there
        file_okay, dir_okay, writable: what may be there, where something is
    """

    def __init__(
        self, *, exists: bool = False, file_okay: bool = True, dir_okay: bool = True, writable: bool = False
    ) -> None:
        self.exists, self.file_okay, self.dir_okay, self.writable = exists, file_okay, dir_okay, writable

    def convert(self, text: str, by_service: bool = False) -> str:
        """The name. Raises Refused, in click's words where click has some.

        Args:
            by_service: a service does the work, which may have the file
        """
        if not text:
            raise Refused("the name is empty: is a variable of the shell not set?")
        try:
            mode = os.stat(text).st_mode
        except OSError:
            if self.exists:
                raise Refused(f"{self._what} {text!r} does not exist.") from None
            return text
        for is_wrong, found in (
            (not self.file_okay and stat.S_ISREG(mode), "a file"),
            (not self.dir_okay and stat.S_ISDIR(mode), "a directory"),
            (not os.access(text, os.R_OK), "not readable"),
            (self.writable and not os.access(text, os.W_OK), "not writable"),
        ):
            if is_wrong:
                raise Refused(f"{self._what} {text!r} is {found}.")
        return text

    @property
    def _what(self) -> str:
        return "Path" if self.file_okay == self.dir_okay else "File" if self.file_okay else "Directory"


class GivenFile(PathKind):
    """A file that must be there."""

    def __init__(self, dir_okay: bool = False) -> None:
        super().__init__(exists=True, dir_okay=dir_okay)

    def convert(self, text: str, by_service: bool = False) -> str:
        if text == "-":
            raise Refused("standard input is not read: give the name of a file")
        if ".py:" in text and not os.path.isfile(text):
            raise Refused(f"'{text}' is a Python circuit, not a file: check the order of the arguments")
        return super().convert(text, by_service)


class FileOrProgram(GivenFile):
    """A file that must be there, or FILE.py:name."""

    def convert(self, text: str, by_service: bool = False) -> str:
        super().convert(split(text)[0] if is_program(text) else text, by_service)
        return text


class KeyPath(GivenFile):
    """A file that is there; or, where a service does the work, perhaps only a key's name there."""

    def convert(self, text: str, by_service: bool = False) -> str:
        return text if by_service and text else super().convert(text, by_service)


class IntRange:
    """A whole number with bounds, which are values too."""

    def __init__(self, least: int, most: int | None = None) -> None:
        self.least, self.most = least, most

    def __call__(self, text: str) -> int:
        number = int(text)
        if number < self.least or (self.most is not None and number > self.most):
            raise Refused(f"{number} is out of range")
        return number


class Choice:
    """One of some words."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)

    def __call__(self, text: str) -> str:
        if text not in self.words:
            raise Refused(f"'{text}' is none of {', '.join(self.words)}")
        return text


class Stream:
    """A file opened for its bytes, or standard input for `-`. Only click opens it."""

    def __call__(self, text: str) -> Any:
        raise Refused(f"{text} is not opened here")


Kind: TypeAlias = PathKind | Callable[[str], Any]
FILE = GivenFile()
FOLDER = PathKind(file_okay=False)
OUTPUT = PathKind(dir_okay=False, writable=True)


def converted(kind: Kind, text: Any, by_service: bool = False) -> Any:
    """What a text stands for; a default may be the value itself. Raises ValueError, or what the kind raises."""
    return kind.convert(text, by_service) if isinstance(kind, PathKind) else kind(text)


def is_program(source: str) -> bool:
    """Whether this is FILE.py:name, if only in part, and not another file of such a name."""
    return source.endswith(".py") or (".py:" in source and not os.path.isfile(source))


def split(source: str) -> tuple[str, str]:
    """The file and the name of FILE.py:name."""
    path, _, name = (source if ".py:" in source else f"{source}:").rpartition(":")
    return path, name
