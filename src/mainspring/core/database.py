"""One database, SQLite or PostgreSQL: column types, connections, transactions."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Connection, Engine, Integer, MetaData, Text, create_engine, event
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.types import TypeDecorator

from mainspring.core.blobs import canonical_json
from mainspring.core.clock import from_micros, to_micros
from mainspring.core.errors import Unavailable
from mainspring.core.extras import require

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Key = BigInteger().with_variant(Integer(), "sqlite")
"""The type of integer keys: SQLite counts rows up by itself only for INTEGER."""

PEOPLE, KIND_COLUMN = "people", "kind_column"
# What the `info` of a column says that holds people's names: when one is erased, it is replaced there.
NAME = {PEOPLE: "name"}
"""The column is a name."""
WORDS = {PEOPLE: "words"}
"""A document or sentence of ours, in which names are texts of their own or stand in single quotes."""
TAG = {PEOPLE: "tag"}
"""A name, where the column `key` says so."""

BUSY_TIMEOUT_MS = 10_000
CONNECTIONS = 16


class Moment(TypeDecorator[dt.datetime]):
    """Integer microseconds UTC in the database, an aware datetime in Python."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> int | None:
        """To the database."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> dt.datetime | None:
        """From the database."""
        return None if value is None else from_micros(value)


class Json(TypeDecorator[Any]):
    """A small document as canonical JSON text: the same bytes on both databases."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To the database."""
        return None if value is None else canonical_json(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """From the database."""
        return None if value is None else msgspec.json.decode(value)


class Database:
    """Connections and transactions; SQLite has one writer at a time, and it is one of ours."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if not self.is_sqlite:
            require("psycopg", "postgres")
        self.engine = (
            _sqlite_engine(url) if self.is_sqlite else create_engine(url, pool_size=CONNECTIONS)
        )
        self._write_lock = threading.RLock()
        driver: Any = self.engine.dialect.dbapi
        self._driver_error: type[Exception] = driver.OperationalError

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state and changes nothing."""
        with self._answering(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield connection

    @contextmanager
    def write(self, *, decision: bool = False) -> Iterator[Connection]:
        """A transaction that commits at the end; a decision also survives power loss."""
        if not self.is_sqlite:
            with self._answering(), self.engine.begin() as connection:
                yield connection
            return
        # A queue of our own: SQLite's busy handler sleeps and retries, which is neither fair nor quick.
        with self._answering(), self._write_lock, self.engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            assert raw is not None
            raw.execute(f"PRAGMA synchronous={'FULL' if decision else 'NORMAL'}")
            connection.execution_options(sqlite_write=True)
            with connection.begin():
                yield connection

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A transaction in which tables may be rebuilt: references are checked at its end alone."""
        if not self.is_sqlite:
            with self.write(decision=True) as connection:
                yield connection
            return
        with self._answering(), self._write_lock, self.engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            assert raw is not None
            # SQLite heeds these only outside a transaction.
            raw.execute("PRAGMA synchronous=FULL")
            raw.execute("PRAGMA foreign_keys=OFF")
            try:
                connection.execution_options(sqlite_write=True)
                with connection.begin():
                    yield connection
                    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                    assert not broken, f"the migration leaves references to nothing: {broken[:5]}"
            finally:
                raw.execute("PRAGMA foreign_keys=ON")

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Say in words that the database is away, full or locked; nothing was written then."""
        try:
            yield
        except (OperationalError, self._driver_error) as error:
            place = self.url.render_as_string(hide_password=True)
            reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
            raise Unavailable(
                f"the database {place} does not answer as it should: {reason}",
                fix="is it running, and is there space? mainspring doctor",
            ) from error

    def checkpoint(self) -> None:
        """Fold SQLite's write-ahead log into the file; nothing to do on PostgreSQL."""
        if self.is_sqlite:
            with self._write_lock, self.engine.connect() as connection:
                raw = connection.connection.dbapi_connection
                assert raw is not None
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url,
        pool_size=CONNECTIONS,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(raw: Any, _record: object) -> None:
        # Transactions are ours to begin: the driver's own BEGIN is deferred and cannot be told.
        raw.isolation_level = None
        # Heeded by new files alone: what was deleted there can be given back to the file system.
        raw.execute("PRAGMA auto_vacuum=INCREMENTAL")
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=NORMAL")
        raw.execute("PRAGMA foreign_keys=ON")
        raw.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Take the write lock now: upgrading a read lock later can fail half-way.
        writes = connection.get_execution_options().get("sqlite_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
