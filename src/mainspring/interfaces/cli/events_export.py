"""`mainspring events export`: the log with its hashes, so that anybody can follow the chain."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from mainspring.administration.contract import ListEvents, list_events
from mainspring.core.blobs import canonical_json
from mainspring.core.chain import hashed_text
from mainspring.core.event import Event, row_of
from mainspring.core.operation import Client
from mainspring.core.reference import told
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.frame import Command, chosen, note
from mainspring.interfaces.cli.generated import field_options
from mainspring.interfaces.cli.output import show_json
from mainspring.interfaces.cli.requests import build
from mainspring.interfaces.cli.target import target

PAGE = 1000
PAGED = ("after", "newest", "limit", "as_stored")
"""What is asked of a page and not of the log."""


@click.command(cls=Command, params=field_options(list_events, PAGED))
@click.option(
    "--to", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="JSON lines, CSV if it ends in .csv; - is standard output.",
)  # fmt: skip
def export(to: Path, **asked: Any) -> None:
    """Write events with their hashes into a file, oldest first.

    docs/audit.md tells how to verify the chain from the file alone.
    """
    given = {name: value for name, value in asked.items() if value is not None}
    request = build(list_events, {**given, "limit": PAGE, "as_stored": True})
    file = None if str(to) == "-" else to
    written: Callable[[Event], bytes] = csv_line if to.suffix.lower() == ".csv" else json_line
    with connected() as connection, target(file) as opened:
        count = 0
        if written is csv_line:
            opened.write(_csv(CSV_COLUMNS))
        for event in _exported(connection.client, request):
            opened.write(written(event))
            count += 1
    if chosen().as_json and file is not None:
        show_json({"file": str(file), "events": count})
    else:
        note(f"{count} events{f' in {file}' if file else ''}")


def _exported(client: Client, request: ListEvents) -> Iterator[Event]:
    after: int | None = 0
    while after is not None:
        page = client.call(list_events, msgspec.structs.replace(request, after=after))
        yield from page.items
        after = None if page.next is None else int(page.next)


def json_line(event: Event) -> bytes:
    """What the hash covers, as it was hashed, and then the hashes: nobody has to encode it again.

    Last come the names that the references in it stand for now: no hash covers those.
    """
    after = {
        "previous_hash": event.previous_hash,
        "hash": event.hash,
        "workspace": event.workspace,
        "at": event.recorded_at,
        "names": event.names,
    }
    return hashed_text(row_of(event))[:-1] + b"," + msgspec.json.encode(after)[1:] + b"\n"


_COLUMNS = [name for name in Event.__struct_fields__ if name not in ("workspace", "names")]
CSV_COLUMNS = ("workspace", *_COLUMNS)


def csv_line(event: Event) -> bytes:
    """A row for people: moments as they are read, facts as JSON, people by the names they have now."""
    event = told(event, event.names)
    fields = msgspec.to_builtins(event)
    fields["facts"] = canonical_json(event.facts).decode()
    return _csv(fields[name] for name in CSV_COLUMNS)


def _csv(cells: Iterable[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
