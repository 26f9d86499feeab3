"""Windows close by themselves where a schedule says so, on both databases and both clients."""

from __future__ import annotations

import pytest

from mainspring.core.errors import Forbidden, Invalid, NotFound
from mainspring.core.operation import Request
from mainspring.monitoring import contract
from mainspring.monitoring.contract import ListAll, NameSchedule, SetSchedule
from tests import story, watch
from tests.house import Clients, Clock
from tests.story import MODEL


@pytest.fixture
def deployed(clients: Clients) -> None:
    """A version in production that is served."""
    watch.deployed(clients)


def schedule(clients: Clients, **more: float) -> contract.Schedule:
    request = SetSchedule(deployment=MODEL, **more)  # type: ignore[arg-type]
    return clients.developer.call(contract.set_schedule, request)


def due(clients: Clients) -> int:
    return clients.service.call(contract.run_schedules, Request()).count


def asked(clients: Clients) -> int:
    return story.kinds(clients.viewer).count("windows.due")


def test_the_first_measurement_is_due_at_once_and_the_next_in_its_time(
    clients: Clients, clock: Clock, deployed: None
) -> None:
    schedule(clients, every_minutes=30)

    assert (due(clients), due(clients)) == (1, 0)
    clock.advance(minutes=31)
    assert due(clients) == 1
    assert asked(clients) == 2


def test_a_schedule_is_replaced_by_a_later_one(clients: Clients, deployed: None) -> None:
    schedule(clients, every_minutes=30)
    schedule(clients, every_minutes=90, label_delay_hours=5)

    listed = clients.viewer.call(contract.list_schedules, ListAll())
    assert [(one.every_minutes, one.label_delay_hours) for one in listed] == [(90, 5)]


def test_a_dropped_schedule_starts_nothing(clients: Clients, deployed: None) -> None:
    schedule(clients)
    clients.developer.call(contract.drop_schedule, NameSchedule(deployment=MODEL))

    assert due(clients) == 0
    with pytest.raises(NotFound, match="has no schedule"):
        clients.developer.call(contract.drop_schedule, NameSchedule(deployment=MODEL))


def test_only_the_service_starts_what_is_due(clients: Clients, deployed: None) -> None:
    with pytest.raises(Forbidden, match="operate"):
        clients.admin.call(contract.run_schedules, Request())


def test_a_schedule_of_a_deployment_that_is_not_there_is_refused(clients: Clients) -> None:
    with pytest.raises((NotFound, Invalid), match="late"):
        clients.developer.call(contract.set_schedule, SetSchedule(deployment="late-night"))
