"""The chain of events: whatever is done to it behind Mainspring's back is found."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text

from mainspring.administration import contract
from mainspring.administration.contract import Chain, Nothing
from mainspring.app import App
from mainspring.core.chain import chain_hash
from mainspring.core.event_log import event_table
from mainspring.core.operation import FileClient
from tests import story
from tests.house import Clients, local_client


@pytest.fixture
def transport() -> str:
    """What happens to the rows does not depend on the way in."""
    return "in process"


@pytest.fixture
def log(clients: Clients) -> int:
    """A log with some history; gives its length."""
    story.version(clients.developer)
    return verify(clients.viewer).events


def verify(client: FileClient) -> Chain:
    return client.call(contract.verify_events, Nothing())


def change(app: App, statement: str) -> None:
    with app.database.write() as connection:
        connection.execute(text(statement))


def test_an_untouched_log_holds(log: int, clients: Clients) -> None:
    assert verify(clients.viewer) == Chain(events=log, first_bad=None)


@pytest.mark.parametrize(
    "edit",
    [
        "actor = 'somebody'",
        "facts = '{}'",
        "recorded_at = recorded_at + 1",
        "kind = 'token.revoked'",
        "subject = 'other'",
        "request_id = 'other'",
        "token = 'other'",
        "cause = 'other'",
        "outcome = 'refused'",
        "digest_after = 'sha256:other'",
    ],
)
def test_an_edited_event_is_found(log: int, app: App, clients: Clients, edit: str) -> None:
    change(app, f"update event set {edit} where sequence = 3")

    assert verify(clients.viewer).first_bad == 3


def test_a_deleted_event_is_found(log: int, app: App, clients: Clients) -> None:
    change(app, "delete from event where sequence = 3")

    assert verify(clients.viewer).first_bad == 3


def test_swapped_events_are_found(log: int, app: App, clients: Clients) -> None:
    change(app, "update event set sequence = -sequence where sequence in (3, 4)")
    change(app, "update event set sequence = 7 + sequence where sequence < 0")

    assert verify(clients.viewer).first_bad == 3


def test_a_cut_tail_is_found(log: int, app: App, clients: Clients) -> None:
    change(
        app, f"delete from job where event_id in (select id from event where sequence > {log - 2})"
    )
    change(app, f"delete from event where sequence > {log - 2}")

    assert verify(clients.viewer).first_bad == log - 1


def test_an_emptied_log_is_found(log: int, app: App, clients: Clients) -> None:
    change(app, "delete from job")
    change(app, "delete from event")

    assert verify(clients.viewer).first_bad == 1


def _rehash_last(connection: Connection, sequence: int) -> None:
    last = connection.execute(
        event_table.select().where(event_table.c.sequence == sequence)
    ).mappings().one()  # fmt: skip
    forged = {**last, "actor": "somebody"}
    forged["hash"] = chain_hash(last["previous_hash"], forged)
    connection.execute(
        event_table.update().where(event_table.c.sequence == sequence).values(
            actor="somebody", hash=forged["hash"]
        )
    )  # fmt: skip


def test_a_last_event_that_was_rehashed_is_found(log: int, app: App, clients: Clients) -> None:
    with app.database.write() as connection:
        _rehash_last(connection, log)

    assert verify(clients.viewer).first_bad == log


def test_sequences_have_no_gaps(log: int, clients: Clients) -> None:
    events = story.events(clients.viewer)

    assert [event.sequence for event in events] == list(range(1, log + 1))


def test_every_workspace_has_a_chain_of_its_own(
    app: App, clients: Clients, tokens: dict[str, str]
) -> None:
    elsewhere = story.elsewhere(app, tokens)
    story.version(elsewhere)
    change(app, "update event set actor = 'x' where sequence = 2 and workspace_id = 1")

    assert verify(elsewhere).first_bad is None


def test_refusals_are_part_of_the_chain(clients: Clients) -> None:
    number = story.version(clients.developer).number
    with pytest.raises(Exception, match="no suite is declared"):
        story.ask(clients.developer, number)

    assert story.events(clients.viewer)[-1].outcome == "refused"
    assert verify(clients.viewer).first_bad is None


def test_a_page_of_events_goes_on_after_the_last(log: int, clients: Clients) -> None:
    request = contract.ListEvents(limit=2)
    page = clients.viewer.call(contract.list_events, request)
    assert page.next == "2"

    following = contract.ListEvents(limit=2, after=int(page.next))
    events = clients.viewer.call(contract.list_events, following).items

    assert [event.sequence for event in events] == [3, 4]


def test_the_newest_events_come_in_their_order(log: int, clients: Clients) -> None:
    events = story.events(clients.viewer, newest=True)[-2:]

    assert [event.sequence for event in events] == [log - 1, log]


def test_an_event_tells_who_asked_by_which_token(app: App, tokens: dict[str, str]) -> None:
    client = local_client(app, tokens["dora"])
    client.request_ids = lambda _name, _body: "request-1"
    story.version(client)

    event = story.events(client, kind="version.registered")[0]

    assert (event.actor_kind, event.actor, event.request_id) == ("person", "dora", "request-1")
    assert event.token is not None
    assert event.token[:12] == tokens["dora"].split("_")[1]
