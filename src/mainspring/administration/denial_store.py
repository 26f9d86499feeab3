"""Whose denials were lifted, and by whom, as the log of events remembers it: the row is gone then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from sqlalchemy import Connection

from mainspring.core.event_log import EVENTS, event_table, events_of

LIFTING = ("verb.allowed", "group.left", "group.deleted")
"""What lifts a denial of a person, or one that they had by a group."""


def lifted_by(
    connection: Connection,
    workspace_id: int,
    verb: str,
    hands: Collection[str],
    since: dt.datetime,
) -> set[str]:
    """The people whose denial of a verb one of these hands lifted since then."""
    event = event_table.c
    rows = connection.execute(
        EVENTS.where(
            event.workspace_id == workspace_id,
            event.kind.in_(LIFTING),
            event.recorded_at > since,
        )
    ).all()
    return {
        person
        for told in events_of(connection, rows)
        if told.actor in hands
        for person in told.facts.get("lifted", {}).get(verb, ())
    }
