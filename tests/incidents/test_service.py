"""Incidents: one stands for a deployment at a time, and its timeline is the log."""

from __future__ import annotations

import pytest

from mainspring.core.errors import Conflict, NotFound
from mainspring.core.ids import new_id
from mainspring.deployment import contract as deployment
from mainspring.deployment.contract import Report
from mainspring.incidents import contract, reactions
from mainspring.incidents.contract import (
    CloseIncident,
    Incident,
    ListIncidents,
    NameIncident,
    NoteIncident,
    OpenIncident,
)
from tests import story, watch
from tests.house import Clients
from tests.story import MODEL


def open_one(clients: Clients, summary: str = "it is late") -> Incident:
    request = OpenIncident(deployment=MODEL, summary=summary)
    return clients.developer.call(contract.open_incident, request)


def close(clients: Clients, incident: Incident) -> Incident:
    request = CloseIncident(incident=incident.id, resolution="rolled back")
    return clients.developer.call(contract.close, request)


def timeline(clients: Clients, incident: Incident) -> list[str]:
    return story.kinds(clients.viewer, subject=incident.id)


def listed(clients: Clients, **filters: str) -> list[Incident]:
    request = ListIncidents(**filters)  # type: ignore[arg-type]
    return clients.viewer.call(contract.list_incidents, request)


@pytest.fixture
def transport() -> str:
    """In process alone: that both ways in agree is tested where requests differ."""
    return "in process"


@pytest.fixture
def deployed(clients: Clients) -> None:
    """A version in production that is served."""
    watch.deployed(clients)


def test_an_incident_knows_its_model(clients: Clients, deployed: None) -> None:
    incident = open_one(clients)

    assert (incident.state, incident.model, incident.opened_by) == ("open", MODEL, "dora")


def test_what_comes_meanwhile_is_added_to_the_standing_one(
    clients: Clients, deployed: None
) -> None:
    first = open_one(clients)

    assert open_one(clients, "and later").id == first.id
    assert timeline(clients, first) == ["incident.opened", "incident.noted"]


def test_a_note_is_part_of_the_timeline(clients: Clients, deployed: None) -> None:
    incident = open_one(clients)
    note = NoteIncident(incident=incident.id, text="the feed was down")
    clients.deployer.call(contract.note, note)

    event = story.events(clients.viewer, subject=incident.id)[-1]

    assert (event.actor, event.facts) == ("ole", {"text": "the feed was down"})


def test_a_closed_incident_says_how_it_ended(clients: Clients, deployed: None) -> None:
    closed = close(clients, open_one(clients))

    assert (closed.state, closed.resolution) == ("closed", "rolled back")
    assert closed.closed_at is not None


def test_an_incident_is_closed_once(clients: Clients, deployed: None) -> None:
    incident = close(clients, open_one(clients))

    with pytest.raises(Conflict, match="is closed"):
        close(clients, incident)


def test_after_a_closed_one_another_is_opened(clients: Clients, deployed: None) -> None:
    first = close(clients, open_one(clients))

    assert open_one(clients).id != first.id
    assert [incident.state for incident in listed(clients)] == ["open", "closed"]


def test_incidents_are_listed_by_state(clients: Clients, deployed: None) -> None:
    close(clients, open_one(clients))

    assert listed(clients, state="open") == []


def test_an_unknown_incident_is_not_found(clients: Clients) -> None:
    with pytest.raises(NotFound) as caught:
        clients.viewer.call(contract.show, NameIncident(incident=new_id()))
    assert caught.value.field == "incident"


def test_an_alert_that_asks_for_one_opens_an_incident(clients: Clients) -> None:
    alert = watch.raised(clients, action="incident", severity="critical")
    (event,) = story.events(clients.viewer, kind="alert.raised")

    reactions.open_for_alert(clients.service, event)

    (incident,) = listed(clients)
    assert (incident.alert, incident.severity) == (alert.id, "critical")
    assert incident.event_time == alert.event_time


def test_an_alert_that_only_tells_opens_none(clients: Clients) -> None:
    watch.raised(clients, action="notify")
    (event,) = story.events(clients.viewer, kind="alert.raised")

    reactions.open_for_alert(clients.service, event)

    assert listed(clients) == []


def test_a_new_version_at_work_ends_the_incident(clients: Clients, deployed: None) -> None:
    report = Report(deployment=MODEL, state="ready", served=1)
    clients.service.call(deployment.report, report)
    open_one(clients)
    report = Report(deployment=MODEL, state="ready", served=2)
    clients.service.call(deployment.report, report)

    for event in story.events(clients.viewer, kind="rollout.finished"):
        reactions.close_after_rollout(clients.service, event)

    assert listed(clients)[0].resolution == "version 2 replaced 1"
