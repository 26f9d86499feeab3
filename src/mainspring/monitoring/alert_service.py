"""Alerts are listed, acknowledged, resolved, escalated."""

from __future__ import annotations

import datetime as dt
from typing import Any

from mainspring.core.errors import Conflict
from mainspring.core.operation import Done, Request
from mainspring.core.work import Work, performs
from mainspring.monitoring import contract
from mainspring.monitoring.alert import EscalationStep, next_escalation
from mainspring.monitoring.contract import Alert
from mainspring.monitoring.store import MonitoringStore, alert_of, steps_of


def _store(work: Work) -> MonitoringStore:
    return MonitoringStore(work.connection, work.workspace_id)


@performs(contract.list_alerts)
def list_alerts(work: Work, request: contract.ListAlerts) -> list[Alert]:
    """Newest first."""
    rows = _store(work).alert_rows(None, request.deployment, request.state, request.limit)
    return [alert_of(row, work.workspace) for row in rows]


@performs(contract.show_alert)
def show_alert(work: Work, request: contract.NameAlert) -> Alert:
    """One alert."""
    return alert_of(_store(work).alert_row(request.alert), work.workspace)


@performs(contract.acknowledge)
def acknowledge(work: Work, request: contract.NameAlert) -> Alert:
    """Take it on; nobody else is woken for it."""
    store = _store(work)
    row = store.alert_row(request.alert)
    if row.state == "resolved":
        raise Conflict(f"alert {request.alert} is resolved", field="alert")
    if row.state == "open":
        store.update_alert(row.id, state="acknowledged", acknowledged_by=work.actor.name)
        work.announce("alert.acknowledged", ("alert", request.alert), row.model)
    return alert_of(store.alert_row(request.alert), work.workspace)


@performs(contract.resolve_alert)
def resolve_alert(work: Work, request: contract.NameAlert) -> Alert:
    """Close it."""
    store = _store(work)
    row = store.alert_row(request.alert)
    if row.state != "resolved":
        store.update_alert(row.id, state="resolved", resolved_at=work.now)
        work.announce("alert.resolved", ("alert", request.alert), row.model, by=work.actor.name)
    return alert_of(store.alert_row(request.alert), work.workspace)


@performs(contract.escalate)
def escalate(work: Work, request: Request) -> Done:
    """Take each step that is due for an alert that nobody has acknowledged."""
    store, taken = _store(work), 0
    for row in store.alert_rows(None, None, "open"):
        step = _due(row, work.now)
        if step is None:
            continue
        store.update_alert(row.id, escalation_step=row.escalation_step + 1)
        work.announce(
            "alert.escalated",
            ("alert", row.public_id),
            row.model,
            step=row.escalation_step + 1,
            notify=list(step.notify),
            monitor=row.monitor,
        )
        taken += 1
    return Done(count=taken)


def _due(row: Any, now: dt.datetime) -> EscalationStep | None:
    steps = [
        EscalationStep(dt.timedelta(minutes=step.after_minutes), tuple(step.notify))
        for step in steps_of(row)
    ]
    following = next_escalation(steps, row.escalation_step, row.raised_at)
    return following[0] if following is not None and following[1] <= now else None
