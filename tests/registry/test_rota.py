"""Who is on call: a week each, in turn, of those who can sign in."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mainspring.administration import contract as administration
from mainspring.administration.contract import NamePerson
from mainspring.core.errors import Invalid, NotFound
from mainspring.registry import contract
from mainspring.registry.contract import DescribeModel
from mainspring.registry.rota import turn_at
from mainspring.registry.rota_contract import OnCall, ShowOnCall, show_on_call
from tests import story
from tests.house import Clients
from tests.story import MODEL

MONDAY = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)


def on_call(clients: Clients, at: dt.datetime | None = None) -> OnCall:
    return clients.viewer.call(show_on_call, ShowOnCall(model=MODEL, at=at))


def described(clients: Clients, *people: str) -> None:
    story.version(clients.developer)
    request = DescribeModel(
        model=MODEL,
        owner="dora",
        team="delays",
        on_call=list(people),
        escalation="+41 44 000 00 00",
    )
    clients.developer.call(contract.describe_model, request)


@given(
    some.lists(some.text(min_size=1), min_size=1, max_size=9, unique=True),
    some.datetimes(
        timezones=some.just(dt.UTC),
        max_value=dt.datetime(9000, 1, 1),  # noqa: DTZ001  the bound is of the time without its zone
    ),
)
def test_everybody_has_a_week_in_turn(people: list[str], at: dt.datetime) -> None:
    turn = turn_at(people, at)
    assert turn is not None
    assert at < turn.until <= at + dt.timedelta(days=7)
    assert (turn.until.weekday(), turn.until.time()) == (0, dt.time(0))

    weeks = [turn_at(people, at + dt.timedelta(weeks=week)) for week in range(len(people) + 1)]

    assert {one.person for one in weeks if one} == set(people)
    assert weeks[-1] is not None
    assert weeks[-1].person == turn.person
    assert weeks[1] is not None
    assert weeks[1].person == turn.following


def test_the_turn_changes_on_monday(clients: Clients) -> None:
    described(clients, "paul", "petra")

    before, after = on_call(clients, MONDAY - dt.timedelta(seconds=1)), on_call(clients, MONDAY)

    assert {before.person, after.person} == {"paul", "petra"}
    assert (before.until, before.following) == (MONDAY, after.person)
    assert (after.owner, after.team, after.escalation) == ("dora", "delays", "+41 44 000 00 00")
    assert on_call(clients).person in ("paul", "petra")


def test_who_cannot_sign_in_has_no_turn(clients: Clients) -> None:
    described(clients, "paul", "petra")
    clients.admin.call(administration.disable_person, NamePerson(name="petra"))

    weeks = [on_call(clients, MONDAY + dt.timedelta(weeks=week)).person for week in range(3)]

    assert weeks == ["paul"] * 3


def test_where_nobody_is_on_call_the_owner_is_told(clients: Clients) -> None:
    described(clients)

    found = on_call(clients)

    assert (found.person, found.until, found.owner) == (None, None, "dora")


def test_a_moment_has_a_time_zone_and_a_model_a_name(clients: Clients) -> None:
    described(clients, "paul")

    with pytest.raises(Invalid, match="time zone"):
        on_call(clients, dt.datetime(2026, 1, 1))  # noqa: DTZ001  that is what is refused
    with pytest.raises(NotFound):
        clients.viewer.call(show_on_call, ShowOnCall(model="other"))
