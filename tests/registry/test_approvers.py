"""Who has to agree: roles, groups, service accounts; and whose grants do not count."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.administration import contract as administration
from mainspring.administration import group_contract as groups
from mainspring.administration.account_contract import NameServiceAccount, disable_account
from mainspring.administration.contract import GrantRole, NamePerson
from mainspring.administration.group_contract import CreateGroup, GroupMember
from mainspring.core.errors import Blocked, Conflict, Forbidden, Invalid
from mainspring.core.operation import Client, FileClient
from mainspring.registry import contract
from mainspring.registry.contract import (
    NamePromotion,
    NameVersion,
    Promotion,
    Vouch,
)
from tests import story
from tests.accounts import add, token_by
from tests.house import Clients
from tests.registry.test_gates import waiting
from tests.story import MODEL


def show(clients: Clients, promotion: Promotion) -> Promotion:
    named = NamePromotion(promotion=promotion.id)
    return clients.viewer.call(contract.show_promotion, named)


def group(clients: Clients, name: str, *people: str) -> None:
    clients.admin.call(groups.create_group, CreateGroup(name=name))
    for person in people:
        clients.admin.call(groups.add_member, GroupMember(group=name, person=person))


def test_approvers_of_a_group_are_asked_for(clients: Clients) -> None:
    group(clients, "risk", "petra")
    promotion = waiting(clients, approvers={"group:risk": 1, "approver": 1})

    found = story.approve(clients.approver, promotion.id)
    assert found.missing == ["0 of 1 approvals by the group 'risk' given"]

    assert story.approve(clients.second_approver, promotion.id).state == "promoted"


def test_who_left_the_group_counts_for_it_no_longer(clients: Clients) -> None:
    group(clients, "risk", "petra")
    promotion = waiting(clients, approvals=2, approvers={"group:risk": 1})
    story.approve(clients.second_approver, promotion.id)
    clients.admin.call(groups.remove_member, GroupMember(group="risk", person="petra"))

    found = story.approve(clients.approver, promotion.id)

    assert found.missing == ["0 of 1 approvals by the group 'risk' given"]


def test_approvals_by_an_administrator_are_asked_for(clients: Clients) -> None:
    promotion = waiting(clients, approvers={"admin": 1})

    found = story.approve(clients.approver, promotion.id)
    assert found.missing == ["0 of 1 approvals by the role 'admin' given"]
    assert story.approve(clients.admin, promotion.id).state == "promoted"


@pytest.mark.parametrize("name", ["viewer", "developer", "group:nobody", "aprover"])
def test_roles_that_cannot_approve_are_not_asked_for(clients: Clients, name: str) -> None:
    with pytest.raises(Invalid, match=f"nobody approves as '{name}'"):
        story.declare(clients.developer, approvers={name: 1})


def test_asking_for_less_takes_somebody_who_may_approve(clients: Clients) -> None:
    group(clients, "risk", "petra")
    demands: dict[str, Any] = {
        "approvers": {"group:risk": 1},
        "verdict_hours": 24,
        "training_days": 30,
    }
    story.declare(clients.developer, **demands)
    laxer: list[dict[str, Any]] = [
        {**demands, "approvers": {}},
        {**demands, "verdict_hours": None},
        {**demands, "verdict_hours": 25},
        {**demands, "training_days": 31},
        {**demands, "services": ["robot"]},
    ]

    for asked in laxer:
        with pytest.raises((Forbidden, Invalid)):
            story.declare(clients.developer, **asked)
    story.declare(clients.developer, **{**demands, "verdict_hours": 12})


def vouch(client: Client, promotion: Promotion) -> Promotion:
    return client.call(contract.vouch, Vouch(promotion=promotion.id, reason="the scan is clean"))


def robot(clients: Clients, name: str, owner: str) -> FileClient:
    """A service account of somebody, and its client."""
    add(clients, name, owner)
    owners = {"ada": clients.admin, "dora": clients.developer, "paul": clients.approver}
    return clients.signed_in(token_by(owners[owner], name).token)


def checked(clients: Clients, *services: str, approvals: int = 1, asker: Client) -> Promotion:
    """A promotion whose checks have passed, of a suite that names service accounts."""
    demands = {"approvals": approvals, "services": list(services)}
    story.declare(clients.admin, **demands)  # type: ignore[arg-type]
    promotion = story.ask(asker, story.version(clients.developer).number)
    return story.say(clients.service, promotion.id)


def test_a_service_account_vouches_where_the_suite_names_it(clients: Clients) -> None:
    scanner, other = robot(clients, "scanner", "ada"), robot(clients, "other", "ada")
    promotion = checked(clients, "scanner", approvals=2, asker=clients.developer)

    with pytest.raises(Blocked, match="no service account that the suite lets approve: scanner"):
        vouch(other, promotion)
    with pytest.raises(Blocked, match="no service account"):
        vouch(clients.developer, promotion)
    with pytest.raises(Forbidden):
        story.approve(scanner, promotion.id)
    assert vouch(scanner, promotion).missing == ["1 of 2 approvals given"]
    assert story.approve(clients.approver, promotion.id).state == "promoted"


def test_it_waits_for_the_checks(clients: Clients) -> None:
    scanner = robot(clients, "scanner", "ada")
    story.declare(clients.admin, services=["scanner"])
    promotion = story.ask(clients.developer, story.version(clients.developer).number)

    with pytest.raises(Conflict, match="still running"):
        vouch(scanner, promotion)


def test_it_does_not_vouch_for_its_own_work_or_its_owners(clients: Clients) -> None:
    scanner, doras = robot(clients, "scanner", "ada"), robot(clients, "doras", "dora")
    promotion = checked(clients, "scanner", "doras", asker=scanner)

    with pytest.raises(Blocked, match="'scanner' took part"):
        vouch(scanner, promotion)
    with pytest.raises(Blocked, match="'doras' answers to 'dora', who took part"):
        vouch(doras, promotion)


def test_a_person_does_not_count_twice_by_a_robot(clients: Clients) -> None:
    mine, other = robot(clients, "mine", "paul"), robot(clients, "other", "paul")
    promotion = checked(clients, "mine", "other", approvals=2, asker=clients.developer)

    assert vouch(mine, promotion).missing == ["1 of 2 approvals given"]
    assert vouch(other, promotion).missing == ["1 of 2 approvals given"]
    assert story.approve(clients.approver, promotion.id).missing == ["1 of 2 approvals given"]
    assert story.approve(clients.second_approver, promotion.id).state == "promoted"


def test_a_service_account_that_was_disabled_since_does_not_count(clients: Clients) -> None:
    scanner = robot(clients, "scanner", "ada")
    promotion = checked(clients, "scanner", approvals=2, asker=clients.developer)
    vouch(scanner, promotion)
    clients.admin.call(disable_account, NameServiceAccount(account="scanner"))

    assert story.approve(clients.approver, promotion.id).missing == ["1 of 2 approvals given"]


def test_nor_does_one_whose_owner_was_disabled_since(clients: Clients) -> None:
    scanner = robot(clients, "scanner", "paul")
    promotion = checked(clients, "scanner", approvals=2, asker=clients.developer)
    vouch(scanner, promotion)
    clients.admin.call(administration.disable_person, NamePerson(name="paul"))

    assert story.approve(clients.second_approver, promotion.id).missing == [
        "1 of 2 approvals given"
    ]


@pytest.mark.parametrize("name", ["mainspring", "nobody", "paul"])
def test_only_service_accounts_are_named(clients: Clients, name: str) -> None:
    with pytest.raises(Invalid, match=f"no service account is called '{name}'"):
        story.declare(clients.admin, services=[name])


def grant(client: Client, person: str, role: str) -> None:
    client.call(administration.grant_role, GrantRole(person=person, role=role))


def test_what_a_party_grants_after_the_training_does_not_count(clients: Clients) -> None:
    """An administrator who trained a model makes somebody its approver."""
    story.declare(clients.developer)
    promotion = story.ask(clients.admin, story.version(clients.admin).number)
    story.say(clients.service, promotion.id)
    grant(clients.admin, "vera", "approver")

    with pytest.raises(Blocked, match="'vera' may approve by the grace of a party alone"):
        story.approve(clients.viewer, promotion.id)
    assert story.approve(clients.approver, promotion.id).state == "promoted"


def test_nor_does_a_group_that_a_party_puts_somebody_into(clients: Clients) -> None:
    clients.admin.call(groups.create_group, CreateGroup(name="risk"))
    role = groups.GroupRole(group="risk", role="approver")
    clients.admin.call(groups.grant_group, role)
    story.declare(clients.developer)
    promotion = story.ask(clients.admin, story.version(clients.admin).number)
    story.say(clients.service, promotion.id)
    member = GroupMember(group="risk", person="vera")
    clients.admin.call(groups.add_member, member)

    with pytest.raises(Blocked, match="by the grace of a party alone"):
        story.approve(clients.viewer, promotion.id)


def test_an_approval_that_was_good_is_void_once_it_hangs_on_a_party(clients: Clients) -> None:
    """Taken from her and given back by who trained it: the second grant is the party's."""
    story.declare(clients.developer, approvals=2)
    promotion = story.ask(clients.admin, story.version(clients.admin).number)
    story.say(clients.service, promotion.id)
    story.approve(clients.second_approver, promotion.id)
    role = GrantRole(person="petra", role="approver")
    clients.admin.call(administration.revoke_role, role)
    grant(clients.admin, "petra", "approver")

    assert story.approve(clients.approver, promotion.id).missing == ["1 of 2 approvals given"]


def test_what_was_granted_before_the_training_counts(clients: Clients) -> None:
    grant(clients.admin, "vera", "approver")
    story.declare(clients.developer)
    promotion = story.ask(clients.admin, story.version(clients.admin).number)
    story.say(clients.service, promotion.id)

    assert story.approve(clients.viewer, promotion.id).state == "promoted"


def test_who_was_removed_after_approving_does_not_count(clients: Clients) -> None:
    promotion = waiting(clients, approvals=2)
    story.approve(clients.approver, promotion.id)
    clients.admin.call(administration.disable_person, NamePerson(name="paul"))

    found = story.approve(clients.second_approver, promotion.id)

    assert (found.state, found.missing) == ("waiting", ["1 of 2 approvals given"])
    version = NameVersion(model=MODEL, version=promotion.version)
    assert clients.viewer.call(contract.show_version, version).stage == "development"
    assert show(clients, promotion).bound_to is not None
