"""Runs are opened, logged to, finished; each change of state is an event."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from mainspring.core.clock import from_micros, to_micros
from mainspring.core.errors import Conflict, Invalid, NotFound
from mainspring.core.operation import Done, Page, Request
from mainspring.core.work import Work, performs
from mainspring.tracking import contract
from mainspring.tracking.artifact_store import ArtifactStore
from mainspring.tracking.contract import (
    MetricSummary,
    Point,
    Run,
    RunRow,
    SeriesPage,
    to_number,
    to_wire,
)
from mainspring.tracking.dataset_store import DatasetStore
from mainspring.tracking.experiment_store import ExperimentStore
from mainspring.tracking.metric import PointTuple
from mainspring.tracking.metric_store import FIRST_PLACE, MetricRow, MetricStore
from mainspring.tracking.model_store import ModelStore
from mainspring.tracking.run import FINAL, HEARTBEAT_TIMEOUT
from mainspring.tracking.run_access import alive, mine, not_deleted, writable
from mainspring.tracking.store import RunHead, TrackingStore

LIFE_NOTED_EVERY = 5_000_000
"""Microseconds between two notes that a logging run is alive."""


def _store(work: Work) -> TrackingStore:
    return TrackingStore(work.connection, work.workspace_id)


@performs(contract.open_run)
def open_run(work: Work, request: contract.OpenRun) -> Run:
    """Open the run, or answer the one that this id opened before."""
    store = _store(work)
    known = store.find_run(request.id)
    if known is not None:
        if known.author != work.actor.name:
            raise Conflict(f"run {request.id} was opened by somebody else", field="id")
        alive(work, store, known)
        return _shown(work, store.run(request.id))
    experiments = ExperimentStore(work.connection, work.workspace_id)
    if request.experiment_id is not None:
        experiment = experiments.active(request.experiment_id)
    else:
        experiment = experiments.named(request.experiment, work.now)
    store.add_run(
        {
            "public_id": request.id,
            "experiment_id": experiment.id,
            "parent": request.parent,
            "name": request.name,
            "status": request.status,
            "author": work.actor.name,
            "author_kind": work.actor.kind,
            "user": request.user,
            "attested": request.attested,
            "opened_at": work.now,
            "started_at": request.started_at or work.now,
            "heartbeat_at": work.now,
            "watched": request.watched,
            "config": request.config,
            "code": request.code,
            "environment": request.environment,
        }
    )
    row = store.run(request.id)
    store.put_tags(row.id, request.tags)
    work.announce("run.opened", ("run", request.id), experiment=experiment.name)
    return _shown(work, row)


@performs(contract.list_runs)
def list_runs(work: Work, request: contract.ListRuns) -> Page[RunRow]:
    """A page of runs."""
    items, after = _store(work).list_runs(request)
    return Page(items=items, next=after)


@performs(contract.show_run)
def show_run(work: Work, request: contract.NameRun) -> Run:
    """All of a run but its points."""
    store = _store(work)
    return _shown(work, store.run(request.run))


@performs(contract.log_run)
def log_run(work: Work, request: contract.LogRun) -> Done:
    """Add what is new; a parameter that would change is an error."""
    store = _store(work)
    run = store.head(request.run)
    mine(work, run)
    not_deleted(run)
    if request.params:
        _add_params(store, run, request)
    if request.tags:
        store.put_tags(run.id, request.tags)
    added = 0
    if request.points or request.series or request.measured:
        added = MetricStore(work.connection).add(run.id, _series(request))
    if request.measured:
        ModelStore(work.connection, work.workspace_id).add_metrics(run.id, request.measured)
    if run.watched and run.status not in FINAL:
        _note_life(work, store, run)
    return Done(count=added + len(request.params) + len(request.tags))


def _note_life(work: Work, store: TrackingStore, run: RunHead) -> None:
    """Logging is a sign of life, written down now and then: each would be one more page to write."""
    if run.status == "crashed" or to_micros(work.now) - run.heartbeat > LIFE_NOTED_EVERY:
        store.heard_of(run.id, work.now)
    if run.status == "crashed":
        work.announce("run.resumed", ("run", run.public_id))


def _add_params(store: TrackingStore, run: RunHead, request: contract.LogRun) -> None:
    for key, value in store.add_params(run.id, request.params).items():
        wanted = request.params[key]
        raise Conflict(
            f"parameter {key!r} of run {request.run} is {value!r} and cannot become {wanted!r}",
            [key, value, wanted],
            field="params",
            fix="log a tag if it is meant to change",
        )


def _series(request: contract.LogRun) -> dict[str, list[PointTuple]]:
    found: dict[str, list[PointTuple]] = {}
    for point in (*request.points, *(one.point for one in request.measured)):
        place = (point.step, to_micros(point.at), to_number(point.value))
        found.setdefault(point.key, []).append(place)
    for one in request.series:
        if not len(one.steps) == len(one.at) == len(one.values):
            raise Invalid(
                f"series {one.key!r} has {len(one.steps)} steps, {len(one.at)} times and "
                f"{len(one.values)} values, wanted as many of each",
                field="series",
            )
        columns = zip(one.steps, one.at, map(to_number, one.values), strict=True)
        found.setdefault(one.key, []).extend(columns)
    return found


@performs(contract.beat)
def beat(work: Work, request: contract.NameRun) -> Done:
    """Hear of a run; one that counted as crashed runs again."""
    store = _store(work)
    alive(work, store, store.run(request.run))
    return Done()


@performs(contract.finish_run)
def finish_run(work: Work, request: contract.FinishRun) -> Run:
    """End the run, once."""
    store = _store(work)
    run = mine(work, store.run(request.run))
    if run.status not in FINAL:
        _end(work, store, run, request.status, work.now)
    elif run.status != request.status:
        raise Conflict(
            f"run {request.run} is {run.status} and cannot become {request.status}", field="status"
        )
    return _shown(work, store.run(request.run))


def _end(work: Work, store: TrackingStore, run: Any, status: str, ended: dt.datetime) -> None:
    store.update_run(
        run.id, status=status, finished_at=work.now, ended_at=ended, heartbeat_at=work.now
    )
    work.announce(f"run.{status}", ("run", run.public_id), experiment=run.experiment)


@performs(contract.update_run)
def update_run(work: Work, request: contract.UpdateRun) -> Run:
    """Change the name or the state; a run that had ended may go on, and says so."""
    store = _store(work)
    run = writable(work, store, request.run)
    if request.status in FINAL and request.status != run.status:
        _end(work, store, run, request.status, request.ended_at or work.now)
    elif request.status is not None and request.status != run.status:
        again = {"finished_at": None, "ended_at": request.ended_at, "heartbeat_at": work.now}
        store.update_run(run.id, status=request.status, **again)
        work.announce("run.changed", ("run", request.run), status=request.status)
    elif request.ended_at is not None:
        store.update_run(run.id, ended_at=request.ended_at)
    if request.name is not None and request.name != run.name:
        store.update_run(run.id, name=request.name)
        work.announce("run.changed", ("run", request.run), name=request.name)
    return _shown(work, store.run(request.run))


@performs(contract.delete_run)
def delete_run(work: Work, request: contract.NameRun) -> Done:
    """Hide the run; `gc` frees it later."""
    store = _store(work)
    run = mine(work, store.run(request.run))
    if run.deleted_at is None:
        store.update_run(run.id, deleted_at=work.now)
        work.announce("run.deleted", ("run", request.run), experiment=run.experiment)
    return Done()


@performs(contract.restore_run)
def restore_run(work: Work, request: contract.NameRun) -> Run:
    """Show the run again."""
    store = _store(work)
    run = mine(work, store.run(request.run))
    if run.deleted_at is not None:
        store.update_run(run.id, deleted_at=None)
        work.announce("run.restored", ("run", request.run), experiment=run.experiment)
    return _shown(work, store.run(request.run))


@performs(contract.drop_tag)
def drop_tag(work: Work, request: contract.DropTag) -> Done:
    """Forget the tag."""
    store = _store(work)
    run = writable(work, store, request.run)
    if not store.drop_tag(run.id, request.key):
        raise NotFound(f"run {request.run} has no tag {request.key!r}", field="key")
    return Done()


@performs(contract.read_metric)
def read_metric(work: Work, request: contract.ReadMetric) -> Page[Point]:
    """A page of one metric's points."""
    points, after = _page(work, request)
    return Page(items=_points(request.key, points), next=after)


@performs(contract.read_series)
def read_series(work: Work, request: contract.ReadMetric) -> SeriesPage:
    """The same page as columns."""
    points, after = _page(work, request)
    columns = zip(*points, strict=True) if points else ((), (), ())
    steps, at, values = map(list, columns)
    if not all(map(math.isfinite, values)):
        values = [to_wire(value) for value in values]
    return SeriesPage(key=request.key, steps=steps, at=at, values=values, next=after)


def _page(work: Work, request: contract.ReadMetric) -> tuple[list[PointTuple], str | None]:
    metrics, run, found = _metric(work, request.run, request.key)
    after = FIRST_PLACE
    if request.after is not None:
        step, _, at = request.after.rpartition(".")
        after = (int(step), int(at))
    points = metrics.points(run, found.number, after, request.limit + 1)
    if len(points) <= request.limit:
        return points, None
    last = points[request.limit - 1]
    return points[: request.limit], f"{last[0]}.{last[1]}"


@performs(contract.sample_metric)
def sample_metric(work: Work, request: contract.SampleMetric) -> list[Point]:
    """A series as a chart needs it."""
    metrics, run, found = _metric(work, request.run, request.key)
    span = (request.start, request.end)
    points = metrics.sampled(run, found, span, request.points, request.whole)
    return _points(request.key, points)


def _metric(work: Work, run: str, key: str) -> tuple[MetricStore, int, MetricRow]:
    metrics = MetricStore(work.connection)
    run_key = _store(work).head(run).id
    found = metrics.metric(run_key, key)
    if found is None:
        raise NotFound(
            f"run {run} has no metric {key!r}", field="key", fix=f"mainspring runs show {run}"
        )
    return metrics, run_key, found


def _points(key: str, points: list[PointTuple]) -> list[Point]:
    return [
        Point(key=key, step=step, at=from_micros(at), value=to_wire(value))
        for step, at, value in points
    ]


@performs(contract.sweep_runs)
def sweep_runs(work: Work, request: Request) -> Done:
    """Mark runs that are silent for too long; they may come back."""
    store = _store(work)
    silent = store.silent_runs(work.now - HEARTBEAT_TIMEOUT)
    for run in silent:
        store.update_run(run.id, status="crashed")
        work.announce("run.crashed", ("run", run.public_id), heard_of=run.heartbeat_at.isoformat())
    return Done(count=len(silent))


def _shown(work: Work, row: Any) -> Run:
    place = (work.connection, work.workspace_id)
    params, tags = _store(work).texts(row.id)
    given = {
        "id": row.public_id,
        "experiment_id": row.experiment_public_id,
        "params": params,
        "tags": tags,
        "metrics": [_summary(metric) for metric in MetricStore(work.connection).metrics(row.id)],
        "datasets": DatasetStore(*place).datasets(row.id),
        "artifacts": ArtifactStore(*place).artifacts(f"runs/{row.public_id}"),
        "models": ModelStore(*place).trained(row.id),
    }
    columns = {name: getattr(row, name) for name in Run.__struct_fields__ if name not in given}
    return Run(**columns, **given)


def _summary(metric: MetricRow) -> MetricSummary:
    fold = metric.fold
    return MetricSummary(
        key=metric.key,
        count=fold.count,
        first=to_wire(fold.first),
        last=to_wire(fold.last),
        minimum=to_wire(fold.minimum),
        maximum=to_wire(fold.maximum),
        best=to_wire(fold.best),
        best_step=fold.best_step,
        last_step=fold.last_place[0],
        last_at=from_micros(fold.last_place[1]),
    )
