"""People are in the log of events by reference, and told by the names that they have now."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from mainspring.administration import contract as administration
from mainspring.administration.contract import GrantRole
from mainspring.app import App
from mainspring.core.errors import Forbidden
from mainspring.core.event_log import event_table
from mainspring.core.jobs import claim
from mainspring.interfaces.cli.events_export import csv_line
from mainspring.registry import contract as registry
from mainspring.registry.contract import DescribeModel
from tests import story
from tests.administration.lives import NAME, erase, public_id
from tests.house import Clients, Clock
from tests.story import MODEL


@pytest.fixture
def transport() -> str:
    """What happens to the rows does not depend on the way in."""
    return "in process"


def described(clients: Clients, text: str) -> str:
    """What the log tells of a description that somebody wrote."""
    request = DescribeModel(model=MODEL, description=text)
    clients.developer.call(registry.describe_model, request)
    return str(story.events(clients.viewer, kind="model.described")[-1].facts["description"])


def stored_facts(app: App) -> list[object]:
    with app.database.read() as connection:
        return list(connection.scalars(select(event_table.c.facts).order_by(event_table.c.id)))


def test_people_are_stored_by_reference_and_told_by_name(app: App, clients: Clients) -> None:
    story.version(clients.developer)
    request = DescribeModel(model=MODEL, owner="ole", on_call=["ole", "vera"])
    clients.developer.call(registry.describe_model, request)
    ole, vera, dora = (f"person:{public_id(app, name)}" for name in ("ole", "vera", NAME))

    (stored,) = story.events(clients.viewer, kind="model.described", as_stored=True)
    (told,) = story.events(clients.viewer, kind="model.described")

    assert (stored.actor, stored.facts) == (dora, {"owner": ole, "on_call": [ole, vera]})
    assert stored.names == {dora: NAME, ole: "ole", vera: "vera"}
    assert (told.actor, told.facts) == (NAME, {"owner": "ole", "on_call": ["ole", "vera"]})
    assert (told.schema_version, told.names) == (2, {})


def test_the_subject_is_a_reference_where_it_is_a_person(app: App, clients: Clients) -> None:
    clients.admin.call(
        administration.grant_role, GrantRole(person="vera", role="auditor")
    )  # fmt: skip

    (stored,) = story.events(clients.viewer, kind="role.granted", as_stored=True)[-1:]

    assert stored.subject == f"person:{public_id(app, 'vera')}"
    assert story.kinds(clients.viewer, subject="vera") == ["role.granted"]


def test_a_refusal_that_names_somebody_refers_to_them(app: App, clients: Clients) -> None:
    with pytest.raises(Forbidden):
        story.open_run(clients.viewer)

    (stored,) = story.events(clients.viewer, outcome="refused", as_stored=True)
    (told,) = story.events(clients.viewer, outcome="refused")

    assert f"person 'person:{public_id(app, 'vera')}' needs" in stored.facts["message"]
    assert "person 'vera' needs" in told.facts["message"]


@pytest.mark.parametrize("text", ["{}", "the words of '{}', as he said", "person:={}"])
def test_what_looks_like_a_reference_means_nobody(app: App, clients: Clients, text: str) -> None:
    story.version(clients.developer)
    written = text.replace("{}", f"person:{public_id(app, 'ole')}", 1)
    if text == "person:={}":
        written = f"person:={public_id(app, 'ole')}"

    assert described(clients, written) == written
    erase(clients.admin, "ole")
    assert story.events(clients.viewer, kind="model.described")[-1].facts == {
        "description": written
    }


def test_an_apostrophe_before_a_name_hides_nothing(app: App, clients: Clients) -> None:
    story.version(clients.developer)

    assert described(clients, "it isn't 'petra' who did") == "it isn't 'petra' who did"
    assert "petra" not in json.dumps(stored_facts(app)[-1])


def test_events_are_found_by_name(clients: Clients) -> None:
    story.version(clients.developer)

    assert {event.actor for event in story.events(clients.viewer, actor=NAME)} == {NAME}
    assert story.events(clients.viewer, actor="petra") == []


def test_a_reaction_is_told_the_name(app: App, clients: Clients, clock: Clock) -> None:
    story.in_production(clients.developer, clients.service, clients.approver)
    with app.database.write() as connection:
        job = claim(connection, "server", "me", clock())

    assert job is not None
    assert job.event.actor in {NAME, "paul", "mainspring"}


def test_csv_is_for_people(clients: Clients) -> None:
    story.version(clients.developer)
    event = story.events(clients.viewer, actor=NAME, as_stored=True)[0]

    assert f",{NAME}," in csv_line(event).decode()
    assert "person:" not in csv_line(event).decode()
