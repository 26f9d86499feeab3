"""`mainspring runs tag`, `rm` and `restore`."""

from __future__ import annotations

import io
import sys

import pytest

from mainspring.tracking import contract as tracking
from mainspring.tracking.contract import NameRun
from tests.house import Clients
from tests.interfaces.cli_runs.recorded import logged
from tests.interfaces.cli_runs.shell import Shell


def test_tags_are_set_and_taken_off(shell: Shell, clients: Clients) -> None:
    run = logged(clients.developer, "a")

    first = shell("runs", "tag", "a", "team=ads", "formula=y=x", "old=1", "--json").json
    second = shell("runs", "tag", run[:8], "team=", "--remove", "old", "--json").json

    assert first["tags"] == {"team": "ads", "formula": "y=x", "old": "1"}
    assert second == {"id": run, "tags": {"team": "", "formula": "y=x"}}


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("a",), 2, "nothing to set"),
        (("a", "team"), 2, "wanted KEY=VALUE"),
        (("a", "=x"), 2, "wanted KEY=VALUE"),
        (("a", "b@d=x"), 2, "tags"),
        (("a", "--remove", "none"), 4, "has no tag 'none'"),
        (("nobody", "team=a"), 4, "no run has the name 'nobody'"),
    ],
)
def test_what_is_no_tag_is_refused(
    shell: Shell, clients: Clients, words: tuple[str, ...], code: int, told: str
) -> None:
    logged(clients.developer, "a")

    said = shell("runs", "tag", *words)

    assert said.code == code
    assert told in said.err
    assert "fix: " in said.err


def test_the_run_of_another_is_not_changed(shell: Shell, clients: Clients) -> None:
    logged(clients.developer, "a")

    for words in (("tag", "a", "k=v"), ("rm", "a")):
        assert shell("runs", *words, person="ada").code == 5


def test_runs_are_deleted_and_restored(shell: Shell, clients: Clients) -> None:
    a, b = logged(clients.developer, "a"), logged(clients.developer, "b")

    gone = shell("runs", "rm", "a", b[:8])
    listed = shell("runs", "list", "-q").out
    deleted = shell("runs", "list", "--deleted", "-q").out
    back = shell("runs", "restore", a, "b", "--json")

    assert f"mainspring runs restore {a[:8]} {b[:8]}" in gone.err
    assert (listed, deleted) == ("", f"{b}\n{a}\n")
    assert back.json == {"restored": [a, b]}
    assert shell("runs", "list", "-q").out == f"{b}\n{a}\n"


def test_deleting_is_asked_about_on_a_terminal(
    shell: Shell, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = logged(clients.developer, "a")
    typed = io.StringIO("n\n")
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", typed)

    refused = shell("runs", "rm", "a")
    kept = clients.viewer.call(tracking.show_run, NameRun(run=run)).deleted_at
    agreed = shell("runs", "rm", "a", "--yes")

    assert refused.code == 130
    assert f"delete {run[:8]} a (finished). Go on?" in refused.err
    assert kept is None
    assert agreed.code == 0


def test_nothing_is_deleted_when_one_of_the_runs_is_not_there(
    shell: Shell, clients: Clients
) -> None:
    logged(clients.developer, "a")

    assert shell("runs", "rm", "a", "nobody").code == 4
    assert len(shell("runs", "list", "-q").out.split()) == 1
