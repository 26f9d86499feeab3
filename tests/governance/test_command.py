"""`mainspring gc` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from mainspring.interfaces.cli.gc import Span
from tests.interfaces.test_cli_startup import run

NOTHING = dict.fromkeys(
    ("runs", "points", "trained_models", "experiments", "datasets", "files", "bytes"), 0
)


def test_it_tells_what_it_freed(tmp_path: Path) -> None:
    done = run("gc", "--home", str(tmp_path), "--older-than", "0", "--json")

    assert json.loads(done.stdout) == {"dry_run": False, **NOTHING}


def test_it_tells_what_would_go(tmp_path: Path) -> None:
    done = run("gc", "--home", str(tmp_path), "--dry-run")

    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines == [list(NOTHING), ["0"] * len(NOTHING)]
    assert "would go" in done.stderr


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("45s", 45), ("5m", 300), ("12h", 43_200), ("30d", 2_592_000)]
)
def test_a_span_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert Span().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1y", "1.5h", "30 d", "9999999d"])
def test_another_span_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Span().convert(text, None, None)
