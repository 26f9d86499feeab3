"""A real `mainspring up` on a home of its own, as a user has it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mainspring.core.home import Home
from tests.house import wait_until

BIN = Path(sys.executable).parent
STOP_S = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and how scripts and commands reach it."""

    home: Path
    url: str

    def environment(self, **more: str) -> dict[str, str]:
        """What a user's shell has: this interpreter's commands first, and the home."""
        plain = {name: value for name, value in os.environ.items() if "MAINSPRING" not in name}
        path = f"{BIN}{os.pathsep}{plain['PATH']}"
        return {**plain, "PATH": path, "MAINSPRING_HOME": str(self.home), **more}

    def shell(self, script: str, folder: Path, **more: str) -> str:
        """Run lines of a shell in the folder, each of which has to succeed; give the output."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=self.environment(**more),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}{self._log()}"
        return done.stdout

    def _log(self) -> str:
        return (self.home / "server.log").read_text()[-4000:]


@contextmanager
def started(folder: Path, **settings: str) -> Iterator[Server]:
    """A server on the home and a free port; it ends as `mainspring down` ends it."""
    home = Home(folder)
    with (folder / "server.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mainspring", "up", "--port", "0", "--home", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **settings},
        )
    try:
        wait_until(lambda: home.server() is not None or process.poll() is not None)
        running = home.server()
        assert running is not None, (folder / "server.log").read_text()
        yield Server(folder, running.url)
    finally:
        process.terminate()
        try:
            code = process.wait(STOP_S)
        finally:
            process.kill()
    assert code == 0, (folder / "server.log").read_text()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on a fresh home."""
    with started(tmp_path_factory.mktemp("home")) as running:
        yield running
