"""Files are put under paths, listed, removed; their bytes stay as long as anything names them."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.administration.store import AdministrationStore
from mainspring.core.errors import Conflict, NotFound
from mainspring.core.event import Announcement
from mainspring.core.operation import Done, Page
from mainspring.core.work import Work, performs
from mainspring.tracking import artifact_contract as contract
from mainspring.tracking.artifact_contract import Artifact
from mainspring.tracking.artifact_store import ArtifactStore, place_of_run
from mainspring.tracking.contract import FileEntry
from mainspring.tracking.model_store import ModelStore
from mainspring.tracking.run import files_digest
from mainspring.tracking.run_access import mine, still_open, stored, writable
from mainspring.tracking.store import TrackingStore

SUBJECTS = {"runs": "run", "models": "trained model"}
"""What the events about a place's files are about; the files of other places are their own subject."""


def _store(work: Work) -> ArtifactStore:
    return ArtifactStore(work.connection, work.workspace_id)


def _runs(work: Work) -> TrackingStore:
    return TrackingStore(work.connection, work.workspace_id)


def _models(work: Work) -> ModelStore:
    return ModelStore(work.connection, work.workspace_id)


@performs(contract.log_artifact)
def log_artifact(work: Work, request: contract.LogArtifact) -> FileEntry:
    """Link the file; the same path keeps its content."""
    still_open(work, _runs(work), request.run)
    stored(work, "file", request.file.digest)
    place = place_of_run(request.run)
    known = _store(work).find(place, request.file.path)
    if known is not None and known.digest != request.file.digest:
        raise Conflict(
            f"run {request.run} already has another file at {request.file.path!r}", field="file"
        )
    return _put(work, place, request.file, known)


@performs(contract.put_artifact)
def put_artifact(work: Work, request: contract.PutArtifact) -> FileEntry:
    """Put a file of this workspace under the path."""
    _may_write(work, request.place)
    stored(work, "file", request.file.digest)
    known = _store(work).find(request.place, request.file.path)
    return _put(work, request.place, request.file, known)


@performs(contract.receive_artifact)
def receive_artifact(work: Work, request: contract.PutArtifact) -> FileEntry:
    """Name the bytes that have just come, and put them under the path."""
    _may_write(work, request.place)
    file = request.file
    AdministrationStore(work.connection, work.workspace_id).record_file(
        file.digest, file.size, work.now
    )
    return _put(work, request.place, file, _store(work).find(request.place, file.path))


@performs(contract.list_artifacts)
def list_artifacts(work: Work, request: contract.ListArtifacts) -> Page[Artifact]:
    """A page of what is in the folder."""
    _owner(work, request.place)
    items, after = _store(work).folder(request.place, request.path, request.after, request.limit)
    return Page(items=items, next=after)


@performs(contract.show_artifact)
def show_artifact(work: Work, request: contract.NameArtifact) -> FileEntry:
    """One file."""
    _owner(work, request.place)
    found = _store(work).find(request.place, request.path)
    if found is None:
        raise NotFound(f"no file at {request.path!r} in {request.place}", field="path")
    return found


@performs(contract.remove_artifacts)
def remove_artifacts(work: Work, request: contract.RemoveArtifacts) -> Done:
    """Forget the paths; what is not there is gone already."""
    owner = _may_write(work, request.place)
    _not_frozen(work, request.place, request.path, owner)
    count = _store(work).remove(request.place, request.path)
    _renew_digest(work, owner, request.place)
    if count and not request.place.startswith("uploads/"):
        subject = _subject(request.place, request.path)
        work.announce("artifact.removed", subject, path=request.path, files=count)
    return Done(count=count)


def _put(work: Work, place: str, file: FileEntry, known: FileEntry | None) -> FileEntry:
    if known is not None and known.digest == file.digest:
        return known
    store = _store(work)
    kind = place.partition("/")[0]
    owner = _owner(work, place)
    _not_frozen(work, place, file.path, owner)
    way = store.in_the_way(place, file.path)
    if way is not None:
        what = "a folder" if way == file.path else "a file"
        raise Conflict(f"{way!r} in {place} is {what}", field="file")
    store.put(place, file, work.now)
    _renew_digest(work, owner, place)
    if kind != "uploads":
        replaced = None if known is None else known.digest
        facts = {"path": file.path, "file": file.digest, "replaced": replaced}
        work.announce("artifact.linked", _subject(place, file.path), **facts)
    return file


def _owner(work: Work, place: str) -> Any:
    """The row that a place belongs to, or None where it is nobody's."""
    kind, _, owner = place.partition("/")
    if kind == "runs":
        row = _runs(work).find_run(owner)
    elif kind == "models":
        row = _models(work).find(owner, deleted=True)
    else:
        return None
    if row is None:
        raise NotFound(f"no {SUBJECTS[kind]} {owner!r} in this workspace", field="place")
    return row


def _may_write(work: Work, place: str) -> Any:
    """The row that a place belongs to; what a run left behind is its author's."""
    row = _owner(work, place)
    if place.startswith("runs/"):
        writable(work, _runs(work), row.public_id)
    elif place.startswith("models/") and row.run is not None:
        mine(work, _runs(work).run(row.run))
    return row


def _not_frozen(work: Work, place: str, path: str, owner: Any) -> None:
    """What a version was made of stays as it is, and so does a model that an engine of ours loads."""
    if place.startswith("models/") and owner.digest is not None and owner.engine:
        raise Conflict(
            f"trained model {owner.public_id} is ready and its files do not change",
            field="place",
            fix="log another model",
        )
    frozen = _store(work).frozen(place, path)
    if frozen is not None:
        raise Conflict(
            f"a registered version was made of {frozen!r} in {place}, which therefore stays as it is",
            field="path",
            fix="log it under another path, or log another model",
        )


def _renew_digest(work: Work, owner: Any, place: str) -> None:
    """Another tool may mend a model that is ready but not registered: its digest tells of it."""
    if not place.startswith("models/") or owner.digest is None:
        return
    files = _store(work).artifacts(place)
    digest = files_digest((file.path, file.digest, file.size) for file in files)
    values = {"digest": digest, "files": msgspec.to_builtins(files), "updated_at": work.now}
    _models(work).change(owner.id, **values)
    work.announce_fully(
        Announcement(
            kind="model.trained",
            subject_kind="trained model",
            subject=owner.public_id,
            model=None,
            facts={"run": owner.run, "engine": owner.engine},
            digest_before=owner.digest,
            digest_after=digest,
        )
    )


def _subject(place: str, path: str) -> tuple[str, str]:
    kind, _, owner = place.partition("/")
    return (SUBJECTS[kind], owner) if kind in SUBJECTS else ("file", path)
