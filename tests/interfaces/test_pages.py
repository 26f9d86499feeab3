"""Pages of others in a browser, and names that are not ours: refused whatever the method and the door."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from mainspring.administration import contract
from mainspring.administration.contract import CreateToken, SetPassword
from mainspring.app import OPERATIONS, App
from mainspring.core.access import token_hash
from mainspring.core.errors import Blocked
from mainspring.core.home import Home
from mainspring.interfaces.http.api import http_api
from mainspring.interfaces.http.front import Served
from mainspring.server import check_reach, ensure_owner
from tests.house import local_client

OURS, FRIEND = "http://127.0.0.1:8321", "https://notebooks.example"
PATHS = [
    "/api/v1/workspaces/default/people",
    "/api/v1/workspaces/default/files/sha256:0/content",
    "/api/2.0/mlflow/experiments/create",
    "/ajax-api/2.0/mlflow/runs/delete",
    "/api/2.0/mlflow-artifacts/artifacts/a",
    "/graphql",
    "//api/2.0/mlflow/registered-models/delete",
]


@pytest.fixture
def database_kind() -> str:
    """Nothing of it reaches a database."""
    return "SQLite"


@pytest.fixture
def transport() -> str:
    """The requests are the tests' own."""
    return "in process"


@pytest.fixture
def browser(app: App, tokens: dict[str, str]) -> Iterator[TestClient]:
    """A client at a loopback server, with an administrator's token."""

    async def record(*_: object) -> None: ...

    served = Served(
        perform=app.run,
        blobs=app.blobs,
        health=dict,
        hosts=frozenset({"127.0.0.1", "localhost", "[::1]"}),
        origins=frozenset({FRIEND}),
        record=record,
        sign_in=app.sign_in.prove,
    )
    headers = {"Authorization": f"Bearer {tokens['ada']}"}
    with TestClient(http_api(served, OPERATIONS.values()), OURS, headers=headers) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PURGE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1:8322"},
        {"Origin": "http://127.0.0.1:8321.evil.example"},
        {"Origin": "https://notebooks.example.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_foreign_page_changes_nothing(
    browser: TestClient, path: str, method: str, headers: dict[str, str]
) -> None:
    answer = browser.request(method, path, headers=headers)

    assert (answer.status_code, answer.json()["field"]) == (403, "Origin")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8321"])
def test_a_name_that_is_not_ours_is_refused(
    browser: TestClient, path: str, method: str, host: str
) -> None:
    origin = {"Host": host, "Origin": f"http://{host}"}

    assert browser.request(method, path, headers=origin).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": OURS}, {"Origin": FRIEND}, {"Sec-Fetch-Site": "same-origin"}],
    ids=str,
)
def test_programs_and_known_pages_may(browser: TestClient, headers: dict[str, str]) -> None:
    made = browser.post(PATHS[0], json={"name": "zoe"}, headers=headers)

    assert made.status_code == 200


def test_what_only_reads_is_answered_for_any_page(browser: TestClient) -> None:
    assert browser.get(PATHS[0], headers={"Origin": "https://evil.example"}).status_code == 200


def owned(app: App, home: Home) -> str:
    """The home's own token; nobody else of the house has a way in."""
    token = ensure_owner(app, home)
    with app.database.write() as connection:
        connection.exec_driver_sql(f"delete from token where hash <> '{token_hash(token)}'")
    return token


@pytest.fixture
def own_token(app: App) -> str:
    """The token of a home whose owner alone can sign in."""
    return owned(app, Home(app.settings.home))


def test_a_server_that_only_its_owner_administers_stays_at_home(app: App, own_token: str) -> None:
    for host in ("127.0.0.1", "::1", "127.0.0.9"):
        check_reach(app, host, own_token)
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        with pytest.raises(Blocked, match="where others reach it"):
            check_reach(app, host, own_token)


def add_password(app: App, own_token: str) -> None:
    client = local_client(app, own_token)
    name = client.call(contract.whoami, contract.Nothing()).name
    client.call(contract.set_password, SetPassword(person=name, password="correct horse battery"))


def add_token(**limits: object) -> Callable[[App, str], None]:
    request = CreateToken(**{"owner": "ada", **limits})  # type: ignore[arg-type]

    def add(app: App, own_token: str) -> None:
        local_client(app, own_token).call(contract.create_token, request)

    return add


@pytest.mark.parametrize("way", [add_password, add_token()], ids=["a password", "a token"])
def test_an_administrator_with_a_way_in_lets_it_out(
    app: App, own_token: str, way: Callable[[App, str], None]
) -> None:
    way(app, own_token)

    check_reach(app, "0.0.0.0", own_token)


@pytest.mark.parametrize(
    "limits", [{"owner": "vera"}, {"verbs": ["read"]}, {"models": ["a*"]}], ids=str
)
def test_a_token_of_somebody_less_does_not(
    app: App, own_token: str, limits: dict[str, object]
) -> None:
    add_token(**limits)(app, own_token)

    with pytest.raises(Blocked):
        check_reach(app, "0.0.0.0", own_token)
