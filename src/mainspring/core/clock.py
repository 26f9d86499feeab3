"""The wall clock, read only at the edges; everything below is handed its `now`."""

from __future__ import annotations

import datetime as dt
import time

UTC = dt.UTC
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = dt.timedelta(microseconds=1)
FIRST = (dt.datetime.min.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
LAST = (dt.datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND


def utc_now() -> dt.datetime:
    """The current time, aware and in UTC."""
    return dt.datetime.fromtimestamp(time.time(), UTC)


def to_micros(moment: dt.datetime) -> int:
    """Integer microseconds UTC, as the database and the wire store a moment."""
    # In the first and last hours that a datetime can say, another zone's moment has no UTC one.
    return min(max((moment - EPOCH) // MICROSECOND, FIRST), LAST)


def from_micros(micros: int) -> dt.datetime:
    """The aware moment of an integer count of microseconds UTC."""
    return EPOCH + dt.timedelta(microseconds=micros)
