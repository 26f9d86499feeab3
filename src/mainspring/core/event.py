"""What happened, in words; audit, lineage and reactions all read the one log of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, in words: `kind` is `noun.past_participle`."""

    id: str
    sequence: int
    """Its place in the workspace, counted from 1 without gaps."""
    workspace: str
    recorded_at: dt.datetime
    """The server's clock."""
    event_time: dt.datetime | None
    """The data's clock, where there is one."""
    actor_kind: str
    actor: str
    token: str | None
    request_id: str | None
    cause: str | None
    """The event that led to this one."""
    kind: str
    subject_kind: str
    subject: str
    model: str | None
    digest_before: str | None
    digest_after: str | None
    outcome: str
    facts: dict[str, Any]
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What a stage says of an event; who, when and where is added on the way to the log."""

    kind: str
    subject_kind: str
    subject: str
    model: str | None
    facts: Mapping[str, Any]
    event_time: dt.datetime | None = None
    digest_before: str | None = None
    digest_after: str | None = None
    outcome: str = "done"
