"""The table of events: append-only, hash-chained for each workspace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    insert,
    select,
    update,
)

from mainspring.core.chain import GENESIS, chain_hash
from mainspring.core.database import Json, Key, Moment, metadata
from mainspring.core.event import Event
from mainspring.core.principal import names_of, references_of
from mainspring.core.reference import possible_names, references_in, referring, told

SCHEMA_VERSION = 2
"""2: people are in it by reference, see core/reference.py; 1: by name."""

workspace_table = Table(
    "workspace",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("recorded_at", Moment, nullable=False),
    # The head of the event chain: who appends locks this row, so that the chain has one next.
    Column("chain_sequence", BigInteger, nullable=False, default=0),
    Column("chain_hash", Text, nullable=False, default=GENESIS),
    # How often somebody was erased: who waited for the row meanwhile must ask again who they are.
    Column("erasures", Integer, nullable=False, default=0, server_default="0"),
)

event_table = Table(
    "event",
    metadata,
    Column("id", Key, primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("event_time", Moment),
    Column("actor_kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("token", Text),
    Column("request_id", Text),
    Column("cause", Text),
    Column("kind", Text, nullable=False),
    Column("subject_kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    # The model whose story the event belongs to, so that one query tells it.
    Column("model", Text),
    Column("digest_before", Text),
    Column("digest_after", Text),
    Column("outcome", Text, nullable=False),
    Column("facts", Json, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("workspace_id", "sequence"),
    Index("ix_event_subject", "workspace_id", "subject_kind", "subject", "id"),
    Index("ix_event_kind", "workspace_id", "kind", "id"),
    Index("ix_event_model", "workspace_id", "model", "id"),
)


_HEAD = (
    select(
        workspace_table.c.chain_sequence, workspace_table.c.chain_hash, workspace_table.c.erasures
    )
    .where(workspace_table.c.id == bindparam("workspace"))
    .with_for_update()
)


EVENTS = select(event_table, workspace_table.c.name.label("workspace_name")).join(
    workspace_table, workspace_table.c.id == event_table.c.workspace_id
)
"""Events with the name of their workspace: what `events_of` reads."""


def lock(connection: Connection, workspace_id: int) -> int | None:
    """Wait until no other transaction writes to the workspace, on both databases.

    SQLite has one writer anyway, which took its lock when its transaction began. On PostgreSQL a
    rule that reads before it writes (the next number, who approved, is there one already) would
    else have to lock each row that it reads. Answers, if somebody may have been waited for, how
    many people were erased so far.
    """
    if connection.dialect.name == "sqlite":
        return None
    return int(connection.execute(_HEAD, {"workspace": workspace_id}).one().erasures)


def append(connection: Connection, workspace_id: int, row: dict[str, Any]) -> int:
    """Append one event to the workspace's chain in the transaction of its change; gives its key.

    The actor comes as it is stored; whom the subject and the facts name, is referred to from here on.
    """
    row = _by_reference(connection, row)
    head = connection.execute(_HEAD, {"workspace": workspace_id}).one()
    row = {**row, "sequence": head.chain_sequence + 1, "schema_version": SCHEMA_VERSION}
    digest = chain_hash(head.chain_hash, row)
    stored = {**row, "workspace_id": workspace_id, "previous_hash": head.chain_hash, "hash": digest}
    key = connection.execute(insert(event_table).values(stored)).inserted_primary_key
    assert key is not None
    connection.execute(
        update(workspace_table)
        .where(workspace_table.c.id == workspace_id)
        .values(chain_sequence=row["sequence"], chain_hash=digest)
    )
    return int(key[0])


def _by_reference(connection: Connection, row: dict[str, Any]) -> dict[str, Any]:
    """The row with references in place of the names of people: one query, if there are any words."""
    facts, subject = row["facts"], row["subject"]
    about_person = row["subject_kind"] == "person"
    names = possible_names([facts, subject] if about_person else facts)
    references = references_of(connection, names)
    return {
        **row,
        "facts": referring(facts, references),
        "subject": referring(subject, references) if about_person else subject,
    }


def events_of(
    connection: Connection, rows: Sequence[Any], *, as_stored: bool = False
) -> list[Event]:
    """The events that rows of `EVENTS` hold; one query finds what people are called now."""
    events = [_stored_event(row) for row in rows]
    referred = [references_in(event) for event in events]
    names = names_of(connection, set().union(*referred))
    if not as_stored:
        return [told(event, names) for event in events]
    return [
        msgspec.structs.replace(event, names={one: names[one] for one in here if one in names})
        for event, here in zip(events, map(sorted, referred), strict=True)
    ]


def _stored_event(row: Any) -> Event:
    fields = {name: getattr(row, name) for name in Event.__struct_fields__ if name in _COLUMNS}
    return Event(**{**fields, "id": row.public_id, "workspace": row.workspace_name})


_COLUMNS = frozenset(event_table.c.keys())
