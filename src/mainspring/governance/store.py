"""Rows that were deleted long ago are taken away, in bites that hold nobody up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Text,
    delete,
    func,
    literal,
    select,
    tuple_,
    type_coerce,
    update,
)

from mainspring.governance.reference_store import parts
from mainspring.tracking.experiment_store import DEFAULT_ID
from mainspring.tracking.tables import (
    bucket_table,
    dataset_table,
    experiment_table,
    experiment_tag_table,
    metric_table,
    param_table,
    point_table,
    run_dataset_table,
    run_model_table,
    run_table,
    tag_table,
    trained_model_metric_table,
    trained_model_table,
    trained_model_tag_table,
)

_R, _T, _E = run_table.c, trained_model_table.c, experiment_table.c
_OF_A_RUN = (
    param_table,
    tag_table,
    run_dataset_table,
    run_model_table,
    trained_model_metric_table,
)
"""What a run has beside its series: never so much that it could not go in one transaction."""
_OF_A_MODEL = (trained_model_tag_table, trained_model_metric_table, run_model_table)
AT_ONCE = 200
"""Collected runs whose series go together, if they are short."""


class CollectionStore:
    """What can be collected in one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def deleted_runs(self, until: dt.datetime, after: int, limit: int) -> Sequence[Row[Any]]:
        """Runs that were deleted until the moment, by their keys."""
        query = select(_R.id, _R.public_id).where(_R.collected_at.is_(None))
        return self._deleted(query, run_table, until, after, limit)

    def deleted_models(self, until: dt.datetime, after: int, limit: int) -> Sequence[Row[Any]]:
        """Trained models that were deleted until the moment, by their keys."""
        files = type_coerce(_T.files, Text).label("files")
        query = select(_T.id, _T.public_id, _T.recorded_at, files)
        return self._deleted(query, trained_model_table, until, after, limit)

    def points_of(self, runs: Sequence[int]) -> int:
        """How many points the runs have."""
        return sum(count for _, count in self._counts(runs))

    def datasets_of(self, runs: Sequence[int]) -> set[int]:
        """The datasets that the runs used."""
        table = run_dataset_table
        return {
            dataset
            for part in parts(runs)
            for dataset in self._connection.scalars(
                select(table.c.dataset_id).where(table.c.run_id.in_(part))
            )
        }

    def take_runs(self, runs: Sequence[Row[Any]], now: dt.datetime) -> None:
        """Take away all that the runs have but their series: nobody finds them any more."""
        for table in _OF_A_RUN:
            self._delete(table, table.c.run_id, [run.id for run in runs])
        for run in runs:
            # What they trained is there still, and says what trained it.
            self._connection.execute(
                update(trained_model_table)
                .where(_T.run_id == run.id)
                .values(run_id=None, claimed_run=run.public_id)
            )
            self._connection.execute(
                update(run_table)
                .where(_R.id == run.id)
                .values(
                    collected_at=now,
                    # Its id is free: a client that has the run offline may send it again.
                    public_id=f"collected-{run.id}",
                    parent=None,
                    status="killed",
                )
            )

    def collected_runs(self) -> Sequence[int]:
        """The first runs whose series are still there."""
        query = select(_R.id).where(
            _R.workspace_id == self._workspace_id, _R.collected_at.is_not(None)
        )
        return self._connection.scalars(query.order_by(_R.id).limit(AT_ONCE)).all()

    def erase_series(self, runs: Sequence[int], most: int) -> int:
        """Take away collected runs with their points, about so many; answers how many went."""
        counts = dict(self._counts(runs))
        whole, total = [], 0
        for run in runs:
            total += counts.get(run, 0)
            if total > most:
                break
            whole.append(run)
        if whole:
            erased = self._delete(point_table, point_table.c.run_id, whole)
        else:
            erased, whole = self._bite(runs[0], most), [runs[0]]
            if erased == most:
                return erased
        for table in (bucket_table, metric_table):
            self._delete(table, table.c.run_id, whole)
        self._delete(run_table, _R.id, whole)
        return erased

    def _bite(self, run: int, most: int) -> int:
        """Delete the first points of a run, this many at most."""
        table = point_table
        order = (table.c.number, table.c.step, table.c.at)
        of_run = table.c.run_id == run
        beyond = self._connection.execute(
            select(*order).where(of_run).order_by(*order).limit(1).offset(most)
        ).one_or_none()
        query = delete(table).where(of_run)
        if beyond is not None:
            end = [literal(value, one.type) for one, value in zip(order, beyond, strict=True)]
            query = query.where(tuple_(*order) < tuple_(*end))
        return self._connection.execute(query).rowcount

    def take_models(self, models: Sequence[Row[Any]]) -> None:
        """Take trained models away."""
        keys = [model.id for model in models]
        for table in _OF_A_MODEL:
            self._delete(table, table.c.trained_model_id, keys)
        self._delete(trained_model_table, _T.id, keys)

    def empty_experiments(self, until: dt.datetime, *, but_collected: bool) -> list[int]:
        """Deleted experiments that are empty; runs that are collected may count as gone."""
        run = select(_R.id).where(_R.experiment_id == _E.id)
        if but_collected:
            run = run.where(_R.collected_at.is_(None))
        query = select(_E.id).where(
            _E.workspace_id == self._workspace_id,
            _E.public_id != DEFAULT_ID,
            _E.deleted_at <= until,
            ~run.exists(),
            ~select(_T.id).where(_T.experiment_id == _E.id).exists(),
        )
        return list(self._connection.scalars(query))

    def take_experiments(self, keys: Sequence[int]) -> None:
        """Take experiments away."""
        table = experiment_tag_table
        self._delete(table, table.c.experiment_id, keys)
        self._delete(experiment_table, _E.id, keys)

    def take_datasets(self, keys: Iterable[int]) -> list[Row[Any]]:
        """Take away those of the datasets that no run uses; answers their rows."""
        table, used = dataset_table, run_dataset_table
        taken: list[Row[Any]] = []
        for part in parts(sorted(keys)):
            unused = select(table.c.id, table.c.file, table.c.recorded_at).where(
                table.c.id.in_(part),
                ~select(used.c.run_id).where(used.c.dataset_id == table.c.id).exists(),
            )
            taken += self._connection.execute(unused)
        self._delete(table, table.c.id, [row.id for row in taken])
        return taken

    def _deleted(
        self, query: Any, table: Any, until: dt.datetime, after: int, limit: int
    ) -> Sequence[Row[Any]]:
        columns = table.c
        rows = self._connection.execute(
            query.where(
                columns.workspace_id == self._workspace_id,
                columns.deleted_at.is_not(None),
                columns.deleted_at <= until,
                columns.id > after,
            )
            .order_by(columns.id)
            .limit(limit)
        )
        return list(rows)

    def _counts(self, runs: Sequence[int]) -> list[tuple[int, int]]:
        table = metric_table
        return [
            (run, int(count))
            for part in parts(runs)
            for run, count in self._connection.execute(
                select(table.c.run_id, func.sum(table.c.count))
                .where(table.c.run_id.in_(part))
                .group_by(table.c.run_id)
            )
        ]

    def _delete(self, table: Any, column: Any, values: Collection[Any]) -> int:
        return sum(
            self._connection.execute(delete(table).where(column.in_(part))).rowcount
            for part in parts(list(values))
        )
