"""An alert that nothing has mended is told of again."""

from __future__ import annotations

from tests import story, watch
from tests.house import Clients


def told(clients: Clients) -> list[str]:
    kinds = story.kinds(clients.viewer)
    return [kind for kind in kinds if kind in ("alert.raised", "alert.continued")]


def test_an_alert_that_goes_on_is_told_of_again_after_a_week(clients: Clients) -> None:
    watch.raised(clients)

    for day in range(1, 16):
        watch.window(clients, day, 0.5)

    assert told(clients) == ["alert.raised", "alert.continued", "alert.continued"]
    (alert,) = watch.alerts(clients)
    assert alert.continued_at - alert.event_time == 14 * watch.DAY


def test_an_alert_that_has_calmed_down_is_not_told_of_again(clients: Clients) -> None:
    watch.raised(clients)

    for day in range(1, 16):
        watch.window(clients, day, 0.9)

    assert told(clients) == ["alert.raised"]
    assert [alert.state for alert in watch.alerts(clients)] == ["resolved"]
