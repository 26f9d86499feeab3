"""The rows of trained models, of what was measured of them, and of their links to runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Table, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from mainspring.core.errors import NotFound
from mainspring.core.signature import Signature
from mainspring.tracking.contract import (
    FileEntry,
    Measured,
    ModelMetric,
    TrainedModel,
    to_number,
    to_wire,
)
from mainspring.tracking.model_contract import ModelLink
from mainspring.tracking.tables import (
    experiment_table,
    run_model_table,
    run_table,
    trained_model_metric_table,
    trained_model_table,
    trained_model_tag_table,
)

NO_SIGNATURE: dict[str, list[Any]] = {"inputs": [], "outputs": []}
_AT_A_TIME = 500  # below SQLite's limit of bound values


class ModelStore:
    """Trained models of one workspace; deleted ones are seen where they are asked for."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def add_trained(self, row: Mapping[str, Any]) -> int:
        """A new trained model."""
        made = self._connection.execute(
            insert(trained_model_table).values(**row, workspace_id=self._workspace_id)
        ).inserted_primary_key
        assert made is not None
        return int(made[0])

    def find(self, public_id: str, *, deleted: bool = False) -> Row[Any] | None:
        """The trained model's row, with its run's and its experiment's ids."""
        found = self._rows(trained_model_table.c.public_id == public_id, deleted=deleted)
        return found[0] if found else None

    def row(self, public_id: str, *, deleted: bool = False) -> Row[Any]:
        """The trained model's row; raises if there is none."""
        row = self.find(public_id, deleted=deleted)
        if row is None:
            raise NotFound(f"no trained model {public_id!r} in this workspace", field="id")
        return row

    def trained(
        self, run: int | None = None, public_id: str | None = None, *, deleted: bool = False
    ) -> list[TrainedModel]:
        """The trained models of a run, or the one with the id."""
        table = trained_model_table
        condition = table.c.run_id == run if run is not None else table.c.public_id == public_id
        return self.shown(self._rows(condition, deleted=deleted))

    def by_keys(self, keys: Sequence[int]) -> list[TrainedModel]:
        """The trained models of the keys, in their order, deleted or not."""
        rows = [
            row
            for part in _parts(keys)
            for row in self._rows(trained_model_table.c.id.in_(part), deleted=True)
        ]
        places = {key: place for place, key in enumerate(keys)}
        return self.shown(sorted(rows, key=lambda row: places[row.id]))

    def shown(self, rows: Sequence[Row[Any]]) -> list[TrainedModel]:
        """The trained models of the rows, with their tags and metrics."""
        keys = [row.id for row in rows]
        tags, metrics = self._tags(keys), self._metrics(keys)
        return [
            TrainedModel(
                id=row.public_id,
                run=row.run,
                claimed_run=row.claimed_run,
                experiment_id=row.experiment_public_id,
                location=row.artifact_location,
                name=row.name,
                state=row.state,
                type=row.type,
                engine=row.engine,
                task=row.task,
                digest=row.digest,
                signature=msgspec.convert(row.signature, Signature),
                files=msgspec.convert(row.files, list[FileEntry]),
                params=row.params,
                tags=tags.get(row.id, {}),
                metrics=metrics.get(row.id, []),
                recorded_at=row.recorded_at,
                updated_at=row.updated_at or row.recorded_at,
                deleted_at=row.deleted_at,
            )
            for row in rows
        ]

    def change(self, key: int, **values: Any) -> None:
        """Change columns of a trained model."""
        self._connection.execute(
            update(trained_model_table).where(trained_model_table.c.id == key).values(**values)
        )

    def put_tags(self, key: int, tags: Mapping[str, str]) -> None:
        """Set tags."""
        statement = upsert(trained_model_tag_table)
        for name, value in tags.items():
            row = {"trained_model_id": key, "key": name, "value": value}
            self._connection.execute(
                statement.values(row).on_conflict_do_update(
                    index_elements=["trained_model_id", "key"], set_={"value": value}
                )
            )

    def drop_tag(self, key: int, name: str) -> bool:
        """Forget a tag; answers whether it was there."""
        table = trained_model_tag_table
        same = (table.c.trained_model_id == key) & (table.c.key == name)
        return self._connection.execute(delete(table).where(same)).rowcount > 0

    def add_metrics(self, run: int, measured: Iterable[Measured]) -> None:
        """Add what a run measured of trained models; the same again adds nothing."""
        keys: dict[str, int] = {}
        for one in measured:
            if one.trained_model not in keys:
                keys[one.trained_model] = self.row(one.trained_model).id
            point, value = one.point, to_number(one.point.value)
            row = {
                "trained_model_id": keys[one.trained_model],
                "key": point.key,
                "at": point.at,
                "step": point.step,
                "run_id": run,
                "value": None if math.isnan(value) else value,
                "dataset_name": one.dataset_name,
                "dataset_digest": one.dataset_digest,
            }
            self._connection.execute(
                upsert(trained_model_metric_table).values(row).on_conflict_do_nothing()
            )

    def link(self, run: int, trained_model: int, way: str, step: int = 0) -> bool:
        """Link a trained model to a run; answers whether the link is new."""
        table = run_model_table
        row = {"run_id": run, "trained_model_id": trained_model, "direction": way}
        same = [table.c[name] == value for name, value in row.items()]
        if self._connection.execute(select(table.c.run_id).where(*same)).first():
            return False
        self._connection.execute(insert(table).values(**row, step=step))
        return True

    def links(self, runs: Sequence[int]) -> dict[int, list[ModelLink]]:
        """What each of the runs took in and brought out."""
        found: dict[int, list[ModelLink]] = {run: [] for run in runs}
        table, model = run_model_table, trained_model_table
        for part in _parts(runs):
            rows = self._connection.execute(
                select(table, model.c.public_id)
                .join(model, model.c.id == table.c.trained_model_id)
                .where(table.c.run_id.in_(part))
                .order_by(table.c.run_id, table.c.trained_model_id, table.c.direction)
            )
            for row in rows:
                link = ModelLink(trained_model=row.public_id, way=row.direction, step=row.step)
                found[row.run_id].append(link)
        return found

    def _rows(self, condition: Any, *, deleted: bool) -> list[Row[Any]]:
        table = trained_model_table
        query = (
            select(
                table,
                run_table.c.public_id.label("run"),
                experiment_table.c.public_id.label("experiment_public_id"),
                experiment_table.c.artifact_location,
            )
            .join(experiment_table, experiment_table.c.id == table.c.experiment_id)
            .outerjoin(run_table, run_table.c.id == table.c.run_id)
            .where(table.c.workspace_id == self._workspace_id, condition)
            .order_by(table.c.id)
        )
        if not deleted:
            query = query.where(table.c.deleted_at.is_(None))
        return list(self._connection.execute(query).all())

    def _tags(self, keys: Sequence[int]) -> dict[int, dict[str, str]]:
        found: dict[int, dict[str, str]] = {}
        for row in self._of(trained_model_tag_table, keys, "key"):
            found.setdefault(row.trained_model_id, {})[row.key] = row.value
        return found

    def _metrics(self, keys: Sequence[int]) -> dict[int, list[ModelMetric]]:
        found: dict[int, list[ModelMetric]] = {}
        for row in self._of(trained_model_metric_table, keys, "key", "at", "step"):
            metric = ModelMetric(
                key=row.key,
                value=to_wire(row.value),
                step=row.step,
                at=row.at,
                run=row.public_id,
                dataset_name=row.dataset_name,
                dataset_digest=row.dataset_digest,
            )
            found.setdefault(row.trained_model_id, []).append(metric)
        return found

    def _of(self, table: Table, keys: Sequence[int], *order: str) -> Iterable[Row[Any]]:
        for part in _parts(keys):
            query = select(table).where(table.c.trained_model_id.in_(part))
            if "run_id" in table.c:
                query = query.add_columns(run_table.c.public_id).join(
                    run_table, run_table.c.id == table.c.run_id
                )
            columns = [table.c[name] for name in ("trained_model_id", *order)]
            yield from self._connection.execute(query.order_by(*columns))


def _parts(keys: Sequence[int]) -> Iterable[Sequence[int]]:
    return (keys[start : start + _AT_A_TIME] for start in range(0, len(keys), _AT_A_TIME))
