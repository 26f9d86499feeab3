"""One trial of one tracking client: a folder, a process and all that it starts. Part of client.py."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.servers import RunningServer, free_port, mainspring_command, running

HERE = Path(__file__).parent
CACHE = HERE.parent / ".cache" / "bench-client"
OURS = "mainspring"
LIMIT_S = 300
ORPHANS_S = 15.0
"""How long processes that a client started may live on after its own."""
PR_SET_CHILD_SUBREAPER = 36
FOREIGN = ("MAINSPRING", "WANDB", "TRACKIO", "AIM_", "MLFLOW", "GIT_")
GIT = ["git", "-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"]

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Side:
    """A client as it is used, and how many calls of it are timed."""

    title: str
    peer: str
    """Its name in client_peers.py."""
    package: str
    calls: int
    server: Literal["none", "up", "away"] = "none"
    """Whether a server runs on the home, or one is configured that does not answer."""


def python_of(package: str) -> Path | str:
    """The Python that has the client, which is installed if need be; or why there is none."""
    if package == OURS:
        return Path(sys.executable)
    folder = CACHE / package
    python = folder / "bin" / "python"
    if (folder / "installed").exists():
        return python
    CACHE.mkdir(parents=True, exist_ok=True)
    uv = str(Path(sys.executable).with_name("uv"))
    make = [uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)]
    install = [uv, "pip", "install", "-q", "--python", str(python), "--upgrade", package]
    for command in (make, install, [str(python), "-c", f"import {package}"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = " ".join(done.stderr.split())
            return f"left out, as it cannot be installed: {said[:200]}"
    (folder / "installed").touch()
    return python


def version_of(package: str, python: Path) -> str:
    """The release of the client."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def adopt_orphans() -> None:
    """Have what outlives its parent become our child: its CPU time counts, and it can be ended."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this machine cannot count the CPU time of orphans")


class Trial:
    """One client's folder: a git repository with the training script, and a home of its own."""

    def __init__(self, side: Side, python: Path, folder: Path) -> None:
        self._side = side
        self._python = python
        self._folder = folder
        self._port = free_port()
        self._server: RunningServer | None = None
        self._train, self._home = folder / "train", folder / "home"
        self._train.mkdir()
        self._home.mkdir()
        (self._train / "train.py").write_bytes((HERE / "client_peers.py").read_bytes())
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "training"]):
            subprocess.run([*GIT, *words], cwd=self._train, check=True)

    def cost(self, calls: int, rounds: int) -> Figures:
        """What calls cost; and how many steps are lost or doubled although the run has ended."""
        with self._meanwhile():
            figures = self._ran("cost", calls, rounds)
        figures["bytes"] = self._bytes()
        if self._side.package:
            found = self._count()
            figures |= {"lost": calls + 1 - found["kept"], "doubled": found["doubled"]}
        return figures

    def kill(self, calls: int) -> Figures:
        """How many steps can be read back after a kill."""
        with self._meanwhile():
            self._ran("kill", calls)
        return self._count()

    def _count(self) -> Figures:
        if self._side.server != "away":
            return self._ran("count")
        with self._serving(self._folder / "server"):
            return self._ran("count")

    @contextmanager
    def _meanwhile(self) -> Iterator[None]:
        """The server of the home runs; or one has answered once, and does no longer."""
        if self._side.server == "up":
            with self._serving(self._ours):
                yield
        else:
            if self._side.server == "away":
                with self._serving(self._folder / "server"):
                    pass
            yield

    @contextmanager
    def _serving(self, home: Path) -> Iterator[None]:
        command = mainspring_command(home, self._port)
        with running(command, self._port, self._folder, "/health") as self._server:
            yield
        self._server = None

    @property
    def _ours(self) -> Path:
        return self._home / "mainspring"

    def _environment(self) -> dict[str, str]:
        """No setting of the person who measures, no telemetry."""
        plain = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
        found = {
            **plain,
            "HOME": str(self._home),
            "DO_NOT_TRACK": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "WANDB_MODE": "offline",
            "TRACKIO_DIR": str(self._home / "trackio"),
            "MAINSPRING_HOME": str(self._ours),
        }
        if self._side.server == "away":
            token = (self._folder / "server" / "token").read_text().strip()
            found["MAINSPRING_URL"] = f"http://127.0.0.1:{self._port}"
            found["MAINSPRING_TOKEN"] = token
        return found

    def _ran(self, task: str, *numbers: int) -> Figures:
        """Run the script, wait for all that it started; answers what it said, and its CPU time."""
        command = [str(self._python), "train.py", task, self._side.peer, *map(str, numbers)]
        log = self._folder / f"{task}.log"
        before = self._cpu_s()
        with log.open("wb") as output:
            done = subprocess.run(
                command, cwd=self._train, env=self._environment(), stdout=output,
                stderr=output, check=False, timeout=LIMIT_S,
            )  # fmt: skip
        self._await_orphans()
        ended = time.monotonic()
        if done.returncode != (-signal.SIGKILL if task == "kill" else 0):
            text = log.read_text(errors="replace")[-4000:]
            sys.exit(
                f"{self._side.title}: {' '.join(command)} ended with {done.returncode}\n{text}"
            )
        if task == "kill":
            return {}
        answer = self._train / "answer.json"
        found: Figures = json.loads(answer.read_text())
        answer.unlink()
        found["cpu_s"] = self._cpu_s() - before
        if task == "cost":
            found["finish_s"] = ended - found.pop("last_at")
        return found

    def _cpu_s(self) -> float:
        """CPU seconds so far of all processes that have ended, and of the server."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime + (self._server.cpu_s() if self._server else 0)

    def _await_orphans(self) -> None:
        deadline = time.monotonic() + ORPHANS_S
        while orphans := [
            pid for pid in _children() if not self._server or pid != self._server.pid
        ]:
            for pid in orphans:
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.005)

    def _bytes(self) -> int:
        """What it has left on the disk."""
        found = [*self._train.rglob("*"), *self._home.rglob("*")]
        kept = [path for path in found if path.is_file() and ".git" not in path.parts]
        return sum(path.stat().st_size for path in kept)


def _children() -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            yield int(stat.parent.name)


@contextmanager
def trial(side: Side, python: Path) -> Iterator[Trial]:
    """A trial in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Trial(side, python, Path(folder))
