"""The processes of a run are measured, and the machine where nobody counts by process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.recording.gauges import Gauges
from tests.house import wait_until

BUSY = """
import sys
held = bytearray(80 * 2**20)
held[::4096] = b"x" * len(held[::4096])
print("ready", flush=True)
while True:
    sum(range(1000))
"""
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {BUSY!r}])
child.wait()
"""


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing but start another one, which computes and holds 80 MB."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield process
    os.killpg(process.pid, 9)
    process.stdout.close()
    process.wait()


def test_this_process_is_measured() -> None:
    gauges = Gauges()
    wait_until(lambda: sum(range(100_000)) > 0 and "system/cpu_percent" in gauges.read())

    found = gauges.read()

    assert {
        "system/memory_mb", "system/memory_percent", "system/disk_read_mb", "system/disk_write_mb",
        "system/network_sent_mb", "system/network_received_mb",
    } <= set(found)  # fmt: skip
    assert 10 < found["system/memory_mb"] < 10_000
    assert 0 < found["system/memory_percent"] < 100


def test_what_a_process_started_counts(busy: subprocess.Popen[bytes]) -> None:
    gauges, alone = Gauges(busy.pid), Gauges(busy.pid, children=False)
    shares: list[float] = []

    def is_busy() -> bool:
        shares.append(gauges.read().get("system/cpu_percent", 0.0))
        return shares[-1] > 20

    wait_until(is_busy)

    assert gauges.read()["system/memory_mb"] > 80
    assert alone.read()["system/memory_mb"] < 80


def test_work_of_children_that_have_ended_is_not_lost() -> None:
    gauges = Gauges()
    burn = "n = sum(i * i for i in range(3_000_000))"
    shares = []

    for _ in range(3):
        subprocess.run([sys.executable, "-c", burn], check=True)
        shares.append(gauges.read()["system/cpu_percent"])

    assert max(shares) > 30
    assert min(shares) >= 0


def test_what_is_written_is_counted_from_the_beginning(tmp_path: Path) -> None:
    gauges = Gauges()
    before = gauges.read()["system/disk_write_mb"]
    with (tmp_path / "file").open("wb") as file:
        file.write(os.urandom(4 * 2**20))
        file.flush()
        os.fsync(file.fileno())

    assert gauges.read()["system/disk_write_mb"] >= before


def test_nothing_is_said_of_a_process_that_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    gauges = Gauges(process.pid)
    assert gauges.read()

    process.communicate(b"\n")

    assert gauges.read() == {}
    assert Gauges(process.pid).read() == {}
