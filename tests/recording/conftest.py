"""Runs that are recorded: a spool, and the people whose runs they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.recording import active


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """The folder of runs that wait."""
    return tmp_path / "spool"


@pytest.fixture(autouse=True)
def nobody_around(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No run around these tests, and none of theirs around others."""
    for name in list(os.environ):
        if name.startswith("MAINSPRING_") and "TEST" not in name:
            monkeypatch.delenv(name)
    yield
    for run in active.open_runs():  # as if its process had been killed
        run.over = True
        active.end(run)
