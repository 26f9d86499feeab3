"""Whatever a program's own account does counts as done by everybody who answers for it."""

from __future__ import annotations

import pytest

from mainspring.administration import account_contract as accounts
from mainspring.administration import contract as administration
from mainspring.administration.account_contract import (
    NameServiceAccount,
)
from mainspring.core.errors import (
    Blocked,
    Forbidden,
)
from mainspring.core.operation import FileClient
from mainspring.registry import contract, standing_contract
from mainspring.registry import override_contract as breaking
from mainspring.registry.contract import NamePolicy, Promotion, ProposePolicy
from tests import story
from tests.accounts import CI, add, give, grant, token_by
from tests.conftest import SignIn
from tests.house import Clients
from tests.registry.test_four_eyes import refuses_its_party, stage_of
from tests.story import MODEL


@pytest.fixture
def robot(clients: Clients, sign_in: SignIn) -> FileClient:
    """Dora's robot, by a token that she made."""
    add(clients)
    return sign_in(token_by(clients.developer).token)


def asked(clients: Clients, robot: FileClient) -> Promotion:
    """The robot trains, registers and asks; the check passes."""
    story.declare(clients.admin)
    promotion = story.ask(robot, story.version(robot).number)
    story.say(clients.service, promotion.id)
    return promotion


def test_its_owner_may_not_approve_what_it_asked_for(clients: Clients, robot: FileClient) -> None:
    grant(clients, "dora", "approver")
    promotion = asked(clients, robot)

    with pytest.raises(Blocked, match="'dora' took part"):
        story.approve(clients.developer, promotion.id)
    with pytest.raises(Blocked, match="'dora' took part"):
        story.approve(clients.developer, promotion.id, "reject")
    assert stage_of(clients, promotion.version) == "development"


def test_another_may(clients: Clients, robot: FileClient) -> None:
    promotion = asked(clients, robot)

    story.approve(clients.approver, promotion.id)

    assert stage_of(clients, promotion.version) == "production"


def test_after_a_hand_over_neither_owner_may(clients: Clients, robot: FileClient) -> None:
    grant(clients, "dora", "approver")
    promotion = asked(clients, robot)
    give(clients, "paul")

    refuses_its_party(clients, promotion)
    with pytest.raises(Blocked, match="'dora' took part"):
        story.approve(clients.developer, promotion.id)


def test_who_owned_it_before_it_did_anything_may_not_either(
    clients: Clients, sign_in: SignIn
) -> None:
    add(clients, CI, "paul")
    give(clients, "dora")
    promotion = asked(clients, sign_in(token_by(clients.developer).token))

    refuses_its_party(clients, promotion)


def test_who_made_a_token_for_it_may_not_either(clients: Clients, sign_in: SignIn) -> None:
    add(clients)
    made = token_by(clients.admin)
    promotion = asked(clients, sign_in(made.token))
    clients.admin.call(administration.revoke_token, administration.NameToken(token=made.id))

    with pytest.raises(Blocked, match="'ada' took part"):
        story.approve(clients.admin, promotion.id)


def test_disabling_it_frees_nobody(clients: Clients, sign_in: SignIn) -> None:
    add(clients, CI, "paul")
    promotion = asked(clients, sign_in(token_by(clients.approver).token))
    clients.admin.call(accounts.disable_account, NameServiceAccount(account=CI))

    refuses_its_party(clients, promotion)


@pytest.mark.parametrize("part", ["trained", "registered", "requested"])
def test_any_part_that_it_took_is_its_owners(clients: Clients, sign_in: SignIn, part: str) -> None:
    add(clients, CI, "paul")
    robot = sign_in(token_by(clients.approver).token)
    does = {name: robot if name == part else clients.developer for name in PARTS}
    story.declare(clients.admin)
    number = story.register(does["registered"], story.train(does["trained"])[1])
    promotion = story.ask(does["requested"], number)
    story.say(clients.service, promotion.id)

    refuses_its_party(clients, promotion)


PARTS = ("trained", "registered", "requested")


def test_for_whom_it_was_asked_brings_its_owner_too(clients: Clients) -> None:
    add(clients, CI, "paul")
    story.declare(clients.admin)
    number = story.version(clients.developer).number
    promotion = story.ask(clients.service, number, on_behalf_of=[CI])
    story.say(clients.service, promotion.id)

    refuses_its_party(clients, promotion)


def test_an_account_makes_nobody_else_a_party(clients: Clients, robot: FileClient) -> None:
    story.declare(clients.admin)

    with pytest.raises(Forbidden, match="only a service asks for others"):
        story.ask(robot, story.version(robot).number, on_behalf_of=["paul"])


def test_an_approval_of_who_was_given_it_since_counts_no_more(
    clients: Clients, robot: FileClient
) -> None:
    story.declare(clients.admin, approvals=2)
    promotion = story.ask(robot, story.version(robot).number)
    story.say(clients.service, promotion.id)
    story.approve(clients.approver, promotion.id)
    give(clients, "paul")

    promotion = story.approve(clients.second_approver, promotion.id)

    assert (promotion.state, promotion.missing) == ("waiting", ["1 of 2 approvals given"])


def test_who_declared_that_nobody_has_to_agree_cannot_profit_from_it_by_a_robot(
    clients: Clients, sign_in: SignIn
) -> None:
    add(clients, CI, "ada")
    robot = sign_in(token_by(clients.admin).token)
    story.declare(clients.admin, approvals=0)
    promotion = story.ask(robot, story.version(robot).number)

    promotion = story.say(clients.service, promotion.id)

    assert (promotion.state, promotion.missing) == ("waiting", ["0 of 1 approvals given"])


def test_its_owner_does_not_approve_the_policy_that_it_proposed(
    clients: Clients, sign_in: SignIn
) -> None:
    add(clients, CI, "paul")
    robot = sign_in(token_by(clients.approver).token)
    story.declare(clients.admin)
    robot.call(contract.propose_policy, ProposePolicy(name="alone", model=MODEL))

    with pytest.raises(Blocked, match="'paul' took part"):
        clients.approver.call(contract.approve_policy, NamePolicy(policy="alone"))


def test_its_owners_policy_does_not_speak_for_it(clients: Clients, sign_in: SignIn) -> None:
    add(clients, CI, "paul")
    robot = sign_in(token_by(clients.approver).token)
    story.declare(clients.admin)
    clients.developer.call(contract.propose_policy, ProposePolicy(name="alone", model=MODEL))
    clients.approver.call(contract.approve_policy, NamePolicy(policy="alone"))
    promotion = story.ask(robot, story.version(robot).number, policy="alone")

    assert story.say(clients.service, promotion.id).state == "waiting"


def test_its_owner_does_not_let_its_blocked_version_go(clients: Clients, sign_in: SignIn) -> None:
    add(clients, CI, "paul")
    robot = sign_in(token_by(clients.approver).token)
    number = story.version(robot).number
    request = standing_contract.Judge(model=MODEL, version=number, reason="looks odd")
    clients.admin.call(standing_contract.block, request)

    with pytest.raises(Blocked, match="'paul' took part"):
        clients.approver.call(standing_contract.unblock, request)


def test_its_owner_does_not_confirm_what_went_past_the_gate_for_it(
    clients: Clients, sign_in: SignIn
) -> None:
    add(clients, CI, "paul")
    robot = sign_in(token_by(clients.approver).token)
    story.declare(clients.admin, override_hours=4)
    first = story.ask(clients.developer, story.version(clients.developer).number)
    story.say(clients.service, first.id)
    story.approve(clients.second_approver, first.id)
    number = story.version(robot).number
    past = breaking.Override(model=MODEL, version=number, reason="the other one is broken")
    promotion = clients.deployer.call(breaking.override, past)

    request = breaking.Confirm(promotion=promotion.id, reason="I looked at it")
    with pytest.raises(Blocked, match="'paul' took part"):
        clients.approver.call(breaking.confirm, request)


def test_an_account_decides_nothing_itself(clients: Clients, robot: FileClient) -> None:
    promotion = asked(clients, clients.developer)

    with pytest.raises(Forbidden, match="'approve'"):
        story.approve(robot, promotion.id)


def test_a_model_that_it_made_is_its_owners(clients: Clients, robot: FileClient) -> None:
    story.version(robot)

    request = contract.NameModel(model=MODEL)
    assert clients.viewer.call(contract.show_model, request).owner == "dora"
