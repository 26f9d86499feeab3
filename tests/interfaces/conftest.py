"""The command line over a real server, as the people of the house type it."""

from __future__ import annotations

import pytest

from mainspring.interfaces.cli.program import main
from tests.interfaces.said import Mainspring, Said


@pytest.fixture
def mainspring(url: str, tokens: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Mainspring:
    """Run a command as one of the people, Ada if nobody is named."""

    def run(*arguments: str, person: str = "ada") -> Said:
        capsys.readouterr()
        code = main([*arguments, "--url", url, "--token", tokens[person]])
        return Said(code, *capsys.readouterr())

    return run
