"""What may be asked about webhooks."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec

from mainspring.core.ids import PLAIN, Id, Limit, Place, Text
from mainspring.core.operation import Done, Operation, Page, Request
from mainspring.webhooks.topic import Topic

WebhookStatus = Literal["active", "disabled"]
DeliveryState = Literal["pending", "delivered", "failed", "dropped"]
"""pending: to be sent, or sent again; dropped: its webhook was deleted or disabled meanwhile."""
WebhookName = Annotated[
    str,
    msgspec.Meta(
        max_length=63,
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$(?!\n)",
        description="at most 63 letters, digits, . _ - with a letter or digit at both ends",
    ),
]
Topics = Annotated[list[Topic], msgspec.Meta(min_length=1, max_length=100)]
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=PLAIN)]


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An address that is told what happens; its secret is never shown."""

    id: str
    name: str
    address: str
    events: list[Topic]
    description: str
    status: WebhookStatus
    signed: bool
    """Whether it has a secret."""
    created_by: str
    recorded_at: dt.datetime
    updated_at: dt.datetime


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One time that the peer was asked."""

    at: dt.datetime
    duration_ms: float
    status: int | None
    """The HTTP status; None if there was no answer."""
    error: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a webhook is told, and how that went."""

    id: str
    webhook: str
    topic: str
    event: str | None
    """The event that it tells of; None if somebody tried the webhook."""
    state: DeliveryState
    attempts: list[Attempt]
    next_attempt_at: dt.datetime | None
    recorded_at: dt.datetime


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is ready to be sent."""

    url: str
    headers: dict[str, str]
    body: str


class CreateWebhook(Request, frozen=True, kw_only=True):
    """An address, and what it wants to be told."""

    name: WebhookName
    address: Text
    events: Topics
    description: Text = ""
    secret: Secret | None = None
    status: WebhookStatus = "active"


class NameWebhook(Request, frozen=True, kw_only=True):
    """One webhook."""

    webhook: Id


class UpdateWebhook(NameWebhook, frozen=True, kw_only=True):
    """What is not given stays."""

    name: WebhookName | None = None
    address: Text | None = None
    events: Topics | None = None
    description: Text | None = None
    secret: Secret | None = None
    status: WebhookStatus | None = None


class ListWebhooks(Request, frozen=True, kw_only=True):
    """Webhooks, newest first."""

    limit: Limit = 100
    before: Place | None = None


class TryWebhook(NameWebhook, frozen=True, kw_only=True):
    """Tell it of something that did not happen."""

    event: Topic | None = None


class ListDeliveries(NameWebhook, frozen=True, kw_only=True):
    """What a webhook was told, newest first."""

    limit: Limit = 100
    before: Place | None = None


class Tell(Request, frozen=True, kw_only=True):
    """Something that those who listen to the topic are to be told."""

    event: Id
    topic: Topic
    happened_at: dt.datetime
    data: dict[str, Any]


class GiveUp(Request, frozen=True, kw_only=True):
    """A delivery that the peer did not take."""

    delivery: Id
    reason: Text


create_webhook = Operation(
    "webhooks.create", "POST", "/webhooks", CreateWebhook, Webhook,
    allow="register", summary="Tell an address what happens in the registry.",
)  # fmt: skip
show_webhook = Operation(
    "webhooks.show", "GET", "/webhooks/{webhook}", NameWebhook, Webhook,
    allow="register", summary="Show a webhook.",
)  # fmt: skip
list_webhooks = Operation(
    "webhooks.list", "GET", "/webhooks", ListWebhooks, Page[Webhook],
    allow="register", summary="List the webhooks, newest first.",
)  # fmt: skip
update_webhook = Operation(
    "webhooks.update", "PATCH", "/webhooks/{webhook}", UpdateWebhook, Webhook,
    allow="register", summary="Change a webhook.",
)  # fmt: skip
delete_webhook = Operation(
    "webhooks.delete", "DELETE", "/webhooks/{webhook}", NameWebhook, Done,
    allow="register", summary="Delete a webhook; what it was not told yet is dropped.",
)  # fmt: skip
try_webhook = Operation(
    "webhooks.test", "POST", "/webhooks/{webhook}/tests", TryWebhook, Delivery,
    allow="register", summary="Send a webhook an example; its deliveries show how that went.",
)  # fmt: skip
list_deliveries = Operation(
    "webhooks.deliveries", "GET", "/webhooks/{webhook}/deliveries", ListDeliveries, Page[Delivery],
    allow="register", summary="List what a webhook was told and how that went, newest first.",
)  # fmt: skip
prepare_test = Operation(
    "webhooks.prepare-test", "GET", "/webhooks/{webhook}/tests", TryWebhook, Outgoing,
    allow="register", summary="Make an example to be sent at once.", inside=True,
)  # fmt: skip
tell = Operation(
    "webhooks.tell", "POST", "/webhooks/deliveries", Tell, Done,
    allow="operate", summary="Queue a delivery for everybody who listens.", inside=True,
)  # fmt: skip
give_up = Operation(
    "webhooks.give-up", "POST", "/webhooks/deliveries/end", GiveUp, Done,
    allow="operate", summary="Write down that a delivery was not taken.", inside=True,
)  # fmt: skip
