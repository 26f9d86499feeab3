"""`admin audit verify` and `events export`: what they find, what others can verify by themselves."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mainspring.administration import contract
from mainspring.administration.contract import ListEvents
from mainspring.app import App
from mainspring.core.checkpoint import FILE, PUBLIC
from mainspring.notary import Notary
from tests import story
from tests.administration.tampering import cut, statement, tamper, write_anew
from tests.house import Clients, Clock
from tests.interfaces.said import Mainspring
from tests.world import built

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def database_kind() -> str:
    """The command line does not see which database it is."""
    return "SQLite"


@pytest.fixture
def transport() -> str:
    """The tests' own clients; the command line goes over HTTP."""
    return "in process"


@pytest.fixture
def log(app: App, clients: Clients) -> int:
    """A log that is signed up to its end, which it gives."""
    story.version(clients.developer)
    Notary(app).look()
    return story.events(clients.viewer)[-1].sequence


@pytest.fixture
def copy(log: int, app: App, tmp_path: Path) -> Path:
    """A copy of the checkpoints, out of reach."""
    return shutil.copytree(app.settings.audit_folder, tmp_path / "copy")


def test_an_untouched_log_holds(mainspring: Mainspring, log: int) -> None:
    said = mainspring("admin", "audit", "verify")

    assert (said.code, said.out) == (0, f"default: {log} events, 1 checkpoints hold\n")


def test_all_workspaces_are_verified_unless_one_is_named(
    mainspring: Mainspring, log: int, app: App, tokens: dict[str, str]
) -> None:
    story.version(story.elsewhere(app, tokens))
    tamper(app, statement("update event set actor = 'x' where sequence = 2 and workspace_id <> 1"))

    all_of_them = mainspring("admin", "audit", "verify")
    one = mainspring("admin", "audit", "verify", "-w", "default", person="vera")

    assert all_of_them.code == 1
    assert "why: elsewhere: event 2 " in all_of_them.err
    assert all_of_them.out.startswith("default: ")
    assert (one.code, one.err) == (0, "")


def test_a_cut_tail_with_a_mended_head_is_no_success(
    mainspring: Mainspring, log: int, app: App
) -> None:
    tamper(app, lambda connection: cut(connection, log - 1))

    said = mainspring("admin", "audit", "verify", "--json")

    assert said.code == 1
    (chain,) = [one["chain"] for one in said.json]
    assert (chain["first_bad"], chain["faults"][0]["wrong"]) == (log, "cut")
    assert json.loads(said.err)["reasons"] == [f"default: {chain['faults'][0]['found']}"]


def test_events_verify_and_the_doctor_look_at_the_checkpoints_too(
    mainspring: Mainspring, log: int, app: App
) -> None:
    (app.settings.audit_folder / FILE).unlink()

    said = mainspring("events", "verify")

    assert said.code == 1
    assert "why: default: the file of checkpoints ends at line 0, and 1 were written" in said.err


def forged(app: App, log: int) -> None:
    """Everything in reach is altered so that it fits."""
    tamper(app, lambda connection: write_anew(connection, 2, actor="mallory"))
    shutil.rmtree(app.settings.audit_folder)
    (app.settings.home / "audit.json").unlink()
    Notary(app).look()


def test_a_copy_finds_what_who_has_the_home_can_hide(
    mainspring: Mainspring, log: int, copy: Path, app: App
) -> None:
    forged(app, log)

    here = mainspring("admin", "audit", "verify")
    there = mainspring("admin", "audit", "verify", "--checkpoints", str(copy))

    assert here.code == 0
    assert there.code == 1
    assert f"events 1 to {log}: the checkpoint at {log} vouches for others" in there.err


def test_a_copy_of_an_untouched_log_holds(
    mainspring: Mainspring, log: int, copy: Path, clients: Clients
) -> None:
    story.version(clients.developer)
    words = ("admin", "audit", "verify", "--checkpoints", str(copy))

    beside = mainspring(*words)
    kept = mainspring(*words, "--key", str(copy / PUBLIC))

    assert "trusted: the key" in beside.err
    assert (kept.code, kept.err) == (0, "")
    assert kept.out == beside.out
    assert kept.out.endswith(" events, 1 checkpoints hold\n")


def test_a_workspace_that_only_the_copy_names_is_told(
    mainspring: Mainspring, app: App, tokens: dict[str, str], tmp_path: Path
) -> None:
    story.version(story.elsewhere(app, tokens))
    Notary(app).look()
    copy = shutil.copytree(app.settings.audit_folder, tmp_path / "copy")
    tamper(app, statement("update workspace set name = 'other' where id <> 1"))

    said = mainspring("admin", "audit", "verify", "--checkpoints", str(copy))

    assert said.code == 1
    assert "why: elsewhere: the workspace is gone" in said.err


def test_a_folder_without_checkpoints_is_told(mainspring: Mainspring, tmp_path: Path) -> None:
    assert mainspring("admin", "audit", "verify", "--checkpoints", str(tmp_path)).code == 4


def test_a_key_alone_is_of_no_use(mainspring: Mainspring, copy: Path) -> None:
    assert mainspring("admin", "audit", "verify", "--key", str(copy / PUBLIC)).code == 2


def recipe() -> Callable[[Iterable[str]], int | None]:
    """The lines of plain Python that the page shows."""
    shown = re.findall(r"```python\n(.*?)```", (DOCS / "audit.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(shown[-1], names)
    verify: Callable[[Iterable[str]], int | None] = names["verify"]
    return verify


def test_the_chain_is_verified_from_an_export_alone(
    mainspring: Mainspring, clients: Clients, clock: Clock, tmp_path: Path
) -> None:
    built(clients, clock)
    facts = {
        "float": [1e16, 1e-7, 0.1, 5e-324],
        "int": 2**63,
        "text": 'ü\u2028"\\,"previous_hash":',
    }
    story.events(clients.viewer)
    announce(clients, facts)

    said = mainspring("events", "export", "--to", str(tmp_path / "events.jsonl"))

    lines = (tmp_path / "events.jsonl").read_text(encoding="utf-8").split("\n")
    whole = [event.hash for event in story.events(clients.viewer)]
    assert said.code == 0
    assert recipe()(lines[:-1]) is None
    assert [json.loads(line)["hash"] for line in lines[:-1]] == whole
    for at in (1, 5, len(whole) - 1):
        assert recipe()([*lines[:at], *lines[at + 1 : -1]]) in (at + 2, None)
        altered = lines[at].replace(json.loads(lines[at])["kind"], "token.revoked")
        assert recipe()([*lines[:at], altered, *lines[at + 1 : -1]]) == at + 1


def announce(clients: Clients, facts: dict[str, Any]) -> None:
    """An event whose facts are hard to encode twice in the same way."""
    request = contract.FailJob(
        job=clients.admin.call(contract.list_jobs, contract.ListJobs())[0].id,
        error=msgspec.json.encode(facts).decode(),
    )
    clients.service.call(contract.fail_job, request)


def test_an_export_as_csv_has_a_row_for_each_event(
    mainspring: Mainspring, log: int, clients: Clients, tmp_path: Path
) -> None:
    said = mainspring("events", "export", "--to", str(tmp_path / "events.csv"), "--json")

    with (tmp_path / "events.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert said.json == {"file": str(tmp_path / "events.csv"), "events": log}
    assert [row["hash"] for row in rows] == [one.hash for one in story.events(clients.viewer)]
    assert json.loads(rows[-1]["facts"]) == story.events(clients.viewer)[-1].facts


def test_an_export_takes_the_filters_of_the_list(
    mainspring: Mainspring, log: int, tmp_path: Path
) -> None:
    words = ("--actor", "dora", "--kind", "version.registered", "--since", "2013-03-01")
    said = mainspring("events", "export", *words, "--to", "-")

    (line,) = said.out.splitlines()
    assert json.loads(line)["kind"] == "version.registered"
    assert "at" in json.loads(line)


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"actor": "dora"}, None),
        ({"actor": "mallory"}, 0),
        ({"outcome": "refused"}, 0),
        ({"subject_kind": "version"}, 1),
        ({"subject_kind": "version", "actor": "ada"}, 0),
    ],
)
def test_events_are_found_by_their_columns(
    log: int, clients: Clients, asked: dict[str, str], count: int | None
) -> None:
    every = story.events(clients.viewer)
    wanted = [
        one for one in every if all(getattr(one, name) == value for name, value in asked.items())
    ]

    assert story.events(clients.viewer, **asked) == wanted
    assert count is None or len(wanted) == count


def test_events_are_found_by_token_and_time(log: int, clients: Clients, clock: Clock) -> None:
    before = story.events(clients.viewer)
    clock.advance(days=1)
    story.open_run(clients.developer)
    last = story.events(clients.viewer)[-1]

    assert story.events(clients.viewer, since=last.recorded_at, by_token=last.token) == [last]
    assert story.events(clients.viewer, until=last.recorded_at) == before
    page = clients.viewer.call(contract.list_events, ListEvents(since=last.recorded_at, limit=1))
    assert page.next == str(last.sequence)
