"""The demo's own server: started, waited for, brought back if it is killed, stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mainspring.core.errors import Conflict, Unavailable
from mainspring.core.home import Home, RunningServer
from mainspring.core.settings import clean_environment
from mainspring.demo.story import Story
from mainspring.deployment.process import free_port

START_S = 30.0
PATIENCE_S = 10.0
"""How long somebody else has to bring a killed server back before the demo does it."""


class Stage:
    """A home and the server on it."""

    def __init__(self, home: Path | None, port: int | None, story: Story) -> None:
        self._temporary = home is None
        folder = home or Path(tempfile.mkdtemp(prefix="mainspring-demo-"))
        if home is not None and (home / "token").exists():
            raise Conflict(
                f"the home {home.absolute()} is in use already; the demo wants a fresh one",
                field="home",
                fix="take another --home, or none: the demo then makes one of its own",
            )
        self.home = Home(folder)
        self.port = port or free_port()
        self._story = story
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the server answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server and wait till it answers."""
        self.home.folder.mkdir(parents=True, exist_ok=True)
        with (self.home.folder / "server.log").open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter, our own module
                [
                    *(sys.executable, "-m", "mainspring", "up"),
                    *("--home", str(self.home.folder), "--port", str(self.port)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=clean_environment(),
            )
        deadline = time.monotonic() + START_S
        while self._running() is None:
            ended = self._process.poll()
            if ended is not None and ended < 0:  # killed before it had answered once
                self.bring_back()
                return
            if ended is not None or time.monotonic() > deadline:
                raise Unavailable(
                    f"the demo's server did not start; see {self.home.folder / 'server.log'}"
                )
            time.sleep(0.02)

    def _running(self) -> RunningServer | None:
        return self.home.server()

    def bring_back(self) -> None:
        """Wait for a server that was killed; start it again if nobody else does."""
        if self._running() is not None:
            return
        if self._process is not None:
            self._process.poll()
        self._story.tell(
            f"  the server is gone; waiting for `mainspring up --home {self.home.folder} "
            f"--port {self.port}`, or starting it in {PATIENCE_S:.0f} s"
        )
        deadline = time.monotonic() + PATIENCE_S
        while self._running() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        if self._running() is None:
            self.start()
        self._story.tell("  the server is back; the loop goes on")

    def stop(self) -> None:
        """Stop the server, and forget a home that was only lent."""
        server = self._running()
        if server is not None:
            os.kill(server.pid, signal.SIGTERM)
            deadline = time.monotonic() + START_S
            while self.home.is_locked() and time.monotonic() < deadline:
                if self._process is not None:
                    self._process.poll()
                time.sleep(0.05)
        if self._temporary:
            shutil.rmtree(self.home.folder, ignore_errors=True)
