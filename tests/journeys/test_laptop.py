"""A laptop loses its server for an hour of training and is killed once in it: nothing is lost or doubled.

The hour is told in minutes: 3,600 steps, a second of training each, as fast as they can be logged.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.interfaces.sdk.client import Client
from mainspring.tracking import contract
from mainspring.tracking.contract import NameRun
from tests.house import wait_until
from tests.journeys.servers import Server
from tests.recording.lines import told

pytestmark = pytest.mark.slow

RUN = "0123456789abcdef0123456789abcdef"
HOUR = 3600
LEFT_AT, KILLED_AT, BACK_AT = 300, 1800, 3000
TRAINING = """
import sys, time
import mainspring as ms

run, first, resumed = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "again"
words = {"resume": run} if resumed else {"id": run, "name": "long", "config": {"rate": 0.1}}
with ms.run(**words) as training:
    for step in range(first, 3600):
        training.log({"loss": 1 / (step + 1), "machine": {"step": step}}, step=step)
        if step % 600 == 0:
            training.log_text(f"at {step}", f"checkpoints/{step}.txt")
        print(step, flush=True)
        sys.stdin.readline()  # the rest of this second
"""


class Laptop:
    """The training and its home, on the other side of a network from the server."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self.server = server
        self.step = -1
        self._process: subprocess.Popen[str] | None = None
        self._held = False

    def train(self, first: int, how: str) -> None:
        """Start training at a step."""
        self._held = False
        self._process = subprocess.Popen(
            [sys.executable, "-c", TRAINING, RUN, str(first), how],
            cwd=self.folder, env=self.environment(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        """What somebody sets who has a server elsewhere."""
        plain = {name: value for name, value in os.environ.items() if "MAINSPRING" not in name}
        place = {"MAINSPRING_HOME": str(self.folder / "home"), "HOME": str(self.folder)}
        way = {"MAINSPRING_URL": self.server.url, "MAINSPRING_TOKEN": self.server.token}
        return {**plain, **place, **way}

    def until(self, step: int) -> None:
        """Let it train until the call that logged the step has returned."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        while self.step < step:
            if self._held:
                self._process.stdin.write("\n")
                self._process.stdin.flush()
            line = self._process.stdout.readline()
            assert line, self._process.stderr.read() if self._process.stderr else ""
            # It waits now: killed here, it has logged nothing that was not told.
            self.step, self._held = int(line), True

    def kill(self) -> None:
        """`kill -9`, between two steps."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        rest, _ = self._process.communicate(timeout=20)
        self.step = max([self.step, *map(int, rest.split())])

    def ended(self) -> str:
        """Wait for the end; answers what it said on the standard error."""
        assert self._process is not None
        _, errors = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, errors
        return errors

    def close(self) -> None:
        """End it whatever happens."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that can be killed."""
    server = Server(tmp_path / "server")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def laptop(tmp_path: Path, server: Server) -> Iterator[Laptop]:
    """A training that can be killed."""
    laptop = Laptop(tmp_path, server)
    yield laptop
    laptop.close()


def arrived(server: Server) -> int:
    """How many steps the server knows."""
    client = Client(url=server.url, token=server.token)
    try:
        shown = client.call(contract.show_run, NameRun(run=RUN))
    except Exception:  # noqa: BLE001  it does not know the run yet
        return 0
    finally:
        client.close()
    return max((one.count for one in shown.metrics if one.key == "loss"), default=0)


@pytest.mark.timeout(180)
def test_a_laptop_that_loses_its_server_and_is_killed_loses_and_doubles_nothing(
    server: Server, laptop: Laptop
) -> None:
    laptop.train(0, "new")
    laptop.until(LEFT_AT)
    wait_until(lambda: arrived(server) > 0, within_s=30)

    server.kill()
    laptop.until(KILLED_AT)
    laptop.kill()
    laptop.train(laptop.step + 1, "again")
    laptop.until(BACK_AT)
    server.start()
    laptop.until(HOUR - 1)
    said = laptop.ended()
    synced = subprocess.run(
        [sys.executable, "-m", "mainspring", "sync"],
        env=laptop.environment(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert synced.returncode == 0, synced.stderr
    assert "Traceback" not in said + synced.stderr
    client = Client(url=server.url, token=server.token)
    found = told(client.files, RUN)
    client.close()
    assert found["points"] == {
        "loss": [(step, 1 / (step + 1)) for step in range(HOUR)],
        "machine/step": [(step, float(step)) for step in range(HOUR)],
    }
    assert (found["name"], found["status"], found["params"]) == (
        "long",
        "finished",
        {"rate": "0.1"},
    )
    kept = {path for path in found["artifacts"] if path.startswith("checkpoints/")}
    assert kept == {f"checkpoints/{step}.txt" for step in range(0, HOUR, 600)}
    spool = laptop.folder / "home" / "spool"
    assert [path.name for path in spool.iterdir()] == []
