"""Series as they are stored: repeated, late, long, and with the values that no column has."""

from __future__ import annotations

import datetime as dt
import math
import random

import pytest
from sqlalchemy import select

from mainspring.app import App
from mainspring.core.clock import from_micros
from mainspring.core.errors import Conflict, Invalid, NotFound
from mainspring.tracking import contract
from mainspring.tracking.contract import (
    DropTag,
    LogRun,
    MetricSummary,
    NameRun,
    Point,
    ReadMetric,
    SampleMetric,
    Series,
    UpdateRun,
    to_number,
)
from mainspring.tracking.metric import MAX_BUCKETS, ROLL_UP_FROM
from mainspring.tracking.metric_store import MetricStore
from mainspring.tracking.tables import run_table
from tests import story
from tests.house import Clients

KEY = "val/auc"
BASE = 1_700_000_000_000_000


@pytest.fixture
def run(clients: Clients) -> str:
    """An open run of the developer."""
    return story.open_run(clients.developer)


def log(clients: Clients, run: str, steps: list[int], values: list[float], key: str = KEY) -> int:
    """Log points, one millisecond a step."""
    at = [BASE + step * 1000 for step in steps]
    wire = [contract.to_wire(value) for value in values]
    one = Series(key=key, steps=steps, at=at, values=wire)
    return clients.developer.call(contract.log_run, LogRun(run=run, series=[one])).count


def summary(clients: Clients, run: str, key: str = KEY) -> MetricSummary:
    """What the run shows of the metric."""
    shown = clients.viewer.call(contract.show_run, NameRun(run=run))
    return next(metric for metric in shown.metrics if metric.key == key)


def values(clients: Clients, run: str, key: str = KEY) -> list[float]:
    """All values, in pages."""
    found: list[float] = []
    after = None
    while True:
        request = ReadMetric(run=run, key=key, limit=1000, after=after)
        page = clients.viewer.call(contract.read_metric, request)
        found += [to_number(point.value) for point in page.items]
        after = page.next
        if after is None:
            return found


@pytest.fixture
def transport() -> str:
    """How the requests come in makes no difference here."""
    return "in process"


def test_every_double_comes_back_as_it_was(clients: Clients, run: str) -> None:
    given = [0.1, 0.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan, 1 / 3]

    log(clients, run, list(range(len(given))), given)

    found = values(clients, run)
    assert [repr(value) for value in found] == [repr(value) for value in given]


def test_a_repeated_batch_adds_nothing(clients: Clients, run: str) -> None:
    steps, given = [1, 2, 3, 3], [0.1, math.nan, 0.3, 0.3]

    assert log(clients, run, steps, given) == 3
    assert log(clients, run, steps, given) == 0
    assert log(clients, run, [3, 4], [0.3, 0.4]) == 1
    assert len(values(clients, run)) == 4
    assert summary(clients, run).count == 4


def test_another_value_at_the_same_moment_is_another_point(clients: Clients, run: str) -> None:
    log(clients, run, [1, 1], [0.5, 0.7])
    log(clients, run, [1], [0.6])
    assert log(clients, run, [1, 1, 1], [0.7, 0.6, 0.5]) == 0

    assert sorted(values(clients, run)) == [0.5, 0.6, 0.7]
    assert summary(clients, run).last == 0.7  # the greatest of the last millisecond


def test_thousands_of_values_of_one_moment_all_stay(clients: Clients, run: str) -> None:
    given = [number / 7 for number in range(2500)]

    for _ in range(2):
        for start in range(0, len(given), 500):
            batch = given[start : start + 500]
            log(clients, run, [0] * len(batch), batch)

    assert sorted(values(clients, run)) == given
    assert summary(clients, run).count == len(given)


def test_the_fold_is_that_of_all_points(clients: Clients, run: str) -> None:
    log(clients, run, [5, 3, 9], [0.5, 0.9, 0.2])
    log(clients, run, [1, 4], [0.7, -1.0])

    found = summary(clients, run)

    assert (found.count, found.first, found.last) == (5, 0.7, 0.2)
    assert (found.minimum, found.maximum, found.best, found.best_step) == (-1.0, 0.9, 0.9, 3)
    assert (found.last_step, found.last_at) == (9, from_micros(BASE + 9000))


def long_series(clients: Clients, run: str, order: list[int]) -> list[float]:
    """Log a long series in the order of the steps given, in batches; answers it by step."""
    chance = random.Random(7)
    given = [chance.gauss(0, 1) for _ in order]
    for start in range(0, len(order), 500):
        steps = order[start : start + 500]
        log(clients, run, steps, [given[step] for step in steps])
    return given


@pytest.mark.parametrize("shuffled", [False, True])
def test_buckets_hold_every_point_of_a_long_series(
    clients: Clients, run: str, app: App, *, shuffled: bool
) -> None:
    order = list(range(3 * ROLL_UP_FROM))
    if shuffled:
        random.Random(1).shuffle(order)
    given = long_series(clients, run, order)
    log(clients, run, order[:700], [given[step] for step in order[:700]])  # again

    with app.database.read() as connection:
        key = connection.execute(
            select(run_table.c.id).where(run_table.c.public_id == run)
        ).scalar_one()
        store = MetricStore(connection)
        metric = store.metric(key, KEY)
        assert metric is not None
        buckets = store.buckets(key, metric.number)

    assert 1 < len(buckets) <= MAX_BUCKETS
    assert sum(bucket.count for bucket in buckets) == len(given) == metric.fold.count
    assert min(bucket.minimum for bucket in buckets) == min(given) == metric.fold.minimum
    assert max(bucket.maximum for bucket in buckets) == max(given) == metric.fold.maximum
    assert values(clients, run) == given


def sample(clients: Clients, run: str, **more: int) -> list[Point]:
    """The series as a chart reads it."""
    request = SampleMetric(run=run, key=KEY, **more)
    return clients.viewer.call(contract.sample_metric, request)


def test_a_chart_shows_every_spike(
    clients: Clients, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.tracking.metric_store.FINE", 0)  # from the buckets alone
    given = long_series(clients, run, list(range(2 * ROLL_UP_FROM)))

    found = sample(clients, run, points=500)

    shown = [to_number(point.value) for point in found]
    assert len(shown) <= 500
    assert (min(shown), max(shown)) == (min(given), max(given))
    assert (found[0].step, found[-1].step) == (0, len(given) - 1)
    assert [point.step for point in found] == sorted(point.step for point in found)
    assert all(given[point.step] == to_number(point.value) for point in found)


def test_a_chart_of_a_span_shows_the_span(clients: Clients, run: str) -> None:
    long_series(clients, run, list(range(2 * ROLL_UP_FROM)))

    found = sample(clients, run, points=1000, start=4000, end=4099)

    assert [point.step for point in found] == list(range(4000, 4100))
    assert len(sample(clients, run, points=4, whole=10_000)) == 2 * ROLL_UP_FROM


def test_columns_of_a_series_are_as_long_as_each_other(clients: Clients, run: str) -> None:
    one = Series(key=KEY, steps=[1, 2], at=[BASE], values=[0.5])

    with pytest.raises(Invalid, match="2 steps, 1 times and 1 values"):
        clients.developer.call(contract.log_run, LogRun(run=run, series=[one]))


def test_a_parameter_stays_and_a_tag_may_change(clients: Clients, run: str) -> None:
    developer = clients.developer
    for _ in range(2):
        developer.call(contract.log_run, LogRun(run=run, params={"depth": "7"}, tags={"a": "1"}))
    developer.call(contract.log_run, LogRun(run=run, tags={"a": "2", "b": "3"}))

    with pytest.raises(Conflict) as caught:
        developer.call(contract.log_run, LogRun(run=run, params={"new": "1", "depth": "8"}))

    assert caught.value.reasons == ["depth", "7", "8"]
    shown = developer.call(contract.show_run, NameRun(run=run))
    assert (shown.params, shown.tags) == ({"depth": "7"}, {"a": "2", "b": "3"})


def test_a_deleted_run_does_not_change_until_it_is_restored(clients: Clients, run: str) -> None:
    developer = clients.developer
    developer.call(contract.delete_run, NameRun(run=run))
    for _ in range(2):  # again does nothing
        with pytest.raises(Conflict, match="deleted"):
            developer.call(contract.log_run, LogRun(run=run, tags={"a": "1"}))
        assert developer.call(contract.list_runs, contract.ListRuns()).items == []
        developer.call(contract.delete_run, NameRun(run=run))

    assert developer.call(contract.restore_run, NameRun(run=run)).deleted_at is None
    assert developer.call(contract.log_run, LogRun(run=run, tags={"a": "1"})).count == 1
    developer.call(contract.drop_tag, DropTag(run=run, key="a"))
    with pytest.raises(NotFound, match="has no tag 'a'"):
        developer.call(contract.drop_tag, DropTag(run=run, key="a"))


def test_a_run_that_ended_may_go_on(clients: Clients, run: str) -> None:
    ended = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    change = UpdateRun(run=run, status="finished", ended_at=ended, name="renamed")

    found = clients.developer.call(contract.update_run, change)
    assert (found.status, found.ended_at, found.name) == ("finished", ended, "renamed")
    assert log(clients, run, [1], [0.5]) == 1  # a late value is no new training

    again = clients.developer.call(contract.update_run, UpdateRun(run=run, status="running"))
    assert (again.status, again.ended_at, again.finished_at) == ("running", None, None)


def test_a_run_goes_on_though_its_client_sends_the_former_end(clients: Clients, run: str) -> None:
    ended = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    clients.developer.call(contract.update_run, UpdateRun(run=run, status="finished"))

    change = UpdateRun(run=run, status="running", ended_at=ended)
    again = clients.developer.call(contract.update_run, change)
    assert (again.status, again.ended_at, again.finished_at) == ("running", ended, None)
