"""Commands over a real server: what people type, what they get, how it ends."""

from __future__ import annotations

import io
import sys
import threading
from pathlib import Path

import pytest

from mainspring.app import App
from mainspring.deployment import contract as deployment
from mainspring.incidents.contract import OpenIncident, open_incident
from mainspring.interfaces.cli import output
from tests import story
from tests.house import Clients
from tests.interfaces.said import Mainspring


@pytest.fixture
def database_kind() -> str:
    """The command line does not see which database it is."""
    return "SQLite"


@pytest.fixture
def transport() -> str:
    """The tests' own clients; the command line goes over HTTP."""
    return "in process"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person looks at standard output."""
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")


def waiting(clients: Clients) -> story.Version:
    """A version whose promotion has passed its checks and waits for a person."""
    story.declare(clients.developer)
    version = story.version(clients.developer)
    promotion = story.ask(clients.developer, version.number)
    story.say(clients.service, promotion.id)
    return version


def test_a_noun_alone_may_mean_its_one_verb(mainspring: Mainspring) -> None:
    assert mainspring("whoami", "--json").json["name"] == "ada"
    assert mainspring("whoami", "show", "--json").json["name"] == "ada"


def test_a_noun_without_a_verb_lists_its_verbs(mainspring: Mainspring) -> None:
    said = mainspring("incident")

    assert said.code == 2
    assert "fix: mainspring incident with one of: close, list, note" in said.err


def test_piped_lists_are_tab_separated_under_their_names(mainspring: Mainspring) -> None:
    said = mainspring("people", "list")

    assert said.lines[0] == ["name", "roles", "groups", "denied", "disabled", "recorded_at"]
    assert said.lines[1][:2] == ["ada", '["admin"]']
    assert said.lines[1][4] == "false"


def test_json_is_what_the_api_answers(mainspring: Mainspring, clients: Clients) -> None:
    run = story.open_run(clients.developer)

    found = mainspring("runs", "show", run, "--json").json

    assert found["id"] == run
    assert found["code"] == story.CODE


def test_options_of_all_may_stand_before_the_noun(mainspring: Mainspring) -> None:
    assert mainspring("--json", "people", "list").json[0]["name"] == "ada"


def test_quiet_prints_ids_alone(mainspring: Mainspring, clients: Clients) -> None:
    run = story.open_run(clients.developer)

    said = mainspring("runs", "list", "-q")

    assert (said.out, said.err) == (f"{run}\n", "")


def test_a_table_on_a_terminal_shortens_ids_that_commands_take_again(
    mainspring: Mainspring, clients: Clients, terminal: None
) -> None:
    run = story.open_run(clients.developer)

    listed = mainspring("runs", "list").out
    shown = mainspring("runs", "show", run[:8]).out

    assert run[:8] in listed
    assert run not in listed
    assert f"id: {run}" in shown


def test_more_pages_are_told_on_stderr(mainspring: Mainspring, clients: Clients) -> None:
    story.open_run(clients.developer)
    story.open_run(clients.developer)

    first = mainspring("runs", "list", "--limit", "1")
    token = first.err.rpartition("--after ")[2].strip()
    second = mainspring("runs", "list", "--limit", "1", "--after", token)

    assert "1 of 2; more: " in first.err
    assert first.lines[1][0] != second.lines[1][0]


def test_a_refused_value_names_what_is_wanted(mainspring: Mainspring) -> None:
    said = mainspring("runs", "find", "my run")

    assert said.code == 2
    assert "'my run' found, wanted 32 hex characters" in said.err
    assert "fix: mainspring runs list" in said.err


def test_what_is_not_there_ends_with_4(mainspring: Mainspring) -> None:
    said = mainspring("model", "show", "nobody")

    assert said.code == 4
    assert "code: MS-1005" in said.err


def test_what_is_not_permitted_ends_with_5(mainspring: Mainspring) -> None:
    said = mainspring("people", "add", "--name", "bob", person="vera")

    assert said.code == 5
    assert "'admin'" in said.err


def test_documents_come_as_text_or_from_a_file(mainspring: Mainspring, tmp_path: Path) -> None:
    path = tmp_path / "checks.json"
    path.write_text('[{"name": "data"}]')

    text = mainspring(
        "suite", "declare", "--model", "a", "--checks", '[{"name": "data"}]', "--json"
    )
    file = mainspring("suite", "declare", "--model", "b", "--checks", f"@{path}", "--json")

    assert text.json["checks"] == file.json["checks"]


def test_a_document_that_is_none_is_a_usage_error(mainspring: Mainspring) -> None:
    said = mainspring("suite", "declare", "--model", "a", "--checks", "[{")

    assert said.code == 2
    assert "not JSON" in said.err


def test_a_version_is_named_by_number_stage_or_alias(
    mainspring: Mainspring, clients: Clients
) -> None:
    version = waiting(clients)
    mainspring("approve", f"{story.MODEL}@{version.number}", "--reason", "fine", person="paul")
    mainspring("model", "alias", story.MODEL, "best", "--version", str(version.number))

    found = {
        mainspring("model", "version", f"{story.MODEL}@{name}", "--json").json["version"]
        for name in (str(version.number), "production", "best")
    }

    assert found == {version.number}


def test_a_gate_that_says_no_ends_with_3(mainspring: Mainspring, clients: Clients) -> None:
    version = story.version(clients.developer)

    said = mainspring("promote", f"{story.MODEL}@{version.number}", "--to", "production")

    assert said.code == 3
    assert "why: no suite is declared for the stage 'production'" in said.err


def test_promote_waits_for_the_checks_and_tells_why_one_failed(
    mainspring: Mainspring, clients: Clients
) -> None:
    story.declare(clients.developer)
    version = story.version(clients.developer)
    promotion = story.ask(clients.developer, version.number)
    check = threading.Timer(0.3, lambda: story.say(clients.service, promotion.id, outcome="failed"))
    check.start()

    said = mainspring("promote", f"{story.MODEL}@{version.number}", "--to", "production")

    check.join()
    assert said.code == 3
    assert "checking flights-late@1: check 'performance' has not run yet" in said.err
    assert "why: performance: performance failed" in said.err


def test_promote_need_not_wait(mainspring: Mainspring, clients: Clients) -> None:
    story.declare(clients.developer)
    version = story.version(clients.developer)
    reference = f"{story.MODEL}@{version.number}"

    said = mainspring("promote", reference, "--to", "production", "--no-wait")

    assert said.code == 0
    assert "state: checking" in said.out
    assert "next: mainspring promotion show" in said.err


def test_a_dry_run_asks_for_nothing(mainspring: Mainspring, clients: Clients) -> None:
    story.declare(clients.developer)
    version = story.version(clients.developer)

    said = mainspring(
        "promote", f"{story.MODEL}@{version.number}", "--to", "production", "--dry-run"
    )

    assert "0 of 1 approvals given" in said.out
    assert mainspring("promotion", "list", "--json").json == []


def test_a_promotion_that_waits_ends_with_5_and_names_who_may_approve(
    mainspring: Mainspring, clients: Clients
) -> None:
    version = waiting(clients)

    said = mainspring(
        "promote", f"{story.MODEL}@{version.number}", "--to", "production", person="dora"
    )

    assert said.code == 5
    assert "0 of 1 approvals given; ada or paul or petra may approve it" in said.err


def test_a_second_person_approves_by_the_version(mainspring: Mainspring, clients: Clients) -> None:
    version = waiting(clients)
    reference = f"{story.MODEL}@{version.number}"

    own = mainspring("approve", reference, "--reason", "mine", person="dora")
    other = mainspring("approve", reference, "--reason", "fine", "--json", person="paul")

    assert own.code == 5
    assert other.json["state"] == "promoted"


def test_a_promotion_is_rejected_by_its_short_id(mainspring: Mainspring, clients: Clients) -> None:
    waiting(clients)
    promotion = mainspring("promotion", "list", "-q").out.strip()

    said = mainspring("reject", promotion[:10], "--reason", "no", "--json", person="paul")

    assert said.json["state"] == "rejected"


def test_what_takes_away_is_asked_about_on_a_terminal(
    mainspring: Mainspring, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = io.StringIO("n\n")
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", typed)

    refused = mainspring("people", "disable", "vera")
    agreed = mainspring("people", "disable", "vera", "--yes", "--json")

    assert refused.code == 130
    assert "Go on?" in refused.err
    assert agreed.json["disabled"] is True


def test_events_tell_a_story_on_a_terminal(
    mainspring: Mainspring, clients: Clients, terminal: None
) -> None:
    waiting(clients)

    told = mainspring("events", "list", "--model", story.MODEL).out

    assert "version flights-late@1 by dora: " in told
    assert "verdict.recorded" in told


def test_a_name_cannot_steer_the_terminal(
    mainspring: Mainspring, clients: Clients, terminal: None
) -> None:
    story.open_run(clients.developer, name="\x1b[2Jgone")

    assert "\x1b[2J" not in mainspring("runs", "list").out


def test_a_broken_chain_is_no_success(mainspring: Mainspring, app: App) -> None:
    whole = mainspring("events", "verify", "--json")
    with app.database.write() as connection:
        connection.exec_driver_sql("update event set actor = 'nobody' where sequence = 2")

    broken = mainspring("events", "verify", "--json")

    assert (whole.code, whole.json["first_bad"]) == (0, None)
    assert (broken.code, broken.json["first_bad"]) == (1, 2)


def test_status_shows_the_worst_first(mainspring: Mainspring, clients: Clients) -> None:
    version = waiting(clients)
    mainspring("approve", f"{story.MODEL}@{version.number}", "--reason", "fine", person="paul")
    for name in ("fine", "troubled"):
        request = deployment.StartDeployment(model=story.MODEL, name=name)
        clients.admin.call(deployment.start, request)
    clients.admin.call(open_incident, OpenIncident(deployment="troubled", summary="wrong"))

    rows = mainspring("status", "--json").json["deployments"]

    assert [(row["deployment"], row["incidents"]) for row in rows] == [("troubled", 1), ("fine", 0)]
    assert rows[0]["wants"] == f"{story.MODEL}@1"


def test_an_operation_of_our_own_services_is_hidden_and_refused(mainspring: Mainspring) -> None:
    helped = mainspring("promotion", "--help").out
    said = mainspring("promotion", "expire")

    assert "expire" not in helped
    assert said.code == 5


def test_help_tells_what_the_contract_says_of_a_field(mainspring: Mainspring) -> None:
    helped = mainspring("events", "list", "--help").out

    assert "The sequence to go on after" in helped
    assert "[default: 100]" in helped
