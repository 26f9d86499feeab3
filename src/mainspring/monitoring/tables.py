"""The tables of monitoring. Predictions are columnar files and have no table."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from mainspring.core.database import NAME, Json, Key, Moment, metadata


def _where(column: str) -> dict[str, Any]:
    """Leave the rows without it out of an index."""
    condition = text(f"{column} is not null")
    return {"sqlite_where": condition, "postgresql_where": condition}


runbook_table = Table(
    "runbook",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("written_by", Text, nullable=False, info=NAME),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "name"),
)
monitor_table = Table(
    "monitor",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("deployment_id", Key, ForeignKey("deployment.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("metric", Text, nullable=False),
    Column("threshold", Double, nullable=False),
    Column("breaches", Integer, nullable=False),
    Column("windows", Integer, nullable=False),
    Column("severity", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("runbook", Text, nullable=False),
    Column("escalation", Json, nullable=False),
    Column("declared_by", Text, nullable=False, info=NAME),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "name"),
)
label_table = Table(
    "label",
    metadata,
    Column("id", Key, primary_key=True),
    Column("deployment_id", Key, ForeignKey("deployment.id"), nullable=False),
    Column("request_id", Text),
    Column("entity_key", Text),
    Column("about", Moment),
    Column("value", Double, nullable=False),
    Column("event_time", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("superseded_at", Moment),
    Index("ix_label_request_id", "deployment_id", "request_id", **_where("request_id")),
    Index("ix_label_entity_key", "deployment_id", "entity_key", "about", **_where("entity_key")),
    Index("ix_label_event_time", "deployment_id", "event_time", "id"),
    Index("ix_label_recorded_at", "deployment_id", "recorded_at"),
)
label_rule_table = Table(
    "label_rule",
    metadata,
    Column("deployment_id", Key, ForeignKey("deployment.id"), primary_key=True),
    Column("horizon_hours", Double, nullable=False),
    Column("deadline_hours", Double, nullable=False),
    Column("set_by", Text, nullable=False, info=NAME),
)
window_table = Table(
    "monitoring_window",
    metadata,
    Column("id", Key, primary_key=True),
    Column("deployment_id", Key, ForeignKey("deployment.id"), nullable=False),
    Column("starts_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("version", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("labels", Integer, nullable=False),
    Column("labels_known_at", Moment),
    Column("measurements", Json, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("deployment_id", "starts_at"),
)
reading_table = Table(
    "reading",
    metadata,
    Column("window_id", Key, ForeignKey("monitoring_window.id"), primary_key=True),
    Column("monitor_id", Key, ForeignKey("monitor.id"), primary_key=True),
    Column("value", Double),
    Column("breached", Boolean, nullable=False),
    Index("ix_reading_monitor_id", "monitor_id", "window_id"),
)
alert_table = Table(
    "alert",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("public_id", Text, nullable=False),
    Column("monitor_id", Key, ForeignKey("monitor.id"), nullable=False),
    Column("window_id", Key, ForeignKey("monitoring_window.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("value", Double),
    Column("threshold", Double, nullable=False),
    Column("reason", Text, nullable=False),
    Column("escalation_step", Integer, nullable=False),
    Column("event_time", Moment, nullable=False),
    Column("continued_at", Moment, nullable=False),
    Column("raised_at", Moment, nullable=False),
    Column("acknowledged_by", Text, info=NAME),
    Column("resolved_at", Moment),
    UniqueConstraint("workspace_id", "public_id"),
    Index("ix_alert_state", "workspace_id", "state"),
)
schedule_table = Table(
    "monitoring_schedule",
    metadata,
    Column("deployment_id", Key, ForeignKey("deployment.id"), primary_key=True),
    Column("every_minutes", Double, nullable=False),
    Column("label_delay_hours", Double, nullable=False),
    Column("day_starts_at_hour", Double, nullable=False),
    Column("performance_days", Integer, nullable=False),
    Column("next_at", Moment, nullable=False),
    Column("set_by", Text, nullable=False, info=NAME),
)
