"""The HTTP API as a stranger meets it: every bad request has an answer that says what is wrong."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from mainspring.app import OPERATIONS, App
from mainspring.core.access import Caller
from mainspring.core.blobs import digest_of
from mainspring.core.errors import Corrupt, Forbidden, Invalid, NotFound, Unreachable
from mainspring.core.operation import FileClient, Operation
from mainspring.group_commit import GroupCommit
from mainspring.interfaces.http.api import MAX_BODY, http_api
from mainspring.interfaces.http.front import Served
from mainspring.registry import contract as registry
from tests import story
from tests.house import Clients, local_client, remote_client
from tests.story import MODEL

API = "/api/v1/workspaces/default"
RUN = "0" * 32
POINT = {"key": "a", "value": 1, "at": "2013-01-01T00:00:00Z"}


@pytest.fixture
def database_kind() -> str:
    """What is refused at the door never reaches the database."""
    return "SQLite"


@pytest.fixture
def transport() -> str:
    """The whole of this is about HTTP."""
    return "over HTTP"


@pytest.fixture
def http(
    url: str, tokens: dict[str, str], caplog: pytest.LogCaptureFixture
) -> Iterator[httpx2.Client]:
    """A client that sends what it is told; at the end there must be no traceback in the log."""
    headers = {"Authorization": f"Bearer {tokens['ada']}"}
    with httpx2.Client(base_url=url, headers=headers, trust_env=False, verify=False) as client:
        yield client
    assert [record for record in caplog.get_records("call") if record.exc_info] == []


def says(answer: httpx2.Response, status: int, field: str) -> dict[str, Any]:
    """The answer is an error of the status that names the field, in the one form."""
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["field"]) == (status, field), body
    assert set(body) == {"error", "code", "message", "field", "reasons", "fix"}
    assert body["code"].startswith("MS-")
    return body


def opened(http: httpx2.Client, content: bytes) -> httpx2.Response:
    return http.post(f"{API}/runs", content=content)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"nonsense",
        b"{'id': 1}",
        b'{"id": NaN}',
        b"\xff\xfe",
        b'{"id": "\\ud800"}',
        b'{"id": 1e999}',
        b"[" * 100_000,
        b'{"config":' * 5_000 + b"1" + b"}" * 5_000,
        b'"text"',
        b"[]",
        b"null",
        b"7" * 5_000,
    ],
)
def test_what_is_no_json_object_is_refused(http: httpx2.Client, content: bytes) -> None:
    says(opened(http, content), 400, "body")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "id"),
        ({"id": 7}, "id"),
        ({"id": "short"}, "id"),
        ({"id": RUN + "\n"}, "id"),
        ({"id": RUN, "colour": "red"}, "colour"),
        ({"id": RUN, "experiment": "a/b"}, "experiment"),
        ({"id": RUN, "experiment": "a\n"}, "experiment"),
        ({"id": RUN, "experiment": "123"}, "experiment"),
        ({"id": RUN, "experiment": ""}, "experiment"),
        ({"id": RUN, "experiment": "x" * 251}, "experiment"),
        ({"id": RUN, "name": "nul \x00"}, "name"),
        ({"id": RUN, "config": []}, "config"),
        ({"id": RUN, "started_at": "2013-01-01T00:00:00"}, "started_at"),
        ({"id": RUN, "started_at": "yesterday"}, "started_at"),
        ({"id": RUN, "attested": "yes"}, "attested"),
    ],
)
def test_a_bad_field_is_named(http: httpx2.Client, body: dict[str, Any], field: str) -> None:
    says(http.post(f"{API}/runs", json=body), 400, field)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"points": [{**POINT, "x": 1}]}, "points[0].x"),
        ({"points": [{"key": "a", "value": 1}]}, "points[0].at"),
        ({"points": [{**POINT, "key": "a\x00"}]}, "points[0].key"),
        ({"points": [{**POINT, "value": "big"}]}, "points[0].value"),
        ({"points": [{**POINT, "step": 2**63}]}, "points[0].step"),
        ({"points": [{**POINT, "step": 10**40}]}, "points[0].step"),
        ({"points": [{**POINT, "value": 10**400}]}, "points[0].value"),
        ({"params": {"a": 1}}, "params[...]"),
        ({"params": {"a\x00": "1"}}, "params"),
        ({"params": {"a": "\x00"}}, "params[...]"),
        ({"tags": {"": "1"}}, "tags"),
        ({"run": RUN}, "run"),
    ],
)  # fmt: skip
def test_a_bad_field_is_named_at_every_level(
    http: httpx2.Client, body: dict[str, Any], field: str
) -> None:
    says(http.post(f"{API}/runs/{RUN}/log", json=body), 400, field)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=many", "limit"),
        ("limit=99999999999999999999999", "limit"),
        ("limit=1&limit=2", "limit"),
        ("colour=red", "colour"),
        ("status=happy", "status"),
        ("status=null", "status"),
        ("limit=null", "limit"),
        ("after=-1", "after"),
        ("after=9999999999999999999", "after"),
        ("experiment=%00", "experiment"),
        ("experiment=%FF", "experiment"),
        ("experiment=", "experiment"),
    ],
)
def test_a_bad_query_is_named(http: httpx2.Client, query: str, field: str) -> None:
    says(http.get(f"{API}/runs?{query}"), 400, field)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("runs/short", "run"),
        (f"runs/{RUN}%0A", "run"),
        ("models/%00", "model"),
        ("models/%ED%A0%80", "model"),
        ("models/x/versions/0", "version"),
        ("models/x/versions/99999999999999999999", "version"),
        ("models/x/versions/one", "version"),
        ("models/x/references/%00", "reference"),
        ("models/7", "model"),
        ("models/.hidden", "model"),
        ("files/sha256:..%2e", "digest"),
        (f"runs/{RUN}/points?key=a&after=99999999999999999999.0", "after"),
        ("events?after=99999999999999999999", "after"),
        ("deployments/x/labels?after=99999999999999999999", "after"),
    ],
)
def test_a_bad_path_field_is_named(http: httpx2.Client, path: str, field: str) -> None:
    says(http.get(f"{API}/{path}"), 400, field)


@pytest.mark.parametrize("workspace", ["%00", "nobody", "a%0A", "..%2f", "x" * 300, "%20"])
def test_a_workspace_that_is_not_yours_is_not_found(http: httpx2.Client, workspace: str) -> None:
    answer = http.get(f"/api/v1/workspaces/{workspace}/runs")

    assert answer.status_code == 404
    assert answer.json()["field"] in {"workspace", "path"}


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere", f"{API}/runs/", f"{API}//runs"])
def test_an_unknown_path_is_not_found(http: httpx2.Client, path: str) -> None:
    says(http.get(path), 404, "path")


@pytest.mark.parametrize(
    ("verb", "path"), [("DELETE", "runs"), ("PUT", "runs"), ("PATCH", "whoami")]
)
def test_an_unknown_method_is_refused(http: httpx2.Client, verb: str, path: str) -> None:
    answer = http.request(verb, f"{API}/{path}")

    says(answer, 405, "path")
    assert "GET" in answer.headers["allow"]


def test_a_query_where_a_body_is_wanted_is_refused(http: httpx2.Client) -> None:
    says(http.post(f"{API}/runs?name=x", json={"id": RUN}), 400, "name")


def test_a_body_where_a_query_is_wanted_is_refused(http: httpx2.Client) -> None:
    says(http.request("GET", f"{API}/runs", json={"limit": 1}), 400, "body")


def test_a_path_field_in_the_query_is_refused(http: httpx2.Client) -> None:
    says(http.get(f"{API}/runs/{RUN}?run={RUN}"), 400, "run")


def test_a_huge_body_is_refused(http: httpx2.Client) -> None:
    says(opened(http, b" " * (MAX_BODY + 1)), 413, "body")


def test_a_huge_body_without_a_length_is_refused(http: httpx2.Client) -> None:
    pieces = (b" " * (1 << 20) for _ in range(17))

    says(http.post(f"{API}/runs", content=pieces), 413, "body")


@pytest.mark.parametrize("request_id", ["a b", "x" * 201])
def test_a_bad_request_id_is_refused(http: httpx2.Client, request_id: str) -> None:
    answer = http.get(f"{API}/whoami", headers={"X-Request-Id": request_id})

    says(answer, 400, "X-Request-Id")


def test_a_bad_cause_is_refused(http: httpx2.Client) -> None:
    answer = http.get(f"{API}/whoami", headers={"X-Mainspring-Cause": "because"})

    says(answer, 400, "X-Mainspring-Cause")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", "Basic !!!", "Basic eDp5", "Digest x", "Bearer msp_"]
)
def test_without_a_valid_token_nothing_is_told(http: httpx2.Client, header: str) -> None:
    answer = http.get(f"{API}/whoami", headers={"Authorization": header})

    assert (answer.status_code, answer.json()["error"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Basic")


def test_a_token_may_come_as_a_basic_password(url: str, tokens: dict[str, str]) -> None:
    answer = httpx2.get(f"{url}{API}/whoami", auth=("anybody", tokens["vera"]), trust_env=False)

    assert answer.json()["name"] == "vera"


def test_huge_numbers_in_documents_are_kept(http: httpx2.Client) -> None:
    opened(http, b'{"id": "%s", "config": {"n": 123456789012345678901234567890}}' % RUN.encode())

    assert b"123456789012345678901234567890" in http.get(f"{API}/runs/{RUN}").content


def test_health_needs_no_token(url: str) -> None:
    assert httpx2.get(f"{url}/health", trust_env=False, verify=False).json() == {"status": "ok"}


def test_the_front_page_says_where_the_api_is_described(url: str) -> None:
    assert "/api/v1/openapi.json" in httpx2.get(url, trust_env=False, verify=False).text


def test_the_request_id_names_the_event(http: httpx2.Client, clients: Clients) -> None:
    http.post(f"{API}/runs", json={"id": RUN}, headers={"X-Request-Id": "mine"})

    assert story.events(clients.viewer, kind="run.opened")[0].request_id == "mine"


def test_raw_nonsense_does_not_end_the_server(url: str, http: httpx2.Client) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as wire:
        wire.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert wire.recv(100).startswith((b"HTTP/1.1 400", b""))

    assert http.get("/health").status_code == 200


def served(app: App, perform: Any = None) -> Served:
    return Served(
        perform=perform or app.run,
        blobs=app.blobs,
        health=lambda: {"status": "ok"},
        hosts=frozenset({"127.0.0.1", "localhost", "[::1]"}),
        sign_in=app.sign_in.prove, record=GroupCommit(app).record,
    )  # fmt: skip


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.:80"])
def test_a_host_that_is_not_ours_is_refused(app: App, host: str) -> None:
    api = http_api(served(app), OPERATIONS.values())
    with TestClient(api, headers={"host": host}) as client:
        answer = client.get("/health")

    assert (answer.status_code, answer.json()["field"]) == (421, "Host")


@pytest.mark.parametrize("host", ["127.0.0.1:8321", "localhost", "LOCALHOST:1", "[::1]:8321"])
def test_a_host_that_is_ours_is_served(app: App, host: str) -> None:
    api = http_api(served(app), OPERATIONS.values())
    with TestClient(api, headers={"host": host}) as client:
        assert client.get("/health").status_code == 200


def test_a_fault_of_ours_is_logged_and_told_without_its_traceback(
    app: App, tokens: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(operation: Operation[Any, Any], request: Any, caller: Caller) -> Any:
        raise ZeroDivisionError("secret of ours")

    api = http_api(served(app, broken), OPERATIONS.values())
    client = TestClient(api, base_url="http://localhost", raise_server_exceptions=False)
    answer = client.get(f"{API}/whoami")

    assert answer.status_code == 500
    assert "secret of ours" not in answer.text
    assert answer.json()["message"].rpartition(" ")[2] in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_file_comes_back_as_it_went(clients: Clients) -> None:
    content = bytes(range(256)) * 9_000
    digest = story.put(clients.developer, content)

    assert b"".join(clients.viewer.download(digest)) == content


def test_a_file_that_is_not_what_it_says_is_refused(clients: Clients, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"other bytes")

    with pytest.raises(Invalid) as caught:
        clients.developer.upload(digest_of(b"bytes"), path)
    assert caught.value.field == "digest"


def test_a_file_that_is_not_here_is_not_found(clients: Clients) -> None:
    with pytest.raises(NotFound):
        list(clients.viewer.download(digest_of(b"nothing")))


def upload_as(client: FileClient) -> None:
    story.put(client, b"a viewer's bytes")


def test_who_may_not_log_stores_no_file(app: App, clients: Clients) -> None:
    with pytest.raises(Forbidden):
        upload_as(clients.viewer)

    assert not app.blobs.has(digest_of(b"a viewer's bytes"))
    assert story.kinds(clients.viewer)[-1] == "operation.refused"


def test_another_workspace_has_its_own_files(
    app: App, url: str, clients: Clients, tokens: dict[str, str]
) -> None:
    digest = story.put(clients.developer, b"ours")
    story.elsewhere(app, tokens)
    elsewhere = remote_client(url, tokens["ada"], story.ELSEWHERE)

    with pytest.raises(NotFound, match="this workspace has no file"):
        list(elsewhere.download(digest))
    elsewhere.close()


def test_nobody_claims_a_file_by_its_digest_alone(http: httpx2.Client) -> None:
    body = {"digest": digest_of(b"ours"), "size": 4}

    assert http.post(f"{API}/files", json=body).status_code == 404


@pytest.mark.parametrize("size", [100, 3_000_000])
def test_a_file_that_was_changed_on_disk_is_not_given_out(
    app: App, home: Path, clients: Clients, size: int
) -> None:
    digest = story.put(clients.developer, b"x" * size)
    value = digest.partition(":")[2]
    (home / "artifacts" / value[:2] / value[2:]).write_bytes(b"y" * size)

    with pytest.raises((Corrupt, Unreachable)):
        list(clients.viewer.download(digest))


def test_both_clients_refuse_with_the_same_error(
    app: App, clients: Clients, tokens: dict[str, str]
) -> None:
    request = registry.NameModel(model=f"no-{MODEL}")
    seen = []
    for client in (local_client(app, tokens["vera"]), clients.viewer):
        with pytest.raises(NotFound) as caught:
            client.call(registry.show_model, request)
        seen.append(caught.value.as_json())

    assert seen[0] == seen[1]
