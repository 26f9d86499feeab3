"""The four levels of autonomy: one loop on real flights, one switch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from mainspring.administration import contract as administration
from mainspring.administration.contract import ListJobs
from mainspring.core.clock import to_micros
from mainspring.demo.flights import Flights, load_flights
from mainspring.demo.setting import rows_of, second_person
from mainspring.deployment import contract as deployments
from mainspring.deployment.contract import NameDeployment
from mainspring.incidents import contract as incidents
from mainspring.incidents.contract import Incident, ListIncidents
from mainspring.interfaces.sdk.client import Client, Pending
from mainspring.interfaces.sdk.endpoint import Endpoint
from mainspring.monitoring import contract as monitoring
from mainspring.monitoring.contract import Alert, CloseWindows, ListAlerts
from mainspring.registry import contract as registry
from mainspring.registry.contract import ListPromotions, ListVersions, NamePolicy, ProposePolicy
from mainspring.registry.record import ApprovalRow
from mainspring.retraining import contract as retraining
from mainspring.retraining.contract import ListRetrainings, NameRetraining, Retraining
from mainspring.retraining.policy import ACTIVE, Level
from tests.house import wait_until
from tests.journeys import recipe
from tests.journeys.conftest import Server

pytestmark = [pytest.mark.journey, pytest.mark.slow]

DAY_STARTS_H = 5
FIRST_DAY = dt.datetime(2013, 3, 1, DAY_STARTS_H, tzinfo=dt.UTC)
DAYS = 2
SHARE = 4
"""One in so many of the winter's flights is learnt from: the loop is tested, not the model."""
PATIENCE_S = 60.0
RECIPE = f"{recipe.__file__}:train"
CHECKS: dict[str, dict[str, Any]] = {
    "performance": {"metric": "auc", "minimum": 0.5},
    "data": {},
    "latency": {"p99_ms": 1000},
    "non_inferiority": {"margin": 0.1},
}


@dataclass(frozen=True, slots=True)
class Team:
    """The two people that the loop takes."""

    author: Client
    approver: Client


@pytest.fixture(scope="module")
def flights() -> Flights:
    """The real flights."""
    return load_flights()


@pytest.fixture(scope="module")
def team(server: Server) -> Iterator[Team]:
    """The owner of the home, and a second person who may approve."""
    author = Client(home=server.home)
    approver = second_person(author, server.url)
    yield Team(author, approver)
    approver.close()
    author.close()


def serve_first_version(team: Team, flights: Flights, model: str) -> Endpoint:
    """A model of January and February in production, approved by the second person."""
    team.author.suite(model, checks=CHECKS)
    with team.author.run("winter", experiment=model) as run:
        winter = (flights.month <= 2) & (np.arange(len(flights)) % SHARE == 0)
        recipe.train(run, rows_of(flights, winter))
    outcome = team.author.promote(team.author.register(run, model))
    assert isinstance(outcome, Pending)
    team.approver.approve(outcome, reason="the first one")
    return team.author.deploy(model)


def set_level(team: Team, model: str, level: Level) -> None:
    """The switch, with the standing policy that level 3 asks for."""
    standing = f"{model}-alone" if level == 3 else None
    if standing is not None:
        team.author.call(registry.propose_policy, ProposePolicy(name=standing, model=model))
        team.approver.call(registry.approve_policy, NamePolicy(policy=standing))
    team.author.retrain_policy(model, level=level, recipe=RECIPE, policy=standing)


def play_days(team: Team, flights: Flights, endpoint: Endpoint) -> None:
    """Some days of traffic and their labels, measured by a monitor that no model can satisfy."""
    team.author.runbook(endpoint.model, "Look at the traffic. Wrong warnings. Roll back.")
    team.author.monitor(
        endpoint.name, kind="performance", metric="auc", threshold=0.99,
        runbook=endpoint.model, action="incident",
    )  # fmt: skip
    for number in range(DAYS):
        day = FIRST_DAY + dt.timedelta(days=number)
        end = day + dt.timedelta(days=1)
        span = (to_micros(day), to_micros(end))
        rows = rows_of(
            flights, (flights.scheduled_at >= span[0]) & (flights.scheduled_at < span[1])
        )
        ids = rows["request_id"].to_pylist()
        endpoint.predict(rows, request_ids=ids, event_times=rows["event_time"].to_pylist())
        labels = dict(zip(ids, rows["label"].to_pylist(), strict=True))
        endpoint.log_truth(labels, event_time=end - dt.timedelta(seconds=1))
    until = FIRST_DAY + dt.timedelta(days=DAYS)
    request = CloseWindows(
        deployment=endpoint.name,
        until=until,
        label_delay_hours=0,
        day_starts_at_hour=DAY_STARTS_H,
    )
    team.author.call(monitoring.close_windows, request)


def play(team: Team, flights: Flights, model: str, level: Level) -> None:
    """A model in production at the level, and days that raise an alert."""
    endpoint = serve_first_version(team, flights, model)
    set_level(team, model, level)
    play_days(team, flights, endpoint)
    endpoint.close()


def alerts_of(team: Team, model: str) -> list[Alert]:
    return team.author.call(monitoring.list_alerts, ListAlerts(deployment=model))


def incidents_of(team: Team, model: str) -> list[Incident]:
    return team.author.call(incidents.list_incidents, ListIncidents(deployment=model))


def retrainings_of(team: Team, model: str) -> list[Retraining]:
    return team.author.call(retraining.list_retrainings, ListRetrainings(model=model))


def reaches(team: Team, model: str, state: str) -> Retraining:
    """The model's one retraining, as soon as it has come to the state."""

    def there() -> bool:
        states = [one.state for one in retrainings_of(team, model)]
        ended = [one for one in states if one not in ACTIVE and one != state]
        assert not ended, retrainings_of(team, model)
        return states == [state]

    wait_until(there, PATIENCE_S)
    return retrainings_of(team, model)[0]


def quiet(team: Team) -> bool:
    """Whether every reaction has been done."""
    return not team.author.call(administration.list_jobs, ListJobs())


def numbers(team: Team, model: str) -> list[int]:
    """The versions there are."""
    versions = team.author.call(registry.list_versions, ListVersions(model=model))
    return [version.version for version in versions]


def approvals_of(team: Team, model: str, version: int) -> list[ApprovalRow]:
    listed = team.author.call(registry.list_promotions, ListPromotions(model=model))
    return next(one.approvals for one in listed if one.version == version)


def served(team: Team, model: str) -> int | None:
    """The version that answers."""
    return team.author.call(deployments.show, NameDeployment(deployment=model)).served


def test_level_0_tells_people_and_does_nothing_else(team: Team, flights: Flights) -> None:
    play(team, flights, "level-0", 0)

    wait_until(lambda: bool(incidents_of(team, "level-0")) and quiet(team), PATIENCE_S)

    assert [alert.state for alert in alerts_of(team, "level-0")] == ["open"]
    assert [one.state for one in incidents_of(team, "level-0")] == ["open"]
    assert retrainings_of(team, "level-0") == []
    assert numbers(team, "level-0") == [1]


def test_level_1_proposes_and_waits_for_a_person(team: Team, flights: Flights) -> None:
    play(team, flights, "level-1", 1)

    proposed = reaches(team, "level-1", "proposed")
    wait_until(lambda: quiet(team), PATIENCE_S)
    before = numbers(team, "level-1")
    team.author.call(retraining.accept, NameRetraining(retraining=proposed.id))
    reaches(team, "level-1", "waiting")
    team.approver.approve("level-1@2", reason="no worse")
    reaches(team, "level-1", "done")

    assert proposed.alert == alerts_of(team, "level-1")[0].id
    assert before == [1]
    assert served(team, "level-1") == 2


def test_level_2_trains_and_waits_for_approval(team: Team, flights: Flights) -> None:
    play(team, flights, "level-2", 2)

    reaches(team, "level-2", "waiting")
    before, standing = served(team, "level-2"), incidents_of(team, "level-2")
    team.approver.approve("level-2@2", reason="no worse")
    reaches(team, "level-2", "done")
    wait_until(lambda: quiet(team), PATIENCE_S)

    assert (before, served(team, "level-2")) == (1, 2)
    assert [one.state for one in standing] == ["open"]
    assert [one.resolution for one in incidents_of(team, "level-2")] == ["version 2 replaced 1"]


def test_level_3_reaches_production_alone(team: Team, flights: Flights) -> None:
    play(team, flights, "level-3", 3)

    done = reaches(team, "level-3", "done")
    wait_until(lambda: quiet(team), PATIENCE_S)

    approvals = approvals_of(team, "level-3", 2)
    assert done.version == served(team, "level-3") == 2
    assert [(one.person, one.policy) for one in approvals] == [("ada", "level-3-alone")]
    assert [one.state for one in incidents_of(team, "level-3")] == ["closed"]
