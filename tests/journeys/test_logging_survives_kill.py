"""Four clients log while the server is killed twenty times: what was acknowledged is there, once."""

from __future__ import annotations

import http.client
import json
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

API = "/api/2.0/mlflow"
ROUNDS = 20
CLIENTS = 4
BATCH = 40
BASE_MS = 1_700_000_000_000


class Server:
    """`mainspring up` on one home and port, however often it is killed."""

    def __init__(self, home: Path) -> None:
        self._home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        words = ["up", "--home", str(self._home), "--port", str(self.port)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mainspring", *words], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while ask(self.port, "GET", "/health") is None:
            assert time.monotonic() < deadline, "the server does not come up"
            threading.Event().wait(0.02)

    def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)


def ask(port: int, method: str, path: str, body: Any = None) -> tuple[int, Any] | None:
    """One request on a connection of its own; None if nobody answered it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class Logger(threading.Thread):
    """A client that sends each thing until it is acknowledged, as MLflow's own does."""

    def __init__(self, port: int, run: str, number: int) -> None:
        super().__init__(daemon=True)
        self.run_id = run
        self.sent: dict[int, float] = {}
        self.params: dict[str, str] = {}
        self.refused: list[Any] = []
        self.ending = threading.Event()
        self._port = port
        self._random = random.Random(number)

    def run(self) -> None:
        """Log values one by one and in batches, parameters, tags."""
        step = 0
        while not self.ending.is_set():
            value = self._random.random()
            one = {"key": "loss", "value": value, "timestamp": BASE_MS + step, "step": step}
            self._send("log-metric", {"run_id": self.run_id, **one})
            self.sent[step] = value
            step += 1
            points = [(step + place, self._random.random()) for place in range(BATCH)]
            metrics = [
                {"key": "loss", "value": value, "timestamp": BASE_MS + at, "step": at}
                for at, value in points
            ]
            param = {"key": f"p{step}", "value": str(step)}
            self._send("log-batch", {"run_id": self.run_id, "metrics": metrics, "params": [param]})
            self.sent.update(points)
            self.params[param["key"]] = param["value"]
            step += BATCH

    def _send(self, what: str, body: dict[str, Any]) -> None:
        while True:
            answer = ask(self._port, "POST", f"{API}/runs/{what}", body)
            if answer is not None and answer[0] == 200:
                return
            if answer is not None and answer[0] != 503:
                self.refused.append(answer)
                return
            if self.ending.wait(0.01):
                raise SystemExit


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server, killed at the end once more."""
    made = Server(tmp_path / "home")
    made.start()
    yield made
    made.kill()


@pytest.mark.journey
@pytest.mark.timeout(300)
def test_what_was_acknowledged_is_there_once(server: Server) -> None:
    loggers = []
    for number in range(CLIENTS):
        opened = ask(server.port, "POST", f"{API}/runs/create", {"experiment_id": "0"})
        assert opened is not None
        loggers.append(Logger(server.port, opened[1]["run"]["info"]["run_id"], number))
    for logger in loggers:
        logger.start()

    moments = random.Random(11)
    for _ in range(ROUNDS):
        threading.Event().wait(moments.uniform(0.05, 0.4))
        server.kill()
        server.start()
    threading.Event().wait(0.2)
    for logger in loggers:
        logger.ending.set()
    for logger in loggers:
        logger.join(30)

    for logger in loggers:
        assert logger.refused == []
        assert len(logger.sent) > BATCH
        stored = history(server.port, logger.run_id)
        once = dict(stored)
        assert len(once) == len(stored), "a point is there twice"
        lost = {step for step, value in logger.sent.items() if once.get(step) != value}
        assert lost == set()
        # What was sent last may have been written without anybody hearing of it; no more than that.
        assert len(stored) - len(logger.sent) in range(BATCH + 2)
        found = ask(server.port, "GET", f"{API}/runs/get?run_id={logger.run_id}")
        assert found is not None
        params = {one["key"]: one["value"] for one in found[1]["run"]["data"]["params"]}
        assert logger.params.items() <= params.items()


def history(port: int, run: str) -> list[tuple[int, float]]:
    """Every point that is stored, with its step."""
    answer = ask(port, "GET", f"{API}/metrics/get-history?run_id={run}&metric_key=loss")
    assert answer is not None
    return [(one["step"], one["value"]) for one in answer[1]["metrics"]]
