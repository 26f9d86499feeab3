"""Scripts as their users run them, with and without autologging, and what was recorded of them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.core.settings import foreign_environment
from mainspring.interfaces.sdk.client import Client
from mainspring.tracking import contract
from mainspring.tracking.contract import ListRuns, NameRun, ReadMetric, Run, TrainedModel

SCRIPTS = Path(__file__).parent / "scripts"
FOLLOW = "import mainspring; mainspring.autolog({words})\n"
RUN = "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')\n"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run, as it can be asked for."""

    run: Run
    client: Client

    @property
    def params(self) -> dict[str, str]:
        """The parameters."""
        return self.run.params

    @property
    def metrics(self) -> dict[str, float]:
        """The last values, but for those of the machine."""
        named = {one.key: one.last for one in self.run.metrics}
        return {key: float(last) for key, last in named.items() if not key.startswith("system/")}

    def points(self, key: str) -> dict[int, float]:
        """The values of a metric by their steps."""
        request = ReadMetric(run=self.run.id, key=key)
        found = self.client.call(contract.read_metric, request).items
        return {point.step: float(point.value) for point in found}

    @property
    def datasets(self) -> dict[str, str]:
        """The roles of the data sets by their names."""
        return {one.name: one.role for one in self.run.datasets}

    @property
    def artifacts(self) -> set[str]:
        """The paths of the files."""
        return {one.path for one in self.run.artifacts}

    @property
    def model(self) -> TrainedModel:
        """The only model."""
        [found] = self.run.models
        return found

    def unpacked(self, folder: Path) -> Path:
        """A folder with the files of the model."""
        folder.mkdir()
        for file in self.model.files:
            folder.joinpath(file.path).write_bytes(
                b"".join(self.client.files.download(file.digest))
            )
        return folder

    def document(self, path: str) -> Any:
        """A file that is JSON."""
        [file] = [one for one in self.run.artifacts if one.path == path]
        return json.loads(b"".join(self.client.files.download(file.digest)))


class Bench:
    """A folder where scripts run, and the home where they are recorded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._clients: list[Client] = []

    def plain(self, script: str) -> str:
        """Run a script as it is; answers what it printed."""
        return self._run([str(self._written(script))])

    def printed(self, script: str, words: str = "") -> str:
        """Run a script with autologging; answers what it printed."""
        return self._run(["-c", FOLLOW.format(words=words) + RUN, str(self._written(script))])

    def followed(self, script: str, words: str = "") -> list[Recorded]:
        """Run a script with autologging; answers its runs, the oldest first."""
        self.printed(script, words)
        return self.runs()

    def runs(self) -> list[Recorded]:
        """The runs that there are, the oldest first."""
        if not (self.folder / "home" / "mainspring.db").exists():
            return []
        client = Client(home=self.folder / "home")
        self._clients.append(client)
        listed = client.call(contract.list_runs, ListRuns()).items
        found = [client.call(contract.show_run, NameRun(run=one.id)) for one in listed]
        found.sort(key=lambda run: (run.opened_at, run.id))
        return [Recorded(run, client) for run in found]

    def close(self) -> None:
        """Let go of the home."""
        for client in self._clients:
            client.close()

    def _written(self, script: str) -> Path:
        path = self.folder / "script.py"
        path.write_text(script)
        return path

    def _run(self, words: list[str]) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *words],
            cwd=self.folder,
            env=foreign_environment() | {"MAINSPRING_HOME": str(self.folder / "home")},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        assert "autologging:" not in done.stderr, done.stderr  # a hook that gave up says so
        assert "spool" not in done.stderr, done.stderr  # and so does a run that did not arrive
        return done.stdout
