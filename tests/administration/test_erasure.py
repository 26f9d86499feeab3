"""Erasing a person: the name is nowhere any more, the log of events still verifies."""

from __future__ import annotations

import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import Text

from mainspring.administration import contract as administration
from mainspring.administration.contract import AddPerson, GrantRole, Nothing
from mainspring.administration.erasure_contract import ErasePerson, erase_person
from mainspring.administration.erasure_store import named_columns
from mainspring.app import App
from mainspring.core.access import Caller
from mainspring.core.database import PEOPLE, metadata
from mainspring.core.errors import Blocked, Conflict, Forbidden, Invalid, Unauthenticated
from mainspring.core.principal import principal_table
from mainspring.interfaces.cli.events_export import json_line
from mainspring.notary import Notary
from mainspring.registry import contract as registry
from mainspring.registry.contract import NameVersion
from tests import story
from tests.administration.lives import (
    NAME,
    again,
    append_old,
    columns_with,
    erase,
    faults,
    hand_over,
    lived,
    public_id,
)
from tests.house import SERVICE, Clients, Clock, local_client, wait_until
from tests.story import MODEL


@pytest.fixture
def transport() -> str:
    """What happens to the rows does not depend on the way in."""
    return "in process"


class TestLife:
    """After a full life."""

    def test_the_name_is_nowhere(
        self, app: App, clients: Clients, clock: Clock, tokens: dict[str, str]
    ) -> None:
        lived(app, clients, clock, tokens)
        before = columns_with(app, NAME)
        assert before == {f"{table.name}.{column.name}" for table, column in named_columns()} | {
            "principal.name"
        }
        assert columns_with(app, "deborah") == {"run.user", "tag.value"}

        found = erase(clients.admin)

        assert (columns_with(app, NAME), columns_with(app, "deborah")) == (set(), set())
        assert found.entries_with_name == 0
        assert found.replaced["approval.person"] > 0

    def test_the_log_and_its_checkpoints_verify_before_and_after(
        self, app: App, clients: Clients, clock: Clock, tokens: dict[str, str]
    ) -> None:
        lived(app, clients, clock, tokens)
        Notary(app).look()
        assert faults(clients) == []

        erase(clients.admin)
        Notary(app).look(all_of_them=True)

        assert faults(clients) == []

    def test_an_export_verifies_by_itself_and_names_people_as_they_are_called_now(
        self, app: App, clients: Clients, clock: Clock, tokens: dict[str, str]
    ) -> None:
        lived(app, clients, clock, tokens)
        earlier = exported(clients)

        found = erase(clients.admin)
        later = exported(clients)

        assert first_bad(earlier) is None
        assert first_bad(later) is None
        assert hashed(later[: len(earlier)]) == hashed(earlier)
        assert NAME not in "".join(later)
        assert found.name in "".join(later)

    def test_a_dry_run_says_the_same_and_changes_nothing(
        self, app: App, clients: Clients, clock: Clock, tokens: dict[str, str]
    ) -> None:
        lived(app, clients, clock, tokens)
        before = columns_with(app, NAME)

        tried = erase(clients.admin, dry_run=True)

        assert columns_with(app, NAME) == before
        assert "person.erased" not in story.kinds(clients.admin)
        assert erase(clients.admin) == tried


def exported(clients: Clients) -> list[str]:
    found = story.events(clients.admin, as_stored=True)
    return [json_line(event).decode().rstrip("\n") for event in found]


def hashed(lines: list[str]) -> list[str]:
    """The lines but for what no hash covers."""
    return [re.sub(r',"names":{[^}]*}}$', "", line) for line in lines]


def first_bad(lines: list[str]) -> int | None:
    """As docs/audit.md shows it."""
    previous = "0" * 64
    for line in lines:
        event = json.loads(line)
        text = line[: line.rindex(',"previous_hash":')] + "}"
        digest = hashlib.sha256((previous + text).encode()).hexdigest()
        if (event["previous_hash"], event["hash"]) != (previous, digest):
            return int(event["sequence"])
        previous = digest
    return None


def test_every_column_that_is_called_so_says_that_it_holds_names() -> None:
    called = re.compile(r"(.*_)?by|author|owner|person|on_call|on_behalf_of|user|approver")
    found = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.c
        if called.fullmatch(column.name) and isinstance(column.type, Text)
        if PEOPLE not in column.info
    }

    assert found == {"job.owner"}  # a process


class TestOldEvents:
    """Of the first schema version, with names."""

    @pytest.fixture
    def old(self, app: App, clients: Clients) -> Clients:
        """A log with three of them, one about something else."""
        story.version(clients.developer)
        person = {"actor_kind": "person", "subject_kind": "model", "subject": "m"}
        append_old(app, **person, actor=NAME, facts={})
        append_old(app, **person, actor="ada", facts={"reasons": [f"{NAME!r} made it"]})
        append_old(app, **person, actor="ada", facts={"text": "theodora"})
        return clients

    def test_they_verify_and_are_found_by_name(self, old: Clients) -> None:
        story.open_run(old.developer)

        assert faults(old) == []
        versions = [one.schema_version for one in story.events(old.viewer, actor=NAME)]
        assert set(versions) == {1, 2}

    def test_the_answer_says_how_many_still_name_somebody(self, app: App, old: Clients) -> None:
        hand_over(old)

        assert erase(old.admin).entries_with_name == 2
        assert faults(old) == []
        assert columns_with(app, f'"{NAME}"') | columns_with(app, f"'{NAME}'") == {"event.facts"}

    def test_a_reference_in_one_means_nobody(self, app: App, clients: Clients) -> None:
        word = f"person:{public_id(app, 'ole')}"
        append_old(app, actor=word, actor_kind="person", facts={"text": word})

        event = story.events(clients.viewer)[-1]

        assert (event.actor, event.facts, event.names) == (word, {"text": word}, {})


class TestRefusals:
    """What has to be done first."""

    def test_nobody_erases_themselves(self, clients: Clients) -> None:
        with pytest.raises(Blocked, match="nobody erases themselves"):
            erase(clients.admin, "ada")

    def test_the_last_administrator_of_a_workspace_stays(
        self, app: App, clients: Clients, tokens: dict[str, str]
    ) -> None:
        story.elsewhere(app, tokens)
        chief = again(clients, app, "chief", "admin")

        with pytest.raises(Blocked, match="nobody else administers the workspace 'elsewhere'"):
            erase(chief.admin, "ada")

        there = local_client(app, tokens["ada"], story.ELSEWHERE)
        there.call(administration.grant_role, GrantRole(person="chief", role="admin"))
        assert erase(chief.admin, "ada").name.startswith("erased-")

    def test_whoever_owns_a_model_in_production_stays_until_it_is_handed_over(
        self, clients: Clients
    ) -> None:
        story.in_production(clients.developer, clients.service, clients.approver)

        with pytest.raises(Blocked, match=f"'{NAME}' owns '{MODEL}' in the workspace 'default'"):
            erase(clients.admin)

        hand_over(clients)
        assert erase(clients.admin).name.startswith("erased-")

    def test_only_administrators_of_the_first_workspace_erase(
        self, app: App, clients: Clients, tokens: dict[str, str]
    ) -> None:
        elsewhere = story.elsewhere(app, tokens)

        with pytest.raises(Blocked, match="which would be so in every workspace"):
            erase(elsewhere)
        with pytest.raises(Forbidden):
            erase(clients.developer, "vera")

    def test_the_reason_names_nobody(self, clients: Clients) -> None:
        request = ErasePerson(name="vera", reason="Vera asked for it")

        with pytest.raises(Invalid, match="the reason names the person"):
            clients.admin.call(erase_person, request)

    def test_the_erased_are_not_erased_again_and_nobody_takes_their_name(
        self, clients: Clients
    ) -> None:
        name = erase(clients.admin, "vera").name

        with pytest.raises(Conflict, match="was erased already"):
            erase(clients.admin, name)
        with pytest.raises(Invalid, match="is what an erased person is called"):
            clients.admin.call(administration.add_person, AddPerson(name="erased-0123abcd"))


class TestAfterwards:
    """The erased are still one person each; who comes later is another."""

    def test_they_have_nothing_any_more(
        self, app: App, clients: Clients, tokens: dict[str, str]
    ) -> None:
        found = erase(clients.admin, "vera")

        with pytest.raises(Unauthenticated):
            local_client(app, tokens["vera"]).call(administration.list_people, Nothing())
        people = {
            one.name: one for one in clients.admin.call(administration.list_people, Nothing())
        }
        assert "vera" not in people
        assert (people[found.name].roles, people[found.name].disabled) == ([], True)

    def test_the_event_tells_of_the_reference_and_not_of_the_name(
        self, app: App, clients: Clients
    ) -> None:
        key = public_id(app, "vera")

        found = erase(clients.admin, "vera")
        (stored,) = story.events(clients.admin, kind="person.erased", as_stored=True)

        assert (found.name, found.reference) == (f"erased-{key[:8]}", f"person:{key}")
        assert (stored.subject, stored.facts) == (f"person:{key}", {"reason": "request 7"})
        (told,) = story.events(clients.admin, kind="person.erased", subject=found.name)
        assert told.subject == found.name

    def test_an_approval_of_theirs_does_not_count(self, clients: Clients) -> None:
        story.declare(clients.developer, approvals=2)
        promotion = story.ask(clients.developer, story.version(clients.developer).number)
        story.say(clients.service, promotion.id)
        story.approve(clients.approver, promotion.id)

        name = erase(clients.admin, "paul").name
        after = story.approve(clients.second_approver, promotion.id)

        assert after.missing == ["1 of 2 approvals given"]
        assert [one.person for one in after.approvals] == [name, "petra"]

    def test_a_party_stays_one_and_the_same_person(self, clients: Clients) -> None:
        story.declare(clients.developer)
        number = story.version(clients.developer).number
        promotion = story.ask(clients.developer, number)
        name = erase(clients.admin).name

        shown = clients.viewer.call(
            registry.show_promotion, registry.NamePromotion(promotion=promotion.id)
        )
        version = clients.viewer.call(
            registry.show_version, NameVersion(model=MODEL, version=number)
        )

        assert {shown.requested_by, version.registered_by} == {name}

    def test_who_has_the_name_later_is_another_person(self, app: App, clients: Clients) -> None:
        story.declare(clients.developer)
        promotion = story.ask(clients.developer, story.version(clients.developer).number)
        hand_over(clients)
        story.say(clients.service, promotion.id)
        old = erase(clients.admin)

        namesake = again(clients, app, NAME, "approver")
        after = story.approve(namesake.approver, promotion.id)

        assert after.state == "promoted"
        assert public_id(app, NAME) not in old.reference
        kinds = story.kinds(clients.admin, actor=NAME)
        assert kinds == ["promotion.approved", "version.promoted"]
        assert "run.opened" in story.kinds(clients.admin, actor=old.name)

    def test_two_with_the_same_beginning_of_their_ids_are_called_differently(
        self, app: App, clients: Clients
    ) -> None:
        ids = {"vera": "0" * 32, "ole": f"{'0' * 8}{'1' * 24}"}
        with app.database.write() as connection:
            for name, key in ids.items():
                here = principal_table.c.name == name
                connection.execute(principal_table.update().where(here).values(public_id=key))

        names = [erase(clients.admin, name).name for name in ids]

        assert names == ["erased-00000000", "erased-0000000011111111"]

    def test_a_service_of_the_same_name_keeps_its_runs(self, app: App, clients: Clients) -> None:
        story.open_run(clients.service)
        app.token_of("person", SERVICE, "viewer")

        assert "run.author" not in erase(clients.admin, SERVICE).replaced

    @pytest.mark.parametrize("name", [SERVICE, SERVICE.title()])
    def test_nobody_is_called_like_a_service(self, clients: Clients, name: str) -> None:
        with pytest.raises(Conflict, match="is a service's name"):
            clients.admin.call(administration.add_person, AddPerson(name=name))


class TestAtOnce:
    """Somebody is erased while a request of theirs waits."""

    @pytest.fixture
    def database_kind(self) -> str:
        """SQLite has one writer, who is identified when the others are done."""
        return "PostgreSQL"

    def test_who_was_erased_meanwhile_does_nothing_any_more(
        self, app: App, clients: Clients, tokens: dict[str, str]
    ) -> None:
        caller = Caller(token=tokens["ada"], workspace="default", request_id="erase")
        request = ErasePerson(name=NAME, reason="request 7")
        with ThreadPoolExecutor(1) as pool:
            with app.database.write() as connection:
                app.run_in(connection, erase_person, request, caller)
                waiting = pool.submit(partial(story.open_run, clients.developer))
                wait_until(lambda: waits(app))
            with pytest.raises(Unauthenticated):
                waiting.result(10)

        assert columns_with(app, NAME) == set()


def waits(app: App) -> bool:
    """Whether anybody waits for a lock in the database."""
    words = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    with app.database.read() as connection:
        return connection.exec_driver_sql(words).first() is not None
