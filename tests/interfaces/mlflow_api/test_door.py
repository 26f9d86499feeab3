"""Who comes in at MLflow's door, and as whom; asked of a real server, as `mainspring up` starts it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mainspring.core.home import Home
from tests.house import wait_until

STOP_S = 30
EXPERIMENT = "/api/2.0/mlflow/experiments/get?experiment_id=0"
ASK = """
import http.client, json, sys
host, port, path, headers = json.loads(sys.argv[1])
connection = http.client.HTTPConnection(host, port, timeout=10)
connection.request("GET", path, headers=headers)
print(connection.getresponse().status)
"""
"""A client for those who may not read our packages."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A fresh home whose server runs, with a second workspace."""
    home = Home(tmp_path_factory.mktemp("home"))
    with (home.folder / "server.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mainspring", "up", "--port", "0", "--home", str(home.folder)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        wait_until(lambda: home.server() is not None or process.poll() is not None)
        assert home.server() is not None, (home.folder / "server.log").read_text()
        yield home
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def url(house: Home) -> str:
    """Where the server is."""
    running = house.server()
    assert running is not None
    return running.url


@pytest.fixture(scope="module")
def token(house: Home) -> str:
    """The token of the home's owner."""
    found = house.token()
    assert found is not None
    return found


@pytest.fixture
def http(url: str) -> Iterator[httpx2.Client]:
    """A program of this user, which knows nothing of tokens."""
    with httpx2.Client(base_url=url, trust_env=False, verify=False) as client:
        yield client


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


UNKNOWN = (401, "UNAUTHENTICATED")


def test_a_program_of_the_same_user_is_the_owner(http: httpx2.Client, token: str) -> None:
    known = http.get(
        "/api/v1/workspaces/default/whoami", headers={"Authorization": f"Bearer {token}"}
    )
    http.post("/api/2.0/mlflow/registered-models/create", json={"name": "churn"})
    made = http.post(
        "/api/2.0/mlflow/model-versions/create", json={"name": "churn", "source": "s3://a/b"}
    )

    assert made.json()["model_version"]["user_id"] == known.json()["name"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none", "Origin": "https://evil.example"},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer msp_wrong"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Digest x"},
    ],
    ids=str,
)
def test_a_page_or_a_wrong_token_is_nobody(http: httpx2.Client, headers: dict[str, str]) -> None:
    answer = http.get(EXPERIMENT, headers=headers)

    assert refusal(answer) == UNKNOWN
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_cannot_send_a_form(http: httpx2.Client) -> None:
    for_forms = {"Content-Type": "text/plain"}
    answer = http.post(
        "/api/2.0/mlflow/experiments/create", content=b'{"name": "x"}', headers=for_forms
    )

    assert refusal(answer) == (400, "INVALID_PARAMETER_VALUE")


def test_what_the_user_typed_into_the_browser_is_answered(http: httpx2.Client) -> None:
    assert http.get(EXPERIMENT, headers={"Sec-Fetch-Site": "none"}).status_code == 200


@pytest.mark.parametrize("path", [EXPERIMENT, "/graphql", "/version", "/get-artifact"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.", ""])
def test_another_host_is_not_this_server(http: httpx2.Client, path: str, host: str) -> None:
    assert http.get(path, headers={"Host": host}).status_code == 421


def test_an_origin_with_a_token_is_its_owner(http: httpx2.Client, token: str) -> None:
    headers = {"Origin": "https://notebook.example", "Authorization": f"Bearer {token}"}

    assert http.get(EXPERIMENT, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/version", "/api/3.0/mlflow/server-info"])
def test_what_clients_ask_before_they_sign_in_is_open(http: httpx2.Client, path: str) -> None:
    assert http.get(path, headers={"Origin": "https://evil.example"}).status_code == 200


def asked_by_nobody(url: str, **headers: str) -> int:
    """The status that a process of another user gets."""
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if os.geteuid() != 0 or python is None:
        pytest.skip("only root can start a process of another user, with a Python of the system")
    host, _, port = url.removeprefix("http://").partition(":")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    done = subprocess.run(
        [python, "-I", "-c", ASK, json.dumps([host, int(port), EXPERIMENT, named])],
        user="nobody", group="nogroup", extra_groups=[], cwd="/", env={},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout)


def test_a_process_of_another_user_is_nobody(url: str) -> None:
    assert asked_by_nobody(url) == 401


def test_a_process_of_another_user_comes_in_with_a_token(url: str, token: str) -> None:
    assert asked_by_nobody(url, Authorization=f"Bearer {token}") == 200


@pytest.mark.parametrize("header", ["X_Forwarded_For", "X_Real_IP", "Forwarded"])
@pytest.mark.parametrize("form", ["{0}", "{0}:{1}", "for={0}:{1}", "{0}, {0}:{1}"])
def test_a_header_does_not_say_who_the_peer_is(url: str, header: str, form: str) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as ours:
        said = form.format(*ours.getsockname()[:2])

        assert asked_by_nobody(url, **{header: said}) == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"])
def test_what_a_proxy_of_the_same_user_passes_on_is_nobodys(
    http: httpx2.Client, header: str
) -> None:
    assert refusal(http.get(EXPERIMENT, headers={header: "127.0.0.1"})) == UNKNOWN


@pytest.mark.parametrize("user", ["anybody", "", "ada"])
def test_a_token_may_come_as_a_password(http: httpx2.Client, token: str, user: str) -> None:
    answer = http.get(EXPERIMENT, auth=(user, token), headers={"Origin": "https://evil.example"})

    assert answer.status_code == 200


@pytest.mark.parametrize("turned", [False, True])
def test_a_password_that_is_no_token_is_refused(
    http: httpx2.Client, token: str, *, turned: bool
) -> None:
    auth = (token, "") if turned else ("admin", "password1234")

    assert refusal(http.get(EXPERIMENT, auth=auth)) == UNKNOWN


def created(http: httpx2.Client, name: str, **headers: str) -> Any:
    path = "/api/2.0/mlflow/experiments/create"
    return http.post(path, json={"name": name}, headers=headers).json()["experiment_id"]


def names(http: httpx2.Client, workspace: str) -> set[str]:
    answer = http.post(
        "/api/2.0/mlflow/experiments/search",
        json={"max_results": 100},
        headers={"X-MLFLOW-WORKSPACE": workspace},
    )
    return {one["name"] for one in answer.json()["experiments"]}


def test_a_header_chooses_the_workspace(http: httpx2.Client, token: str) -> None:
    authorized = {"Authorization": f"Bearer {token}"}
    made = http.post("/api/v1/workspaces", json={"name": "elsewhere"}, headers=authorized)
    assert made.status_code == 200, made.text

    created(http, "there", **{"X-MLFLOW-WORKSPACE": "elsewhere"})
    created(http, "here")

    assert names(http, "elsewhere") == {"Default", "there"}
    assert names(http, "default") >= {"Default", "here"}
    assert "there" not in names(http, "default")


@pytest.mark.parametrize("workspace", ["nowhere", "a/b", "..", "x" * 300, "a b", "*", "\x80"])
def test_a_workspace_that_is_not_there_is_refused(http: httpx2.Client, workspace: str) -> None:
    headers = {b"X-MLFLOW-WORKSPACE": workspace.encode("latin-1")}
    answer = http.get(EXPERIMENT, headers=headers)

    assert refusal(answer) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert workspace in answer.json()["message"] or repr(workspace) in answer.json()["message"]


def test_nothing_in_the_servers_log_is_a_fault(house: Home, http: httpx2.Client) -> None:
    http.get(EXPERIMENT, headers={"X-MLFLOW-WORKSPACE": "\x7f"})

    assert "Traceback" not in Path(house.folder / "server.log").read_text()
