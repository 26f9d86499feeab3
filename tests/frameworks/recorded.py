"""Runs a script in a process of its own, and reads what it recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from mainspring.core.settings import foreign_environment
from mainspring.interfaces.sdk.client import Client
from mainspring.tracking import contract, search_contract
from mainspring.tracking.contract import NameRun, Run
from mainspring.tracking.search_contract import SearchRuns

BEFORE = "import mainspring as ms\nms.autolog(figures=False)\n"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a script left."""

    runs: list[Run]
    """Those that are part of no other, the oldest first."""
    children: list[Run]
    printed: list[str]
    told: str
    """What stands on the standard error."""

    @property
    def run(self) -> Run:
        """The only run."""
        assert len(self.runs) == 1, [run.name for run in self.runs]
        return self.runs[0]


def record(folder: Path, code: str, *, start: str = BEFORE, **variables: str) -> Recorded:
    """Run the code as a script, autologging before it."""
    script = folder / "script.py"
    script.write_text(start + dedent(code))
    environment = foreign_environment() | {"MAINSPRING_HOME": str(folder / "home")} | variables
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True, text=True, cwd=folder, env=environment, timeout=100, check=False,
    )  # fmt: skip
    print(done.stderr)  # noqa: T201  pytest shows it of a test that fails
    assert done.returncode == 0, done.stderr
    return _read(folder / "home", done)


def _read(home: Path, done: subprocess.CompletedProcess[str]) -> Recorded:
    runs: list[Run] = []
    if (home / "mainspring.db").exists():
        client = Client(home)
        page = client.call(search_contract.search_runs, SearchRuns(limit=1000))
        runs = [client.call(contract.show_run, NameRun(run=run.id)) for run in page.items]
        client.close()
    runs.sort(key=lambda run: run.started_at)
    return Recorded(
        [run for run in runs if run.parent is None],
        [run for run in runs if run.parent is not None],
        done.stdout.splitlines(),
        done.stderr,
    )


def metrics(run: Run) -> dict[str, Any]:
    """The last values, but those of the machine."""
    return {one.key: one.last for one in run.metrics if not one.key.startswith("system/")}


def files(run: Run) -> set[str]:
    """The paths of its files, but what was printed."""
    return {file.path for file in run.artifacts if not file.path.startswith("console/")}


def artifact(folder: Path, run: Run, path: str) -> Any:
    """A JSON file of the run."""
    client = Client(folder / "home")
    digest = next(file.digest for file in run.artifacts if file.path == path)
    content = b"".join(client.files.download(digest))
    client.close()
    return json.loads(content)
