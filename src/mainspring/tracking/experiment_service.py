"""Experiments are created, renamed, deleted with their runs and restored with them."""

from __future__ import annotations

from typing import Any

from mainspring.core.errors import Conflict, NotFound
from mainspring.core.operation import Done
from mainspring.core.work import Work, performs
from mainspring.tracking import experiment_contract as contract
from mainspring.tracking.experiment_contract import Experiment
from mainspring.tracking.experiment_store import ExperimentStore, not_deleted


def _store(work: Work) -> ExperimentStore:
    return ExperimentStore(work.connection, work.workspace_id)


@performs(contract.create_experiment)
def create_experiment(work: Work, request: contract.CreateExperiment) -> Experiment:
    """Create it under a name that nobody has."""
    store = _store(work)
    _free(store, request.name)
    row = store.add(request.name, work.now, request.artifact_location)
    store.put_tags(row.id, request.tags)
    _announce(work, "experiment.created", row, name=request.name)
    return store.shown([row])[0]


@performs(contract.show_experiment)
def show_experiment(work: Work, request: contract.NameExperiment) -> Experiment:
    """One experiment."""
    store = _store(work)
    return store.shown([store.row(request.experiment)])[0]


@performs(contract.find_experiment)
def find_experiment(work: Work, request: contract.FindExperiment) -> Experiment:
    """The one of the name."""
    store = _store(work)
    row = store.find_named(request.name)
    if row is None:
        raise NotFound(f"no experiment named {request.name!r} in this workspace", field="name")
    return store.shown([row])[0]


@performs(contract.rename_experiment)
def rename_experiment(work: Work, request: contract.RenameExperiment) -> Experiment:
    """Give it a name that nobody has."""
    store = _store(work)
    row = store.active(request.experiment)
    if row.name != request.name:
        _free(store, request.name)
        store.change(row.id, name=request.name, updated_at=work.now)
        _announce(work, "experiment.renamed", row, before=row.name, name=request.name)
    return store.shown([store.row(request.experiment)])[0]


@performs(contract.delete_experiment)
def delete_experiment(work: Work, request: contract.NameExperiment) -> Done:
    """Delete it and its runs."""
    store = _store(work)
    row = store.active(request.experiment)
    store.change(row.id, deleted_at=work.now, updated_at=work.now)
    runs = store.move_runs(row.id, work.now)
    _announce(work, "experiment.deleted", row, name=row.name, runs=runs)
    return Done()


@performs(contract.restore_experiment)
def restore_experiment(work: Work, request: contract.NameExperiment) -> Experiment:
    """Bring it back with all its runs, whenever they were deleted: MLflow's users expect that."""
    store = _store(work)
    row = store.row(request.experiment)
    if row.deleted_at is None:
        raise Conflict(f"experiment {request.experiment} is not deleted", field="experiment")
    store.change(row.id, deleted_at=None, updated_at=work.now)
    runs = store.move_runs(row.id, None)
    _announce(work, "experiment.restored", row, name=row.name, runs=runs)
    return store.shown([store.row(request.experiment)])[0]


@performs(contract.tag_experiment)
def tag_experiment(work: Work, request: contract.TagExperiment) -> Done:
    """Set tags."""
    store = _store(work)
    row = not_deleted(store.row(request.experiment))
    store.put_tags(row.id, request.tags)
    return Done(count=len(request.tags))


@performs(contract.untag_experiment)
def untag_experiment(work: Work, request: contract.UntagExperiment) -> Done:
    """Forget a tag."""
    store = _store(work)
    row = not_deleted(store.row(request.experiment))
    if not store.drop_tag(row.id, request.key):
        raise NotFound(f"experiment {request.experiment} has no tag {request.key!r}", field="key")
    return Done()


def _free(store: ExperimentStore, name: str) -> None:
    taken = store.find_named(name)
    if taken is None:
        return
    if taken.deleted_at is not None:
        raise Conflict(
            f"experiment {name!r} is deleted and keeps its name",
            field="name",
            fix=f"mainspring experiments restore {taken.public_id}",
        )
    raise Conflict(f"experiment {name!r} exists", field="name")


def _announce(work: Work, kind: str, row: Any, **facts: Any) -> None:
    work.announce(kind, ("experiment", row.public_id), **facts)
