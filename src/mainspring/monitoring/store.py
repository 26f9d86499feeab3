"""The rows of monitors, windows, alerts and runbooks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from mainspring.core.errors import NotFound
from mainspring.core.text import closest
from mainspring.deployment.store import deployment_table
from mainspring.monitoring.contract import (
    Alert,
    Monitor,
    Runbook,
    Step,
    Window,
)
from mainspring.monitoring.tables import (
    alert_table,
    monitor_table,
    reading_table,
    runbook_table,
    window_table,
)


class MonitoringStore:
    """What is watched in one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def find_runbook(self, name: str) -> Row[Any] | None:
        """A runbook's row, if there is such a one."""
        return self._connection.execute(
            select(runbook_table).where(
                runbook_table.c.workspace_id == self._workspace_id, runbook_table.c.name == name
            )
        ).one_or_none()

    def runbooks(self, limit: int = 1000) -> list[Runbook]:
        """Runbooks by name."""
        rows = self._connection.execute(
            select(runbook_table)
            .where(runbook_table.c.workspace_id == self._workspace_id)
            .order_by(runbook_table.c.name)
            .limit(limit)
        )
        return [runbook_of(row) for row in rows]

    def put_runbook(self, known: Row[Any] | None, values: Mapping[str, Any]) -> None:
        """Write or rewrite."""
        if known is None:
            self._connection.execute(
                insert(runbook_table).values(**values, workspace_id=self._workspace_id)
            )
        else:
            self._connection.execute(
                update(runbook_table).where(runbook_table.c.id == known.id).values(**values)
            )

    def add_monitor(self, values: Mapping[str, Any]) -> None:
        """A new monitor."""
        self._connection.execute(
            insert(monitor_table).values(**values, workspace_id=self._workspace_id)
        )

    def monitor_rows(self, deployment: str | None = None, limit: int = 1000) -> list[Row[Any]]:
        """Monitors by name."""
        query = (
            select(monitor_table, deployment_table.c.name.label("deployment"))
            .join(deployment_table, deployment_table.c.id == monitor_table.c.deployment_id)
            .where(monitor_table.c.workspace_id == self._workspace_id)
            .order_by(monitor_table.c.name)
            .limit(limit)
        )
        if deployment is not None:
            query = query.where(deployment_table.c.name == deployment)
        return list(self._connection.execute(query))

    def find_window(self, deployment: int, starts_at: dt.datetime) -> Row[Any] | None:
        """The window that starts then."""
        return self._connection.execute(
            select(window_table).where(
                window_table.c.deployment_id == deployment, window_table.c.starts_at == starts_at
            )
        ).one_or_none()

    def add_window(self, values: Mapping[str, Any]) -> int:
        """A measured window; answers its key."""
        key = self._connection.execute(insert(window_table).values(**values)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def revise_window(self, key: int, values: Mapping[str, Any]) -> None:
        """What labels that came later say of a window."""
        self._connection.execute(
            update(window_table).where(window_table.c.id == key).values(**values)
        )

    def windows(self, deployment: str | None, limit: int) -> list[Window]:
        """Windows, newest first."""
        query = (
            select(window_table, deployment_table.c.name.label("deployment"))
            .join(deployment_table, deployment_table.c.id == window_table.c.deployment_id)
            .where(deployment_table.c.workspace_id == self._workspace_id)
            .order_by(window_table.c.starts_at.desc())
            .limit(limit)
        )
        if deployment is not None:
            query = query.where(deployment_table.c.name == deployment)
        return [window_of(row, row.deployment) for row in self._connection.execute(query)]

    def add_reading(
        self, window: int, monitor: int, value: float | None, *, breached: bool
    ) -> None:
        """What a monitor saw in a window."""
        self._connection.execute(
            insert(reading_table).values(
                window_id=window, monitor_id=monitor, value=value, breached=breached
            )
        )

    def breaches(self, monitor: int, version: int, limit: int) -> list[bool]:
        """The last readings of a monitor that had a value, of one version, the newest last."""
        rows = self._connection.execute(
            select(reading_table.c.breached)
            .join(window_table, window_table.c.id == reading_table.c.window_id)
            .where(
                reading_table.c.monitor_id == monitor,
                reading_table.c.value.is_not(None),
                window_table.c.version == version,
            )
            .order_by(window_table.c.starts_at.desc())
            .limit(limit)
        )
        return [row.breached for row in reversed(rows.all())]

    def add_alert(self, values: Mapping[str, Any]) -> None:
        """A new alert."""
        self._connection.execute(
            insert(alert_table).values(**values, workspace_id=self._workspace_id)
        )

    def open_alert(self, monitor: int) -> Row[Any] | None:
        """The alert of a monitor that is not resolved."""
        return self._connection.execute(
            select(alert_table).where(
                alert_table.c.monitor_id == monitor, alert_table.c.state != "resolved"
            )
        ).first()

    def update_alert(self, key: int, **values: Any) -> None:
        """Move an alert on."""
        self._connection.execute(
            update(alert_table).where(alert_table.c.id == key).values(**values)
        )

    def alert_rows(
        self,
        public_id: str | None = None,
        deployment: str | None = None,
        state: str | None = None,
        limit: int = 1000,
    ) -> list[Row[Any]]:
        """Alerts with their monitors, newest first."""
        query = (
            select(
                alert_table,
                monitor_table.c.name.label("monitor"),
                monitor_table.c.kind,
                monitor_table.c.severity,
                monitor_table.c.action,
                monitor_table.c.runbook,
                monitor_table.c.escalation,
                deployment_table.c.name.label("deployment"),
                deployment_table.c.model,
            )
            .join(monitor_table, monitor_table.c.id == alert_table.c.monitor_id)
            .join(deployment_table, deployment_table.c.id == monitor_table.c.deployment_id)
            .where(alert_table.c.workspace_id == self._workspace_id)
            .order_by(alert_table.c.id.desc())
            .limit(limit)
        )
        if public_id is not None:
            query = query.where(alert_table.c.public_id == public_id)
        if deployment is not None:
            query = query.where(deployment_table.c.name == deployment)
        if state is not None:
            query = query.where(alert_table.c.state == state)
        return list(self._connection.execute(query))

    def alert_row(self, public_id: str) -> Row[Any]:
        """One alert."""
        rows = self.alert_rows(public_id)
        if not rows:
            raise NotFound(f"no alert {public_id!r} in this workspace", field="alert")
        return rows[0]


def runbook_of(row: Any) -> Runbook:
    """The runbook that a row holds."""
    return Runbook(**{name: getattr(row, name) for name in Runbook.__struct_fields__})


def missing_runbook(name: str, names: Sequence[str]) -> NotFound:
    """The error for a runbook that nobody has written."""
    return NotFound(
        f"no runbook named {name!r}{closest(name, names)}",
        field="runbook",
        fix=f"mainspring runbook write {name} --text TEXT",
    )


def steps_of(row: Any) -> list[Step]:
    """The escalation of a monitor."""
    steps: list[Step] = msgspec.convert(row.escalation, list[Step])
    return steps


def monitor_of(row: Any) -> Monitor:
    """The monitor that a row holds."""
    names = [name for name in Monitor.__struct_fields__ if name != "escalation"]
    return Monitor(**{name: getattr(row, name) for name in names}, escalation=steps_of(row))


def window_of(row: Any, deployment: str) -> Window:
    """The window that a row holds."""
    names = [name for name in Window.__struct_fields__ if name != "deployment"]
    return Window(**{name: getattr(row, name) for name in names}, deployment=deployment)


def alert_of(row: Any, workspace: str) -> Alert:
    """The alert that a row holds."""
    names = [name for name in Alert.__struct_fields__ if name not in ("id", "runbook_url")]
    return Alert(
        **{name: getattr(row, name) for name in names},
        id=row.public_id,
        runbook_url=f"/api/v1/workspaces/{workspace}/runbooks/{row.runbook}",
    )
