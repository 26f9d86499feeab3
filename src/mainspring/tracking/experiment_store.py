"""The rows of experiments and of their tags."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from mainspring.administration.furnishing import furnishes
from mainspring.core.errors import Conflict, NotFound
from mainspring.tracking.experiment_contract import Experiment
from mainspring.tracking.tables import experiment_table, experiment_tag_table, run_table

DEFAULT_ID, DEFAULT_NAME = "0", "Default"


class ExperimentStore:
    """Experiments of one workspace; deleted ones keep their names."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def find(self, public_id: str) -> Row[Any] | None:
        """The experiment's row, deleted or not."""
        return self._one(experiment_table.c.public_id == public_id)

    def row(self, public_id: str) -> Row[Any]:
        """The experiment's row, deleted or not; raises if there is none."""
        row = self.find(public_id)
        if row is None:
            raise NotFound(f"no experiment {public_id!r} in this workspace", field="experiment")
        return row

    def active(self, public_id: str) -> Row[Any]:
        """The row of an experiment that is not deleted."""
        return not_deleted(self.row(public_id))

    def find_named(self, name: str) -> Row[Any] | None:
        """The row of the experiment of the name, deleted or not."""
        return self._one(experiment_table.c.name == name)

    def named(self, name: str, now: dt.datetime) -> Row[Any]:
        """The row of the experiment of the name, made if it is new; a deleted one is refused."""
        row = self.find_named(name)
        return self.add(name, now) if row is None else not_deleted(row)

    def add(self, name: str, now: dt.datetime, location: str = "") -> Row[Any]:
        """A new experiment under an id that it has for good."""
        public_id = new_experiment_id()
        self._connection.execute(
            insert(experiment_table).values(
                workspace_id=self._workspace_id,
                public_id=public_id,
                name=name,
                artifact_location=location,
                recorded_at=now,
                updated_at=now,
            )
        )
        return self.row(public_id)

    def change(self, key: int, **values: Any) -> None:
        """Change columns of an experiment."""
        self._connection.execute(
            update(experiment_table).where(experiment_table.c.id == key).values(**values)
        )

    def move_runs(self, key: int, deleted_at: dt.datetime | None) -> int:
        """Delete all runs of an experiment, or bring them all back; answers how many there are."""
        there = (run_table.c.experiment_id == key) & run_table.c.collected_at.is_(None)
        return self._connection.execute(
            update(run_table).where(there).values(deleted_at=deleted_at)
        ).rowcount

    def put_tags(self, key: int, tags: Mapping[str, str]) -> None:
        """Set tags."""
        table = experiment_tag_table
        for name, value in tags.items():
            same = (table.c.experiment_id == key) & (table.c.key == name)
            if not self._connection.execute(update(table).where(same).values(value=value)).rowcount:
                row = {"experiment_id": key, "key": name, "value": value}
                self._connection.execute(insert(table).values(row))

    def drop_tag(self, key: int, name: str) -> bool:
        """Forget a tag; answers whether it was there."""
        table = experiment_tag_table
        same = (table.c.experiment_id == key) & (table.c.key == name)
        return self._connection.execute(delete(table).where(same)).rowcount > 0

    def shown(self, rows: Sequence[Row[Any]]) -> list[Experiment]:
        """The experiments of the rows, with their tags."""
        tags: dict[int, dict[str, str]] = {row.id: {} for row in rows}
        table = experiment_tag_table
        for tag in self._connection.execute(
            select(table).where(table.c.experiment_id.in_(tags)).order_by(table.c.key)
        ):
            tags[tag.experiment_id][tag.key] = tag.value
        return [
            Experiment(
                id=row.public_id,
                name=row.name,
                artifact_location=row.artifact_location,
                tags=tags[row.id],
                recorded_at=row.recorded_at,
                updated_at=row.updated_at or row.recorded_at,
                deleted_at=row.deleted_at,
            )
            for row in rows
        ]

    def _one(self, condition: Any) -> Row[Any] | None:
        return self._connection.execute(
            select(experiment_table).where(
                experiment_table.c.workspace_id == self._workspace_id, condition
            )
        ).one_or_none()


def not_deleted(row: Row[Any]) -> Row[Any]:
    """Refuse to put anything into a deleted experiment."""
    if row.deleted_at is not None:
        raise Conflict(
            f"experiment {row.public_id} ({row.name!r}) is deleted",
            field="experiment",
            fix=f"mainspring experiments restore {row.public_id}",
        )
    return row


def new_experiment_id() -> str:
    """Eighteen digits: as a number it fits where MLflow's clients keep the ids of experiments."""
    return str(secrets.randbelow(9 * 10**17) + 10**17)


@furnishes
def add_default(connection: Connection, workspace: int, now: dt.datetime) -> None:
    """The experiment of runs that name none."""
    connection.execute(
        insert(experiment_table).values(
            workspace_id=workspace,
            public_id=DEFAULT_ID,
            name=DEFAULT_NAME,
            recorded_at=now,
            updated_at=now,
        )
    )
