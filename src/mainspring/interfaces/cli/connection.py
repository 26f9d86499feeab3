"""The connection that a command works over, as its global options say."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import click

from mainspring.core.errors import MainspringError, Unreachable
from mainspring.core.operation import Client
from mainspring.core.settings import home_folder
from mainspring.interfaces.cli.frame import Choices, chosen, note
from mainspring.interfaces.cli.loading import CONNECT, SYNC, load

CONNECT_S = 5.0
SPOOL = "spool"


class Connection(Protocol):
    """What a command needs of a connection."""

    client: Client
    workspace: str

    @property
    def url(self) -> str | None:
        """The server's address; None while operations are performed in this process."""
        ...

    @property
    def token(self) -> str | None:
        """The token that the connection signs in with."""
        ...

    def __enter__(self) -> Any: ...
    def __exit__(self, *_: object) -> None: ...


def connected() -> Connection:
    """Connect to the server that the options, the environment or the home name."""
    choices = chosen()
    # Loaded here: the client library costs more than all the help there is.
    connection: Connection = load(CONNECT)(
        choices.home, choices.url, choices.token, choices.workspace
    )
    if connection.url is not None:
        _knock(connection.url)
    _take_in(connection, choices)
    if choices.verbose:
        place = connection.url or f"in this process on {chosen_home(choices)}"
        click.echo(f"connected: {place}", err=True)
    return connection


def _take_in(connection: Connection, choices: Choices) -> None:
    """What killed trainings have left in the spool of this home belongs to what is looked at."""
    spool = chosen_home(choices) / SPOOL
    if choices.url is not None or not spool.is_dir() or not any(spool.iterdir()):
        return
    with contextlib.suppress(MainspringError):
        synced = load(SYNC)(spool, connection.client, url=None, workspace=connection.workspace)
        if synced.shipped:
            note(f"taken in from the spool: {len(synced.shipped)} runs whose processes are gone")


def _knock(url: str) -> None:
    """Find out at once that nobody is there: the client waits half a minute for a server."""
    parts = urlsplit(url)
    place = (parts.hostname or "", parts.port or {"https": 443}.get(parts.scheme, 80))
    try:
        socket.create_connection(place, CONNECT_S).close()
    except OSError as error:
        raise Unreachable(
            f"nothing answers at {url}: {error.strerror or error}",
            fix="mainspring status; mainspring doctor; mainspring up",
        ) from error


def chosen_home(choices: Choices) -> Path:
    """The home of this command."""
    return home_folder(str(choices.home) if choices.home else None)
