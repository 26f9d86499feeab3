"""Every operation that changes a state leaves an event that says who did what."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest

from mainspring.app import OPERATIONS, App
from mainspring.core.event import Event
from mainspring.core.settings import Settings
from tests import story
from tests.conftest import Template
from tests.house import Clients, Clock
from tests.world import DATA, DRIVE, World, built, in_workspace

CHANGING = {name for name, operation in OPERATIONS.items() if not operation.reads}


@pytest.fixture
def database_kind() -> str:
    """The services do not know which database they are on."""
    return "SQLite"


@pytest.fixture
def transport() -> str:
    """The services do not know the way in."""
    return "in process"


@pytest.fixture(scope="session")
def furnished(sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A workspace in which something of every kind has happened, to be copied for each test."""
    home, clock = tmp_path_factory.mktemp("furnished"), Clock()
    shutil.copy(sqlite_template.place, home / "mainspring.db")
    app = App(Settings(home=home), clock)
    world = built(in_workspace(app, sqlite_template.tokens, "default"), clock)
    app.database.checkpoint()
    app.close()
    shutil.copytree(home, sqlite_template.place + ".furnished")
    return world


@pytest.fixture
def clock(furnished: World) -> Clock:
    """The clock as it was when the workspace was furnished."""
    return copy(furnished.clock)


@pytest.fixture
def world(furnished: World, sqlite_template: Template, home: Path, clock: Clock) -> Iterator[World]:
    """A copy of the furnished workspace."""
    shutil.copytree(sqlite_template.place + ".furnished", home, dirs_exist_ok=True)
    app = App(Settings(home=home), clock)
    clients = in_workspace(app, sqlite_template.tokens, "default")
    yield replace(furnished, clients=clients, clock=clock)
    app.close()


def test_every_changing_operation_is_tried() -> None:
    assert DRIVE.keys() | DATA.keys() == CHANGING


@pytest.mark.parametrize("name", sorted(DRIVE))
def test_a_change_is_an_event(world: World, name: str) -> None:
    before = story.events(world.clients.admin)

    DRIVE[name](world)

    assert len(story.events(world.clients.admin)) > len(before)


@pytest.mark.parametrize("name", sorted(DRIVE))
def test_an_event_says_who_when_and_under_which_request(
    world: World, name: str, clock: Clock
) -> None:
    since = clock()

    DRIVE[name](world)

    event: Event = story.events(world.clients.admin)[-1]
    assert event.actor in {"ada", "dora", "paul", "ole", "mainspring", "scanner"}
    assert event.recorded_at > since
    assert event.request_id
    assert event.token


def test_the_events_of_a_model_tell_its_story(clients: Clients, app: App) -> None:
    story.in_production(clients.developer, clients.service, clients.approver)

    assert story.kinds(clients.viewer, model=story.MODEL) == [
        "suite.declared",
        "model.created",
        "version.registered",
        "promotion.requested",
        "verdict.recorded",
        "promotion.waiting",
        "promotion.approved",
        "version.promoted",
    ]
