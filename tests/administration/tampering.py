"""What somebody who can write to the database and knows how hashes are made may do to the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text, update

from mainspring.app import App
from mainspring.core.chain import GENESIS, chain_hash
from mainspring.core.event_log import event_table, workspace_table
from mainspring.core.ids import new_id
from mainspring.core.jobs import job_table

Rows = list[dict[str, Any]]
WORKSPACE = 1
ONE = event_table.c.sequence
HERE = event_table.c.workspace_id == WORKSPACE


def tamper(app: App, deed: Callable[[Connection], None]) -> None:
    """Do it in a transaction of one's own."""
    with app.database.write() as connection:
        connection.execute(delete(job_table))
        deed(connection)


def statement(*words: str) -> Callable[[Connection], None]:
    """SQL, as one writes it."""

    def deed(connection: Connection) -> None:
        for one in words:
            connection.execute(text(one))

    return deed


def shifted(first: int, by: int) -> tuple[str, str]:
    """Give all events from the first on other sequences, which are unique at each moment."""
    return (
        f"update event set sequence = -sequence where sequence >= {first} and workspace_id = 1",
        f"update event set sequence = {by} - sequence where sequence < 0 and workspace_id = 1",
    )


def events(connection: Connection, first: int = 1) -> Rows:
    """The events from the first on."""
    query = select(event_table).where(HERE, first <= ONE).order_by(ONE)
    return [dict(row) for row in connection.execute(query).mappings()]


def put_in(connection: Connection, sequence: int, *, hashed: bool) -> None:
    """An event of our own at a free place, which looks like its neighbours."""
    (before,) = [row for row in events(connection) if row["sequence"] == sequence - 1]
    row = {**before, "sequence": sequence, "public_id": new_id(), "actor": "mallory"}
    row["previous_hash"] = before["hash"]
    row["hash"] = chain_hash(before["hash"], row) if hashed else new_id() * 2
    del row["id"]
    connection.execute(insert(event_table).values(row))


def mend_head(connection: Connection) -> None:
    """Have the workspace's row end where the events end."""
    rows = events(connection)
    head = (rows[-1]["sequence"], rows[-1]["hash"]) if rows else (0, GENESIS)
    connection.execute(
        update(workspace_table)
        .where(workspace_table.c.id == WORKSPACE)
        .values(chain_sequence=head[0], chain_hash=head[1])
    )


def write_anew(connection: Connection, first: int, **columns: Any) -> None:
    """Change an event, and hash it and all that follow again, up to the head."""
    rows = events(connection, first)
    previous = rows[0]["previous_hash"]
    rows[0].update(columns)
    for sequence, row in enumerate(rows, first):
        row.update(sequence=sequence, previous_hash=previous)
        row["hash"] = previous = chain_hash(previous, row)
        connection.execute(update(event_table).where(event_table.c.id == row["id"]).values(row))
    mend_head(connection)


def cut(connection: Connection, after: int) -> None:
    """Cut off the tail, and mend the head."""
    connection.execute(delete(event_table).where(HERE, after < ONE))
    mend_head(connection)
