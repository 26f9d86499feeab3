"""`mainspring requirements`, and what a refused registration looks like."""

from __future__ import annotations

import pytest

from tests import story
from tests.house import Clients
from tests.interfaces.cli_runs.shell import Shell


def test_requirements_are_set_and_shown(shell: Shell) -> None:
    before = shell("requirements", "show", "--json").json
    made = shell("requirements", "set", "environment", "data", "--json", person="ada").json
    shown = shell("requirements", "show")
    none = shell("requirements", "set", "--none", person="ada")

    assert before["require"] == []
    assert (made["require"], made["set_by"]) == (["data", "environment"], "ada")
    assert "data and environment" in shown.err
    assert "a registration asks of its run: nothing" in none.err


@pytest.mark.parametrize("words", [(), ("data", "--none"), ("luck",)])
def test_requirements_that_say_nothing_or_too_much_are_refused(
    shell: Shell, words: tuple[str, ...]
) -> None:
    assert shell("requirements", "set", *words, person="ada").code == 2


def test_only_an_administrator_sets_requirements(shell: Shell) -> None:
    assert shell("requirements", "set", "data", person="dora").code == 5


def test_a_registration_that_lacks_something_ends_with_3_and_says_what(
    shell: Shell, clients: Clients
) -> None:
    shell("requirements", "set", "data", "code", person="ada")
    run = story.open_run(clients.developer, code={})
    trained = story.log_model(clients.developer, run)

    said = shell("model", "register", story.MODEL, "--trained-model", trained)

    assert said.code == 3
    assert said.err.count("why: ") == 2
    assert "why: data is missing: no dataset" in said.err
