"""The root of the command line, and what it ends with."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from mainspring import __version__
from mainspring.core.errors import MainspringError
from mainspring.interfaces.cli import failure
from mainspring.interfaces.cli.frame import Choices, Group
from mainspring.interfaces.cli.loading import load
from mainspring.interfaces.cli.table import DAILY, EXIT_CODES, NOUNS

NOUN_GROUP = "mainspring.interfaces.cli.generated:noun_group"


class ReaderGone(Exception):
    """When nobody reads what we print any more; click would end the process with 1 for it."""


class Root(Group):
    """`mainspring`: the daily verbs, and a group for each noun."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the arguments; help is printed on the way."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except BrokenPipeError:
            raise ReaderGone from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            answer = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            raise ReaderGone from None
        return answer

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the one command that is asked for."""
        if cmd_name in DAILY:
            command: click.Command = load(DAILY[cmd_name].place)
            return command
        if cmd_name in NOUNS:
            group: click.Command = load(NOUN_GROUP)(cmd_name, NOUNS[cmd_name])
            return group
        return None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs of the day, then the nouns."""
        with formatter.section("Every day"):
            formatter.write_dl([(name, entry.help) for name, entry in DAILY.items()])
        with formatter.section("By name (mainspring NOUN VERB)"):
            formatter.write_dl([(name, noun.help) for name, noun in NOUNS.items()])

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The exit codes."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), text) for code, text in EXIT_CODES.items()])


def _show_version(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value and not context.resilient_parsing:
        click.echo(f"mainspring {__version__}")
        context.exit()


def _greet() -> None:
    context = click.get_current_context()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


root = Root(
    "mainspring",
    {name: entry.help for name, entry in (DAILY | NOUNS).items()},
    callback=_greet,
    invoke_without_command=True,
    help="One platform for the whole life of a model: track, register, validate, deploy, monitor, "
    "retrain, and round again. Start with: mainspring demo, or mainspring up.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
root.params.append(
    click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_show_version,
        help="Print the version.",
    )
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; answers the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    choices = Choices()
    try:
        answer = root.main(given, prog_name="mainspring", standalone_mode=False, obj=choices)
    except ReaderGone:
        # The interpreter must not try to flush to it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except click.ClickException as error:
        return failure.of_usage(error, failure.Style.chosen_by(choices, given))
    except MainspringError as error:
        return failure.explained(error, failure.Style.chosen_by(choices, given))
    except Exception as error:  # noqa: BLE001  the edge of the program
        return failure.unexpected(error, failure.Style.chosen_by(choices, given))
    return answer if isinstance(answer, int) else 0
