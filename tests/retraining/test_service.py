"""Retraining at levels 0 to 3 by the same switch, and its brakes."""

from __future__ import annotations

import pytest

from mainspring.administration import contract as administration
from mainspring.administration.contract import GrantRole
from mainspring.core.errors import Blocked, Conflict, Invalid, NotFound
from mainspring.core.ids import new_id
from mainspring.core.operation import Request
from mainspring.monitoring.contract import Alert
from mainspring.registry import contract as registry
from mainspring.registry.contract import DescribeModel, NamePolicy, ProposePolicy
from mainspring.retraining import contract, reactions
from mainspring.retraining.contract import (
    Advance,
    ListRetrainings,
    NameModel,
    NameRetraining,
    RequestRetraining,
    Retraining,
    RetrainingPolicy,
    SetPolicy,
)
from mainspring.retraining.policy import Level
from tests import story, watch
from tests.house import Clients, Clock
from tests.story import MODEL

POLICY = "monthly"


def set_level(clients: Clients, level: Level, **more: object) -> RetrainingPolicy:
    fields: dict[str, object] = {"recipe": "shop.recipe:train", **more}
    request = SetPolicy(model=MODEL, level=level, **fields)  # type: ignore[arg-type]
    return clients.developer.call(contract.set_policy, request)


def standing_policy(clients: Clients, **more: object) -> None:
    request = ProposePolicy(name=POLICY, model=MODEL, **more)  # type: ignore[arg-type]
    clients.developer.call(registry.propose_policy, request)
    clients.approver.call(registry.approve_policy, NamePolicy(policy=POLICY))


def react(clients: Clients) -> None:
    """Let the newest alert lead to what it should."""
    event = story.events(clients.viewer, kind="alert.raised")[-1]
    reactions.start(clients.service, event)


def another_alert(clients: Clients, day: int) -> None:
    watch.window(clients, day, 0.8)
    watch.window(clients, day + 1, 0.5)
    react(clients)


def listed(clients: Clients) -> list[Retraining]:
    request = ListRetrainings(model=MODEL)
    return clients.viewer.call(contract.list_retrainings, request)


def states(clients: Clients) -> list[str]:
    return [retraining.state for retraining in listed(clients)]


def advance(clients: Clients, **fields: object) -> int:
    request = Advance(**fields)  # type: ignore[arg-type]
    return clients.service.call(contract.advance, request).count


def now(clients: Clients, reason: str = "new data") -> Retraining:
    request = RequestRetraining(model=MODEL, reason=reason)
    return clients.developer.call(contract.request_retraining, request)


@pytest.fixture
def transport() -> str:
    """In process alone: that both ways in agree is tested where requests differ."""
    return "in process"


@pytest.fixture
def alert(clients: Clients) -> Alert:
    """An alert of the performance monitor."""
    return watch.raised(clients)


def test_without_a_policy_an_alert_starts_nothing(clients: Clients, alert: Alert) -> None:
    react(clients)

    assert states(clients) == []


def test_level_0_starts_nothing(clients: Clients, alert: Alert) -> None:
    set_level(clients, 0)
    react(clients)

    assert states(clients) == []


def test_level_1_proposes(clients: Clients, alert: Alert) -> None:
    set_level(clients, 1)
    react(clients)

    assert states(clients) == ["proposed"]


def test_level_2_starts_by_itself(clients: Clients, alert: Alert) -> None:
    set_level(clients, 2)
    react(clients)

    (retraining,) = listed(clients)
    assert (retraining.state, retraining.alert) == ("requested", alert.id)
    assert retraining.event_time == alert.event_time


def test_level_3_starts_by_itself(clients: Clients, alert: Alert) -> None:
    standing_policy(clients)
    set_level(clients, 3, policy=POLICY)
    react(clients)

    assert states(clients) == ["requested"]


def test_level_3_needs_a_standing_policy(clients: Clients, alert: Alert) -> None:
    with pytest.raises(Blocked) as caught:
        set_level(clients, 3)
    assert caught.value.field == "policy"


def test_level_3_needs_an_approved_policy(clients: Clients, alert: Alert) -> None:
    request = ProposePolicy(name=POLICY, model=MODEL)
    clients.developer.call(registry.propose_policy, request)

    with pytest.raises(Blocked, match="was not approved by a person yet"):
        set_level(clients, 3, policy=POLICY)


def test_level_3_needs_a_policy_that_has_not_expired(
    clients: Clients, alert: Alert, clock: Clock
) -> None:
    standing_policy(clients, days=5)
    clock.advance(days=6)

    with pytest.raises(Blocked, match="expired"):
        set_level(clients, 3, policy=POLICY)


def test_level_3_is_for_low_risk_alone(clients: Clients, alert: Alert) -> None:
    standing_policy(clients)
    describe = DescribeModel(model=MODEL, risk_tier="high")
    clients.developer.call(registry.describe_model, describe)

    with pytest.raises(Blocked, match="risk tier is 'high'"):
        set_level(clients, 3, policy=POLICY)


def test_a_policy_is_replaced_by_the_next(clients: Clients, alert: Alert) -> None:
    set_level(clients, 2)
    set_level(clients, 1)

    found = clients.viewer.call(contract.show_policy, NameModel(model=MODEL))

    assert (found.level, found.deployment) == (1, MODEL)


def test_a_policy_is_for_a_model_that_there_is(clients: Clients) -> None:
    with pytest.raises(NotFound) as caught:
        set_level(clients, 1)
    assert caught.value.field == "model"


def test_an_alert_of_another_kind_starts_nothing(clients: Clients, alert: Alert) -> None:
    set_level(clients, 2, triggers=["data_drift"])
    react(clients)

    assert states(clients) == []


def test_an_alert_told_twice_starts_once(clients: Clients, alert: Alert) -> None:
    set_level(clients, 2)
    react(clients)
    react(clients)

    assert states(clients) == ["requested"]


def test_the_cooldown_runs_by_the_clock_of_the_data(clients: Clients, alert: Alert) -> None:
    set_level(clients, 2, cooldown_days=10)
    react(clients)
    advance(clients, retraining=listed(clients)[0].id, state="done")

    another_alert(clients, 3)
    assert states(clients) == ["done"]
    another_alert(clients, 12)
    assert states(clients) == ["requested", "done"]


def test_what_holds_a_retraining_back_is_an_event(clients: Clients, alert: Alert) -> None:
    set_level(clients, 2)
    react(clients)
    another_alert(clients, 30)

    (event,) = story.events(clients.viewer, kind="retraining.held")
    assert event.facts["reasons"] == ["a retraining of the model is under way"]


def test_after_too_many_in_vain_a_person_has_to_look(clients: Clients, alert: Alert) -> None:
    set_level(clients, 2, cooldown_days=0, max_attempts=1)
    react(clients)
    advance(clients, retraining=listed(clients)[0].id, state="refused")
    another_alert(clients, 30)

    assert states(clients) == ["refused"]


def test_a_person_may_start_one_in_spite_of_the_brakes(clients: Clients, alert: Alert) -> None:
    set_level(clients, 2, cooldown_days=1000, max_attempts=1)
    react(clients)
    advance(clients, retraining=listed(clients)[0].id, state="failed")

    assert now(clients).state == "requested"


def test_two_at_once_are_too_many_for_a_person_too(clients: Clients, alert: Alert) -> None:
    set_level(clients, 0)
    now(clients)

    with pytest.raises(Conflict, match="is requested"):
        now(clients, "once more")


def test_a_proposal_waits_for_a_person(clients: Clients, alert: Alert) -> None:
    set_level(clients, 1)
    react(clients)
    (proposed,) = listed(clients)

    accepted = clients.developer.call(contract.accept, NameRetraining(retraining=proposed.id))

    assert (accepted.state, accepted.requested_by) == ("requested", "dora")


def test_what_was_not_proposed_cannot_be_accepted(clients: Clients, alert: Alert) -> None:
    set_level(clients, 2)
    react(clients)
    (requested,) = listed(clients)

    with pytest.raises(Conflict, match="wanted proposed"):
        clients.developer.call(contract.accept, NameRetraining(retraining=requested.id))


def test_a_retraining_can_be_cancelled(clients: Clients, alert: Alert) -> None:
    set_level(clients, 0)
    request = NameRetraining(retraining=now(clients).id)

    assert clients.developer.call(contract.cancel, request).state == "cancelled"


def test_what_has_ended_cannot_be_cancelled(clients: Clients, alert: Alert) -> None:
    set_level(clients, 0)
    request = NameRetraining(retraining=now(clients).id)
    clients.developer.call(contract.cancel, request)

    with pytest.raises(Conflict, match="is cancelled already"):
        clients.developer.call(contract.cancel, request)


def test_what_comes_too_late_changes_nothing(clients: Clients, alert: Alert) -> None:
    set_level(clients, 0)
    retraining = now(clients)
    clients.developer.call(contract.cancel, NameRetraining(retraining=retraining.id))

    assert advance(clients, retraining=retraining.id, state="training") == 0
    assert states(clients) == ["cancelled"]


def test_an_advance_has_to_name_its_retraining(clients: Clients) -> None:
    with pytest.raises(Invalid) as caught:
        advance(clients, state="training")
    assert caught.value.field == "retraining"


def test_an_unknown_retraining_is_not_found(clients: Clients) -> None:
    with pytest.raises(NotFound):
        clients.viewer.call(contract.show_retraining, NameRetraining(retraining=new_id()))


def validated(clients: Clients) -> registry.Promotion:
    """A retraining whose challenger has been asked for."""
    set_level(clients, 0)
    retraining = now(clients)
    number = story.version(clients.service).number
    advance(clients, retraining=retraining.id, state="validating", version=number)
    return story.ask(clients.service, number, on_behalf_of=[retraining.requested_by])


def follow(clients: Clients, kind: str) -> None:
    """Let the reaction to the newest event of the kind do its part."""
    event = story.events(clients.viewer, kind=kind)[-1]
    {
        "promotion.waiting": reactions.wait,
        "promotion.failed": reactions.refuse_failed,
        "promotion.rejected": reactions.refuse_rejected,
        "promotion.expired": reactions.refuse_expired,
        "promotion.withdrawn": reactions.refuse_withdrawn,
        "version.promoted": reactions.promote,
        "rollout.finished": reactions.finish,
    }[kind](clients.service, event)


def test_a_retraining_waits_with_its_promotion(clients: Clients, alert: Alert) -> None:
    promotion = validated(clients)
    story.say(clients.service, promotion.id)
    follow(clients, "promotion.waiting")

    (retraining,) = listed(clients)
    assert (retraining.state, retraining.promotion) == ("waiting", promotion.id)


def test_a_retraining_is_promoted_with_its_version(clients: Clients, alert: Alert) -> None:
    promotion = validated(clients)
    story.say(clients.service, promotion.id)
    story.approve(clients.approver, promotion.id)
    follow(clients, "version.promoted")

    assert states(clients) == ["promoted"]


def test_a_failed_check_refuses_the_retraining(clients: Clients, alert: Alert) -> None:
    story.say(clients.service, validated(clients).id, outcome="failed")
    follow(clients, "promotion.failed")

    (retraining,) = listed(clients)
    assert retraining.state == "refused"
    assert "check 'performance' failed" in retraining.outcome


def test_a_rejection_refuses_the_retraining(clients: Clients, alert: Alert) -> None:
    story.approve(clients.approver, validated(clients).id, "reject")
    follow(clients, "promotion.rejected")

    assert listed(clients)[0].outcome == "'paul': looked at it"


def test_an_expiry_refuses_the_retraining(clients: Clients, alert: Alert, clock: Clock) -> None:
    validated(clients)
    clock.advance(days=15)
    clients.service.call(registry.expire_promotions, Request())
    follow(clients, "promotion.expired")

    assert states(clients) == ["refused"]


def test_a_withdrawal_refuses_the_retraining(clients: Clients, alert: Alert) -> None:
    request = registry.NamePromotion(promotion=validated(clients).id)
    clients.developer.call(registry.withdraw, request)
    follow(clients, "promotion.withdrawn")

    assert states(clients) == ["refused"]


def test_for_whom_it_was_trained_may_not_approve(clients: Clients, alert: Alert) -> None:
    promotion = validated(clients)
    story.say(clients.service, promotion.id)

    role = GrantRole(person="dora", role="approver")
    clients.admin.call(administration.grant_role, role)

    with pytest.raises(Blocked, match="'dora' took part"):
        story.approve(clients.developer, promotion.id)
