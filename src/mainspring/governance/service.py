"""Deletes that delete: what was deleted long ago goes, with the files that nothing else names.

Two orders keep everything that is referred to, whatever is killed and whenever. What names a file
goes before the file; and a file is forgotten in one transaction, its bytes in a later one, which
looks again whether anybody has it.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from mainspring.core.work import Work, performs
from mainspring.governance import contract
from mainspring.governance.contract import Collected
from mainspring.governance.file_store import FileStore
from mainspring.governance.reference_store import ReferenceStore
from mainspring.governance.retention import (
    GRACE,
    UPLOAD_PATIENCE,
    Position,
    digests_in,
    is_free,
    read_position,
    token_of,
)
from mainspring.governance.store import CollectionStore

CHUNK_S = 0.3
"""A chunk ends at the first page's end after this long: on SQLite everybody else waits for it."""
PAGE = 200
POINTS = 50_000
WINDOW = 2000
PAGES_BACK = 2000
FOLDERS = 256


@dataclass(slots=True)
class Chunk:
    """One chunk of the work, in one transaction."""

    work: Work
    until: dt.datetime
    dry_run: bool
    rows: CollectionStore
    files: FileStore
    references: ReferenceStore
    freed: dict[str, int] = field(default_factory=dict)
    condemned: bool = False
    """Whether bytes wait for the end of this transaction."""

    def count(self, name: str, number: int) -> None:
        """Add to what was freed."""
        if number:
            self.freed[name] = self.freed.get(name, 0) + number

    def let_go(self, gone: Iterable[tuple[str, dt.datetime | None]]) -> None:
        """Condemn those of the files that nothing names now; each with since when it had a name."""
        since: dict[str, dt.datetime | None] = {}
        for digest, named_at in gone:
            known = since.get(digest)
            since[digest] = known if known and (not named_at or named_at < known) else named_at
        left = since.keys() - self.references.named_files(since)
        files = self.files.named(left)
        now = self.work.now
        self.condemn([one for one in files if is_free(one.put_at, since[one.digest], now)])

    def condemn(self, files: list[Any]) -> None:
        """Forget the files here."""
        if files:
            self.files.condemn(files)
            self.condemned = True


@performs(contract.collect)
def collect(work: Work, request: contract.Collect) -> Collected:
    """Go on from where the chunk before ended, until a fraction of a second is over."""
    until = work.now - dt.timedelta(seconds=request.older_than_s)
    place = (work.connection, work.workspace_id)
    chunk = Chunk(
        work=work,
        until=until,
        dry_run=request.dry_run,
        rows=CollectionStore(*place),
        files=FileStore(*place),
        references=ReferenceStore(*place, until),
    )
    start = read_position(request.after)
    if request.dry_run:
        end = _tried(chunk, start)
    else:
        end = _go_on(chunk, start)
        if chunk.freed:
            facts: dict[str, Any] = {**chunk.freed}
            work.announce("storage.collected", ("workspace", work.workspace), **facts)
    return Collected(**chunk.freed, next=token_of(end))


def _tried(chunk: Chunk, start: Position) -> Position | None:
    """Do the same, count, and undo it."""
    with chunk.work.connection.begin_nested() as everything:
        counted = chunk.files.condemned_before() if start != Position() else set()
        end = _go_on(chunk, start)
        chunk.files.settle(counted)
        while _sweep_page(chunk):
            pass
        everything.rollback()
    return end


def _go_on(chunk: Chunk, start: Position) -> Position | None:
    position: Position | None = start
    deadline = time.monotonic() + CHUNK_S
    while position is not None:
        if position.phase == "sweep" and chunk.condemned and not chunk.dry_run:
            break  # bytes go when it is certain that nothing names them
        number = PHASES[position.phase](chunk, position.number)
        position = position.next_phase() if number is None else Position(position.phase, number)
        if time.monotonic() >= deadline:
            break
    return position


def _runs(chunk: Chunk, after: int) -> int | None:
    """The series of a few runs that are collected already, or a page of deleted runs."""
    pending = chunk.rows.collected_runs()
    if chunk.dry_run and after == 0:
        chunk.count("points", chunk.rows.points_of(pending))
    elif pending and not chunk.dry_run:
        chunk.count("points", chunk.rows.erase_series(pending, POINTS))
        return after
    page = chunk.rows.deleted_runs(chunk.until, after, PAGE)
    held = chunk.references.held_runs({run.public_id for run in page})
    free = [run for run in page if run.public_id not in held]
    if free:
        _take_runs(chunk, free)
    return page[-1].id if page else None


def _take_runs(chunk: Chunk, runs: list[Any]) -> None:
    keys = [run.id for run in runs]
    if chunk.dry_run:
        chunk.count("points", chunk.rows.points_of(keys))
    used = chunk.rows.datasets_of(keys)
    chunk.rows.take_runs(runs, chunk.work.now)
    gone = chunk.files.drop_places([f"runs/{run.public_id}" for run in runs])
    taken = chunk.rows.take_datasets(used)
    gone += [(one.file, one.recorded_at) for one in taken if one.file is not None]
    chunk.count("runs", len(runs))
    chunk.count("datasets", len(taken))
    chunk.let_go(gone)


def _models(chunk: Chunk, after: int) -> int | None:
    """A page of deleted trained models."""
    page = chunk.rows.deleted_models(chunk.until, after, PAGE)
    held = chunk.references.held_models({model.public_id for model in page})
    free = [model for model in page if model.public_id not in held]
    if free:
        gone = chunk.files.drop_places([f"models/{model.public_id}" for model in free])
        gone += [(one, model.recorded_at) for model in free for one in digests_in(model.files)]
        chunk.rows.take_models(free)
        chunk.count("trained_models", len(free))
        chunk.let_go(gone)
    return page[-1].id if page else None


def _experiments(chunk: Chunk, _after: int) -> int | None:
    """All deleted experiments that nothing is in any more."""
    empty = chunk.rows.empty_experiments(chunk.until, but_collected=chunk.dry_run)
    if not chunk.dry_run:
        chunk.rows.take_experiments(empty)
    chunk.count("experiments", len(empty))
    return None


def _uploads(chunk: Chunk, _after: int) -> int | None:
    """Uploads in parts that nobody will complete: their files have no name from now on."""
    chunk.files.drop_places(chunk.files.stale_uploads(chunk.work.now - UPLOAD_PATIENCE))
    return None


def _files(chunk: Chunk, after: int) -> int | None:
    """A window of the files that came more than a while ago."""
    loose, last = chunk.files.loose(after, WINDOW, chunk.work.now - GRACE)
    named = chunk.references.named_files({file.digest for file in loose}) if loose else set()
    chunk.condemn([file for file in loose if file.digest not in named])
    return last


def _sweep(chunk: Chunk, _after: int) -> int | None:
    """Delete bytes that an earlier transaction condemned; one that is to be undone counts later."""
    return 0 if not chunk.dry_run and _sweep_page(chunk) else None


def _sweep_page(chunk: Chunk) -> bool:
    """Delete condemned bytes that nobody has and that nobody put since; answers if there were any."""
    page = chunk.files.condemned(PAGE)
    if not page:
        return False
    if not chunk.dry_run:
        chunk.files.hold_uploads()
    owned = chunk.files.owned({file.digest for file in page})
    for file in page:
        stored = None if file.digest in owned else chunk.work.blobs.find(file.digest)
        if stored is not None and stored.put_at <= file.put_by:
            _drop(chunk, file.digest, stored.size)
    chunk.files.settle({file.digest for file in page})
    return True


def _bytes(chunk: Chunk, folder: int) -> int | None:
    """Bytes that no workspace ever had, or that a kill left between the two transactions."""
    before = chunk.work.now - GRACE
    if folder == 0:
        chunk.count("bytes", chunk.work.blobs.torn(before, drop=not chunk.dry_run))
    listed = chunk.work.blobs.listed(f"{folder:02x}")
    old = {one.digest: one.size for one in listed if one.put_at <= before}
    if old:
        if not chunk.dry_run:
            chunk.files.hold_uploads()
        for digest in old.keys() - chunk.files.owned(old) - chunk.files.doomed(old):
            _drop(chunk, digest, old[digest])
    return folder + 1 if folder + 1 < FOLDERS else None


def _drop(chunk: Chunk, digest: str, size: int) -> None:
    if not chunk.dry_run:
        chunk.work.blobs.delete(digest)
    chunk.count("files", 1)
    chunk.count("bytes", size)


def _space(chunk: Chunk, _after: int) -> int | None:
    """Give the pages of the database back that are empty now."""
    return 0 if not chunk.dry_run and chunk.files.give_back(PAGES_BACK) else None


PHASES: dict[str, Callable[[Chunk, int], int | None]] = {
    "runs": _runs,
    "models": _models,
    "experiments": _experiments,
    "uploads": _uploads,
    "files": _files,
    "sweep": _sweep,
    "bytes": _bytes,
    "space": _space,
}
"""What each phase does with a page: answers where its next begins, or None when it is done."""
