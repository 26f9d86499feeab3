"""Standing policies: approved beforehand by a person, within limits."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.administration import contract as administration
from mainspring.administration.contract import GrantRole, NamePerson
from mainspring.app import App
from mainspring.core.errors import Blocked, Conflict, NotFound
from mainspring.registry import contract
from mainspring.registry.contract import (
    DescribeModel,
    ListModels,
    NamePolicy,
    Promotion,
    ProposePolicy,
)
from mainspring.registry.record import Policy
from tests import story
from tests.house import Clients, Clock, local_client
from tests.story import MODEL

POLICY = "monthly"


def propose(clients: Clients, **more: Any) -> Policy:
    request = ProposePolicy(name=POLICY, model=MODEL, **more)
    return clients.developer.call(contract.propose_policy, request)


def standing(clients: Clients, **more: Any) -> None:
    """A policy that a second person approved."""
    propose(clients, **more)
    clients.approver.call(contract.approve_policy, NamePolicy(policy=POLICY))


def by_policy(clients: Clients) -> Promotion:
    """Train, ask by the policy, let the check pass."""
    number = story.version(clients.service).number
    story.owned(clients.developer)
    promotion = story.ask(clients.service, number, policy=POLICY)
    return story.say(clients.service, promotion.id)


def test_a_standing_policy_decides_for_its_approver(clients: Clients) -> None:
    story.declare(clients.developer)
    standing(clients)

    promotion = by_policy(clients)

    assert promotion.state == "promoted"
    (approval,) = promotion.approvals
    assert (approval.person, approval.policy) == ("paul", POLICY)


def test_each_use_is_counted(clients: Clients) -> None:
    story.declare(clients.developer)
    standing(clients)
    by_policy(clients)

    (policy,) = clients.viewer.call(contract.list_policies, ListModels())

    assert policy.used == 1


def test_a_used_up_policy_is_refused(clients: Clients) -> None:
    story.declare(clients.developer)
    standing(clients, max_promotions=1)
    by_policy(clients)

    with pytest.raises(Blocked, match="has been used 1 times, its limit"):
        by_policy(clients)


def test_an_unapproved_policy_is_refused(clients: Clients) -> None:
    story.declare(clients.developer)
    propose(clients)

    with pytest.raises(Blocked, match="was not approved by a person yet"):
        by_policy(clients)


def test_an_expired_policy_is_refused(clients: Clients, clock: Clock) -> None:
    story.declare(clients.developer)
    standing(clients, days=10)
    clock.advance(days=11)

    with pytest.raises(Blocked, match="expired at"):
        by_policy(clients)


def test_a_revoked_policy_is_refused(clients: Clients) -> None:
    story.declare(clients.developer)
    standing(clients)
    clients.approver.call(contract.revoke_policy, NamePolicy(policy=POLICY))

    with pytest.raises(Blocked, match="was revoked"):
        by_policy(clients)


def test_a_policy_does_not_decide_for_a_riskier_model(clients: Clients) -> None:
    story.declare(clients.developer)
    standing(clients)
    story.version(clients.developer)
    clients.developer.call(contract.describe_model, DescribeModel(model=MODEL, risk_tier="medium"))

    with pytest.raises(Blocked, match="risk tier is 'medium'"):
        by_policy(clients)


def test_a_policy_revoked_while_checks_run_leaves_it_to_people(clients: Clients) -> None:
    story.declare(clients.developer)
    standing(clients)
    number = story.version(clients.service).number
    story.owned(clients.developer)
    promotion = story.ask(clients.service, number, policy=POLICY)
    clients.approver.call(contract.revoke_policy, NamePolicy(policy=POLICY))

    assert story.say(clients.service, promotion.id).state == "waiting"
    assert "promotion.undecided" in story.kinds(clients.viewer)


def test_a_policy_does_not_decide_on_the_work_of_its_approver(clients: Clients) -> None:
    story.declare(clients.developer)
    standing(clients)
    clients.admin.call(administration.grant_role, GrantRole(person="paul", role="developer"))
    number = story.version(clients.approver).number
    promotion = story.ask(clients.developer, number, policy=POLICY)

    assert story.say(clients.service, promotion.id).state == "waiting"


def test_a_policy_falls_with_its_approver(clients: Clients) -> None:
    story.declare(clients.developer)
    standing(clients)
    clients.admin.call(administration.disable_person, NamePerson(name="paul"))

    assert by_policy(clients).state == "waiting"


def test_nobody_approves_their_own_policy(clients: Clients) -> None:
    clients.admin.call(administration.grant_role, GrantRole(person="dora", role="approver"))
    propose(clients)

    with pytest.raises(Blocked, match="'dora' took part"):
        clients.developer.call(contract.approve_policy, NamePolicy(policy=POLICY))


def test_a_service_approves_no_policy(app: App, clients: Clients) -> None:
    propose(clients)
    robot = local_client(app, app.token_of("service", "robot", "approver"))

    with pytest.raises(Blocked, match="'robot' is a service"):
        robot.call(contract.approve_policy, NamePolicy(policy=POLICY))


def test_a_policy_is_proposed_once(clients: Clients) -> None:
    propose(clients)

    with pytest.raises(Conflict) as caught:
        propose(clients)
    assert caught.value.field == "name"


def test_an_unknown_policy_is_not_found(clients: Clients) -> None:
    propose(clients)

    with pytest.raises(NotFound, match="did you mean 'monthly'"):
        clients.approver.call(contract.approve_policy, NamePolicy(policy="monthy"))
