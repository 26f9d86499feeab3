"""Runs and what they leave behind, on both databases and both clients."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from mainspring.app import App
from mainspring.core.clock import EPOCH
from mainspring.core.errors import Conflict, Invalid, NotFound
from mainspring.core.ids import new_id
from mainspring.core.operation import FileClient, Request
from mainspring.tracking import contract
from mainspring.tracking.contract import (
    FinishRun,
    ListRuns,
    LogRun,
    MetricSummary,
    NameRun,
    OpenRun,
    Point,
    ReadMetric,
    Run,
    RunRow,
    Value,
)
from tests import story
from tests.house import Clients, Clock, at_once, local_client

KEY = "val/auc"


@pytest.fixture
def run(clients: Clients) -> str:
    """An open run of the developer."""
    return story.open_run(clients.developer)


def show(clients: Clients, run: str) -> Run:
    return clients.viewer.call(contract.show_run, NameRun(run=run))


def log(client: FileClient, run: str, *points: Point, **texts: dict[str, str]) -> int:
    request = LogRun(run=run, points=list(points), **texts)  # type: ignore[arg-type]
    return client.call(contract.log_run, request).count


def at(value: Value, step: int = 0, seconds: float = 0, key: str = KEY) -> Point:
    return Point(key=key, value=value, step=step, at=EPOCH + dt.timedelta(seconds=seconds))


def read(clients: Clients, run: str, **more: object) -> list[Point]:
    request = ReadMetric(run=run, key=KEY, **more)  # type: ignore[arg-type]
    return clients.viewer.call(contract.read_metric, request).items


def summary(clients: Clients, run: str) -> MetricSummary:
    (found,) = show(clients, run).metrics
    return found


def listed(clients: Clients, **filters: object) -> list[RunRow]:
    request = ListRuns(**filters)  # type: ignore[arg-type]
    return clients.viewer.call(contract.list_runs, request).items


def test_an_open_run_is_running(clients: Clients, run: str) -> None:
    found = show(clients, run)

    assert (found.status, found.author, found.author_kind) == ("running", "dora", "person")
    assert found.attested


def test_a_run_keeps_what_it_was_opened_with(clients: Clients) -> None:
    config = {"depth": 7, "nested": {"list": [1, None, "x"]}, "huge": 2**70}
    run = story.open_run(clients.developer, config=config, name="first", experiment="delays")

    found = show(clients, run)

    assert (found.config, found.name, found.experiment) == (config, "first", "delays")


def test_opening_twice_opens_one_run(clients: Clients) -> None:
    request = OpenRun(id=new_id())
    clients.developer.call(contract.open_run, request)
    clients.developer.call(contract.open_run, request)

    assert len(listed(clients)) == 1


def test_a_run_of_somebody_else_cannot_be_opened(clients: Clients, run: str) -> None:
    with pytest.raises(Conflict, match="opened by somebody else"):
        clients.admin.call(contract.open_run, OpenRun(id=run))


def test_an_unknown_run_is_not_found(clients: Clients) -> None:
    with pytest.raises(NotFound) as caught:
        show(clients, new_id())
    assert caught.value.field == "run"


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", 5e-324, 1.7976931348623157e308, 0.1 + 0.2]
)
def test_a_value_is_kept_exactly(clients: Clients, run: str, value: Value) -> None:
    log(clients.developer, run, at(value))

    assert repr(read(clients, run)[0].value) == repr(value)


def test_points_come_in_the_order_of_their_steps(clients: Clients, run: str) -> None:
    log(clients.developer, run, at(0.2, 2), at(0.0, 0), at(0.1, 1))

    assert [point.step for point in read(clients, run)] == [0, 1, 2]


def test_points_sent_again_add_nothing(clients: Clients, run: str) -> None:
    points = [at(0.1, 1), at(0.2, 2)]
    assert log(clients.developer, run, *points) == 2

    assert log(clients.developer, run, *points) == 0
    assert (len(read(clients, run)), summary(clients, run).count) == (2, 2)


def test_several_values_of_one_moment_all_stay(clients: Clients, run: str) -> None:
    log(clients.developer, run, at(0.1), at(0.9))
    log(clients.developer, run, at(0.5))
    log(clients.developer, run, at(0.9), at(0.1), at(0.5))

    assert [point.value for point in read(clients, run)] == [0.1, 0.9, 0.5]


def test_a_batch_may_repeat_some_points(clients: Clients, run: str) -> None:
    log(clients.developer, run, *(at(step / 10, step) for step in range(5)))

    assert log(clients.developer, run, *(at(step / 10, step) for step in range(3, 8))) == 3
    assert summary(clients, run).count == 8


def test_a_summary_tells_the_metric_at_a_glance(clients: Clients, run: str) -> None:
    log(clients.developer, run, at(0.3, 0), at("NaN", 1))
    log(clients.developer, run, at(0.1, 2), at(0.2, 3))

    assert summary(clients, run) == MetricSummary(
        key=KEY,
        count=4,
        first=0.3,
        last=0.2,
        minimum=0.1,
        maximum=0.3,
        best=0.3,
        best_step=0,
        last_step=3,
        last_at=EPOCH,
    )


def test_pages_of_points_tell_all_of_them_once(clients: Clients, run: str) -> None:
    points = [at(step / 10, step, seconds) for step in (-3, 0, 4) for seconds in (-1.5, 2.5)]
    log(clients.developer, run, *points)
    found: list[Point] = []

    page = clients.viewer.call(contract.read_metric, ReadMetric(run=run, key=KEY, limit=3))
    found += page.items
    request = ReadMetric(run=run, key=KEY, limit=3, after=page.next)
    found += clients.viewer.call(contract.read_metric, request).items

    assert found == points


@pytest.mark.parametrize(
    "moment",
    [
        dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=10))),
        dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-10))),
    ],
)
def test_moments_at_the_ends_of_time_can_be_read_back(
    clients: Clients, run: str, moment: dt.datetime
) -> None:
    log(clients.developer, run, Point(key=KEY, value=1.0, at=moment))

    assert len(read(clients, run)) == 1


def test_a_moment_without_a_zone_is_refused(clients: Clients, run: str) -> None:
    naive = Point(key=KEY, value=1.0, at=dt.datetime(2013, 1, 1))  # noqa: DTZ001

    with pytest.raises(Invalid) as caught:
        log(clients.developer, run, naive)
    assert caught.value.field == "points[0].at"


def test_a_metric_that_was_not_logged_is_not_found(clients: Clients, run: str) -> None:
    with pytest.raises(NotFound) as caught:
        read(clients, run)
    assert caught.value.field == "key"


def test_parameters_do_not_change(clients: Clients, run: str) -> None:
    log(clients.developer, run, params={"depth": "7"})

    with pytest.raises(Conflict, match="is '7' and cannot become '8'"):
        log(clients.developer, run, params={"depth": "8"})
    assert show(clients, run).params == {"depth": "7"}


def test_a_refused_parameter_takes_its_batch_with_it(clients: Clients, run: str) -> None:
    log(clients.developer, run, params={"depth": "7"})

    with pytest.raises(Conflict):
        log(clients.developer, run, at(1.0), params={"rate": "1", "depth": "8"})
    assert (show(clients, run).metrics, show(clients, run).params) == ([], {"depth": "7"})


def test_tags_may_change(clients: Clients, run: str) -> None:
    log(clients.developer, run, tags={"note": "first"})
    log(clients.developer, run, tags={"note": "second"})

    assert show(clients, run).tags == {"note": "second"}


def test_a_finished_run_takes_late_values_and_stays_finished(clients: Clients, run: str) -> None:
    clients.developer.call(contract.finish_run, FinishRun(run=run))

    assert log(clients.developer, run, at(1.0)) == 1
    assert show(clients, run).status == "finished"


def test_a_run_ends_in_one_way(clients: Clients, run: str) -> None:
    clients.developer.call(contract.finish_run, FinishRun(run=run, status="failed"))

    with pytest.raises(Conflict, match="is failed and cannot become finished"):
        clients.developer.call(contract.finish_run, FinishRun(run=run))


def test_a_silent_run_crashes(clients: Clients, run: str, clock: Clock) -> None:
    clock.advance(seconds=61)

    assert clients.service.call(contract.sweep_runs, Request()).count == 1
    assert show(clients, run).status == "crashed"


def test_a_run_that_is_heard_of_does_not_crash(clients: Clients, run: str, clock: Clock) -> None:
    clock.advance(seconds=40)
    clients.developer.call(contract.beat, NameRun(run=run))
    clock.advance(seconds=40)

    assert clients.service.call(contract.sweep_runs, Request()).count == 0


SIGNS: dict[str, Callable[[FileClient, str], object]] = {
    "heartbeat": lambda client, run: client.call(contract.beat, NameRun(run=run)),
    "point": lambda client, run: log(client, run, at(1.0)),
    "opening": lambda client, run: client.call(contract.open_run, OpenRun(id=run)),
}


@pytest.mark.parametrize("sign", sorted(SIGNS))
def test_a_crashed_run_that_comes_back_resumes(
    clients: Clients, run: str, clock: Clock, sign: str
) -> None:
    clock.advance(seconds=61)
    clients.service.call(contract.sweep_runs, Request())

    SIGNS[sign](clients.developer, run)

    assert show(clients, run).status == "running"
    assert story.kinds(clients.viewer)[-2:] == ["run.crashed", "run.resumed"]


def test_a_finished_run_does_not_crash(clients: Clients, run: str, clock: Clock) -> None:
    clients.developer.call(contract.finish_run, FinishRun(run=run))
    clock.advance(days=1)

    assert clients.service.call(contract.sweep_runs, Request()).count == 0


def test_runs_are_listed_newest_first(clients: Clients) -> None:
    runs = [story.open_run(clients.developer) for _ in range(3)]

    assert [row.id for row in listed(clients)] == runs[::-1]


def test_runs_are_listed_by_experiment_and_status(clients: Clients) -> None:
    story.open_run(clients.developer)
    wanted = story.open_run(clients.developer, experiment="delays")

    assert [row.id for row in listed(clients, experiment="delays", status="running")] == [wanted]
    assert listed(clients, experiment="delays", status="failed") == []


def test_an_experiment_named_null_is_an_experiment(clients: Clients, run: str) -> None:
    wanted = story.open_run(clients.developer, experiment="null")

    assert [row.id for row in listed(clients, experiment="null")] == [wanted]


def test_pages_of_runs_tell_all_of_them_once(clients: Clients) -> None:
    runs = [story.open_run(clients.developer) for _ in range(5)]

    page = clients.viewer.call(contract.list_runs, ListRuns(limit=3))
    rest = listed(clients, limit=3, after=page.next)

    assert [row.id for row in [*page.items, *rest]] == runs[::-1]


def test_a_listed_run_shows_the_last_values(clients: Clients, run: str) -> None:
    log(clients.developer, run, at(0.1, 0), at("NaN", 1), params={"depth": "7"})

    (row,) = listed(clients)

    assert (row.metrics, row.params) == ({KEY: "NaN"}, {"depth": "7"})


def test_points_logged_at_once_are_all_counted(app: App, tokens: dict[str, str]) -> None:
    people = Clients(lambda name: local_client(app, tokens[name]))
    run = story.open_run(people.developer)

    at_once(
        *(
            lambda part=part: log(
                people.developer, run, *(at(1.0, 100 * part + step) for step in range(20))
            )
            for part in range(8)
        )
    )

    assert summary(people, run).count == len(read(people, run)) == 160
