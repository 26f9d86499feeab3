"""Trained models are told of, get their files, and are what they are from then on."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.core.errors import Conflict, NotFound
from mainspring.core.operation import Done
from mainspring.core.work import Work, performs
from mainspring.tracking import model_contract as contract
from mainspring.tracking.artifact_store import ArtifactStore, place_of_model
from mainspring.tracking.contract import FileEntry, TrainedModel
from mainspring.tracking.experiment_store import ExperimentStore
from mainspring.tracking.model_contract import ModelLink
from mainspring.tracking.model_store import NO_SIGNATURE, ModelStore
from mainspring.tracking.run import files_digest
from mainspring.tracking.run_access import mine, still_open, stored, writable
from mainspring.tracking.store import TrackingStore


def _store(work: Work) -> ModelStore:
    return ModelStore(work.connection, work.workspace_id)


def _runs(work: Work) -> TrackingStore:
    return TrackingStore(work.connection, work.workspace_id)


@performs(contract.log_model)
def log_model(work: Work, request: contract.LogModel) -> TrainedModel:
    """Record the model with a digest over all its files."""
    store = _store(work)
    run = writable(work, _runs(work), request.run)
    if store.find(request.id, deleted=True):
        return store.trained(public_id=request.id, deleted=True)[0]
    still_open(work, _runs(work), request.run)
    stored(work, "files", *(file.digest for file in request.files))
    store.add_trained(
        {
            "public_id": request.id,
            "experiment_id": run.experiment_id,
            "run_id": run.id,
            "name": request.name,
            "state": "ready",
            "type": request.type,
            "engine": request.engine,
            "task": request.task,
            "digest": _digest(request.files),
            "signature": msgspec.to_builtins(request.signature),
            "files": msgspec.to_builtins(request.files),
            "params": request.params,
            "recorded_at": work.now,
            "updated_at": work.now,
        }
    )
    files = ArtifactStore(work.connection, work.workspace_id)
    files.add(place_of_model(request.id), request.files, work.now)
    _announce_trained(work, store.row(request.id))
    return store.trained(public_id=request.id)[0]


@performs(contract.create_trained)
def create_trained(work: Work, request: contract.CreateTrained) -> TrainedModel:
    """Record that there is one; its files may be put from now on."""
    store = _store(work)
    if store.find(request.id, deleted=True):
        return store.trained(public_id=request.id, deleted=True)[0]
    experiments = ExperimentStore(work.connection, work.workspace_id)
    experiment = experiments.active(request.experiment)
    run = writable(work, _runs(work), request.run) if request.run is not None else None
    key = store.add_trained(
        {
            "public_id": request.id,
            "experiment_id": experiment.id,
            "run_id": run.id if run is not None else None,
            "claimed_run": request.claimed_run,
            "name": request.name,
            "state": "pending",
            "type": request.type,
            "engine": "",
            "task": "",
            "signature": NO_SIGNATURE,
            "files": [],
            "params": request.params,
            "recorded_at": work.now,
            "updated_at": work.now,
        }
    )
    store.put_tags(key, request.tags)
    work.announce("trained_model.begun", ("trained model", request.id), run=request.run)
    return store.trained(public_id=request.id)[0]


@performs(contract.show_trained)
def show_trained(work: Work, request: contract.NameTrainedModel) -> TrainedModel:
    """One trained model."""
    store = _store(work)
    return store.shown([store.row(request.id, deleted=request.deleted)])[0]


@performs(contract.finalize)
def finalize(work: Work, request: contract.Finalize) -> TrainedModel:
    """Take the digest over all its files when it is ready for the first time: they stay as they are."""
    store = _store(work)
    row = _writable(work, store, request.id)
    if row.state != request.state:
        values: dict[str, Any] = {"state": request.state, "updated_at": work.now}
        if request.state == "ready" and row.digest is None:
            artifacts = ArtifactStore(work.connection, work.workspace_id)
            files = artifacts.artifacts(place_of_model(request.id))
            values |= {"digest": _digest(files), "files": msgspec.to_builtins(files)}
        store.change(row.id, **values)
        if "digest" in values:
            _announce_trained(work, store.row(request.id))
        elif request.state == "failed":
            work.announce("trained_model.failed", ("trained model", request.id), run=row.run)
    return store.trained(public_id=request.id)[0]


@performs(contract.delete_trained)
def delete_trained(work: Work, request: contract.NameTrainedModel) -> Done:
    """Delete it; its files and the versions made of it stay."""
    store = _store(work)
    row = _writable(work, store, request.id)
    store.change(row.id, deleted_at=work.now, updated_at=work.now)
    work.announce("trained_model.deleted", ("trained model", request.id), run=row.run)
    return Done()


@performs(contract.tag_trained)
def tag_trained(work: Work, request: contract.TagTrained) -> Done:
    """Set tags."""
    store = _store(work)
    row = _writable(work, store, request.id)
    store.put_tags(row.id, request.tags)
    return Done(count=len(request.tags))


@performs(contract.untag_trained)
def untag_trained(work: Work, request: contract.UntagTrained) -> Done:
    """Forget a tag."""
    store = _store(work)
    row = _writable(work, store, request.id)
    if not store.drop_tag(row.id, request.key):
        raise NotFound(f"trained model {request.id} has no tag {request.key!r}", field="key")
    return Done()


@performs(contract.log_trained_params)
def log_trained_params(work: Work, request: contract.LogTrainedParams) -> Done:
    """Add parameters; one that would change is an error."""
    store = _store(work)
    row = _writable(work, store, request.id)
    for key, value in request.params.items():
        if row.params.get(key, value) != value:
            raise Conflict(
                f"parameter {key!r} of trained model {request.id} is {row.params[key]!r} and "
                f"cannot become {value!r}",
                field="params",
            )
    fresh = request.params.keys() - row.params.keys()
    if fresh:
        store.change(row.id, params={**row.params, **request.params}, updated_at=work.now)
    return Done(count=len(fresh))


@performs(contract.link_models)
def link_models(work: Work, request: contract.LinkModels) -> Done:
    """Link what is not linked yet."""
    store = _store(work)
    run = writable(work, _runs(work), request.run)
    count = 0
    for link in request.models:
        key = store.row(link.trained_model).id
        if store.link(run.id, key, link.way, link.step):
            count += 1
            subject = ("trained model", link.trained_model)
            work.announce(
                "trained_model.linked", subject, run=request.run, way=link.way, step=link.step
            )
    return Done(count=count)


@performs(contract.list_links)
def list_links(work: Work, request: contract.NameRunOfModels) -> list[ModelLink]:
    """What the run took in and brought out."""
    run = _runs(work).run(request.run)
    return _store(work).links([run.id])[run.id]


def _writable(work: Work, store: ModelStore, public_id: str) -> Any:
    """The row of a trained model that the actor may change: what a run trained is its author's."""
    row = store.row(public_id)
    if row.run is not None:
        mine(work, _runs(work).run(row.run))
    return row


def _digest(files: list[FileEntry]) -> str:
    return files_digest((file.path, file.digest, file.size) for file in files)


def _announce_trained(work: Work, row: Any) -> None:
    work.announce(
        "model.trained",
        ("trained model", row.public_id),
        run=row.run,
        digest=row.digest,
        engine=row.engine,
    )
