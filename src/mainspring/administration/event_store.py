"""A look at the log of events: by what they are of, and as they are stored, to be verified."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    LargeBinary,
    Text,
    case,
    cast,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.types import NullType

from mainspring.administration.contract import ListEvents
from mainspring.core.chain import Mark, Row
from mainspring.core.database import Json, Moment
from mainspring.core.errors import Corrupt
from mainspring.core.event import Event
from mainspring.core.event_log import EVENTS, event_table, events_of, workspace_table
from mainspring.core.principal import references_of

BY_VALUE = {
    "model": event_table.c.model,
    "kind": event_table.c.kind,
    "subject_kind": event_table.c.subject_kind,
    "by_token": event_table.c.token,
    "outcome": event_table.c.outcome,
}
"""What is asked for by its value."""
PAGE = 1000


class Head(NamedTuple):
    """A workspace, and where its chain ends."""

    key: int
    workspace: str
    mark: Mark


def heads(connection: Connection) -> list[Head]:
    """Where the chain of each workspace ends, as its row says."""
    rows = connection.execute(select(workspace_table).order_by(workspace_table.c.name))
    return [Head(row.id, row.name, Mark(row.chain_sequence, row.chain_hash)) for row in rows]


def listed_events(connection: Connection, workspace_id: int, asked: ListEvents) -> list[Event]:
    """Events in their order."""
    query = EVENTS.where(
        event_table.c.workspace_id == workspace_id, event_table.c.sequence > asked.after
    ).where(*_conditions(connection, asked))
    order = event_table.c.sequence.desc() if asked.newest else event_table.c.sequence
    rows = connection.execute(query.order_by(order).limit(asked.limit)).all()
    in_order = rows[::-1] if asked.newest else rows
    return events_of(connection, in_order, as_stored=asked.as_stored)


def _conditions(connection: Connection, asked: ListEvents) -> Iterator[ColumnElement[bool]]:
    for name, column in BY_VALUE.items():
        value = getattr(asked, name)
        if value is not None:
            yield column == value
    people = [name for name in (asked.actor, asked.subject) if name is not None]
    references = references_of(connection, people)
    for column, value in (
        (event_table.c.actor, asked.actor),
        (event_table.c.subject, asked.subject),
    ):
        if value is not None:  # by name in events of the first schema version
            yield column.in_([value, references.get(value, value)])
    if asked.since is not None:
        yield event_table.c.recorded_at >= asked.since
    if asked.until is not None:
        yield event_table.c.recorded_at < asked.until


def stored_events(
    connection: Connection, workspace_id: int, after: int | None = None
) -> Iterator[Row]:
    """Events as they are stored, in their order: nothing in them is taken to be well-formed."""
    sequence = event_table.c.sequence
    query = (
        select(*_raw_columns(connection))
        .where(event_table.c.workspace_id == workspace_id)
        .order_by(sequence)
        .limit(PAGE)
    )
    while True:
        beyond = () if after is None else (sequence > after,)
        try:
            rows = connection.execute(query.where(*beyond)).mappings().all()
        except OperationalError:
            raise  # it is away, which is another matter
        except DatabaseError as error:
            raise Corrupt(
                f"the events cannot be read from the database: {error.orig}",
                fix="restore a backup; PRAGMA integrity_check tells more of SQLite's file",
            ) from error
        yield from ({name: _read(name, value) for name, value in row.items()} for row in rows)
        if len(rows) < PAGE:
            return
        after = rows[-1]["sequence"]


def _raw_columns(connection: Connection) -> Iterator[ColumnElement[Any]]:
    """The columns without their types; on SQLite texts as bytes, which may have become no text."""
    on_sqlite = connection.dialect.name == "sqlite"
    for column in event_table.c:
        if isinstance(column.type, Text | Json):
            text = type_coerce(column, Text)
            yield (_as_bytes(text) if on_sqlite else text).label(column.name)
        elif isinstance(column.type, Moment):
            yield type_coerce(column, BigInteger).label(column.name)
        else:
            yield column


def _as_bytes(text: ColumnElement[str]) -> ColumnElement[Any]:
    """A text as its bytes; what SQLite keeps as bytes itself, and no filter finds, as their digits."""
    is_text = func.typeof(text).in_(["text", "null"])
    digits = literal("not a text: ").concat(func.hex(text))
    return type_coerce(case((is_text, cast(text, LargeBinary)), else_=digits), NullType())


def _read(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            # No text reads so, and so no hash of a text is this one's.
            return {"not UTF-8": value.hex()}
    if name != "facts" or not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value
