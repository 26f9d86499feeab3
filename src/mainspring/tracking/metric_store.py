"""The rows of metrics: folds, points and the roll-ups of long series, on both databases.

Written for the path of `log_metric`: few, tiny, prepared statements.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from sqlalchemy import Connection

from mainspring.tracking.metric import (
    FIRST_BUCKET,
    MAX_BUCKETS,
    ROLL_UP_FROM,
    Bucket,
    Fold,
    Place,
    PointTuple,
    appended,
    decimated,
    extremes_of,
    fold,
    grown,
    halved,
)
from mainspring.tracking.metric_statements import (
    ADD_METRIC,
    ADD_POINT,
    AT_PLACE,
    BUCKET_BEFORE,
    BUCKETS,
    DROP_BUCKET,
    DROP_BUCKETS,
    FOLD,
    FOLDS,
    NEXT_NUMBER,
    POINTS,
    PUT_BUCKET,
    SET_METRIC,
    SPAN,
)

FINE = 20_000
"""Points of a span up to which they are read one by one: a chart zoomed in shows them all."""
FEW = 8
"""Keys up to which metrics are looked up one by one, and not all of the run at once."""
SPILL = 1_000_000
"""Microseconds after a point in which others of its moment are looked for."""
SAME_MS = 1000
"""Points of one step and millisecond are told apart by their microseconds."""

FIRST_PLACE: Place = (-(2**63), -(2**63))
LAST_PLACE: Place = (2**63 - 1, 2**63 - 1)


class MetricRow:
    """One metric of a run as it is stored."""

    __slots__ = ("bucket_size", "fold", "key", "number")

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.key: str = row[0]
        self.number: int = row[1]
        self.fold = Fold(
            count=row[2],
            first=from_column(row[3]),
            last=from_column(row[4]),
            minimum=from_column(row[5]),
            maximum=from_column(row[6]),
            best=from_column(row[7]),
            best_step=row[8],
            first_place=(row[9], row[10]),
            last_place=(row[11], row[12]),
        )
        self.bucket_size: int = row[13]


class _Batch:
    """The rows of one request, written a table at a time."""

    def __init__(self, connection: Connection, run: int) -> None:
        self.next_number: int | None = None
        """The number of the run's next metric, once somebody has asked for it."""
        self._connection = connection
        self._run = run
        self._points: list[tuple[Any, ...]] = []
        self._new: list[tuple[Any, ...]] = []
        self._changed: list[tuple[Any, ...]] = []
        self._written = 0

    def add_points(self, number: int, points: Sequence[PointTuple]) -> None:
        run = self._run
        self._points += [(run, number, step, at, to_column(value)) for step, at, value in points]

    def add_metric(self, key: str, number: int, columns: tuple[Any, ...], *, new: bool) -> None:
        if new:
            self._new.append((self._run, key, number, *columns))
            self.next_number = number + 1
        else:
            self._changed.append((*columns, self._run, key))

    def write_points(self) -> None:
        ADD_POINT.run_many(self._connection, self._points)
        self._written += len(self._points)
        self._points = []

    def write(self) -> int:
        """Write what is left; answers how many points there were in all."""
        self.write_points()
        ADD_METRIC.run_many(self._connection, self._new)
        SET_METRIC.run_many(self._connection, self._changed)
        return self._written


class _Taken:
    """The microseconds of one step that hold a point, and which values follow each without a gap."""

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._values = {at: from_column(value) for at, value in rows}
        self._followers: dict[int, set[float | None]] = {}
        self._free: dict[int, int] = {}

    def place_for(self, at: int, value: float) -> int | None:
        """The first free microsecond from `at` on; None if the value stands before it already."""
        followers = self._followers.setdefault(at, set())
        free = self._free.get(at, at)
        while (known := self._values.get(free)) is not None:
            followers.add(to_column(known))  # no NaN is like another, and None is
            free += 1
        self._free[at] = free
        if to_column(value) in followers:
            return None
        self._values[free] = value
        return free


class _Stretch(NamedTuple):
    """A series, how many points it has now, and how many each of its buckets holds."""

    run: int
    number: int
    points: int
    size: int


class MetricStore:
    """Metrics of runs, by the runs' keys."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def metric(self, run: int, key: str) -> MetricRow | None:
        """One metric of a run, if it has it."""
        row = FOLD.row(self._connection, run, key)
        return None if row is None else MetricRow(row)

    def metrics(self, run: int) -> list[MetricRow]:
        """The metrics of a run, by key."""
        return [MetricRow(row) for row in FOLDS.rows(self._connection, run)]

    def add(self, run: int, series: dict[str, list[PointTuple]]) -> int:
        """Add the points that are not there yet; answers how many those were."""
        known = self._known(run, list(series))
        batch = _Batch(self._connection, run)
        for key, given in series.items():
            before = known.get(key)
            if before is None and batch.next_number is None:
                batch.next_number = self._next_number(run)
            number = before.number if before is not None else batch.next_number
            assert number is not None
            fresh, late = self._fresh(run, number, sorted(given, key=_place), before)
            if not fresh:
                continue
            earlier = before.fold if before is not None else None
            after = _latest(fold(key, fresh, earlier), earlier, fresh)
            size = before.bucket_size if before is not None else 0
            batch.add_points(number, fresh)
            if after.count >= ROLL_UP_FROM:
                batch.write_points()  # a roll-up may read them
                size = self._roll_up(_Stretch(run, number, after.count, size), fresh, late=late)
            batch.add_metric(key, number, _columns(after, size), new=before is None)
        return batch.write()

    def _known(self, run: int, keys: Sequence[str]) -> dict[str, MetricRow]:
        if len(keys) > FEW:
            return {metric.key: metric for metric in self.metrics(run)}
        found = ((key, self.metric(run, key)) for key in keys)
        return {key: metric for key, metric in found if metric is not None}

    def _next_number(self, run: int) -> int:
        row = NEXT_NUMBER.row(self._connection, run)
        assert row is not None
        return int(row[0])

    def _fresh(
        self, run: int, number: int, points: list[PointTuple], before: MetricRow | None
    ) -> tuple[list[PointTuple], bool]:
        """The points that are new, in their order, and whether some come before known ones."""
        late = before is not None and points[0][:2] <= before.fold.last_place
        if late or not _strictly_ordered(points):
            points = self._unknown(run, number, points)
        return points, late

    def _unknown(self, run: int, number: int, points: Sequence[PointTuple]) -> list[PointTuple]:
        """The points that are new. A repeated one has the value that is there already; another value
        at the same step and time is another point, and gets the next free microsecond."""
        fresh: list[PointTuple] = []
        for step, group in groupby(points, key=_step):
            given = list(group)
            span = (given[0][1], given[-1][1] + SPILL)
            taken = _Taken(AT_PLACE.rows(self._connection, run, number, step, *span))
            for _, at, value in given:
                free = taken.place_for(at, value)
                if free is not None:
                    fresh.append((step, free, value))
        fresh.sort(key=_place)
        return fresh

    def _roll_up(self, place: _Stretch, points: list[PointTuple], *, late: bool) -> int:
        """Keep the buckets of a long series; answers the points that a bucket holds now."""
        run, number, count, size = place
        if size == 0:
            every = self.points(run, number, FIRST_PLACE, count)
            size = FIRST_BUCKET
            while count > size * MAX_BUCKETS // 2:
                size *= 2
            self._put_buckets(run, number, appended(every, size, None))
            return size
        if late:
            for point in points:
                self._grow(run, number, point)
        else:
            last = self._bucket_before(run, number, LAST_PLACE)
            self._put_buckets(run, number, appended(points, size, last))
        while count > size * MAX_BUCKETS:
            self._replace_buckets(run, number, halved(self.buckets(run, number)))
            size *= 2
        return size

    def _grow(self, run: int, number: int, point: PointTuple) -> None:
        bucket = self._bucket_before(run, number, point[:2])
        if bucket is None:
            bucket = self.buckets(run, number)[0]
            DROP_BUCKET.run(self._connection, run, number, *bucket.place)
        self._put_buckets(run, number, [grown(bucket, point)])

    def _bucket_before(self, run: int, number: int, place: Place) -> Bucket | None:
        row = BUCKET_BEFORE.row(self._connection, run, number, *place, 1)
        return None if row is None else _bucket(row)

    def buckets(self, run: int, number: int) -> list[Bucket]:
        """The roll-up of a long series."""
        return [_bucket(row) for row in BUCKETS.rows(self._connection, run, number)]

    def _replace_buckets(self, run: int, number: int, buckets: Sequence[Bucket]) -> None:
        DROP_BUCKETS.run(self._connection, run, number)
        self._put_buckets(run, number, buckets)

    def _put_buckets(self, run: int, number: int, buckets: Sequence[Bucket]) -> None:
        rows = [
            (
                run, number, *one.place, one.count,
                to_column(one.minimum), *one.minimum_place,
                to_column(one.maximum), *one.maximum_place,
            )
            for one in buckets
        ]  # fmt: skip
        PUT_BUCKET.run_many(self._connection, rows)

    def points(self, run: int, number: int, after: Place, limit: int) -> list[PointTuple]:
        """Points in the order of their places, after one."""
        rows = POINTS.rows(self._connection, run, number, *after, limit)
        return [row if row[2] is not None else (row[0], row[1], math.nan) for row in rows]

    def sampled(
        self, run: int, metric: MetricRow, steps: tuple[int, int], at_most: int, whole: int = 0
    ) -> list[PointTuple]:
        """At most so many points of a span of steps, the least and greatest of each stretch kept.

        A span of no more than `whole` points comes whole.
        """
        whole = max(whole, at_most)
        if not metric.bucket_size:
            found = self.span(run, metric.number, steps, whole + 1)
            if len(found) > whole:
                found = self.span(run, metric.number, steps, ROLL_UP_FROM)
            return found if len(found) <= whole else decimated(found, at_most)
        inside = _overlapping(self.buckets(run, metric.number), steps)
        if sum(one.count for one in inside) <= max(whole, FINE):
            found = self.span(run, metric.number, steps, FINE + whole)
            return found if len(found) <= whole else decimated(found, at_most)
        found = extremes_of(inside, at_most - 2)
        ends = metric.fold
        around = [(*ends.first_place, ends.first), *found, (*ends.last_place, ends.last)]
        kept = dict.fromkeys(point for point in around if steps[0] <= point[0] <= steps[1])
        return list(kept)

    def span(self, run: int, number: int, steps: tuple[int, int], limit: int) -> list[PointTuple]:
        """The points of a span of steps, both ends included."""
        rows = SPAN.rows(self._connection, run, number, *steps, limit)
        return [(step, at, from_column(value)) for step, at, value in rows]


def _overlapping(buckets: Sequence[Bucket], steps: tuple[int, int]) -> list[Bucket]:
    """The buckets that hold points of the span; the one before its start may reach into it."""
    before = [one for one in buckets if one.place[0] < steps[0]][-1:]
    return before + [one for one in buckets if steps[0] <= one.place[0] <= steps[1]]


def _latest(after: Fold, before: Fold | None, points: Sequence[PointTuple]) -> Fold:
    """Of several values at the last step and millisecond the greatest counts as the last one."""
    step, at = after.last_place
    same = [
        value
        for point_step, point_at, value in points
        if point_step == step and point_at // SAME_MS == at // SAME_MS
    ]
    if before is not None:
        last_step, last_at = before.last_place
        if last_step == step and last_at // SAME_MS == at // SAME_MS:
            same.append(before.last)
    if len(same) < 2:
        return after
    numbers = [value for value in same if not math.isnan(value)]
    return Fold(**{**_fields(after), "last": max(numbers) if numbers else math.nan})


def _columns(after: Fold, size: int) -> tuple[Any, ...]:
    return (
        after.count,
        to_column(after.first),
        to_column(after.last),
        to_column(after.minimum),
        to_column(after.maximum),
        to_column(after.best),
        after.best_step,
        *after.first_place,
        *after.last_place,
        size,
    )


def _fields(one: Fold) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Fold.__slots__}


def _step(point: PointTuple) -> int:
    return point[0]


def _place(point: PointTuple) -> Place:
    return point[:2]


def _strictly_ordered(points: Sequence[PointTuple]) -> bool:
    return all(a[:2] < b[:2] for a, b in pairwise(points))


def _bucket(row: tuple[Any, ...]) -> Bucket:
    return Bucket(
        (row[0], row[1]),
        row[2],
        from_column(row[3]),
        (row[4], row[5]),
        from_column(row[6]),
        (row[7], row[8]),
    )


def to_column(value: float) -> float | None:
    """A value as it is stored: SQLite has no NaN of its own, so NULL stands for it."""
    return None if value != value else value  # noqa: PLR0124


def from_column(value: float | None) -> float:
    """A stored value."""
    return math.nan if value is None else value
