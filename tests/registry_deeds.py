"""How to do each operation that changes the catalogue or a webhook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mainspring.core.operation import FileClient
from mainspring.registry import catalog_contract as catalog
from mainspring.registry.contract import NameModel, NameVersion
from mainspring.webhooks import contract as webhooks
from mainspring.webhooks.contract import CreateWebhook, GiveUp, NameWebhook, UpdateWebhook
from tests.registry.catalog import add, create

LOOSE = "loose"
"""A model that no suite names."""
KEY = "k"


def prepared(developer: FileClient) -> str:
    """A model of the catalogue, and a webhook; answers the webhook's id."""
    create(developer, LOOSE, tags={KEY: "v"})
    add(developer, LOOSE, tags={KEY: "v"})
    request = CreateWebhook(name="ci", address="https://example.com/", events=["prompt.created"])
    webhook = developer.call(webhooks.create_webhook, request).id
    developer.call(webhooks.try_webhook, webhooks.TryWebhook(webhook=webhook))
    return webhook


def _model(
    operation: Any, request: type[Any] = NameModel, **fields: Any
) -> Callable[[Any], object]:
    return lambda world: world.clients.developer.call(operation, request(model=LOOSE, **fields))


def _version(
    operation: Any, request: type[Any] = NameVersion, **fields: Any
) -> Callable[[Any], object]:
    return _model(operation, request, version=1, **fields)


def _webhook(operation: Any, request: type[Any] = NameWebhook, **fields: Any) -> Any:
    return lambda world: world.clients.developer.call(
        operation, request(webhook=world.webhook, **fields)
    )


def _given_up(world: Any) -> None:
    asked = webhooks.TryWebhook(webhook=world.webhook)
    delivery = world.clients.developer.call(webhooks.try_webhook, asked).id
    world.clients.service.call(webhooks.give_up, GiveUp(delivery=delivery, reason="gone"))


DEEDS: dict[str, Callable[[Any], object]] = {
    "model.create": lambda world: create(world.clients.developer, "another"),
    "model.rename": _model(catalog.rename_model, catalog.RenameModel, name="another"),
    "model.delete": _model(catalog.delete_model),
    "model.tag": _model(catalog.tag_model, catalog.TagModel, key="new", value="v"),
    "model.untag": _model(catalog.untag_model, catalog.UntagModel, key=KEY),
    "model.add-version": lambda world: add(world.clients.developer, LOOSE),
    "model.describe-version": _version(
        catalog.describe_version, catalog.DescribeVersion, description="good"
    ),
    "model.delete-version": _version(catalog.delete_version),
    "model.tag-version": _version(catalog.tag_version, catalog.TagVersion, key="new", value="v"),
    "model.untag-version": _version(catalog.untag_version, catalog.UntagVersion, key=KEY),
    "model.move": _version(catalog.move_version, catalog.MoveVersion, stage="staging"),
    "webhooks.create": lambda world: world.clients.developer.call(
        webhooks.create_webhook,
        CreateWebhook(name="two", address="https://example.com/", events=["prompt.created"]),
    ),
    "webhooks.update": _webhook(webhooks.update_webhook, UpdateWebhook, name="another"),
    "webhooks.delete": _webhook(webhooks.delete_webhook),
    "webhooks.give-up": _given_up,
}
DATA = {
    "webhooks.test": "a delivery is data; that one was not taken is an event",
    "webhooks.tell": "deliveries are data, and made of events",
}
