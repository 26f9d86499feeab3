"""The servers that a benchmark compares: started, watched, ended."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers, with everything that it started."""

    port: int
    pid: int
    start_s: float

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def cpu_s(self) -> float:
        """The CPU time of the whole process tree so far, in seconds."""
        return cpu_s_of(tree(self.pid))

    def pss_mb(self) -> float:
        """The summed PSS of the process tree."""
        return pss_mb_of(tree(self.pid))


def cpu_s_of(pids: Iterable[int]) -> float:
    """The CPU time of these processes, and of the children that they have waited for, in seconds."""
    found = (_stat(pid) for pid in pids)
    return sum(sum(map(int, fields[11:15])) for fields in found if fields) / TICK


def pss_mb_of(pids: Iterable[int]) -> float:
    """The summed PSS of these processes."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def tree(root: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and (fields := _stat(int(place.name))):
            children.setdefault(int(fields[1]), []).append(int(place.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, folder: Path, health: str) -> Iterator[RunningServer]:
    """Start a server, wait until it answers, end it with all its children."""
    began = time.perf_counter()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        await_answer(process, port, health)
        yield RunningServer(port, process.pid, time.perf_counter() - began)
    finally:
        below = tree(process.pid)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
        for pid in below:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def await_answer(process: subprocess.Popen[bytes], port: int, health: str) -> None:
    """Ask until the answer is 200."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended with {process.returncode} before it answered")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", health)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.01)
    raise SystemExit(f"{process.args!r} did not answer within {PATIENCE_S} s")


def mainspring_command(home: Path, port: int, database: str | None = None) -> list[str]:
    """Ours, as anybody starts it."""
    command = [sys.executable, "-m", "mainspring", "up", "--home", str(home), "--port", str(port)]
    return command if database is None else [*command, "--database", database]


def mlflow_command(python: Path, port: int) -> list[str]:
    """The peer with its defaults: SQLite in the working folder, four workers."""
    return [str(python.with_name("mlflow")), "server", "--host", "127.0.0.1", "--port", str(port)]
