"""Rules of metrics: what is kept of a series as its points arrive. Pure, no storage.

A place is (step, time in microseconds); the points of a series are kept in the order of their places.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

Place = tuple[int, int]
"""Step, and time in microseconds UTC."""
PointTuple = tuple[int, int, float]
"""Step, time in microseconds UTC, value."""

ROLL_UP_FROM = 4096
"""Points from which on a series has buckets; shorter ones are read point by point."""
FIRST_BUCKET = 8
"""Points a bucket when a series gets its first ones."""
MAX_BUCKETS = 2048
"""Buckets of a series; when there would be more, neighbours are merged and hold twice as many."""

_LOWER = re.compile(
    r"(^|[^a-z])(loss|error|err|cost|penalty|perplexity|regret|latency|duration|rmse|rmsle|mse|mae|"
    r"mape|smape|wape|mase|logloss|log_loss|brier|deviance|hinge|crossentropy|cross_entropy|wer|cer|"
    r"fid|ece|eer|fpr|fnr)([^a-z]|$)"
)


def lower_is_better(key: str) -> bool:
    """Whether the best value of a metric is its smallest, by the words of its name."""
    return _LOWER.search(key.lower()) is not None


@dataclass(frozen=True, slots=True)
class Fold:
    """All that a list of runs shows of one metric. NaN points count, and are never least or most."""

    count: int
    first: float
    last: float
    minimum: float
    maximum: float
    best: float
    best_step: int
    first_place: Place
    last_place: Place


def fold(key: str, points: Sequence[PointTuple], before: Fold | None = None) -> Fold:
    """Fold fresh points, in the order of their places, into what was known before."""
    values = [value for _, _, value in points]
    least, most = _extremes(values)
    better = min if lower_is_better(key) else max
    best_value = least if better is min else most
    head, tail = points[0], points[-1]
    if before is None:
        return Fold(
            count=len(points),
            first=head[2],
            last=tail[2],
            minimum=least,
            maximum=most,
            best=best_value,
            best_step=_step_of(best_value, points),
            first_place=head[:2],
            last_place=tail[:2],
        )
    earlier, later = head[:2] < before.first_place, tail[:2] >= before.last_place
    best = _chosen(better, before.best, best_value)
    return Fold(
        count=before.count + len(points),
        first=head[2] if earlier else before.first,
        last=tail[2] if later else before.last,
        minimum=_chosen(min, before.minimum, least),
        maximum=_chosen(max, before.maximum, most),
        best=best,
        # The first step that reached it stays: later ties are no improvement.
        best_step=before.best_step if best == before.best else _step_of(best, points),
        first_place=head[:2] if earlier else before.first_place,
        last_place=tail[:2] if later else before.last_place,
    )


def _extremes(values: Sequence[float]) -> tuple[float, float]:
    least, most = min(values), max(values)
    # NaN compares with nothing: it may have hidden others. Opposite infinities sum to NaN as well.
    if math.isnan(sum(values)):
        numbers = [value for value in values if not math.isnan(value)] or [math.nan]
        return min(numbers), max(numbers)
    return least, most


def _step_of(value: float, points: Sequence[PointTuple]) -> int:
    return next((step for step, _, found in points if found == value), points[0][0])


def _chosen(better: object, a: float, b: float) -> float:
    if math.isnan(a):
        return b
    if math.isnan(b):
        return a
    return min(a, b) if better is min else max(a, b)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stretch of a long series: how many points it holds, its least and its greatest."""

    place: Place
    """Of its first point; it reaches to the next bucket's."""
    count: int
    minimum: float
    minimum_place: Place
    maximum: float
    maximum_place: Place


def bucket_of(points: Sequence[PointTuple]) -> Bucket:
    """One bucket of some points in their order."""
    values = [value for _, _, value in points]
    least, most = _extremes(values)
    low = next((point for point in points if point[2] == least), points[0])
    high = next((point for point in points if point[2] == most), points[0])
    return Bucket(points[0][:2], len(points), least, low[:2], most, high[:2])


def merged(a: Bucket, b: Bucket) -> Bucket:
    """One bucket of two neighbours, the earlier first."""
    low = b if _is_less(b.minimum, a.minimum) else a
    high = b if _is_less(-b.maximum, -a.maximum) else a
    return Bucket(
        min(a.place, b.place),
        a.count + b.count,
        low.minimum,
        low.minimum_place,
        high.maximum,
        high.maximum_place,
    )


def _is_less(a: float, b: float) -> bool:
    return not math.isnan(a) and (math.isnan(b) or a < b)


def appended(points: Sequence[PointTuple], size: int, last: Bucket | None) -> list[Bucket]:
    """The buckets that change when points are added at the end: the last one grows to its size."""
    changed: list[Bucket] = []
    start = 0
    if last is not None and last.count < size:
        start = min(size - last.count, len(points))
        changed.append(merged(last, bucket_of(points[:start])))
    stretches = range(start, len(points), size)
    return changed + [bucket_of(points[at : at + size]) for at in stretches]


def halved(buckets: Sequence[Bucket]) -> list[Bucket]:
    """Neighbours merged two by two."""
    pairs = [merged(a, b) for a, b in zip(buckets[::2], buckets[1::2], strict=False)]
    return pairs + list(buckets[-1:] if len(buckets) % 2 else [])


def grown(bucket: Bucket, point: PointTuple) -> Bucket:
    """The bucket with a late point more; it may begin earlier then."""
    return (
        merged(bucket, bucket_of([point]))
        if point[:2] >= bucket.place
        else replace(merged(bucket_of([point]), bucket), place=point[:2])
    )


def extremes_of(buckets: Iterable[Bucket], at_most: int) -> list[PointTuple]:
    """At most so many points of the buckets, in their order: the least and the greatest of each group.

    Min-max decimation keeps every spike that a chart could show (Jugel et al., M4, VLDB 2014).
    """
    kept = [bucket for bucket in buckets if not math.isnan(bucket.minimum)]
    groups = max(1, at_most // 2)
    size = max(1, -(-len(kept) // groups))
    found: list[PointTuple] = []
    for start in range(0, len(kept), size):
        whole = kept[start]
        for bucket in kept[start + 1 : start + size]:
            whole = merged(whole, bucket)
        low = (*whole.minimum_place, whole.minimum)
        high = (*whole.maximum_place, whole.maximum)
        found += [low] if low == high else sorted((low, high))
    return found


def decimated(points: Sequence[PointTuple], at_most: int) -> list[PointTuple]:
    """At most so many of the points, with the least and the greatest of every stretch."""
    if len(points) <= at_most:
        return list(points)
    size = -(-len(points) // max(1, at_most // 2))
    return extremes_of(
        (bucket_of(points[at : at + size]) for at in range(0, len(points), size)), at_most
    )
