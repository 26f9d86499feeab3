"""When a peer that did not take a delivery is asked again. Pure, no storage, no clock."""

from __future__ import annotations

import datetime as dt

RETRIED = frozenset({429, 500, 502, 503, 504})
"""Statuses that may be another the next time; any other refusal stays one."""
LONGEST = dt.timedelta(seconds=60)
LONGEST_ASKED = dt.timedelta(hours=1)
"""How long a peer may ask us to wait."""


def is_taken(status: int | None) -> bool:
    """Whether the peer has it."""
    return status is not None and 200 <= status < 300


def pause(attempts: int, status: int | None, asked_s: int | None) -> dt.timedelta | None:
    """How long to wait before the next attempt, after so many; None if another makes no sense."""
    if status is not None and status not in RETRIED:
        return None
    waited = min(dt.timedelta(seconds=2 ** min(attempts - 1, 10)), LONGEST)
    if asked_s is None:
        return waited
    return max(waited, min(dt.timedelta(seconds=asked_s), LONGEST_ASKED))


def asked_pause(text: str | None) -> int | None:
    """The seconds of a Retry-After header; the form with a date is passed over."""
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
