"""People, tokens, roles and workspaces, on both databases and both clients."""

from __future__ import annotations

import pytest

from mainspring.administration import contract
from mainspring.administration.actor_store import predictors
from mainspring.administration.contract import (
    AddPerson,
    CreateToken,
    CreateWorkspace,
    GrantRole,
    NamePerson,
    NameToken,
    NewToken,
    Nothing,
    Person,
)
from mainspring.app import SERVICE, App, workspace_key
from mainspring.core.access import token_hash
from mainspring.core.clock import utc_now
from mainspring.core.errors import (
    Blocked,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unauthenticated,
)
from mainspring.core.name_patterns import Patterns
from mainspring.core.operation import FileClient, Request
from tests import story
from tests.conftest import SignIn
from tests.house import Clients, Clock, at_once, local_client


def add(clients: Clients, name: str, *roles: str) -> Person:
    return clients.admin.call(contract.add_person, AddPerson(name=name, roles=list(roles)))


def token_for(clients: Clients, owner: str, **limits: object) -> NewToken:
    request = CreateToken(owner=owner, **limits)  # type: ignore[arg-type]
    return clients.admin.call(contract.create_token, request)


def name_of(client: FileClient) -> str:
    return client.call(contract.whoami, Nothing()).name


def is_unknown(client: FileClient) -> None:
    with pytest.raises(Unauthenticated):
        client.call(contract.whoami, Nothing())


def test_a_token_says_who_you_are(clients: Clients) -> None:
    me = clients.developer.call(contract.whoami, Nothing())

    assert (me.kind, me.name, me.workspace) == ("person", "dora", "default")
    assert "register" in me.permissions


def test_a_new_token_signs_its_owner_in(clients: Clients, sign_in: SignIn) -> None:
    assert name_of(sign_in(token_for(clients, "vera").token)) == "vera"


def test_a_limited_token_may_less_than_its_owner(clients: Clients, sign_in: SignIn) -> None:
    limited = sign_in(token_for(clients, "dora", verbs=["read"]).token)

    with pytest.raises(Forbidden, match="'log'"):
        story.open_run(limited)


def test_a_limited_token_makes_none_that_may_more(clients: Clients, sign_in: SignIn) -> None:
    limited = sign_in(token_for(clients, "ada", verbs=["admin"]).token)

    with pytest.raises(Forbidden, match="makes no token that may do more"):
        limited.call(contract.create_token, CreateToken(owner="ada"))


def test_an_unknown_permission_is_refused_with_the_nearest(clients: Clients) -> None:
    with pytest.raises(Invalid, match="did you mean 'approve'") as caught:
        token_for(clients, "dora", verbs=["aprove"])
    assert caught.value.field == "verbs"


def test_a_revoked_token_is_worthless(clients: Clients, sign_in: SignIn) -> None:
    made = token_for(clients, "vera")

    clients.admin.call(contract.revoke_token, NameToken(token=made.id))

    is_unknown(sign_in(made.token))


def test_an_expired_token_is_worthless(clients: Clients, sign_in: SignIn, clock: Clock) -> None:
    made = token_for(clients, "vera", days=1)
    clock.advance(days=1, seconds=1)

    is_unknown(sign_in(made.token))


def test_the_token_of_a_disabled_person_is_worthless(clients: Clients) -> None:
    clients.admin.call(contract.disable_person, NamePerson(name="vera"))

    is_unknown(clients.viewer)


def test_tokens_are_listed_without_their_secrets(clients: Clients) -> None:
    made = token_for(clients, "vera", verbs=["read"])

    listed = clients.admin.call(contract.list_tokens, Nothing())

    assert (listed[-1].id, listed[-1].owner, listed[-1].verbs) == (made.id, "vera", ["read"])
    assert made.token not in str(listed)


def test_a_token_is_revoked_once(clients: Clients) -> None:
    made = token_for(clients, "vera")
    clients.admin.call(contract.revoke_token, NameToken(token=made.id))

    with pytest.raises(NotFound):
        clients.admin.call(contract.revoke_token, NameToken(token=made.id))


def test_the_secret_of_a_token_is_in_no_event(clients: Clients) -> None:
    made = token_for(clients, "vera")

    assert made.token not in str(story.events(clients.admin))


def test_a_new_person_has_the_roles_given(clients: Clients) -> None:
    assert add(clients, "zoe", "viewer", "approver").roles == ["approver", "viewer"]


def test_a_name_belongs_to_one_person(clients: Clients) -> None:
    with pytest.raises(Conflict) as caught:
        add(clients, "dora")
    assert caught.value.field == "name"


def test_an_unknown_role_is_refused_with_the_nearest(clients: Clients) -> None:
    with pytest.raises(Invalid, match="did you mean 'viewer'"):
        add(clients, "zoe", "vewer")


def test_nobody_is_given_the_role_of_the_service(clients: Clients) -> None:
    with pytest.raises(Invalid):
        clients.admin.call(contract.grant_role, GrantRole(person="dora", role="service"))


def test_a_granted_role_allows_at_once(clients: Clients) -> None:
    clients.admin.call(contract.grant_role, GrantRole(person="vera", role="developer"))

    assert story.open_run(clients.viewer)


def test_a_revoked_role_allows_no_longer(clients: Clients) -> None:
    clients.admin.call(contract.grant_role, GrantRole(person="vera", role="developer"))
    clients.admin.call(contract.revoke_role, GrantRole(person="vera", role="developer"))

    with pytest.raises(Forbidden):
        story.open_run(clients.viewer)


def test_a_role_that_was_not_given_cannot_be_taken(clients: Clients) -> None:
    with pytest.raises(NotFound) as caught:
        clients.admin.call(contract.revoke_role, GrantRole(person="vera", role="admin"))
    assert caught.value.field == "role"


def test_granting_again_is_no_second_event(clients: Clients) -> None:
    for _ in range(2):
        clients.admin.call(contract.grant_role, GrantRole(person="vera", role="auditor"))

    assert story.kinds(clients.viewer).count("role.granted") == 1


def test_nobody_disables_themselves(clients: Clients) -> None:
    with pytest.raises(Blocked, match="nobody disables themselves"):
        clients.admin.call(contract.disable_person, NamePerson(name="ada"))


def test_a_person_without_any_role_sees_no_workspace(clients: Clients, sign_in: SignIn) -> None:
    add(clients, "zoe")
    client = sign_in(token_for(clients, "zoe").token)

    with pytest.raises(NotFound, match="no workspace named 'default' for you"):
        client.call(contract.whoami, Nothing())


def test_a_refused_permission_is_an_event(clients: Clients) -> None:
    with pytest.raises(Forbidden):
        story.open_run(clients.viewer)

    event = story.events(clients.viewer)[-1]

    assert (event.kind, event.actor, event.subject) == ("operation.refused", "vera", "runs.open")


def test_the_maker_of_a_workspace_administers_it(clients: Clients, sign_in: SignIn) -> None:
    clients.admin.call(contract.create_workspace, CreateWorkspace(name="team"))
    clients.admin.call(contract.list_workspaces, Nothing())

    names = [one.name for one in clients.admin.call(contract.list_workspaces, Nothing())]

    assert names == ["default", "team"]


def test_a_workspace_exists_once(clients: Clients) -> None:
    clients.admin.call(contract.create_workspace, CreateWorkspace(name="team"))

    with pytest.raises(Conflict, match="workspace 'team' exists"):
        clients.admin.call(contract.create_workspace, CreateWorkspace(name="team"))


def test_a_token_made_elsewhere_is_good_only_there(
    app: App, clients: Clients, tokens: dict[str, str]
) -> None:
    elsewhere = story.elsewhere(app, tokens)
    made = elsewhere.call(contract.create_token, CreateToken(owner="ada"))

    assert name_of(local_client(app, made.token, story.ELSEWHERE)) == "ada"
    with pytest.raises(NotFound):
        local_client(app, made.token).call(contract.whoami, Nothing())


def test_who_administers_one_workspace_disables_nobody_of_another(
    app: App, clients: Clients, tokens: dict[str, str]
) -> None:
    elsewhere = story.elsewhere(app, tokens)

    with pytest.raises(Blocked, match="in every workspace"):
        elsewhere.call(contract.disable_person, NamePerson(name="dora"))
    assert name_of(clients.developer) == "dora"


def test_roles_elsewhere_allow_nothing_here(
    app: App, clients: Clients, tokens: dict[str, str]
) -> None:
    elsewhere = story.elsewhere(app, tokens)
    elsewhere.call(contract.grant_role, GrantRole(person="vera", role="developer"))

    with pytest.raises(Forbidden):
        story.open_run(clients.viewer)


def test_the_same_person_added_at_once_is_added_once(app: App, tokens: dict[str, str]) -> None:
    places = [local_client(app, tokens["ada"]), story.elsewhere(app, tokens)]

    answers = at_once(
        *(
            lambda place=place: place.call(contract.add_person, AddPerson(name="zoe"))
            for place in places * 4
        )
    )

    assert [type(one) for one in answers].count(Person) == 1
    assert [type(one) for one in answers].count(Conflict) == 7


def hashes(app: App) -> dict[str, Patterns]:
    with app.database.read() as connection:
        return predictors(connection, workspace_key(connection, "default"), utc_now())


def test_who_may_predict_is_known_by_hash(app: App, tokens: dict[str, str]) -> None:
    found = hashes(app)

    assert token_hash(tokens["dora"]) in found
    assert token_hash(tokens["vera"]) not in found


def test_an_expired_token_does_not_predict(app: App, tokens: dict[str, str], clock: Clock) -> None:
    request = CreateToken(owner="dora", days=1)
    clock.advance(days=-2)
    admin = local_client(app, tokens["ada"])
    made = admin.call(contract.create_token, request)

    assert token_hash(made.token) not in hashes(app)


def test_a_token_made_elsewhere_does_not_predict_here(app: App, tokens: dict[str, str]) -> None:
    elsewhere = story.elsewhere(app, tokens)
    made = elsewhere.call(contract.create_token, CreateToken(owner="dora"))

    assert token_hash(made.token) not in hashes(app)


def test_old_answers_are_forgotten(app: App, clients: Clients, clock: Clock) -> None:
    add(clients, "zoe")
    assert clients.service.call(contract.tidy, Request()).count == 0
    clock.advance(days=3)

    assert clients.service.call(contract.tidy, Request()).count == 1


def test_the_service_signs_in_as_a_service(clients: Clients) -> None:
    me = clients.service.call(contract.whoami, Nothing())

    assert (me.kind, me.name) == ("service", SERVICE)
