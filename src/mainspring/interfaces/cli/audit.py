"""`mainspring admin audit`: whether the log of events is as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from mainspring.administration.contract import (
    Chain,
    ListEvents,
    Nothing,
    Verified,
    list_events,
    list_workspaces,
    verify_events,
    verify_workspaces,
)
from mainspring.core.chain import Fault, Row, Walk
from mainspring.core.checkpoint import FILE, PRIVATE, PUBLIC, Witnessed, witnessed
from mainspring.core.errors import Invalid, NotFound
from mainspring.core.event import row_of
from mainspring.core.operation import Client
from mainspring.core.signing import PublicKey, read_private_key, read_public_key
from mainspring.interfaces.cli.connection import chosen_home, connected
from mainspring.interfaces.cli.frame import Command, Group, chosen, note
from mainspring.interfaces.cli.generated import refuse_altered
from mainspring.interfaces.cli.output import show_json

PAGE = 1000


@click.command(cls=Command)
@click.option(
    "--checkpoints", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER", help="Compare with these, for instance a copy kept elsewhere.  "
    "[default: those that the server writes]",
)  # fmt: skip
@click.option(
    "--key", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
    help="The public key to trust.  [default: the home's, else the one in FOLDER]",
)  # fmt: skip
def verify(folder: Path | None, key: Path | None) -> None:
    """Verify the events of all workspaces, or of the one of -w, and the signed checkpoints.

    Ends with 1 and names the first bad entry if anything is not as it was written.
    """
    if folder is not None:
        found = _compared(folder, _trusted(folder, key))
    elif key is not None:
        raise Invalid("--key is of no use alone", field="key", fix="add --checkpoints FOLDER")
    else:
        found = _verified()
    _tell(found)
    refuse_altered([(one.workspace, one.chain.faults) for one in found])


def _verified() -> list[Verified]:
    """As the server finds with the checkpoints and the key of its own."""
    with connected() as connection:
        if chosen().workspace is None:
            found: list[Verified] = connection.client.call(verify_workspaces, Nothing())
            return found
        chain = connection.client.call(verify_events, Nothing())
        return [Verified(workspace=connection.workspace, chain=chain)]


def _trusted(folder: Path, key: Path | None) -> PublicKey | None:
    if key is not None:
        return read_public_key(key)
    own = None if chosen().url else read_private_key(chosen_home(chosen()) / PRIVATE)
    if own is not None:
        return own.public
    found = read_public_key(folder / PUBLIC)
    if found is not None:
        note(f"trusted: the key {found.id} beside the checkpoints; --key names one kept elsewhere")
    return found


def _compared(folder: Path, trusted: PublicKey | None) -> list[Verified]:
    """With checkpoints from here: every event is fetched, and the server is not believed."""
    if not (folder / FILE).exists():
        raise NotFound(f"no {FILE} in {folder}", field="checkpoints", fix="--checkpoints FOLDER")
    # Read before the events: those that it vouches for are there by then.
    known = witnessed(folder / FILE, trusted)
    return [_compare(name, known) for name in _workspaces(known)]


def _workspaces(known: Witnessed) -> list[str]:
    given = chosen().workspace
    if given is not None:
        return [given]
    with connected() as connection:
        here = {one.name for one in connection.client.call(list_workspaces, Nothing())}
    return sorted(here | known.workspaces)


def _compare(workspace: str, known: Witnessed) -> Verified:
    chosen().workspace = workspace
    marks = known.marks(workspace)
    with connected() as connection:
        try:
            said = connection.client.call(verify_events, Nothing())
        except NotFound:
            text = f"the workspace is gone, or not yours to read; {len(marks)} checkpoints name it"
            said = Chain(events=0, first_bad=1, faults=[Fault(wrong="cut", sequence=1, found=text)])
        if said.first_bad is not None:
            return Verified(workspace=workspace, chain=said)
        walk = Walk(_rows(connection.client), marks)
        wrong = walk.first_fault(None)
    chain = Chain(
        events=walk.last.sequence,
        first_bad=None if wrong is None else wrong.sequence,
        checkpoints=walk.held,
        faults=[one for one in (wrong, known.fault) if one is not None],
    )
    return Verified(workspace=workspace, chain=chain)


def _rows(client: Client) -> Iterator[Row]:
    after: int | None = 0
    while after is not None:
        page = client.call(list_events, ListEvents(after=after, limit=PAGE, as_stored=True))
        yield from map(row_of, page.items)
        after = None if page.next is None else int(page.next)


def _tell(found: list[Verified]) -> None:
    if chosen().as_json:
        show_json(found)
        return
    for one in found:
        if not one.chain.faults and not chosen().quiet:
            held = f"{one.chain.events} events, {one.chain.checkpoints} checkpoints hold"
            click.echo(f"{one.workspace}: {held}")


class Audit(Group):
    """The commands of this module."""

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of the name."""
        return {"verify": verify}.get(cmd_name)


audit = Audit("audit", {"verify": verify.get_short_help_str(80)}, help="Verify the log of events.")
