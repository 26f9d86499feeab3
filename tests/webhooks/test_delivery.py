"""Webhooks are told of what happens: signed, again if need be, and each for itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest

from mainspring.core.operation import FileClient
from mainspring.registry import catalog_contract as catalog
from mainspring.registry import contract as registry
from mainspring.registry.contract import DropAlias, NameVersion, SetAlias
from mainspring.webhooks import contract
from mainspring.webhooks.contract import (
    Delivery,
    ListDeliveries,
    NameWebhook,
    TryWebhook,
    UpdateWebhook,
    Webhook,
)
from mainspring.webhooks.topic import Topic
from tests import story
from tests.house import Clients, wait_until
from tests.registry.catalog import add, create
from tests.story import MODEL
from tests.webhooks.receiver import Receiver
from tests.webhooks.test_service import create as subscribe

pytestmark = pytest.mark.usefixtures("at_work")


@pytest.fixture
def transport() -> str:
    """Who asks for it does not matter to those who are told."""
    return "in process"


def listen(clients: Clients, receiver: Receiver, *topics: Topic, **more: Any) -> Webhook:
    return subscribe(clients.developer, address=receiver.url, events=[*topics], **more)


def deliveries(clients: Clients, webhook: Webhook) -> list[Delivery]:
    request = ListDeliveries(webhook=webhook.id)
    return clients.developer.call(contract.list_deliveries, request).items


def ended(clients: Clients, webhook: Webhook) -> Delivery:
    """The only delivery of the webhook, when it is over."""
    wait_until(lambda: [d.state for d in deliveries(clients, webhook)] not in ([], ["pending"]))
    (found,) = deliveries(clients, webhook)
    return found


def test_a_new_version_is_told(clients: Clients, receiver: Receiver) -> None:
    webhook = listen(clients, receiver, "model_version.created")
    create(clients.developer)
    add(clients.developer, run="r", tags={"a": "b"}, description="good")

    (heard,) = receiver.wait_for(1)

    assert heard.told["data"] == {
        "name": MODEL, "version": "1", "source": "s3://bucket/model", "run_id": "r",
        "tags": {"a": "b"}, "description": "good",
    }  # fmt: skip
    assert (heard.told["entity"], heard.told["action"]) == ("model_version", "created")
    delivery = ended(clients, webhook)
    assert (delivery.state, delivery.attempts[0].status) == ("delivered", 200)
    assert heard.headers["x-mlflow-delivery-id"] == delivery.id
    assert delivery.event in {event.id for event in story.events(clients.admin)}


def everything(client: FileClient, kind: str) -> None:
    """Let each thing happen that one can be told of."""
    create(client, kind=kind, tags={"mlflow.prompt.is_prompt": "true", "t": "1"})
    add(client, tags={"mlflow.prompt.text": "Hello", "t": "1"})
    client.call(catalog.tag_version, catalog.TagVersion(model=MODEL, version=1, key="k", value="v"))
    client.call(catalog.untag_version, catalog.UntagVersion(model=MODEL, version=1, key="k"))
    client.call(catalog.tag_model, catalog.TagModel(model=MODEL, key="k", value="v"))
    client.call(catalog.untag_model, catalog.UntagModel(model=MODEL, key="k"))
    client.call(registry.set_alias, SetAlias(model=MODEL, alias="best", version=1))
    client.call(registry.drop_alias, DropAlias(model=MODEL, alias="best"))


def heard_by(clients: Clients, receiver: Receiver, kind: str) -> dict[str, Any]:
    webhook = listen(clients, receiver, *EVERY)
    everything(clients.developer, kind)
    wanted = 8 if kind == "prompt" else 6
    receiver.wait_for(wanted)
    assert len(deliveries(clients, webhook)) == wanted
    return {
        f"{one.told['entity']}.{one.told['action']}": one.told["data"] for one in receiver.heard
    }


EVERY: list[Topic] = [
    "registered_model.created", "model_version.created", "model_version_tag.set",
    "model_version_tag.deleted", "model_version_alias.created", "model_version_alias.deleted",
    "prompt.created", "prompt_version.created", "prompt_tag.set", "prompt_tag.deleted",
    "prompt_version_tag.set", "prompt_version_tag.deleted", "prompt_alias.created",
    "prompt_alias.deleted",
]  # fmt: skip


def test_all_that_happens_to_a_model_is_told(clients: Clients, receiver: Receiver) -> None:
    told = heard_by(clients, receiver, "model")

    assert told["model_version_tag.set"] == {
        "name": MODEL,
        "version": "1",
        "key": "k",
        "value": "v",
    }
    assert told["model_version_tag.deleted"] == {"name": MODEL, "version": "1", "key": "k"}
    assert told["model_version_alias.created"] == {"name": MODEL, "version": "1", "alias": "best"}
    assert told["model_version_alias.deleted"] == {"name": MODEL, "alias": "best"}
    assert told.keys() == {topic for topic in EVERY if not topic.startswith("prompt")}


def test_all_that_happens_to_a_prompt_is_told(clients: Clients, receiver: Receiver) -> None:
    told = heard_by(clients, receiver, "prompt")

    assert told["prompt.created"] == {"name": MODEL, "tags": {"t": "1"}, "description": ""}
    assert told["prompt_version.created"] == {
        "name": MODEL, "version": "1", "template": "Hello", "tags": {"t": "1"},
        "description": None,
    }  # fmt: skip
    assert told["prompt_tag.set"] == {"name": MODEL, "key": "k", "value": "v"}
    assert told.keys() == {topic for topic in EVERY if topic.startswith("prompt")}


def test_who_wants_something_else_is_not_told(
    clients: Clients, receiver: Receiver, other_receiver: Receiver
) -> None:
    quiet = listen(clients, receiver, "prompt.created")
    disabled = listen(clients, receiver, "registered_model.created", status="disabled")
    listen(clients, other_receiver, "registered_model.created")
    create(clients.developer)

    other_receiver.wait_for(1)

    assert deliveries(clients, quiet) == deliveries(clients, disabled) == []


def test_a_delivery_is_signed(clients: Clients, receiver: Receiver) -> None:
    webhook = listen(clients, receiver, "registered_model.created", secret="key")
    clients.developer.call(contract.try_webhook, TryWebhook(webhook=webhook.id))

    (heard,) = receiver.wait_for(1)

    said = (heard.headers["x-mlflow-delivery-id"], heard.headers["x-mlflow-timestamp"], heard.body)
    mac = hmac.new(b"key", ".".join(said).encode(), hashlib.sha256).digest()
    assert heard.headers["x-mlflow-signature"] == f"v1,{base64.b64encode(mac).decode()}"


def test_without_a_secret_nothing_is_signed(clients: Clients, receiver: Receiver) -> None:
    webhook = listen(clients, receiver, "registered_model.created")
    clients.developer.call(contract.try_webhook, TryWebhook(webhook=webhook.id))

    assert "x-mlflow-signature" not in receiver.wait_for(1)[0].headers


def test_a_peer_that_is_out_of_order_is_asked_again(clients: Clients, receiver: Receiver) -> None:
    receiver.answers = [503]
    webhook = listen(clients, receiver, "registered_model.created")
    create(clients.developer)

    first, second = receiver.wait_for(2)

    assert first.body == second.body
    assert first.headers["x-mlflow-delivery-id"] == second.headers["x-mlflow-delivery-id"]
    delivery = ended(clients, webhook)
    assert [attempt.status for attempt in delivery.attempts] == [503, 200]
    assert delivery.next_attempt_at is None


@pytest.mark.parametrize("status", [400, 401, 404, 302, 501])
def test_a_peer_that_says_no_is_not_asked_again(
    clients: Clients, receiver: Receiver, status: int
) -> None:
    receiver.answers = [status]
    webhook = listen(clients, receiver, "registered_model.created")
    create(clients.developer)

    delivery = ended(clients, webhook)

    assert (delivery.state, len(delivery.attempts)) == ("failed", 1)
    wait_until(lambda: "delivery.failed" in story.kinds(clients.admin))
    told = story.events(clients.admin)[-1]
    assert told.facts["reason"] == f"the peer answered {status}"


def test_a_peer_may_ask_for_a_longer_pause(clients: Clients, receiver: Receiver) -> None:
    receiver.answers, receiver.headers = [429], {"Retry-After": "600"}
    webhook = listen(clients, receiver, "registered_model.created")
    create(clients.developer)

    wait_until(lambda: any(one.attempts for one in deliveries(clients, webhook)))

    (waiting,) = deliveries(clients, webhook)
    assert waiting.state == "pending"
    assert waiting.next_attempt_at is not None
    pause = waiting.next_attempt_at - waiting.attempts[0].at
    assert 600 <= pause.total_seconds() < 605


def test_a_slow_peer_holds_up_nobody_else(
    clients: Clients, receiver: Receiver, other_receiver: Receiver
) -> None:
    receiver.open.clear()
    slow = listen(clients, receiver, "registered_model.created")
    listen(clients, other_receiver, "registered_model.created")
    create(clients.developer)
    receiver.wait_for(1)

    create(clients.developer, "another")

    assert [one.told["data"]["name"] for one in other_receiver.wait_for(2)] == [MODEL, "another"]
    assert {one.state for one in deliveries(clients, slow)} == {"pending"}


def test_a_name_that_leads_inside_is_not_called(
    clients: Clients, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was let through when the webhook was made; when it is called, the rule of that day holds."""
    webhook = listen(clients, receiver, "registered_model.created")
    monkeypatch.setenv("MAINSPRING_OUTBOUND_ALLOW", "")
    create(clients.developer)

    delivery = ended(clients, webhook)

    assert (delivery.state, len(delivery.attempts)) == ("failed", 1)
    assert "not a public address" in delivery.attempts[0].error
    assert receiver.heard == []


def test_what_waits_for_a_deleted_or_disabled_webhook_is_dropped(
    clients: Clients, receiver: Receiver
) -> None:
    receiver.answers, receiver.headers = [503, 503], {"Retry-After": "600"}
    deleted = listen(clients, receiver, "registered_model.created")
    disabled = listen(clients, receiver, "registered_model.created")
    create(clients.developer)
    wait_until(
        lambda: all(any(d.attempts for d in deliveries(clients, w)) for w in (deleted, disabled))
    )

    clients.developer.call(contract.delete_webhook, NameWebhook(webhook=deleted.id))
    request = UpdateWebhook(webhook=disabled.id, status="disabled")
    clients.developer.call(contract.update_webhook, request)

    assert [one.state for one in deliveries(clients, disabled)] == ["dropped"]


def test_a_version_that_is_registered_natively_is_told_too(
    clients: Clients, receiver: Receiver
) -> None:
    listen(clients, receiver, "registered_model.created", "model_version.created")
    made = story.version(clients.developer)

    _, heard = receiver.wait_for(2)

    asked = NameVersion(model=MODEL, version=made.number)
    assert clients.viewer.call(registry.show_version, asked).run == heard.told["data"]["run_id"]
    assert heard.told["data"]["source"] == f"models:/m-{made.trained}"
