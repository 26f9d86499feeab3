"""`mainspring labels`: from a file or the command line, and how many predictions they cover."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tests import watch
from tests.house import Clients
from tests.interfaces.cli_runs.shell import Shell
from tests.monitoring.predicted import logs_to, write_log
from tests.story import MODEL
from tests.watch import FIRST_DAY

CSV = """entity_key,about,value,event_time
x,2013-03-01T02:00:00Z,1,2013-03-02T00:00:00Z
y,2013-03-01T02:00:00Z,0,2013-03-02T00:00:00Z
"""


@pytest.fixture
def database_kind() -> str:
    """The command line does not see which database it is."""
    return "SQLite"


@pytest.fixture
def transport() -> str:
    """The tests' own clients; the command line goes over HTTP."""
    return "in process"


@pytest.fixture
def shell(
    url: str, tokens: dict[str, str], capsys: pytest.CaptureFixture[str], clients: Clients
) -> Shell:
    """Types commands about a deployment."""
    watch.deployed(clients)
    return Shell(url, tokens, capsys)


def test_a_file_is_recorded_and_what_it_covers_is_told(
    shell: Shell, clients: Clients, tmp_path: Path
) -> None:
    hour = dt.timedelta(hours=1)
    write_log(tmp_path / "log", ("a", "x", FIRST_DAY + hour), ("b", "x", FIRST_DAY + 3 * hour))
    logs_to(clients, tmp_path / "log")
    path = tmp_path / "labels.csv"
    path.write_text(CSV)

    first = shell("labels", "record", MODEL, "--file", str(path), "--json")
    again = shell("labels", "record", MODEL, "--file", str(path))
    stretch = ("--since", "2013-03-01", "--until", "2013-03-02")
    told = shell("labels", "coverage", MODEL, *stretch, "--json").json

    assert (first.code, first.json) == (0, {"count": 2, "new": 2, "doubled": 0, "corrected": 0})
    assert again.out.splitlines() == ["count: 0", "new: 0", "doubled: 2", "corrected: 0"]
    assert f"mainspring labels coverage {MODEL}" in again.err
    assert (told["predictions"], told["labelled"], told["unmatched"]) == (2, 1, 1)
    assert (told["share"], told["median_delay_s"]) == (0.5, 23 * 3600)


def test_labels_of_the_command_line_are_recorded_as_before(shell: Shell) -> None:
    labels = '[{"request_id": "a", "value": 1, "event_time": "2013-03-01T00:00:00Z"}]'

    said = shell("labels", "record", MODEL, "--labels", labels, "--json")

    assert said.json["new"] == 1
    listed = shell("labels", "list", MODEL)
    assert listed.lines[0][:5] == ["id", "request_id", "entity_key", "about", "value"]
    assert listed.lines[1][1:5] == ["a", "", "", "1.0"]


def test_a_bad_row_is_told_with_its_line(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(CSV + "z,then,1,2013-03-02\n")

    said = shell("labels", "record", MODEL, "--file", str(path))

    assert said.code == 2
    assert f"line 4 of {path}: about: 'then' found" in said.err
    assert "nothing is recorded yet" in said.err


@pytest.mark.parametrize("more", [[], ["--file", "labels.csv", "--labels", "[]"]])
def test_labels_come_from_one_place(shell: Shell, more: list[str]) -> None:
    said = shell("labels", "record", MODEL, *more)

    assert said.code == 2
    assert "give either --file or --labels" in said.err
