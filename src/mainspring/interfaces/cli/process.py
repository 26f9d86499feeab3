"""`mainspring up` and `down`: the server's process."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import click

from mainspring.core.errors import Conflict, Unavailable
from mainspring.core.home import Home
from mainspring.core.settings import DEFAULT_PORT, Settings, read_variable, read_words
from mainspring.interfaces.cli.connection import chosen_home
from mainspring.interfaces.cli.frame import Command, chosen, note
from mainspring.interfaces.cli.loading import SERVE, load
from mainspring.interfaces.cli.output import show_json

LOOK_S = 0.05


@click.command(cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to serve on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="The port; 0 takes any that is free.",
)
@click.option("--database", metavar="URL", help="Of PostgreSQL; SQLite in the home if not given.")
@click.option("--artifacts", metavar="DIR", help="Where files go; into the home if not given.")
@click.option("--testing", is_flag=True, help="Add POST /testing/reset, which empties the store.")
@click.pass_context
def up(context: click.Context, /, **given: Any) -> None:
    """Start the server here, until it is stopped by Ctrl-C or `mainspring down`."""
    settings = Settings(
        home=chosen_home(chosen()),
        host=given["host"],
        port=given["port"],
        database=given["database"] or read_variable("MAINSPRING_DATABASE"),
        artifacts=given["artifacts"] or read_variable("MAINSPRING_ARTIFACTS"),
        audit=read_variable("MAINSPRING_AUDIT_FOLDER"),
        allowed_origins=read_words("MAINSPRING_ALLOWED_ORIGINS"),
        allowed_hosts=read_words("MAINSPRING_ALLOWED_HOSTS"),
        testing=given["testing"],
    )
    context.exit(load(SERVE)(settings))


@click.command(cls=Command)
@click.option(
    "--timeout", type=click.FloatRange(0), default=60, show_default=True,
    help="How many seconds to wait until it has ended.",
)  # fmt: skip
def down(timeout: float) -> None:
    """Stop the server of a home, and wait until it has ended."""
    home = Home(chosen_home(chosen()))
    server = home.server()
    if server is None:
        _told(None, f"no server runs on {home.folder}")
        return
    if lock_holder(home) != server.pid:
        raise Conflict(
            f"process {server.pid} does not hold the lock of {home.folder}: it is not its server",
            fix="mainspring doctor shows who is who",
        )
    os.kill(server.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while lock_holder(home) == server.pid:
        if time.monotonic() > deadline:
            raise Unavailable(
                f"process {server.pid} still runs {timeout:g} s after it was told to stop",
                fix=f"wait longer with --timeout; kill -9 {server.pid} loses nothing acknowledged",
            )
        time.sleep(LOOK_S)
    _told(server.pid, f"stopped the server at {server.url} (process {server.pid})")


def _told(stopped: int | None, text: str) -> None:
    if chosen().as_json:
        show_json({"stopped": stopped})
    else:
        note(text)


def lock_holder(home: Home) -> int | None:
    """The process that holds the home's lock, as the kernel says: a file may name a dead one."""
    try:
        inode = (home.folder / "lock").stat().st_ino
    except FileNotFoundError:
        return None
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):
            return int(fields[4])
    return None
