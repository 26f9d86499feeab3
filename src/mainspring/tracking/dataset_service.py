"""Datasets are stored once and linked to the runs that used them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainspring.core.errors import Conflict, Invalid, NotFound
from mainspring.core.operation import Done, Page
from mainspring.core.work import Work, performs
from mainspring.tracking import dataset_contract as contract
from mainspring.tracking.contract import RunDataset
from mainspring.tracking.dataset_comparison import columns_said, difference, ways_to_read
from mainspring.tracking.dataset_contract import (
    ColumnDifference,
    Dataset,
    DatasetDetail,
    DatasetDifference,
    DatasetSide,
    UsedDataset,
)
from mainspring.tracking.dataset_store import DatasetStore
from mainspring.tracking.model_store import ModelStore
from mainspring.tracking.run_access import still_open, stored, writable
from mainspring.tracking.store import TrackingStore

HOLDOUT = "holdout"
LOOKED_AT = 100
"""Versions that a reference may mean."""


def _store(work: Work) -> DatasetStore:
    return DatasetStore(work.connection, work.workspace_id)


def _runs(work: Work) -> TrackingStore:
    return TrackingStore(work.connection, work.workspace_id)


@performs(contract.log_dataset)
def log_dataset(work: Work, request: contract.LogDataset) -> RunDataset:
    """Store the dataset version once, link it."""
    store = _store(work)
    run = writable(work, _runs(work), request.run)
    known = _linked(store, run, request)
    if known is not None:
        return known
    still_open(work, _runs(work), request.run)
    if request.file is not None:
        stored(work, "file", request.file)
    _one_holdout(store, run, request.role, request.digest)
    names = ("name", "digest", "rows", "columns", "source_type", "source", "file")
    row = {name: getattr(request, name) for name in names}
    key = store.put_dataset({**row, "recorded_at": work.now})
    if store.link_dataset(run.id, key, request.role, split=request.split):
        _announce(work, request.run, request)
    made = _linked(store, run, request)
    assert made is not None
    return made


def _linked(store: DatasetStore, run: Any, request: contract.LogDataset) -> RunDataset | None:
    same = (request.digest, request.name, request.role)
    for one in store.datasets(run.id):
        if (one.digest, one.name, one.role) == same:
            return one
    return None


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
        store.link_dataset(run.id, key, dataset.role, tags=dict(dataset.tags))
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
def list_datasets(work: Work, request: contract.ListDatasets) -> Page[Dataset]:
    """Dataset versions."""
    items, after = _store(work).list_datasets(request)
    return Page(items=items, next=after)


@performs(contract.show_dataset)
def show_dataset(work: Work, request: contract.ShowDataset) -> DatasetDetail:
    """One dataset version, and where it went."""
    store = _store(work)
    row = _meant(store, request.dataset, "dataset")
    same = store.same(row.digest)
    keys = [one.id for one in same]
    splits, roles = store.words_of(keys)
    names = ("name", "digest", "rows", "source_type", "source", "schema", "profile", "file")
    return DatasetDetail(
        **{name: getattr(row, name) for name in names},
        names=list(dict.fromkeys(one.name for one in same)),
        columns=columns_said(row.columns, row.schema),
        splits=splits,
        roles=roles,
        recorded_at=row.recorded_at,
        run_count=store.count_runs(keys),
        runs=store.uses(keys, request.limit),
        models=store.models(keys, request.limit),
    )


@performs(contract.compare_datasets)
def compare_datasets(work: Work, request: contract.CompareDatasets) -> DatasetDifference:
    """What differs between two dataset versions."""
    store = _store(work)
    left, right = _meant(store, request.left, "left"), _meant(store, request.right, "right")
    before, after = (columns_said(row.columns, row.schema) for row in (left, right))
    found = difference(before, after)
    counted = left.rows is not None and right.rows is not None
    return DatasetDifference(
        left=_side(left, before),
        right=_side(right, after),
        same=left.digest == right.digest,
        rows=right.rows - left.rows if counted else None,
        added=found.added,
        removed=found.removed,
        reordered=found.reordered,
        changed=[ColumnDifference(name=name, facts=facts) for name, facts in found.changed],
    )


def _side(row: Any, columns: Sequence[Any]) -> DatasetSide:
    return DatasetSide(name=row.name, digest=row.digest, rows=row.rows, columns=len(columns))


def _meant(store: DatasetStore, reference: str, field: str) -> Any:
    """The row of the dataset version that is asked for."""
    for wanted in ways_to_read(reference):
        rows = store.named(wanted, LOOKED_AT)
        digests = list(dict.fromkeys(row.digest for row in rows))
        if wanted.digest is not None and len(digests) > 1:
            raise Invalid(
                f"{field} {reference!r} may be {' or '.join(digests[:3])}",
                field=field,
                fix="type more of the digest",
            )
        if rows and wanted.digest is None:
            return rows[0]
        if rows:  # what our own client said of the data is more than what others say
            return next((row for row in rows if not row.scope), rows[0])
    raise NotFound(f"no dataset {reference!r} in this workspace", field=field)


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
