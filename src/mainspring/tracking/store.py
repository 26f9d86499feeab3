"""The rows of runs, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, tuple_, update

from mainspring.core.errors import NotFound
from mainspring.core.signature import Signature
from mainspring.tracking.contract import (
    Dataset,
    FileEntry,
    ListRuns,
    MetricSummary,
    Point,
    RunDataset,
    RunRow,
    TrainedModel,
    Value,
)
from mainspring.tracking.run import Summary
from mainspring.tracking.tables import (
    artifact_table,
    dataset_table,
    experiment_table,
    metric_table,
    param_table,
    point_table,
    run_dataset_table,
    run_table,
    tag_table,
    trained_model_table,
)


def to_number(value: Any) -> float:
    """The float of a value as it is written on the wire or in a column."""
    return math.nan if value is None else float(value)


def to_wire(value: float | None) -> Value:
    """A value as JSON can say it."""
    if value is None or math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _to_column(value: float) -> float | None:
    return None if math.isnan(value) else value


class TrackingStore:
    """Runs of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def experiment(self, name: str, public_id: str, now: dt.datetime) -> int:
        """The key of the experiment, made if it is new."""
        table = experiment_table
        key = self._connection.execute(
            select(table.c.id).where(
                table.c.workspace_id == self._workspace_id, table.c.name == name
            )
        ).scalar_one_or_none()
        if key is not None:
            return int(key)
        made = self._connection.execute(
            insert(table).values(
                workspace_id=self._workspace_id, public_id=public_id, name=name, recorded_at=now
            )
        ).inserted_primary_key
        assert made is not None
        return int(made[0])

    def add_run(self, row: Mapping[str, Any]) -> None:
        """A new run."""
        self._connection.execute(insert(run_table).values(**row, workspace_id=self._workspace_id))

    def find_run(self, public_id: str) -> Any | None:
        """The run's row with its experiment's name, if there is such a run here."""
        return self._connection.execute(
            select(run_table, experiment_table.c.name.label("experiment"))
            .join(experiment_table, experiment_table.c.id == run_table.c.experiment_id)
            .where(
                run_table.c.workspace_id == self._workspace_id, run_table.c.public_id == public_id
            )
        ).one_or_none()

    def run(self, public_id: str) -> Any:
        """The run's row; raises if there is none."""
        row = self.find_run(public_id)
        if row is None:
            raise NotFound(f"no run {public_id!r} in this workspace", field="run")
        return row

    def update_run(self, key: int, **values: Any) -> None:
        """Change columns of a run."""
        self._connection.execute(update(run_table).where(run_table.c.id == key).values(**values))

    def silent_runs(self, before: dt.datetime) -> list[Any]:
        """Running runs that were last heard of before the moment."""
        return list(
            self._connection.execute(
                select(run_table.c.id, run_table.c.public_id, run_table.c.heartbeat_at).where(
                    run_table.c.workspace_id == self._workspace_id,
                    run_table.c.status == "running",
                    run_table.c.heartbeat_at < before,
                )
            )
        )

    def list_runs(self, request: ListRuns) -> tuple[list[RunRow], str | None]:
        """A page of runs, newest first, ids before details."""
        query = (
            select(run_table, experiment_table.c.name.label("experiment"))
            .join(experiment_table, experiment_table.c.id == run_table.c.experiment_id)
            .where(run_table.c.workspace_id == self._workspace_id)
            .order_by(run_table.c.id.desc())
            .limit(request.limit)
        )
        if request.experiment is not None:
            query = query.where(experiment_table.c.name == request.experiment)
        if request.status is not None:
            query = query.where(run_table.c.status == request.status)
        if request.after is not None:
            query = query.where(run_table.c.id < int(request.after))
        rows = self._connection.execute(query).all()
        keys = [row.id for row in rows]
        metrics = self._texts(keys, metric_table, metric_table.c.last)
        params = self._texts(keys, param_table, param_table.c.value)
        tags = self._texts(keys, tag_table, tag_table.c.value)
        items = [
            RunRow(
                id=row.public_id,
                experiment=row.experiment,
                name=row.name,
                status=row.status,
                author=row.author,
                opened_at=row.opened_at,
                finished_at=row.finished_at,
                parent=row.parent,
                metrics={name: to_wire(value) for name, value in metrics.get(row.id, {}).items()},
                params=params.get(row.id, {}),
                tags=tags.get(row.id, {}),
            )
            for row in rows
        ]
        more = len(rows) == request.limit
        return items, str(keys[-1]) if more else None

    def _texts(self, keys: Sequence[int], table: Any, column: Any) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        if keys:
            rows = self._connection.execute(
                select(table.c.run_id, table.c.key, column.label("value"))
                .where(table.c.run_id.in_(keys))
                .order_by(table.c.run_id, table.c.key)
            )
            for row in rows:
                found.setdefault(row.run_id, {})[row.key] = row.value
        return found

    def texts(self, run: int) -> tuple[dict[str, str], dict[str, str]]:
        """The parameters and the tags of a run."""
        params = self._texts([run], param_table, param_table.c.value).get(run, {})
        return params, self._texts([run], tag_table, tag_table.c.value).get(run, {})

    def add_params(self, run: int, params: Mapping[str, str]) -> None:
        """New parameters of a run."""
        self._connection.execute(
            insert(param_table),
            [{"run_id": run, "key": key, "value": value} for key, value in params.items()],
        )

    def put_tags(self, run: int, tags: Mapping[str, str], known: Mapping[str, str]) -> None:
        """Set tags, replacing those that are known."""
        for key, value in tags.items():
            if key not in known:
                self._connection.execute(insert(tag_table).values(run_id=run, key=key, value=value))
            elif known[key] != value:
                same = (tag_table.c.run_id == run) & (tag_table.c.key == key)
                self._connection.execute(update(tag_table).where(same).values(value=value))

    def metrics(self, run: int) -> dict[str, tuple[int, Summary]]:
        """The metrics of a run: key and fold by name."""
        rows = self._connection.execute(select(metric_table).where(metric_table.c.run_id == run))
        return {
            row.key: (
                row.id,
                Summary(
                    row._mapping["count"],  # noqa: SLF001  `count` is a method of rows
                    to_number(row.first),
                    to_number(row.last),
                    to_number(row.minimum),
                    to_number(row.maximum),
                    row.last_step,
                ),
            )
            for row in rows
        }

    def put_metric(self, run: int, key: str, metric_id: int | None, summary: Summary) -> int:
        """Store a fold; answers the metric's key."""
        values = {
            "count": summary.count,
            "first": _to_column(summary.first),
            "last": _to_column(summary.last),
            "minimum": _to_column(summary.minimum),
            "maximum": _to_column(summary.maximum),
            "last_step": summary.last_step,
        }
        if metric_id is not None:
            self._connection.execute(
                update(metric_table).where(metric_table.c.id == metric_id).values(**values)
            )
            return metric_id
        made = self._connection.execute(
            insert(metric_table).values(run_id=run, key=key, **values)
        ).inserted_primary_key
        assert made is not None
        return int(made[0])

    def known_points(
        self, metric_id: int, points: Sequence[tuple[int, dt.datetime]]
    ) -> set[tuple[int, dt.datetime]]:
        """Which of the points (step, at) are stored already."""
        found: set[tuple[int, dt.datetime]] = set()
        for start in range(0, len(points), 400):  # below SQLite's limit of bound values
            rows = self._connection.execute(
                select(point_table.c.step, point_table.c.at).where(
                    point_table.c.metric_id == metric_id,
                    tuple_(point_table.c.step, point_table.c.at).in_(points[start : start + 400]),
                )
            )
            found.update((row.step, row.at) for row in rows)
        return found

    def add_points(self, rows: list[tuple[int, int, dt.datetime, float]]) -> None:
        """New points (metric, step, at, value)."""
        self._connection.execute(
            insert(point_table),
            [
                {"metric_id": metric, "step": step, "at": at, "value": _to_column(value)}
                for metric, step, at, value in rows
            ],
        )

    def points(
        self, metric_id: int, key: str, after: tuple[int, dt.datetime] | None, limit: int
    ) -> list[Point]:
        """Points in the order of (step, at)."""
        table = point_table
        query = select(table).where(table.c.metric_id == metric_id)
        if after is not None:
            types = (table.c.step.type, table.c.at.type)
            place = tuple_(*after, types=types)
            query = query.where(tuple_(table.c.step, table.c.at) > place)
        rows = self._connection.execute(query.order_by(table.c.step, table.c.at).limit(limit))
        return [Point(key=key, value=to_wire(row.value), step=row.step, at=row.at) for row in rows]

    def metric_summaries(self, run: int) -> list[MetricSummary]:
        """The folds as they are shown."""
        return [
            MetricSummary(
                key=key,
                count=fold.count,
                first=to_wire(fold.first),
                last=to_wire(fold.last),
                minimum=to_wire(fold.minimum),
                maximum=to_wire(fold.maximum),
                last_step=fold.last_step,
            )
            for key, (_, fold) in sorted(self.metrics(run).items())
        ]

    def put_dataset(self, row: Mapping[str, Any]) -> int:
        """The key of the dataset version, stored once."""
        table = dataset_table
        known = self._connection.execute(
            select(table.c.id).where(
                table.c.workspace_id == self._workspace_id,
                table.c.digest == row["digest"],
                table.c.name == row["name"],
            )
        ).scalar_one_or_none()
        if known is not None:
            return int(known)
        made = self._connection.execute(
            insert(table).values(**row, workspace_id=self._workspace_id)
        ).inserted_primary_key
        assert made is not None
        return int(made[0])

    def link_dataset(self, run: int, dataset: int, role: str) -> bool:
        """Link a dataset to a run; answers whether the link is new."""
        table = run_dataset_table
        same = (table.c.run_id == run) & (table.c.dataset_id == dataset) & (table.c.role == role)
        if self._connection.execute(select(table.c.run_id).where(same)).first():
            return False
        values = {"run_id": run, "dataset_id": dataset, "role": role}
        self._connection.execute(insert(table).values(values))
        return True

    def datasets(self, run: int) -> list[RunDataset]:
        """What the run used."""
        rows = self._connection.execute(
            select(dataset_table, run_dataset_table.c.role)
            .join(run_dataset_table, run_dataset_table.c.dataset_id == dataset_table.c.id)
            .where(run_dataset_table.c.run_id == run)
            .order_by(dataset_table.c.id, run_dataset_table.c.role)
        ).mappings()
        names = RunDataset.__struct_fields__
        return [RunDataset(**{name: row[name] for name in names}) for row in rows]

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

    def artifacts(self, run: int) -> list[FileEntry]:
        """The run's files."""
        rows = self._connection.execute(
            select(artifact_table)
            .where(artifact_table.c.run_id == run)
            .order_by(artifact_table.c.path)
        )
        return [FileEntry(path=row.path, digest=row.digest, size=row.size) for row in rows]

    def add_artifact(self, run: int, file: FileEntry) -> None:
        """A new file of a run."""
        values = {"run_id": run, "path": file.path, "digest": file.digest, "size": file.size}
        self._connection.execute(insert(artifact_table).values(values))

    def add_trained(self, row: Mapping[str, Any]) -> None:
        """A new trained model."""
        self._connection.execute(
            insert(trained_model_table).values(**row, workspace_id=self._workspace_id)
        )

    def trained(self, run: int | None = None, public_id: str | None = None) -> list[TrainedModel]:
        """The trained models of a run, or the one with the id."""
        table = trained_model_table
        query = (
            select(table, run_table.c.public_id.label("run"))
            .join(run_table, run_table.c.id == table.c.run_id)
            .where(table.c.workspace_id == self._workspace_id)
        )
        if run is not None:
            query = query.where(table.c.run_id == run)
        if public_id is not None:
            query = query.where(table.c.public_id == public_id)
        return [
            TrainedModel(
                id=row.public_id,
                run=row.run,
                name=row.name,
                engine=row.engine,
                task=row.task,
                digest=row.digest,
                signature=msgspec.convert(row.signature, Signature),
                files=msgspec.convert(row.files, list[FileEntry]),
                recorded_at=row.recorded_at,
            )
            for row in self._connection.execute(query.order_by(table.c.id))
        ]
