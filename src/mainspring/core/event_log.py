"""The table of events: append-only, hash-chained for each workspace."""

from __future__ import annotations

from typing import Any

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

SCHEMA_VERSION = 1

workspace_table = Table(
    "workspace",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("recorded_at", Moment, nullable=False),
    # The head of the event chain: who appends locks this row, so that the chain has one next.
    Column("chain_sequence", BigInteger, nullable=False, default=0),
    Column("chain_hash", Text, nullable=False, default=GENESIS),
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
    select(workspace_table.c.chain_sequence, workspace_table.c.chain_hash)
    .where(workspace_table.c.id == bindparam("workspace"))
    .with_for_update()
)


def lock(connection: Connection, workspace_id: int) -> None:
    """Wait until no other transaction writes to the workspace, on both databases.

    SQLite has one writer anyway, which took its lock when its transaction began. On PostgreSQL a
    rule that reads before it writes (the next number, who approved, is there one already) would
    else have to lock each row that it reads.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(_HEAD, {"workspace": workspace_id})


def append(connection: Connection, workspace_id: int, row: dict[str, Any]) -> int:
    """Append one event to the workspace's chain in the transaction of its change; gives its key."""
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


def event_of(row: Any, workspace: str) -> Event:
    """The event that a row of the table holds."""
    fields = {name: getattr(row, name) for name in Event.__struct_fields__ if name in _COLUMNS}
    return Event(**{**fields, "id": row.public_id, "workspace": workspace})


_COLUMNS = frozenset(event_table.c.keys())
