"""Versions that are blocked or revoked enter no stage, get no alias and no deployment."""

from __future__ import annotations

import pytest

from mainspring.administration import contract as administration
from mainspring.administration.contract import GrantRole
from mainspring.core.errors import Blocked, Conflict, Forbidden
from mainspring.deployment import contract as deployment
from mainspring.deployment.contract import StartDeployment
from mainspring.registry import contract
from mainspring.registry import override_contract as breaking
from mainspring.registry.catalog_contract import MoveVersion, move_version
from mainspring.registry.contract import NamePromotion, RollBack, SetAlias
from mainspring.registry.model import ModelVersion
from mainspring.registry.standing_contract import Judge, block, revoke, unblock
from tests import story
from tests.house import Clients
from tests.story import MODEL


def judge(number: int) -> Judge:
    return Judge(model=MODEL, version=number, reason="the scan found os.system")


def blocked(clients: Clients) -> int:
    story.declare(clients.developer)
    number = story.version(clients.developer).number
    clients.developer.call(block, judge(number))
    return number


def test_a_blocked_version_is_not_promoted_and_says_why(clients: Clients) -> None:
    number = blocked(clients)

    with pytest.raises(Blocked, match=r"is blocked: the scan found os\.system"):
        story.ask(clients.developer, number)


def test_a_promotion_that_was_open_fails(clients: Clients) -> None:
    story.declare(clients.developer)
    promotion = story.ask(clients.developer, story.version(clients.developer).number)
    story.say(clients.service, promotion.id)

    clients.developer.call(block, judge(promotion.version))

    shown = clients.viewer.call(contract.show_promotion, NamePromotion(promotion=promotion.id))
    assert shown.state == "failed"
    with pytest.raises(Conflict):
        story.approve(clients.approver, promotion.id)


def test_no_other_way_leads_on(clients: Clients) -> None:
    number = blocked(clients)
    refused = [
        (
            clients.developer,
            contract.set_alias,
            SetAlias(model=MODEL, version=number, alias="best"),
        ),
        (
            clients.developer,
            move_version,
            MoveVersion(model=MODEL, version=number, stage="staging"),
        ),
        (
            clients.deployer,
            breaking.override,
            breaking.Override(model=MODEL, version=number, reason="now"),
        ),
    ]

    for client, operation, request in refused:
        with pytest.raises(Blocked, match="is blocked"):
            client.call(operation, request)  # type: ignore[arg-type]


def test_what_is_served_goes_on_but_is_not_started_anew_or_returned_to(clients: Clients) -> None:
    first = story.in_production(clients.developer, clients.service, clients.approver).number
    clients.developer.call(block, judge(first))

    with pytest.raises(Blocked, match="is blocked"):
        clients.deployer.call(deployment.start, StartDeployment(model=MODEL))
    story.in_production(clients.developer, clients.service, clients.approver)
    with pytest.raises(Blocked, match="is blocked"):
        clients.deployer.call(
            contract.roll_back, RollBack(model=MODEL, version=first, reason="back")
        )


def test_another_person_lets_it_go(clients: Clients) -> None:
    number = blocked(clients)

    with pytest.raises(Forbidden):
        clients.developer.call(unblock, judge(number))
    found: ModelVersion = clients.approver.call(unblock, judge(number))

    assert (found.state, found.state_reason) == ("active", "")
    assert story.ask(clients.developer, number).state == "checking"


def test_its_maker_does_not_let_it_go(clients: Clients) -> None:
    story.declare(clients.developer)
    number = story.register(clients.admin, story.train(clients.admin)[1])
    clients.developer.call(block, judge(number))

    with pytest.raises(Blocked, match="took part"):
        clients.admin.call(unblock, judge(number))


def test_a_revoked_version_never_comes_back(clients: Clients) -> None:
    number = blocked(clients)
    clients.approver.call(revoke, judge(number))

    for operation in (block, unblock, revoke):
        with pytest.raises(Conflict, match="is revoked"):
            clients.admin.call(operation, judge(number))
    assert story.kinds(clients.viewer)[-2:] == ["version.blocked", "version.revoked"]


def test_production_is_not_left_empty(clients: Clients) -> None:
    number = story.in_production(clients.developer, clients.service, clients.approver).number

    with pytest.raises(Conflict, match="would be left empty"):
        clients.approver.call(revoke, judge(number))


def test_who_may_approve_by_the_hand_of_its_maker_does_not_let_it_go(clients: Clients) -> None:
    number = story.version(clients.admin).number
    clients.developer.call(block, judge(number))
    request = GrantRole(person="vera", role="approver")
    clients.admin.call(administration.grant_role, request)

    with pytest.raises(Blocked, match="by the grace of a party alone"):
        clients.viewer.call(unblock, judge(number))
    assert clients.approver.call(unblock, judge(number)).state == "active"
