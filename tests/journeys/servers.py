"""`mainspring up` on one home and port, however often it goes away."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.house import wait_until


class Server:
    """A server that is started, killed and started again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """The token of the home's owner."""
        return (self.home / "token").read_text().strip()

    def start(self) -> None:
        """Start it and wait until it answers."""
        words = ["up", "--home", str(self.home), "--port", str(self.port)]
        plain = {name: value for name, value in os.environ.items() if "MAINSPRING" not in name}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mainspring", *words],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=plain,
        )  # fmt: skip
        wait_until(self._answers, within_s=30)

    def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
