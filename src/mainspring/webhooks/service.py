"""Webhooks are kept, tried, told of what happens; who sends is another floor."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mainspring.core import outbound
from mainspring.core.errors import Invalid
from mainspring.core.ids import new_id
from mainspring.core.operation import Done, Page
from mainspring.core.work import Work, performs
from mainspring.webhooks import contract
from mainspring.webhooks.contract import Delivery, Outgoing, Webhook
from mainspring.webhooks.store import WebhookStore, delivery_of, webhook_of
from mainspring.webhooks.topic import example, headers

KEPT = dt.timedelta(days=30)
"""How long one can see what a webhook was told."""


def _store(work: Work) -> WebhookStore:
    return WebhookStore(work.connection, work.workspace_id)


@performs(contract.create_webhook)
def create_webhook(work: Work, request: contract.CreateWebhook) -> Webhook:
    """Keep it, after a look at its address."""
    _refuse_address(request.address)
    store, public_id = _store(work), new_id()
    store.add(
        {
            "public_id": public_id,
            "name": request.name,
            "address": request.address,
            "events": list(dict.fromkeys(request.events)),
            "description": request.description,
            "status": request.status,
            "secret": request.secret,
            "created_by": work.actor.name,
            "recorded_at": work.now,
            "updated_at": work.now,
        }
    )
    row = store.row(public_id)
    work.announce("webhook.created", ("webhook", public_id), **_facts(row))
    return webhook_of(row)


@performs(contract.show_webhook)
def show_webhook(work: Work, request: contract.NameWebhook) -> Webhook:
    """One webhook."""
    return webhook_of(_store(work).row(request.webhook))


@performs(contract.list_webhooks)
def list_webhooks(work: Work, request: contract.ListWebhooks) -> Page[Webhook]:
    """Newest first."""
    rows = _store(work).rows(request.limit + 1, request.before)
    shown = rows[: request.limit]
    return Page(items=[webhook_of(row) for row in shown], next=_next(rows, shown))


@performs(contract.update_webhook)
def update_webhook(work: Work, request: contract.UpdateWebhook) -> Webhook:
    """Change what is given; one that is disabled is not told what waits for it."""
    store = _store(work)
    row = store.row(request.webhook)
    names = ("name", "address", "events", "description", "secret", "status")
    values = {name: value for name in names if (value := getattr(request, name)) is not None}
    if "address" in values:
        _refuse_address(values["address"])
    if "events" in values:
        values["events"] = list(dict.fromkeys(values["events"]))
    store.update(row.id, **values, updated_at=work.now)
    if request.status == "disabled":
        store.drop_pending(row.id)
    row = store.row(request.webhook)
    work.announce("webhook.changed", ("webhook", row.public_id), **_facts(row))
    return webhook_of(row)


@performs(contract.delete_webhook)
def delete_webhook(work: Work, request: contract.NameWebhook) -> Done:
    """Forget its secret, and what it was not told yet."""
    store = _store(work)
    row = store.row(request.webhook)
    store.update(row.id, deleted_at=work.now, updated_at=work.now, secret=None)
    store.drop_pending(row.id)
    work.announce("webhook.deleted", ("webhook", row.public_id), name=row.name)
    return Done()


@performs(contract.try_webhook)
def try_webhook(work: Work, request: contract.TryWebhook) -> Delivery:
    """Queue an example, which is sent like any other delivery."""
    store = _store(work)
    row = store.row(request.webhook)
    topic = request.event or row.events[0]
    public_id = new_id()
    body = _body(topic, work.now, example(topic))
    store.add_deliveries(
        [{**_delivery(work, topic, body), "webhook_id": row.id, "public_id": public_id}]
    )
    work.jobs_added += 1
    return delivery_of(store.delivery(public_id), row.public_id)


@performs(contract.prepare_test)
def prepare_test(work: Work, request: contract.TryWebhook) -> Outgoing:
    """Make the example without keeping it: who asks sends it."""
    row = _store(work).row(request.webhook)
    topic = request.event or row.events[0]
    body = _body(topic, work.now, example(topic))
    signed = headers(new_id(), int(work.now.timestamp()), body, row.secret)
    return Outgoing(url=row.address, headers=signed, body=body)


@performs(contract.list_deliveries)
def list_deliveries(work: Work, request: contract.ListDeliveries) -> Page[Delivery]:
    """Newest first."""
    store = _store(work)
    webhook = store.row(request.webhook)
    rows = store.deliveries(webhook.id, request.limit + 1, request.before)
    shown = rows[: request.limit]
    items = [delivery_of(row, webhook.public_id) for row in shown]
    return Page(items=items, next=_next(rows, shown))


@performs(contract.tell)
def tell(work: Work, request: contract.Tell) -> Done:
    """One delivery for each listener, so that a slow one holds up nobody else."""
    store = _store(work)
    listeners = store.listeners(request.topic)
    if listeners:
        body = _body(request.topic, request.happened_at, request.data)
        store.forget_before(listeners, work.now - KEPT)
        row = {**_delivery(work, request.topic, body), "event": request.event}
        store.add_deliveries([{**row, "webhook_id": k, "public_id": new_id()} for k in listeners])
        work.jobs_added += len(listeners)
    return Done(count=len(listeners))


@performs(contract.give_up)
def give_up(work: Work, request: contract.GiveUp) -> Done:
    """Let people know that somebody was not told."""
    row = _store(work).delivery(request.delivery)
    work.announce(
        "delivery.failed", ("webhook", row.webhook),
        name=row.name, delivery=row.public_id, topic=row.topic, reason=request.reason,
    )  # fmt: skip
    return Done()


def _refuse_address(address: str) -> None:
    try:
        outbound.checked_url(address, outbound.allowed())
    except Invalid as error:
        raise Invalid(
            f"Invalid webhook URL {address!r}: {error.message}", field="address", fix=error.fix
        ) from error


def _facts(row: Any) -> dict[str, Any]:
    """What the log says of a webhook: its path and query may be a secret, its host is not."""
    host = urlsplit(row.address).hostname
    return {"name": row.name, "host": host, "events": row.events, "status": row.status}


def _body(topic: str, at: dt.datetime, data: dict[str, Any]) -> str:
    entity, _, action = topic.partition(".")
    told = {"entity": entity, "action": action, "timestamp": at.isoformat(), "data": data}
    return msgspec.json.encode(told).decode()


def _delivery(work: Work, topic: str, body: str) -> dict[str, Any]:
    return {
        "topic": topic,
        "event": None,
        "body": body,
        "state": "pending",
        "due_at": work.now,
        "recorded_at": work.now,
    }


def _next(rows: list[Any], shown: list[Any]) -> str | None:
    return str(shown[-1].id) if len(rows) > len(shown) else None
