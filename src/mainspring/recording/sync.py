"""Ships what the spool of a home still holds of runs whose processes are gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mainspring.core.errors import MainspringError
from mainspring.core.operation import FileClient
from mainspring.recording.delivery import Delivery
from mainspring.recording.spool import SpoolFolder, folders


@dataclass(slots=True)
class Synced:
    """What became of the runs in the spool."""

    shipped: list[str] = field(default_factory=list)
    """Runs of which everything has arrived."""
    running: list[str] = field(default_factory=list)
    """Runs whose processes live and ship by themselves."""
    elsewhere: list[str] = field(default_factory=list)
    """Runs that belong to another server or workspace."""
    waiting: dict[str, str] = field(default_factory=dict)
    """Runs that could not be shipped, and why."""
    refused: list[str] = field(default_factory=list)
    """Runs of which something was not taken; it is kept in `spool/refused`."""


def sync(spool: Path, client: FileClient, *, url: str | None, workspace: str) -> Synced:
    """Ship what belongs to the client's server and workspace; again is harmless."""
    synced = Synced()
    for folder in folders(spool):
        target = folder.target()
        if target is None:
            continue
        if target.workspace != workspace or (target.url is not None and target.url != url):
            synced.elsewhere.append(target.run)
        elif not folder.own():
            synced.running.append(target.run)
        else:
            _ship(folder, target.run, client, synced)
    return synced


def _ship(folder: SpoolFolder, run: str, client: FileClient, synced: Synced) -> None:
    delivery = Delivery(folder, run)
    try:
        delivery.ship_last(client)
    except MainspringError as error:
        synced.waiting[run] = error.message
    else:
        synced.shipped.append(run)
    finally:
        folder.disown()
    if delivery.refusals:
        synced.refused.append(run)


def left_behind(spool: Path) -> list[str]:
    """Runs in the spool that no process ships."""
    found = []
    for folder in folders(spool):
        target = folder.target()
        if target is not None and folder.own():
            folder.disown()
            found.append(target.run)
    return found
