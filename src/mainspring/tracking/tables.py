"""The tables of tracking: integer keys inside, public ids outside."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
)

from mainspring.core.database import Json, Key, Moment, metadata

experiment_table = Table(
    "experiment",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("public_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "public_id"),
    UniqueConstraint("workspace_id", "name"),
)
run_table = Table(
    "run",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("public_id", Text, nullable=False),
    Column("experiment_id", Key, ForeignKey("experiment.id"), nullable=False),
    Column("parent", Text),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("author_kind", Text, nullable=False),
    Column("attested", Boolean, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("heartbeat_at", Moment, nullable=False),
    Column("config", Json, nullable=False),
    Column("code", Json, nullable=False),
    Column("environment", Json, nullable=False),
    UniqueConstraint("workspace_id", "public_id"),
    Index("ix_run_newest", "workspace_id", "id"),
    Index("ix_run_status", "status", "heartbeat_at"),
)
param_table = Table(
    "param",
    metadata,
    Column("run_id", Key, ForeignKey("run.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
tag_table = Table(
    "tag",
    metadata,
    Column("run_id", Key, ForeignKey("run.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
metric_table = Table(
    # One row for each (run, key): the key's number for the points, and their fold.
    "metric",
    metadata,
    Column("id", Key, primary_key=True),
    Column("run_id", Key, ForeignKey("run.id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    # A NULL value is NaN: SQLite has no NaN of its own.
    Column("first", Double),
    Column("last", Double),
    Column("minimum", Double),
    Column("maximum", Double),
    Column("last_step", BigInteger, nullable=False),
    UniqueConstraint("run_id", "key"),
)
point_table = Table(
    "point",
    metadata,
    Column("metric_id", Key, ForeignKey("metric.id"), primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("value", Double),
    sqlite_with_rowid=False,
)
dataset_table = Table(
    "dataset",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("columns", Json, nullable=False),
    Column("source", Text, nullable=False),
    Column("file", Text),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "digest", "name"),
)
run_dataset_table = Table(
    "run_dataset",
    metadata,
    Column("run_id", Key, ForeignKey("run.id"), primary_key=True),
    Column("dataset_id", Key, ForeignKey("dataset.id"), primary_key=True),
    Column("role", Text, primary_key=True),
    Index("ix_run_dataset_dataset_id", "dataset_id"),
)
artifact_table = Table(
    "artifact",
    metadata,
    Column("run_id", Key, ForeignKey("run.id"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
)
trained_model_table = Table(
    "trained_model",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("public_id", Text, nullable=False),
    Column("run_id", Key, ForeignKey("run.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("engine", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("signature", Json, nullable=False),
    Column("files", Json, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "public_id"),
    Index("ix_trained_model_run_id", "run_id"),
)
