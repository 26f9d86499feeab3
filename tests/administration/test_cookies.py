"""The cookie of a browser that is signed in works for our pages alone, and at no other door."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from mainspring.administration.actor_store import predictors
from mainspring.app import App, workspace_key
from mainspring.core.access import token_hash
from mainspring.core.clock import utc_now
from mainspring.interfaces.http.cookie import NAME
from tests.browser import (
    API,
    EVIL,
    PASSWORD,
    SESSION,
    set_password,
    sign_in,
    who,
    without_origin,
    write,
)
from tests.house import Clients, Front


@pytest.fixture
def database_kind() -> str:
    """What is refused at the door never reaches the database."""
    return "SQLite"


@pytest.fixture
def transport() -> str:
    """The administrator's own way in."""
    return "in process"


@pytest.fixture
def http(url: str, clients: Clients) -> Iterator[httpx2.Client]:
    """A browser without a cookie, on a page of ours; Ada has a password."""
    set_password(clients, "ada")
    with httpx2.Client(
        base_url=url, trust_env=False, headers={"Origin": url}, verify=False
    ) as client:
        yield client


def test_a_page_of_ours_changes_something(http: httpx2.Client, url: str) -> None:
    sign_in(http, "ada")

    assert write(http).status_code == 200


def test_a_referer_says_it_where_no_origin_does(http: httpx2.Client, url: str) -> None:
    sign_in(http, "ada")
    with without_origin(http, url) as browser:
        assert write(browser, Referer=f"{url}/people").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Referer": f"{EVIL}/page"}, {"Referer": ""}, {"Referer": "http://[broken"},
        {"Origin": EVIL}, {"Origin": "null"}, {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_no_other_page_does(
    http: httpx2.Client, url: str, headers: dict[str, str], method: str
) -> None:
    sign_in(http, "ada")
    path = {"POST": f"{API}/people", "PUT": f"{API}/people/ada/password", "DELETE": SESSION}
    with without_origin(http, url) as browser:
        answer = browser.request(method, path[method], headers=headers)

    assert answer.status_code == 403
    assert who(http) == "ada"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_no_other_page_reads(http: httpx2.Client, url: str, site: str) -> None:
    sign_in(http, "ada")
    ours = {"Origin": url, "Sec-Fetch-Site": site}

    assert http.get(SESSION, headers=ours).status_code == 403
    assert write(http, **ours).status_code == 403


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_form_signs_nobody_in(http: httpx2.Client, url: str, kind: str) -> None:
    body = b'{"name": "vera", "password": "correct horse battery"}'
    with httpx2.Client(base_url=url, trust_env=False, verify=False) as form:
        answer = form.post(SESSION, content=body, headers={"Content-Type": kind})

    assert answer.status_code in (400, 422)
    assert "set-cookie" not in answer.headers


def test_a_page_of_somebody_elses_signs_nobody_in(http: httpx2.Client) -> None:
    given = {"name": "vera", "password": PASSWORD}

    assert http.post(SESSION, json=given, headers={"Origin": EVIL}).status_code == 403


def test_a_name_that_leads_to_us_is_not_ours(http: httpx2.Client, front: Front, app: App) -> None:
    secret = sign_in(http, "ada")
    front.show(app, hosts=frozenset({"127.0.0.1"}))
    rebound = {"Host": "evil.example", "Origin": EVIL, "Cookie": f"{NAME}={secret}"}

    assert http.get(SESSION, headers=rebound).status_code == 421
    assert http.post(f"{API}/people", json={"name": "zoe"}, headers=rebound).status_code == 421
    assert who(http) == "ada"


# Doors that know no cookies.


@pytest.mark.parametrize(
    "path", ["/api/2.0/mlflow/experiments/get?experiment_id=0", "/api/3.0/mlflow/server-info"]
)
def test_a_cookie_opens_no_door_of_mlflows(http: httpx2.Client, path: str) -> None:
    sign_in(http, "ada")
    plain = http.get(path, headers={"Authorization": "Bearer no"}).status_code

    assert http.get(path).status_code in (plain, 401, 404)
    assert http.get("/api/2.0/mlflow/experiments/get?experiment_id=0").status_code == 401


def test_deployments_know_tokens_alone(
    app: App, http: httpx2.Client, tokens: dict[str, str]
) -> None:
    secret = sign_in(http, token=tokens["ole"])
    with app.database.read() as connection:
        able = predictors(connection, workspace_key(connection, "default"), utc_now())

    assert token_hash(tokens["ole"]) in able
    assert token_hash(secret) not in able
