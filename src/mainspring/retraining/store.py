"""The rows of retraining policies and retrainings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    Row,
    Table,
    Text,
    UniqueConstraint,
    insert,
    select,
    update,
)

from mainspring.core.database import NAME, WORDS, Json, Key, Moment, metadata
from mainspring.core.errors import NotFound
from mainspring.retraining.contract import Retraining, RetrainingPolicy
from mainspring.retraining.policy import ACTIVE

retraining_policy_table = Table(
    "retraining_policy",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("model", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("deployment", Text, nullable=False),
    Column("recipe", Text, nullable=False),
    Column("recipe_file", Text),
    Column("config", Json, nullable=False),
    Column("triggers", Json, nullable=False),
    Column("training_days", Double, nullable=False),
    Column("cooldown_days", Double, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("policy", Text),
    Column("set_by", Text, nullable=False, info=NAME),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "model"),
)
retraining_table = Table(
    "retraining",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("public_id", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("deployment", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", Text, nullable=False, info=NAME),
    Column("alert", Text),
    Column("alert_at", Moment),
    Column("event_time", Moment, nullable=False),
    Column("run", Text),
    Column("version", Integer),
    Column("promotion", Text),
    Column("outcome", Text, nullable=False, info=WORDS),
    Column("recorded_at", Moment, nullable=False),
    Column("finished_at", Moment),
    UniqueConstraint("workspace_id", "public_id"),
    Index("ix_retraining_model", "workspace_id", "model"),
)


class RetrainingStore:
    """Retrainings of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def find_policy(self, model: str) -> Row[Any] | None:
        """How a model is retrained, if anybody said."""
        table = retraining_policy_table
        return self._connection.execute(
            select(table).where(table.c.workspace_id == self._workspace_id, table.c.model == model)
        ).one_or_none()

    def put_policy(self, known: Row[Any] | None, values: Mapping[str, Any]) -> None:
        """Say how."""
        table = retraining_policy_table
        if known is None:
            self._connection.execute(
                insert(table).values(**values, workspace_id=self._workspace_id)
            )
        else:
            self._connection.execute(update(table).where(table.c.id == known.id).values(**values))

    def add(self, values: Mapping[str, Any]) -> None:
        """A new retraining."""
        self._connection.execute(
            insert(retraining_table).values(**values, workspace_id=self._workspace_id)
        )

    def update(self, key: int, **values: Any) -> None:
        """Move one on."""
        self._connection.execute(
            update(retraining_table).where(retraining_table.c.id == key).values(**values)
        )

    def row(self, public_id: str) -> Row[Any]:
        """One retraining."""
        row = self._find(retraining_table.c.public_id == public_id)
        if row is None:
            raise NotFound(f"no retraining {public_id!r} in this workspace", field="retraining")
        return row

    def by_version(self, model: str, version: int) -> Row[Any] | None:
        """The active retraining that made a version."""
        return self._find(
            (retraining_table.c.model == model)
            & (retraining_table.c.version == version)
            & retraining_table.c.state.in_(ACTIVE)
        )

    def _find(self, condition: Any) -> Row[Any] | None:
        return self._connection.execute(
            select(retraining_table).where(
                retraining_table.c.workspace_id == self._workspace_id, condition
            )
        ).one_or_none()

    def rows(self, model: str | None, limit: int = 1000) -> list[Row[Any]]:
        """Retrainings, newest first."""
        query = (
            select(retraining_table)
            .where(retraining_table.c.workspace_id == self._workspace_id)
            .order_by(retraining_table.c.id.desc())
            .limit(limit)
        )
        if model is not None:
            query = query.where(retraining_table.c.model == model)
        return list(self._connection.execute(query))


def policy_of(row: Any) -> RetrainingPolicy:
    """The policy that a row holds."""
    return RetrainingPolicy(
        **{name: getattr(row, name) for name in RetrainingPolicy.__struct_fields__}
    )


def retraining_of(row: Any) -> Retraining:
    """The retraining that a row holds."""
    names = [name for name in Retraining.__struct_fields__ if name != "id"]
    return Retraining(id=row.public_id, **{name: getattr(row, name) for name in names})
