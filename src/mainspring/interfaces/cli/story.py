"""Events as a story: when, what, of what, by whom, and the few facts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from mainspring.core.event import Event
from mainspring.interfaces.cli.cells import facts_of, short

HEADS = ("#", "when", "data time", "what", "of what, by whom, and the facts")
FACTS = 6
"""As many as fit a line; `--json` tells all."""


def told(events: Sequence[Event]) -> tuple[Sequence[str], list[Sequence[str]]]:
    """The heads and a line for each event; a column of the data's clock only if one has it."""
    lines: list[Sequence[str]] = [_line(event) for event in events]
    if any(event.event_time for event in events):
        return HEADS, lines
    return [*HEADS[:2], *HEADS[3:]], [[*line[:2], *line[3:]] for line in lines]


def _line(event: Event) -> tuple[str, ...]:
    return (
        str(event.sequence),
        short(event.recorded_at),
        _data_time(event.event_time),
        event.kind if event.outcome == "done" else f"{event.kind} ({short(event.outcome)})",
        f"{_subject(event)} by {event.actor}: {_facts(event)}".rstrip(" :"),
    )


def _data_time(moment: dt.datetime | None) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M}" if moment else "-"


def _subject(event: Event) -> str:
    subject = f"{event.subject_kind} {short(event.subject)}"
    about = event.model if event.model and event.model not in event.subject else None
    return f"{subject} of {short(about)}" if about else subject


def _facts(event: Event) -> str:
    known = facts_of(event.facts)
    more = [f"(+{len(known) - FACTS})"] if len(known) > FACTS else []
    return " ".join(known[:FACTS] + more)
