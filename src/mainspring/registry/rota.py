"""Who is on call: each of a model's people for a week, in turn. Pure rules, no clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

WEEK = dt.timedelta(days=7)
FIRST_MONDAY = dt.datetime(1970, 1, 5, tzinfo=dt.UTC)


class Turn(NamedTuple):
    """Whose week it is, whose the next one is, and when it begins."""

    person: str
    following: str
    until: dt.datetime


def turn_at(people: Sequence[str], at: dt.datetime) -> Turn | None:
    """The turn at a moment; it changes on Mondays at midnight UTC. None where nobody is on call.

    Counted in weeks since a fixed Monday, so that everybody who asks gets the same answer and nothing
    has to be kept.
    """
    if not people:
        return None
    weeks = (at - FIRST_MONDAY) // WEEK
    person, following = (people[(weeks + more) % len(people)] for more in (0, 1))
    return Turn(person, following, FIRST_MONDAY + (weeks + 1) * WEEK)
