"""What a service function is given: one transaction, one actor, one `now`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection

from mainspring.core import event_log, jobs
from mainspring.core.access import Actor
from mainspring.core.blobs import BlobStore
from mainspring.core.checkpoint import Witnessed
from mainspring.core.errors import MainspringError
from mainspring.core.event import KINDS, Announcement
from mainspring.core.ids import new_id
from mainspring.core.operation import Operation

Q = TypeVar("Q")
R = TypeVar("R")


@dataclass(slots=True)
class Work:
    """The transaction of one operation, with who asked and when."""

    connection: Connection
    actor: Actor
    workspace_id: int
    workspace: str
    now: dt.datetime
    request_id: str
    blobs: BlobStore
    """Where bytes are; they are not part of the transaction."""
    checkpoints: Callable[[], Witnessed]
    """Reads the signed checkpoints that there were before the transaction."""
    cause: str | None = None
    """The event that the caller reacts to."""
    jobs_added: int = field(default=0)

    def announce(
        self, kind: str, subject: tuple[str, str], model: str | None = None, **facts: Any
    ) -> str:
        """Log an event of the kind about (kind, id) of the subject; answers the event's id."""
        return self.announce_fully(
            Announcement(
                kind=kind, subject_kind=subject[0], subject=subject[1], model=model, facts=facts
            )
        )

    def refuse(self, operation: str, refusal: MainspringError) -> None:
        """Log that an operation was refused, and why."""
        self.announce_fully(
            Announcement(
                kind="operation.refused",
                subject_kind="operation",
                subject=operation,
                model=None,
                facts={"message": refusal.message, "reasons": refusal.reasons},
                outcome="refused",
            )
        )

    def announce_fully(self, announcement: Announcement) -> str:
        """Log an event that also has an event time, digests or another outcome than done."""
        assert announcement.kind in KINDS, f"{announcement.kind!r} is missing in core/event.py"
        public_id = new_id()
        row = {
            "public_id": public_id,
            "recorded_at": self.now,
            "event_time": announcement.event_time,
            "actor_kind": self.actor.kind,
            "actor": self.actor.referred,
            "token": self.actor.token,
            "request_id": self.request_id,
            "cause": self.cause,
            "kind": announcement.kind,
            "subject_kind": announcement.subject_kind,
            "subject": announcement.subject,
            "model": announcement.model,
            "digest_before": announcement.digest_before,
            "digest_after": announcement.digest_after,
            "outcome": announcement.outcome,
            "facts": dict(announcement.facts),
        }
        key = event_log.append(self.connection, self.workspace_id, row)
        self.jobs_added += jobs.enqueue(
            self.connection, self.workspace_id, key, announcement.kind, self.now
        )
        return public_id


Performer = Callable[[Work, Any], Any]
PERFORMERS: dict[str, Performer] = {}


def performs(
    operation: Operation[Q, R],
) -> Callable[[Callable[[Work, Q], R]], Callable[[Work, Q], R]]:
    """Make the function the one that performs the operation."""

    def register(function: Callable[[Work, Q], R]) -> Callable[[Work, Q], R]:
        assert operation.name not in PERFORMERS, f"{operation.name} has a performer"
        PERFORMERS[operation.name] = function
        return function

    return register
