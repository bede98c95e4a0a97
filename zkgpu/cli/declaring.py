"""Commands as data: what each takes is said once, here as a decorator of the function that runs it.

`plain` reads by it the lines that are as they should be. For the others, for help and for completion `parsing` makes
click's commands of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from zkgpu.cli.types import IntRange, Kind
from zkgpu.errors import UsageError
from zkgpu.records import dataclass

if TYPE_CHECKING:
    from zkgpu.cli.session import Session

F = TypeVar("F", bound=Callable[..., Any])
_TAKEN = "_zkgpu_takes"  # the attribute of a function with what it takes


@dataclass(frozen=True)
class Option:
    """An option of a command.

    Attributes:
        name: of the parameter of the command's function, or of the session's attribute
        flags: as they are typed: `-o`, `--output`
        kind: of its value
        default: the value without it, as a text or as itself
        value: what a flag stands for; None where the option takes a value, or is counted
        counts: it has no value, and how often it is given is one
        multiple: it may be given often, and has a tuple of values
        help, metavar, show_default, hidden: what click's help says of it
    """

    name: str
    flags: tuple[str, ...]
    kind: Kind = str
    default: Any = None
    required: bool = False
    value: bool | None = None
    counts: bool = False
    multiple: bool = False
    help: str | None = None
    metavar: str | None = None
    show_default: bool = False
    hidden: bool = False

    @property
    def is_alone(self) -> bool:
        """Whether no value follows it."""
        return self.counts or self.value is not None


@dataclass(frozen=True)
class Argument:
    """An argument of a command.

    Attributes:
        name: of the parameter of the command's function
        kind: of its value
        default: the value without it
        many: it takes all arguments that there are, as a tuple
    """

    name: str
    kind: Kind = str
    default: Any = None
    required: bool = True
    many: bool = False
    metavar: str | None = None


@dataclass(frozen=True)
class Command:
    """A command: the function that runs it, which takes the session and then what is declared, by name."""

    name: str
    function: Callable[..., Any]
    taken: tuple[Option | Argument, ...]

    @property
    def help(self) -> str | None:
        return self.function.__doc__

    @property
    def arguments(self) -> list[Argument]:
        return [one for one in self.taken if isinstance(one, Argument)]

    @property
    def options(self) -> list[Option]:
        return [one for one in self.parameters if isinstance(one, Option)]

    @property
    def parameters(self) -> list[Option | Argument]:
        """What it declares, and the options of every command that it has no other ones for."""
        flags = {flag for one in self.taken if isinstance(one, Option) for flag in one.flags}
        return [*self.taken, *(option for option in GLOBAL_OPTIONS if not flags & set(option.flags))]

    def run(
        self, session: Session, path: str, enter: Callable[[AbstractContextManager[Any]], Any], values: dict[str, Any]
    ) -> Any:
        """What the function gives, after all options are read.

        Args:
            path: the names that lead to it: `export vk`
            enter: enters what lasts until the command has ended
        """
        session.begin(path, enter)
        return self.function(session, **values)


class Group:
    """Commands under a name, in order of use.

    Args:
        later: the last of them by name, each as the module of this package and the name in it that it is imported from
            when it is called: "batch.batch_command"
    """

    def __init__(self, name: str, help: str | None, later: Mapping[str, str] | None = None) -> None:
        self.name, self.help = name, help
        self._own: dict[str, Command | Group] = {}
        self._later = dict(later or {})

    @property
    def options(self) -> list[Option]:
        return [*GLOBAL_OPTIONS]

    def names(self) -> list[str]:
        return [*self._own, *self._later]

    def find(self, name: str) -> Command | Group | None:
        """The command or the group of that name."""
        if name in self._later:
            module, _, attribute = self._later[name].partition(".")
            found: Command | Group = getattr(import_module(f"zkgpu.cli.{module}"), attribute)
            return found
        return self._own.get(name)

    def command(self, name: str) -> Callable[[Callable[..., Any]], Command]:
        """Makes a command of this group of a function."""

        def made(function: Callable[..., Any]) -> Command:
            self._own[name] = found = command(name)(function)
            return found

        return made


def group(name: str, later: Mapping[str, str] | None = None) -> Callable[[Callable[[], None]], Group]:
    """Makes a group of a function that does nothing: its docstring is the help."""
    return lambda function: Group(name, function.__doc__, later)


def command(name: str) -> Callable[[Callable[..., Any]], Command]:
    """Makes a command of a function."""

    def made(function: Callable[..., Any]) -> Command:
        return Command(name, function, tuple(reversed(getattr(function, _TAKEN, []))))

    return made


def argument(name: str, **others: Any) -> Callable[[F], F]:
    """The function takes an argument. Others are attributes of `Argument`."""
    return _taking(Argument(name, **others))


def option(*names: str, is_flag: bool = False, **others: Any) -> Callable[[F], F]:
    """The function takes an option.

    Args:
        names: as they are typed, and that of the parameter where it is not the longest of them
        others: attributes of `Option`
    """
    return _taking(_option(*names, value=True if is_flag else None, **others))


def _option(*names: str, **others: Any) -> Option:
    flags = tuple(name for name in names if name.startswith("-"))
    [name] = [name for name in names if name not in flags] or [max(flags, key=len).lstrip("-").replace("-", "_")]
    return Option(name, flags, **others)


def all_of(*takings: Callable[[F], F]) -> Callable[[F], F]:
    """The function takes several, in this order."""

    def taking(function: F) -> F:
        for one in reversed(takings):
            function = one(function)
        return function

    return taking


def _taking(one: Option | Argument) -> Callable[[F], F]:
    def taking(function: F) -> F:
        vars(function).setdefault(_TAKEN, []).append(one)  # the last decorator stands first
        return function

    return taking


def _device(text: str) -> str:
    """The name of a device, which is looked at by commands that compute nothing too."""
    if re.fullmatch(r"auto|cpu|reference|cuda(:\d+)?", text, re.ASCII) is None:
        raise UsageError(f"unknown device '{text}': use auto, cpu, cuda or cuda:N")
    return text


# of every command at every depth: each sets the attribute of its name of the session
GLOBAL_OPTIONS = (
    _option("--device", kind=_device, metavar="auto|cpu|cuda[:N]", help="Where to compute; auto by default."),
    _option("--threads", kind=IntRange(1), help="CPU threads; all cores by default."),
    _option("--json", value=True, help="Print one JSON object on standard output."),
    _option("-q", "--quiet", value=True, help="Print errors, and what is unsafe, only."),
    _option("-v", "--verbose", "verbosity", counts=True, help="Say more on standard error; twice for all."),
    _option("--no-progress", "progress", value=False, help="No progress display."),
    _option("--timings", value=True, help="Say how long each stage took."),
    _option("--server", metavar="URL", help="Let a `zkgpu serve` there prove or verify."),
    _option("--token-file", metavar="FILE", help="The token that it wants."),
    _option("--show-values", value=True, help="Show values of witnesses and inputs in errors and logs."),
)
