"""Numbers, times and spans as people read them in tables of runs."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

DIGITS = 4
"""Significant ones."""
WHOLE_BELOW = 1e9
"""Whole numbers below this are written out."""


def figure(value: float | None) -> str:
    """A number in few digits; whole ones stay whole."""
    if value is None:
        return "-"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == int(value) and abs(value) < WHOLE_BELOW:
        return str(int(value))
    return f"{value:.{DIGITS}g}"


def aligned(figures: Sequence[str]) -> list[str]:
    """Figures below each other by their decimal points."""
    parts = [_split(text) for text in figures]
    before = max((len(head) for head, _ in parts), default=0)
    after = max((len(tail) for _, tail in parts), default=0)
    return [f"{head:>{before}}{tail:<{after}}" for head, tail in parts]


def _split(text: str) -> tuple[str, str]:
    at = text.find(".")
    return (text, "") if at < 0 else (text[:at], text[at:])


def ago(moment: dt.datetime, now: dt.datetime) -> str:
    """How long ago a moment was; one of another year is told by its date."""
    seconds = (now - moment).total_seconds()
    if seconds < 0 or seconds >= 365 * 86_400:
        return f"{moment.astimezone(dt.UTC):%Y-%m-%d}"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"


def span(seconds: float) -> str:
    """A span of time in its two greatest units."""
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = int(seconds)
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86_400:
        return f"{whole // 3_600} h {whole % 3_600 // 60:02} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3_600:02} h"


def size_of(count: int) -> str:
    """A number of bytes."""
    size = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
