"""Monitors, windows and alerts, on both databases and both clients."""

from __future__ import annotations

import pytest

from mainspring.core.errors import Conflict, Invalid, MainspringError, NotFound
from mainspring.core.operation import Request
from mainspring.monitoring import contract, reactions
from mainspring.monitoring.contract import (
    CloseWindows,
    ListOfDeployment,
    NameAlert,
    NameRunbook,
    Step,
    WriteRunbook,
)
from tests import story, watch
from tests.house import Clients, Clock
from tests.story import MODEL
from tests.watch import FIRST_DAY, RUNBOOK


@pytest.fixture
def deployed(clients: Clients) -> None:
    """A version in production that is served."""
    watch.deployed(clients)


def states(clients: Clients) -> list[str]:
    return [alert.state for alert in watch.alerts(clients)]


def test_a_monitor_keeps_what_was_declared(clients: Clients, deployed: None) -> None:
    declared = watch.monitor(clients, breaches=2, windows=3)

    assert (declared.threshold, declared.runbook, declared.declared_by) == (0.7, RUNBOOK, "dora")
    listed = clients.viewer.call(contract.list_monitors, ListOfDeployment(deployment=MODEL))
    assert listed == [declared]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"runbook": "nobody-wrote-it"}, "runbook"),
        ({"metric": "happiness"}, "metric"),
        ({"escalation": [Step(after_minutes=0, notify=["pigeon"])]}, "escalation"),
        ({"breaches": 4, "windows": 3}, "breaches"),
        ({"escalation": []}, "escalation"),
        ({"threshold": float("inf")}, "threshold"),
    ],
)
def test_a_monitor_that_would_be_of_no_use_is_refused(
    clients: Clients, deployed: None, change: dict[str, object], field: str
) -> None:
    with pytest.raises(MainspringError) as caught:
        watch.monitor(clients, **change)
    assert caught.value.field == field


def test_a_monitor_is_declared_once(clients: Clients, deployed: None) -> None:
    watch.monitor(clients)

    with pytest.raises(Conflict, match="monitor 'auc' exists"):
        watch.monitor(clients)


def test_a_breach_raises_an_alert_with_its_runbook(clients: Clients) -> None:
    alert = watch.raised(clients)

    assert (alert.state, alert.value, alert.threshold) == ("open", 0.5, 0.7)
    assert alert.runbook_url == f"/api/v1/workspaces/default/runbooks/{RUNBOOK}"
    assert alert.event_time == FIRST_DAY + watch.DAY


def test_one_breach_of_two_is_not_enough(clients: Clients, deployed: None) -> None:
    watch.monitor(clients, breaches=2, windows=3)
    watch.window(clients, 0, 0.5)
    watch.window(clients, 1, 0.8)

    assert states(clients) == []


def test_two_breaches_of_three_raise(clients: Clients, deployed: None) -> None:
    watch.monitor(clients, breaches=2, windows=3)
    watch.window(clients, 0, 0.5)
    watch.window(clients, 1, 0.8)
    watch.window(clients, 2, 0.5)

    assert states(clients) == ["open"]


def test_a_window_without_a_value_neither_raises_nor_calms(clients: Clients) -> None:
    watch.raised(clients)

    watch.window(clients, 1, None)

    assert states(clients) == ["open"]


def test_a_standing_alert_is_not_raised_again(clients: Clients) -> None:
    watch.raised(clients)

    watch.window(clients, 1, 0.5)

    assert states(clients) == ["open"]


def test_an_alert_calms_after_quiet_windows(clients: Clients) -> None:
    watch.raised(clients)

    watch.window(clients, 1, 0.8)

    assert states(clients) == ["resolved"]


def test_a_calmed_monitor_may_raise_again(clients: Clients) -> None:
    watch.raised(clients)
    watch.window(clients, 1, 0.8)

    watch.window(clients, 2, 0.5)

    assert states(clients) == ["open", "resolved"]


def test_a_new_version_starts_with_a_clean_sheet(clients: Clients, deployed: None) -> None:
    watch.monitor(clients, breaches=2, windows=2)
    watch.window(clients, 0, 0.5, version=1)
    watch.window(clients, 1, 0.5, version=2)

    assert states(clients) == []


def test_the_same_window_again_is_read_once(clients: Clients, deployed: None) -> None:
    watch.monitor(clients, breaches=2, windows=2)
    watch.window(clients, 0, 0.5)
    watch.window(clients, 0, 0.5)

    assert states(clients) == []
    assert story.kinds(clients.viewer).count("window.closed") == 1


def test_windows_are_listed_newest_first(clients: Clients, deployed: None) -> None:
    watch.window(clients, 0, 0.8)
    watch.window(clients, 1, 0.8)

    listed = clients.viewer.call(contract.list_windows, ListOfDeployment())

    assert [one.starts_at for one in listed] == [FIRST_DAY + watch.DAY, FIRST_DAY]


def test_a_measurement_that_no_monitor_can_read_is_refused(
    clients: Clients, deployed: None
) -> None:
    watch.monitor(clients)
    request = contract.RecordWindow(
        deployment=MODEL, starts_at=FIRST_DAY, ends_at=FIRST_DAY + watch.DAY, version=1,
        rows=1, labels=1, measurements={"performance": {"auc": "good"}},
    )  # fmt: skip

    with pytest.raises(Invalid) as caught:
        clients.service.call(contract.record_window, request)
    assert caught.value.field == "measurements.performance.auc"


def test_an_acknowledged_alert_says_by_whom(clients: Clients) -> None:
    request = NameAlert(alert=watch.raised(clients).id)

    acknowledged = clients.developer.call(contract.acknowledge, request)

    assert (acknowledged.state, acknowledged.acknowledged_by) == ("acknowledged", "dora")


def test_who_acknowledged_first_stays(clients: Clients) -> None:
    request = NameAlert(alert=watch.raised(clients).id)
    clients.developer.call(contract.acknowledge, request)

    assert clients.deployer.call(contract.acknowledge, request).acknowledged_by == "dora"


def test_a_resolved_alert_cannot_be_acknowledged(clients: Clients) -> None:
    request = NameAlert(alert=watch.raised(clients).id)
    clients.developer.call(contract.resolve_alert, request)

    with pytest.raises(Conflict, match="is resolved"):
        clients.developer.call(contract.acknowledge, request)


def test_alerts_are_listed_by_state(clients: Clients) -> None:
    watch.raised(clients)

    assert len(watch.alerts(clients, state="open")) == 1
    assert watch.alerts(clients, state="resolved") == []


def escalate(clients: Clients) -> int:
    return clients.service.call(contract.escalate, Request()).count


TWO_STEPS = [
    Step(after_minutes=0, notify=["log"]),
    Step(after_minutes=30, notify=["log", "log"]),
]


def test_the_first_step_is_taken_at_once(clients: Clients) -> None:
    watch.raised(clients, escalation=TWO_STEPS)

    assert escalate(clients) == 1
    assert escalate(clients) == 0


def test_the_next_step_is_taken_when_nobody_acknowledges(clients: Clients, clock: Clock) -> None:
    watch.raised(clients, escalation=TWO_STEPS)
    escalate(clients)
    clock.advance(minutes=31)

    escalate(clients)

    event = story.events(clients.viewer, kind="alert.escalated")[-1]
    assert (event.facts["step"], event.facts["notify"]) == (2, ["log", "log"])


def test_an_acknowledged_alert_does_not_escalate(clients: Clients, clock: Clock) -> None:
    alert = watch.raised(clients, escalation=TWO_STEPS)
    escalate(clients)
    clients.developer.call(contract.acknowledge, NameAlert(alert=alert.id))
    clock.advance(minutes=31)

    assert escalate(clients) == 0


def test_after_the_last_step_nothing_follows(clients: Clients, clock: Clock) -> None:
    watch.raised(clients)
    escalate(clients)
    clock.advance(days=9)

    assert escalate(clients) == 0


def test_a_rewritten_runbook_is_shown(clients: Clients) -> None:
    for text in ("first", "second"):
        request = WriteRunbook(name=RUNBOOK, text=text)
        clients.developer.call(contract.write_runbook, request)

    found = clients.viewer.call(contract.show_runbook, NameRunbook(name=RUNBOOK))

    assert found.text == "second"


def test_a_close_runbook_is_offered(clients: Clients) -> None:
    clients.developer.call(contract.write_runbook, WriteRunbook(name=RUNBOOK, text="x"))

    with pytest.raises(NotFound, match="did you mean 'late-model'"):
        clients.viewer.call(contract.show_runbook, NameRunbook(name="late-modle"))


def test_closing_windows_is_left_to_a_worker(clients: Clients, deployed: None) -> None:
    request = CloseWindows(deployment=MODEL, until=FIRST_DAY)
    clients.developer.call(contract.close_windows, request)

    (event,) = story.events(clients.viewer, kind="windows.due")
    assert event.event_time == FIRST_DAY


def test_an_escalated_alert_reaches_the_log(
    clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    watch.raised(clients)
    escalate(clients)
    (event,) = story.events(clients.viewer, kind="alert.escalated")

    with caplog.at_level("INFO"):
        reactions.notify(clients.service, event)

    assert "auc" in caplog.text
