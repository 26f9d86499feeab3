"""A browser signs in, and its cookie is worth nothing in anybody else's hands or pages."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from mainspring.administration import account_contract as accounts
from mainspring.administration import contract, session_contract
from mainspring.administration.account_contract import AddServiceAccount, CreateAccountToken
from mainspring.administration.contract import (
    CreateToken,
    GrantRole,
    NamePerson,
    NameToken,
    SetPassword,
)
from mainspring.administration.guesses import FREE
from mainspring.app import App
from mainspring.core.errors import Blocked
from mainspring.interfaces.http.cookie import NAME, SECURE_NAME
from tests import story
from tests.browser import (
    API,
    OTHER,
    PASSWORD,
    SESSION,
    set_password,
    sign_in,
    who,
    write,
)
from tests.house import Clients, Clock


@pytest.fixture
def transport() -> str:
    """The administrator's own way in."""
    return "in process"


@pytest.fixture
def http(url: str, clients: Clients) -> Iterator[httpx2.Client]:
    """A browser without a cookie, on a page of ours; Vera has a password."""
    set_password(clients, "vera")
    with httpx2.Client(
        base_url=url, trust_env=False, headers={"Origin": url}, verify=False
    ) as client:
        yield client


def test_a_password_signs_a_browser_in(http: httpx2.Client) -> None:
    sign_in(http)

    assert who(http) == "vera"
    assert http.get(f"{API}/whoami").json()["name"] == "vera"


def test_a_token_does_too(http: httpx2.Client, tokens: dict[str, str]) -> None:
    sign_in(http, token=tokens["dora"])

    assert who(http) == "dora"


def test_the_answer_and_the_cookie_are_as_they_should_be(http: httpx2.Client) -> None:
    answer = http.post(SESSION, json={"name": "vera", "password": PASSWORD})

    cookie = answer.headers["set-cookie"]
    assert set(answer.json()) == {"name", "workspace", "expires_at"}
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(
        rf"{NAME}=[\w-]{{43}}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict", cookie
    )


def test_under_https_the_cookie_is_of_this_host_alone(http: httpx2.Client, url: str) -> None:
    page = {"Origin": url.replace("http://", "https://")}
    given = {"name": "vera", "password": PASSWORD}
    cookie = http.post(SESSION, json=given, headers=page).headers["set-cookie"]

    secret = cookie.partition("=")[2].partition(";")[0]
    assert cookie.startswith(f"{SECURE_NAME}=")
    assert cookie.endswith("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure")
    assert http.get(SESSION, headers={"Cookie": f"{SECURE_NAME}={secret}"}).status_code == 200


def test_only_a_hash_of_it_is_kept(app: App, http: httpx2.Client) -> None:
    secret = sign_in(http)

    with app.database.read() as connection:
        (row,) = connection.exec_driver_sql("select * from session").all()
    assert secret not in repr(row)
    assert hashlib.sha256(secret.encode()).hexdigest() in row


@pytest.mark.parametrize(
    "given",
    [
        {"name": "vera", "password": OTHER}, {"name": "nobody", "password": PASSWORD},
        {"name": "ada"}, {"password": PASSWORD}, {}, {"token": "msp_nothing"}, {"token": ""},
        {"name": "vera", "password": PASSWORD, "token": "msp_nothing"},
        {"name": "vera", "password": PASSWORD, "more": 1},
        {"name": "vera", "password": PASSWORD, "workspace": "elsewhere"},
    ],
    ids=str,
)  # fmt: skip
def test_anything_else_does_not(http: httpx2.Client, given: dict[str, Any]) -> None:
    answer = http.post(SESSION, json=given)

    assert answer.status_code in (400, 401, 404, 422)
    assert "set-cookie" not in answer.headers
    assert who(http) == 401


def test_guessing_is_slowed_as_elsewhere(http: httpx2.Client) -> None:
    given = {"name": "vera", "password": OTHER}
    codes = [http.post(SESSION, json=given).status_code for _ in range(FREE + 2)]

    assert codes == [401] * (FREE + 1) + [429]


def test_a_session_that_somebody_fixed_is_none(http: httpx2.Client) -> None:
    http.cookies.set(NAME, "A" * 43)
    sign_in_answer = http.post(SESSION, json={"name": "vera", "password": PASSWORD})

    http.cookies.clear()
    http.cookies.set(NAME, "A" * 43)
    assert "A" * 43 not in sign_in_answer.headers["set-cookie"]
    assert who(http) == 401


def test_each_sign_in_has_a_secret_of_its_own(http: httpx2.Client) -> None:
    assert sign_in(http) != sign_in(http)


def test_after_the_sign_out_the_cookie_is_worth_nothing(http: httpx2.Client) -> None:
    secret = sign_in(http)

    answer = http.delete(SESSION)

    assert (answer.status_code, answer.json()["count"]) == (200, 1)
    assert answer.headers["set-cookie"].startswith(f"{NAME}=; Path=/; Max-Age=0;")
    http.cookies.set(NAME, secret)
    assert who(http) == 401
    assert http.delete(SESSION).status_code == 401


def test_a_sign_out_ends_one_session(http: httpx2.Client) -> None:
    first = sign_in(http)
    sign_in(http)
    http.delete(SESSION)

    http.cookies.clear()
    http.cookies.set(NAME, first)
    assert who(http) == "vera"


def test_a_token_has_no_session_to_end(http: httpx2.Client, tokens: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {tokens['vera']}"}

    assert http.delete(SESSION, headers=headers).status_code == 404


def test_whoever_sends_a_token_is_who_the_token_says(
    http: httpx2.Client, tokens: dict[str, str]
) -> None:
    sign_in(http)
    headers = {"Authorization": f"Bearer {tokens['dora']}"}

    assert http.get(f"{API}/whoami", headers=headers).json()["name"] == "dora"
    assert http.get(f"{API}/whoami", headers={"Authorization": "Bearer no"}).status_code == 401


def test_both_are_events_without_the_secret(http: httpx2.Client, clients: Clients) -> None:
    secret = sign_in(http)
    http.delete(SESSION)

    opened, ended = story.events(clients.admin, subject="vera", actor="vera")

    assert (opened.kind, ended.kind) == ("session.opened", "session.ended")
    assert opened.facts["by"] == "password"
    assert secret not in repr((opened, ended))


def test_a_programs_account_has_no_browser(http: httpx2.Client, clients: Clients) -> None:
    clients.admin.call(accounts.add_account, AddServiceAccount(name="ci", roles=["viewer"]))
    request = CreateAccountToken(account="ci")
    made = clients.admin.call(accounts.create_account_token, request)

    assert http.post(SESSION, json={"token": made.token}).status_code == 403


# How long it is good, and how far.


def test_it_ends_when_its_time_is_over(app: App, http: httpx2.Client, clock: Clock) -> None:
    sign_in(http)
    for _ in range(11):
        clock.advance(hours=1)
        assert who(http) == "vera"
        app.note_used_tokens()
    clock.advance(hours=1)

    assert who(http) == 401


def test_it_ends_when_nothing_is_asked(app: App, http: httpx2.Client, clock: Clock) -> None:
    sign_in(http)
    clock.advance(minutes=119)
    assert who(http) == "vera"
    app.note_used_tokens()
    clock.advance(minutes=119)
    assert who(http) == "vera"
    clock.advance(minutes=2)

    assert who(http) == 401


def test_the_settings_say_how_long(
    http: httpx2.Client, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAINSPRING_SESSION_HOURS", "1")
    monkeypatch.setenv("MAINSPRING_SESSION_IDLE_MINUTES", "90")
    sign_in(http)
    clock.advance(minutes=61)

    assert who(http) == 401


def test_a_stolen_cookie_ends_with_the_password(http: httpx2.Client, clients: Clients) -> None:
    sign_in(http)
    set_password(clients, "vera", OTHER)

    assert who(http) == 401


def test_one_that_a_token_began_ends_with_the_password_too(
    http: httpx2.Client, clients: Clients, tokens: dict[str, str]
) -> None:
    sign_in(http, token=tokens["dora"])
    assert who(http) == "dora"
    set_password(clients, "dora", OTHER)

    assert who(http) == 401


def test_a_disabled_persons_ends(http: httpx2.Client, clients: Clients) -> None:
    sign_in(http)
    clients.admin.call(contract.disable_person, NamePerson(name="vera"))

    assert who(http) == 401


def test_one_that_a_token_began_ends_with_it(
    http: httpx2.Client, clients: Clients, clock: Clock
) -> None:
    made = clients.admin.call(contract.create_token, CreateToken(owner="vera"))
    short = clients.admin.call(contract.create_token, CreateToken(owner="vera", days=1))
    sign_in(http, token=made.token)
    clients.admin.call(contract.revoke_token, NameToken(token=made.id))
    assert who(http) == 401

    sign_in(http, token=short.token)
    clock.advance(hours=1)
    assert who(http) == "vera"


def test_it_may_what_the_token_that_began_it_may(http: httpx2.Client, clients: Clients) -> None:
    request = CreateToken(owner="ada", verbs=["read"])
    sign_in(http, token=clients.admin.call(contract.create_token, request).token)

    assert http.get(SESSION).json()["permissions"] == ["read"]
    assert write(http).status_code == 403


def test_a_role_that_was_taken_is_gone_at_once(http: httpx2.Client, clients: Clients) -> None:
    sign_in(http)
    clients.admin.call(contract.revoke_role, GrantRole(person="vera", role="viewer"))

    assert who(http) == 404


def test_it_reaches_as_far_as_the_password(
    app: App, http: httpx2.Client, tokens: dict[str, str], clients: Clients
) -> None:
    there = story.elsewhere(app, tokens)
    there.call(contract.add_person, contract.AddPerson(name="zoe", roles=["viewer"]))
    there.call(contract.set_password, SetPassword(person="zoe", password=PASSWORD))
    request = GrantRole(person="zoe", role="viewer")
    clients.admin.call(contract.grant_role, request)
    sign_in(http, name="zoe", password=PASSWORD, workspace=story.ELSEWHERE)

    assert http.get(SESSION, params={"workspace": story.ELSEWHERE}).status_code == 200
    assert who(http) == 404


def test_an_administrator_ends_a_persons_sessions(http: httpx2.Client, clients: Clients) -> None:
    sign_in(http)
    sign_in(http)

    done = clients.admin.call(session_contract.sign_out, NamePerson(name="vera"))

    assert done.count == 2
    assert who(http) == 401


def test_one_of_another_workspace_does_not(app: App, tokens: dict[str, str]) -> None:
    there = story.elsewhere(app, tokens)

    with pytest.raises(Blocked, match="would be so in every workspace"):
        there.call(session_contract.sign_out, NamePerson(name="vera"))
