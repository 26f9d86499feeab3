"""`mainspring sync`: what waits in the spool of the home goes where it belongs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mainspring.core.errors import MainspringError
from mainspring.interfaces.cli.connection import chosen_home
from mainspring.interfaces.cli.frame import Choices, Command, chosen, note
from mainspring.interfaces.cli.loading import CONNECT, load
from mainspring.interfaces.cli.output import show_cells, show_json
from mainspring.recording.spool import Target, folders, spool_of
from mainspring.recording.sync import Synced, sync

UNREACHABLE = 7


@click.command("sync", cls=Command)
def ship() -> int:
    """Ship what training processes have left in the spool: they are gone, or had no server.

    Each run goes to the server, or into the home, that it was recorded for. Again is harmless.
    """
    choices = chosen()
    spool = spool_of(chosen_home(choices))
    synced = Synced()
    names = {target.run: target.name for target in _targets(spool)}
    wanted = {(target.url, target.workspace) for target in _targets(spool)}
    for url, workspace in sorted(wanted, key=str):
        if choices.url in (None, url):
            _ship_to(url, workspace, choices, synced)
    if choices.as_json:
        show_json(_plain(synced))
    else:
        _show(synced, names)
    return UNREACHABLE if synced.waiting else 0


def _targets(spool: Path) -> list[Target]:
    return [target for folder in folders(spool) if (target := folder.target()) is not None]


def _ship_to(url: str | None, workspace: str, choices: Choices, synced: Synced) -> None:
    spool = spool_of(chosen_home(choices))
    try:
        with load(CONNECT)(chosen_home(choices), url, choices.token, workspace) as connection:
            found = sync(spool, connection.client, url=url, workspace=workspace)
    except MainspringError as error:
        for target in _targets(spool):
            if (target.url, target.workspace) == (url, workspace):
                synced.waiting[target.run] = error.message
        return
    synced.shipped += found.shipped
    synced.running += found.running
    synced.refused += found.refused
    synced.waiting |= found.waiting


def _plain(synced: Synced) -> dict[str, Any]:
    names = ("shipped", "running", "waiting", "refused")
    return {name: getattr(synced, name) for name in names}


def _show(synced: Synced, names: dict[str, str]) -> None:
    rows = [[run, names.get(run, ""), "shipped", ""] for run in synced.shipped]
    rows += [[run, names.get(run, ""), "its process ships it", ""] for run in synced.running]
    rows += [[run, names.get(run, ""), "waits", why] for run, why in synced.waiting.items()]
    if not rows:
        note("nothing waits in the spool")
        return
    show_cells(["run", "name", "state", "why"], rows)
    for run in synced.refused:
        note(f"some of run {run} was not taken: see spool/refused/{run}.jsonl in the home")
