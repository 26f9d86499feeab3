"""A server on cores of its own, with every process that it starts: CPU time, memory, end. Part of serving.py.

Whoever uses this has called `adopt_orphans` and has no other children while a server ends.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.servers import await_answer, cpu_s_of, free_port, pss_mb_of, tree
from benchmarks.serving_peers import Place, Side, environment

STOP_S = 60.0
ORPHANS_S = 15.0
ENDED_WELL = (0, -signal.SIGTERM)


class TrialFailed(Exception):
    """A server did not start, answer or end as it should; says how."""


class Server:
    """One server that answers."""

    def __init__(self, side: Side, place: Place, process: subprocess.Popen[bytes]) -> None:
        self.side = side
        self.place = place
        self.start_s = 0.0
        self._process = process

    def cpu_s(self, load: int | None = None) -> float:
        """The CPU time so far of everything that runs below this process, save the load."""
        return cpu_s_of(pid for pid in tree(os.getpid())[1:] if pid != load)

    def pss_mb(self) -> float:
        """The memory of the same, while there is no load."""
        return pss_mb_of(tree(os.getpid())[1:])

    def end(self) -> float:
        """Ask it to stop and wait for all its processes; the CPU seconds of its whole life."""
        before = _reaped_s()
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise TrialFailed(f"{self.side.title} did not stop within {STOP_S} s") from None
        _await_orphans()
        if code not in ENDED_WELL:
            raise TrialFailed(f"{self.side.title} ended with {code}:\n{self.said()}")
        return _reaped_s() - before

    def said(self) -> str:
        """The end of what it wrote."""
        return (self.place.folder / "server.log").read_text(errors="replace")[-4000:]


def _reaped_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _await_orphans() -> None:
    """Wait for what outlived the server; what does not end by itself is ended."""
    deadline = time.monotonic() + ORPHANS_S
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if ended == 0:
            if time.monotonic() > deadline:
                _kill_all()
            time.sleep(0.005)


def _kill_all() -> None:
    for pid in tree(os.getpid())[1:]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


@contextmanager
def served(side: Side, folder: Path, models: Path, cores: Collection[int]) -> Iterator[Server]:
    """Start it and wait until its model can be called."""
    place = Place(folder, models, free_port(), free_port(), free_port())
    command = side.command(place)
    own = os.sched_getaffinity(0)
    with (folder / "server.log").open("wb") as log:
        os.sched_setaffinity(0, cores)  # the child inherits it
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, env=environment(place)
        )
        os.sched_setaffinity(0, own)
    server = Server(side, place, process)
    try:
        try:
            await_answer(process, place.port, side.ready)
        except SystemExit as error:
            raise TrialFailed(str(error)) from None
        server.start_s = time.perf_counter() - began
        yield server
    except BaseException:
        print(f"{side.title} wrote:\n{server.said()}", file=sys.stderr)
        raise
    finally:
        if process.returncode is None:
            _kill_all()
            process.wait(STOP_S)
            _await_orphans()
