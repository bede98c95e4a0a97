"""CUDA C++ sources as self-contained texts, and the signatures of the kernels in them."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from zkgpu.errors import ResourceError
from zkgpu.records import dataclass

_INCLUDE = re.compile(r'^#include "([\w.]+)"$', re.MULTILINE)
_FILE = re.compile(r"\w+\.cuh?")
_KERNEL = re.compile(r"^ZK_KERNEL\((\d+)(?:, \d+)?\)\s+(\w+)\(([^)]*)\)", re.MULTILINE)


@dataclass(frozen=True)
class Parameter:
    """A kernel's parameter: the type of a number, or of the elements a pointer leads to."""

    name: str
    type: str
    is_pointer: bool


@dataclass(frozen=True)
class Signature:
    """A kernel's name, parameters and largest block."""

    name: str
    parameters: tuple[Parameter, ...]
    max_threads: int


@dataclass(frozen=True)
class Source:
    """A module's whole text: no includes are left, so a digest of it stands for all it is made of."""

    name: str
    text: str

    def signatures(self) -> dict[str, Signature]:
        """The kernels of the text, by name."""
        found = (Signature(n, _parameters(p), int(threads)) for threads, n, p in _KERNEL.findall(self.text))
        return {signature.name: signature for signature in found}


@lru_cache(maxsize=256)
def load(*parts: str, name: str = "") -> Source:
    """The source made of parts, each a file of cuda/ (its includes in place, every file once) or a line of code.

    Kernel files take the numbers of a curve from the parts before them:
    load(f"{curve.name}.cuh", "using Coordinate = Base;", "msm.cu").
    """
    seen: set[str] = set()
    texts = [_expanded(part, seen) if _FILE.fullmatch(part) else part for part in parts]
    return Source(name or parts[-1], "\n".join(texts))


def _expanded(name: str, seen: set[str]) -> str:
    """The text of a file with every include replaced by what it names, each file once."""
    seen.add(name)
    out, at = [f'#line 1 "{name}"'], 0
    text = read(name).replace("#pragma once", "")
    for match in _INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start()) + 2
        included = "" if match[1] in seen else _expanded(match[1], seen)
        out += [text[at : match.start()], included, f'#line {line} "{name}"']
        at = match.end() + 1
    return "\n".join([*out, text[at:]])


@lru_cache
def read(name: str) -> str:
    """The text of a file of cuda/. Raises ResourceError when it is not there."""
    path = folder() / name
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}: the installation is damaged, install zkgpu again") from error


def folder() -> Path:
    """Where the CUDA sources are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "cuda"
    return installed if installed.is_dir() else package.parent / "cuda"


def _parameters(text: str) -> tuple[Parameter, ...]:
    return tuple(_parameter(part) for part in text.split(",") if part.strip())


def _parameter(text: str) -> Parameter:
    kind, name = text.strip().removeprefix("const ").rsplit(" ", 1)
    return Parameter(name, kind.rstrip("* "), "*" in kind)
