"""`mainspring doctor`: what is broken here, one line each, with the way to mend it."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from mainspring.administration.contract import Nothing, verify_events
from mainspring.core.errors import MainspringError
from mainspring.core.home import Home
from mainspring.core.settings import DEFAULT_PORT, Settings, read_variable
from mainspring.interfaces.cli.connection import chosen_home, connected
from mainspring.interfaces.cli.frame import Command, chosen
from mainspring.interfaces.cli.loading import DATABASE, REVISION_OF, REVISIONS, load
from mainspring.interfaces.cli.output import show_json
from mainspring.interfaces.cli.requirements import requirements

OLDEST_PYTHON = (3, 11)
LITTLE_SPACE = 1 << 30
NO_SPACE = 100 << 20
EXIT_BROKEN = 1

Health = Literal["ok", "note", "broken"]


class Finding(msgspec.Struct, frozen=True):
    """What was found of one part."""

    part: str
    health: Health
    found: str
    fix: str | None = None


@click.command(cls=Command)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="The port that `mainspring up` would take.",
)
@click.option("--database", metavar="URL", help="Of PostgreSQL; SQLite in the home if not given.")
@click.pass_context
def doctor(context: click.Context, /, port: int, database: str | None) -> None:
    """Look at everything that Mainspring stands on; exit code 1 if something is broken."""
    home = Home(chosen_home(chosen()))
    settings = Settings(
        home=home.folder, port=port, database=database or read_variable("MAINSPRING_DATABASE")
    )
    found = [
        _python(),
        *_packages(),
        _writable(home.folder),
        _space(home.folder),
        _server(home),
        _port(settings, home),
        *_stored(settings),
    ]
    if chosen().as_json:
        show_json(found)
    else:
        _tell(found)
    context.exit(EXIT_BROKEN if any(one.health == "broken" for one in found) else 0)


def _tell(findings: list[Finding]) -> None:
    width = max(len(one.part) for one in findings)
    for one in findings:
        if chosen().quiet and one.health != "broken":
            continue
        fix = f"; fix: {one.fix}" if one.fix else ""
        click.echo(f"{one.health:<7} {one.part:<{width}}  {one.found}{fix}")


def _python() -> Finding:
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding("python", "broken", found, "use Python 3.11 or newer")
    return Finding("python", "ok", found)


def _packages() -> Iterator[Finding]:
    needed = requirements()
    for extra in [None, *sorted({one.extra for one in needed if one.extra})]:
        part = f"extra {extra}" if extra else "packages"
        what = f"mainspring[{extra}]" if extra else "mainspring"
        wanted = [one for one in needed if one.extra == extra]
        wrong = [one for one in wanted if not one.fits]
        if not wrong:
            yield Finding(part, "ok", ", ".join(f"{one.package} {one.found}" for one in wanted))
            continue
        said = ", ".join(
            f"{one.package} {one.found or 'missing'} (wanted {one.wanted})" for one in wrong
        )
        absent = extra is not None and all(one.found is None for one in wrong)
        health: Health = "note" if absent else "broken"
        yield Finding(part, health, said, f"pip install '{what}'")


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _writable(folder: Path) -> Finding:
    place = _existing(folder)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Finding("home", "broken", f"{place} cannot be written to", "take another --home")
    made = "" if place == folder else "; not there yet, `mainspring up` makes it"
    return Finding("home", "ok", f"{folder}{made}")


def _space(folder: Path) -> Finding:
    free = shutil.disk_usage(_existing(folder)).free
    found = f"{free / (1 << 30):.1f} GiB free"
    if free < NO_SPACE:
        return Finding("disk", "broken", found, "make room, or take a --home on another disk")
    return Finding("disk", "note" if free < LITTLE_SPACE else "ok", found)


def _server(home: Home) -> Finding:
    server = home.server()
    if server is not None:
        return Finding("server", "ok", f"process {server.pid} at {server.url}")
    if home.is_locked():
        return Finding("server", "note", "another process works in the home just now")
    if (home.folder / "server.json").exists():
        return Finding(
            "server",
            "note",
            "the last one did not end by itself",
            "mainspring up goes on from there",
        )
    return Finding("server", "ok", "none runs")


def _port(settings: Settings, home: Home) -> Finding:
    server = home.server()
    if server is not None and server.url.endswith(f":{settings.port}"):
        return Finding("port", "ok", f"{settings.port} is our server's")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            # A running server has its port already: that this one is taken then harms nobody.
            health: Health = "note" if server is not None else "broken"
            said = f"{settings.port} cannot be had: {error.strerror}"
            return Finding("port", health, said, "mainspring up --port PORT")
    return Finding("port", "ok", f"{settings.port} is free")


def _stored(settings: Settings) -> Iterator[Finding]:
    """The database, and the events in it if it can be read."""
    if settings.database is None and not (settings.home / "mainspring.db").exists():
        yield Finding("database", "ok", "none yet; `mainspring up` makes it")
        return
    finding = _database(settings)
    yield finding
    if finding.health == "ok":
        yield _events()


def _database(settings: Settings) -> Finding:
    wanted = load(REVISIONS)()[-1]
    try:
        opened = load(DATABASE)(settings.database_url)
        try:
            found = load(REVISION_OF)(opened)
        finally:
            opened.close()
    except Exception as error:  # noqa: BLE001  whatever it is that a driver raises is the finding
        said = str(error).splitlines()[0]
        return Finding("database", "broken", said, "is the URL right, is its server running?")
    return _revision(found, wanted)


def _revision(found: str | None, wanted: str) -> Finding:
    if found is None:
        return Finding("database", "note", "empty", "mainspring admin migrate")
    if found < wanted:
        said = f"at revision {found}, wanted {wanted}"
        return Finding("database", "broken", said, "mainspring admin migrate")
    if found > wanted:
        said = f"at revision {found}, newer than this release's {wanted}"
        return Finding("database", "broken", said, "install the release that wrote it")
    return Finding("database", "ok", f"reachable, at revision {found}")


def _events() -> Finding:
    try:
        with connected() as connection:
            chain: Any = connection.client.call(verify_events, Nothing())
    except MainspringError as error:
        return Finding("events", "broken", error.message, error.fix)
    if chain.faults:
        return Finding(
            "events",
            "broken",
            "; ".join(fault.found for fault in chain.faults),
            "restore a backup, and find out who wrote into the database or the checkpoints",
        )
    return Finding("events", "ok", f"{chain.events} events, {chain.checkpoints} checkpoints hold")
