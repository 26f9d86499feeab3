"""How recent verdicts and training have to be when a version enters a stage."""

from __future__ import annotations

import datetime as dt

import pytest

from mainspring.core.errors import Blocked, Conflict
from mainspring.registry import contract
from mainspring.registry.contract import (
    RequestPromotion,
)
from tests import story
from tests.house import Clients, Clock
from tests.registry.test_gates import waiting
from tests.story import MODEL


def test_an_old_verdict_runs_again_before_the_version_enters(
    clients: Clients, clock: Clock
) -> None:
    promotion = waiting(clients, verdict_hours=24)
    clock.advance(hours=25)

    found = story.approve(clients.approver, promotion.id)

    assert (found.state, found.checks[0].pending) == ("checking", True)
    assert found.missing == ["check 'performance' has not run yet, or not within 24 hours"]
    assert story.kinds(clients.viewer)[-1] == "promotion.stale"
    assert story.say(clients.service, promotion.id).state == "promoted"


def test_a_fresh_verdict_of_something_else_voids_the_approval(
    clients: Clients, clock: Clock
) -> None:
    promotion = waiting(clients, verdict_hours=24)
    clock.advance(hours=25)
    story.approve(clients.approver, promotion.id)
    request = contract.RecordVerdict(
        promotion=promotion.id,
        check="performance",
        outcome="passed",
        reason="better",
        measurements={"auc": 0.9},
        data_digest="sha256:data",
    )

    found = clients.service.call(contract.record_verdict, request)

    assert (found.state, found.missing) == ("waiting", ["0 of 1 approvals given"])


def test_an_old_model_has_to_be_trained_anew(clients: Clients, clock: Clock) -> None:
    promotion = waiting(clients, training_days=7)
    clock.advance(days=8)

    assert story.approve(clients.approver, promotion.id).state == "failed"
    with pytest.raises(Blocked, match="more than 7 days ago: train it anew"):
        story.ask(clients.developer, promotion.version)
    preview = RequestPromotion(model=MODEL, version=promotion.version)
    with pytest.raises(Blocked, match="train it anew"):
        clients.developer.call(contract.preview_promotion, preview)


def test_a_request_expires_as_its_suite_says(clients: Clients, clock: Clock) -> None:
    promotion = waiting(clients, expiry_days=3)
    assert promotion.expires_at - promotion.recorded_at == dt.timedelta(days=3)
    clock.advance(days=3)

    with pytest.raises(Conflict, match="is expired and cannot change any more"):
        story.approve(clients.approver, promotion.id)


def test_without_a_word_on_it_after_a_fortnight(clients: Clients) -> None:
    promotion = waiting(clients)

    assert promotion.expires_at - promotion.recorded_at == dt.timedelta(days=14)
