"""Webhooks are kept, changed, listed; their secrets are never shown."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mainspring.administration import contract as administration
from mainspring.administration.contract import ListJobs
from mainspring.app import App
from mainspring.core.errors import Forbidden, Invalid, NotFound
from mainspring.core.operation import FileClient
from mainspring.webhooks import contract
from mainspring.webhooks.contract import (
    CreateWebhook,
    ListDeliveries,
    ListWebhooks,
    NameWebhook,
    TryWebhook,
    UpdateWebhook,
    Webhook,
)
from tests import story
from tests.house import Clients
from tests.registry.catalog import create as create_model

URL = "https://example.com/hook?key=hidden"
SECRET = "nobody-sees-this"


def create(client: FileClient, **more: Any) -> Webhook:
    fields = {"name": "ci", "address": URL, "events": ["model_version.created"], **more}
    return client.call(contract.create_webhook, CreateWebhook(**fields))


def test_a_webhook_is_what_was_said(clients: Clients) -> None:
    made = create(clients.developer, description="builds", secret=SECRET)

    found = clients.developer.call(contract.show_webhook, NameWebhook(webhook=made.id))

    assert found == made
    assert (found.name, found.address, found.events) == ("ci", URL, ["model_version.created"])
    assert (found.description, found.status, found.signed) == ("builds", "active", True)
    assert found.created_by == "dora"


def test_what_is_not_given_stays(clients: Clients) -> None:
    made = create(clients.developer, description="builds", secret=SECRET)

    request = UpdateWebhook(webhook=made.id, status="disabled")
    found = clients.developer.call(contract.update_webhook, request)

    assert found.updated_at > made.updated_at
    assert msgspec.structs.replace(found, updated_at=made.updated_at, status="active") == made


def test_a_deleted_webhook_is_gone(clients: Clients) -> None:
    made = create(clients.developer)
    clients.developer.call(contract.delete_webhook, NameWebhook(webhook=made.id))

    with pytest.raises(NotFound, match="no webhook"):
        clients.developer.call(contract.show_webhook, NameWebhook(webhook=made.id))
    assert clients.developer.call(contract.list_webhooks, ListWebhooks()).items == []


def test_they_are_listed_page_by_page_the_newest_first(clients: Clients) -> None:
    for number in range(5):
        create(clients.developer, name=f"w{number}")
    seen: list[str] = []
    before = None

    for _ in range(3):
        page = clients.developer.call(contract.list_webhooks, ListWebhooks(limit=2, before=before))
        seen += [one.name for one in page.items]
        before = int(page.next or 0)

    assert seen == ["w4", "w3", "w2", "w1", "w0"]
    assert page.next is None


@pytest.mark.parametrize(
    "address",
    [
        "", "hook", "ftp://example.com/", "http://localhost/", "http://169.254.169.254/latest",
        "https://user:secret@example.com/", "http://[::1]/", "http://10.0.0.1/",
    ],
)  # fmt: skip
def test_a_bad_address_is_refused_when_it_is_given(clients: Clients, address: str) -> None:
    made = create(clients.developer)

    with pytest.raises(Invalid) as caught:
        create(clients.developer, address=address)
    with pytest.raises(Invalid) as again:
        clients.developer.call(
            contract.update_webhook, UpdateWebhook(webhook=made.id, address=address)
        )

    assert {caught.value.field, again.value.field} == {"address"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", "-a"), ("name", "a" * 64), ("name", "a b"),
        ("events", []), ("events", ["model.created"]),
        ("secret", ""), ("secret", "a\x00"), ("status", "paused"),
    ],
)  # fmt: skip
def test_other_bad_fields_are_named(clients: Clients, field: str, value: object) -> None:
    with pytest.raises(Invalid) as caught:
        create(clients.developer, **{field: value})
    assert (caught.value.field or "").startswith(field)


def test_one_that_may_not_be_called_any_more_can_be_disabled(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAINSPRING_OUTBOUND_ALLOW", "10.0.0.0/8")
    made = create(clients.developer, address="http://10.0.0.1/")
    monkeypatch.setenv("MAINSPRING_OUTBOUND_ALLOW", "")

    request = UpdateWebhook(webhook=made.id, status="disabled")

    assert clients.developer.call(contract.update_webhook, request).status == "disabled"


def test_a_viewer_neither_makes_nor_sees_them(clients: Clients) -> None:
    made = create(clients.developer)

    with pytest.raises(Forbidden):
        create(clients.viewer)
    with pytest.raises(Forbidden):  # an address may hold a key
        clients.viewer.call(contract.show_webhook, NameWebhook(webhook=made.id))


def test_the_secret_is_nowhere_to_be_read(clients: Clients) -> None:
    made = create(clients.developer, secret=SECRET)
    request = UpdateWebhook(webhook=made.id, secret=f"{SECRET}-2")
    clients.developer.call(contract.update_webhook, request)
    clients.developer.call(contract.try_webhook, TryWebhook(webhook=made.id))

    shown = [
        made,
        clients.developer.call(contract.show_webhook, NameWebhook(webhook=made.id)),
        clients.developer.call(contract.list_webhooks, ListWebhooks()),
        clients.developer.call(contract.list_deliveries, ListDeliveries(webhook=made.id)),
        story.events(clients.admin),
    ]

    assert SECRET not in msgspec.json.encode(shown).decode()


def test_the_log_tells_the_host_and_not_the_whole_address(clients: Clients) -> None:
    create(clients.developer)

    told = story.events(clients.admin)[-1]

    assert (told.kind, told.facts["host"]) == ("webhook.created", "example.com")
    assert "hidden" not in msgspec.json.encode(told).decode()


def test_webhooks_of_one_workspace_are_not_those_of_another(
    clients: Clients, app: App, tokens: dict[str, str]
) -> None:
    made = create(clients.developer)
    other = story.elsewhere(app, tokens)

    assert other.call(contract.list_webhooks, ListWebhooks()).items == []
    with pytest.raises(NotFound):
        other.call(contract.show_webhook, NameWebhook(webhook=made.id))


def test_an_example_waits_to_be_sent(clients: Clients) -> None:
    made = create(clients.developer, events=["model_version.created", "prompt_tag.set"])

    first = clients.developer.call(contract.try_webhook, TryWebhook(webhook=made.id))
    request = TryWebhook(webhook=made.id, event="prompt_tag.set")
    second = clients.developer.call(contract.try_webhook, request)

    assert [first.topic, second.topic] == ["model_version.created", "prompt_tag.set"]
    assert (first.state, first.attempts, first.event) == ("pending", [], None)
    page = clients.developer.call(contract.list_deliveries, ListDeliveries(webhook=made.id))
    assert page.items == [second, first]


def jobs(client: FileClient) -> int:
    return len(client.call(administration.list_jobs, ListJobs()))


def test_without_a_listener_no_job_is_made(clients: Clients) -> None:
    """A write into the registry costs nothing for those who are not there."""
    create_model(clients.developer)
    before = jobs(clients.admin)
    create(clients.developer, events=["registered_model.created"])
    create_model(clients.developer, "another")

    assert (before, jobs(clients.admin)) == (0, 1)
