"""Replaces a person's name in every column that is said to hold people's names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    Text,
    delete,
    or_,
    select,
    type_coerce,
    update,
)

from mainspring.administration.actor_store import entitled
from mainspring.administration.erasing import FORGETTING
from mainspring.administration.tables import (
    denial_table,
    grant_table,
    group_member_table,
    password_table,
    principal_table,
    request_table,
    session_table,
    token_table,
)
from mainspring.core import event_log
from mainspring.core.blobs import canonical_json
from mainspring.core.database import KIND_COLUMN, PEOPLE, Json, metadata
from mainspring.core.event_log import event_table, workspace_table
from mainspring.core.reference import FIRST_BY_REFERENCE, erased_name, with_words

OWN = (
    session_table,
    token_table,
    password_table,
    grant_table,
    group_member_table,
    denial_table,
    request_table,
)
"""What a person has, and nobody has once they are erased."""
USER_TAG = "mlflow.user"
"""The tag in which MLflow's clients say who they work for."""
_P = principal_table.c


class ErasureStore:
    """One person's traces, in all workspaces."""

    def __init__(self, connection: Connection, key: int) -> None:
        self._connection = connection
        self._key = key
        row = connection.execute(select(principal_table).where(_P.id == key)).one()
        self.name: str = row.name
        self.public_id: str = row.public_id
        self._disabled_at: dt.datetime | None = row.disabled_at

    def lock(self) -> None:
        """Wait for whoever writes, anywhere: a name that was read before must not come back."""
        for workspace in self._workspaces():
            event_log.lock(self._connection, workspace.id)
        table = workspace_table
        self._connection.execute(update(table).values(erasures=table.c.erasures + 1))

    def only_administrator_of(self) -> list[str]:
        """The workspaces that nobody else administers."""
        people = select(_P.name).where(_P.kind == "person", _P.disabled_at.is_(None))
        names = set(self._connection.scalars(people))
        return [
            one.name
            for one in self._workspaces()
            if entitled(self._connection, one.id, "admin", names) == {self.name}
        ]

    def entries_with_name(self) -> int:
        """How many events name the person, from before there were references."""
        event = event_table.c
        facts = type_coerce(event.facts, Text).contains(self.name, autoescape=True)
        rows = self._connection.execute(
            select(event.actor_kind, event.actor, event.subject_kind, event.subject, event.facts)
            .where(event.schema_version < FIRST_BY_REFERENCE)
            .where(or_(event.actor == self.name, event.subject == self.name, facts))
        )
        return sum(self._is_named(row) for row in rows)

    def erase(self, now: dt.datetime) -> tuple[str, dict[str, int]]:
        """Take all that the person has, and replace the name; answers the new one, and where it is."""
        new = self._new_name()
        for table in OWN:
            self._connection.execute(delete(table).where(table.c.principal_id == self._key))
        found: dict[str, int] = {}
        for forget in FORGETTING:
            found |= forget(self._connection, self.name, new)
        for table, column in named_columns():
            count = _WAYS[column.info[PEOPLE]](self, table, column, new)
            where = f"{table.name}.{column.name}"
            found[where] = found.get(where, 0) + count
        self._connection.execute(
            update(principal_table)
            .where(_P.id == self._key)
            .values(name=new, disabled_at=self._disabled_at or now)
        )
        return new, {where: count for where, count in found.items() if count}

    def _workspaces(self) -> list[Any]:
        return [*self._connection.execute(select(workspace_table).order_by(workspace_table.c.id))]

    def _new_name(self) -> str:
        """Nobody else's: eight characters of an id may be another's too."""
        names = [erased_name(self.public_id, length) for length in (8, 16, 32)]
        query = select(_P.name).where(_P.kind == "person", _P.name.in_(names))
        taken = set(self._connection.scalars(query))
        return next(name for name in names if name not in taken)

    def _is_named(self, row: Any) -> bool:
        people = [(row.actor_kind, row.actor), (row.subject_kind, row.subject)]
        if ("person", self.name) in people:
            return True
        return bool(with_words(row.facts, self._change("")) != row.facts)

    def _change(self, new: str) -> Callable[[str], str]:
        return lambda word: new if word == self.name else word

    def replace_name(self, table: Table, column: Column[Any], new: str) -> int:
        """Where the column is the name."""
        return self._update(table, column == self.name, column, new)

    def replace_tag(self, table: Table, column: Column[Any], new: str) -> int:
        """Where the column is the name, and its key says that it is somebody's."""
        here = (column == self.name) & (table.c.key == USER_TAG)
        return self._update(table, here, column, new)

    def replace_words(self, table: Table, column: Column[Any], new: str) -> int:
        """Where the name is a text of a document, or stands in single quotes in one."""
        keys = list(table.primary_key.columns)
        holds = type_coerce(column, Text).contains(self.name, autoescape=True)
        rows = self._connection.execute(select(column, *keys).where(holds)).all()
        change, count = self._change(new), 0
        for value, *key in rows:
            changed = _changed(column, value, change)
            if changed != value:
                here = [one == found for one, found in zip(keys, key, strict=True)]
                self._connection.execute(update(table).where(*here).values({column.name: changed}))
                count += 1
        return count

    def _update(
        self, table: Table, here: ColumnElement[bool], column: Column[Any], new: str
    ) -> int:
        if KIND_COLUMN in column.info:
            here &= table.c[column.info[KIND_COLUMN]] == "person"
        return self._connection.execute(
            update(table).where(here).values({column.name: new})
        ).rowcount


Way = Callable[[ErasureStore, Table, Column[Any], str], int]
_WAYS: dict[str, Way] = {
    "name": ErasureStore.replace_name,
    "words": ErasureStore.replace_words,
    "tag": ErasureStore.replace_tag,
}


def named_columns() -> Iterator[tuple[Table, Column[Any]]]:
    """Every column that holds names of people."""
    for table in metadata.sorted_tables:
        for column in table.c:
            if PEOPLE in column.info:
                yield table, column


def _changed(column: Column[Any], value: Any, change: Callable[[str], str]) -> Any:
    """The value with the words changed: a document, the text of one, or a sentence."""
    if isinstance(column.type, Json):
        return with_words(value, change)
    try:
        document = msgspec.json.decode(value)
    except msgspec.DecodeError:
        # Retrainings once told of a rejection as `dora: not good enough`.
        who, colon, rest = value.partition(": ")
        return f"{with_words(who, change)}{colon}{with_words(rest, change)}"
    changed = with_words(document, change)
    return value if changed == document else canonical_json(changed).decode()
