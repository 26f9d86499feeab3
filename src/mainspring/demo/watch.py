"""What the loop does while the year goes by: followed, told, and helped where people decide."""

from __future__ import annotations

import datetime as dt
import time

from mainspring.core.errors import Unavailable
from mainspring.core.text import in_words
from mainspring.demo.flights import NIGHT_MICROS
from mainspring.demo.setting import MODEL, Setting
from mainspring.demo.story import Story
from mainspring.deployment import contract as deployments
from mainspring.deployment.contract import NameDeployment
from mainspring.monitoring import contract as monitoring
from mainspring.monitoring.contract import CloseWindows, ListAlerts, ListOfDeployment
from mainspring.registry import contract as registry
from mainspring.registry.contract import ListPromotions
from mainspring.retraining import contract as retraining
from mainspring.retraining.contract import ListRetrainings, NameRetraining, Retraining
from mainspring.retraining.policy import ACTIVE

LABEL_DELAY_H = 24.0
DAY_STARTS_H = NIGHT_MICROS / 3_600_000_000
SETTLE_S = 120.0
ASK_AGAIN_S = 20.0
POLL_S = 0.05


class Watch:
    """Closes days, follows alerts and retrainings, decides where a person has to."""

    def __init__(self, setting: Setting, story: Story, first_day: dt.datetime) -> None:
        self._first_day = first_day
        self._setting = setting
        self._story = story
        self._told: set[str] = set()
        self._outcomes: dict[str, str] = {}
        self._asked_until: dt.datetime | None = None

    def close_day(self, until: dt.datetime) -> None:
        """Let every day be measured whose labels have had time to come."""
        request = CloseWindows(
            deployment=MODEL,
            until=until,
            label_delay_hours=LABEL_DELAY_H,
            day_starts_at_hour=DAY_STARTS_H,
        )
        self._setting.author.call(monitoring.close_windows, request)
        self._asked_until = until

    def settle(self) -> None:
        """Wait till the days that were asked for are measured."""
        if self._asked_until is None:
            return
        wanted = self._asked_until - dt.timedelta(hours=LABEL_DELAY_H)
        if wanted <= self._first_day:
            return
        deadline, again = time.monotonic() + SETTLE_S, time.monotonic() + ASK_AGAIN_S
        while True:
            request = ListOfDeployment(deployment=MODEL, limit=1)
            found = self._setting.author.call(monitoring.list_windows, request)
            if found and found[0].ends_at >= wanted:
                return
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"the day before {wanted:%Y-%m-%d} is not measured after {SETTLE_S:.0f} s",
                    fix="the worker's log in the home says why: worker.log",
                )
            if time.monotonic() > again:
                # As a schedule would: a reaction that was given up is asked for once more.
                self.close_day(self._asked_until)
                again += ASK_AGAIN_S
            time.sleep(POLL_S)

    def active(self) -> Retraining | None:
        """The retraining under way; tells what is new on the way."""
        self._tell_alerts()
        listed = self._setting.author.call(
            retraining.list_retrainings, ListRetrainings(model=MODEL, limit=20)
        )
        for one in reversed(listed):
            self._tell_retraining(one)
        found = next((one for one in listed if one.state in ACTIVE), None)
        if found is not None:
            self._help(found)
        return found

    def _help(self, found: Retraining) -> None:
        """Below level 3 a person is needed: the demo plays both of them."""
        if found.state == "proposed":
            request = NameRetraining(retraining=found.id)
            self._setting.author.call(retraining.accept, request)
            self._story.tell("             a person accepts the proposal")
        elif found.state == "waiting":
            request_open = ListPromotions(model=MODEL, open=True)
            for promotion in self._setting.author.call(registry.list_promotions, request_open):
                if promotion.state == "waiting":
                    self._setting.approver.approve(promotion, reason="better than the champion")
                    self._story.tell("             a second person approves the promotion")

    def _tell_alerts(self) -> None:
        listed = self._setting.author.call(
            monitoring.list_alerts, ListAlerts(deployment=MODEL, limit=50)
        )
        for alert in reversed(listed):
            if alert.id not in self._told:
                self._told.add(alert.id)
                self._story.tell(
                    f"{alert.event_time:%Y-%m-%d}  alert    {alert.monitor}: {alert.reason}\n"
                    f"             runbook {alert.runbook_url}"
                )

    def _tell_retraining(self, one: Retraining) -> None:
        if self._outcomes.get(one.id) == one.state:
            return
        first = one.id not in self._outcomes
        self._outcomes[one.id] = one.state
        if first:
            self._story.tell(f"{one.event_time:%Y-%m-%d}  retrain  {one.reason.partition(':')[0]}")
        if one.state == "done":
            assert one.finished_at is not None
            took = in_words(one.finished_at - (one.alert_at or one.recorded_at))
            self._story.tell(
                f"             version {one.version} is in production, {took} after the alert"
            )
        elif one.state not in ACTIVE:
            self._story.tell(f"             {one.state}: {one.outcome[:200]}")

    def served(self) -> int | None:
        """The version that answers now."""
        request = NameDeployment(deployment=MODEL)
        return self._setting.author.call(deployments.show, request).served
