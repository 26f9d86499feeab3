"""Every public word has an example in its docstring, and every example does what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.conftest import started

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(180)
def test_every_public_word_has_an_example_that_runs(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    folder.mkdir()
    with started(home) as server:
        done = subprocess.run(
            [sys.executable, "-m", "tests.journeys.examples"],
            cwd=folder,
            env=server.environment(PYTHONPATH=str(ROOT)),
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
