"""`mainspring run -- python train.py`: any command becomes a recorded run, without an edit."""

from __future__ import annotations

import json
from typing import Any

import click

from mainspring.interfaces.cli.frame import Command, chosen
from mainspring.interfaces.cli.loading import load

RECORD = "mainspring.interfaces.cli.recorded:record"
WANTED = "mainspring.interfaces.cli.recorded:Wanted"


class Entry(click.ParamType[tuple[str, str]]):
    """`key=value`."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split it at the first sign, or say what was expected."""
        key, sign, rest = str(value).partition("=")
        if not sign or not key.strip():
            self.fail(f"{value!r} is no entry; wanted KEY=VALUE, such as rate=0.1", param, ctx)
        return key.strip(), rest


def typed(text: str) -> Any:
    """The value of a parameter: a number, a boolean, null, a list or an object as JSON, else text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


@click.command(
    cls=Command,
    context_settings={"allow_interspersed_args": False},
    options_metavar="[-p KEY=VALUE]... [OPTIONS]",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.option(
    "-p", "--param", "params", type=Entry(), multiple=True, metavar="KEY=VALUE",
    help="A parameter: kept as configuration, put in for {KEY} in the command, and in MAINSPRING_PARAMS.",
)  # fmt: skip
@click.option("--name", default="", help="The run's name.")
@click.option("-e", "--experiment", default="Default", show_default=True, help="Where it is kept.")
@click.option("--tag", "tags", type=Entry(), multiple=True, metavar="KEY=VALUE", help="A tag.")
@click.option("--note", default="", metavar="TEXT", help="What it is about.")
@click.option(
    "--on-duplicate", type=click.Choice(["warn", "reuse", "stop"]),
    help="If configuration, code and data equal an earlier run's: say so, do nothing, or fail.",
)  # fmt: skip
@click.option(
    "--autolog/--no-autolog", default=True, show_default=True,
    help="Have trainings of known libraries record themselves.",
)  # fmt: skip
@click.pass_context
def run(context: click.Context, /, command: tuple[str, ...], **given: Any) -> None:
    """Run a command and record it: code, machine, output, and what known libraries train.

    The command is not changed: it has this terminal, its output appears as ever, and its exit code
    is the one of this command (127 if it is not found). Tracking that fails never fails it.
    """
    choices = chosen()
    wanted = load(WANTED)(
        command=list(command),
        params={key: typed(text) for key, text in given.pop("params")},
        tags=dict(given.pop("tags")),
        choices=choices,
        **given,
    )
    context.exit(load(RECORD)(wanted))
