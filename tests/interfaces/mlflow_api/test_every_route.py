"""Every MLflow route as a stranger meets it: each bad request is told so, and none is a fault of ours."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.interfaces.mlflow_api.dispatch import MAX_BODY
from tests.interfaces.mlflow_api import strange
from tests.interfaces.mlflow_api.strange import Road

pytestmark = pytest.mark.slow

MLFLOW = "/api/2.0/mlflow"
MAIN = strange.main()
CLOSED = [road for road in MAIN if not road.endpoint.open]
READING = [road for road in CLOSED if road.endpoint.params is not None]
KINDS = ("text/plain", "application/xml", "")
BROKEN = [
    b"{", b"nonsense", b"{'run_id': 1}", b'{"run_id": NaN}', b"\xff\xfe", b'{"run_id": "\\ud800"}',
    b'{"run_id": "\xed\xa0\x80"}', b"[" * 100_000, b'{"tags":' * 5_000 + b"1" + b"}" * 5_000,
    b'"text"', b'"\\"text\\""', b"[]", b"[{}]", b"7", b"true", b"7" * 5_000, b'{"max_results": 1e999}',
    b'{"run_id": "a"} more', b"\x00",
]  # fmt: skip

VALUES = {
    "SQLite": strange.WRONG_TYPES + strange.NASTY + strange.EXTREME,
    # Of these it takes less than SQLite; what is of another kind never comes as far.
    "PostgreSQL": ("\x00", "nul\x00inside", strange.LONG, "\u202e\U0001f600", *strange.EXTREME),
}


@pytest.fixture
def transport() -> str:
    """The whole of this is about HTTP."""
    return "over HTTP"


@pytest.fixture
def stranger(url: str, caplog: pytest.LogCaptureFixture) -> Iterator[httpx2.Client]:
    """A client without a token; at the end there must be no traceback in the log."""
    with httpx2.Client(base_url=url, trust_env=False, verify=False, timeout=30) as client:
        yield client
    assert [record.getMessage() for record in caplog.get_records("call") if record.exc_info] == []


@pytest.fixture
def http(stranger: httpx2.Client, tokens: dict[str, str]) -> httpx2.Client:
    """A client with the token of one who may do all."""
    stranger.headers["Authorization"] = f"Bearer {tokens['ada']}"
    return stranger


def done(http: httpx2.Client, path: str, **fields: object) -> Any:
    answer = http.post(f"{MLFLOW}/{path}", json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def seeds(http: httpx2.Client) -> dict[str, object]:
    """Something of each kind, so that a request with one bad value comes as far as it can."""
    run = done(http, "runs/create", experiment_id="0", start_time=1)["run"]["info"]["run_id"]
    done(http, "runs/log-batch", run_id=run, metrics=[{"key": "loss", "value": 1, "timestamp": 1}])
    model = done(http, "logged-models", experiment_id="0", name="net")["model"]["info"]["model_id"]
    done(http, "registered-models/create", name="churn")
    done(http, "model-versions/create", name="churn", source="s3://bucket/model")
    done(http, "registered-models/alias", name="churn", alias="best", version="1")
    events = [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]
    hook = done(http, "webhooks", name="hook", url="https://1.1.1.1/hook", events=events)
    return {
        "run_id": run, "run_uuid": run, "model_id": model, "run_ids": [run],
        "webhook_id": hook["webhook"]["webhook_id"],
    }  # fmt: skip


def fault(answer: httpx2.Response) -> str | None:
    """What is wrong with an answer to a bad request."""
    if answer.status_code < 300:
        return None
    body = answer.json() if answer.headers["content-type"] == "application/json" else {}
    said = set(body) == {"error_code", "message"} and all(isinstance(x, str) for x in body.values())
    # Clients take this one for `download in one piece`.
    refused = 400 <= answer.status_code < 500 or body.get("error_code") == "NOT_IMPLEMENTED"
    return None if said and refused else f"{answer.status_code} {answer.text[:300]}"


def faults(answers: Iterable[httpx2.Response]) -> list[str]:
    """Everything that is wrong with some answers, and what was asked."""
    found = ((answer, fault(answer)) for answer in answers)
    return [f"{_question(answer)} -> {wrong}" for answer, wrong in found if wrong is not None]


def _question(answer: httpx2.Response) -> str:
    return (
        f"{answer.request.method} {str(answer.request.url)[:300]} {answer.request.content[:300]!r}"
    )


SQLITE = pytest.mark.parametrize("database_kind", ["SQLite"])
"""For what is refused at the door."""


@SQLITE
def test_nobody_comes_in_without_a_token(stranger: httpx2.Client) -> None:
    answers = [road.send(stranger, strange.example(road, {})) for road in CLOSED]

    assert {(one.status_code, one.json()["error_code"]) for one in answers} == {
        (401, "UNAUTHENTICATED")
    }
    assert {one.headers["www-authenticate"] for one in answers} == {'Basic realm="mainspring"'}


@SQLITE
def test_nobody_comes_in_with_a_token_of_no_one(stranger: httpx2.Client) -> None:
    stranger.headers["Authorization"] = "Bearer msp_nobodys"
    nothing = {
        "model_id": f"m-{strange.UNKNOWN}", "run_id": strange.UNKNOWN, "run_ids": [strange.UNKNOWN],
    }  # fmt: skip
    answers = [road.send(stranger, strange.example(road, nothing)) for road in CLOSED]

    assert [_question(one) for one in answers if one.status_code < 400] == []
    assert faults(answers) == []


@SQLITE
def test_a_broken_body_is_refused(http: httpx2.Client) -> None:
    assert faults(road.post(http, content) for road in MAIN for content in BROKEN) == []
    assert faults(road.post(http, b"{}", kind) for road in MAIN for kind in KINDS) == []


@SQLITE
def test_what_is_no_object_is_told_so(http: httpx2.Client) -> None:
    broken = (b"{", b"[]", b"7", b"nonsense")
    answers = [road.post(http, content) for road in READING for content in broken]

    assert [_question(one) for one in answers if one.status_code != 400] == []


@SQLITE
def test_too_large_a_body_is_refused(http: httpx2.Client, url: str) -> None:
    token = http.headers["Authorization"]
    answers = {str(road): too_large(url, token, road) for road in READING}

    assert {road: said for road, said in answers.items() if b"INVALID_PARAMETER" not in said} == {}
    assert {said[:12] for said in answers.values()} == {b"HTTP/1.1 400"}


def too_large(url: str, token: str, road: Road) -> bytes:
    """What is said to a client that is about to send too much."""
    host, _, port = url.removeprefix("http://").partition(":")
    path = road.path.replace("{", "").replace("}", "")
    head = (
        f"{road.method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Authorization: {token}\r\nContent-Length: {MAX_BODY + 1}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=10) as wire:
        wire.sendall(head.encode())
        return wire.recv(65_536)


@SQLITE
def test_nothing_at_all_is_answered(http: httpx2.Client) -> None:
    assert faults(road.send(http, {}) for road in MAIN) == []
    assert faults(road.post(http, content) for road in MAIN for content in (b"", b"null")) == []


@pytest.mark.parametrize("road", CLOSED, ids=str)
def test_no_value_is_a_fault(
    http: httpx2.Client, seeds: dict[str, object], road: Road, database_kind: str
) -> None:
    good = strange.examples(road, seeds)

    requests = strange.with_each(good, VALUES[database_kind])

    assert faults(road.send(http, fields) for fields in requests) == []


@SQLITE
def test_the_twins_of_the_pages_answer_alike(http: httpx2.Client) -> None:
    pairs = [(road, road.twin, wrong) for road in CLOSED if road.twin for wrong in all_wrong(road)]
    ours = [said(road.send(http, wrong)) for road, _, wrong in pairs]
    theirs = [said(twin.send(http, wrong)) for _, twin, wrong in pairs]

    assert ours == theirs
    assert len(pairs) > 100


def all_wrong(road: Road) -> list[dict[str, Any]]:
    """Requests of which no value is good."""
    fields = strange.example(road, {})
    wrong: tuple[object, ...] = ({"a": 1}, "\x00")
    return [dict.fromkeys(fields, value) for value in wrong]


def said(answer: httpx2.Response) -> tuple[int, bytes]:
    """What an answer says, and how."""
    return answer.status_code, answer.content


@SQLITE
@settings(suppress_health_check=list(HealthCheck), max_examples=100, deadline=None)
@given(path=st.sampled_from(["runs/log-batch", "runs/search", "runs/create", "experiments/create",
                             "runs/log-inputs", "model-versions/create", "logged-models"]),
       body=strange.BODIES)  # fmt: skip
def test_no_json_is_a_fault(http: httpx2.Client, path: str, body: object) -> None:
    assert faults([http.post(f"{MLFLOW}/{path}", json=body)]) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/3.0/mlflow/traces"),
        ("POST", "/api/3.0/mlflow/traces"),
        ("POST", "/api/3.0/mlflow/traces/search"),
        ("POST", "/api/3.0/mlflow/datasets/create"),
        ("GET", "/api/3.0/mlflow/datasets/1"),
        ("POST", "/api/3.0/mlflow/scorers/register"),
        ("GET", "/api/2.0/mlflow/gateway/endpoints"),
        ("GET", "/ajax-api/2.0/mlflow/gateway-proxy"),
        ("POST", "/ajax-api/3.0/mlflow/genai/evaluate"),
        ("POST", "/v1/traces"),
        ("POST", "/api/2.0/mlflow/runs/nonsense"),
        ("PUT", "/api/2.0/mlflow/runs/create"),
        ("GET", "/api/2.0/mlflow/%00"),
        ("GET", "/api/2.0/"),
        ("GET", "/ajax-api/"),
        ("GET", "/graphql/more"),
    ],
)
@SQLITE
def test_what_is_not_served_is_told_so(http: httpx2.Client, method: str, path: str) -> None:
    answer = http.request(method, path, json={})

    assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


def test_every_route_was_asked() -> None:
    assert len(MAIN) > 70
    assert {str(road) for road in MAIN} >= {
        "POST /api/2.0/mlflow/runs/log-batch",
        "DELETE /api/2.0/mlflow/logged-models/{model_id}/tags/{tag_key}",
        "PUT /api/2.0/mlflow-artifacts/artifacts/{artifact_path}",
        "GET /ajax-api/2.0/mlflow/metrics/get-history-bulk",
        "POST /graphql",
    }
