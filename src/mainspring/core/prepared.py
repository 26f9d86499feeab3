"""Hot statements, compiled once for each kind of database and run on the driver's own connection.

SQLAlchemy's execution costs some 20 us a statement beside the statement itself; where a request is a
handful of tiny statements, that is most of it. Types are not translated here: moments go in and come
out as microseconds, documents as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.sql.expression import Executable

Bind = Callable[[tuple[Any, ...]], Any]


class Prepared:
    """A statement whose parameters are given by place, in the order of their names."""

    def __init__(self, statement: Executable, *names: str) -> None:
        self._statement = statement
        self._names = names
        self._compiled: dict[str, tuple[str, Bind | None]] = {}

    def rows(self, connection: Connection, *values: Any) -> list[tuple[Any, ...]]:
        """Run it and fetch all."""
        text, bind = self._text(connection)
        found: list[tuple[Any, ...]] = (
            _driver(connection).execute(text, bind(values) if bind else values).fetchall()
        )
        return found

    def row(self, connection: Connection, *values: Any) -> tuple[Any, ...] | None:
        """Run it and fetch the first row."""
        text, bind = self._text(connection)
        found: tuple[Any, ...] | None = (
            _driver(connection).execute(text, bind(values) if bind else values).fetchone()
        )
        return found

    def run(self, connection: Connection, *values: Any) -> int:
        """Run it; answers how many rows it touched."""
        text, bind = self._text(connection)
        return int(_driver(connection).execute(text, bind(values) if bind else values).rowcount)

    def run_many(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run it for each row of values; answers how many rows were touched in all."""
        if not rows:
            return 0
        text, bind = self._text(connection)
        given: Iterable[Any] = rows if bind is None else map(bind, rows)
        cursor = _driver(connection).cursor()
        cursor.executemany(text, given)
        return int(cursor.rowcount)

    def _text(self, connection: Connection) -> tuple[str, Bind | None]:
        known = self._compiled.get(connection.dialect.name)
        if known is None:
            compiled: Any = self._statement.compile(dialect=connection.dialect)  # type: ignore[attr-defined]
            text = str(compiled)
            bind = self._by_place(compiled) if compiled.positional else self._by_name(compiled)
            known = self._compiled[connection.dialect.name] = (text, bind)
        return known

    def _by_place(self, compiled: Any) -> Bind | None:
        """How values come to the places of `?`; None if they stand in that order already."""
        names, places = self._names, tuple(compiled.positiontup)
        if places == names:
            return None
        constants = tuple(compiled.params.get(name) for name in places)
        order = tuple(names.index(name) if name in names else None for name in places)
        return lambda values: [
            constant if place is None else values[place]
            for place, constant in zip(order, constants, strict=True)
        ]

    def _by_name(self, compiled: Any) -> Bind:
        names = self._names
        constants = {name: value for name, value in compiled.params.items() if name not in names}
        return lambda values: {**constants, **dict(zip(names, values, strict=True))}


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
