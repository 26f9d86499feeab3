"""Runs are opened, logged to, finished; each change of state is an event."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from mainspring.administration.store import AdministrationStore
from mainspring.core.clock import from_micros, to_micros
from mainspring.core.errors import Conflict, Forbidden, NotFound
from mainspring.core.ids import derived_id
from mainspring.core.operation import Done, Page, Request
from mainspring.core.work import Work, performs
from mainspring.tracking import contract
from mainspring.tracking.contract import (
    Dataset,
    FileEntry,
    Point,
    Run,
    RunDataset,
    RunRow,
    TrainedModel,
)
from mainspring.tracking.run import FINAL, HEARTBEAT_TIMEOUT, files_digest, summarise
from mainspring.tracking.store import TrackingStore, to_number


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
        _alive(work, store, known)
        return _shown(store, store.run(request.id))
    public_id = "0" if request.experiment == "Default" else derived_id(request.experiment)[:18]
    store.add_run(
        {
            "public_id": request.id,
            "experiment_id": store.experiment(request.experiment, public_id, work.now),
            "parent": request.parent,
            "name": request.name,
            "status": "running",
            "author": work.actor.name,
            "author_kind": work.actor.kind,
            "attested": request.attested,
            "opened_at": work.now,
            "started_at": request.started_at or work.now,
            "heartbeat_at": work.now,
            "config": request.config,
            "code": request.code,
            "environment": request.environment,
        }
    )
    work.announce("run.opened", ("run", request.id), experiment=request.experiment)
    return _shown(store, store.run(request.id))


@performs(contract.list_runs)
def list_runs(work: Work, request: contract.ListRuns) -> Page[RunRow]:
    """A page of runs."""
    items, after = _store(work).list_runs(request)
    return Page(items=items, next=after)


@performs(contract.show_run)
def show_run(work: Work, request: contract.NameRun) -> Run:
    """All of a run but its points."""
    store = _store(work)
    return _shown(store, store.run(request.run))


@performs(contract.log_run)
def log_run(work: Work, request: contract.LogRun) -> Done:
    """Add what is new; a parameter that would change is an error."""
    store = _store(work)
    run = _open(work, store, request.run)
    params, tags = store.texts(run.id)
    for key, value in request.params.items():
        if params.get(key, value) != value:
            raise Conflict(
                f"parameter {key!r} of run {request.run} is {params[key]!r} and cannot become "
                f"{value!r}",
                field="params",
                fix="log a tag if it is meant to change",
            )
    fresh = {key: value for key, value in request.params.items() if key not in params}
    if fresh:
        store.add_params(run.id, fresh)
    store.put_tags(run.id, request.tags, tags)
    added = _add_points(store, run.id, request.points)
    _alive(work, store, run)
    return Done(count=added + len(fresh) + len(request.tags))


def _add_points(store: TrackingStore, run: int, points: list[Point]) -> int:
    by_key: dict[str, dict[tuple[int, dt.datetime], float]] = {}
    for point in points:
        # The first of two points with the same step and time wins, as it does across requests.
        by_key.setdefault(point.key, {}).setdefault((point.step, point.at), to_number(point.value))
    known = store.metrics(run) if by_key else {}
    rows: list[tuple[int, int, dt.datetime, float]] = []
    for key, values in by_key.items():
        metric_id, before = known.get(key, (None, None))
        if metric_id is not None:
            for place in store.known_points(metric_id, list(values)):
                del values[place]
        if not values:
            continue
        ordered = sorted(values.items())
        fold = summarise([(step, value) for (step, _), value in ordered], before)
        metric_id = store.put_metric(run, key, metric_id, fold)
        rows += [(metric_id, step, at, value) for (step, at), value in ordered]
    if rows:
        store.add_points(rows)
    return len(rows)


@performs(contract.beat)
def beat(work: Work, request: contract.NameRun) -> Done:
    """Hear of a run; one that counted as crashed runs again."""
    store = _store(work)
    _alive(work, store, store.run(request.run))
    return Done()


@performs(contract.finish_run)
def finish_run(work: Work, request: contract.FinishRun) -> Run:
    """End the run, once."""
    store = _store(work)
    run = _mine(work, store.run(request.run))
    if run.status not in FINAL:
        store.update_run(run.id, status=request.status, finished_at=work.now, heartbeat_at=work.now)
        work.announce(f"run.{request.status}", ("run", request.run), experiment=run.experiment)
    elif run.status != request.status:
        raise Conflict(
            f"run {request.run} is {run.status} and cannot become {request.status}", field="status"
        )
    return _shown(store, store.run(request.run))


@performs(contract.log_dataset)
def log_dataset(work: Work, request: contract.LogDataset) -> RunDataset:
    """Store the dataset version once, link it."""
    store = _store(work)
    run = _open(work, store, request.run)
    if request.file is not None:
        _stored(work, "file", request.file)
    for known in store.datasets(run.id):
        if request.role == known.role == "holdout" and request.digest != known.digest:
            raise Conflict(
                f"run {request.run} has a hold-out already, and a model is judged by one",
                field="role",
                fix="open another run, or give the role 'evaluation'",
            )
    names = ("name", "digest", "rows", "columns", "source", "file")
    row = {name: getattr(request, name) for name in names}
    key = store.put_dataset({**row, "recorded_at": work.now})
    if store.link_dataset(run.id, key, request.role):
        work.announce(
            "dataset.used",
            ("dataset", request.digest),
            run=request.run,
            role=request.role,
            name=request.name,
            rows=request.rows,
        )
    return next(
        one
        for one in store.datasets(run.id)
        if (one.digest, one.name, one.role) == (request.digest, request.name, request.role)
    )


@performs(contract.log_artifact)
def log_artifact(work: Work, request: contract.LogArtifact) -> FileEntry:
    """Link the file; the same path keeps its content."""
    store = _store(work)
    run = _open(work, store, request.run)
    _stored(work, "file", request.file.digest)
    known = {file.path: file for file in store.artifacts(run.id)}
    if request.file.path not in known:
        store.add_artifact(run.id, request.file)
        work.announce(
            "artifact.linked",
            ("run", request.run),
            path=request.file.path,
            file=request.file.digest,
        )
    elif known[request.file.path].digest != request.file.digest:
        raise Conflict(
            f"run {request.run} already has another file at {request.file.path!r}", field="file"
        )
    return request.file


@performs(contract.log_model)
def log_model(work: Work, request: contract.LogModel) -> TrainedModel:
    """Record the model with a digest over all its files."""
    store = _store(work)
    run = _open(work, store, request.run)
    known = store.trained(public_id=request.id)
    if known:
        return known[0]
    _stored(work, "files", *(file.digest for file in request.files))
    digest = files_digest((file.path, file.digest, file.size) for file in request.files)
    store.add_trained(
        {
            "public_id": request.id,
            "run_id": run.id,
            "name": request.name,
            "engine": request.engine,
            "task": request.task,
            "digest": digest,
            "signature": msgspec.to_builtins(request.signature),
            "files": msgspec.to_builtins(request.files),
            "recorded_at": work.now,
        }
    )
    work.announce(
        "model.trained",
        ("trained model", request.id),
        run=request.run,
        digest=digest,
        engine=request.engine,
    )
    return store.trained(public_id=request.id)[0]


@performs(contract.read_metric)
def read_metric(work: Work, request: contract.ReadMetric) -> Page[Point]:
    """A page of one metric's points."""
    store = _store(work)
    run = store.run(request.run)
    known = store.metrics(run.id).get(request.key)
    if known is None:
        raise NotFound(f"run {request.run} has no metric {request.key!r}", field="key")
    after = None
    if request.after is not None:
        step, _, at = request.after.rpartition(".")
        after = (int(step), from_micros(int(at)))
    points = store.points(known[0], request.key, after, request.limit)
    more = len(points) == request.limit
    token = f"{points[-1].step}.{to_micros(points[-1].at)}" if more else None
    return Page(items=points, next=token)


@performs(contract.show_trained)
def show_trained(work: Work, request: contract.NameTrainedModel) -> TrainedModel:
    """One trained model."""
    found = _store(work).trained(public_id=request.id)
    if not found:
        raise NotFound(f"no trained model {request.id!r} in this workspace", field="id")
    return found[0]


@performs(contract.sweep_runs)
def sweep_runs(work: Work, request: Request) -> Done:
    """Mark runs that are silent for too long; they may come back."""
    store = _store(work)
    silent = store.silent_runs(work.now - HEARTBEAT_TIMEOUT)
    for run in silent:
        store.update_run(run.id, status="crashed")
        work.announce("run.crashed", ("run", run.public_id), heard_of=run.heartbeat_at.isoformat())
    return Done(count=len(silent))


@performs(contract.list_datasets)
def list_datasets(work: Work, request: contract.ListDatasets) -> list[Dataset]:
    """Dataset versions."""
    return _store(work).list_datasets(request.limit)


def _stored(work: Work, field: str, *digests: str) -> None:
    """Refuse to name bytes that this workspace does not have: another may, and they are not ours."""
    missing = AdministrationStore(work.connection, work.workspace_id).missing_files(digests)
    if missing:
        raise NotFound(
            f"this workspace has no file {missing[0]}", field=field, fix="upload it first"
        )


def _open(work: Work, store: TrackingStore, public_id: str) -> Any:
    run = _mine(work, store.run(public_id))
    if run.status in FINAL:
        raise Conflict(
            f"run {public_id} is {run.status}; nothing can be logged to it any more", field="run"
        )
    return run


def _mine(work: Work, run: Any) -> Any:
    """Who trained a model must be known: nobody writes into the run of another."""
    if (run.author_kind, run.author) != (work.actor.kind, work.actor.name):
        raise Forbidden(
            f"run {run.public_id} is {run.author!r}'s, and {work.actor.name!r} may not write into it",
            field="run",
            fix="open a run of your own",
        )
    return run


def _alive(work: Work, store: TrackingStore, run: Any) -> None:
    if run.status in FINAL:
        return
    store.update_run(run.id, status="running", heartbeat_at=work.now)
    if run.status == "crashed":
        work.announce("run.resumed", ("run", run.public_id))


def _shown(store: TrackingStore, row: Any) -> Run:
    params, tags = store.texts(row.id)
    given = {
        "id": row.public_id,
        "params": params,
        "tags": tags,
        "metrics": store.metric_summaries(row.id),
        "datasets": store.datasets(row.id),
        "artifacts": store.artifacts(row.id),
        "models": store.trained(row.id),
    }
    columns = {name: getattr(row, name) for name in Run.__struct_fields__ if name not in given}
    return Run(**columns, **given)
