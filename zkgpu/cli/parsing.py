"""Click, made of what commands declare: it reads the lines that are not `plain`, helps, completes words, and says what
is wrong with a line. Groups say which command may be meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click
from click.core import ParameterSource

import zkgpu
from zkgpu.cli import declaring, types
from zkgpu.cli.program import EXIT_CODES, ROOT, by_heading
from zkgpu.cli.session import Session
from zkgpu.errors import UsageError

_EPILOG = "Every command takes --json, -q, -v, --device, --threads and more: see `zkgpu --help`."


class GlobalOption(click.Option):
    """An option of every command at every depth. It sets the attribute of its name of the session.

    Given twice with different values it is refused; `-v` counts. Only the help of the whole program lists it.
    """

    def __init__(self, option: declaring.Option) -> None:
        settings = _settings(option) | {"multiple": not option.is_alone}
        super().__init__([*option.flags, option.name], expose_value=False, callback=_keep, **settings)

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


def _settings(option: declaring.Option) -> dict[str, Any]:
    """What click is told of an option."""
    found = {name: getattr(option, name) for name in ("required", "multiple", "help", "show_default", "hidden")}
    found["metavar"] = option.metavar
    if option.default is not None:
        found["default"] = option.default
    if option.counts:
        return {**found, "count": True}
    if option.value is not None:
        return {**found, "is_flag": True, "flag_value": option.value}
    return {**found, "type": _type(option.kind)}


def _argument(argument: declaring.Argument) -> click.Argument:
    default = {} if argument.default is None else {"default": argument.default}
    return click.Argument(
        [argument.name],
        type=_type(argument.kind),
        required=argument.required,
        nargs=-1 if argument.many else 1,
        metavar=argument.metavar,
        **default,
    )


def _type(kind: types.Kind) -> Any:
    """The kind, as click knows it."""
    if isinstance(kind, types.PathKind):
        return _Path(kind)
    if isinstance(kind, types.IntRange):
        return click.IntRange(kind.least, kind.most)
    if isinstance(kind, types.Choice):
        return Choice(kind.words)
    if isinstance(kind, types.Stream):
        return click.File("rb")
    return kind if kind in (str, int, float) else _Own(kind)


class _Path(click.Path):
    """A path, looked at by its kind."""

    def __init__(self, kind: types.PathKind) -> None:
        super().__init__(exists=kind.exists, file_okay=kind.file_okay, dir_okay=kind.dir_okay)
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        session = ctx.find_object(Session) if ctx else None
        try:
            return self._kind.convert(value, by_service=bool(session and session.server))
        except types.Refused as error:
            self.fail(str(error), param, ctx)


class _Own(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.2
    """What a function makes of a text."""

    name = "value"

    def __init__(self, kind: types.Kind) -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return types.converted(self._kind, value)
        except types.Refused as error:
            self.fail(str(error), param, ctx)


def made(declared: declaring.Command | declaring.Group) -> click.Command:
    """Click's command of what is declared."""
    return Group(declared) if isinstance(declared, declaring.Group) else _command(declared)


def _command(declared: declaring.Command) -> click.Command:
    def callback(**values: Any) -> Any:
        context = click.get_current_context()
        path = " ".join(context.command_path.split()[1:])
        return declared.run(context.ensure_object(Session), path, context.find_root().with_resource, values)

    parameters: list[click.Parameter] = [
        _argument(one) if isinstance(one, declaring.Argument) else _option(one) for one in declared.parameters
    ]
    return click.Command(declared.name, callback=callback, params=parameters, help=declared.help, epilog=_EPILOG)


def _option(option: declaring.Option) -> click.Option:
    if option in declaring.GLOBAL_OPTIONS:
        return GlobalOption(option)
    return click.Option([*option.flags, option.name], **_settings(option))


class Group(click.Group):
    """A group whose commands stand in order of use; it names those which somebody may have meant, here or elsewhere."""

    def __init__(self, declared: declaring.Group, **settings: Any) -> None:
        own: dict[str, Any] = {"help": declared.help, "epilog": _EPILOG, "no_args_is_help": False, **settings}
        super().__init__(declared.name, params=[GlobalOption(option) for option in declared.options], **own)
        self._declared = declared

    def list_commands(self, ctx: click.Context) -> list[str]:
        return self._declared.names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = None if cmd_name in self.commands else self._declared.find(cmd_name)
        if found is not None:
            self.add_command(made(found), cmd_name)
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


class Commands(Group):
    """The whole program."""

    def invoke(self, ctx: click.Context) -> Any:
        """An interruption is told of once, in one line: click would print an empty one first."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The docstring, with the proof systems, curves and exit codes that there are."""
        from zkgpu.curves import CURVES
        from zkgpu.systems.registry import NAMES, TITLES

        self.help = str(self.help).format(
            systems=" and ".join(TITLES[name] for name in NAMES),
            curves=" and ".join(curve.title for curve in CURVES),
            codes=", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()),
        )
        super().format_help_text(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands in order of use, under headings."""
        for heading, names in by_heading().items():
            with formatter.section(heading):
                commands = [(name, self.get_command(ctx, name)) for name in names]
                formatter.write_dl([(name, c.get_short_help_str(90)) for name, c in commands if c is not None])


cli = Commands(
    ROOT,
    epilog=None,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
click.version_option(zkgpu.__version__, prog_name="zkgpu")(cli)
cli.params.insert(0, cli.params.pop())  # it stands before the options of every command


def called(arguments: list[str], session: Session) -> object:
    """What the command gives that click finds in a line. Its own errors become those of the package."""
    try:
        return cli.main(arguments, prog_name="zkgpu", standalone_mode=False, obj=session)
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        raise UsageError(said(error)) from None


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
