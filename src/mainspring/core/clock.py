"""The wall clock, read only at the edges; everything below is handed its `now`."""

from __future__ import annotations

import datetime as dt
import time

UTC = dt.UTC
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = dt.timedelta(microseconds=1)


def utc_now() -> dt.datetime:
    """The current time, aware and in UTC."""
    return dt.datetime.fromtimestamp(time.time(), UTC)


def to_micros(moment: dt.datetime) -> int:
    """Integer microseconds UTC, as the database and the wire store a moment."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> dt.datetime:
    """The aware moment of an integer count of microseconds UTC."""
    return EPOCH + dt.timedelta(microseconds=micros)
