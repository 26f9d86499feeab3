"""What may be asked about monitors, windows, alerts and runbooks."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import msgspec

from mainspring.core.ids import PLAIN, Id, Limit, Name, Time, Version
from mainspring.core.operation import Done, Operation, Request
from mainspring.monitoring.alert import Action, AlertState, MonitorKind, Severity

Finite = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2_000_000_000)]
Windows = Annotated[int, msgspec.Meta(ge=1, le=100)]
Plug = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[\w-]+$(?!\n)")]


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told when nobody has acknowledged after so many minutes."""

    after_minutes: Annotated[float, msgspec.Meta(ge=0, le=100_000)]
    notify: Annotated[list[Plug], msgspec.Meta(min_length=1, max_length=20)]


class Monitor(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is watched, with a threshold, an action and a runbook; none is optional."""

    name: str
    deployment: str
    kind: MonitorKind
    metric: str
    threshold: float
    breaches: int
    windows: int
    severity: Severity
    action: Action
    runbook: str
    escalation: list[Step]
    declared_by: str
    recorded_at: dt.datetime


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of event time, closed and measured."""

    deployment: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    version: int
    """The version that served most of it."""
    rows: int
    labels: int
    """How many of the rows have a label, as known at `labels_known_at`."""
    labels_known_at: dt.datetime | None
    """By the server's clock; it moves on when labels that came later are counted too."""
    measurements: dict[str, Any]
    recorded_at: dt.datetime


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A monitor's threshold was crossed."""

    id: str
    monitor: str
    kind: MonitorKind
    deployment: str
    model: str
    severity: Severity
    action: Action
    state: AlertState
    value: float | None
    threshold: float
    reason: str
    runbook: str
    """The runbook's name; `runbook_url` is its address on this server."""
    runbook_url: str
    escalation_step: int
    """How many steps of the escalation have been taken."""
    event_time: dt.datetime
    continued_at: dt.datetime
    """By the data's clock, when it was last told of: it goes on while nothing has mended it."""
    raised_at: dt.datetime
    acknowledged_by: str | None
    resolved_at: dt.datetime | None


class Runbook(msgspec.Struct, frozen=True, kw_only=True):
    """What to check, the impact, the remedy: Markdown."""

    name: str
    text: str
    written_by: str
    recorded_at: dt.datetime


class WriteRunbook(Request, frozen=True, kw_only=True):
    """A runbook, new or rewritten."""

    name: Name
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=100_000, pattern=PLAIN)]


class NameRunbook(Request, frozen=True, kw_only=True):
    """One runbook."""

    name: Name


class DeclareMonitor(Request, frozen=True, kw_only=True):
    """Watch something. Without a threshold, an action and a runbook there is no monitor."""

    name: Name
    deployment: Name
    kind: MonitorKind
    metric: Annotated[str, msgspec.Meta(max_length=50)]
    threshold: Finite
    breaches: Windows = 1
    windows: Windows = 1
    severity: Severity = "warning"
    action: Action = "notify"
    runbook: Name
    escalation: Annotated[list[Step], msgspec.Meta(min_length=1, max_length=10)]


class ListAll(Request, frozen=True, kw_only=True):
    """By name."""

    limit: Limit = 100


class ListOfDeployment(Request, frozen=True, kw_only=True):
    """What belongs to a deployment, or to all."""

    deployment: Name | None = None
    limit: Limit = 100


class CloseWindows(Request, frozen=True, kw_only=True):
    """Measure every day that ended `label_delay_hours` before `until`."""

    deployment: Name
    until: Time
    label_delay_hours: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 24
    day_starts_at_hour: Annotated[float, msgspec.Meta(ge=0, lt=24)] = 0
    """In UTC: cut the days where there is the least traffic."""
    performance_days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 7
    """Over how many days performance is judged; drift is judged day by day."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """How often the days of a deployment are measured by themselves."""

    deployment: str
    every_minutes: float
    label_delay_hours: float
    day_starts_at_hour: float
    performance_days: int
    next_at: dt.datetime
    set_by: str


class SetSchedule(Request, frozen=True, kw_only=True):
    """Measure the days that have ended, every so often, by the server's clock."""

    deployment: Name
    every_minutes: Annotated[float, msgspec.Meta(ge=1, le=100_000)] = 60
    label_delay_hours: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 24
    day_starts_at_hour: Annotated[float, msgspec.Meta(ge=0, lt=24)] = 0
    performance_days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 7


class NameSchedule(Request, frozen=True, kw_only=True):
    """The schedule of a deployment."""

    deployment: Name


class RecordWindow(Request, frozen=True, kw_only=True):
    """What was measured in one window."""

    deployment: Name
    starts_at: Time
    ends_at: Time
    version: Version
    rows: Count
    labels: Count
    labels_known_at: Time | None = None
    measurements: dict[str, dict[str, Any]]
    """For each kind of monitor, its metrics; one of performance has `value`, `low` and `high`."""


class ReviseWindow(Request, frozen=True, kw_only=True):
    """The day's own performance, measured again with labels that came later."""

    deployment: Name
    starts_at: Time
    labels: Count
    labels_known_at: Time
    performance_of_day: dict[str, Any]


class NameAlert(Request, frozen=True, kw_only=True):
    """One alert."""

    alert: Id


class ListAlerts(Request, frozen=True, kw_only=True):
    """Alerts, newest first."""

    deployment: Name | None = None
    state: AlertState | None = None
    limit: Limit = 100


write_runbook = Operation(
    "runbook.write", "PUT", "/runbooks/{name}", WriteRunbook, Runbook,
    allow="monitor", summary="Write a runbook: what to check, the impact, the remedy.",
)  # fmt: skip
show_runbook = Operation(
    "runbook.show", "GET", "/runbooks/{name}", NameRunbook, Runbook,
    allow="read", summary="Show a runbook.",
)  # fmt: skip
list_runbooks = Operation(
    "runbook.list", "GET", "/runbooks", ListAll, list[Runbook],
    allow="read", summary="List the runbooks.",
)  # fmt: skip
declare_monitor = Operation(
    "monitor.declare", "POST", "/monitors", DeclareMonitor, Monitor,
    allow="monitor", summary="Watch a deployment: threshold, action and runbook.",
)  # fmt: skip
list_monitors = Operation(
    "monitor.list", "GET", "/monitors", ListOfDeployment, list[Monitor],
    allow="read", summary="List the monitors.",
)  # fmt: skip
close_windows = Operation(
    "monitor.run", "POST", "/deployments/{deployment}/windows/due", CloseWindows, Done,
    allow="monitor", summary="Measure the days that have ended and read the monitors.",
)  # fmt: skip
set_schedule = Operation(
    "monitor.schedule", "PUT", "/deployments/{deployment}/monitoring-schedule", SetSchedule,
    Schedule,
    allow="monitor", summary="Measure a deployment's days by themselves, every so often.",
)  # fmt: skip
drop_schedule = Operation(
    "monitor.unschedule", "DELETE", "/deployments/{deployment}/monitoring-schedule", NameSchedule,
    Done,
    allow="monitor", summary="Stop measuring a deployment's days by themselves.",
)  # fmt: skip
list_schedules = Operation(
    "monitor.schedules", "GET", "/monitoring-schedules", ListAll, list[Schedule],
    allow="read", summary="List how often deployments are measured.",
)  # fmt: skip
run_schedules = Operation(
    "monitor.run-due", "POST", "/monitoring-schedules/due", Request, Done,
    allow="operate", summary="Start the measurements that are due.", repeatable=True,
)  # fmt: skip
record_window = Operation(
    "monitor.record-window", "POST", "/deployments/{deployment}/windows", RecordWindow, Window,
    allow="operate", summary="Record one window's measurements and read the monitors.",
    repeatable=True,
)  # fmt: skip
revise_window = Operation(
    "monitor.revise-window", "POST", "/deployments/{deployment}/windows/revisions", ReviseWindow,
    Window,
    allow="operate", summary="Record a window's own performance again, with later labels.",
    repeatable=True,
)  # fmt: skip
list_windows = Operation(
    "monitor.windows", "GET", "/windows", ListOfDeployment, list[Window],
    allow="read", summary="List the measured windows, newest first.",
)  # fmt: skip
list_alerts = Operation(
    "alerts.list", "GET", "/alerts", ListAlerts, list[Alert],
    allow="read", summary="List the alerts, newest first.",
)  # fmt: skip
show_alert = Operation(
    "alerts.show", "GET", "/alerts/{alert}", NameAlert, Alert,
    allow="read", summary="Show an alert.",
)  # fmt: skip
acknowledge = Operation(
    "alerts.ack", "POST", "/alerts/{alert}/acknowledgement", NameAlert, Alert,
    allow="monitor", summary="Take an alert on; its escalation stops.",
)  # fmt: skip
resolve_alert = Operation(
    "alerts.resolve", "POST", "/alerts/{alert}/resolution", NameAlert, Alert,
    allow="monitor", summary="Close an alert.",
)  # fmt: skip
escalate = Operation(
    "alerts.escalate", "POST", "/alerts/escalation", Request, Done,
    allow="operate", summary="Take the escalation steps that are due.", repeatable=True,
)  # fmt: skip
