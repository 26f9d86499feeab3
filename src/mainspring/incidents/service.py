"""Incidents are opened, noted upon, closed; the timeline is the event log."""

from __future__ import annotations

from mainspring.core.errors import Conflict
from mainspring.core.event import Announcement
from mainspring.core.ids import new_id
from mainspring.core.work import Work, performs
from mainspring.deployment.store import DeploymentStore
from mainspring.incidents import contract
from mainspring.incidents.contract import Incident
from mainspring.incidents.store import IncidentStore, incident_of


def _store(work: Work) -> IncidentStore:
    return IncidentStore(work.connection, work.workspace_id)


@performs(contract.open_incident)
def open_incident(work: Work, request: contract.OpenIncident) -> Incident:
    """Open one, or add to the one that stands."""
    store = _store(work)
    deployment = DeploymentStore(work.connection, work.workspace_id).row(request.deployment)
    standing = store.rows(request.deployment, "open", 1)
    if standing:
        work.announce(
            "incident.noted",
            ("incident", standing[0].public_id),
            deployment.model,
            text=request.summary,
            alert=request.alert,
        )
        return incident_of(standing[0])
    public_id = new_id()
    store.add(
        {
            "public_id": public_id,
            "deployment": deployment.name,
            "model": deployment.model,
            "severity": request.severity,
            "state": "open",
            "summary": request.summary,
            "alert": request.alert,
            "opened_by": work.actor.name,
            "opened_at": work.now,
            "event_time": request.event_time,
            "resolution": "",
        }
    )
    work.announce_fully(
        Announcement(
            kind="incident.opened",
            subject_kind="incident",
            subject=public_id,
            model=deployment.model,
            facts={"summary": request.summary, "alert": request.alert},
            event_time=request.event_time,
        )
    )
    return incident_of(store.row(public_id))


@performs(contract.note)
def note(work: Work, request: contract.NoteIncident) -> Incident:
    """Add to the timeline."""
    row = _store(work).row(request.incident)
    work.announce("incident.noted", ("incident", row.public_id), row.model, text=request.text)
    return incident_of(row)


@performs(contract.close)
def close(work: Work, request: contract.CloseIncident) -> Incident:
    """Close it, once."""
    store = _store(work)
    row = store.row(request.incident)
    if row.state == "closed":
        raise Conflict(f"incident {request.incident} is closed", field="incident")
    store.update(row.id, state="closed", closed_at=work.now, resolution=request.resolution)
    work.announce(
        "incident.closed", ("incident", row.public_id), row.model, resolution=request.resolution
    )
    return incident_of(store.row(request.incident))


@performs(contract.show)
def show(work: Work, request: contract.NameIncident) -> Incident:
    """One incident."""
    return incident_of(_store(work).row(request.incident))


@performs(contract.list_incidents)
def list_incidents(work: Work, request: contract.ListIncidents) -> list[Incident]:
    """Newest first."""
    rows = _store(work).rows(request.deployment, request.state, request.limit)
    return [incident_of(row) for row in rows]
