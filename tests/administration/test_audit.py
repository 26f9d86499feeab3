"""The log of events: whatever is done to it behind Mainspring's back, the first bad entry is named."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Text, select

from mainspring.administration import contract
from mainspring.administration.contract import Chain, Nothing
from mainspring.app import App
from mainspring.core.blobs import canonical_json
from mainspring.core.chain import chain_hash
from mainspring.core.database import Json
from mainspring.core.event_log import event_table
from mainspring.core.settings import Settings
from mainspring.notary import Notary
from tests import story
from tests.administration.tampering import (
    cut,
    events,
    mend_head,
    put_in,
    shifted,
    statement,
    tamper,
    write_anew,
)
from tests.house import Clients, local_client


@pytest.fixture
def transport() -> str:
    """What happens to the rows does not depend on the way in."""
    return "in process"


@pytest.fixture
def log(clients: Clients) -> int:
    """A log with some history; gives its length."""
    story.version(clients.developer)
    return verified(clients).events


def verified(clients: Clients) -> Chain:
    return clients.viewer.call(contract.verify_events, Nothing())


def first_bad(clients: Clients) -> tuple[str, int | None, str | None]:
    """What is wrong with the first bad event, which it is, and its id."""
    chain = verified(clients)
    assert chain.first_bad == chain.faults[0].sequence
    return chain.faults[0].wrong, chain.faults[0].sequence, chain.faults[0].event


def id_of(app: App, sequence: int) -> str:
    query = select(event_table.c.public_id).where(
        event_table.c.workspace_id == 1, event_table.c.sequence == sequence
    )
    with app.database.read() as connection:
        return str(connection.execute(query).scalar_one())


def test_an_untouched_log_agrees_with_its_checkpoints(log: int, app: App, clients: Clients) -> None:
    notary = Notary(app)
    notary.look()
    story.version(clients.developer)
    notary.look(all_of_them=True)

    chain = verified(clients)

    assert (chain.faults, chain.first_bad, chain.checkpoints) == ([], None, 2)
    assert chain.events > log


def test_an_edited_fact_is_named(log: int, app: App, clients: Clients) -> None:
    tamper(app, statement("update event set facts = '[]' where sequence = 4"))

    assert first_bad(clients) == ("changed", 4, id_of(app, 4))


def test_an_event_that_was_edited_and_hashed_again_is_named(
    log: int, app: App, clients: Clients
) -> None:
    def deed(connection: Connection) -> None:
        put_in_place_of(connection, 4)

    tamper(app, deed)

    assert first_bad(clients) == ("changed", 4, id_of(app, 4))


def put_in_place_of(connection: Connection, sequence: int) -> None:
    statement(f"delete from event where sequence = {sequence}")(connection)
    put_in(connection, sequence, hashed=True)


def test_an_event_that_follows_another_than_the_signed_one_is_named(
    log: int, app: App, clients: Clients
) -> None:
    Notary(app).look()
    story.open_run(clients.developer)

    def deed(connection: Connection) -> None:
        row = events(connection, log + 1)[0] | {"previous_hash": "f" * 64}
        row["hash"] = chain_hash("f" * 64, row)
        here = event_table.c.id == row["id"]
        connection.execute(event_table.update().where(here).values(row))

    tamper(app, deed)

    assert first_bad(clients) == ("changed", log + 1, id_of(app, log + 1))


def test_a_deleted_event_is_named(log: int, app: App, clients: Clients) -> None:
    tamper(app, statement("delete from event where sequence = 3"))

    assert first_bad(clients) == ("missing", 3, None)


def test_a_deleted_event_whose_gap_was_closed_is_named(
    log: int, app: App, clients: Clients
) -> None:
    tamper(app, statement("delete from event where sequence = 3", *shifted(4, -1)))

    assert first_bad(clients) == ("missing", 3, None)


@pytest.mark.parametrize("hashed", [1, 0])
def test_an_event_that_was_put_in_is_named(
    log: int, app: App, clients: Clients, hashed: int
) -> None:
    def deed(connection: Connection) -> None:
        statement(*shifted(4, 1))(connection)
        put_in(connection, 4, hashed=bool(hashed))

    tamper(app, deed)

    assert first_bad(clients) == ("inserted", 4, id_of(app, 4))


def test_an_event_before_the_first_is_named(log: int, app: App, clients: Clients) -> None:
    tamper(app, statement("update event set sequence = 0 where sequence = 1"))

    assert first_bad(clients)[:2] == ("inserted", 1)


def test_an_event_after_the_last_is_named(log: int, app: App, clients: Clients) -> None:
    tamper(app, lambda connection: put_in(connection, log + 1, hashed=True))

    assert first_bad(clients)[:2] == ("inserted", log + 1)


def test_swapped_events_are_named(log: int, app: App, clients: Clients) -> None:
    tamper(
        app,
        statement(
            "update event set sequence = -sequence where sequence in (3, 5)",
            "update event set sequence = 8 + sequence where sequence < 0",
        ),
    )

    assert first_bad(clients) == ("moved", 3, id_of(app, 3))


def test_a_cut_tail_is_named(log: int, app: App, clients: Clients) -> None:
    tamper(app, statement(f"delete from event where sequence > {log - 2}"))

    assert first_bad(clients) == ("cut", log - 1, None)


def test_a_cut_tail_with_a_mended_head_needs_a_checkpoint(
    log: int, app: App, clients: Clients
) -> None:
    Notary(app).look()
    tamper(app, lambda connection: cut(connection, log - 2))

    assert first_bad(clients) == ("cut", log - 1, None)
    assert f"the checkpoint at {log}" in verified(clients).faults[0].found


def test_a_cut_tail_that_was_grown_again_needs_a_checkpoint(
    log: int, app: App, clients: Clients
) -> None:
    Notary(app).look()
    tamper(app, lambda connection: cut(connection, log - 2))
    story.version(clients.developer)

    wrong, sequence, _ = first_bad(clients)

    assert (wrong, sequence) == ("rewritten", 1)
    assert f"events 1 to {log}" in verified(clients).faults[0].found


def test_a_chain_that_was_written_anew_needs_a_checkpoint(
    log: int, app: App, clients: Clients
) -> None:
    notary = Notary(app)
    notary.look()
    story.version(clients.developer)
    notary.look(all_of_them=True)
    end = verified(clients).events
    tamper(app, lambda connection: write_anew(connection, log + 2, actor="mallory"))

    wrong, sequence, _ = first_bad(clients)

    assert (wrong, sequence) == ("rewritten", log + 1)
    assert f"events {log + 1} to {end}" in verified(clients).faults[0].found


def test_a_chain_written_anew_before_a_checkpoint_is_named_from_the_one_before(
    log: int, app: App, clients: Clients
) -> None:
    Notary(app).look()
    tamper(app, lambda connection: write_anew(connection, 2, actor="mallory"))

    assert first_bad(clients)[:2] == ("rewritten", 1)


def test_without_a_checkpoint_a_chain_written_anew_is_believed(
    log: int, app: App, clients: Clients
) -> None:
    tamper(app, lambda connection: write_anew(connection, 2, actor="mallory"))

    assert verified(clients).faults == []


def test_an_emptied_log_with_a_mended_head_needs_a_checkpoint(
    log: int, app: App, clients: Clients
) -> None:
    Notary(app).look()
    tamper(app, lambda connection: cut(connection, 0))

    assert first_bad(clients) == ("cut", 1, None)


def test_a_head_that_was_moved_back_is_named(log: int, app: App, clients: Clients) -> None:
    def deed(connection: Connection) -> None:
        mend_head(connection)
        statement(f"update workspace set chain_sequence = {log - 1} where id = 1")(connection)

    tamper(app, deed)

    assert first_bad(clients)[:2] == ("inserted", log)


def test_a_workspace_that_is_gone_is_named(
    log: int, app: App, clients: Clients, tokens: dict[str, str]
) -> None:
    story.version(story.elsewhere(app, tokens))
    Notary(app).look()
    tamper(
        app,
        statement(
            "update workspace set name = 'other', chain_sequence = 0 where id <> 1",
            "delete from event where workspace_id <> 1",
        ),
    )

    found = {
        one.workspace: one.chain.faults
        for one in clients.admin.call(contract.verify_workspaces, Nothing())
    }

    assert found["default"] == []
    assert [fault.wrong for fault in found[story.ELSEWHERE]] == ["cut"]


class TestFile:
    """A byte of the database's file."""

    @pytest.fixture
    def database_kind(self) -> str:
        """PostgreSQL has checksums of its own for its pages."""
        return "SQLite"

    @pytest.mark.usefixtures("log")
    @pytest.mark.parametrize(
        "column",
        [
            column.name
            for column in event_table.c
            if isinstance(column.type, Text | Json) and not column.nullable
        ],
    )
    def test_a_text_that_became_bytes_is_named(
        self, app: App, clients: Clients, column: str
    ) -> None:
        """Who filters would not find it, though it reads the same."""
        tamper(
            app, statement(f"update event set {column} = cast({column} as blob) where sequence = 4")
        )

        assert first_bad(clients)[:2] == ("changed", 4)

    @pytest.mark.usefixtures("log")
    def test_a_head_that_is_no_number_is_named(self, app: App, clients: Clients) -> None:
        tamper(app, statement("update workspace set chain_sequence = 'x' where id = 1"))

        assert "'x' for the number of its events" in verified(clients).faults[0].found

    @pytest.mark.parametrize("flip", [0x01, 0x04, 0x80], ids=hex)
    @pytest.mark.parametrize("place", [1, 7, -1])
    def test_a_flipped_byte_is_named(
        self, app: App, clients: Clients, tokens: dict[str, str], flip: int, place: int
    ) -> None:
        story.version(clients.developer)
        kept = story.events(clients.viewer, kind="version.registered")[0]
        app.database.checkpoint()
        app.close()
        file = app.settings.home / "mainspring.db"
        content = bytearray(file.read_bytes())
        facts = canonical_json(kept.facts)
        assert content.count(facts) == 1
        at = content.index(facts) + place % len(facts)
        content[at] ^= flip
        file.write_bytes(content)

        again = App(Settings(home=app.settings.home))
        chain = local_client(again, tokens["vera"]).call(contract.verify_events, Nothing())
        again.close()

        assert [(one.wrong, one.sequence, one.event) for one in chain.faults] == [
            ("changed", kept.sequence, kept.id)
        ]

    @pytest.mark.usefixtures("log")
    def test_columns_of_other_types_are_named(self, app: App, clients: Clients) -> None:
        tamper(app, statement("update event set recorded_at = 'x', actor = 7 where sequence = 2"))

        assert first_bad(clients)[:2] == ("changed", 2)

    @pytest.mark.usefixtures("log")
    def test_a_sequence_that_is_no_number_is_named(self, app: App, clients: Clients) -> None:
        tamper(app, statement("update event set sequence = 'x' where sequence = 2"))

        assert first_bad(clients)[:2] == ("missing", 2)
