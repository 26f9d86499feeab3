"""The rows of runs, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from mainspring.core.clock import to_micros
from mainspring.core.errors import NotFound
from mainspring.core.prepared import Prepared
from mainspring.tracking.contract import (
    ListRuns,
    RunRow,
    to_wire,
)
from mainspring.tracking.tables import (
    experiment_table,
    metric_table,
    param_table,
    run_table,
    tag_table,
)


class RunHead(NamedTuple):
    """What logging has to know of a run."""

    id: int
    public_id: str
    status: str
    author: str
    author_kind: str
    watched: bool
    heartbeat: int
    """Microseconds UTC."""
    deleted_at: int | None


_R = run_table.c
_HEAD = Prepared(
    select(
        _R.id, _R.public_id, _R.status, _R.author, _R.author_kind,
        _R.watched, _R.heartbeat_at, _R.deleted_at,
    ).where(_R.workspace_id == bindparam("workspace"), _R.public_id == bindparam("run")),
    "workspace", "run",
)  # fmt: skip
_HEARD = Prepared(
    update(run_table)
    .where(_R.id == bindparam("run"))
    .values(heartbeat_at=bindparam("at"), status=bindparam("state")),
    "at", "state", "run",
)  # fmt: skip
_TEXT_COLUMNS = ("run_id", "key", "value")
_BOUND: dict[str, Any] = {name: bindparam(name) for name in _TEXT_COLUMNS}
_ADD_PARAM = Prepared(
    upsert(param_table).values(_BOUND).on_conflict_do_nothing(index_elements=["run_id", "key"]),
    *_TEXT_COLUMNS,
)
_tag = upsert(tag_table).values(_BOUND)
_PUT_TAG = Prepared(
    _tag.on_conflict_do_update(
        index_elements=["run_id", "key"], set_={"value": _tag.excluded.value}
    ),
    *_TEXT_COLUMNS,
)


def no_run(public_id: str) -> NotFound:
    """The error for a run that is not here."""
    return NotFound(
        f"no run {public_id!r} in this workspace", field="run", fix="mainspring runs list"
    )


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
            select(
                run_table,
                experiment_table.c.name.label("experiment"),
                experiment_table.c.public_id.label("experiment_public_id"),
            )
            .join(experiment_table, experiment_table.c.id == run_table.c.experiment_id)
            .where(
                run_table.c.workspace_id == self._workspace_id, run_table.c.public_id == public_id
            )
        ).one_or_none()

    def run(self, public_id: str) -> Any:
        """The run's row; raises if there is none."""
        row = self.find_run(public_id)
        if row is None:
            raise no_run(public_id)
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
                    run_table.c.watched,
                    run_table.c.heartbeat_at < before,
                )
            )
        )

    def list_runs(self, request: ListRuns) -> tuple[list[RunRow], str | None]:
        """A page of runs, newest first, ids before details."""
        query = (
            select(run_table, experiment_table.c.name.label("experiment"))
            .join(experiment_table, experiment_table.c.id == run_table.c.experiment_id)
            .where(run_table.c.workspace_id == self._workspace_id, run_table.c.deleted_at.is_(None))
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

    def head(self, public_id: str) -> RunHead:
        """What logging has to know of a run; raises if there is none."""
        row = _HEAD.row(self._connection, self._workspace_id, public_id)
        if row is None:
            raise no_run(public_id)
        return RunHead(*row)

    def heard_of(self, run: int, at: dt.datetime) -> None:
        """Note a sign of life."""
        _HEARD.run(self._connection, to_micros(at), "running", run)

    def add_params(self, run: int, params: Mapping[str, str]) -> dict[str, str]:
        """Add parameters that are new; answers those that are there with another value."""
        rows = [(run, key, value) for key, value in params.items()]
        if _ADD_PARAM.run_many(self._connection, rows) == len(rows):
            return {}
        known = self._texts([run], param_table, param_table.c.value).get(run, {})
        return {key: known[key] for key, value in params.items() if known[key] != value}

    def put_tags(self, run: int, tags: Mapping[str, str]) -> None:
        """Set tags, replacing those that are known."""
        rows = [(run, key, value) for key, value in tags.items()]
        _PUT_TAG.run_many(self._connection, rows)

    def drop_tag(self, run: int, key: str) -> bool:
        """Forget a tag; answers whether it was there."""
        same = (tag_table.c.run_id == run) & (tag_table.c.key == key)
        return self._connection.execute(delete(tag_table).where(same)).rowcount > 0
