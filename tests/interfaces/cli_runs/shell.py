"""The command line as tests type it: over a real server, as one of the people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from mainspring.interfaces.cli.program import main


@dataclass(frozen=True, slots=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[list[str]]:
        """Standard output as tab-separated lines."""
        return [line.split("\t") for line in self.out.splitlines()]


class Shell:
    """Runs commands."""

    def __init__(
        self, url: str, tokens: dict[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._url = url
        self._tokens = tokens
        self._capsys = capsys

    def __call__(self, *arguments: str, person: str = "dora") -> Said:
        """Type a command; answers what was printed, and how it ended."""
        self._capsys.readouterr()
        code = main([*arguments, "--url", self._url, "--token", self._tokens[person]])
        return Said(code, *self._capsys.readouterr())
