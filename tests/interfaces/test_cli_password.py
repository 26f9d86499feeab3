"""`mainspring people set-password` over a real server: what it asks for, and what it never shows."""

from __future__ import annotations

import io

import httpx2
import pytest

from mainspring.interfaces.cli.program import main

FIRST, SECOND = "correct horse battery", "staple of the second kind"


@pytest.fixture
def database_kind() -> str:
    """The command line does not see which database it is."""
    return "SQLite"


class Shell:
    """Runs the command with lines to read, and keeps all that it said."""

    def __init__(
        self, url: str, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self._url, self._capsys, self._patch = url, capsys, patch

    def run(self, token: str, *arguments: str, lines: tuple[str, ...]) -> tuple[int, str]:
        """The exit code, and both outputs."""
        self._patch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        words = ["people", "set-password", *arguments, "--url", self._url, "--token", token]
        code = main(words)
        return code, "".join(self._capsys.readouterr())

    def signs_in(self, name: str, password: str) -> bool:
        """Whether they are a name and its password."""
        place = f"{self._url}/api/v1/workspaces/default/whoami"
        return (
            httpx2.get(place, auth=(name, password), trust_env=False, verify=False).status_code
            == 200
        )


@pytest.fixture
def shell(url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell without a terminal."""
    return Shell(url, capsys, monkeypatch)


def test_passwords_are_read_from_the_input(shell: Shell, tokens: dict[str, str]) -> None:
    code, said = shell.run(tokens["ada"], "vera", lines=(FIRST,))
    assert (code, said) == (0, "vera has another password\n")

    code, said = shell.run(tokens["vera"], lines=(FIRST, SECOND))
    assert (code, said) == (0, "vera has another password\n")
    assert shell.signs_in("vera", SECOND)
    assert not shell.signs_in("vera", FIRST)


def test_an_administrator_sets_their_own_first_one(shell: Shell, tokens: dict[str, str]) -> None:
    assert shell.run(tokens["ada"], "--first", lines=(FIRST,))[0] == 0
    assert shell.signs_in("ada", FIRST)


def test_a_wrong_old_password_is_refused_and_not_shown(
    shell: Shell, tokens: dict[str, str]
) -> None:
    shell.run(tokens["ada"], "vera", lines=(FIRST,))

    code, said = shell.run(tokens["vera"], "-v", lines=("something else then", SECOND))

    assert code == 5
    assert "not the password" in said
    assert "something else then" not in said
    assert SECOND not in said


def test_an_input_that_ends_early_changes_nothing(shell: Shell, tokens: dict[str, str]) -> None:
    code, said = shell.run(tokens["vera"], lines=(FIRST,))

    assert code == 2
    assert "the input ends before the new password of vera" in said


def test_the_answer_may_be_json(shell: Shell, tokens: dict[str, str]) -> None:
    code, said = shell.run(tokens["ada"], "vera", "--json", lines=(FIRST,))

    assert (code, said) == (0, '{"count":1}\n')
