"""What the command line tells of people: what their groups give them, and who may approve."""

from __future__ import annotations

import pytest

from mainspring.administration import account_contract as accounts
from mainspring.administration import group_contract as groups
from mainspring.administration.account_contract import AddServiceAccount, CreateAccountToken
from mainspring.administration.group_contract import CreateGroup, Deny, GroupMember, GroupRole
from mainspring.app import App
from mainspring.interfaces.cli.program import main
from tests import story
from tests.house import Clients, local_client


@pytest.fixture
def database_kind() -> str:
    """The command line does not see which database it is."""
    return "SQLite"


@pytest.fixture
def transport() -> str:
    """The tests' own clients; the command line goes over HTTP."""
    return "in process"


def team(clients: Clients, *members: str) -> None:
    """A group of approvers."""
    clients.admin.call(groups.create_group, CreateGroup(name="team"))
    clients.admin.call(groups.grant_group, GroupRole(group="team", role="approver"))
    for person in members:
        clients.admin.call(groups.add_member, GroupMember(group="team", person=person))


def promoted(url: str, token: str, clients: Clients, maker: Clients) -> str:
    """What a promotion that waits says on the way out."""
    story.declare(clients.admin)
    version = story.version(maker.developer)
    story.say(clients.service, story.ask(maker.developer, version.number).id)
    name = f"{story.MODEL}@{version.number}"
    main(["promote", name, "--to", "production", "--url", url, "--token", token])
    return name


def test_people_are_listed_with_what_their_groups_give_them(
    clients: Clients, url: str, tokens: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    team(clients, "vera")
    clients.admin.call(groups.deny, Deny(group="team", verb="log"))
    capsys.readouterr()

    main(["people", "list", "--url", url, "--token", tokens["ada"]])

    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    vera = dict(zip(rows[0], next(row for row in rows if row[0] == "vera"), strict=True))
    assert vera["roles"] == '["viewer"]'
    assert vera["groups"] == '{"team":["approver"]}'
    assert vera["denied"] == '["log"]'


def test_who_may_approve_by_a_group_is_named_and_who_is_denied_it_is_not(
    clients: Clients, url: str, tokens: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    team(clients, "vera")
    clients.admin.call(groups.deny, Deny(person="petra", verb="approve"))

    promoted(url, tokens["dora"], clients, clients)

    assert "; ada or paul or vera may approve it" in capsys.readouterr().err


def test_who_answers_for_the_robot_that_asked_is_not_named(
    app: App,
    clients: Clients,
    url: str,
    tokens: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    add = AddServiceAccount(name="ci", owner="paul", roles=["developer"])
    clients.admin.call(accounts.add_account, add)
    request = CreateAccountToken(account="ci")
    made = clients.approver.call(accounts.create_account_token, request)
    robots = Clients(lambda _: local_client(app, made.token))

    promoted(url, tokens["dora"], clients, robots)

    assert "; ada or petra may approve it" in capsys.readouterr().err
