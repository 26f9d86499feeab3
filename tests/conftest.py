"""The house that tests run in: SQLite and PostgreSQL, in process and over HTTP."""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import URL, Dialect, Engine, make_url
from sqlalchemy.pool import QueuePool

from mainspring.app import App
from mainspring.core import database
from mainspring.core.database import Database, metadata
from mainspring.core.ids import new_id
from mainspring.core.operation import FileClient
from mainspring.core.settings import Settings
from tests.house import ROLES, SERVICE, Clients, Clock, Front, local_client, remote_client
from tests.threads import sleep_while_waiting

POSTGRES = os.environ.get("MAINSPRING_TEST_POSTGRES", "postgresql://root@127.0.0.1:5432/postgres")

UNPAIRED = {("PostgreSQL", "over HTTP"), ("SQLite", "in process")}


class Hasty(sqlite3.Connection):
    """Never waits for the disk: a test's file is gone before the power could be."""

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        """As ever, but for how durable a commit is."""
        waits = statement.startswith("PRAGMA synchronous=")
        return super().execute("PRAGMA synchronous=OFF" if waits else statement, *parameters)


class StaysOpen(QueuePool):
    """Connections that the next application of the same database takes over."""

    def dispose(self) -> None:
        """Keep them."""

    def recreate(self) -> StaysOpen:
        """Go on with them."""
        return self

    def end(self) -> None:
        """Close them after all."""
        super().dispose()


@pytest.fixture(scope="session", autouse=True)
def opened_once() -> Iterator[None]:
    """Share what a server has once for all its time, and tests that open a thousand would make anew.

    What is compiled of a dialect; and connections to PostgreSQL, a process each that learns the
    tables first: they stay open when an application is closed, and the next one of the same
    database goes on with them.
    """
    dialects: dict[str, Dialect] = {}
    compiled: dict[Any, Any] = {}
    connections: dict[URL, StaysOpen] = {}

    def create(url: str, **options: Any) -> Engine:
        if make_url(url).get_backend_name() == "sqlite":
            options["connect_args"] = {**options.get("connect_args", {}), "factory": Hasty}
        else:
            options["poolclass"] = StaysOpen
        engine = create_engine(url, execution_options={"compiled_cache": compiled}, **options)
        engine.dialect = dialects.setdefault(engine.name, engine.dialect)
        if isinstance(engine.pool, StaysOpen):
            engine.pool = connections.setdefault(engine.url, engine.pool)
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "create_engine", create)
        yield
    for pool in connections.values():
        pool.end()


@dataclass(frozen=True, slots=True)
class Template:
    """A migrated database that has the people in it, to be copied for each test."""

    place: str
    tokens: dict[str, str]


def _furnish(settings: Settings) -> dict[str, str]:
    app = App(settings)
    app.prepare()
    tokens = {name: app.token_of("person", name, role) for name, role in ROLES.items()}
    tokens[SERVICE] = app.token_of("service", SERVICE, "service")
    app.database.checkpoint()
    app.close()
    return tokens


def pytest_configure() -> None:
    """Before any library is loaded."""
    sleep_while_waiting()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Have the garbage collector pass over ten thousand tests, which stay to the end."""
    gc.disable()
    collected = yield
    gc.freeze()
    gc.enable()
    return collected


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Pair each database with one way in: the two know nothing of each other."""

    def unpaired(item: pytest.Item) -> bool:
        params = (
            item.callspec.params
            if isinstance(item, pytest.Function) and hasattr(item, "callspec")
            else {}
        )
        return (params.get("database_kind"), params.get("transport")) in UNPAIRED

    left_out = [item for item in items if unpaired(item)]
    items[:] = [item for item in items if not unpaired(item)]
    # The longest come first: at the end nobody waits for one of them alone.
    items.sort(key=lambda item: "journeys" not in item.path.parts)
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A migrated SQLite file with the people in it."""
    home = tmp_path_factory.mktemp("template")
    return Template(str(home / "mainspring.db"), _furnish(Settings(home=home)))


def _postgres(statement: str) -> None:
    with psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3) as connection:
        connection.execute(statement.encode())


def _url_of(database: str) -> str:
    url = make_url(POSTGRES).set(drivername="postgresql", database=database)
    # Each test's database is dropped at its end: nobody waits for the disk.
    url = url.update_query_dict({"options": "-csynchronous_commit=off"})
    return url.render_as_string(hide_password=False)


@dataclass(frozen=True, slots=True)
class PostgresHouse:
    """A PostgreSQL database, and beside its tables a copy of what was in them when it was furnished."""

    settings: Settings
    tokens: dict[str, str]
    restoring: str
    """All of it in one breath: the statements that make it as it was."""

    def restore(self) -> None:
        """Make it as it was: some hundred times quicker than another database for each test."""
        used = Database(self.settings.database_url)
        with used.write() as connection:
            connection.exec_driver_sql(self.restoring)
        used.close()


def _copied(connection: Connection) -> str:
    """Copy what is in the tables; answers how they are emptied, and filled again from the copy."""
    tables = [f'"{table.name}"' for table in metadata.sorted_tables]
    holds = connection.exec_driver_sql
    filled = [name for name in tables if holds(f"select exists (select from {name})").scalar()]
    connection.exec_driver_sql("create schema furnished")
    for name in filled:
        connection.exec_driver_sql(f"create table furnished.{name} as select * from {name}")
    cleared = [f"delete from {name}" for name in reversed(tables)]
    back = [f"insert into {name} select * from furnished.{name}" for name in filled]
    return "; ".join(cleared + back)


@pytest.fixture(scope="session")
def postgres_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresHouse]:
    """A migrated PostgreSQL database with the people in it; skips where no server answers."""
    name = f"mainspring_test_{new_id()[:12]}"
    try:
        _postgres(f"create database {name}")
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL answers at {POSTGRES}: {error}")
    settings = Settings(home=tmp_path_factory.mktemp("template"), database=_url_of(name))
    tokens = _furnish(settings)
    furnished = Database(settings.database_url)
    with furnished.write() as connection:
        restoring = _copied(connection)
    furnished.close()
    yield PostgresHouse(settings, tokens, restoring)
    _postgres(f"drop database {name} with (force)")


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Which database a test runs on; override it to run on one alone."""
    return str(request.param)


@pytest.fixture
def empty_url(database_kind: str, tmp_path: Path) -> Iterator[str | None]:
    """A database that nothing has been done to; None is the SQLite file of the home."""
    if database_kind == "SQLite":
        yield None
        return
    name = f"mainspring_test_{new_id()[:12]}"
    try:
        _postgres(f"create database {name}")
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL answers at {POSTGRES}: {error}")
    yield _url_of(name)
    _postgres(f"drop database {name} with (force)")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of the test's installation."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@dataclass(frozen=True, slots=True)
class Prepared:
    """A database of the test's own, and the tokens of the people in it."""

    settings: Settings
    tokens: dict[str, str]


@pytest.fixture
def prepared(database_kind: str, home: Path, request: pytest.FixtureRequest) -> Iterator[Prepared]:
    """A migrated database of the test's own."""
    if database_kind == "SQLite":
        template: Template = request.getfixturevalue("sqlite_template")
        shutil.copy(template.place, home / "mainspring.db")
        yield Prepared(Settings(home=home), template.tokens)
        return
    house: PostgresHouse = request.getfixturevalue("postgres_house")
    yield Prepared(replace(house.settings, home=home), house.tokens)
    house.restore()


@pytest.fixture
def clock() -> Clock:
    """The server's clock, which the test may put forward."""
    return Clock()


@pytest.fixture
def app(prepared: Prepared, clock: Clock) -> Iterator[App]:
    """The application on a database of the test's own."""
    app = App(prepared.settings, clock)
    yield app
    app.close()


@pytest.fixture
def tokens(prepared: Prepared) -> dict[str, str]:
    """The token of each person, and of Mainspring's own service, by name."""
    return prepared.tokens


@pytest.fixture(scope="session")
def front() -> Iterator[Front]:
    """A real server, started once."""
    front = Front()
    front.start()
    yield front
    front.stop()


@pytest.fixture(params=["in process", "over HTTP"])
def transport(request: pytest.FixtureRequest) -> str:
    """How clients reach the application; override it to use one alone."""
    return str(request.param)


@pytest.fixture
def url(app: App, front: Front) -> str:
    """Where the test's application is served."""
    return front.show(app)


SignIn = Callable[..., FileClient]


@pytest.fixture
def sign_in(app: App, transport: str, request: pytest.FixtureRequest) -> Iterator[SignIn]:
    """Make clients from tokens: `sign_in(token, workspace)`."""
    if transport == "in process":
        yield lambda token, workspace="default": local_client(app, token, workspace)
        return
    url = request.getfixturevalue("url")
    made = []

    def connect(token: str, workspace: str = "default") -> FileClient:
        made.append(remote_client(url, token, workspace))
        return made[-1]

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def clients(sign_in: SignIn, tokens: dict[str, str]) -> Clients:
    """A client for each of the people and for Mainspring's own service."""
    return Clients(lambda name: sign_in(tokens[name]), sign_in)


@pytest.fixture
def client(clients: Clients) -> FileClient:
    """The client of the administrator."""
    return clients.admin
