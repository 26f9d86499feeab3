"""The leader of a data plane: it keeps its processes alive and does nothing else.

It holds the listening socket, so that connections wait there while a process is replaced.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mainspring.core.settings import clean_environment
from mainspring.serving.compacting import Compactor
from mainspring.serving.heartbeat import STARTING, STUCK, Heartbeats
from mainspring.serving.snapshot import Snapshot

DRAIN_SECONDS = 25.0
"""From SIGTERM to SIGKILL: hosts kill after 30."""
END_SECONDS = 29.0
"""From SIGTERM until the log is compacted, or is left for the next start to compact."""
LOOK_SECONDS = 0.1
SILENT_SECONDS = 1.2
"""An event loop that gives no sign for so long hangs, unless it lacks the processor."""
STARVED_SECONDS = 10.0
STOPPED_SECONDS, STOPPED = 0.4, "tT"
"""A process that was stopped by a signal or a debugger will not go on by itself."""
LOAD_SECONDS = 300.0
"""A process that is not ready after so long is replaced too."""
BACKOFF_SECONDS = (0.0, 0.0, 1.0, 2.0, 5.0, 15.0, 30.0)
STEADY_SECONDS = 3.0
"""A process that was ready, and lived this long, has a successor at once."""
KEPT_RESTARTS = 100
MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(4 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(16 * 2**20)}
"""What the C library keeps for the next batch: having the kernel clear the same pages for each one costs a
third of the time where batches are some hundred kilobytes."""


class Restart(msgspec.Struct, frozen=True, kw_only=True):
    """A process that was replaced."""

    number: int
    """How many were replaced before it."""
    at: int
    """Microseconds UTC."""
    worker: int
    reason: str


class GroupState(msgspec.Struct, kw_only=True):
    """What the leader tells its launcher, in a file beside the snapshot."""

    nonce: str
    leader: int
    run: str
    workers: list[int] = []
    restarts: list[Restart] = []


@dataclass(slots=True)
class _Place:
    """One of the processes that there should be."""

    number: int
    slot: int = -1
    """Where it gives its signs of life."""
    child: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    not_before: float = 0.0
    deaths: int = 0
    was_ready: bool = False
    turns: tuple[float, float, str] = (0.0, 0.0, "")
    """What `_turns` said when it last gave a sign."""
    leaving: list[subprocess.Popen[bytes]] = field(default_factory=list)


class Group:
    """The processes of one data plane."""

    def __init__(self, path: Path, snapshot: Snapshot, listener: socket.socket) -> None:
        self._path = path
        self._snapshot = snapshot
        self._listener = listener
        self._file = Heartbeats.made(2 * snapshot.workers)
        self._beats = Heartbeats(self._file, 2 * snapshot.workers)
        self._places = [_Place(number) for number in range(snapshot.workers)]
        self._state_path = path.with_name("group.json")
        self._remove_earlier_run()
        self._state = GroupState(
            nonce=snapshot.nonce, leader=os.getpid(), run=tempfile.mkdtemp(prefix="mainspring-")
        )
        self._compactor = Compactor(snapshot.log)
        self._replaced = 0
        self._is_told = self._is_state_due = False

    def run(self) -> int:
        """Keep the processes alive until SIGTERM or SIGINT; the exit code."""
        awaited = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
        try:
            while True:
                code = self._look()
                if code is not None:
                    return code
                found = signal.sigtimedwait(awaited, LOOK_SECONDS)
                if found is not None and found.si_signo != signal.SIGCHLD:
                    return 0
        finally:
            self._end()
            shutil.rmtree(self._state.run, ignore_errors=True)

    def _look(self) -> int | None:
        """Replace what is dead or hangs; an exit code if it can't even be started."""
        now = time.monotonic()
        for place in self._places:
            child = place.child
            if child is not None:
                code = child.poll()
                if code is not None:
                    if not self._is_told and not self._is_any_ready():
                        return code if code > 0 else 1
                    self._lost(place, _reason(code), now)
                elif (reason := self._hanging(place, child, now)) is not None:
                    place.leaving.append(child)
                    child.terminate()
                    self._lost(place, reason, now)
            if place.child is None and now >= place.not_before:
                self._start(place, now)
            self._send_off(place, now)
        self._tell_when_ready()
        self._tell_what_is_due()
        self._compactor.look(now)
        return None

    def _start(self, place: _Place, now: float) -> None:
        # Its predecessor may still give signs of its own.
        place.slot = (
            place.number if place.slot != place.number else place.number + self._snapshot.workers
        )
        self._beats.beat(place.slot, STARTING)
        os.set_inheritable(self._listener.fileno(), True)
        place.child = subprocess.Popen(  # noqa: S603  our own interpreter, our own module
            [
                *(sys.executable, "-m", "mainspring.serving.worker"),
                *("--snapshot", str(self._path), "--run", self._state.run),
                *("--number", str(place.number), "--listener", str(self._listener.fileno())),
                *("--heartbeats", str(self._file), "--slot", str(place.slot)),
            ],
            stdin=subprocess.DEVNULL,
            pass_fds=(self._listener.fileno(), self._file),
            # gRPC writes to stderr what its callers are told already.
            env=clean_environment(OMP_NUM_THREADS="1", GRPC_VERBOSITY="NONE", **MEMORY),
        )
        place.started_at, place.was_ready = now, False
        self._write_state()

    def _lost(self, place: _Place, reason: str, now: float) -> None:
        lived = place.was_ready and now - place.started_at > STEADY_SECONDS
        place.deaths = 1 if lived else place.deaths + 1
        place.not_before = now + BACKOFF_SECONDS[min(place.deaths, len(BACKOFF_SECONDS)) - 1]
        place.child = None
        restart = Restart(
            number=self._replaced,
            at=time.time_ns() // 1000,
            worker=place.number,
            reason=reason,
        )
        self._replaced += 1
        self._state.restarts = [*self._state.restarts, restart][-KEPT_RESTARTS:]
        self._write_state()
        with contextlib.suppress(OSError):
            sys.stderr.write(f"mainspring.serving: process {place.number} is replaced: {reason}\n")

    def _hanging(self, place: _Place, child: subprocess.Popen[bytes], now: float) -> str | None:
        at, state, text = self._beats.read(place.slot)
        silent = now - at
        if silent < 2 * LOOK_SECONDS:
            place.turns = _turns(child.pid)
        if state == STARTING:
            return f"it was not ready after {silent:.0f} s" if silent > LOAD_SECONDS else None
        place.was_ready = True
        if state == STUCK:
            return text
        if silent < STOPPED_SECONDS:
            return None
        turns = _turns(child.pid)
        if turns[2] in STOPPED:
            return f"it was stopped {silent:.1f} s ago"
        if silent < SILENT_SECONDS or (
            silent < STARVED_SECONDS and _is_starved(place.turns, turns, silent)
        ):
            return None
        return f"it gave no sign of life for {silent:.1f} s"

    def _send_off(self, place: _Place, now: float) -> None:
        """A hanging process may finish what it can while its successor starts, and no longer."""
        for child in list(place.leaving):
            if child.poll() is not None:
                place.leaving.remove(child)
            elif now - place.started_at > SILENT_SECONDS or place.child is None:
                child.kill()

    def _is_any_ready(self) -> bool:
        """Whether one that lives, or lived, can load what it is to serve: the others can too."""
        return any(
            place.was_ready
            or (place.child is not None and self._beats.read(place.slot)[1] != STARTING)
            for place in self._places
        )

    def _tell_when_ready(self) -> None:
        if self._is_told or not all(
            self._beats.read(place.slot)[1] != STARTING for place in self._places
        ):
            return
        self._is_told = True
        snapshot = self._snapshot
        host = f"[{snapshot.host}]" if ":" in snapshot.host else snapshot.host
        grpc = f" and grpc://{host}:{snapshot.grpc_port}" if snapshot.grpc_port else ""
        sys.stdout.write(f"serving {snapshot.deployment} on http://{host}:{snapshot.port}{grpc}\n")
        sys.stdout.flush()

    def _write_state(self) -> None:
        self._state.workers = [place.child.pid for place in self._places if place.child is not None]
        aside = self._state_path.with_suffix(".part")
        try:
            aside.write_bytes(msgspec.json.encode(self._state))
            aside.replace(self._state_path)
        except OSError:
            # On a full disk processes are replaced all the same; it is told when there is room.
            self._is_state_due = True
        else:
            self._is_state_due = False

    def _tell_what_is_due(self) -> None:
        if self._is_state_due:
            self._write_state()

    def _remove_earlier_run(self) -> None:
        """A leader that was killed leaves the folder of its sockets behind."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            earlier = read_state(self._path)
            shutil.rmtree(earlier.run, ignore_errors=True)

    def _end(self) -> None:
        """Let the processes finish their requests, and be gone with the last of them."""
        self._listener.close()
        children = [place.child for place in self._places if place.child is not None]
        children += [child for place in self._places for child in place.leaving]
        for child in children:
            child.terminate()
        began = time.monotonic()
        for child in children:
            try:
                child.wait(max(0.0, began + DRAIN_SECONDS - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._compactor.finish(began + END_SECONDS)


def read_state(snapshot: Path) -> GroupState:
    """What the leader of the data plane with that snapshot last told."""
    return msgspec.json.decode(snapshot.with_name("group.json").read_bytes(), type=GroupState)


def _reason(code: int) -> str:
    if code < 0:
        known = {member.value: member.name for member in signal.Signals}
        return f"it was ended by {known.get(-code, f'signal {-code}')}"
    return f"it ended with exit code {code}"


def _is_starved(
    before: tuple[float, float, str], now: tuple[float, float, str], seconds: float
) -> bool:
    """Whether a silent process waited for the processor, or a disk, and is not to blame."""
    return now[2] == "D" or now[1] - before[1] > seconds / 4


def _turns(pid: int) -> tuple[float, float, str]:
    """The seconds that a process has run and has waited to run, and the letter of its state.

    From /proc/PID/schedstat and stat; Linux's documentation of sched-stats says what they count.
    """
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    except (OSError, ValueError, IndexError):
        return 0.0, 0.0, ""
    return int(ran) / 1e9, int(waited) / 1e9, state
