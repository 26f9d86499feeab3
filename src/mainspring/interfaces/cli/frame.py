"""What every command has: the options of all, and help in two parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

_PREFIX = "global_"  # keeps their values apart from the fields of requests


@dataclass(slots=True)
class Choices:
    """What was chosen by the options that every command has."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    workspace: str | None = None
    home: Path | None = None
    url: str | None = None
    token: str | None = None
    yes: bool = False
    no_color: bool = False


def chosen() -> Choices:
    """The choices of the command that runs."""
    found: Choices = click.get_current_context().find_root().ensure_object(Choices)
    return found


def note(text: str) -> None:
    """Tell the person something that is not data, unless they want quiet."""
    if not chosen().quiet:
        click.echo(text, err=True)


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    # A default further down must not undo what was given further up: `mainspring --json runs list`.
    if context.get_parameter_source(parameter.name or "") is not ParameterSource.DEFAULT:
        choices = context.find_root().ensure_object(Choices)
        setattr(choices, (parameter.name or "").removeprefix(_PREFIX), value)


def _option(names: str, text: str, **more: Any) -> click.Option:
    *flags, name = names.split()
    return click.Option(
        [*flags, _PREFIX + name], help=text, callback=_keep, expose_value=False, **more
    )


def global_options() -> list[click.Parameter]:
    """The options that every command takes, fresh ones for each."""
    return [
        _option("--json as_json", "Print the answer as JSON.", is_flag=True),
        _option("-q --quiet quiet", "Print names and ids only, no notes.", is_flag=True),
        _option("-v --verbose verbose", "Show tracebacks and where we connect.", is_flag=True),
        _option("-w --workspace workspace", "The workspace.", metavar="NAME"),
        _option("--home home", "The home folder.", type=click.Path(path_type=Path), metavar="DIR"),
        _option("--url url", "The server's address.", metavar="URL"),
        _option("--token token", "The API token to sign in with.", metavar="TOKEN"),
        _option("--yes yes", "Do not ask whether you are sure.", is_flag=True),
        _option("--no-color no_color", "No colour.", is_flag=True),
    ]


def is_global(parameter: click.Parameter) -> bool:
    """Whether the option is one that every command has."""
    return (parameter.name or "").startswith(_PREFIX)


def write_options(
    command: click.Command, context: click.Context, formatter: click.HelpFormatter
) -> None:
    """The command's own options first, then those of every command."""
    own: list[tuple[str, str]] = []
    shared: list[tuple[str, str]] = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and not isinstance(parameter, click.Argument):
            (shared if is_global(parameter) else own).append(record)
    for title, records in (("Options", own), ("Options of every command", shared)):
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


class Command(click.Command):
    """A command that also takes the options of all."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["params"] = [*(kwargs.get("params") or ()), *global_options()]
        super().__init__(*args, **kwargs)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Own options first."""
        write_options(self, ctx, formatter)


class Group(click.Group):
    """A group whose commands are made when they are asked for; `helps` is all that help needs."""

    def __init__(self, name: str | None, helps: dict[str, str], **kwargs: Any) -> None:
        super().__init__(name, params=global_options(), no_args_is_help=False, **kwargs)
        self.helps = helps

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(self.helps)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, or an error that names the nearest one."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            raise click.exceptions.NoSuchCommand(args[0], possibilities=self.helps, ctx=ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """Names from the table: no command is loaded to complete another."""
        items = [
            click.shell_completion.CompletionItem(name, help=text)
            for name, text in self.helps.items()
            if name.startswith(incomplete)
        ]
        return items + click.Command.shell_complete(self, ctx, incomplete)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Commands first: that is what people look for."""
        self.format_commands(ctx, formatter)
        write_options(self, ctx, formatter)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.helps.items()))
