"""What is kept of a series, compared with a plain reading of all its points."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.tracking.metric import (
    Bucket,
    PointTuple,
    appended,
    bucket_of,
    decimated,
    extremes_of,
    fold,
    grown,
    halved,
    lower_is_better,
)

VALUES = st.floats(allow_nan=True, allow_infinity=True)
SERIES = st.lists(
    st.tuples(st.integers(-50, 50), st.integers(0, 10**15), VALUES),
    min_size=1,
    max_size=60,
    unique_by=lambda point: point[:2],
).map(sorted)


def numbers(points: list[PointTuple]) -> list[float]:
    return [value for *_, value in points if not math.isnan(value)]


def same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


@given(SERIES, st.data())
def test_a_fold_in_parts_is_the_fold_of_all(points: list[PointTuple], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(points)))
    parts = [part for part in (points[:cut], points[cut:]) if part]
    if data.draw(st.booleans()):
        parts.reverse()  # late points
    found = None
    for part in parts:
        found = fold("auc", part, found)

    assert found is not None
    known = numbers(points) or [math.nan]
    assert found.count == len(points)
    assert same(found.minimum, min(known))
    assert same(found.maximum, max(known))
    assert same(found.best, max(known))
    assert same(found.first, points[0][2])
    assert same(found.last, points[-1][2])
    assert (found.first_place, found.last_place) == (points[0][:2], points[-1][:2])


@pytest.mark.parametrize("key", ["loss", "val_loss", "train/rmse", "error rate", "valid.logloss"])
def test_less_loss_is_better(key: str) -> None:
    assert lower_is_better(key)
    assert fold(key, [(0, 0, 2.0), (1, 1, 1.0), (2, 2, 3.0)]).best == 1.0


@pytest.mark.parametrize("key", ["auc", "accuracy", "glossary", "terror", "val/f1"])
def test_more_of_anything_else_is_better(key: str) -> None:
    assert not lower_is_better(key)


def test_the_first_step_that_reached_the_best_stays() -> None:
    first = fold("auc", [(0, 0, 0.5), (1, 1, 0.9)])

    assert fold("auc", [(2, 2, 0.9)], first).best_step == 1
    assert fold("auc", [(2, 2, 0.95)], first).best_step == 2


def covers(buckets: list[Bucket], points: list[PointTuple]) -> bool:
    known = numbers(points) or [math.nan]
    lows = [one.minimum for one in buckets if not math.isnan(one.minimum)] or [math.nan]
    highs = [one.maximum for one in buckets if not math.isnan(one.maximum)] or [math.nan]
    return (
        sum(one.count for one in buckets) == len(points)
        and same(min(lows), min(known))
        and same(max(highs), max(known))
        and buckets[0].place == points[0][:2]
        and all(a.place < b.place for a, b in pairwise(buckets))
    )


@given(SERIES, st.integers(1, 8), st.data())
def test_buckets_grow_at_the_end(points: list[PointTuple], size: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(points)))
    buckets = appended(points[:cut], size, None)
    if points[cut:]:
        changed = appended(points[cut:], size, buckets[-1])
        kept = buckets[:-1] if changed[0].place == buckets[-1].place else buckets
        buckets = kept + changed

    assert covers(buckets, points)
    assert all(one.count == size for one in buckets[:-1])
    assert covers(halved(buckets), points)


@given(SERIES, st.data())
def test_a_late_point_falls_into_its_bucket(points: list[PointTuple], data: st.DataObject) -> None:
    late = points.pop(data.draw(st.integers(0, len(points) - 1)))
    if not points:
        return
    bucket = grown(bucket_of(points), late)

    assert covers([bucket], sorted([*points, late]))


@given(SERIES, st.integers(4, 30))
def test_decimation_keeps_the_extremes(points: list[PointTuple], most: int) -> None:
    found = decimated(points, most)

    assert len(found) <= most
    if len(points) <= most:
        assert all(same(a[2], b[2]) for a, b in zip(found, points, strict=True))
        return
    assert set(found) <= set(points)
    known = numbers(points)
    if known:
        assert (min(numbers(found)), max(numbers(found))) == (min(known), max(known))
    assert found == sorted(found)


def test_a_bucket_of_nothing_but_nan_shows_nothing() -> None:
    assert extremes_of([bucket_of([(0, 0, math.nan)])], 10) == []
