"""The rows of monitoring schedules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from mainspring.deployment.store import deployment_table
from mainspring.monitoring.contract import Schedule
from mainspring.monitoring.tables import schedule_table


class ScheduleStore:
    """Schedules of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def put(self, deployment: int, values: Mapping[str, Any]) -> None:
        """Set the one schedule of a deployment."""
        self.drop(deployment)
        self._connection.execute(insert(schedule_table).values(**values, deployment_id=deployment))

    def drop(self, deployment: int) -> bool:
        """Forget it; answers whether there was one."""
        mine = schedule_table.c.deployment_id == deployment
        return self._connection.execute(delete(schedule_table).where(mine)).rowcount > 0

    def rows(self, due_at: dt.datetime | None = None) -> list[Row[Any]]:
        """Schedules with their deployments, or only those that are due."""
        query = (
            select(
                schedule_table,
                deployment_table.c.name.label("deployment"),
                deployment_table.c.model,
            )
            .join(deployment_table, deployment_table.c.id == schedule_table.c.deployment_id)
            .where(deployment_table.c.workspace_id == self._workspace_id)
            .order_by(deployment_table.c.name)
        )
        if due_at is not None:
            query = query.where(schedule_table.c.next_at <= due_at)
        return list(self._connection.execute(query))

    def move(self, deployment: int, next_at: dt.datetime) -> None:
        """When it is due again."""
        mine = schedule_table.c.deployment_id == deployment
        self._connection.execute(update(schedule_table).where(mine).values(next_at=next_at))


def schedule_of(row: Any) -> Schedule:
    """The schedule that a row holds."""
    return Schedule(**{name: getattr(row, name) for name in Schedule.__struct_fields__})
