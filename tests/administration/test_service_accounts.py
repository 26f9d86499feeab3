"""A program's own account: what it may, what it may never, who manages it, when it is out."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from mainspring.administration import account_contract as accounts
from mainspring.administration import contract as administration
from mainspring.administration import group_contract as groups
from mainspring.administration.account_contract import (
    AddServiceAccount,
    HandOver,
    NameAccountToken,
    NameServiceAccount,
)
from mainspring.administration.actor_store import predictors
from mainspring.administration.contract import (
    AddPerson,
    CreateToken,
    GrantRole,
    NamePerson,
    Nothing,
    SetPassword,
)
from mainspring.administration.group_contract import CreateGroup, Deny, GroupMember, GroupRole
from mainspring.administration.tables import grant_table
from mainspring.app import SERVICE, TRAINER, App, workspace_key
from mainspring.core import access
from mainspring.core.access import ROLES, account_permitted, token_hash
from mainspring.core.clock import utc_now
from mainspring.core.errors import (
    Blocked,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unauthenticated,
)
from mainspring.core.operation import FileClient
from mainspring.server import _service_token
from tests import story
from tests.accounts import CI, add, give, grant, token_by
from tests.conftest import SignIn
from tests.house import Clients, Clock, local_client


def verbs(client: FileClient) -> set[str]:
    return set(client.call(administration.whoami, Nothing()).permissions)


def is_unknown(client: FileClient) -> None:
    with pytest.raises(Unauthenticated):
        client.call(administration.whoami, Nothing())


@pytest.fixture
def robot(clients: Clients, sign_in: SignIn) -> FileClient:
    """Dora's robot, by a token that she made."""
    add(clients)
    return sign_in(token_by(clients.developer).token)


def test_an_account_signs_in_with_its_token_and_has_its_roles(robot: FileClient) -> None:
    me = robot.call(administration.whoami, Nothing())

    assert (me.kind, me.name) == ("service", CI)
    assert set(me.permissions) == ROLES["developer"]


def test_its_token_is_limited_like_any(clients: Clients, sign_in: SignIn, clock: Clock) -> None:
    add(clients)
    made = token_by(clients.developer, verbs=["read"], days=1)
    limited = sign_in(made.token)

    assert verbs(limited) == {"read"}
    clock.advance(days=2)
    is_unknown(limited)


def test_accounts_are_listed_with_who_answers_for_them(clients: Clients) -> None:
    add(clients)
    token_by(clients.admin)
    give(clients, "paul")

    (found,) = clients.viewer.call(accounts.list_accounts, Nothing())

    assert (found.name, found.owner, found.roles) == (CI, "paul", ["developer"])
    assert found.answering == ["ada", "dora", "paul"]
    assert CI not in {one.name for one in clients.admin.call(administration.list_people, Nothing())}


def test_every_step_is_an_event(clients: Clients) -> None:
    add(clients)
    made = token_by(clients.developer)
    give(clients, "paul")
    clients.admin.call(accounts.disable_account, NameServiceAccount(account=CI))

    found = story.events(clients.viewer, subject=CI)

    assert [event.kind for event in found] == [
        "service_account.added",
        "service_account.handed_over",
        "service_account.disabled",
    ]
    assert found[0].facts == {"owner": "dora", "roles": ["developer"]}
    assert found[1].facts == {"owner": "paul", "before": "dora", "tokens": [made.id]}


def test_roles_and_denials_are_given_as_to_people(clients: Clients, robot: FileClient) -> None:
    grant(clients, CI, "deployer")
    clients.admin.call(groups.deny, Deny(person=CI, verb="log"))
    assert verbs(robot) == (ROLES["developer"] | ROLES["deployer"]) - {"log"}

    request = GrantRole(person=CI, role="developer")
    clients.admin.call(administration.revoke_role, request)

    assert verbs(robot) == ROLES["deployer"]
    assert story.events(clients.admin)[-1].subject_kind == "service"


@pytest.mark.parametrize("role", ["service", "trainer", "admin", "approver", "boss"])
def test_some_roles_are_given_to_no_account(clients: Clients, role: str) -> None:
    add(clients)

    with pytest.raises(Invalid, match="role"):
        grant(clients, CI, role)
    with pytest.raises(Invalid, match="role"):
        add(clients, "other", "dora", role)


@pytest.mark.parametrize("role", ["service", "trainer", "admin"])
def test_a_role_that_came_into_the_table_all_the_same_gives_nothing(
    app: App, clients: Clients, robot: FileClient, role: str
) -> None:
    by = {"granted_by": "somebody", "recorded_at": utc_now()}
    with app.database.write() as connection:
        account = connection.exec_driver_sql(f"select id from principal where name = '{CI}'")
        row = {"principal_id": account.scalar_one(), "role": role, **by}
        here = workspace_key(connection, "default")
        connection.execute(insert(grant_table).values(workspace_id=here, **row))

    assert verbs(robot) == ROLES["developer"]


@pytest.mark.parametrize("role", ["admin", "approver"])
def test_a_group_gives_an_account_no_verb_of_peoples(
    clients: Clients, sign_in: SignIn, role: str
) -> None:
    add(clients)
    clients.admin.call(groups.create_group, CreateGroup(name="team"))
    clients.admin.call(groups.grant_group, GroupRole(group="team", role=role))
    clients.admin.call(groups.add_member, GroupMember(group="team", person=CI))

    found = verbs(sign_in(token_by(clients.developer, verbs=["read", "approve", "grant"]).token))

    assert found == {"read"}
    assert "approve" not in verbs(sign_in(token_by(clients.developer).token))


@pytest.mark.parametrize("verb", ["approve", "grant", "admin"])
def test_no_role_of_any_name_gives_an_account_a_verb_of_peoples(
    monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setitem(access.ROLES, f"boss-{verb}", frozenset({"read", verb}))

    assert account_permitted(frozenset({f"boss-{verb}"}), frozenset()) == {"read"}


def test_an_account_asks_for_predictions_while_its_owner_is_here(
    app: App, clients: Clients, robot: FileClient
) -> None:
    clients.admin.call(groups.deny, Deny(person=CI, verb="predict"))
    made = token_by(clients.developer)

    def may() -> bool:
        with app.database.read() as connection:
            key = workspace_key(connection, "default")
            return token_hash(made.token) in predictors(connection, key, utc_now())

    assert not may()
    clients.admin.call(groups.allow_again, Deny(person=CI, verb="predict"))
    assert may()
    clients.admin.call(administration.disable_person, NamePerson(name="dora"))
    assert not may()


# Names.


@pytest.mark.parametrize("name", [SERVICE, TRAINER, "Mainspring"])
def test_no_account_is_called_like_a_service_of_ours(clients: Clients, name: str) -> None:
    with pytest.raises(Conflict, match="of Mainspring's own"):
        add(clients, name)


def test_a_person_and_an_account_share_no_name(clients: Clients) -> None:
    add(clients)

    with pytest.raises(Conflict, match="'ci' is a service's name"):
        clients.admin.call(administration.add_person, AddPerson(name=CI))
    with pytest.raises(Conflict, match="person 'vera' exists"):
        add(clients, "vera")


def test_the_database_refuses_a_shared_name_by_itself(app: App, clients: Clients) -> None:
    add(clients)

    with pytest.raises(Exception, match=r"(?i)unique"), app.database.write() as connection:
        connection.exec_driver_sql(
            "insert into principal (public_id, kind, name, recorded_at) "
            "values ('0', 'person', 'ci', 0)"
        )


def test_a_person_called_like_a_service_of_ours_is_none(app: App, clients: Clients) -> None:
    app.token_of("person", TRAINER, "viewer")  # as a home may have one from earlier

    ours = local_client(app, app.token_of("service", TRAINER, "trainer"))

    assert ours.call(administration.whoami, Nothing()).kind == "service"


# What the server does for its own services, it does to them alone.


def test_a_new_workspace_lets_no_account_in(
    app: App, tokens: dict[str, str], clients: Clients, robot: FileClient, sign_in: SignIn
) -> None:
    made = token_by(clients.admin)
    story.elsewhere(app, tokens)

    with pytest.raises(NotFound):
        verbs(sign_in(made.token, story.ELSEWHERE))


def test_a_start_touches_no_account(app: App, clients: Clients, robot: FileClient) -> None:
    with app.database.write() as connection:
        connection.exec_driver_sql(f"update principal set name = 'trainer' where name = '{CI}'")
    with pytest.raises(Exception, match=r"(?i)unique|exists"):
        _service_token(app, TRAINER, "trainer")

    assert verbs(robot) == ROLES["developer"]


# Who manages it.


def test_its_owner_makes_lists_and_ends_its_tokens(clients: Clients, sign_in: SignIn) -> None:
    add(clients)
    made = token_by(clients.developer)
    name = NameServiceAccount(account=CI)
    listed = clients.developer.call(accounts.list_account_tokens, name)
    assert [token.id for token in listed] == [made.id]

    request = NameAccountToken(account=CI, token=made.id)
    clients.developer.call(accounts.revoke_account_token, request)

    is_unknown(sign_in(made.token))


def test_nobody_else_does(clients: Clients) -> None:
    add(clients)
    made = token_by(clients.developer)
    name = NameServiceAccount(account=CI)

    with pytest.raises(Forbidden):
        token_by(clients.approver)
    with pytest.raises(Forbidden):
        clients.approver.call(accounts.list_account_tokens, name)
    with pytest.raises(Forbidden):
        clients.approver.call(accounts.disable_account, name)
    request = NameAccountToken(account=CI, token=made.id)
    with pytest.raises(Forbidden):
        clients.approver.call(accounts.revoke_account_token, request)


def test_an_account_does_not_manage_itself(clients: Clients, robot: FileClient) -> None:
    with pytest.raises(Forbidden):
        token_by(robot)


def test_an_earlier_owner_does_not(clients: Clients) -> None:
    add(clients)
    give(clients, "paul")

    with pytest.raises(Forbidden):
        token_by(clients.developer)
    assert token_by(clients.approver).owner == CI


def test_its_owner_does_not_with_a_limited_token(clients: Clients, sign_in: SignIn) -> None:
    add(clients)
    request = CreateToken(owner="dora", verbs=["read"])
    limited = clients.admin.call(administration.create_token, request)

    with pytest.raises(Forbidden, match="not with a token that is limited"):
        token_by(sign_in(limited.token), verbs=["read"])


def test_only_administrators_add_and_hand_over(clients: Clients) -> None:
    add(clients)

    with pytest.raises(Forbidden, match="'admin'"):
        clients.developer.call(accounts.add_account, AddServiceAccount(name="mine"))
    with pytest.raises(Forbidden, match="'admin'"):
        clients.developer.call(accounts.hand_over, HandOver(account=CI, owner="paul"))


def test_a_token_of_another_is_not_ended_as_one_of_its(clients: Clients) -> None:
    add(clients)
    hers = clients.admin.call(administration.create_token, CreateToken(owner="vera"))

    request = NameAccountToken(account=CI, token=hers.id)
    with pytest.raises(NotFound):
        clients.developer.call(accounts.revoke_account_token, request)


@pytest.mark.parametrize("name", ["nobody", SERVICE, CI])
def test_its_owner_is_a_person(clients: Clients, name: str) -> None:
    add(clients)

    with pytest.raises(NotFound):
        add(clients, "other", name)
    with pytest.raises(NotFound):
        give(clients, name)


def test_its_owner_is_a_person_who_can_sign_in(clients: Clients) -> None:
    clients.admin.call(administration.disable_person, NamePerson(name="vera"))

    with pytest.raises(Conflict, match="disabled"):
        add(clients, CI, "vera")


def test_it_has_no_password_and_no_token_of_people(clients: Clients) -> None:
    add(clients)

    request = SetPassword(person=CI, password="a long secret of its own")
    with pytest.raises(NotFound):
        clients.admin.call(administration.set_password, request)
    with pytest.raises(NotFound):
        clients.admin.call(administration.create_token, CreateToken(owner=CI))


def test_who_administers_another_workspace_takes_no_account_over(
    app: App, tokens: dict[str, str], clients: Clients
) -> None:
    add(clients)
    there = story.elsewhere(app, tokens)

    with pytest.raises(Blocked, match="would be so in every workspace"):
        there.call(accounts.hand_over, HandOver(account=CI, owner="ada"))
    with pytest.raises(Blocked, match="would be so in every workspace"):
        there.call(accounts.disable_account, NameServiceAccount(account=CI))


# When its tokens prove nothing.


def test_a_disabled_account_is_out_at_once(clients: Clients, robot: FileClient) -> None:
    clients.developer.call(accounts.disable_account, NameServiceAccount(account=CI))

    is_unknown(robot)
    with pytest.raises(Conflict, match="disabled"):
        token_by(clients.developer)


def test_when_its_owner_is_disabled_it_is_out_at_once(
    clients: Clients, sign_in: SignIn, robot: FileClient
) -> None:
    made = token_by(clients.admin)
    clients.admin.call(administration.disable_person, NamePerson(name="dora"))

    is_unknown(robot)
    is_unknown(sign_in(made.token))


def test_who_handed_it_over_cannot_go_on_with_its_tokens(
    clients: Clients, robot: FileClient
) -> None:
    give(clients, "paul")

    is_unknown(robot)
