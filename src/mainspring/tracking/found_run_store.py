"""Whole runs by their keys, for pages of search results: a handful of statements, however many runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, bindparam, case, func, or_, select

from mainspring.core.clock import from_micros
from mainspring.core.listed import among, as_object, keys_text
from mainspring.core.prepared import Prepared
from mainspring.tracking.contract import RunDataset, to_wire
from mainspring.tracking.dataset_store import DatasetStore
from mainspring.tracking.model_contract import ModelLink
from mainspring.tracking.model_store import ModelStore
from mainspring.tracking.search_contract import FoundRun, LastValue
from mainspring.tracking.tables import (
    experiment_table,
    metric_table,
    param_table,
    run_dataset_table,
    run_model_table,
    run_table,
    tag_table,
)

_AT_A_TIME = 500
_FINITE = sys.float_info.max


def _texts(table: Table) -> Prepared:
    run = table.c.run_id
    statement = select(run, as_object(table.c.key, table.c.value)).where(among(run)).group_by(run)
    return Prepared(statement, "keys")


_R, _E, _M = run_table.c, experiment_table.c, metric_table.c
_KEY = Prepared(
    select(_R.id).where(_R.workspace_id == bindparam("workspace"), _R.public_id == bindparam("run")),
    "workspace", "run",
)  # fmt: skip
_RUNS = Prepared(
    select(
        _R.id, _R.public_id, _E.public_id, _E.name, _E.artifact_location, _R.name, _R.status,
        _R.author, _R.user, _R.opened_at, _R.started_at, _R.finished_at, _R.ended_at, _R.deleted_at,
    ).join(experiment_table, _E.id == _R.experiment_id).where(among(_R.id)),
    "keys",
)  # fmt: skip
_ODD = case((or_(_M.last.is_(None), _M.last > _FINITE, _M.last < -_FINITE), 1), else_=0)
_METRICS = Prepared(
    select(_M.key, _M.last, _M.last_step, _M.last_at)
    .where(among(_M.run_id))
    .order_by(_M.run_id, _M.key),
    "keys",
)
_METRIC_COUNTS = Prepared(
    select(_M.run_id, func.count(), func.sum(_ODD))
    .where(among(_M.run_id))
    .group_by(_M.run_id)
    .order_by(_M.run_id),
    "keys",
)
_PARAMS, _TAGS = _texts(param_table), _texts(tag_table)
_WITH_DATASETS, _WITH_MODELS = (
    Prepared(select(func.distinct(table.c.run_id)).where(among(table.c.run_id)), "keys")
    for table in (run_dataset_table, run_model_table)
)
_decode_texts = msgspec.json.Decoder(dict[str, str]).decode


class FoundRunStore:
    """Whole runs of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def key(self, public_id: str) -> int | None:
        """The key of a run, deleted or not."""
        row = _KEY.row(self._connection, self._workspace_id, public_id)
        return None if row is None else int(row[0])

    def runs(self, keys: Sequence[int]) -> list[FoundRun]:
        """The runs of the keys, in their order."""
        if not keys:
            return []
        wanted = keys_text(keys)
        metrics, params = self._metrics(wanted), self._texts(_PARAMS, wanted)
        tags = self._texts(_TAGS, wanted)
        datasets, models = self._datasets(wanted), self._models(wanted)
        found = {}
        for row in _RUNS.rows(self._connection, wanted):
            key = row[0]
            found[key] = FoundRun(
                id=row[1],
                experiment_id=row[2],
                experiment=row[3],
                location=row[4],
                name=row[5],
                status=row[6],
                author=row[7],
                user=row[8],
                opened_at=from_micros(row[9]),
                started_at=from_micros(row[10]),
                finished_at=None if row[11] is None else from_micros(row[11]),
                ended_at=None if row[12] is None else from_micros(row[12]),
                deleted=row[13] is not None,
                metrics=metrics.get(key, []),
                params=params.get(key, {}),
                tags=tags.get(key, {}),
                datasets=datasets.get(key, []),
                models=models.get(key, []),
            )
        return [found[key] for key in keys]

    def _metrics(self, wanted: str) -> dict[int, list[LastValue]]:
        # Many thousands of rows: each is taken as the driver made it, and none is touched again
        # but those of runs with a value that JSON cannot say.
        rows = _METRICS.rows(self._connection, wanted)
        found: dict[int, list[Any]] = {}
        place = 0
        for run, count, odd in _METRIC_COUNTS.rows(self._connection, wanted):
            mine = rows[place : place + count]
            found[run] = [(row[0], to_wire(row[1]), *row[2:]) for row in mine] if odd else mine
            place += count
        return found

    def _texts(self, statement: Prepared, wanted: str) -> dict[int, dict[str, str]]:
        rows = statement.rows(self._connection, wanted)
        return {run: _decode_texts(text) for run, text in rows}

    def _datasets(self, wanted: str) -> dict[int, list[RunDataset]]:
        store = DatasetStore(self._connection, self._workspace_id)
        found: dict[int, list[RunDataset]] = {}
        for part in self._parts(_WITH_DATASETS, wanted):
            found |= store.datasets_of(part)
        return found

    def _models(self, wanted: str) -> dict[int, list[ModelLink]]:
        store = ModelStore(self._connection, self._workspace_id)
        found: dict[int, list[ModelLink]] = {}
        for part in self._parts(_WITH_MODELS, wanted):
            found |= store.links(part)
        return found

    def _parts(self, statement: Prepared, wanted: str) -> Iterator[list[int]]:
        keys = [row[0] for row in statement.rows(self._connection, wanted)]
        return (keys[place : place + _AT_A_TIME] for place in range(0, len(keys), _AT_A_TIME))
