"""The table of people and services, and how the log of events refers to people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    Connection,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
    any_,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.sql.expression import ColumnElement

from mainspring.core.blobs import canonical_json
from mainspring.core.database import Key, Moment, metadata
from mainspring.core.ids import new_id
from mainspring.core.prepared import Prepared
from mainspring.core.reference import PREFIX, reference_of

principal_table = Table(
    # People and services are one table, so that events, grants and tokens need one reference.
    "principal",
    metadata,
    Column("id", Key, primary_key=True),
    # Stays when the name is erased, and is never another's.
    Column("public_id", Text, nullable=False, unique=True, default=new_id),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("disabled_at", Moment),
    Column("recorded_at", Moment, nullable=False),
    # Of a service account; Mainspring's own services have none.
    Column("owner_id", Key, ForeignKey("principal.id")),
    UniqueConstraint("kind", "name"),
)
Index(
    "uq_principal_name",
    principal_table.c.name,
    unique=True,
    sqlite_where=text("kind = 'person' or owner_id is not null"),
    postgresql_where=text("kind = 'person' or owner_id is not null"),
)
_P = principal_table.c


def _prepared(column: ColumnElement[str]) -> dict[str, Prepared]:
    """Who has one of the words in the column: one text with one parameter, however many there are."""
    values = func.json_each(bindparam("words")).table_valued("value")
    query = select(_P.name, _P.public_id).where(_P.kind == "person")
    return {
        "sqlite": Prepared(query.where(column.in_(select(values.c.value))), "words"),
        "postgresql": Prepared(
            query.where(column == any_(bindparam("words", type_=ARRAY(Text)))), "words"
        ),
    }


_BY_NAME, _BY_PUBLIC_ID = _prepared(_P.name), _prepared(_P.public_id)


def references_of(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """The references of those of the names that are people's."""
    return {name: reference_of(key) for name, key in _found(connection, _BY_NAME, names)}


def names_of(connection: Connection, references: Iterable[str]) -> dict[str, str]:
    """What those whom the references are to are called now."""
    keys = [one.removeprefix(PREFIX) for one in references]
    return {reference_of(key): name for name, key in _found(connection, _BY_PUBLIC_ID, keys)}


def _found(
    connection: Connection, prepared: dict[str, Prepared], words: Iterable[str]
) -> list[tuple[Any, ...]]:
    asked = list(words)
    if not asked:
        return []
    dialect = connection.dialect.name
    given: Any = canonical_json(asked).decode() if dialect == "sqlite" else asked
    return prepared[dialect].rows(connection, given)
