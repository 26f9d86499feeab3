"""Alerts that call for one open an incident; a new version at work ends it."""

from __future__ import annotations

from mainspring.core.event import Event
from mainspring.core.jobs import on
from mainspring.core.operation import Client
from mainspring.incidents import contract
from mainspring.incidents.contract import CloseIncident, ListIncidents, OpenIncident


@on("alert.raised", name="incidents.open")
def open_for_alert(client: Client, event: Event) -> None:
    """Open an incident where the monitor asks for one."""
    if event.facts["action"] == "incident":
        request = OpenIncident(
            deployment=event.facts["deployment"],
            severity=event.facts["severity"],
            summary=event.facts["reason"],
            alert=event.subject,
            event_time=event.event_time,
        )
        client.call(contract.open_incident, request)


@on("rollout.failed", name="incidents.open-rollout")
def open_for_rollout(client: Client, event: Event) -> None:
    """What should be served cannot be, and somebody has to look."""
    summary = f"version {event.facts['version']} cannot be rolled out: {event.facts['message']}"
    client.call(
        contract.open_incident, OpenIncident(deployment=event.subject, summary=summary[:5000])
    )


@on("rollout.finished", name="incidents.close")
def close_after_rollout(client: Client, event: Event) -> None:
    """A new version replaced the one the incident was about."""
    if event.facts["replaced"] is None:
        return
    request = ListIncidents(deployment=event.subject, state="open")
    for incident in client.call(contract.list_incidents, request):
        if incident.opened_at < event.recorded_at:
            resolution = f"version {event.facts['version']} replaced {event.facts['replaced']}"
            client.call(contract.close, CloseIncident(incident=incident.id, resolution=resolution))
