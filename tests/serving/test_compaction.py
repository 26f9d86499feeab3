"""Files of the log are replaced by others: no row is lost or doubled, whoever reads and dies when."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from mainspring.core.clock import from_micros
from mainspring.core.errors import Unavailable
from mainspring.monitoring import prediction_log
from mainspring.monitoring.prediction_log import read_predictions
from mainspring.serving.compacting import LOOK_SECONDS, Compactor
from mainspring.serving.compaction import MOST_OPEN, CompactionLimits, compact, seal_journals
from mainspring.serving.log_files import Replacement, log_files
from mainspring.serving.replacing import only_one
from mainspring.serving.snapshot import LogSettings

from .data_plane import PATIENCE, until
from .logged import (
    DAY,
    found,
    frame,
    journal,
    merge,
    parts_in,
    rows,
    rows_or_none,
    sealed_one_by_one,
)


def test_journals_of_one_day_become_one_file(tmp_path: Path) -> None:
    for number in range(5):
        journal(tmp_path, f"w-{number:06d}.journal", frame(str(number), at=number))

    (made,) = seal_journals(tmp_path)

    assert made.name.startswith("0-4-")
    assert pq.ParquetFile(made).num_row_groups == 1
    assert found(tmp_path) == ["0", "1", "2", "3", "4"]
    assert {path.suffix for path in tmp_path.iterdir()} == {".parquet", ".lock"}
    assert made.stat().st_mode & 0o077 == 0


def test_history_of_many_days_is_kept_apart(tmp_path: Path) -> None:
    """More days than files are written at the same time, and then the first ones again."""
    days = [*range(MOST_OPEN + 5), 0, 1]
    for number, day in enumerate(days):
        journal(tmp_path, f"w-{number:06d}.journal", frame(str(number), at=day * DAY + number))

    made = seal_journals(tmp_path)

    assert sorted(found(tmp_path), key=int) == [str(number) for number in range(len(days))]
    assert len(made) == len(days)
    assert all(part.first // DAY == part.last // DAY for part in log_files(tmp_path).parts)


def test_models_and_columns_are_kept_apart(tmp_path: Path) -> None:
    """A number of one model must not become text because another model has text there."""
    large = 2**60 + 1
    other, third = frame("b", model="other"), frame("c")
    other.inputs["x"] = ("INT64", (), np.array([large]).tobytes())
    third.inputs["x"] = ("BYTES", (), ["text"])
    journal(tmp_path, "w-000001.journal", frame("a"), other, third)

    made = seal_journals(tmp_path)

    tables = [pq.read_table(path) for path in made]
    values = {table["request_id"][0].as_py(): table["input.x"][0].as_py() for table in tables}
    assert values == {"a": 0.0, "b": large, "c": "text"}
    assert found(tmp_path) == ["a", "b", "c"]


def test_one_id_sent_to_two_models_is_two_requests(tmp_path: Path) -> None:
    journal(tmp_path, "w-000001.journal", frame("a"), frame("a", model="other"), frame("a"))

    table = read_predictions(tmp_path, None, None, ["request_id", "model"])

    assert sorted(table["model"].to_pylist()) == ["late", "other"]


def test_compact_does_all_of_it(tmp_path: Path) -> None:
    now = time.time_ns() // 1000
    today = now // DAY * DAY
    for number in range(9):
        journal(tmp_path, f"w-{number:06d}.open", frame(str(number), at=today - 3 * DAY + number))
        compact(tmp_path, CompactionLimits())
    journal(tmp_path, "x-000001.journal", frame("old", at=today - 90 * DAY))
    (tmp_path / "y.damaged").touch()
    os.utime(tmp_path / "y.damaged", (0, 0))

    compact(tmp_path, CompactionLimits(keep_days=30))

    assert len(parts_in(tmp_path)) == 1
    assert found(tmp_path) == [str(number) for number in range(9)]
    assert not (tmp_path / "y.damaged").exists()


DYING = """
import os, shutil, signal, sys
from pathlib import Path
from mainspring.serving.compacting import LOOK_SECONDS, Compactor
from mainspring.serving.compaction import CompactionLimits, compact

template, places = Path(sys.argv[1]), Path(sys.argv[2])
OURS = {"open", "os.rename", "os.remove", "os.truncate", "os.listdir", "os.scandir"}

def dies_before(number):
    left = [number]
    def hook(event, arguments):
        if event in OURS and str(places) in str(arguments[0]):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

number, code = 0, -1
while code:
    number += 1
    place = places / str(number)
    shutil.copytree(template, place)
    child = os.fork()
    if not child:
        dies_before(number)
        compact(place, CompactionLimits())
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
"""


@pytest.mark.slow
def test_a_death_before_any_step_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """A compaction is killed before each of its calls that touch the folder, one after the other."""
    template, places = tmp_path / "template", tmp_path / "places"
    template.mkdir()
    places.mkdir()
    ids = sealed_one_by_one(template, 3)
    journal(template, "a-000001.journal", frame("a", at=5), frame("b", at=DAY + 1))
    damaged = journal(template, "b-000001.journal", frame("c", at=6))
    damaged.write_bytes(damaged.read_bytes() + b"damage" + damaged.read_bytes())
    journal(template, "c-000001.open", frame("d", at=7, model="other"))
    expected = {**dict.fromkeys([*ids, "a", "b", "d"], 1), "c": 2}

    done = subprocess.run(
        [sys.executable, "-c", DYING, str(template), str(places)], capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr
    folders = sorted(places.iterdir(), key=lambda path: int(path.name))
    assert len(folders) > 40
    for folder in folders:
        assert rows(folder) == expected
        compact(folder, CompactionLimits())
        assert rows(folder) == expected
        suffixes = {path.suffix for path in folder.iterdir()}
        assert suffixes == {".parquet", ".lock", ".damaged"}


def test_readers_meanwhile_see_every_row_once(tmp_path: Path) -> None:
    written: list[str] = []
    stop = threading.Event()

    def read() -> int:
        turns = 0
        while not stop.is_set():
            before = list(written)
            counts = rows_or_none(tmp_path)
            if counts is not None:
                turns += 1
                assert set(counts.values()) <= {1}
                assert set(counts).issuperset(before)
            assert set(found(tmp_path)).issuperset(before)
        return turns

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        for turn in range(10):
            for number in range(4):
                name = f"w{turn}-{number:06d}"
                aside = journal(tmp_path, f"{name}.part", frame(f"{turn}-{number}", at=turn))
                aside.rename(tmp_path / f"{name}.journal")
                written.append(f"{turn}-{number}")
            seal_journals(tmp_path)
            merge(tmp_path)
        stop.set()

    assert reading.result() > 0
    assert rows(tmp_path) == dict.fromkeys(written, 1)


def test_a_reader_begins_again_when_a_file_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = sealed_one_by_one(tmp_path, 3)
    listed = []

    def list_then_merge(folder: Path) -> object:
        files = log_files(folder)
        listed.append(len(files.parts))
        merge(folder)
        return files

    monkeypatch.setattr(prediction_log, "log_files", list_then_merge)

    assert found(tmp_path) == ids
    assert listed == [3, 1]


def test_a_file_that_cannot_be_found_is_said(tmp_path: Path) -> None:
    (tmp_path / "0-0-w.parquet").symlink_to(tmp_path / "nothing")

    with pytest.raises(Unavailable, match="replaced faster than they can be read"):
        found(tmp_path)


def test_a_replacement_that_was_begun_is_not_read(tmp_path: Path) -> None:
    ids = sealed_one_by_one(tmp_path, 2)
    old = parts_in(tmp_path)
    shutil.copy(old[0], tmp_path / "0-9-new.0.parquet")
    told = Replacement(
        new=("0-9-new.0.parquet", "0-9-new.1.parquet"), old=tuple(path.name for path in old)
    )
    (tmp_path / "new.merge").write_bytes(msgspec.json.encode(told))

    assert rows(tmp_path) == dict.fromkeys(ids, 1)
    shutil.copy(old[1], tmp_path / "0-9-new.1.parquet")
    assert rows(tmp_path) == dict.fromkeys(ids, 1)
    assert [path.name for path in parts_in(tmp_path)] == [*told.new]


def test_a_window_reads_only_the_groups_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.serving.replacing.GROUP_ROWS", 1)
    sealed_one_by_one(tmp_path, 5)
    (merged,) = merge(tmp_path)
    file = pq.ParquetFile(merged)
    assert file.num_row_groups == 5
    taken: list[list[int]] = []
    read = pq.ParquetFile.read_row_groups

    def noted(self: pq.ParquetFile, groups: list[int], **options: object) -> object:
        taken.append(groups)
        return read(self, groups, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", noted)

    table = read_predictions(tmp_path, from_micros(1), from_micros(3), ["request_id"])

    assert table["request_id"].to_pylist() == ["0-001", "0-002"]
    assert taken == [[1, 2]]


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "export.parquet").write_bytes(b"no file of the log")
    journal(tmp_path, "w-000001.journal", frame("a"))

    compact(tmp_path, CompactionLimits(keep_days=1))

    assert (tmp_path / "export.parquet").exists()
    assert found(tmp_path) == []


@pytest.mark.slow
def test_a_full_disk_stops_a_compaction_and_loses_nothing(tmp_path: Path) -> None:
    for number in range(3):
        path = f"w-{number:06d}.journal"
        journal(tmp_path, path, *[frame(f"{number}-{row}", at=row) for row in range(200)])
    before = rows(tmp_path)

    done = subprocess.run(
        [sys.executable, "-m", "mainspring.serving.compaction", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "cannot be compacted: File too large" in done.stderr
    assert rows(tmp_path) == before
    assert {path.suffix for path in tmp_path.iterdir()} == {".journal", ".lock"}
    compact(tmp_path, CompactionLimits())
    assert rows(tmp_path) == before
    assert not list(tmp_path.glob("*.journal"))


def test_an_end_waits_for_a_compaction_no_longer_than_it_may(tmp_path: Path) -> None:
    journal(tmp_path, "w-000001.journal", frame("a"))
    compactor = Compactor(LogSettings(folder=str(tmp_path), compact=True))

    with only_one(tmp_path):
        compactor.finish(time.monotonic() + 0.5)

    assert rows(tmp_path) == {"a": 1}
    assert (tmp_path / "w-000001.journal").exists()
    compactor.finish(time.monotonic() + PATIENCE)
    assert rows(tmp_path) == {"a": 1}
    assert len(parts_in(tmp_path)) == 1


def test_what_somebody_else_compacts_is_left_alone(tmp_path: Path) -> None:
    journal(tmp_path, "w-000001.journal", frame("a"))
    compactor = Compactor(LogSettings(folder=str(tmp_path)))

    compactor.look(time.monotonic())
    compactor.finish(time.monotonic() + PATIENCE)

    assert [path.name for path in tmp_path.iterdir()] == ["w-000001.journal"]


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["bytes", "age"])
def test_it_is_due_by_size_and_by_age(tmp_path: Path, reason: str) -> None:
    path = journal(tmp_path, "w-000001.journal", frame("a"))
    size = path.stat().st_size
    limits = {"compact_bytes": size + 1} if reason == "bytes" else {"compact_seconds": 1000.0}
    compactor = Compactor(LogSettings(folder=str(tmp_path), compact=True, **limits))
    now = time.monotonic()

    compactor.look(now)
    assert path.exists()

    if reason == "bytes":
        journal(tmp_path, "w-000002.journal", frame("b"))
    else:
        os.utime(path, (time.time() - 1001,) * 2)
    compactor.look(now + LOOK_SECONDS)
    until(lambda: not list(tmp_path.glob("*.journal")))
    compactor.finish(time.monotonic() + PATIENCE)
    assert len(parts_in(tmp_path)) == 1
