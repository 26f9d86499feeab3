"""Which prediction a label is about, and what is counted of it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from mainspring.core.clock import from_micros
from mainspring.monitoring.coverage import coverage_of
from mainspring.monitoring.joining import LABELS, NEVER, resolve, truth_of

SECOND = 1_000_000
HOUR = dt.timedelta(hours=1)
Made = tuple[str, str | None, int]
Told = tuple[str | None, str | None, int | None, float]


def predictions(*made: Made) -> pa.Table:
    """Request id, entity and second of each, in the order of the log."""
    ids, entities, seconds = zip(*made, strict=True) if made else ((), (), ())
    times = [second * SECOND for second in seconds]
    return pa.table(
        {
            "request_id": pa.array(ids, pa.string()),
            "event_time": pa.array(times, pa.timestamp("us", tz="UTC")),
            "recorded_at": pa.array(times, pa.timestamp("us", tz="UTC")),
            "entity_key": pa.array(entities, pa.string()),
        }
    )


def labels(*told: Told) -> pa.Table:
    """Request id, or entity and second, and value of each, in the order of recording."""
    rows = [
        {
            "id": at,
            "request_id": request_id,
            "entity_key": entity,
            "about": None if second is None else second * SECOND,
            "value": value,
            "event_time": 1000 * SECOND + at,
            "recorded_at": at,
        }
        for at, (request_id, entity, second, value) in enumerate(told)
    ]
    return pa.Table.from_pylist(rows, schema=LABELS)


def found(made: pa.Table, told: pa.Table, horizon: dt.timedelta = HOUR) -> list[str | None]:
    """The request ids that the labels are about."""
    ids = made["request_id"].to_pylist()
    return [ids[place] if place >= 0 else None for place in resolve(made, told, horizon)]


def test_a_label_by_entity_is_about_the_latest_prediction_at_or_before_its_time() -> None:
    made = predictions(
        ("x1", "x", 10), ("y1", "y", 15), ("x2", "x", 20), ("none", None, 21), ("x3", "x", 30)
    )
    told = labels(
        *((None, "x", second, 1.0) for second in (9, 10, 19, 20, 29, 31)),
        (None, "y", 31, 1.0),
        (None, "z", 31, 1.0),
    )

    assert found(made, told) == [None, "x1", "x1", "x2", "x2", "x3", "y1", None]


def test_a_prediction_older_than_the_horizon_is_not_meant() -> None:
    made = predictions(("x1", "x", 0))
    told = labels((None, "x", 3600, 1.0), (None, "x", 3601, 1.0))

    assert found(made, told) == ["x1", None]
    assert found(made, told, dt.timedelta(0)) == [None, None]


def test_of_two_predictions_at_the_same_moment_the_last_recorded_is_meant() -> None:
    made = predictions(("a", "x", 10), ("b", "x", 10), ("c", "x", 10))
    told = labels((None, "x", 10, 1.0))
    recorded = pa.array([1, 3, 2], pa.timestamp("us", tz="UTC"))

    assert found(made, told) == ["c"]
    assert found(made.set_column(2, "recorded_at", recorded), told) == ["b"]


def test_a_label_by_request_id_finds_its_prediction_whenever_it_was_made() -> None:
    made = predictions(("a", "x", 10), ("b", None, 20))

    told = labels(("b", None, None, 1.0), ("c", None, None, 1.0), ("a", None, None, 1.0))
    assert found(made, told) == ["b", None, "a"]


def test_a_log_without_entities_or_without_rows_is_joined_too() -> None:
    told = labels(("a", None, None, 1.0), (None, "x", 10, 1.0))
    made = predictions(("a", None, 10))
    nulls = made.set_column(3, "entity_key", pa.nulls(1))

    assert found(predictions(), told) == [None, None]
    assert found(made, told) == ["a", None]
    assert found(nulls, told) == ["a", None]


def test_of_several_labels_of_a_prediction_the_one_recorded_last_counts() -> None:
    made = predictions(("a", "x", 10), ("b", "x", 20))
    told = labels(("a", None, None, 1.0), (None, "x", 11, 2.0), (None, "x", 12, 3.0))

    truth = truth_of(2, resolve(made, told, HOUR), told)

    assert truth.value[0] == 3.0
    assert np.isnan(truth.value[1])
    assert truth.known_at.tolist() == [1000 * SECOND + 2, NEVER]


def test_an_as_of_join_agrees_with_looking_at_every_pair() -> None:
    generator = np.random.default_rng(7)
    made = predictions(
        *(
            (f"p{at:03}", f"e{generator.integers(8)}", int(second))
            for at, second in enumerate(np.sort(generator.integers(0, 500, 300)))
        )
    )
    told = labels(
        *(
            (None, f"e{generator.integers(10)}", int(generator.integers(0, 600)), 1.0)
            for _ in range(400)
        )
    )
    horizon = dt.timedelta(seconds=40)

    def by_looking(entity: str, about: int) -> str | None:
        best = [
            row["request_id"]
            for row in made.to_pylist()
            if row["entity_key"] == entity
            and dt.timedelta(0) <= from_micros(about) - row["event_time"] <= horizon
        ]
        return best[-1] if best else None

    wanted = [by_looking(row["entity_key"], row["about"]) for row in told.to_pylist()]
    assert found(made, told, horizon) == wanted
    assert {None} < set(wanted)


@pytest.mark.parametrize(("at", "pending", "missing"), [(100, 2, 0), (105, 1, 1), (999, 0, 2)])
def test_what_never_came_is_missing_after_its_deadline(at: int, pending: int, missing: int) -> None:
    times = np.array([0, 10, 40, 95]) * SECOND
    known_at = np.array([30 * SECOND, NEVER, 100 * SECOND, NEVER])

    found = coverage_of(times, known_at, from_micros(at * SECOND), dt.timedelta(seconds=90))

    assert (found.predictions, found.labelled, found.share) == (4, 2, 0.5)
    assert (found.pending, found.missing) == (pending, missing)
    assert found.median_delay_s == 45.0


def test_no_predictions_have_no_share() -> None:
    nothing = np.zeros(0, np.int64)

    found = coverage_of(nothing, nothing, from_micros(0), HOUR)

    assert (found.predictions, found.share, found.median_delay_s) == (0, None, None)
