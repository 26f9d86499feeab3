"""The rows of datasets and of their use by runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select

from mainspring.tracking.contract import RunDataset
from mainspring.tracking.dataset_contract import Dataset, UsedDataset
from mainspring.tracking.tables import (
    dataset_table,
    experiment_table,
    run_dataset_table,
    run_table,
)


class DatasetStore:
    """Dataset versions of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def put_dataset(self, row: Mapping[str, Any]) -> int:
        """The key of the dataset version, stored once."""
        table = dataset_table
        known = self._connection.execute(
            select(table.c.id).where(
                table.c.workspace_id == self._workspace_id,
                table.c.digest == row["digest"],
                table.c.name == row["name"],
                table.c.scope == row.get("scope", ""),
            )
        ).scalar_one_or_none()
        if known is not None:
            return int(known)
        made = self._connection.execute(
            insert(table).values(**row, workspace_id=self._workspace_id)
        ).inserted_primary_key
        assert made is not None
        return int(made[0])

    def link_dataset(
        self, run: int, dataset: int, role: str, tags: Mapping[str, str] | None = None
    ) -> bool:
        """Link a dataset to a run; answers whether the link is new."""
        table = run_dataset_table
        same = (table.c.run_id == run) & (table.c.dataset_id == dataset) & (table.c.role == role)
        if self._connection.execute(select(table.c.run_id).where(same)).first():
            return False
        values = {"run_id": run, "dataset_id": dataset, "role": role, "tags": dict(tags or {})}
        self._connection.execute(insert(table).values(values))
        return True

    def datasets(self, run: int) -> list[RunDataset]:
        """What the run used."""
        return self.datasets_of([run])[run]

    def datasets_of(self, runs: Sequence[int]) -> dict[int, list[RunDataset]]:
        """What each of the runs used."""
        found: dict[int, list[RunDataset]] = {run: [] for run in runs}
        rows = self._connection.execute(
            select(
                dataset_table,
                run_dataset_table.c.run_id,
                run_dataset_table.c.role,
                run_dataset_table.c.tags,
            )
            .join(run_dataset_table, run_dataset_table.c.dataset_id == dataset_table.c.id)
            .where(run_dataset_table.c.run_id.in_(found))
            .order_by(run_dataset_table.c.run_id, dataset_table.c.id, run_dataset_table.c.role)
        ).mappings()
        names = RunDataset.__struct_fields__
        for row in rows:
            found[row["run_id"]].append(RunDataset(**{name: row[name] for name in names}))
        return found

    def used(self, experiments: Sequence[str], limit: int) -> list[UsedDataset]:
        """What the runs of the experiments used, each dataset once for a role."""
        columns = (
            experiment_table.c.public_id.label("experiment"),
            dataset_table.c.name,
            dataset_table.c.digest,
            run_dataset_table.c.role,
        )
        rows = self._connection.execute(
            select(*columns)
            .distinct()
            .select_from(run_dataset_table)
            .join(dataset_table, dataset_table.c.id == run_dataset_table.c.dataset_id)
            .join(run_table, run_table.c.id == run_dataset_table.c.run_id)
            .join(experiment_table, experiment_table.c.id == run_table.c.experiment_id)
            .where(
                experiment_table.c.workspace_id == self._workspace_id,
                experiment_table.c.public_id.in_(experiments),
                run_table.c.deleted_at.is_(None),
            )
            .order_by(*columns)
            .limit(limit)
        ).mappings()
        return [UsedDataset(**row) for row in rows]

    def list_datasets(self, limit: int) -> list[Dataset]:
        """Dataset versions, newest first."""
        runs = (
            select(func.count(func.distinct(run_dataset_table.c.run_id)))
            .where(run_dataset_table.c.dataset_id == dataset_table.c.id)
            .scalar_subquery()
        )
        rows = self._connection.execute(
            select(dataset_table, runs.label("runs"))
            .where(dataset_table.c.workspace_id == self._workspace_id)
            .order_by(dataset_table.c.id.desc())
            .limit(limit)
        ).mappings()
        names = Dataset.__struct_fields__
        return [Dataset(**{name: row[name] for name in names}) for row in rows]
