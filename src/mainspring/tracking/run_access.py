"""Who may write into a run, and what writing does to it; every service of tracking asks here."""

from __future__ import annotations

from typing import Any

from mainspring.administration.store import AdministrationStore
from mainspring.core.errors import Conflict, Forbidden, NotFound
from mainspring.core.work import Work
from mainspring.tracking.run import FINAL
from mainspring.tracking.store import TrackingStore


def writable(work: Work, store: TrackingStore, public_id: str) -> Any:
    """The row of a run that the actor may write into; one that has ended takes late facts too."""
    run = mine(work, store.run(public_id))
    not_deleted(run)
    return run


def not_deleted(run: Any) -> None:
    """Refuse to change what was deleted."""
    if run.deleted_at is not None:
        raise Conflict(
            f"run {run.public_id} is deleted and does not change",
            field="run",
            fix="restore it first",
        )


def still_open(work: Work, store: TrackingStore, public_id: str) -> Any:
    """The row of a run that the actor may write into and that has not ended."""
    run = writable(work, store, public_id)
    if run.status in FINAL:
        raise Conflict(
            f"run {public_id} is {run.status}; nothing can be logged to it any more", field="run"
        )
    return run


def mine(work: Work, run: Any) -> Any:
    """Who trained a model must be known: nobody writes into the run of another."""
    if (run.author_kind, run.author) != (work.actor.kind, work.actor.name):
        raise Forbidden(
            f"run {run.public_id} is {run.author!r}'s, and {work.actor.name!r} may not write into it",
            field="run",
            fix="open a run of your own",
        )
    return run


def alive(work: Work, store: TrackingStore, run: Any) -> None:
    """The run was heard of; one that counted as crashed runs again."""
    if run.status in FINAL or not run.watched:
        return
    store.update_run(run.id, status="running", heartbeat_at=work.now)
    if run.status == "crashed":
        work.announce("run.resumed", ("run", run.public_id))


def stored(work: Work, field: str, *digests: str) -> None:
    """Refuse to name bytes that this workspace does not have: another may, and they are not ours."""
    missing = AdministrationStore(work.connection, work.workspace_id).missing_files(digests)
    if missing:
        raise NotFound(
            f"this workspace has no file {missing[0]}", field=field, fix="upload it first"
        )
