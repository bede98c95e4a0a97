"""Options that every command takes before and after its name, and groups that say which command may be meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

import click
from click.core import ParameterSource

from zkgpu.cli.session import Session
from zkgpu.errors import UsageError


class GlobalOption(click.Option):
    """An option of every command at every depth. It sets the attribute of its name of the session.

    Given twice with different values it is refused; `-v` counts. Only the help of the whole program lists it.
    """

    def __init__(self, *names: str, **settings: Any) -> None:
        is_value = not settings.get("is_flag") and not settings.get("count")
        super().__init__(names, expose_value=False, callback=_keep, multiple=is_value, **settings)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        return None if ctx.parent else super().get_help_record(ctx)


def _keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    session, name = context.ensure_object(Session), str(option.name)
    if context.get_parameter_source(name) is ParameterSource.DEFAULT:
        return
    if getattr(option, "count", False):
        value += getattr(session, name)
    for one in value if option.multiple else [value]:
        if option.multiple and session.given.setdefault(name, one) != one:
            raise UsageError(f"{option.opts[0]}: it is given as {session.given[name]} and as {one}: give it once")
        setattr(session, name, one)


class _Device(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.2
    """The name of a device, which is looked at by commands that compute nothing too."""

    name = "device"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if re.fullmatch(r"auto|cpu|reference|cuda(:\d+)?", value, re.ASCII) is None:
            raise UsageError(f"unknown device '{value}': use auto, cpu, cuda or cuda:N")
        return value


GLOBAL_OPTIONS = (
    GlobalOption("--device", type=_Device(), metavar="auto|cpu|cuda[:N]", help="Where to compute; auto by default."),
    GlobalOption("--threads", type=click.IntRange(min=1), help="CPU threads; all cores by default."),
    GlobalOption("--json", is_flag=True, help="Print one JSON object on standard output."),
    GlobalOption("-q", "--quiet", is_flag=True, help="Print errors, and what is unsafe, only."),
    GlobalOption("-v", "--verbose", "verbosity", count=True, help="Say more on standard error; twice for all."),
    GlobalOption("--no-progress", "progress", is_flag=True, flag_value=False, help="No progress display."),
    GlobalOption("--timings", is_flag=True, help="Say how long each stage took."),
    GlobalOption("--server", metavar="URL", is_eager=True, help="Let a `zkgpu serve` there prove or verify."),
    GlobalOption("--token-file", metavar="FILE", help="The token that it wants."),
    GlobalOption("--show-values", is_flag=True, help="Show values of witnesses and inputs in errors and logs."),
)
_EPILOG = "Every command takes --json, -q, -v, --device, --threads and more: see `zkgpu --help`."


def with_global_options(command: click.Command) -> click.Command:
    """The command, and those below it, with the options that all take."""
    if any(isinstance(option, GlobalOption) for option in command.params):
        return command
    taken = {name for option in command.params for name in option.opts}
    command.params += [option for option in GLOBAL_OPTIONS if not taken & set(option.opts)]
    command.epilog = command.epilog or _EPILOG
    if isinstance(command, click.Group):
        for below in command.commands.values():
            with_global_options(below)
    return command


class Group(click.Group):
    """A group whose commands stand in order of use; it names those which somebody may have meant, here or elsewhere.

    Attributes:
        later: the last commands by name, each as the module of this package and the name in it that it is imported
            from when it is called: "batch.batch_command"
    """

    later: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*(name for name in self.commands if name not in self.later), *self.later]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.later and cmd_name not in self.commands:
            module, _, name = self.later[cmd_name].partition(".")
            self.add_command(with_global_options(getattr(import_module(f"zkgpu.cli.{module}"), name)), cmd_name)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name.startswith("-") or ctx.resilient_parsing or self.get_command(ctx, name):
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches

        own = {command: f"{ctx.command_path} {command}" for command in self.list_commands(ctx)}
        meant = _all_named(ctx.find_root(), [name]) or [own[near] for near in _near(name, own)]
        meant = meant or _all_named(ctx.find_root(), get_close_matches(name, _last_words(ctx.find_root())))
        raise UsageError(
            f"{ctx.command_path}: there is no command '{name}'"
            + (f": did you mean {_listed(meant)}?" if meant else f": `{ctx.command_path} --help` lists them")
        )


class Choice(click.Choice):  # type: ignore[type-arg]  # not generic before click 8.2
    """A choice that says which value may be meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            from difflib import get_close_matches

            meant = get_close_matches(str(value), [str(choice) for choice in self.choices])
            self.fail(error.message + (f" Did you mean {_listed(meant)}?" if meant else ""), param, ctx)


def said(error: click.ClickException) -> str:
    """What click says of a command line; of one with arguments too many or too few, with what the command takes."""
    text, context = error.format_message(), getattr(error, "ctx", None)
    if type(error) not in (click.UsageError, click.MissingParameter) or context is None:
        return text
    if isinstance(context.command, click.Group) and text.startswith("Missing command"):
        return f"Missing command: give {context.command_path} {'|'.join(context.command.list_commands(context))}"
    return (
        f"{text.rstrip('.')}: give {' '.join([context.command_path, *context.command.collect_usage_pieces(context)])}"
    )


def paths(command: click.Command, ctx: click.Context) -> Iterator[str]:
    """The names that lead to each command below this one: `export vk`."""
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(ctx):
        below = command.get_command(ctx, name)
        yield name
        if below is not None:
            yield from (f"{name} {path}" for path in paths(below, ctx))


def _all_named(root: click.Context, names: Sequence[str]) -> list[str]:
    """The commands anywhere that have one of the names."""
    return [f"{root.command_path} {path}" for path in paths(root.command, root) if path.split()[-1] in names]


def _last_words(root: click.Context) -> set[str]:
    return {path.split()[-1] for path in paths(root.command, root)}


def _near(name: str, names: Iterable[str]) -> list[str]:
    """The names that begin so, or else those that look alike."""
    from difflib import get_close_matches

    known = list(names)
    begun = [one for one in known if len(name) > 1 and one.startswith(name)]
    return begun or get_close_matches(name, known)


def _listed(names: Sequence[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)
