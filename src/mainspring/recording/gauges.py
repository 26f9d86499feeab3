"""How busy the machine is with a run: processor, memory, disk, network, accelerators.

Of the processes of the run: processor, memory, disk. Of the machine, since nobody counts them by
process: network and accelerators.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from mainspring.recording.capture.accelerators import Accelerators
from mainspring.recording.capture.limits import limits
from mainspring.recording.records import MEASURED

MB = 2**20
MOST_PROCESSES = 256
SHORTEST_S = 0.05
"""Between two readings of the processor; less says nothing."""

UNMEASURABLE = (psutil.Error, OSError, ValueError)
"""What a machine answers that does not tell."""

log = logging.getLogger("mainspring.run")


class _Use(NamedTuple):
    """What processes have used so far, and the memory that they hold."""

    cpu_s: float = 0.0
    memory: int = 0
    read: int = 0
    written: int = 0

    def plus(self, other: _Use) -> _Use:
        """Both together."""
        return _Use(
            self.cpu_s + other.cpu_s,
            self.memory + other.memory,
            self.read + other.read,
            self.written + other.written,
        )


class _Beginning(NamedTuple):
    """What had been used before, and the memory that there is."""

    use: _Use
    network: tuple[int, int]
    room: int


class Gauges:
    """Measures a process and those that it started."""

    def __init__(self, pid: int | None = None, *, children: bool = True) -> None:
        self._pid = pid or os.getpid()
        self._children = children
        self._accelerators: Accelerators | None = None
        self._begun: _Beginning | None = None
        self._before: _Use | None = None
        self._at = time.monotonic()
        with suppress(*UNMEASURABLE):
            self._before = self._use()
            room = limits()["memory_limit_bytes"] or psutil.virtual_memory().total
            self._begun = _Beginning(self._before or _Use(), _network(), room)

    def read(self) -> dict[str, float]:
        """The values now, under `system/...`; nothing once the process has ended. Never raises."""
        try:
            found = self._measured(self._begun) if self._begun is not None else {}
        except UNMEASURABLE:
            log.debug("measuring process %d", self._pid, exc_info=True)
            return {}
        return {f"{MEASURED}{name}": round(value, 3) for name, value in found.items()}

    def _measured(self, begun: _Beginning) -> dict[str, float]:
        use, now = self._use(), time.monotonic()
        if use is None:
            return {}
        found = {
            "memory_mb": use.memory / MB,
            "memory_percent": 100 * use.memory / begun.room,
            "disk_read_mb": max(0, use.read - begun.use.read) / MB,
            "disk_write_mb": max(0, use.written - begun.use.written) / MB,
        }
        if self._before is not None and now - self._at >= SHORTEST_S:
            used = max(0.0, use.cpu_s - self._before.cpu_s)
            found["cpu_percent"] = 100 * used / (now - self._at)
            self._at, self._before = now, use
        sent, received = _network()
        found["network_sent_mb"] = max(0, sent - begun.network[0]) / MB
        found["network_received_mb"] = max(0, received - begun.network[1]) / MB
        # The library is asked for when it is first needed: here, beside the training.
        self._accelerators = self._accelerators or Accelerators()
        return found | self._accelerators.read()

    def _use(self) -> _Use | None:
        """What the whole tree uses; children that ended are counted in those that waited for them."""
        total = _Use()
        pids = _tree(self._pid) if self._children else [self._pid]
        alive = False
        for pid in pids[:MOST_PROCESSES]:
            one = _use_of(pid)
            if one is not None:
                alive = alive or pid == self._pid
                total = total.plus(one)
        return total if alive else None


def _use_of(pid: int) -> _Use | None:
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            times, memory = process.cpu_times(), process.memory_info().rss
    except psutil.Error:
        return None
    cpu_s = times.user + times.system + times.children_user + times.children_system
    try:
        counters = process.io_counters()
        return _Use(cpu_s, memory, counters.read_bytes, counters.write_bytes)
    except (psutil.Error, OSError, ValueError):  # of another user, or a kernel that does not count
        return _Use(cpu_s, memory)


def _tree(pid: int) -> list[int]:
    """The process and all below it, as the kernel lists them: reading every process takes too long."""
    found = [pid]
    for one in found:
        if len(found) >= MOST_PROCESSES:
            break
        try:
            tasks = list(Path(f"/proc/{one}/task").iterdir())
            texts = [(task / "children").read_text() for task in tasks]
        except FileNotFoundError:
            if Path(f"/proc/{one}").exists():
                return [pid, *_listed(pid)]  # a kernel without lists of children
            continue
        except OSError:
            continue
        found += [int(child) for text in texts for child in text.split()]
    return found


def _listed(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def _network() -> tuple[int, int]:
    """Bytes sent and received by the machine, but for what it says to itself."""
    cards = psutil.net_io_counters(pernic=True).items()
    others = [counted for name, counted in cards if name != "lo"]
    return sum(one.bytes_sent for one in others), sum(one.bytes_recv for one in others)
