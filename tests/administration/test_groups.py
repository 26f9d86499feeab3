"""Groups and denials, on both databases and both clients; the matrix of verbs is generated."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mainspring.administration import contract
from mainspring.administration import group_contract as groups
from mainspring.administration.actor_store import entitled, predictors
from mainspring.administration.contract import AddPerson, CreateToken, NamePerson, Nothing
from mainspring.administration.group_contract import (
    CreateGroup,
    Deny,
    GroupMember,
    GroupRole,
    NameGroup,
    PeopleGroup,
)
from mainspring.app import OPERATIONS, App, LocalClient, workspace_key
from mainspring.core.access import PEOPLES_ROLES, PERMISSIONS, ROLES, permitted, token_hash
from mainspring.core.clock import utc_now
from mainspring.core.errors import Blocked, Conflict, Forbidden, Invalid, NotFound
from mainspring.core.operation import FileClient, Operation
from mainspring.core.settings import Settings
from tests import story
from tests.conftest import SignIn, Template
from tests.house import Clients, local_client
from tests.sample import sample

TEAM = "team"


def made(clients: Clients, *roles: str, members: tuple[str, ...] = ("vera",)) -> PeopleGroup:
    """A group with these people and roles."""
    clients.admin.call(groups.create_group, CreateGroup(name=TEAM))
    for person in members:
        clients.admin.call(groups.add_member, GroupMember(group=TEAM, person=person))
    for role in roles:
        clients.admin.call(groups.grant_group, GroupRole(group=TEAM, role=role))
    return clients.admin.call(groups.list_groups, Nothing())[-1]


def verbs(client: FileClient) -> set[str]:
    return set(client.call(contract.whoami, Nothing()).permissions)


def test_a_groups_roles_are_its_members(clients: Clients) -> None:
    group = made(clients, "approver", "deployer")

    assert (group.members, group.roles, group.denied) == (["vera"], ["approver", "deployer"], [])
    assert verbs(clients.viewer) == ROLES["viewer"] | ROLES["approver"] | ROLES["deployer"]
    assert verbs(clients.developer) == ROLES["developer"]


def test_whoever_leaves_has_the_roles_no_longer(clients: Clients) -> None:
    made(clients, "developer")
    clients.admin.call(groups.remove_member, GroupMember(group=TEAM, person="vera"))

    assert verbs(clients.viewer) == ROLES["viewer"]


def test_a_role_taken_from_the_group_is_taken_from_all(clients: Clients) -> None:
    made(clients, "developer", "auditor")
    clients.admin.call(groups.revoke_group, GroupRole(group=TEAM, role="developer"))

    assert verbs(clients.viewer) == ROLES["viewer"]


def test_a_deleted_group_gives_nothing_and_denies_nothing(clients: Clients) -> None:
    made(clients, "developer")
    clients.admin.call(groups.deny, Deny(group=TEAM, verb="read"))

    clients.admin.call(groups.delete_group, NameGroup(group=TEAM))

    assert verbs(clients.viewer) == ROLES["viewer"]
    assert clients.admin.call(groups.list_groups, Nothing()) == []
    assert clients.admin.call(groups.list_denials, Nothing()) == []
    assert story.events(clients.admin)[-1].facts["denied"] == ["read"]


def test_a_group_alone_lets_its_people_into_the_workspace(
    clients: Clients, sign_in: SignIn
) -> None:
    clients.admin.call(contract.add_person, AddPerson(name="zoe"))
    zoe = sign_in(clients.admin.call(contract.create_token, CreateToken(owner="zoe")).token)
    with pytest.raises(NotFound):
        verbs(zoe)

    made(clients, "viewer", members=("zoe",))

    assert verbs(zoe) == ROLES["viewer"]


def test_a_denied_verb_is_denied_whatever_gives_it(clients: Clients) -> None:
    made(clients, "developer", "admin")

    clients.admin.call(groups.deny, Deny(person="vera", verb="log"))

    assert verbs(clients.viewer) == (ROLES["developer"] | ROLES["admin"]) - {"log"}
    with pytest.raises(Forbidden, match="'log'"):
        story.open_run(clients.viewer)


def test_a_verb_denied_to_a_group_is_denied_to_those_in_it(clients: Clients) -> None:
    made(clients, members=("dora", "vera"))

    clients.admin.call(groups.deny, Deny(group=TEAM, verb="log"))

    assert verbs(clients.developer) == ROLES["developer"] - {"log"}
    assert verbs(clients.viewer) == ROLES["viewer"]
    assert verbs(clients.deployer) == ROLES["deployer"]


def test_what_is_allowed_again_is_what_the_roles_allow(clients: Clients) -> None:
    request = Deny(person="dora", verb="log")
    clients.admin.call(groups.deny, request)
    clients.admin.call(groups.allow_again, request)

    assert verbs(clients.developer) == ROLES["developer"]
    with pytest.raises(NotFound, match="is not denied 'log'"):
        clients.admin.call(groups.allow_again, request)


def test_denials_are_listed(clients: Clients) -> None:
    made(clients)
    clients.admin.call(groups.deny, Deny(person="dora", verb="log"))
    clients.admin.call(groups.deny, Deny(group=TEAM, verb="approve"))

    listed = clients.admin.call(groups.list_denials, Nothing())

    assert [(one.verb, one.person, one.group, one.denied_by) for one in listed] == [
        ("log", "dora", None, "ada"),
        ("approve", None, TEAM, "ada"),
    ]


def test_who_is_denied_everything_finds_no_workspace(clients: Clients) -> None:
    clients.admin.call(groups.deny, Deny(person="vera", verb="read"))

    with pytest.raises(NotFound, match="no workspace named 'default' for you"):
        verbs(clients.viewer)


def test_nobody_denies_themselves_what_it_takes_to_undo_it(clients: Clients) -> None:
    made(clients, members=("ada",))

    for verb, about in itertools.product(("grant", "admin"), ({"person": "ada"}, {"group": TEAM})):
        with pytest.raises(Blocked, match="nobody denies themselves"):
            clients.admin.call(groups.deny, Deny(verb=verb, **about))


@pytest.mark.parametrize("about", [{}, {"person": "vera", "group": TEAM}], ids=["nobody", "both"])
def test_a_denial_is_about_a_person_or_a_group(clients: Clients, about: dict[str, str]) -> None:
    made(clients)

    with pytest.raises(Invalid, match="a person or a group"):
        clients.admin.call(groups.deny, Deny(verb="log", **about))


def test_doing_it_again_is_no_second_event(clients: Clients) -> None:
    made(clients, "viewer")
    clients.admin.call(groups.deny, Deny(person="dora", verb="log"))
    before = len(story.events(clients.admin))

    clients.admin.call(groups.add_member, GroupMember(group=TEAM, person="vera"))
    clients.admin.call(groups.grant_group, GroupRole(group=TEAM, role="viewer"))
    assert clients.admin.call(groups.deny, Deny(person="dora", verb="log")).count == 0

    assert len(story.events(clients.admin)) == before


WRONG: dict[str, tuple[Any, Any, type[Exception]]] = {
    "a group twice": (groups.create_group, CreateGroup(name=TEAM), Conflict),
    "no such group": (groups.add_member, GroupMember(group="taem", person="vera"), NotFound),
    "no such person": (groups.add_member, GroupMember(group=TEAM, person="nobody"), NotFound),
    "a service": (groups.add_member, GroupMember(group=TEAM, person="mainspring"), NotFound),
    "not a member": (groups.remove_member, GroupMember(group=TEAM, person="dora"), NotFound),
    "no such role": (groups.grant_group, GroupRole(group=TEAM, role="emperor"), Invalid),
    "a services role": (groups.grant_group, GroupRole(group=TEAM, role="service"), Invalid),
    "a trainers role": (groups.grant_group, GroupRole(group=TEAM, role="trainer"), Invalid),
    "not its role": (groups.revoke_group, GroupRole(group=TEAM, role="viewer"), NotFound),
    "no such verb": (groups.deny, Deny(person="vera", verb="aprove"), Invalid),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_there_is_refused(clients: Clients, case: str) -> None:
    made(clients)
    operation, request, error = WRONG[case]

    with pytest.raises(error):
        clients.admin.call(operation, request)


def test_a_group_of_one_workspace_gives_nothing_in_another(
    app: App, clients: Clients, tokens: dict[str, str]
) -> None:
    there = story.elsewhere(app, tokens)
    there.call(groups.create_group, CreateGroup(name=TEAM))
    there.call(groups.add_member, GroupMember(group=TEAM, person="vera"))
    there.call(groups.grant_group, GroupRole(group=TEAM, role="admin"))
    there.call(groups.deny, Deny(group=TEAM, verb="read"))
    there.call(groups.deny, Deny(person="dora", verb="log"))

    assert verbs(clients.viewer) == ROLES["viewer"]
    assert verbs(clients.developer) == ROLES["developer"]
    with pytest.raises(NotFound, match="no group named 'team'"):
        clients.admin.call(groups.add_member, GroupMember(group=TEAM, person="ada"))
    vera = local_client(app, tokens["vera"], story.ELSEWHERE)
    with pytest.raises(Forbidden):
        vera.call(contract.list_people, Nothing())


def test_who_is_in_a_group_elsewhere_is_disabled_by_nobody_of_here(
    app: App, clients: Clients, tokens: dict[str, str]
) -> None:
    clients.admin.call(contract.add_person, AddPerson(name="zoe"))
    made(clients, "viewer", members=("zoe",))
    there = story.elsewhere(app, tokens)

    with pytest.raises(Blocked, match="in every workspace"):
        there.call(contract.disable_person, NamePerson(name="zoe"))


def test_an_approver_who_is_denied_it_counts_no_longer(app: App, clients: Clients) -> None:
    def able() -> set[str]:
        with app.database.read() as connection:
            names = {"paul", "petra", "vera", "dora"}
            return entitled(connection, workspace_key(connection, "default"), "approve", names)

    assert able() == {"paul", "petra"}
    made(clients, "approver")
    clients.admin.call(groups.deny, Deny(person="paul", verb="approve"))
    assert able() == {"petra", "vera"}


def test_who_is_denied_it_approves_nothing(clients: Clients) -> None:
    story.declare(clients.developer)
    promotion = story.ask(clients.developer, story.version(clients.developer).number)
    story.say(clients.service, promotion.id)
    clients.admin.call(groups.deny, Deny(person="paul", verb="approve"))

    with pytest.raises(Forbidden, match="'approve'"):
        story.approve(clients.approver, promotion.id)


def test_who_may_predict_is_found_by_group_and_denial(
    app: App, clients: Clients, tokens: dict[str, str]
) -> None:
    made(clients, "deployer")
    clients.admin.call(groups.deny, Deny(person="dora", verb="predict"))

    with app.database.read() as connection:
        found = predictors(connection, workspace_key(connection, "default"), utc_now())

    assert token_hash(tokens["vera"]) in found
    assert token_hash(tokens["dora"]) not in found


def test_denying_always_wins() -> None:
    for role, verb in itertools.product(PEOPLES_ROLES, PERMISSIONS):
        everything = frozenset({role, "admin"})
        assert verb not in permitted(everything, frozenset({verb}))


EVERY = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))


@pytest.fixture(scope="module")
def denied(
    sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], LocalClient]]:
    """Somebody with every role there is, who is denied one verb: as a person, or by a group."""
    home = tmp_path_factory.mktemp("denied")
    shutil.copy(sqlite_template.place, home / "mainspring.db")
    app = App(Settings(home=home))
    admin = local_client(app, sqlite_template.tokens["ada"])
    clients = {}
    for place, verb in enumerate(PERMISSIONS):
        for role in ROLES:
            token = app.token_of("person", f"max-{verb}", role)
        about = {"person": f"max-{verb}"}
        if place % 2:
            about = {"group": f"no-{verb}"}
            admin.call(groups.create_group, CreateGroup(name=f"no-{verb}"))
            member = GroupMember(group=f"no-{verb}", person=f"max-{verb}")
            admin.call(groups.add_member, member)
        admin.call(groups.deny, Deny(verb=verb, **about))
        clients[verb] = local_client(app, token)
    yield clients.__getitem__
    app.close()


@EVERY
def test_what_is_denied_is_refused_for_every_operation(
    operation: Operation[Any, Any], denied: Callable[[str], LocalClient]
) -> None:
    with pytest.raises(Forbidden, match=f"needs the permission '{operation.allow}'"):
        denied(operation.allow).call(operation, sample(operation))
