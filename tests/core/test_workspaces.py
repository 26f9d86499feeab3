"""Two workspaces with the same names never meet, whatever is read."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from mainspring.app import OPERATIONS, SERVICE, App
from mainspring.core.errors import NotFound
from mainspring.core.operation import Operation
from mainspring.core.settings import Settings
from tests import story
from tests.conftest import PostgresHouse, Template
from tests.house import ROLES, Clients, Clock, local_client
from tests.sample import sample
from tests.world import World, built, in_workspace

READING = [
    operation
    for operation in OPERATIONS.values()
    if operation.reads and operation.scope == "workspace"
]
EVERY = pytest.mark.parametrize("operation", READING, ids=lambda operation: operation.name)
NAMES_NOTHING = {
    "whoami.show": "tells of the caller",
    "people.list": "people are the same in all workspaces, their roles are not",
    "service-accounts.list": "accounts are the same in all workspaces, their roles are not",
    "events.verify": "tells a count",
    "labels.count": "tells a count",
    "labels.columns": "as labels.list",
    "labels.coverage": "tells counts",
    "labels.rule": "tells numbers",
    "labels.list": "labels carry the ids of their requests, which their senders choose",
    "aliases.list": "tells names",
    "fields.list": "tells names",
    "gates.list": "tells rules",
    "stages.list": "tells names",
    "model.list": "tells names and counts",
    "model.show": "tells names and counts",
    "model.engines": "tells times and names",
    "model.on-call": "tells names and times",
    "policy.list": "tells names and counts",
    "suite.list": "tells names and counts",
    "groups.list": "tells names",
    "roles.denied": "tells names",
    "runbook.list": "tells names and text",
    "runbook.show": "tells names and text",
    "monitor.list": "tells names",
    "monitor.schedules": "tells names and times",
    "monitor.windows": "tells names and counts",
    "deploy.list": "tells names",
    "deploy.show": "tells names",
    "deploy.placements": "tells names and hashes of tokens",
    "data.list": "tells names and digests",
    "data.diff": "tells names and digests",
    "data.used": "tells names and digests",
    "experiments.show": "an experiment's id is eighteen digits at random",
    "experiments.search": "an experiment's id is eighteen digits at random",
    "experiments.find": "an experiment's id is eighteen digits at random",
    "artifacts.list": "tells paths and digests",
    "artifacts.show": "tells a path and a digest",
    "files.show": "tells a digest",
    "retrain.show-policy": "tells names",
    "runs.metric": "tells values",
    "runs.sample": "tells values",
    "runs.series": "tells values",
    "requirements.show": "tells words",
    "runs.count": "tells a count",
    "promotion.preview": "tells what would be",
}
"""Answers that hold no id of something in the workspace, and why."""
ABOUT_ITSELF = {
    "whoami.show",
    "people.list",
    "service-accounts.list",
    "events.list",
    "events.verify",
    "requirements.show",
    "stages.list",
    "runs.count",
    "experiments.search",  # each has its own default
}
"""Answers that tell of the workspace itself, and so are never empty."""


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[App, dict[str, str], Clock]]:
    """One application for all: nothing here changes it."""
    home, clock = tmp_path_factory.mktemp("workspaces"), Clock()
    if request.param == "SQLite":
        template: Template = request.getfixturevalue("sqlite_template")
        shutil.copy(template.place, home / "mainspring.db")
        app = App(Settings(home=home), clock)
        yield app, template.tokens, clock
        app.close()
        return
    furnished: PostgresHouse = request.getfixturevalue("postgres_house")
    app = App(Settings(home=home, database=furnished.settings.database), clock)
    yield app, furnished.tokens, clock
    app.close()
    furnished.restore()


@pytest.fixture(scope="module")
def worlds(house: tuple[App, dict[str, str], Clock]) -> tuple[World, World, World]:
    """Two workspaces in which the same happened under the same names, and an empty one."""
    app, tokens, clock = house
    create = OPERATIONS["workspaces.create"]
    for name in ("left", "right", "empty"):
        local_client(app, tokens["ada"]).call(create, create.request(name=name))
    for person, role in ROLES.items():
        app.token_of("person", person, role)
    app.token_of("service", SERVICE, "service")
    left, right, empty = (in_workspace(app, tokens, name) for name in ("left", "right", "empty"))
    full = built(left, clock)
    return full, built(right, clock), seen_by(full, empty)


def seen_by(world: World, clients: Clients) -> World:
    """The ids of one workspace, asked for by the people of another."""
    return replace(world, clients=clients)


def read(world: World, operation: Operation[Any, Any]) -> Any:
    client = world.clients.service if operation.allow == "operate" else world.clients.admin
    wanted = {item.name for item in msgspec.structs.fields(operation.request) if item.required}
    names = {field: value for field, value in world.names().items() if field in wanted}
    return client.call(operation, sample(operation, **names))


def ids(world: World, operation: Operation[Any, Any]) -> set[str]:
    """The ids in the answer, without those of tokens: people take theirs with them."""
    answer = msgspec.json.encode(read(world, operation)).decode()
    tokens = {event.token for event in story.events(world.clients.admin)}
    return set(re.findall(r"(?<![0-9a-f:])[0-9a-f]{32}(?![0-9a-f])", answer)) - tokens - {"0" * 32}


@EVERY
def test_what_is_read_in_one_is_not_in_the_other(
    worlds: tuple[World, World, World], operation: Operation[Any, Any]
) -> None:
    left, right, _ = worlds

    assert ids(left, operation).isdisjoint(ids(right, operation))


@EVERY
def test_what_is_read_holds_ids_that_could_meet(
    worlds: tuple[World, World, World], operation: Operation[Any, Any]
) -> None:
    assert bool(ids(worlds[0], operation)) != (operation.name in NAMES_NOTHING)


def shown(world: World, operation: Operation[Any, Any]) -> list[Any]:
    """What is listed; what is not found shows nothing."""
    try:
        answer = read(world, operation)
    except NotFound:
        return []
    found: list[Any] = answer if isinstance(answer, list) else answer.items
    return found


@pytest.mark.parametrize(
    "operation",
    [one for one in READING if one.name not in ABOUT_ITSELF],
    ids=lambda operation: operation.name,
)
def test_an_empty_workspace_shows_nothing_of_a_full_one(
    worlds: tuple[World, World, World], operation: Operation[Any, Any]
) -> None:
    assert shown(worlds[2], operation) == []


def test_the_events_of_a_workspace_are_its_own(worlds: tuple[World, World, World]) -> None:
    left, right, empty = worlds

    for world, name in ((left, "left"), (right, "right"), (empty, "empty")):
        assert {event.workspace for event in story.events(world.clients.admin)} <= {name}
