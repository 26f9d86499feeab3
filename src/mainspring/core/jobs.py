"""Reactions to events as leased jobs: written with the event, tried until done, never lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from mainspring.core.database import WORDS, Key, Moment, metadata
from mainspring.core.event import KINDS, Event
from mainspring.core.event_log import EVENTS, event_table, events_of
from mainspring.core.operation import Client

LEASE = dt.timedelta(seconds=60)
"""A job whose owner has not renewed it for this long is due again."""
MAX_ATTEMPTS = 12
BACKOFF = tuple(dt.timedelta(seconds=s) for s in (0.2, 0.5, 1, 2, 5, 15, 30))

Lane = Literal["server", "worker", "training"]
"""Where a reaction runs: quick ones in the server, the others in a child process each lane has."""

job_table = Table(
    "job",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("event_id", Key, ForeignKey("event.id"), nullable=False),
    Column("reaction", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("owner", Text),
    Column("last_error", Text, info=WORDS),
    Column("recorded_at", Moment, nullable=False),
    Index("ix_job_due", "lane", "due_at"),
)

React = Callable[[Client, Event], None]


@dataclass(frozen=True, slots=True)
class Reaction:
    """What happens after an event, as an ordinary caller of operations."""

    name: str
    """Stored with each job: as stable as an event kind."""
    kind: str
    lane: Lane
    function: React | str
    """The function, or `module:function` where importing it would be heavy for the server."""
    when: Callable[[Connection, int], bool] | None = None
    """Asked, for the workspace's key, where a job for nothing would cost more than the question."""


REACTIONS: dict[str, Reaction] = {}


def on(
    kind: str, *, name: str, when: Callable[[Connection, int], bool] | None = None
) -> Callable[[React], React]:
    """Let a quick function follow every event of the kind, in the server's own worker thread."""

    def register(function: React) -> React:
        add_reaction(Reaction(name, kind, "server", function, when))
        return function

    return register


def add_reaction(reaction: Reaction) -> None:
    """Add a reaction; its name must be new, since jobs in the database carry it."""
    assert reaction.kind in KINDS, (
        f"{reaction.name!r} follows {reaction.kind!r}, which nothing logs"
    )
    known = REACTIONS.get(reaction.name)
    assert known is None or known.function == reaction.function, f"{reaction.name!r} exists"
    REACTIONS[reaction.name] = reaction


@dataclass(frozen=True, slots=True)
class Job:
    """One due reaction to one event, claimed by this process."""

    id: int
    reaction: str
    lane: Lane
    attempts: int
    event: Event


def enqueue(
    connection: Connection, workspace_id: int, event_id: int, kind: str, now: dt.datetime
) -> int:
    """Write a job for every reaction that follows the kind; answers how many."""
    rows = [
        {
            "workspace_id": workspace_id,
            "event_id": event_id,
            "reaction": reaction.name,
            "lane": reaction.lane,
            "due_at": now,
            "attempts": 0,
            "recorded_at": now,
        }
        for reaction in REACTIONS.values()
        if reaction.kind == kind
        and (reaction.when is None or reaction.when(connection, workspace_id))
    ]
    if rows:
        connection.execute(insert(job_table), rows)
    return len(rows)


def claim(connection: Connection, lane: Lane, owner: str, now: dt.datetime) -> Job | None:
    """Take the oldest due job of the lane by pushing its due time forward."""
    found = connection.execute(
        select(job_table.c.id, job_table.c.reaction, job_table.c.attempts, job_table.c.event_id)
        .where(job_table.c.lane == lane, job_table.c.due_at <= now)
        .order_by(job_table.c.due_at, job_table.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if found is None:
        return None
    connection.execute(
        update(job_table)
        .where(job_table.c.id == found.id)
        .values(due_at=now + LEASE, owner=owner, attempts=found.attempts + 1)
    )
    row = connection.execute(EVENTS.where(event_table.c.id == found.event_id)).one()
    (event,) = events_of(connection, [row])
    return Job(found.id, found.reaction, lane, found.attempts + 1, event)


def renew(connection: Connection, owner: str, now: dt.datetime) -> None:
    """Keep every job that the owner has claimed."""
    connection.execute(
        update(job_table).where(job_table.c.owner == owner).values(due_at=now + LEASE)
    )


def release_others(connection: Connection, owner: str, now: dt.datetime) -> int:
    """Make the jobs of dead owners due now; only who knows that it is alone may call this."""
    result = connection.execute(
        update(job_table)
        .where(job_table.c.owner.is_not(None), job_table.c.owner != owner)
        .values(due_at=now, owner=None)
    )
    return result.rowcount


def finish(connection: Connection, job_id: int, owner: str) -> None:
    """Remove a job that is done, if it is still the owner's."""
    connection.execute(
        delete(job_table).where(job_table.c.id == job_id, job_table.c.owner == owner)
    )


def retry(connection: Connection, job: Job, owner: str, error: str, now: dt.datetime) -> None:
    """Put a job back that failed, later each time, if it is still the owner's."""
    delay = BACKOFF[min(job.attempts, len(BACKOFF)) - 1]
    connection.execute(
        update(job_table)
        .where(job_table.c.id == job.id, job_table.c.owner == owner)
        .values(due_at=now + delay, owner=None, last_error=error[-4000:])
    )


@contextmanager
def own_reactions() -> Iterator[dict[str, Reaction]]:
    """Add reactions for a while (tests of the queue itself)."""
    before = dict(REACTIONS)
    try:
        yield REACTIONS
    finally:
        REACTIONS.clear()
        REACTIONS.update(before)


def any_due(connection: Connection, lane: Lane, now: dt.datetime) -> bool:
    """Whether the lane has something to do: a look costs less than taking the write lock."""
    query = select(job_table.c.id).where(job_table.c.lane == lane, job_table.c.due_at <= now)
    return connection.execute(query.limit(1)).first() is not None


def any_owned(connection: Connection, owner: str) -> bool:
    """Whether the owner has claimed anything."""
    query = select(job_table.c.id).where(job_table.c.owner == owner)
    return connection.execute(query.limit(1)).first() is not None
