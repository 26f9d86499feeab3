"""Rules of runs: states, metric summaries, digests. Pure, no storage."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mainspring.core.blobs import canonical_json, digest_of

RunStatus = Literal["running", "finished", "failed", "killed", "crashed"]
FINAL: frozenset[str] = frozenset({"finished", "failed", "killed"})
HEARTBEAT_TIMEOUT = dt.timedelta(seconds=60)
"""A running run that was not heard of for this long is `crashed`; a heartbeat makes it run again."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list of runs shows of one metric; NaN points count but have no place in min and max."""

    count: int
    first: float
    last: float
    minimum: float
    maximum: float
    last_step: int


def summarise(values: Sequence[tuple[int, float]], before: Summary | None = None) -> Summary:
    """Fold points (step, value), in the order of their steps, into a summary."""
    summary = before
    for step, value in values:
        if summary is None:
            summary = Summary(1, value, value, value, value, step)
            continue
        later = step >= summary.last_step
        summary = replace(
            summary,
            count=summary.count + 1,
            minimum=_less(summary.minimum, value),
            maximum=-_less(-summary.maximum, -value),
            last=value if later else summary.last,
            last_step=max(step, summary.last_step),
        )
    assert summary is not None
    return summary


def _less(a: float, b: float) -> float:
    if math.isnan(a):
        return b
    return a if math.isnan(b) or a <= b else b


def files_digest(files: Iterable[tuple[str, str, int]]) -> str:
    """The digest of a set of files: SHA-256 of the canonical JSON of (path, digest, size), sorted."""
    return digest_of(canonical_json(sorted(files)))
