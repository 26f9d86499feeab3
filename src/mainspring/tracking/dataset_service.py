"""Datasets are stored once and linked to the runs that used them."""

from __future__ import annotations

from typing import Any

from mainspring.core.errors import Conflict
from mainspring.core.operation import Done
from mainspring.core.work import Work, performs
from mainspring.tracking import dataset_contract as contract
from mainspring.tracking.contract import RunDataset
from mainspring.tracking.dataset_contract import Dataset, UsedDataset
from mainspring.tracking.dataset_store import DatasetStore
from mainspring.tracking.model_store import ModelStore
from mainspring.tracking.run_access import still_open, stored, writable
from mainspring.tracking.store import TrackingStore

HOLDOUT = "holdout"


def _store(work: Work) -> DatasetStore:
    return DatasetStore(work.connection, work.workspace_id)


def _runs(work: Work) -> TrackingStore:
    return TrackingStore(work.connection, work.workspace_id)


@performs(contract.log_dataset)
def log_dataset(work: Work, request: contract.LogDataset) -> RunDataset:
    """Store the dataset version once, link it."""
    store = _store(work)
    run = still_open(work, _runs(work), request.run)
    if request.file is not None:
        stored(work, "file", request.file)
    _one_holdout(store, run, request.role, request.digest)
    names = ("name", "digest", "rows", "columns", "source", "file")
    row = {name: getattr(request, name) for name in names}
    key = store.put_dataset({**row, "recorded_at": work.now})
    if store.link_dataset(run.id, key, request.role):
        _announce(work, request.run, request)
    return next(
        one
        for one in store.datasets(run.id)
        if (one.digest, one.name, one.role) == (request.digest, request.name, request.role)
    )


@performs(contract.log_inputs)
def log_inputs(work: Work, request: contract.LogInputs) -> Done:
    """Link what is not linked yet; a dataset keeps the role that it was first given."""
    store = _store(work)
    run = writable(work, _runs(work), request.run)
    linked = {(one.name, one.digest) for one in store.datasets(run.id)}
    count = 0
    for dataset in request.datasets:
        if (dataset.name, dataset.digest) in linked:
            continue
        linked.add((dataset.name, dataset.digest))
        if dataset.role == HOLDOUT:
            still_open(work, _runs(work), request.run)
        _one_holdout(store, run, dataset.role, dataset.digest)
        names = ("name", "digest", "source_type", "source", "schema", "profile")
        row = {name: getattr(dataset, name) for name in names}
        row |= {"scope": run.experiment_public_id, "rows": None, "columns": []}
        key = store.put_dataset({**row, "recorded_at": work.now})
        store.link_dataset(run.id, key, dataset.role, dataset.tags)
        _announce(work, request.run, dataset)
        count += 1
    models = ModelStore(work.connection, work.workspace_id)
    for trained in dict.fromkeys(request.models):
        if models.link(run.id, models.row(trained).id, "input"):
            work.announce(
                "trained_model.linked", ("trained model", trained), run=request.run, way="input"
            )
            count += 1
    return Done(count=count)


@performs(contract.list_datasets)
def list_datasets(work: Work, request: contract.ListDatasets) -> list[Dataset]:
    """Dataset versions."""
    return _store(work).list_datasets(request.limit)


@performs(contract.list_used)
def list_used(work: Work, request: contract.ListUsed) -> list[UsedDataset]:
    """What the runs of the experiments used."""
    return _store(work).used(request.experiments, request.limit)


def _one_holdout(store: DatasetStore, run: Any, role: str, digest: str) -> None:
    """A model is judged by one hold-out: another would let its maker choose afterwards."""
    for known in store.datasets(run.id) if role == HOLDOUT else ():
        if known.role == HOLDOUT and known.digest != digest:
            raise Conflict(
                f"run {run.public_id} has a hold-out already, and a model is judged by one",
                field="role",
                fix="open another run, or give the role 'evaluation'",
            )


def _announce(work: Work, run: str, dataset: contract.LogDataset | contract.InputDataset) -> None:
    work.announce(
        "dataset.used",
        ("dataset", dataset.digest),
        run=run,
        role=dataset.role,
        name=dataset.name,
        rows=getattr(dataset, "rows", None),
    )
