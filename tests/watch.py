"""A deployment that is watched: the chapter that tests of alerts begin with."""

from __future__ import annotations

import datetime as dt
from typing import Any

from mainspring.core.clock import UTC
from mainspring.deployment import contract as deployment
from mainspring.deployment.contract import StartDeployment
from mainspring.monitoring import contract
from mainspring.monitoring.contract import (
    Alert,
    DeclareMonitor,
    ListAlerts,
    Monitor,
    RecordWindow,
    ReviseWindow,
    Step,
    Window,
    WriteRunbook,
)
from tests import story
from tests.house import Clients
from tests.story import MODEL

DAY = dt.timedelta(days=1)
FIRST_DAY = dt.datetime(2013, 3, 1, tzinfo=UTC)
RUNBOOK = "late-model"


def deployed(clients: Clients) -> None:
    """A version in production that is served."""
    story.in_production(clients.developer, clients.service, clients.approver)
    clients.deployer.call(deployment.start, StartDeployment(model=MODEL))


def monitor(clients: Clients, **more: Any) -> Monitor:
    """Declare a monitor of the AUC, with its runbook."""
    runbook = WriteRunbook(name=RUNBOOK, text="# What to check")
    clients.developer.call(contract.write_runbook, runbook)
    fields = {
        "name": "auc",
        "deployment": MODEL,
        "kind": "performance",
        "metric": "auc",
        "threshold": 0.7,
        "runbook": RUNBOOK,
        "escalation": [Step(after_minutes=0, notify=["log"])],
        **more,
    }
    return clients.developer.call(contract.declare_monitor, DeclareMonitor(**fields))


def window(clients: Clients, day: int, auc: float | None, version: int = 1) -> Window:
    """Close a day in which the AUC was this, give or take 0.01; None: nothing was measured."""
    found = {} if auc is None else {"auc": {"value": auc, "low": auc - 0.01, "high": auc + 0.01}}
    request = RecordWindow(
        deployment=MODEL,
        starts_at=FIRST_DAY + day * DAY,
        ends_at=FIRST_DAY + (day + 1) * DAY,
        version=version,
        rows=100,
        labels=100,
        measurements={"performance": found},
    )
    return clients.service.call(contract.record_window, request)


def revised(clients: Clients, day: int, labels: int) -> Window:
    """Measure a day again, with labels that came by the end of that year."""
    request = ReviseWindow(
        deployment=MODEL,
        starts_at=FIRST_DAY + day * DAY,
        labels=labels,
        labels_known_at=dt.datetime(2013, 12, 31, tzinfo=UTC),
        performance_of_day={"labelled": labels},
    )
    return clients.service.call(contract.revise_window, request)


def alerts(clients: Clients, **filters: Any) -> list[Alert]:
    """The alerts, newest first."""
    return clients.viewer.call(contract.list_alerts, ListAlerts(**filters))


def raised(clients: Clients, **more: Any) -> Alert:
    """A deployment whose monitor has raised an alert."""
    deployed(clients)
    monitor(clients, **more)
    window(clients, 0, 0.5)
    (alert,) = alerts(clients)
    return alert
