"""Webhooks, as MLflow's clients keep and try them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args
from urllib.parse import urlsplit

import msgspec

from mainspring.core import outbound
from mainspring.core.errors import Invalid, NotFound, Unreachable
from mainspring.interfaces.mlflow_api.asking import ask
from mainspring.interfaces.mlflow_api.dispatch import Call, Params, route
from mainspring.interfaces.mlflow_api.entities import millis
from mainspring.interfaces.mlflow_api.failure import MlflowError, missing_value, not_found
from mainspring.webhooks import contract
from mainspring.webhooks.contract import Outgoing, Webhook
from mainspring.webhooks.topic import Topic

EMPTY = b"{}"
ID = re.compile(r"[0-9a-f]{32}")
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
TEST_TIMEOUT_S = 10
"""Somebody waits for the answer."""
_TOPICS: tuple[str, ...] = get_args(Topic)
_ENTITIES = ["", "registered_model", "model_version", "model_version_tag", "model_version_alias",
             "prompt", "prompt_version", "prompt_tag", "prompt_version_tag", "prompt_alias"]  # fmt: skip
_ACTIONS = ["", "created", "updated", "deleted", "set"]
_STATUSES = ["", "active", "disabled"]


class EventIn(msgspec.Struct, frozen=True):
    """What is listened to, by MLflow's words for it or their numbers."""

    entity: str | int | None = None
    action: str | int | None = None


class ListWebhooks(Params, frozen=True, kw_only=True):
    """webhooks."""

    max_results: int | None = None
    page_token: str | None = None


class OneWebhook(Params, frozen=True, kw_only=True):
    """A route about one webhook."""

    webhook_id: str = ""


class WriteWebhook(OneWebhook, frozen=True, kw_only=True):
    """A webhook to make or to change."""

    name: str | None = None
    url: str | None = None
    events: list[EventIn] | None = None
    description: str | None = None
    secret: str | None = None
    status: str | int | None = None


class TryWebhook(OneWebhook, frozen=True, kw_only=True):
    """webhooks/test."""

    event: EventIn | None = None


@contextmanager
def speaking_of(webhook: str) -> Iterator[None]:
    """Say that a webhook is not there in MLflow's words."""
    missing = not_found(f"Webhook with ID {webhook} not found.")
    if ID.fullmatch(webhook) is None:
        raise missing
    try:
        yield
    except NotFound as error:
        raise missing from error


@route("POST", "2.0/mlflow/webhooks", WriteWebhook, required=("name", "url", "events"))
def create(call: Call, params: WriteWebhook) -> dict[str, Any]:
    """Make one."""
    webhook = ask(call, contract.create_webhook, **_fields(params))
    return {"webhook": entity(webhook)}


@route("GET", "2.0/mlflow/webhooks", ListWebhooks)
def listed(call: Call, params: ListWebhooks) -> dict[str, Any]:
    """A page of them, newest first."""
    limit = params.max_results or 100
    if not 1 <= limit <= 1000:
        raise MlflowError("max_results must be between 1 and 1000.")
    before = params.page_token or None
    if before is not None and re.fullmatch(r"[0-9]{1,15}", before, re.ASCII) is None:
        raise MlflowError("Invalid page token")
    page = ask(
        call, contract.list_webhooks, limit=limit, before=None if before is None else int(before)
    )
    answer: dict[str, Any] = {"webhooks": [entity(webhook) for webhook in page.items]}
    if page.next is not None:
        answer["next_page_token"] = page.next
    return answer


@route("GET", "2.0/mlflow/webhooks/{webhook_id}", OneWebhook)
def get(call: Call, params: OneWebhook) -> dict[str, Any]:
    """One."""
    with speaking_of(params.webhook_id):
        return {"webhook": entity(ask(call, contract.show_webhook, webhook=params.webhook_id))}


@route("PATCH", "2.0/mlflow/webhooks/{webhook_id}", WriteWebhook)
def update(call: Call, params: WriteWebhook) -> dict[str, Any]:
    """Change what is given."""
    with speaking_of(params.webhook_id):
        webhook = ask(call, contract.update_webhook, webhook=params.webhook_id, **_fields(params))
    return {"webhook": entity(webhook)}


@route("DELETE", "2.0/mlflow/webhooks/{webhook_id}", OneWebhook)
def delete(call: Call, params: OneWebhook) -> bytes:
    """Delete one."""
    with speaking_of(params.webhook_id):
        ask(call, contract.delete_webhook, webhook=params.webhook_id)
    return EMPTY


@route("POST", "2.0/mlflow/webhooks/{webhook_id}/test", TryWebhook)
async def test(call: Call, params: TryWebhook) -> dict[str, Any]:
    """Send an example now, and tell what came back; a peer that is slow takes none of our threads."""
    topic = None if params.event is None else _topic(params.event)
    with speaking_of(params.webhook_id):
        outgoing = await asyncio.to_thread(
            ask, call, contract.prepare_test, webhook=params.webhook_id, event=topic
        )
    return {"result": await asyncio.to_thread(_sent, outgoing)}


def _sent(outgoing: Outgoing) -> dict[str, Any]:
    try:
        answer = outbound.post(
            outgoing.url, outgoing.body.encode(), outgoing.headers, TEST_TIMEOUT_S,
            outbound.allowed(),
        )  # fmt: skip
    except (Invalid, Unreachable) as error:
        return {"success": False, "error_message": f"Failed to test webhook: {error.message}"}
    return {
        "success": answer.status < 400,
        "response_status": answer.status,
        "response_body": answer.body.decode(errors="replace"),
    }


def entity(webhook: Webhook) -> dict[str, Any]:
    """A webhook as MLflow's clients read it."""
    found: dict[str, Any] = {
        "webhook_id": webhook.id,
        "name": webhook.name,
        "url": webhook.address,
        "events": [
            dict(zip(("entity", "action"), topic.upper().split("."), strict=True))
            for topic in webhook.events
        ],
        "status": webhook.status.upper(),
        "creation_timestamp": millis(webhook.recorded_at),
        "last_updated_timestamp": millis(webhook.updated_at),
    }
    if webhook.description:
        found["description"] = webhook.description
    return found


def _fields(params: WriteWebhook) -> dict[str, Any]:
    """What is given, in our words; empty is as good as not given."""
    fields: dict[str, Any] = {}
    if params.name:
        fields["name"] = _checked_name(params.name)
    if params.url:
        fields["address"] = _checked_url(params.url)
    if params.events:
        fields["events"] = [_topic(event) for event in params.events]
    if params.description:
        fields["description"] = params.description
    if params.secret:
        fields["secret"] = params.secret
    if params.status:
        fields["status"] = _word(params.status, _STATUSES, "status")
    return fields


def _checked_name(name: str) -> str:
    if len(name) > 63 or NAME.fullmatch(name) is None:
        raise MlflowError(
            f"Webhook name {name!r} is invalid. It must start and end with a letter or digit, be "
            "less than 63 characters long, and contain only letters, digits, dots (.), "
            "underscores (_), and hyphens (-)."
        )
    return name


def _checked_url(url: str) -> str:
    if not url.strip():
        raise MlflowError(f"Webhook URL cannot be empty or just whitespace: {url!r}")
    try:
        scheme = urlsplit(url).scheme
    except ValueError as error:
        raise MlflowError(f"Invalid webhook URL {url!r}: {error!r}") from error
    if scheme not in outbound.PORTS:
        raise MlflowError(
            f"Invalid webhook URL scheme: {scheme!r}. Allowed schemes are: https, http."
        )
    return url


def _topic(event: EventIn) -> str:
    for name in ("entity", "action"):
        if getattr(event, name) in (None, ""):
            raise missing_value(f"event.{name}")
    assert event.entity is not None
    assert event.action is not None
    entity_word = _word(event.entity, _ENTITIES, "entity")
    action = _word(event.action, _ACTIONS, "action")
    topic = f"{entity_word}.{action}"
    if topic not in _TOPICS:
        valid = sorted(
            one.partition(".")[2] for one in _TOPICS if one.startswith(f"{entity_word}.")
        )
        raise MlflowError(
            f"Invalid action '{action}' for entity '{entity_word}'. Valid actions are: {valid}"
        )
    return topic


def _word(given: str | int, words: list[str], what: str) -> str:
    text = str(given)
    if text.isascii() and text.isdigit() and len(text) < 4 and 0 < int(text) < len(words):
        return words[int(text)]
    if text.lower() not in words or not text:
        shown = ", ".join(word.upper() for word in words if word)
        raise MlflowError(f"Invalid webhook {what} {text!r}; wanted one of {shown}.")
    return text.lower()
