"""The demo goes on, and loses and doubles nothing, whatever of it is killed at whatever moment."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mainspring.administration import contract as administration
from mainspring.administration.contract import ListEvents, Nothing
from mainspring.core.home import Home
from mainspring.interfaces.sdk.client import Client
from mainspring.tracking import contract as tracking
from mainspring.tracking.contract import ListRuns

pytestmark = pytest.mark.slow

KILLS = 16
DAYS = 66
"""Long enough for the first alert, at the end of April, and the retraining that it starts."""
SEED = int(os.environ.get("MAINSPRING_TEST_SEED", str(random.SystemRandom().randrange(10**6))))
VICTIMS = ("server", "server", "model", "worker", "training")


def _processes(home: Path) -> dict[str, list[psutil.Process]]:
    """The demo's processes by what they are."""
    marks = {"up": "server", "mainspring.serving": "model", "mainspring.worker": "worker"}
    found: dict[str, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        try:
            words, parent = process.cmdline(), process.parent()
            kind = next((marks[word] for word in words if word in marks), None)
            near = [*words, *(parent.cmdline() if parent else [])]
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if kind is not None and any(str(home) in word for word in near):
            found.setdefault(kind, []).append(process)
    return found


class Killer:
    """Kills one process after the other, and brings back what nobody else brings back."""

    def __init__(self, home: Path, port: int) -> None:
        self.kills: Counter[str] = Counter()
        self._home = home
        self._port = port
        self._random = random.Random(SEED)
        self._servers: list[subprocess.Popen[bytes]] = []

    def strike(self) -> None:
        """Kill a random process of a random kind, if there is one now."""
        alive = _processes(self._home)
        kind = self._random.choice(VICTIMS)
        # At first there is nothing but a server: some kills are left for what it starts later.
        if kind == "server" and self.kills["server"] >= KILLS * 2 // 3:
            return
        # Both lanes run the same module: a training is one of the workers.
        found = alive.get("worker" if kind == "training" else kind)
        if not found:
            return
        victim = self._random.choice(found)
        try:
            victim.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            return
        self.kills["worker" if kind == "training" else kind] += 1
        if kind == "server":
            psutil.wait_procs([victim], timeout=10)
            self.start_server()

    def start_server(self) -> None:
        """`mainspring up`, as a person would type it."""
        command = [sys.executable, "-m", "mainspring", "up"]
        with (self._home / "up.log").open("ab") as output:
            self._servers.append(
                subprocess.Popen(
                    [*command, "--home", str(self._home), "--port", str(self._port)],
                    stdout=output,
                    stderr=output,
                )
            )

    def end(self) -> None:
        """Leave nothing behind."""
        for processes in _processes(self._home).values():
            for process in processes:
                process.kill()
        for server in self._servers:
            server.wait(10)


@pytest.fixture
def port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def killer(tmp_path: Path, port: int) -> Iterator[Killer]:
    """A killer that cleans up."""
    found = Killer(tmp_path / "home", port)
    yield found
    found.end()


def _play(home: Path, port: int, killer: Killer) -> dict[str, Any]:
    """Play the demo while the killer strikes; answers its result."""
    chance = random.Random(SEED + 1)
    command = [sys.executable, "-m", "mainspring", "demo", "--home", str(home), "--port", str(port)]
    with subprocess.Popen(
        [*command, "--days", str(DAYS), "--speed", "3", "--json", "--keep", "--quiet"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        pause = 1.0
        while True:
            try:
                output, errors = demo.communicate(timeout=pause)
            except subprocess.TimeoutExpired:
                pause = chance.uniform(0.1, 1.6)
                # Not for ever: a training that is killed each time is given up, and rightly so.
                if (home / "token").exists() and killer.kills.total() < KILLS + 4:
                    killer.strike()
                continue
            assert demo.returncode == 0, f"seed {SEED}: {errors}"
            found: dict[str, Any] = json.loads(output.splitlines()[0])
            return found


@pytest.mark.journey
@pytest.mark.timeout(480)
def test_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path, port: int, killer: Killer) -> None:
    home = tmp_path / "home"

    result = _play(home, port, killer)

    told = f"seed {SEED}, kills {dict(killer.kills)}"
    assert killer.kills.total() >= KILLS, told
    assert {"server", "model", "worker"} <= killer.kills.keys(), told
    assert result["lost"] == 0, told
    assert result["predictions"] == result["labels_joined"] == result["flights"], told
    assert result["versions"] >= 2, told
    _settled(home, told)


def _settled(home: Path, told: str) -> None:
    """No run is open for ever, each decision was made once, and the log of events holds."""
    deadline = time.monotonic() + 30
    while Home(home).server() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    client = Client(home=home)
    runs = client.call(tracking.list_runs, ListRuns(limit=1000)).items
    assert [run.id for run in runs if run.status == "running"] == [], told
    assert client.call(administration.verify_events, Nothing()).first_bad is None, told
    request = ListEvents(kind="version.promoted", limit=1000)
    promoted = [one.subject for one in client.call(administration.list_events, request).items]
    assert len(promoted) == len(set(promoted)), told
    client.close()
