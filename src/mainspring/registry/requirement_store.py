"""The rows behind requirements: what the workspace asks, and what a run has recorded."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select

from mainspring.registry.requirement import REQUIREMENTS, Recorded, Requirement
from mainspring.registry.requirement_contract import Requirements
from mainspring.registry.tables import registration_policy_table
from mainspring.tracking.tables import dataset_table, run_dataset_table, run_table

TRAINING = "training"
NOT_TRAINED_ON = ("validation", "holdout", "evaluation", "reference", "eval", "valid", "test")
"""What other tools' clients call data that a model is only judged by."""


class RequirementStore:
    """The requirements of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def requirements(self) -> Requirements:
        """What is asked now."""
        table = registration_policy_table
        row: Any = self._connection.execute(
            select(table).where(table.c.workspace_id == self._workspace_id)
        ).one_or_none()
        if row is None:
            return Requirements(require=[])
        require = [one for one in REQUIREMENTS if one in row.require]
        return Requirements(require=require, set_by=row.set_by, recorded_at=row.recorded_at)

    def put(self, require: list[Requirement], by: str, at: dt.datetime) -> None:
        """Ask for this instead."""
        table = registration_policy_table
        self._connection.execute(delete(table).where(table.c.workspace_id == self._workspace_id))
        row = {"workspace_id": self._workspace_id, "require": require}
        self._connection.execute(insert(table).values({**row, "set_by": by, "recorded_at": at}))

    def recorded(self, run: str) -> Recorded | None:
        """What the run has told of itself; None if it is not here."""
        row: Any = self._connection.execute(
            select(run_table).where(
                run_table.c.workspace_id == self._workspace_id, run_table.c.public_id == run
            )
        ).one_or_none()
        if row is None:
            return None
        return Recorded(
            public_id=run,
            attested=row.attested,
            deleted=row.deleted_at is not None,
            code=row.code,
            environment=row.environment,
            has_data=self._has_data(row.id),
        )

    def _has_data(self, run: int) -> bool:
        """Whether it trained on something; other tools' clients have their own words for that."""
        link = run_dataset_table
        foreign = (
            (dataset_table.c.scope != "")
            & (dataset_table.c.digest != "")
            & func.lower(link.c.role).not_in(NOT_TRAINED_ON)
        )
        count = (
            select(func.count())
            .select_from(link)
            .join(dataset_table, dataset_table.c.id == link.c.dataset_id)
            .where(link.c.run_id == run, or_(link.c.role == TRAINING, foreign))
        )
        return bool(self._connection.scalar(count))
