"""Processes that are killed and disks that are full: what was acknowledged is in the log, once."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from mainspring.serving.compaction import CompactionLimits, compact
from mainspring.serving.log_files import log_files
from mainspring.serving.reserved import ids_of_rows

from .data_plane import INFER, Plane, row, served, until
from .logged import found, rows
from .test_durability import Hammer

pytestmark = pytest.mark.slow

EVERYTHING = CompactionLimits()
MS_NOSUID = 2
MNT_DETACH = 2


def _check(hammer: Hammer, counts: Counter[str]) -> None:
    """Acknowledged rows are there once; others are there once or not at all."""
    assert {counts[id_] for id_, _ in hammer.acknowledged} == {1}
    assert set(counts.values()) == {1}


def _more(hammer: Hammer, count: int) -> None:
    target = len(hammer.acknowledged) + count
    until(lambda: len(hammer.acknowledged) >= target)


@pytest.mark.parametrize("turn", range(3))
def test_a_killed_worker_of_two_under_load(tmp_path: Path, first_model: Path, turn: int) -> None:
    log: dict[str, object] = {"segment_rows": 150, "compact": True, "compact_seconds": 0.01}
    with Plane(tmp_path, [served(first_model)], log=log, workers=2) as plane:
        hammer = Hammer(plane, threads=8)
        _more(hammer, 200 + 77 * turn)
        victim = plane.workers()[turn % 2]
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(plane.workers()) == 2 and victim not in plane.workers())
        until(lambda: plane.infer(row()).status_code == 200)
        hammer.stop()
        _check(hammer, rows(plane.log_folder))

        assert plane.stop() == 0

    # Those connected to the other process noticed nothing.
    assert 0 < hammer.broken < 8
    assert hammer.refused == []
    files = log_files(plane.log_folder)
    assert (files.open, files.sealed) == ((), ())
    _check(hammer, rows(plane.log_folder))


@pytest.mark.parametrize("turn", range(3))
def test_a_killed_leader_under_load(tmp_path: Path, first_model: Path, turn: int) -> None:
    log: dict[str, object] = {"segment_rows": 150, "compact": True, "compact_seconds": 0.01}
    with Plane(tmp_path, [served(first_model)], log=log, workers=2) as plane:
        hammer = Hammer(plane, threads=8)
        _more(hammer, 200 + 77 * turn)
        workers = plane.workers()
        plane.stop(signal.SIGKILL)
        hammer.stop()
        until(lambda: not any(_lives(pid) for pid in workers))
        _check(hammer, _read(plane))

        plane.start()
        plane.client.post("/v2/models/tumour/infer", json=row(id="after"))
        assert plane.stop() == 0

    assert hammer.refused == []
    files = log_files(plane.log_folder)
    assert (files.open, files.sealed) == ((), ())
    _check(hammer, rows(plane.log_folder))
    assert "after" in found(plane.log_folder)


def _read(plane: Plane) -> Counter[str]:
    """The rows, while a compaction that outlived its leader may be at work."""
    while True:
        with contextlib.suppress(FileNotFoundError):
            return rows(plane.log_folder)


def _lives(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_all_is_parquet_once_a_data_plane_has_ended(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)], log={"compact": True}, workers=2) as plane:
        for number in range(10):
            assert plane.infer(row(id=str(number))).status_code == 200
        assert plane.stop() == 0
        assert {path.suffix for path in plane.log_folder.iterdir()} == {".parquet", ".lock"}
        assert plane.errors.read_text() == ""

    assert sorted(found(plane.log_folder)) == [str(number) for number in range(10)]


def test_segments_become_parquet_while_it_serves(tmp_path: Path, first_model: Path) -> None:
    log: dict[str, object] = {"compact": True, "compact_seconds": 0.01, "segment_seconds": 0.01}
    with Plane(tmp_path, [served(first_model)], log=log) as plane:
        plane.infer(row(id="r"))
        until(lambda: bool(list(plane.log_folder.glob("*.parquet"))))

        assert found(plane.log_folder) == ["r"]


def test_an_end_on_a_full_disk_leaves_the_segments(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)], log={"compact": True}) as plane:
        plane.infer(row(20, id="r"))
        assert plane.process is not None
        # Its compaction, which it starts last, inherits the limit; its workers run already.
        limit = (1000, resource.RLIM_INFINITY)
        resource.prlimit(plane.process.pid, resource.RLIMIT_FSIZE, limit)

        assert plane.stop() == 0
        (line,) = plane.errors.read_text().splitlines()

    assert "cannot be compacted: File too large" in line
    assert {path.suffix for path in plane.log_folder.iterdir()} == {".journal", ".lock"}
    assert rows(plane.log_folder) == dict.fromkeys(ids_of_rows("r", 20), 1)


def test_a_worker_that_dies_on_a_full_disk_is_replaced(tmp_path: Path, first_model: Path) -> None:
    room = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    with Plane(tmp_path, [served(first_model)]) as plane:
        assert plane.infer(row(id="before")).status_code == 200
        assert plane.process is not None
        # The new process inherits the limit: whatever either of them writes fails.
        full = (1, resource.RLIM_INFINITY)
        resource.prlimit(plane.process.pid, resource.RLIMIT_FSIZE, full)
        os.kill(plane.workers()[0], signal.SIGKILL)
        until(lambda: _answers(plane) == 503)

        resource.prlimit(plane.process.pid, resource.RLIMIT_FSIZE, room)
        until(lambda: len(plane.workers()) == 1 and _lives(plane.workers()[0]))
        resource.prlimit(plane.workers()[0], resource.RLIMIT_FSIZE, room)
        plane.client.close()
        plane.client = plane.caller()
        assert plane.infer(row(id="after")).status_code == 200

        assert rows(plane.log_folder) == {"before": 1, "after": 1}


def _answers(plane: Plane) -> int | None:
    """The status of a prediction, on a connection of its own; None if nobody answers."""
    with plane.caller() as caller, contextlib.suppress(httpx2.TransportError):
        return int(caller.post(INFER, json=row(id="refused")).status_code)
    return None


def test_without_the_setting_nothing_is_compacted(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)]) as plane:
        plane.infer(row())
        plane.stop()

        assert {path.suffix for path in plane.log_folder.iterdir()} == {".journal"}


def test_a_file_limit_under_load_loses_nothing_acknowledged(
    tmp_path: Path, first_model: Path
) -> None:
    with Plane(tmp_path, [served(first_model)]) as plane:
        plane.infer(row(id="first"))
        (worker,) = plane.workers()
        acknowledged = ["first"]
        refused: list[str] = []
        for limit in (resource.RLIM_INFINITY, 5000, resource.RLIM_INFINITY, 9000):
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            for _ in range(20):
                id_ = f"r{len(acknowledged) + len(refused)}"
                answer = plane.infer(row(3, id=id_))
                if answer.status_code == 200:
                    acknowledged += ids_of_rows(id_, 3)
                else:
                    assert answer.status_code == 503
                    assert "the prediction log cannot be written" in answer.json()["error"]
                    refused.append(id_)
        page = plane.client.get("/metrics").text
        counts = rows(plane.log_folder)

    assert refused
    assert f"mainspring_log_failures_total {len(refused)}" in page
    assert counts == dict.fromkeys(acknowledged, 1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB of its own."""
    folder = tmp_path / "log"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", MS_NOSUID, b"size=256k"):
        pytest.skip(f"no tmpfs can be mounted: {os.strerror(ctypes.get_errno())}")
    yield folder
    libc.umount2(os.fsencode(folder), MNT_DETACH)


def test_a_full_disk_refuses_loses_nothing_and_recovers(
    small_disk: Path, tmp_path: Path, first_model: Path
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(100_000))
    with Plane(tmp_path, [served(first_model)], log={"segment_rows": 500}) as plane:
        assert plane.log_folder == small_disk
        acknowledged: list[str] = []
        refused = 0
        while refused < 5:
            id_ = f"r{len(acknowledged)}"
            answer = plane.infer(row(40, id=id_))
            if answer.status_code == 200:
                acknowledged += ids_of_rows(id_, 40)
            else:
                assert answer.status_code == 503
                assert "No space left on device" in answer.json()["error"]
                assert f"make room on the disk of {small_disk}" in answer.text
                refused += 1
        assert len(acknowledged) > 500
        assert rows(small_disk) == dict.fromkeys(acknowledged, 1)

        with pytest.raises(OSError, match="No space left"):
            compact(small_disk, EVERYTHING)
        assert rows(small_disk) == dict.fromkeys(acknowledged, 1)
        assert not list(small_disk.glob("*.tmp"))

        ballast.unlink()
        answer = plane.infer(row(id="room"))
        assert answer.status_code == 200
        page = plane.client.get("/metrics").text
        compact(small_disk, EVERYTHING)
        plane.stop()

        assert f"mainspring_log_failures_total {refused}" in page
        assert rows(small_disk) == dict.fromkeys([*acknowledged, "room"], 1)
