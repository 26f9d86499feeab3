"""The command line over a real server, as people type it."""

from __future__ import annotations

import pytest

from mainspring.interfaces.cli import output
from tests.interfaces.cli_runs.shell import Shell


@pytest.fixture
def database_kind() -> str:
    """The command line does not see which database it is."""
    return "SQLite"


@pytest.fixture
def transport() -> str:
    """The tests' own clients; the command line goes over HTTP."""
    return "in process"


@pytest.fixture
def shell(url: str, tokens: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Shell:
    """Types commands as Dora, or as somebody who is named."""
    return Shell(url, tokens, capsys)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person looks at standard output."""
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
