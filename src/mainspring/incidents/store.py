"""The rows of incidents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Row,
    Table,
    Text,
    UniqueConstraint,
    insert,
    select,
    update,
)

from mainspring.core.database import NAME, Key, Moment, metadata
from mainspring.core.errors import NotFound
from mainspring.incidents.contract import Incident

incident_table = Table(
    "incident",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("public_id", Text, nullable=False),
    Column("deployment", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("alert", Text),
    Column("opened_by", Text, nullable=False, info=NAME),
    Column("opened_at", Moment, nullable=False),
    Column("event_time", Moment),
    Column("closed_at", Moment),
    Column("resolution", Text, nullable=False),
    UniqueConstraint("workspace_id", "public_id"),
    Index("ix_incident_state", "workspace_id", "deployment", "state"),
)


class IncidentStore:
    """Incidents of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def add(self, values: Mapping[str, Any]) -> None:
        """A new incident."""
        self._connection.execute(
            insert(incident_table).values(**values, workspace_id=self._workspace_id)
        )

    def update(self, key: int, **values: Any) -> None:
        """Move one on."""
        self._connection.execute(
            update(incident_table).where(incident_table.c.id == key).values(**values)
        )

    def rows(self, deployment: str | None, state: str | None, limit: int = 1000) -> list[Row[Any]]:
        """Incidents, newest first."""
        query = (
            select(incident_table)
            .where(incident_table.c.workspace_id == self._workspace_id)
            .order_by(incident_table.c.id.desc())
            .limit(limit)
        )
        if deployment is not None:
            query = query.where(incident_table.c.deployment == deployment)
        if state is not None:
            query = query.where(incident_table.c.state == state)
        return list(self._connection.execute(query))

    def row(self, public_id: str) -> Row[Any]:
        """One incident."""
        row = self._connection.execute(
            select(incident_table).where(
                incident_table.c.workspace_id == self._workspace_id,
                incident_table.c.public_id == public_id,
            )
        ).one_or_none()
        if row is None:
            raise NotFound(f"no incident {public_id!r} in this workspace", field="incident")
        return row


def incident_of(row: Any) -> Incident:
    """The incident that a row holds."""
    names = [name for name in Incident.__struct_fields__ if name != "id"]
    return Incident(id=row.public_id, **{name: getattr(row, name) for name in names})
