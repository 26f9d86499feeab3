"""Checks that cannot be run end the promotion instead of keeping everybody waiting."""

from __future__ import annotations

import datetime as dt

from mainspring.core.event import Event
from mainspring.registry import contract
from mainspring.registry.contract import NamePromotion
from mainspring.validation import reactions
from tests import story
from tests.house import Clients


def job_failed(promotion: str, reaction: str = reactions.RUN_CHECKS) -> Event:
    return Event(
        id="0" * 32,
        sequence=1,
        workspace="default",
        recorded_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        event_time=None,
        actor_kind="service",
        actor="mainspring",
        token=None,
        request_id=None,
        cause=None,
        kind="job.failed",
        subject_kind="job",
        subject="1",
        model=story.MODEL,
        digest_before=None,
        digest_after=None,
        outcome="done",
        facts={"reaction": reaction, "about": promotion, "error": "the disk is gone"},
        schema_version=1,
        previous_hash="",
        hash="",
    )


def asked(clients: Clients) -> contract.Promotion:
    story.declare(clients.developer, "performance", "latency")
    return story.ask(clients.developer, story.version(clients.developer).number)


def state(clients: Clients, promotion: contract.Promotion) -> contract.Promotion:
    return clients.viewer.call(contract.show_promotion, NamePromotion(promotion=promotion.id))


def test_a_promotion_whose_checks_cannot_be_run_has_failed(clients: Clients) -> None:
    promotion = asked(clients)

    reactions.give_up(clients.service, job_failed(promotion.id))

    found = state(clients, promotion)
    assert found.state == "failed"
    assert {verdict.outcome for verdict in found.verdicts} == {"failed"}
    assert "the disk is gone" in found.verdicts[0].reason


def test_another_jobs_failure_changes_nothing(clients: Clients) -> None:
    promotion = asked(clients)

    reactions.give_up(clients.service, job_failed(promotion.id, "monitoring.notify"))

    assert state(clients, promotion).state == "checking"
