"""Training scripts in processes of their own, and what their home knows in the end."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from mainspring.interfaces.sdk.client import Client
from mainspring.recording.sync import Synced
from mainspring.tracking import contract
from mainspring.tracking.contract import ListRuns
from tests.recording.lines import told

LIMIT_S = 60


@dataclass(frozen=True, slots=True)
class Ended:
    """How a script ended."""

    code: int
    printed: str
    errors: str


class Place:
    """A folder for scripts, and the home that their runs are kept in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a user who has chosen nothing."""
        plain = {name: value for name, value in os.environ.items() if "MAINSPRING" not in name}
        return {**plain, "MAINSPRING_HOME": str(self.home), "HOME": str(self.folder), **more}

    def started(self, text: str, *words: str, **more: str) -> subprocess.Popen[str]:
        """Start a script."""
        script = self.folder / "train.py"
        if not script.exists() or script.read_text() != dedent(text):  # others may be reading it
            script.write_text(dedent(text))
        return subprocess.Popen(
            [sys.executable, script.name, *words],
            cwd=self.folder,
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ran(self, text: str, *words: str, **more: str) -> Ended:
        """Run a script to its end."""
        with self.started(text, *words, **more) as process:
            try:
                printed, errors = process.communicate(timeout=LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Ended(process.returncode, printed, errors)

    def synced(self) -> Synced:
        """Do as `mainspring sync` does."""
        client = Client(self.home)
        found = client.sync()
        client.close()
        return found

    def runs(self) -> list[dict[str, Any]]:
        """What the home knows of its runs, the newest first."""
        client = Client(self.home)
        listed = client.call(contract.list_runs, ListRuns()).items
        found = [told(client.files, one.id) | {"id": one.id} for one in listed]
        client.close()
        return found

    def only(self) -> dict[str, Any]:
        """The only run."""
        (found,) = self.runs()
        return found

    def waiting(self) -> list[str]:
        """The runs in the spool."""
        spool = self.home / "spool"
        return sorted(path.name for path in spool.iterdir()) if spool.exists() else []
