"""Webhooks: made, tried, told, changed, deleted. The server may call this machine (FLOW setup)."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import mlflow
import pytest
from client_side import refused


class Receiver(HTTPServer):
    """Takes what it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.told: queue.Queue[dict[str, Any]] = queue.Queue()


class _Taking(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.put({"headers": dict(self.headers), "body": json.loads(body)})
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who listens."""
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_webhook_is_kept_changed_and_deleted(client: mlflow.MlflowClient) -> None:
    made = client.create_webhook(
        "ci",
        "https://ci.example.com/hook",
        ["registered_model.created", "model_version.created"],
        description="builds",
        secret="hush",
    )
    client.update_webhook(made.webhook_id, name="cd", status="DISABLED")
    found = client.get_webhook(made.webhook_id)

    assert (found.name, found.url) == ("cd", "https://ci.example.com/hook")
    assert (str(found.status), found.description) == ("DISABLED", "builds")
    assert sorted(str(event) for event in found.events) == [
        "model_version.created",
        "registered_model.created",
    ]
    assert made.webhook_id in [one.webhook_id for one in client.list_webhooks()]
    client.delete_webhook(made.webhook_id)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.get_webhook(made.webhook_id)


def test_a_webhook_is_tried_and_told(client: mlflow.MlflowClient, receiver: Receiver) -> None:
    address = f"http://127.0.0.1:{receiver.server_port}/"
    made = client.create_webhook("own", address, ["registered_model.created"], secret="hush")

    tried = client.test_webhook(made.webhook_id)
    assert (tried.success, tried.response_status) == (True, 200)
    assert receiver.told.get(timeout=10)["body"]["entity"] == "registered_model"

    client.create_registered_model("told-of", tags={"a": "b"})
    told = receiver.told.get(timeout=20)
    assert told["body"]["data"]["name"] == "told-of"
    assert "X-MLflow-Signature" in told["headers"]
    client.delete_webhook(made.webhook_id)


def test_a_webhook_into_the_house_is_refused(client: mlflow.MlflowClient) -> None:
    with refused("INVALID_PARAMETER_VALUE"):
        client.create_webhook("in", "http://169.254.169.254/", ["registered_model.created"])
    with refused("INVALID_PARAMETER_VALUE"):
        client.create_webhook("in", "ftp://example.com/", ["registered_model.created"])
