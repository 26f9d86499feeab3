"""Windows are closed and revised, monitors are read."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import msgspec

from mainspring.core.errors import Conflict, Invalid, NotFound
from mainspring.core.event import Announcement
from mainspring.core.ids import derived_id
from mainspring.core.operation import Done
from mainspring.core.plugins import installed
from mainspring.core.text import closest
from mainspring.core.work import Work, performs
from mainspring.deployment.store import DeploymentStore
from mainspring.monitoring import contract
from mainspring.monitoring.alert import METRICS, Reading, Rule, calms, fires, read
from mainspring.monitoring.contract import Monitor, Runbook, Window
from mainspring.monitoring.store import (
    MonitoringStore,
    missing_runbook,
    monitor_of,
    runbook_of,
    window_of,
)

REMINDER = dt.timedelta(days=7)
"""An alert that goes on is told of again after so much of the data's time."""


@dataclass(frozen=True, slots=True)
class _Breach:
    """A monitor that fires, and what it read in which window."""

    monitor: Any
    window: int
    request: contract.RecordWindow
    reading: Reading

    @property
    def reason(self) -> str:
        """What happened, in words."""
        monitor = self.monitor
        return (
            f"{self.reading.reason} crossed {monitor.threshold:.4g} in {monitor.breaches} of "
            f"{monitor.windows} windows"
        )


def _store(work: Work) -> MonitoringStore:
    return MonitoringStore(work.connection, work.workspace_id)


def _deployment(work: Work, name: str) -> Any:
    return DeploymentStore(work.connection, work.workspace_id).row(name)


@performs(contract.write_runbook)
def write_runbook(work: Work, request: contract.WriteRunbook) -> Runbook:
    """Write or rewrite."""
    store = _store(work)
    values = {"text": request.text, "written_by": work.actor.name, "recorded_at": work.now}
    store.put_runbook(store.find_runbook(request.name), {"name": request.name, **values})
    work.announce("runbook.written", ("runbook", request.name))
    return runbook_of(store.find_runbook(request.name))


@performs(contract.show_runbook)
def show_runbook(work: Work, request: contract.NameRunbook) -> Runbook:
    """One runbook."""
    store = _store(work)
    row = store.find_runbook(request.name)
    if row is None:
        raise missing_runbook(request.name, [book.name for book in store.runbooks()])
    return runbook_of(row)


@performs(contract.list_runbooks)
def list_runbooks(work: Work, request: contract.ListAll) -> list[Runbook]:
    """By name."""
    return _store(work).runbooks(request.limit)


@performs(contract.declare_monitor)
def declare_monitor(work: Work, request: contract.DeclareMonitor) -> Monitor:
    """Watch; the runbook has to be written already."""
    store = _store(work)
    _check_monitor(store, request)
    deployment = _deployment(work, request.deployment)
    if any(row.name == request.name for row in store.monitor_rows()):
        raise Conflict(f"monitor {request.name!r} exists", field="name")
    fields = msgspec.to_builtins(request)
    del fields["deployment"]
    store.add_monitor(
        {
            **fields,
            "deployment_id": deployment.id,
            "declared_by": work.actor.name,
            "recorded_at": work.now,
        }
    )
    work.announce(
        "monitor.declared",
        ("monitor", request.name),
        deployment.model,
        metric=request.metric,
        threshold=request.threshold,
        runbook=request.runbook,
    )
    return monitor_of(next(row for row in store.monitor_rows() if row.name == request.name))


def _check_monitor(store: MonitoringStore, request: contract.DeclareMonitor) -> None:
    known = METRICS[request.kind]
    if request.metric not in known:
        raise Invalid(
            f"a {request.kind} monitor has no metric {request.metric!r}"
            f"{closest(request.metric, known)}; it has: {', '.join(known)}",
            field="metric",
        )
    if request.breaches > request.windows:
        raise Invalid(
            f"{request.breaches} breaches cannot happen in {request.windows} windows",
            field="breaches",
        )
    if store.find_runbook(request.runbook) is None:
        raise missing_runbook(request.runbook, [book.name for book in store.runbooks()])
    plugs = installed("notifiers")
    for name in {name for step in request.escalation for name in step.notify}:
        if name not in plugs:
            raise Invalid(
                f"no notifier {name!r}{closest(name, plugs)}; installed: {', '.join(plugs)}",
                field="escalation",
            )


@performs(contract.list_monitors)
def list_monitors(work: Work, request: contract.ListOfDeployment) -> list[Monitor]:
    """By name."""
    return [monitor_of(row) for row in _store(work).monitor_rows(request.deployment, request.limit)]


@performs(contract.close_windows)
def close_windows(work: Work, request: contract.CloseWindows) -> Done:
    """Let a worker measure what has ended; it knows from the log which days there are."""
    deployment = _deployment(work, request.deployment)
    work.announce_fully(
        Announcement(
            kind="windows.due",
            subject_kind="deployment",
            subject=deployment.name,
            model=deployment.model,
            facts={
                "until": request.until.isoformat(),
                "label_delay_hours": request.label_delay_hours,
                "day_starts_at_hour": request.day_starts_at_hour,
                "performance_days": request.performance_days,
            },
            event_time=request.until,
        )
    )
    return Done()


@performs(contract.record_window)
def record_window(work: Work, request: contract.RecordWindow) -> Window:
    """Keep the measurements and read every monitor of the deployment, once a window."""
    store = _store(work)
    deployment = _deployment(work, request.deployment)
    known = store.find_window(deployment.id, request.starts_at)
    if known is not None:
        return window_of(known, deployment.name)
    fields = msgspec.to_builtins(request, builtin_types=(dt.datetime,))
    del fields["deployment"]
    key = store.add_window({**fields, "deployment_id": deployment.id, "recorded_at": work.now})
    work.announce_fully(
        Announcement(
            kind="window.closed",
            subject_kind="deployment",
            subject=deployment.name,
            model=deployment.model,
            facts={"rows": request.rows, "labels": request.labels, "version": request.version},
            event_time=request.ends_at,
        )
    )
    for monitor in store.monitor_rows(deployment.name):
        _read_monitor(work, monitor, key, request)
    found = store.find_window(deployment.id, request.starts_at)
    return window_of(found, deployment.name)


@performs(contract.revise_window)
def revise_window(work: Work, request: contract.ReviseWindow) -> Window:
    """Replace the day's own performance; what monitors read of the window stays as they read it."""
    store = _store(work)
    deployment = _deployment(work, request.deployment)
    known = store.find_window(deployment.id, request.starts_at)
    if known is None:
        raise NotFound(
            f"deployment {deployment.name!r} has no window that starts at {request.starts_at}",
            field="starts_at",
            fix=f"mainspring monitor windows --deployment {deployment.name}",
        )
    if known.labels_known_at is not None and known.labels_known_at >= request.labels_known_at:
        return window_of(known, deployment.name)
    store.revise_window(
        known.id,
        {
            "labels": request.labels,
            "labels_known_at": request.labels_known_at,
            "measurements": {
                **known.measurements,
                "performance_of_day": request.performance_of_day,
            },
        },
    )
    work.announce_fully(
        Announcement(
            kind="window.revised",
            subject_kind="deployment",
            subject=deployment.name,
            model=deployment.model,
            facts={"rows": known.rows, "labels_before": known.labels, "labels": request.labels},
            event_time=known.ends_at,
        )
    )
    return window_of(store.find_window(deployment.id, request.starts_at), deployment.name)


def _read_monitor(work: Work, monitor: Any, window: int, request: contract.RecordWindow) -> None:
    store = _store(work)
    rule = Rule(monitor.kind, monitor.metric, monitor.threshold, monitor.breaches, monitor.windows)
    try:
        reading = read(rule, request.measurements)
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(
            f"{rule.kind} has no {rule.metric!r} that monitor {monitor.name!r} can read: {error!r}",
            field=f"measurements.{rule.kind}.{rule.metric}",
        ) from error
    store.add_reading(window, monitor.id, reading.value, breached=reading.breached)
    if reading.value is None:
        return
    # Only windows of the version at work: a new version starts with a clean sheet.
    breaches = store.breaches(monitor.id, request.version, rule.windows)
    alert = store.open_alert(monitor.id)
    breach = _Breach(monitor, window, request, reading)
    if fires(rule, breaches):
        if alert is None:
            _raise(work, breach)
        else:
            _remind(work, breach, alert)
    elif alert is not None and calms(rule, breaches):
        store.update_alert(alert.id, state="resolved", resolved_at=work.now)
        model = _deployment(work, request.deployment).model
        work.announce("alert.resolved", ("alert", alert.public_id), model, monitor=monitor.name)


def _raise(work: Work, breach: _Breach) -> None:
    public_id = derived_id("alert", str(breach.monitor.id), str(breach.window))
    _store(work).add_alert(
        {
            "public_id": public_id,
            "monitor_id": breach.monitor.id,
            "window_id": breach.window,
            "state": "open",
            "value": breach.reading.value,
            "threshold": breach.monitor.threshold,
            "reason": breach.reason,
            "escalation_step": 0,
            "event_time": breach.request.ends_at,
            "continued_at": breach.request.ends_at,
            "raised_at": work.now,
        }
    )
    _tell(work, breach, "alert.raised", public_id)


def _remind(work: Work, breach: _Breach, alert: Any) -> None:
    """Say again that it goes on: an attempt to mend it may have been refused meanwhile."""
    if breach.request.ends_at - alert.continued_at < REMINDER:
        return
    _store(work).update_alert(alert.id, continued_at=breach.request.ends_at)
    _tell(work, breach, "alert.continued", alert.public_id)


def _tell(work: Work, breach: _Breach, kind: str, alert: str) -> None:
    monitor, deployment = breach.monitor, _deployment(work, breach.request.deployment)
    work.announce_fully(
        Announcement(
            kind=kind,
            subject_kind="alert",
            subject=alert,
            model=deployment.model,
            facts={
                "monitor": monitor.name,
                "monitor_kind": monitor.kind,
                "action": monitor.action,
                "severity": monitor.severity,
                "deployment": deployment.name,
                "value": breach.reading.value,
                "reason": breach.reason,
                "runbook": monitor.runbook,
            },
            event_time=breach.request.ends_at,
        )
    )


@performs(contract.list_windows)
def list_windows(work: Work, request: contract.ListOfDeployment) -> list[Window]:
    """Newest first."""
    return _store(work).windows(request.deployment, request.limit)
