"""Every operation that changes a state leaves an event that says who did what."""

from __future__ import annotations

import pytest

from mainspring.app import OPERATIONS, App
from mainspring.core.event import Event
from tests import story
from tests.house import Clients, Clock
from tests.world import DATA, DRIVE, World, built

CHANGING = {name for name, operation in OPERATIONS.items() if not operation.reads}


@pytest.fixture
def database_kind() -> str:
    """The services do not know which database they are on."""
    return "SQLite"


@pytest.fixture
def transport() -> str:
    """The services do not know the way in."""
    return "in process"


@pytest.fixture
def world(clients: Clients, clock: Clock) -> World:
    """A workspace in which something of every kind has happened."""
    return built(clients, clock)


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
    assert event.actor in {"ada", "dora", "paul", "ole", "mainspring"}
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
