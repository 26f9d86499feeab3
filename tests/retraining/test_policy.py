"""What an alert leads to at each level, and what holds it back: pure rules."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest

from mainspring.core.clock import EPOCH
from mainspring.retraining.policy import (
    ACTIVE,
    LEVELS,
    ORDER,
    Attempt,
    Brakes,
    first_state,
    held_back,
    may_advance,
)

DAY = dt.timedelta(days=1)
BRAKES = Brakes(cooldown=14 * DAY, max_attempts=2)


def attempts(*states: str) -> list[Attempt]:
    return [Attempt(state, EPOCH + 20 * place * DAY) for place, state in enumerate(states)]


def held(*states: str, after: dt.timedelta = 30 * DAY) -> list[str]:
    earlier = attempts(*states)
    return held_back(BRAKES, earlier, earlier[-1].event_time + after)


@pytest.mark.parametrize(
    ("level", "state"), [(0, None), (1, "proposed"), (2, "requested"), (3, "requested")]
)
def test_a_level_decides_what_an_alert_makes(level: int, state: str | None) -> None:
    assert first_state(level) == state


def test_every_level_is_explained() -> None:
    assert sorted(LEVELS) == [0, 1, 2, 3]


def test_nothing_holds_the_first_one_back() -> None:
    assert held_back(BRAKES, [], EPOCH) == []


@pytest.mark.parametrize("state", sorted(ACTIVE))
def test_one_at_a_time(state: str) -> None:
    assert held(state) == ["a retraining of the model is under way"]


def test_the_cooldown_holds() -> None:
    assert held("done", after=13 * DAY) == ["cooldown of 14 days since the last one at 1970-01-01"]


def test_the_cooldown_ends() -> None:
    assert held("done", after=14 * DAY) == []


def test_too_many_in_vain_call_for_a_person() -> None:
    (reason,) = held("refused", "failed")

    assert reason == "2 retrainings in a row did not reach production: a person has to look"


def test_a_success_starts_the_count_again() -> None:
    assert held("failed", "done", "failed") == []


@pytest.mark.parametrize(("before", "after"), list(pairwise(ORDER)))
def test_a_retraining_goes_forward(before: str, after: str) -> None:
    assert may_advance(before, after)


@pytest.mark.parametrize(("after", "before"), list(pairwise(ORDER)))
def test_a_retraining_does_not_go_back(before: str, after: str) -> None:
    assert not may_advance(before, after)


@pytest.mark.parametrize("before", sorted(ACTIVE))
@pytest.mark.parametrize("after", ["refused", "failed", "cancelled"])
def test_a_retraining_may_end_at_any_time(before: str, after: str) -> None:
    assert may_advance(before, after)


@pytest.mark.parametrize("before", ["done", "refused", "failed", "cancelled"])
def test_what_has_ended_stays_ended(before: str) -> None:
    assert not may_advance(before, "training")
