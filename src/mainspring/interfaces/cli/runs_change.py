"""`mainspring runs tag`, `rm` and `restore`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from mainspring.core.errors import Invalid
from mainspring.core.operation import Client
from mainspring.interfaces.cli.cells import printable
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.frame import Command, chosen, note
from mainspring.interfaces.cli.output import show_json, show_object
from mainspring.interfaces.cli.requests import build
from mainspring.interfaces.sdk.runs_named import run_named, runs_named
from mainspring.tracking import contract, search_contract
from mainspring.tracking.contract import DropTag, NameRun


@click.command(cls=Command)
@click.argument("run", metavar="RUN")
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--remove", multiple=True, metavar="KEY", help="A tag to take off.")
def tag(run: str, pairs: Sequence[str], remove: Sequence[str]) -> None:
    """Set tags of a run, or take some off.

    A value may hold `=`; one that a tag had before is replaced.
    """
    tags = dict(_pair(pair) for pair in pairs)
    if not tags and not remove:
        raise Invalid(
            "there is nothing to set and nothing to take off", field="tags",
            fix="mainspring runs tag RUN team=ads --remove old",
        )  # fmt: skip
    with connected() as connection:
        client = connection.client
        public_id = run_named(client, run)
        if tags:
            client.call(contract.log_run, build(contract.log_run, {"run": public_id, "tags": tags}))
        for key in remove:
            client.call(contract.drop_tag, DropTag(run=public_id, key=key))
        found = client.call(search_contract.find_run, NameRun(run=public_id))
    if chosen().as_json:
        show_json({"id": public_id, "tags": found.tags})
    elif chosen().quiet:
        click.echo(public_id)
    else:
        show_object(dict(sorted(found.tags.items())))


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise Invalid(f"{text!r} is no tag; wanted KEY=VALUE", field="tags", fix="team=ads")
    return key, value


@click.command(cls=Command)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
def rm(runs: Sequence[str]) -> None:
    """Delete runs; they can be restored until they are collected."""
    with connected() as connection:
        client = connection.client
        ids = runs_named(client, runs)
        if sys.stdin.isatty() and not chosen().yes:
            told = ", ".join(_told(client, one) for one in ids)
            click.confirm(f"delete {told}. Go on?", abort=True, err=True)
        for public_id in ids:
            client.call(contract.delete_run, NameRun(run=public_id))
    _say(ids, "deleted")
    note(f"to bring back: mainspring runs restore {' '.join(one[:8] for one in ids)}")


def _told(client: Client, public_id: str) -> str:
    found = client.call(search_contract.find_run, NameRun(run=public_id))
    return f"{public_id[:8]} {printable(found.name)} ({found.status})".replace("  ", " ")


@click.command(cls=Command)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
def restore(runs: Sequence[str]) -> None:
    """Bring a deleted run back.

    Of a deleted run and one that is not, with the same name, the former is meant.
    """
    with connected() as connection:
        client = connection.client
        ids = runs_named(client, runs, deleted=True)
        for public_id in ids:
            client.call(contract.restore_run, NameRun(run=public_id))
    _say(ids, "restored")


def _say(ids: Sequence[str], what: str) -> None:
    if chosen().as_json:
        show_json({what: ids})
    elif chosen().quiet:
        click.echo("".join(f"{one}\n" for one in ids), nl=False)
    else:
        note(f"{what}: {', '.join(one[:8] for one in ids)}")
