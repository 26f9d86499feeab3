"""Break-glass: past the gate with a reason, seen by all, and back again unless a second person agrees."""

from __future__ import annotations

import pytest

from mainspring.core.errors import Blocked, Conflict, Forbidden
from mainspring.core.operation import FileClient, Request
from mainspring.deployment import contract as deployment
from mainspring.deployment.contract import StartDeployment
from mainspring.registry import contract
from mainspring.registry import override_contract as breaking
from mainspring.registry.catalog_contract import MoveVersion, move_version
from mainspring.registry.contract import (
    DeclareSuite,
    ListPromotions,
    NameModel,
    NameVersion,
    Promotion,
    RollBack,
)
from mainspring.registry.record import CheckSpec
from mainspring.registry.standing_contract import Judge, block, revoke
from tests import story
from tests.house import Clients, Clock
from tests.story import MODEL


def allow(clients: Clients, hours: int | None = 4) -> None:
    """Let the gate be passed by break-glass."""
    request = DeclareSuite(
        model=MODEL,
        checks=[CheckSpec(name="performance", parameters=story.PARAMETERS["performance"])],
        override_hours=hours,
    )
    clients.admin.call(contract.declare_suite, request)


def overridden(clients: Clients) -> Promotion:
    """Version 1 passed its gate; 2, that nobody looked at, takes its place."""
    story.in_production(clients.developer, clients.service, clients.approver)
    allow(clients)
    number = story.version(clients.developer).number
    return broken(clients, number)


def broken(clients: Clients, number: int) -> Promotion:
    request = breaking.Override(model=MODEL, version=number, reason="1 crashes on every request")
    return clients.deployer.call(breaking.override, request)


def confirmed(client: FileClient, promotion: Promotion) -> Promotion:
    request = breaking.Confirm(promotion=promotion.id, reason="looked at it since")
    return client.call(breaking.confirm, request)


def in_production(clients: Clients) -> int | None:
    return clients.viewer.call(contract.show_model, NameModel(model=MODEL)).production


def sweep(clients: Clients, clock: Clock, hours: float) -> None:
    clock.advance(hours=hours)
    clients.service.call(contract.expire_promotions, Request())


def test_a_version_goes_past_its_gate_at_once_and_everybody_sees_it(clients: Clients) -> None:
    promotion = overridden(clients)

    assert in_production(clients) == 2
    assert promotion.state == "overridden"
    assert "a second person has not confirmed it" in promotion.missing[0]
    model = clients.viewer.call(contract.show_model, NameModel(model=MODEL))
    assert model.unconfirmed == promotion.id
    listed = clients.viewer.call(contract.list_promotions, ListPromotions(open=True))
    assert [one.id for one in listed] == [promotion.id]
    told = story.events(clients.viewer, kind="promotion.overridden")[0]
    assert (told.actor, told.facts["reason"]) == ("ole", "1 crashes on every request")
    assert told.facts["replaced"] == 1


def test_it_comes_back_by_itself_when_nobody_confirms(clients: Clients, clock: Clock) -> None:
    promotion = overridden(clients)
    sweep(clients, clock, 3.9)
    assert in_production(clients) == 2

    sweep(clients, clock, 0.2)

    assert in_production(clients) == 1
    assert story.kinds(clients.viewer)[-2:] == ["version.rolled_back", "promotion.returned"]
    found = clients.viewer.call(
        contract.show_promotion, contract.NamePromotion(promotion=promotion.id)
    )
    assert found.state == "returned"
    with pytest.raises(Conflict, match="nothing to confirm"):
        confirmed(clients.approver, promotion)


def test_it_stays_when_a_second_person_confirms(clients: Clients, clock: Clock) -> None:
    promotion = overridden(clients)

    assert confirmed(clients.approver, promotion).state == "confirmed"

    sweep(clients, clock, 100)
    assert in_production(clients) == 2
    assert clients.viewer.call(contract.show_model, NameModel(model=MODEL)).unconfirmed is None
    decided = clients.viewer.call(
        contract.show_promotion, contract.NamePromotion(promotion=promotion.id)
    )
    assert [(one.person, one.decision) for one in decided.approvals] == [("paul", "confirm")]


def test_a_confirmation_that_comes_too_late_is_none(clients: Clients, clock: Clock) -> None:
    promotion = overridden(clients)
    clock.advance(hours=4.1)  # and nobody has swept yet

    with pytest.raises(Conflict, match="nothing to confirm"):
        confirmed(clients.approver, promotion)


@pytest.mark.parametrize("who", ["admin", "developer"])
def test_who_broke_the_glass_or_trained_does_not_confirm(clients: Clients, who: str) -> None:
    story.in_production(clients.developer, clients.service, clients.approver)
    allow(clients)
    number = story.version(clients.developer).number
    request = breaking.Override(model=MODEL, version=number, reason="now")
    promotion = clients.admin.call(breaking.override, request)

    with pytest.raises((Blocked, Forbidden)):
        confirmed(getattr(clients, who), promotion)
    assert in_production(clients) == number


def test_a_service_breaks_no_glass_and_confirms_nothing(clients: Clients) -> None:
    promotion = overridden(clients)
    request = breaking.Override(model=MODEL, version=1, reason="back")

    with pytest.raises(Blocked, match="a person answers"):
        clients.service.call(breaking.override, request)
    with pytest.raises(Forbidden):
        confirmed(clients.service, promotion)


def test_it_takes_the_permission_and_a_suite_that_allows_it(clients: Clients) -> None:
    story.in_production(clients.developer, clients.service, clients.approver)
    number = story.version(clients.developer).number
    request = breaking.Override(model=MODEL, version=number, reason="now")

    with pytest.raises(Forbidden):
        clients.developer.call(breaking.override, request)
    with pytest.raises(Blocked, match="allows no way past the gate"):
        clients.deployer.call(breaking.override, request)


def test_allowing_it_takes_somebody_who_may_approve(clients: Clients) -> None:
    story.declare(clients.developer)
    request = DeclareSuite(model=MODEL, checks=[CheckSpec(name="data")], override_hours=168)

    with pytest.raises(Forbidden, match="allowing a way past the gate"):
        clients.developer.call(contract.declare_suite, request)


def test_there_has_to_be_something_to_come_back_to(clients: Clients) -> None:
    allow(clients)
    number = story.version(clients.developer).number

    with pytest.raises(Blocked, match="nothing to come back to"):
        broken(clients, number)


def test_one_broken_glass_does_not_lead_to_the_next(clients: Clients) -> None:
    overridden(clients)
    number = story.version(clients.developer).number

    with pytest.raises(Blocked, match="nothing to come back to"):
        broken(clients, number)


def test_what_went_past_the_gate_has_not_passed_it(clients: Clients, clock: Clock) -> None:
    overridden(clients)
    sweep(clients, clock, 5)

    with pytest.raises(Blocked, match="never in production through its gate"):
        clients.deployer.call(contract.roll_back, RollBack(model=MODEL, version=2, reason="again"))


def test_it_is_served_while_it_is_there_and_cannot_leave_production_empty(
    clients: Clients,
) -> None:
    overridden(clients)

    started = clients.deployer.call(deployment.start, StartDeployment(model=MODEL))
    assert started.version == 2
    with pytest.raises(Blocked, match="would leave it empty"):
        clients.developer.call(move_version, MoveVersion(model=MODEL, version=2, stage="archived"))


def test_a_request_that_was_open_ends_with_it(clients: Clients) -> None:
    story.in_production(clients.developer, clients.service, clients.approver)
    allow(clients)
    number = story.version(clients.developer).number
    asked = story.ask(clients.developer, number)
    broken(clients, number)

    found = clients.viewer.call(contract.show_promotion, contract.NamePromotion(promotion=asked.id))
    assert found.state == "withdrawn"


def test_where_the_earlier_one_was_revoked_the_one_before_comes_back(
    clients: Clients, clock: Clock
) -> None:
    from_the_gate = [
        story.in_production(clients.developer, clients.service, clients.approver).number
        for _ in range(2)
    ]
    allow(clients)
    broken(clients, story.version(clients.developer).number)
    request = Judge(model=MODEL, version=from_the_gate[1], reason="leaks")
    clients.approver.call(revoke, request)
    sweep(clients, clock, 5)

    assert in_production(clients) == from_the_gate[0]


def test_words_on_a_promotion_decide_nothing(clients: Clients) -> None:
    story.declare(clients.developer)
    asked = story.ask(clients.developer, story.version(clients.developer).number)
    story.say(clients.service, asked.id)

    for client in (clients.developer, clients.admin):
        request = breaking.Comment(promotion=asked.id, text="what about July?")
        shown = client.call(breaking.comment, request)
    with pytest.raises(Forbidden):
        clients.viewer.call(breaking.comment, request)

    assert shown.state == "waiting"
    assert [one.decision for one in shown.approvals] == ["comment", "comment"]
    assert shown.missing == ["0 of 1 approvals given"]
    version = NameVersion(model=MODEL, version=1)
    assert clients.viewer.call(contract.show_version, version).stage == "development"


def return_to_the_first(clients: Clients) -> None:
    request = RollBack(model=MODEL, version=1, reason="it crashes as well")
    clients.deployer.call(contract.roll_back, request)


def test_a_rollback_ends_it(clients: Clients, clock: Clock) -> None:
    promotion = overridden(clients)
    return_to_the_first(clients)

    assert story.kinds(clients.viewer)[-2:] == ["version.rolled_back", "promotion.returned"]
    with pytest.raises(Conflict, match="is returned"):
        confirmed(clients.approver, promotion)


def test_what_is_confirmed_later_stays_when_the_time_of_an_earlier_one_is_over(
    clients: Clients, clock: Clock
) -> None:
    overridden(clients)
    return_to_the_first(clients)
    clock.advance(hours=1)
    confirmed(clients.approver, broken(clients, 2))
    sweep(clients, clock, 3.5)

    assert in_production(clients) == 2


def test_what_passes_its_gate_later_stays_as_well(clients: Clients, clock: Clock) -> None:
    overridden(clients)
    return_to_the_first(clients)
    asked = story.ask(clients.developer, 2)
    story.say(clients.service, asked.id)
    story.approve(clients.approver, asked.id)

    assert clients.viewer.call(contract.show_model, NameModel(model=MODEL)).unconfirmed is None
    sweep(clients, clock, 5)
    assert in_production(clients) == 2


def test_what_was_blocked_since_is_not_confirmed(clients: Clients, clock: Clock) -> None:
    promotion = overridden(clients)
    clients.admin.call(block, Judge(model=MODEL, version=2, reason="leaks"))

    with pytest.raises(Blocked, match="leaks"):
        confirmed(clients.second_approver, promotion)
    sweep(clients, clock, 5)
    assert in_production(clients) == 1
