"""`--testing` adds one route, which empties the store, and changes nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from mainspring.app import OPERATIONS, PEOPLES_TABLES, App
from mainspring.core.database import metadata
from mainspring.core.settings import Settings
from mainspring.group_commit import GroupCommit
from mainspring.interfaces.http.api import http_api
from mainspring.interfaces.http.front import Front, Served
from tests.house import Clients, Clock
from tests.world import built


@pytest.fixture
def transport() -> str:
    """The world is built in this process."""
    return "in process"


def front(app: App, reset: Callable[[], None] | None) -> Front:
    """The server's front, with or without the option."""
    served = Served(
        perform=app.run,
        blobs=app.blobs,
        health=dict,
        hosts=frozenset(),
        record=GroupCommit(app).record,
        sign_in=app.sign_in.prove,
        reset=reset,
    )
    made = http_api(served, OPERATIONS.values())
    assert isinstance(made, Front)
    return made


@pytest.fixture
def testing(app: App) -> Iterator[TestClient]:
    """A client of a server for tests."""
    with TestClient(front(app, app.reset)) as client:
        yield client


def answered(made: Front) -> set[tuple[str, str]]:
    """Every method and path, and what answers it."""
    api = made._api
    routes = getattr(api, "routes", [])
    return {(method, route.path) for route in routes for method in route.methods}


def test_the_option_adds_one_route(app: App) -> None:
    plain, testing = answered(front(app, None)), answered(front(app, app.reset))

    assert testing - plain == {("POST", "/testing/reset")}
    assert plain < testing


def test_the_option_is_no_other_setting() -> None:
    plain, testing = Settings(), Settings(testing=True)

    names = [name for name in Settings.__slots__ if getattr(plain, name) != getattr(testing, name)]
    assert names == ["testing"]


def test_without_the_option_there_is_no_such_route(app: App) -> None:
    with TestClient(front(app, None)) as client:
        assert client.post("/testing/reset").status_code == 404


def test_a_reset_leaves_people_alone(
    clients: Clients, clock: Clock, app: App, tokens: dict[str, str], testing: TestClient
) -> None:
    def rows() -> dict[str, int]:
        with app.database.read() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in metadata.sorted_tables
            }

    fresh = rows()
    built(clients, clock)
    full = rows()
    headers = {"Authorization": f"Bearer {tokens['ada']}"}

    assert testing.post("/testing/reset", headers=headers).status_code == 200

    after = rows()
    for name in full:
        expected = full[name] if name in PEOPLES_TABLES else fresh[name]
        assert after[name] == (0 if name in ("event", "job") else expected), name
    built(clients, clock)  # and everything can happen again


@pytest.mark.parametrize(("person", "status"), [("dora", 403), ("vera", 403), (None, 401)])
def test_only_an_administrator_empties_the_store(
    testing: TestClient, tokens: dict[str, str], person: str | None, status: int
) -> None:
    headers = {"Authorization": f"Bearer {tokens[person]}"} if person else {}

    assert testing.post("/testing/reset", headers=headers).status_code == status
