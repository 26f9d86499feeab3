"""When a monitor fires, when it calms, who is told next: pure rules."""

from __future__ import annotations

import datetime as dt

import pytest

from mainspring.core.clock import EPOCH
from mainspring.monitoring.alert import (
    EscalationStep,
    MonitorKind,
    Reading,
    Rule,
    calms,
    fires,
    next_escalation,
    read,
)

MINUTE = dt.timedelta(minutes=1)
TWO_OF_THREE = Rule("data_drift", "share", 0.3, breaches=2, windows=3)


def performance(metric: str, threshold: float) -> Rule:
    return Rule("performance", metric, threshold, breaches=1, windows=1)


def interval(metric: str, value: float, low: float, high: float) -> dict[str, object]:
    return {"performance": {metric: {"value": value, "low": low, "high": high}}}


def test_drift_above_its_threshold_breaches() -> None:
    assert read(TWO_OF_THREE, {"data_drift": {"share": 0.4}}).breached


def test_drift_at_its_threshold_does_not_breach() -> None:
    assert not read(TWO_OF_THREE, {"data_drift": {"share": 0.3}}).breached


@pytest.mark.parametrize(("high", "breached"), [(0.69, True), (0.71, False)])
def test_an_auc_breaches_when_its_whole_interval_is_below(high: float, *, breached: bool) -> None:
    found = read(performance("auc", 0.7), interval("auc", 0.65, 0.6, high))

    assert found.breached == breached


@pytest.mark.parametrize(("low", "breached"), [(0.71, True), (0.69, False)])
def test_an_error_breaches_when_its_whole_interval_is_above(low: float, *, breached: bool) -> None:
    found = read(performance("log_loss", 0.7), interval("log_loss", 0.75, low, 0.8))

    assert found.breached == breached


@pytest.mark.parametrize("kind", ["data_drift", "prediction_drift", "performance"])
def test_what_was_not_measured_does_not_breach(kind: MonitorKind) -> None:
    rule = Rule(kind, "psi", 0.1, 1, 1)

    assert read(rule, {kind: {"reason": "3 rows"}}) == Reading(None, False, "3 rows")


def test_nothing_measured_at_all_says_so() -> None:
    assert read(TWO_OF_THREE, {}).reason == "not enough data"


@pytest.mark.parametrize(
    ("breaches", "expected"),
    [
        ([], False),
        ([True], False),
        ([True, True], True),
        ([True, False, True], True),
        ([True, False, False, True], False),
        ([False, True, True, False], True),
    ],
)
def test_n_of_the_last_m_windows_fire(breaches: list[bool], *, expected: bool) -> None:
    assert fires(TWO_OF_THREE, breaches) == expected


@pytest.mark.parametrize(
    ("breaches", "expected"),
    [
        ([False, False], False),
        ([False, False, False], True),
        ([True, False, False, False], True),
        ([False, True, False, False], False),
    ],
)
def test_m_quiet_windows_in_a_row_calm(breaches: list[bool], *, expected: bool) -> None:
    assert calms(TWO_OF_THREE, breaches) == expected


STEPS = [
    EscalationStep(0 * MINUTE, ("log",)),
    EscalationStep(30 * MINUTE, ("webhook",)),
]


def test_the_first_step_is_due_when_the_alert_is_raised() -> None:
    assert next_escalation(STEPS, 0, EPOCH) == (STEPS[0], EPOCH)


def test_the_next_step_is_due_after_its_time() -> None:
    assert next_escalation(STEPS, 1, EPOCH) == (STEPS[1], EPOCH + 30 * MINUTE)


def test_after_the_last_step_there_is_none() -> None:
    assert next_escalation(STEPS, 2, EPOCH) is None
