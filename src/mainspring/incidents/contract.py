"""What may be asked about incidents."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

import msgspec

from mainspring.core.ids import Id, Limit, Name, Text, Time
from mainspring.core.operation import Operation, Request

IncidentState = Literal["open", "closed"]


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was wrong in production; its timeline is the log's events about it."""

    id: str
    deployment: str
    model: str
    severity: str
    state: IncidentState
    summary: str
    alert: str | None
    opened_by: str
    opened_at: dt.datetime
    event_time: dt.datetime | None
    closed_at: dt.datetime | None
    resolution: str


class OpenIncident(Request, frozen=True, kw_only=True):
    """Something is wrong."""

    deployment: Name
    severity: Literal["info", "warning", "critical"] = "critical"
    summary: Annotated[Text, msgspec.Meta(min_length=1)]
    alert: Id | None = None
    event_time: Time | None = None


class NameIncident(Request, frozen=True, kw_only=True):
    """One incident."""

    incident: Id


class NoteIncident(Request, frozen=True, kw_only=True):
    """What somebody found or did."""

    incident: Id
    text: Annotated[Text, msgspec.Meta(min_length=1)]


class CloseIncident(Request, frozen=True, kw_only=True):
    """How it ended."""

    incident: Id
    resolution: Annotated[Text, msgspec.Meta(min_length=1)]


class ListIncidents(Request, frozen=True, kw_only=True):
    """Incidents, newest first."""

    deployment: Name | None = None
    state: IncidentState | None = None
    limit: Limit = 100


open_incident = Operation(
    "incident.open", "POST", "/incidents", OpenIncident, Incident,
    allow="monitor", summary="Open an incident; one stands for each deployment at a time.",
)  # fmt: skip
note = Operation(
    "incident.note", "POST", "/incidents/{incident}/notes", NoteIncident, Incident,
    allow="monitor", summary="Write into the timeline of an incident.",
)  # fmt: skip
close = Operation(
    "incident.close", "POST", "/incidents/{incident}/closing", CloseIncident, Incident,
    allow="monitor", summary="Close an incident.",
)  # fmt: skip
show = Operation(
    "incident.show", "GET", "/incidents/{incident}", NameIncident, Incident,
    allow="read", summary="Show an incident.",
)  # fmt: skip
list_incidents = Operation(
    "incident.list", "GET", "/incidents", ListIncidents, list[Incident],
    allow="read", summary="List the incidents, newest first.",
)  # fmt: skip
