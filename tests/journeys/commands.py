"""What `mainspring run` is tried with: a folder of scripts, and a terminal that somebody sits at."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mainspring.interfaces.sdk.client import Client
from mainspring.tracking import contract
from mainspring.tracking.contract import ListRuns, NameRun, Run

PYTHON = sys.executable
RUN = [PYTHON, "-m", "mainspring", "run"]
DEADLINE_S = 60


class Place:
    """A folder with scripts, and the home that their runs are kept in."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.home = home

    def script(self, text: str, name: str = "train.py") -> str:
        (self.folder / name).write_text(text)
        return name

    def environment(self, **more: str) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if "MAINSPRING" not in name}
        return {**plain, "MAINSPRING_HOME": str(self.home), **more}

    def run(
        self, *command: str, options: Sequence[str] = (), said: str = "", **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*RUN, *options, "--", *command],
            cwd=self.folder,
            env=self.environment(**more),
            input=said,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )

    def runs(self) -> list[Run]:
        client = Client(self.home)
        listed = client.call(contract.list_runs, ListRuns()).items
        found = [client.call(contract.show_run, NameRun(run=one.id)) for one in listed]
        client.close()
        return found

    def only(self) -> Run:
        (found,) = self.runs()
        return found

    def printed(self, stream: str) -> str:
        client = Client(self.home)
        paths = sorted(
            (one.path, one.digest)
            for one in self.only().artifacts
            if one.path.startswith(f"console/{stream}")
        )
        text = b"".join(piece for _, digest in paths for piece in client.files.download(digest))
        client.close()
        return text.decode()


class Terminal:
    """A terminal that somebody sits at, with a command in it."""

    def __init__(self, place: Place, *command: str) -> None:
        self.text = ""
        self._pid, self._handle = pty.fork()
        if self._pid == 0:
            os.chdir(place.folder)
            os.execve(PYTHON, [*RUN, "--", *command], place.environment())

    def until(self, words: str) -> None:
        """Read on until the words appear."""
        while words not in self.text:
            ready, _, _ = select.select([self._handle], [], [], DEADLINE_S)
            assert ready, self.text
            try:
                piece = os.read(self._handle, 65536)
            except OSError:
                piece = b""
            assert piece, f"it has ended: {self.text}"
            self.text += piece.decode()

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._handle, keys)

    def ended(self) -> int:
        """Read to the end; answers the exit code."""
        try:
            while piece := os.read(self._handle, 65536):
                self.text += piece.decode()
        except OSError:
            pass
        _, status = os.waitpid(self._pid, 0)
        os.close(self._handle)
        self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """End it whatever happens."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            self.ended()
