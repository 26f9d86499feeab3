"""Results of SQL queries as rows, through SQLAlchemy or any DB-API driver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pyarrow as pa

from mainspring.core.errors import Invalid
from mainspring.datasets.addresses import redacted_address
from mainspring.datasets.blocks import BLOCK
from mainspring.datasets.rows import Rows, comes_from, no_column, rows_of_table

LONGEST_QUERY = 8_000
"""Characters of a query that are kept in the source."""


def is_database(thing: Any) -> bool:
    """Whether a query can be asked of it."""
    return (
        comes_from(thing, "sqlalchemy")
        or callable(getattr(thing, "cursor", None))
        or (callable(getattr(thing, "fetchmany", None)) and hasattr(thing, "description"))
    )


def from_query(database: Any, query: Any) -> Rows:
    """The rows that a query gives; the text may be anything that the database executes."""
    if comes_from(database, "sqlalchemy"):
        table, place = _of_sqlalchemy(database, query)
    else:
        table, place = _of_driver(database, query)
    said = " ".join(str(query).split())[:LONGEST_QUERY]
    rows = rows_of_table(table, "sql")
    return Rows(rows.schema, rows.batches, "sql", f"{place} {said}".strip())


def _of_sqlalchemy(database: Any, query: Any) -> tuple[pa.Table, str]:
    if hasattr(database, "connect"):
        with database.connect() as connection:
            return _of_sqlalchemy(connection, query)
    bind = database.get_bind() if hasattr(database, "get_bind") else database.engine
    url = bind.engine.url.render_as_string(hide_password=True)
    run = database.execute
    if isinstance(query, str):
        run = getattr(database, "exec_driver_sql", None) or database.connection().exec_driver_sql
    answer = run(query)
    table = _table(list(answer.keys()), iter(lambda: answer.fetchmany(BLOCK), []))
    return table, redacted_address(url)


def _of_driver(database: Any, query: Any) -> tuple[pa.Table, str]:
    if hasattr(database, "cursor"):
        with closing(database.cursor()) as cursor:
            return _of_driver(cursor, query)
    database.execute(query)
    if database.description is None:
        raise Invalid("the query gives no rows; wanted a SELECT", field="query")
    names = [column[0] for column in database.description]
    return _table(names, _fetched(database)), ""


def _fetched(cursor: Any) -> Iterator[Sequence[Any]]:
    while rows := cursor.fetchmany(BLOCK):
        yield rows


def _table(names: Sequence[str], pieces: Iterator[Sequence[Any]]) -> pa.Table:
    """The rows as a table; the type of a column is found in all of its values."""
    found: list[list[pa.Array]] = [[] for _ in names]
    for rows in pieces:
        for place, values in enumerate(zip(*rows, strict=True)):
            try:
                found[place].append(pa.array(list(values)))
            except (pa.ArrowException, OverflowError) as error:
                raise no_column(names[place], error) from None
    columns = [_joined(name, arrays) for name, arrays in zip(names, found, strict=True)]
    return pa.Table.from_arrays(columns, names=list(names))


def _joined(name: str, arrays: list[pa.Array]) -> pa.Array:
    try:
        kinds = [pa.schema([pa.field(name, one.type)]) for one in arrays]
        of = pa.unify_schemas(kinds, promote_options="permissive").types[0] if kinds else pa.null()
        return pa.concat_arrays([one.cast(of) for one in arrays]) if arrays else pa.nulls(0)
    except pa.ArrowException as error:
        raise no_column(name, error) from None
