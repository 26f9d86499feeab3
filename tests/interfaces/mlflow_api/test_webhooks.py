"""Webhooks, as MLflow's clients keep and try them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.interfaces.mlflow_api.wire import API, Wire, done, refused
from tests.webhooks.receiver import Receiver, receiving

HOOKS = f"{API}/webhooks"
BAD, MISSING = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"
EVENT = {"entity": "MODEL_VERSION", "action": "CREATED"}
TAG_SET = {"entity": "MODEL_VERSION_TAG", "action": "SET"}


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """An address that may be called."""
    monkeypatch.setenv("MAINSPRING_OUTBOUND_ALLOW", "127.0.0.0/8")
    with receiving() as found:
        yield found


def create(wire: Wire, **more: object) -> dict[str, Any]:
    body = {"name": "ci", "url": "https://example.com/hook", "events": [EVENT], **more}
    found: dict[str, Any] = done(wire("POST", HOOKS, body))["webhook"]
    return found


def test_a_webhook_is_created_read_changed_and_deleted(wire: Wire) -> None:
    made = create(wire, description="builds", secret="hidden")
    place = f"{HOOKS}/{made['webhook_id']}"

    body = {"status": "DISABLED", "events": [TAG_SET, EVENT], "secret": "other"}
    changed = done(wire("PATCH", place, body))["webhook"]

    assert (made["events"], made["status"], made["description"]) == ([EVENT], "ACTIVE", "builds")
    assert "secret" not in made
    assert done(wire("GET", place))["webhook"] == changed
    assert (changed["name"], changed["events"]) == ("ci", [TAG_SET, EVENT])
    assert changed["status"] == "DISABLED"
    done(wire("DELETE", place))
    words = f"Webhook with ID {made['webhook_id']} not found."
    refused(wire("GET", place), 404, MISSING, words)


def test_words_may_be_numbers(wire: Wire) -> None:
    made = create(wire, events=[{"entity": 3, "action": 4}], status=2)

    assert (made["events"], made["status"]) == ([TAG_SET], "DISABLED")


def test_they_are_listed_in_pages(wire: Wire) -> None:
    ids = [create(wire, name=f"w{number}")["webhook_id"] for number in range(3)]

    first = done(wire("GET", HOOKS, max_results=2))
    token = first["next_page_token"]
    second = done(wire("GET", HOOKS, max_results=2, page_token=token))

    listed = [one["webhook_id"] for one in first["webhooks"] + second["webhooks"]]
    assert listed == ids[::-1]
    assert "next_page_token" not in second


def test_a_webhook_is_tried_at_once(wire: Wire, receiver: Receiver) -> None:
    made = create(wire, url=f"{receiver.url}/hook", secret="key")
    place = f"{HOOKS}/{made['webhook_id']}/test"

    first = done(wire("POST", place, {}))["result"]
    receiver.answers = [404]
    second = done(wire("POST", place, {"event": TAG_SET}))["result"]

    assert first == {"success": True, "response_status": 200, "response_body": "received"}
    assert (second["success"], second["response_status"]) == (False, 404)
    told = [one.told for one in receiver.heard]
    assert told[0]["data"]["source"] == "models:/123"
    assert told[1]["data"] == {
        "name": "example_model", "version": "1", "key": "example_key", "value": "example_value",
    }  # fmt: skip
    assert receiver.heard[0].headers["x-mlflow-signature"].startswith("v1,")


def test_a_peer_that_may_not_be_called_is_not(
    wire: Wire, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(wire, url=receiver.url)
    monkeypatch.setenv("MAINSPRING_OUTBOUND_ALLOW", "")

    result = done(wire("POST", f"{HOOKS}/{made['webhook_id']}/test", {}))["result"]

    assert result["success"] is False
    assert "not a public address" in result["error_message"]
    assert receiver.heard == []


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("   ", "Webhook URL cannot be empty or just whitespace"),
        ("ftp://example.com", "Invalid webhook URL scheme"),
        ("http://[invalid", "Invalid webhook URL"),
        ("http://localhost:1/", "not a public address"),
        ("https://a:b@example.com/", "no user name or password"),
        ("https://example.com/" + "x" * 3000, "Invalid webhook URL"),
        ("https://exa\x00mple.com/", "address"),
    ],
)
def test_a_bad_address_is_refused(wire: Wire, address: str, words: str) -> None:
    made = create(wire)
    body = {"name": "ci", "url": address, "events": [EVENT]}

    refused(wire("POST", HOOKS, body), 400, BAD, words)
    place = f"{HOOKS}/{made['webhook_id']}"
    refused(wire("PATCH", place, {"url": address}), 400, BAD, words)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "-a"), ("name", "x" * 64), ("name", "a b"), ("name", 7), ("name", "a\x00"),
        ("events", [{}]), ("events", [{"entity": "MODEL_VERSION", "action": "SET"}]),
        ("events", [{"entity": "NOBODY", "action": "SET"}]), ("events", "x"), ("events", [None]),
        ("events", [{"entity": 99, "action": 4}]), ("events", [{"entity": {}, "action": 4}]),
        ("status", "PAUSED"), ("status", 7), ("status", {}), ("secret", "x" * 2000),
        ("secret", "\x00"), ("description", "x" * 20_000), ("description", "\x00"),
    ],
)  # fmt: skip
def test_a_bad_field_is_refused(wire: Wire, field: str, value: object) -> None:
    made = create(wire)
    body = {"name": "ci", "url": "https://example.com/", "events": [EVENT], field: value}

    refused(wire("POST", HOOKS, body), 400, BAD)
    refused(wire("PATCH", f"{HOOKS}/{made['webhook_id']}", {field: value}), 400, BAD)


@pytest.mark.parametrize("field", ["name", "url", "events"])
def test_every_field_that_is_needed_is_asked_for(wire: Wire, field: str) -> None:
    body: dict[str, Any] = {"name": "ci", "url": "https://example.com/", "events": [EVENT]}
    del body[field]

    words = f"Missing value for required parameter '{field}'"
    refused(wire("POST", HOOKS, body), 400, BAD, words)


@pytest.mark.parametrize(
    ("method", "more"),
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test")],
)
@pytest.mark.parametrize("webhook", ["nonexistent", "0" * 32, "%00", "a%20b"])
def test_a_webhook_that_is_not_there_is_told(
    wire: Wire, method: str, more: str, webhook: str
) -> None:
    body: dict[str, object] | None = None if method in ("GET", "DELETE") else {}

    refused(wire(method, f"{HOOKS}/{webhook}{more}", body), 404, MISSING, "not found")


@pytest.mark.parametrize(
    "query", [{"max_results": -1}, {"max_results": 1001}, {"max_results": "x"}, {"page_token": "x"}]
)
def test_a_bad_page_is_refused(wire: Wire, query: dict[str, object]) -> None:
    refused(wire("GET", HOOKS, **query), 400, BAD)


def test_a_bad_event_to_try_is_refused(wire: Wire) -> None:
    made = create(wire)
    place = f"{HOOKS}/{made['webhook_id']}/test"

    for event in ({}, {"entity": "PROMPT", "action": "SET"}, "x", 7):
        refused(wire("POST", place, {"event": event}), 400, BAD)
