"""Ways around the gate and the four eyes, and the defence that stops each.

An attack is told by what it does to bring a version into production; `remove` takes away its defence and
nothing else, so that a test can see both: refused with the defence, successful without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from mainspring.administration import contract as administration
from mainspring.administration import group_contract as groups
from mainspring.administration.contract import CreateToken, GrantRole, NamePerson
from mainspring.administration.group_contract import (
    CreateGroup,
    Deny,
    GroupMember,
    GroupRole,
    NameGroup,
)
from mainspring.app import App
from mainspring.core.errors import MainspringError
from mainspring.core.operation import Client, FileClient, Operation
from mainspring.registry import (
    contract,
    desk,
    policy_service,
    promotion,
    promotion_service,
    promotion_store,
)
from mainspring.registry.promotion_store import PromotionStore, Standing
from tests import story
from tests.house import Clients, Clock, local_client

Patch = pytest.MonkeyPatch


@dataclass(frozen=True, slots=True)
class Scene:
    """Where an attack takes place."""

    app: App
    clients: Clients
    clock: Clock

    def both(self, person: str) -> None:
        """Make somebody a developer and an approver; the administrator is no party."""
        for role in ("developer", "approver"):
            request = GrantRole(person=person, role=role)
            self.clients.admin.call(administration.grant_role, request)

    def waiting(self, author: FileClient, asker: Client | None = None, **suite: Any) -> str:
        """A version whose checks have passed; answers its promotion."""
        story.declare(self.clients.admin, **suite)
        return self.asked(author, asker)

    def asked(self, author: FileClient, asker: Client | None = None) -> str:
        found = story.ask(asker or author, story.version(author).number)
        return story.say(self.clients.service, found.id).id


def attempt(client: Client, operation: Operation[Any, Any], request: Any) -> None:
    """Try; what it is refused with stands in the log."""
    try:
        client.call(operation, request)
    except MainspringError:
        return


def approve(client: Client, promotion_id: str) -> None:
    request = contract.Decide(promotion=promotion_id, reason="looks fine")
    attempt(client, contract.decide, request)


@dataclass(frozen=True, slots=True)
class Evasion:
    """One way around."""

    attack: Callable[[Scene], None]
    remove: Callable[[Patch], None]


EVASIONS: dict[str, Evasion] = {}


def stopped_by(remove: Callable[[Patch], None]) -> Callable[[Callable[[Scene], None]], None]:
    """Enter the attack in the list, with what takes its defence away."""

    def enter(attack: Callable[[Scene], None]) -> None:
        EVASIONS[attack.__name__] = Evasion(attack, remove)

    return enter


def nobody_is_a_party(patch: Patch) -> None:
    for place in (desk, promotion_service, policy_service):
        patch.setattr(place, "four_eyes", lambda *_: [])
    patch.setattr(desk.Desk, "parties", lambda *_: set())


@stopped_by(nobody_is_a_party)
def who_asked_approves(scene: Scene) -> None:
    scene.both("paul")
    approve(scene.clients.approver, scene.waiting(scene.clients.developer, scene.clients.approver))


@stopped_by(nobody_is_a_party)
def who_trained_approves(scene: Scene) -> None:
    scene.both("paul")
    story.declare(scene.clients.admin)
    trained = story.train(scene.clients.approver)[1]
    number = story.register(scene.clients.developer, trained)
    found = story.ask(scene.clients.developer, number)
    approve(scene.clients.approver, story.say(scene.clients.service, found.id).id)


@stopped_by(nobody_is_a_party)
def who_registered_approves(scene: Scene) -> None:
    scene.both("paul")
    story.declare(scene.clients.admin)
    trained = story.train(scene.clients.developer)[1]
    number = story.register(scene.clients.approver, trained)
    found = story.ask(scene.clients.developer, number)
    approve(scene.clients.approver, story.say(scene.clients.service, found.id).id)


@stopped_by(nobody_is_a_party)
def an_administrator_approves_their_own(scene: Scene) -> None:
    approve(scene.clients.admin, scene.waiting(scene.clients.admin))


@stopped_by(nobody_is_a_party)
def for_whom_a_service_asked_approves(scene: Scene) -> None:
    story.declare(scene.clients.admin)
    number = story.version(scene.clients.service).number
    story.owned(scene.clients.developer)
    found = story.ask(scene.clients.service, number, on_behalf_of=["paul"])
    approve(scene.clients.approver, story.say(scene.clients.service, found.id).id)


def each_token_counts(patch: Patch) -> None:
    def all_of_them(approvals: Any, bound_to: str) -> dict[int, frozenset[str]]:
        return {n: a.belongs for n, a in enumerate(approvals) if a.approves}

    patch.setattr(promotion, "valid_approvals", all_of_them)


@stopped_by(each_token_counts)
def one_person_approves_with_two_tokens(scene: Scene) -> None:
    asked = scene.waiting(scene.clients.developer, approvals=2)
    second = scene.clients.admin.call(administration.create_token, CreateToken(owner="paul"))
    approve(scene.clients.approver, asked)
    approve(local_client(scene.app, second.token), asked)


def services_decide(patch: Patch) -> None:
    patch.setattr(promotion_service, "refused_party", lambda *_: None)
    everybody_is_entitled(patch)


@stopped_by(services_decide)
def a_service_with_the_role_approves(scene: Scene) -> None:
    robot = local_client(scene.app, scene.app.token_of("service", "robot", "approver"))
    approve(robot, scene.waiting(scene.clients.developer))


def any_grant_counts(patch: Patch) -> None:
    kept = PromotionStore.standing

    def gracious(self: PromotionStore, names: set[str], since: Any) -> dict[str, Standing]:
        return kept(self, names, since._replace(parties=frozenset()))

    patch.setattr(PromotionStore, "standing", gracious)


@stopped_by(any_grant_counts)
def a_party_makes_somebody_its_approver(scene: Scene) -> None:
    asked = scene.waiting(scene.clients.admin)
    request = GrantRole(person="vera", role="approver")
    scene.clients.admin.call(administration.grant_role, request)
    approve(scene.clients.viewer, asked)


@stopped_by(any_grant_counts)
def a_party_puts_somebody_into_a_group_of_approvers(scene: Scene) -> None:
    scene.clients.admin.call(groups.create_group, CreateGroup(name="risk"))
    scene.clients.admin.call(groups.grant_group, GroupRole(group="risk", role="approver"))
    asked = scene.waiting(scene.clients.admin)
    scene.clients.admin.call(groups.add_member, GroupMember(group="risk", person="vera"))
    approve(scene.clients.viewer, asked)


def no_denial_was_lifted(patch: Patch) -> None:
    patch.setattr(promotion_store, "lifted_by", lambda *_: set())


@stopped_by(no_denial_was_lifted)
def a_party_lifts_the_denial_of_its_approver(scene: Scene) -> None:
    denial = Deny(verb="approve", person="paul")
    scene.clients.admin.call(groups.deny, denial)
    asked = scene.waiting(scene.clients.admin)
    scene.clients.admin.call(groups.allow_again, denial)
    approve(scene.clients.approver, asked)


def denied_as_a_group(scene: Scene) -> GroupMember:
    """Paul may approve, and not what the group is denied that he belongs to."""
    paul = GroupMember(group="authors", person="paul")
    scene.clients.admin.call(groups.create_group, CreateGroup(name="authors"))
    scene.clients.admin.call(groups.add_member, paul)
    scene.clients.admin.call(groups.deny, Deny(verb="approve", group="authors"))
    return paul


@stopped_by(no_denial_was_lifted)
def a_party_lifts_the_denial_of_a_group(scene: Scene) -> None:
    denied_as_a_group(scene)
    asked = scene.waiting(scene.clients.admin)
    scene.clients.admin.call(groups.allow_again, Deny(verb="approve", group="authors"))
    approve(scene.clients.approver, asked)


@stopped_by(no_denial_was_lifted)
def a_party_takes_its_approver_out_of_a_group_that_may_not(scene: Scene) -> None:
    member = denied_as_a_group(scene)
    asked = scene.waiting(scene.clients.admin)
    scene.clients.admin.call(groups.remove_member, member)
    approve(scene.clients.approver, asked)


@stopped_by(no_denial_was_lifted)
def a_party_deletes_the_group_that_may_not(scene: Scene) -> None:
    denied_as_a_group(scene)
    asked = scene.waiting(scene.clients.admin)
    scene.clients.admin.call(groups.delete_group, NameGroup(group="authors"))
    approve(scene.clients.approver, asked)


def everybody_is_entitled(patch: Patch) -> None:
    def all_of_them(_: PromotionStore, names: set[str], since: Any) -> dict[str, Standing]:
        return {name: Standing(True, frozenset()) for name in names}

    patch.setattr(PromotionStore, "standing", all_of_them)


@stopped_by(everybody_is_entitled)
def the_approval_of_one_who_was_demoted_since_counts(scene: Scene) -> None:
    asked = scene.waiting(scene.clients.developer, approvals=2)
    approve(scene.clients.approver, asked)
    request = GrantRole(person="paul", role="approver")
    scene.clients.admin.call(administration.revoke_role, request)
    approve(scene.clients.second_approver, asked)


@stopped_by(everybody_is_entitled)
def the_approval_of_one_who_was_removed_since_counts(scene: Scene) -> None:
    asked = scene.waiting(scene.clients.developer, approvals=2)
    approve(scene.clients.approver, asked)
    scene.clients.admin.call(administration.disable_person, NamePerson(name="paul"))
    approve(scene.clients.second_approver, asked)
